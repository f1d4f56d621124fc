-- What engines keep by a key of their own, a shelf for each purpose. Bodies are the engines'.
CREATE TABLE items (
    shelf  INTEGER NOT NULL,
    key    BLOB    NOT NULL,
    wall   INTEGER NOT NULL,
    body   BLOB    NOT NULL,
    digest BLOB    NOT NULL,
    PRIMARY KEY (shelf, key)
) STRICT;
CREATE INDEX items_by_wall ON items (shelf, wall, key);
