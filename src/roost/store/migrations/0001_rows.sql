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

CREATE TABLE "own_host" (
    "id" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("id")
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
    "mailbox" BLOB NOT NULL,
    "entry" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("session", "number")
) STRICT;
CREATE INDEX "stash_mailbox" ON "stash" ("mailbox");
CREATE INDEX "stash_entry" ON "stash" ("entry");

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

CREATE TABLE "followed" (
    "secret" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("secret")
) STRICT;

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

CREATE TABLE "thumbnail" (
    "message" BLOB NOT NULL,
    "index" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("message", "index")
) STRICT;

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

CREATE TABLE "shared_log" (
    "id" BLOB NOT NULL,
    "owner" BLOB NOT NULL,
    "state" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "shared_log_owner" ON "shared_log" ("owner");
CREATE INDEX "shared_log_state" ON "shared_log" ("state");

CREATE TABLE "log_grant" (
    "log" BLOB NOT NULL,
    "capability_hash" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("log", "capability_hash")
) STRICT;

CREATE TABLE "log_key" (
    "log" BLOB NOT NULL,
    "key_bytes" BLOB NOT NULL,
    "until" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("log", "key_bytes")
) STRICT;
CREATE INDEX "log_key_until" ON "log_key" ("until");

CREATE TABLE "log_put" (
    "number" INTEGER NOT NULL,
    "log" BLOB NOT NULL,
    "state" INTEGER NOT NULL,
    "next_at" INTEGER NOT NULL,
    "record" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("number")
) STRICT;
CREATE INDEX "log_put_log" ON "log_put" ("log");
CREATE INDEX "log_put_state" ON "log_put" ("state");
CREATE INDEX "log_put_next_at" ON "log_put" ("next_at");
CREATE INDEX "log_put_record" ON "log_put" ("record");

CREATE TABLE "log_spill" (
    "put" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("put")
) STRICT;

CREATE TABLE "log_part" (
    "log" BLOB NOT NULL,
    "record" BLOB NOT NULL,
    "part" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("log", "record", "part")
) STRICT;

CREATE TABLE "channel" (
    "id" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("id")
) STRICT;

CREATE TABLE "channel_member" (
    "channel" BLOB NOT NULL,
    "key_bytes" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("channel", "key_bytes")
) STRICT;

CREATE TABLE "channel_held" (
    "channel" BLOB NOT NULL,
    "number" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("channel", "number")
) STRICT;

CREATE TABLE "group" (
    "id" BLOB NOT NULL,
    "status" INTEGER NOT NULL,
    "due_at" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "group_status" ON "group" ("status");
CREATE INDEX "group_due_at" ON "group" ("due_at");

CREATE TABLE "group_epoch" (
    "group" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("group")
) STRICT;

CREATE TABLE "group_keys" (
    "group" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("group")
) STRICT;

CREATE TABLE "group_transcript" (
    "group" BLOB NOT NULL,
    "epoch" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("group", "epoch")
) STRICT;

CREATE TABLE "group_member" (
    "group" BLOB NOT NULL,
    "account" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("group", "account")
) STRICT;
CREATE INDEX "group_member_account" ON "group_member" ("account");

CREATE TABLE "group_former" (
    "group" BLOB NOT NULL,
    "account" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("group", "account")
) STRICT;

CREATE TABLE "group_sender" (
    "group" BLOB NOT NULL,
    "device" BLOB NOT NULL,
    "ask_at" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("group", "device")
) STRICT;
CREATE INDEX "group_sender_ask_at" ON "group_sender" ("ask_at");

CREATE TABLE "group_said" (
    "group" BLOB NOT NULL,
    "counter" INTEGER NOT NULL,
    "put" INTEGER NOT NULL,
    "landed_at" INTEGER NOT NULL,
    "message" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("group", "counter")
) STRICT;
CREATE INDEX "group_said_put" ON "group_said" ("put");
CREATE INDEX "group_said_landed_at" ON "group_said" ("landed_at");
CREATE INDEX "group_said_message" ON "group_said" ("message");

CREATE TABLE "group_intent" (
    "number" INTEGER NOT NULL,
    "group" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("number")
) STRICT;
CREATE INDEX "group_intent_group" ON "group_intent" ("group");

CREATE TABLE "group_commit" (
    "group" BLOB NOT NULL,
    "put" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("group")
) STRICT;
CREATE INDEX "group_commit_put" ON "group_commit" ("put");

CREATE TABLE "group_answer" (
    "group" BLOB NOT NULL,
    "device" BLOB NOT NULL,
    "due_at" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("group", "device")
) STRICT;
CREATE INDEX "group_answer_due_at" ON "group_answer" ("due_at");

CREATE TABLE "group_request" (
    "id" BLOB NOT NULL,
    "group" BLOB NOT NULL,
    "account" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "group_request_group" ON "group_request" ("group");
CREATE INDEX "group_request_account" ON "group_request" ("account");

CREATE TABLE "key_package" (
    "account" BLOB NOT NULL,
    "device" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("account", "device")
) STRICT;

CREATE TABLE "own_key_package" (
    "reference" BLOB NOT NULL,
    "account" BLOB NOT NULL,
    "expires_at" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("reference")
) STRICT;
CREATE INDEX "own_key_package_account" ON "own_key_package" ("account");
CREATE INDEX "own_key_package_expires_at" ON "own_key_package" ("expires_at");

CREATE TABLE "read_by" (
    "target" BLOB NOT NULL,
    "account" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("target", "account")
) STRICT;

CREATE TABLE "courier_settings" (
    "id" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("id")
) STRICT;

CREATE TABLE "carried_parcel" (
    "id" BLOB NOT NULL,
    "account" BLOB NOT NULL,
    "received_at" INTEGER NOT NULL,
    "expires_at" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "carried_parcel_account" ON "carried_parcel" ("account");
CREATE INDEX "carried_parcel_received_at" ON "carried_parcel" ("received_at");
CREATE INDEX "carried_parcel_expires_at" ON "carried_parcel" ("expires_at");

CREATE TABLE "carried_bytes" (
    "id" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("id")
) STRICT;

CREATE TABLE "waiting_parcel" (
    "id" BLOB NOT NULL,
    "expires_at" INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "waiting_parcel_expires_at" ON "waiting_parcel" ("expires_at");

CREATE TABLE "courier_device" (
    "account" BLOB NOT NULL,
    "device" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("account", "device")
) STRICT;

CREATE TABLE "courier_contact" (
    "account" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("account")
) STRICT;

CREATE TABLE "travel" (
    "conversation" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("conversation")
) STRICT;

CREATE TABLE "onion_memory" (
    "name" TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("name")
) STRICT;

CREATE TABLE "entered_network" (
    "network" BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("network")
) STRICT;
