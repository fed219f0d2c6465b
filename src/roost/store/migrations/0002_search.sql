-- Words of messages. A message's text, as search.py prepared it, stands in `searched` while it can be found; triggers keep
-- the word index in step within the same statement. secure-delete: a deleted message's words leave the index at once.

CREATE TABLE searched (
    number INTEGER PRIMARY KEY,
    message BLOB NOT NULL UNIQUE,
    position INTEGER NOT NULL,
    words TEXT NOT NULL
) STRICT;
CREATE INDEX searched_position ON searched (position);

CREATE VIRTUAL TABLE word USING fts5(
    words,
    content='searched',
    content_rowid='number',
    tokenize='unicode61 remove_diacritics 2',
    prefix='2 3'
);
INSERT INTO word (word, rank) VALUES ('secure-delete', 1);

CREATE TRIGGER searched_added AFTER INSERT ON searched BEGIN
    INSERT INTO word (rowid, words) VALUES (new.number, new.words);
END;

CREATE TRIGGER searched_removed AFTER DELETE ON searched BEGIN
    INSERT INTO word (word, rowid, words) VALUES ('delete', old.number, old.words);
END;

CREATE TRIGGER searched_changed AFTER UPDATE OF number, words ON searched BEGIN
    INSERT INTO word (word, rowid, words) VALUES ('delete', old.number, old.words);
    INSERT INTO word (rowid, words) VALUES (new.number, new.words);
END;
