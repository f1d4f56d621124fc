-- The tables. Every `digest` is a BLAKE3 check over the other columns (docs/spec/disk.md).
-- Times are milliseconds since the Unix epoch. Bodies are the engines' own encoding.

CREATE TABLE peers (
    id        BLOB    NOT NULL PRIMARY KEY,
    last_seen INTEGER NOT NULL,
    body      BLOB    NOT NULL,
    digest    BLOB    NOT NULL
) STRICT;
CREATE INDEX peers_by_last_seen ON peers (last_seen, id);

CREATE TABLE trust_events (
    number  INTEGER NOT NULL PRIMARY KEY,
    subject BLOB    NOT NULL,
    wall    INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    fault   INTEGER NOT NULL,
    context INTEGER NOT NULL,
    body    BLOB    NOT NULL,
    digest  BLOB    NOT NULL
) STRICT;
-- An index ends with the key of its row, so this one is ordered by number within a subject.
CREATE INDEX trust_events_by_subject ON trust_events (subject);

CREATE TABLE bans (
    subject BLOB NOT NULL PRIMARY KEY,
    until   INTEGER,
    body    BLOB NOT NULL,
    digest  BLOB NOT NULL
) STRICT;

CREATE TABLE messages_seen (
    author  BLOB    NOT NULL,
    start   INTEGER NOT NULL,
    highest INTEGER NOT NULL,
    bitmap  BLOB    NOT NULL,
    wall    INTEGER NOT NULL,
    digest  BLOB    NOT NULL,
    PRIMARY KEY (author, start)
) STRICT;
CREATE INDEX messages_seen_by_wall ON messages_seen (wall, author, start);

CREATE TABLE network_state (
    key    TEXT NOT NULL PRIMARY KEY,
    value  BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT;
