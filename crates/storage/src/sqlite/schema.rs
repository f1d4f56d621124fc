//! The schema: its versions, and whether a file has exactly what its version promises.

use rusqlite::{Connection, Error};

/// Marks a SQLite file as ours: the letters `RPST`.
pub(super) const APPLICATION_ID: u32 = 0x5250_5354;

/// Every migration, the first of which makes version 1.
const MIGRATIONS: [&str; 4] = [
    include_str!("../../migrations/0001_tables.sql"),
    include_str!("../../migrations/0002_damaged.sql"),
    include_str!("../../migrations/0003_hearsay.sql"),
    include_str!("../../migrations/0004_items.sql"),
];

/// The version that this program writes.
pub(super) const VERSION: u32 = MIGRATIONS.len() as u32;

/// Brings the schema from `version` up to `target`, each step in a transaction of its own;
/// `before_commit` is called inside each.
pub(super) fn migrate(
    connection: &mut Connection,
    version: u32,
    target: u32,
    mut before_commit: impl FnMut(u32),
) -> Result<(), Error> {
    for (step, sql) in (1..=target).zip(MIGRATIONS) {
        if step <= version {
            continue;
        }
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", step)?;
        before_commit(step);
        transaction.commit()?;
    }
    Ok(())
}

/// The version written in the file; untrusted.
pub(super) fn version(connection: &Connection) -> Result<i64, Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether the file has exactly the tables and indexes of `version`, by their text: a flipped bit
/// in a column's type or name would otherwise change what a statement means.
pub(super) fn matches(connection: &Connection, version: u32) -> Result<bool, Error> {
    let mut model = Connection::open_in_memory()?;
    migrate(&mut model, 0, version, |_| {})?;
    Ok(describe(connection)? == describe(&model)?)
}

type Description = Vec<(String, String, String, Option<String>)>;

fn describe(connection: &Connection) -> Result<Description, Error> {
    let mut statement = connection
        .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    rows.collect()
}

/// What SQLite finds wrong with the structure of the file, if anything.
pub(super) fn quick_check(connection: &Connection) -> Result<Option<String>, Error> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}
