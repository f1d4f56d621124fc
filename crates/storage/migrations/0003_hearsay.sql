-- What was heard of others, numbered with the ledger's events.
CREATE TABLE hearsay (
    number INTEGER NOT NULL PRIMARY KEY,
    source BLOB    NOT NULL,
    wall   INTEGER NOT NULL,
    body   BLOB    NOT NULL,
    digest BLOB    NOT NULL
) STRICT;
CREATE INDEX hearsay_by_source ON hearsay (source);
