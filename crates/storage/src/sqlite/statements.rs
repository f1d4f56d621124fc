//! Every statement, in one place, so that a test can ask how each is run.

pub(super) const PEER_UPDATE: &str =
    "UPDATE peers SET last_seen = ?2, body = ?3, digest = ?4 WHERE id = ?1";
pub(super) const PEER_INSERT: &str =
    "INSERT INTO peers (id, last_seen, body, digest) VALUES (?1, ?2, ?3, ?4)";
pub(super) const PEER_DELETE: &str = "DELETE FROM peers WHERE id = ?1";
pub(super) const PEERS_PRUNE: &str = "DELETE FROM peers WHERE rowid IN \
     (SELECT rowid FROM peers WHERE last_seen < ?1 ORDER BY last_seen, id LIMIT ?2)";
pub(super) const PEERS_EVICT: &str = "DELETE FROM peers WHERE rowid IN \
     (SELECT rowid FROM peers WHERE last_seen >= 0 ORDER BY last_seen, id LIMIT ?1)";

pub(super) const EVENT_INSERT: &str = "INSERT INTO trust_events \
     (number, subject, wall, kind, fault, context, body, digest) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (number) DO NOTHING";
pub(super) const EVENT_DIGEST: &str = "SELECT digest FROM trust_events WHERE number = ?1";
pub(super) const EVENTS_FOLD: &str = "DELETE FROM trust_events WHERE subject = ?1 AND number <= ?2";
pub(super) const EVENTS_OF: &str = "SELECT number, subject, wall, kind, fault, context, body, \
     digest FROM trust_events WHERE subject = ?1 ORDER BY number DESC LIMIT ?2";

pub(super) const HEARSAY_INSERT: &str = "INSERT INTO hearsay \
     (number, source, wall, body, digest) VALUES (?1, ?2, ?3, ?4, ?5) \
     ON CONFLICT (number) DO NOTHING";
pub(super) const HEARSAY_DIGEST: &str = "SELECT digest FROM hearsay WHERE number = ?1";
pub(super) const HEARSAY_FOLD: &str = "DELETE FROM hearsay WHERE source = ?1 AND number <= ?2";

pub(super) const BAN_UPDATE: &str =
    "UPDATE bans SET until = ?2, body = ?3, digest = ?4 WHERE subject = ?1";
pub(super) const BAN_INSERT: &str =
    "INSERT INTO bans (subject, until, body, digest) VALUES (?1, ?2, ?3, ?4)";
pub(super) const BAN_DELETE: &str = "DELETE FROM bans WHERE subject = ?1";
pub(super) const BANS_PRUNE: &str = "DELETE FROM bans WHERE rowid IN \
     (SELECT rowid FROM bans WHERE until < ?1 ORDER BY until, subject LIMIT ?2)";
pub(super) const BANS_EVICT: &str = "DELETE FROM bans WHERE rowid IN \
     (SELECT rowid FROM bans WHERE until >= 0 ORDER BY until, subject LIMIT ?1)";
pub(super) const BANS_EVICT_ENDLESS: &str = "DELETE FROM bans WHERE rowid IN \
     (SELECT rowid FROM bans WHERE until IS NULL ORDER BY subject LIMIT ?1)";

pub(super) const SEEN_UPDATE: &str = "UPDATE messages_seen SET highest = ?3, bitmap = ?4, \
     wall = ?5, digest = ?6 WHERE author = ?1 AND start = ?2";
pub(super) const SEEN_INSERT: &str = "INSERT INTO messages_seen \
     (author, start, highest, bitmap, wall, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
pub(super) const SEEN_PRUNE: &str = "DELETE FROM messages_seen WHERE rowid IN \
     (SELECT rowid FROM messages_seen WHERE wall < ?1 ORDER BY wall, author, start LIMIT ?2)";
pub(super) const SEEN_EVICT: &str = "DELETE FROM messages_seen WHERE rowid IN \
     (SELECT rowid FROM messages_seen WHERE wall >= 0 ORDER BY wall, author, start LIMIT ?1)";

pub(super) const STATE_UPDATE: &str =
    "UPDATE network_state SET value = ?2, digest = ?3 WHERE key = ?1";
pub(super) const STATE_INSERT: &str =
    "INSERT INTO network_state (key, value, digest) VALUES (?1, ?2, ?3)";
pub(super) const STATE_DELETE: &str = "DELETE FROM network_state WHERE key = ?1";
pub(super) const STATE_OF: &str =
    "SELECT rowid, key, value, digest FROM network_state WHERE key = ?1";

pub(super) const ITEM_UPDATE: &str =
    "UPDATE items SET wall = ?3, body = ?4, digest = ?5 WHERE shelf = ?1 AND key = ?2";
pub(super) const ITEM_INSERT: &str =
    "INSERT INTO items (shelf, key, wall, body, digest) VALUES (?1, ?2, ?3, ?4, ?5)";
pub(super) const ITEM_DELETE: &str = "DELETE FROM items WHERE shelf = ?1 AND key = ?2";
pub(super) const ITEMS_EVICT: &str = "DELETE FROM items WHERE rowid IN \
     (SELECT rowid FROM items WHERE shelf = ?1 ORDER BY wall, key LIMIT ?2)";
pub(super) const ITEMS_OF: &str =
    "SELECT rowid, shelf, key, wall, body, digest FROM items WHERE shelf = ?1 ORDER BY key";
/// Counts one shelf; only when the store is opened, or a damaged row went.
pub(super) const ITEMS_COUNT: &str = "SELECT count(*) FROM items WHERE shelf = ?1";

/// Keeps the newest ?1 of the rows that were set aside.
pub(super) const DAMAGED_TRIM: &str =
    "DELETE FROM damaged WHERE id <= (SELECT max(id) FROM damaged) - ?1";

/// Loads of a whole table, which have to visit every row.
pub(super) const PEERS_ALL: &str =
    "SELECT rowid, id, last_seen, body, digest FROM peers ORDER BY last_seen DESC, id DESC";
pub(super) const EVENTS_ALL: &str = "SELECT number, subject, wall, kind, fault, context, body, \
     digest FROM trust_events ORDER BY number";
pub(super) const HEARSAY_ALL: &str =
    "SELECT number, source, wall, body, digest FROM hearsay ORDER BY number";
pub(super) const BANS_ALL: &str =
    "SELECT rowid, subject, until, body, digest FROM bans ORDER BY subject";
pub(super) const SEEN_ALL: &str =
    "SELECT rowid, author, start, highest, bitmap, wall, digest FROM messages_seen";

/// A table whose rows carry a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Peers,
    Events,
    Hearsay,
    Bans,
    Seen,
    State,
    Items,
}

impl Table {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Peers => "peers",
            Self::Events => "trust_events",
            Self::Hearsay => "hearsay",
            Self::Bans => "bans",
            Self::Seen => "messages_seen",
            Self::State => "network_state",
            Self::Items => "items",
        }
    }

    /// One row by its rowid, with the columns of the whole load.
    pub(super) const fn row(self) -> &'static str {
        match self {
            Self::Peers => "SELECT rowid, id, last_seen, body, digest FROM peers WHERE rowid = ?1",
            Self::Events => {
                "SELECT number, subject, wall, kind, fault, context, body, digest \
                 FROM trust_events WHERE number = ?1"
            }
            Self::Hearsay => {
                "SELECT number, source, wall, body, digest FROM hearsay WHERE number = ?1"
            }
            Self::Bans => "SELECT rowid, subject, until, body, digest FROM bans WHERE rowid = ?1",
            Self::Seen => {
                "SELECT rowid, author, start, highest, bitmap, wall, digest \
                 FROM messages_seen WHERE rowid = ?1"
            }
            Self::State => "SELECT rowid, key, value, digest FROM network_state WHERE rowid = ?1",
            Self::Items => {
                "SELECT rowid, shelf, key, wall, body, digest FROM items WHERE rowid = ?1"
            }
        }
    }

    /// Copies one row into `damaged`, as SQL literals.
    pub(super) const fn set_aside(self) -> &'static str {
        match self {
            Self::Peers => {
                "INSERT INTO damaged (source, content) SELECT 'peers', \
                 concat_ws(', ', quote(id), quote(last_seen), quote(body), quote(digest)) \
                 FROM peers WHERE rowid = ?1"
            }
            Self::Events => {
                "INSERT INTO damaged (source, content) SELECT 'trust_events', \
                 concat_ws(', ', quote(number), quote(subject), quote(wall), quote(kind), \
                 quote(fault), quote(context), quote(body), quote(digest)) \
                 FROM trust_events WHERE number = ?1"
            }
            Self::Hearsay => {
                "INSERT INTO damaged (source, content) SELECT 'hearsay', \
                 concat_ws(', ', quote(number), quote(source), quote(wall), quote(body), \
                 quote(digest)) FROM hearsay WHERE number = ?1"
            }
            Self::Bans => {
                "INSERT INTO damaged (source, content) SELECT 'bans', \
                 concat_ws(', ', quote(subject), quote(until), quote(body), quote(digest)) \
                 FROM bans WHERE rowid = ?1"
            }
            Self::Seen => {
                "INSERT INTO damaged (source, content) SELECT 'messages_seen', \
                 concat_ws(', ', quote(author), quote(start), quote(highest), quote(bitmap), \
                 quote(wall), quote(digest)) FROM messages_seen WHERE rowid = ?1"
            }
            Self::State => {
                "INSERT INTO damaged (source, content) SELECT 'network_state', \
                 concat_ws(', ', quote(key), quote(value), quote(digest)) \
                 FROM network_state WHERE rowid = ?1"
            }
            Self::Items => {
                "INSERT INTO damaged (source, content) SELECT 'items', \
                 concat_ws(', ', quote(shelf), quote(key), quote(wall), quote(body), \
                 quote(digest)) FROM items WHERE rowid = ?1"
            }
        }
    }

    /// Removes one row.
    pub(super) const fn remove(self) -> &'static str {
        match self {
            Self::Peers => "DELETE FROM peers WHERE rowid = ?1",
            Self::Events => "DELETE FROM trust_events WHERE number = ?1",
            Self::Hearsay => "DELETE FROM hearsay WHERE number = ?1",
            Self::Bans => "DELETE FROM bans WHERE rowid = ?1",
            Self::Seen => "DELETE FROM messages_seen WHERE rowid = ?1",
            Self::State => "DELETE FROM network_state WHERE rowid = ?1",
            Self::Items => "DELETE FROM items WHERE rowid = ?1",
        }
    }

    /// Makes the indexes of the table anew from its rows.
    pub(super) const fn reindex(self) -> &'static str {
        match self {
            Self::Peers => "REINDEX peers",
            Self::Events => "REINDEX trust_events",
            Self::Hearsay => "REINDEX hearsay",
            Self::Bans => "REINDEX bans",
            Self::Seen => "REINDEX messages_seen",
            Self::State => "REINDEX network_state",
            Self::Items => "REINDEX items",
        }
    }

    /// Counts the rows; only when the store is opened.
    pub(super) const fn count(self) -> &'static str {
        match self {
            Self::Peers => "SELECT count(*) FROM peers",
            Self::Events => "SELECT count(*) FROM trust_events",
            Self::Hearsay => "SELECT count(*) FROM hearsay",
            Self::Bans => "SELECT count(*) FROM bans",
            Self::Seen => "SELECT count(*) FROM messages_seen",
            Self::State => "SELECT count(*) FROM network_state",
            Self::Items => "SELECT count(*) FROM items",
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::sqlite::schema;

    const TABLES: [Table; 7] = [
        Table::Peers,
        Table::Events,
        Table::Hearsay,
        Table::Bans,
        Table::Seen,
        Table::State,
        Table::Items,
    ];

    fn plan(connection: &Connection, sql: &str) -> String {
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let parameters = statement.parameter_count();
        let values = rusqlite::params_from_iter(std::iter::repeat_n(1, parameters));
        let steps = statement
            .query_map(values, |row| row.get::<_, String>(3))
            .unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn no_statement_but_a_whole_load_visits_every_row_or_sorts() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0, schema::VERSION, |_| ()).unwrap();
        let mut indexed = vec![
            PEER_UPDATE,
            PEER_INSERT,
            PEER_DELETE,
            PEERS_PRUNE,
            PEERS_EVICT,
            EVENT_INSERT,
            EVENT_DIGEST,
            EVENTS_FOLD,
            EVENTS_OF,
            HEARSAY_INSERT,
            HEARSAY_DIGEST,
            HEARSAY_FOLD,
            BAN_UPDATE,
            BAN_INSERT,
            BAN_DELETE,
            BANS_PRUNE,
            BANS_EVICT,
            BANS_EVICT_ENDLESS,
            SEEN_UPDATE,
            SEEN_INSERT,
            SEEN_PRUNE,
            SEEN_EVICT,
            STATE_UPDATE,
            STATE_INSERT,
            STATE_DELETE,
            STATE_OF,
            ITEM_UPDATE,
            ITEM_INSERT,
            ITEM_DELETE,
            ITEMS_EVICT,
            ITEMS_OF,
            ITEMS_COUNT,
            DAMAGED_TRIM,
        ];
        for table in TABLES {
            indexed.extend([table.row(), table.set_aside(), table.remove()]);
        }
        for sql in indexed {
            let plan = plan(&connection, sql);
            assert!(!plan.contains("SCAN"), "{sql}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
        for sql in [PEERS_ALL, EVENTS_ALL, HEARSAY_ALL, BANS_ALL, SEEN_ALL] {
            assert!(
                !plan(&connection, sql).contains("TEMP B-TREE"),
                "{sql} sorts"
            );
        }
    }
}
