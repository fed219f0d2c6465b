-- What an onion node knows of each place that it keeps, kept or was asked to keep (relay.core.places). The empty place is
-- the node itself.

CREATE TABLE places (
  place BLOB PRIMARY KEY,
  record BLOB NOT NULL
) WITHOUT ROWID;

-- On an onion node a mailbox is found by its place, and whoever makes one may name any hash: it must take nothing away
-- from another's. On a relay the rules refuse that.
CREATE TABLE new_grants (
  hash BLOB NOT NULL,
  mailbox INTEGER NOT NULL,
  right INTEGER NOT NULL,
  quota INTEGER NOT NULL,
  PRIMARY KEY (hash, mailbox)
);
INSERT INTO new_grants (hash, mailbox, right, quota) SELECT hash, mailbox, right, quota FROM grants;
DROP TABLE grants;
ALTER TABLE new_grants RENAME TO grants;
CREATE INDEX grants_by_mailbox ON grants (mailbox);
