-- One table for each kind of row in messaging/records.py: its key, its index columns, and the whole row in `data`.
-- Printed by tests/store/print_schema.py.

CREATE TABLE "setting" (
    "name" TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("name")
) STRICT;

CREATE TABLE "me" (
    "id" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("id")
) STRICT;

CREATE TABLE "own_relay" (
    "relay" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("relay")
) STRICT;

CREATE TABLE "contact" (
    "account" BLOB NOT NULL,
    "state" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("account")
) STRICT;
CREATE INDEX "contact_state" ON "contact" ("state");

CREATE TABLE "peer_device" (
    "account" BLOB NOT NULL,
    "device" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("account", "device")
) STRICT;

CREATE TABLE "session" (
    "id" BLOB NOT NULL,
    "account" BLOB NOT NULL,
    "device" BLOB NOT NULL,
    "acknowledge_at" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "session_account" ON "session" ("account");
CREATE INDEX "session_device" ON "session" ("device");
CREATE INDEX "session_acknowledge_at" ON "session" ("acknowledge_at");

CREATE TABLE "stash" (
    "session" BLOB NOT NULL,
    "number" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("session", "number")
) STRICT;

CREATE TABLE "prekey" (
    "context" BLOB NOT NULL,
    "account" BLOB NOT NULL,
    "invitation" BLOB NOT NULL,
    "expires_at" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("context")
) STRICT;
CREATE INDEX "prekey_account" ON "prekey" ("account");
CREATE INDEX "prekey_invitation" ON "prekey" ("invitation");
CREATE INDEX "prekey_expires_at" ON "prekey" ("expires_at");

CREATE TABLE "own_card" (
    "account" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("account")
) STRICT;

CREATE TABLE "own_mailbox" (
    "admin" BLOB NOT NULL,
    "account" BLOB NOT NULL,
    "invitation" BLOB NOT NULL,
    "state" INTEGER NOT NULL,
    "relay" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("admin")
) STRICT;
CREATE INDEX "own_mailbox_account" ON "own_mailbox" ("account");
CREATE INDEX "own_mailbox_invitation" ON "own_mailbox" ("invitation");
CREATE INDEX "own_mailbox_state" ON "own_mailbox" ("state");
CREATE INDEX "own_mailbox_relay" ON "own_mailbox" ("relay");

CREATE TABLE "invitation" (
    "secret" BLOB NOT NULL,
    "state" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("secret")
) STRICT;
CREATE INDEX "invitation_state" ON "invitation" ("state");

CREATE TABLE "request" (
    "id" BLOB NOT NULL,
    "account" BLOB NOT NULL,
    "state" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "request_account" ON "request" ("account");
CREATE INDEX "request_state" ON "request" ("state");

CREATE TABLE "message" (
    "id" BLOB NOT NULL,
    "conversation" BLOB NOT NULL,
    "position" INTEGER NOT NULL,
    "expire_at" INTEGER NOT NULL,
    "state" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "message_conversation" ON "message" ("conversation", "position");
CREATE INDEX "message_position" ON "message" ("position");
CREATE INDEX "message_expire_at" ON "message" ("expire_at");
CREATE INDEX "message_state" ON "message" ("state");

CREATE TABLE "reaction" (
    "target" BLOB NOT NULL,
    "account" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("target", "account")
) STRICT;

CREATE TABLE "vote" (
    "target" BLOB NOT NULL,
    "account" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("target", "account")
) STRICT;

CREATE TABLE "pin" (
    "conversation" BLOB NOT NULL,
    "target" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("conversation", "target")
) STRICT;

CREATE TABLE "orphan" (
    "target" BLOB NOT NULL,
    "id" BLOB NOT NULL,
    "account" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("target", "id")
) STRICT;
CREATE INDEX "orphan_account" ON "orphan" ("account");

CREATE TABLE "outbox" (
    "number" INTEGER NOT NULL,
    "account" BLOB NOT NULL,
    "device" BLOB NOT NULL,
    "state" INTEGER NOT NULL,
    "next_at" INTEGER NOT NULL,
    "message" BLOB NOT NULL,
    "session" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("number")
) STRICT;
CREATE INDEX "outbox_account" ON "outbox" ("account");
CREATE INDEX "outbox_device" ON "outbox" ("device", "state");
CREATE INDEX "outbox_state" ON "outbox" ("state");
CREATE INDEX "outbox_next_at" ON "outbox" ("next_at");
CREATE INDEX "outbox_message" ON "outbox" ("message");
CREATE INDEX "outbox_session" ON "outbox" ("session");

CREATE TABLE "upload" (
    "outbox" INTEGER NOT NULL,
    "index" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("outbox", "index")
) STRICT;

CREATE TABLE "stored_file" (
    "message" BLOB NOT NULL,
    "index" INTEGER NOT NULL,
    "state" INTEGER NOT NULL,
    "mailbox" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("message", "index")
) STRICT;
CREATE INDEX "stored_file_state" ON "stored_file" ("state");
CREATE INDEX "stored_file_mailbox" ON "stored_file" ("mailbox");

CREATE TABLE "seen" (
    "what" BLOB NOT NULL,
    "until" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("what")
) STRICT;
CREATE INDEX "seen_until" ON "seen" ("until");

CREATE TABLE "event" (
    "number" INTEGER NOT NULL,
    "at" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("number")
) STRICT;
CREATE INDEX "event_at" ON "event" ("at");
