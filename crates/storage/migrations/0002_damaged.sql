-- Rows that failed their check, kept for the curious and never read back.
CREATE TABLE damaged (
    id      INTEGER NOT NULL PRIMARY KEY,
    source  TEXT    NOT NULL,
    content TEXT    NOT NULL
) STRICT;

-- Bans are pruned and evicted by their end.
CREATE INDEX bans_by_end ON bans (until, subject);
