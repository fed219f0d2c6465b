-- Days are whole days since 1970. Capabilities, envelopes and writers are known by their hashes only.

CREATE TABLE relay (
  id INTEGER PRIMARY KEY CHECK (id = 0),
  run INTEGER NOT NULL                -- the highest run that a relay may have numbered entries with
);
INSERT INTO relay (id, run) VALUES (0, 0);

CREATE TABLE mailboxes (
  id INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  sealed INTEGER NOT NULL DEFAULT 0,
  floor INTEGER NOT NULL DEFAULT 0,   -- numbers up to here are never given out again
  used_day INTEGER NOT NULL
);
CREATE INDEX mailboxes_by_use ON mailboxes (used_day);

CREATE TABLE grants (
  hash BLOB PRIMARY KEY,
  mailbox INTEGER NOT NULL,
  right INTEGER NOT NULL,
  quota INTEGER NOT NULL
);
CREATE INDEX grants_by_mailbox ON grants (mailbox);

-- The small columns stand before the envelope: they are read without touching its overflow page.
CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  mailbox INTEGER NOT NULL,
  number INTEGER NOT NULL,
  day INTEGER NOT NULL,
  writer INTEGER NOT NULL,
  work INTEGER NOT NULL,
  hash BLOB NOT NULL,
  envelope BLOB NOT NULL
);
CREATE UNIQUE INDEX entries_by_number ON entries (mailbox, number);

CREATE TABLE holds (
  id INTEGER PRIMARY KEY,
  mailbox INTEGER NOT NULL,
  hold BLOB NOT NULL,
  day INTEGER NOT NULL
);
CREATE UNIQUE INDEX holds_by_mailbox ON holds (mailbox, hold);
CREATE INDEX holds_by_day ON holds (day);

CREATE TABLE needs (
  mailbox INTEGER NOT NULL,
  number INTEGER NOT NULL,
  hold BLOB NOT NULL,
  PRIMARY KEY (mailbox, number, hold)
) WITHOUT ROWID;
CREATE INDEX needs_by_hold ON needs (mailbox, hold);

CREATE TABLE blobs (
  id INTEGER PRIMARY KEY,
  hold INTEGER NOT NULL,              -- holds.id
  mailbox INTEGER NOT NULL,
  blob BLOB NOT NULL,
  data BLOB NOT NULL
);
CREATE UNIQUE INDEX blobs_by_hold ON blobs (hold, blob);
CREATE INDEX blobs_by_name ON blobs (mailbox, blob);

CREATE TABLE cards (
  locator BLOB PRIMARY KEY,
  writer_hash BLOB NOT NULL,
  version INTEGER NOT NULL,
  expires_day INTEGER NOT NULL,
  card BLOB NOT NULL
);
CREATE INDEX cards_by_expiry ON cards (expires_day);

CREATE TABLE tags (
  period INTEGER NOT NULL,
  tag INTEGER NOT NULL,
  PRIMARY KEY (period, tag)
) WITHOUT ROWID;
