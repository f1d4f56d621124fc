//! Opening a database: knowing it, making it, recovering it, migrating it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    OnCorrupt, OpenReport, Options, Point,
    failure::{from_io, from_sqlite},
    files,
    schema::{self, APPLICATION_ID, VERSION},
    writing::Counts,
};
use crate::StoreError;

/// The name of the database in its data directory.
pub(super) const FILE: &str = "store.sqlite3";

/// A database larger than this is not read through before it is used; its rows carry checks, and
/// a break in its structure shows when it is read.
const QUICK_CHECK_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Pages of the log that are moved into the database at once, unless told otherwise: 16 MiB.
const LOG_PAGES: u32 = 4_096;

/// Opens or makes the database of `dir`, which must be locked.
pub(super) fn open(dir: &Path, options: &Options) -> Result<(Connection, OpenReport), StoreError> {
    let path = dir.join(FILE);
    let mut report = OpenReport::default();
    match attempt(dir, &path, options, &mut report) {
        Err(StoreError::Corrupt { detail, .. }) if options.on_corrupt == OnCorrupt::SetAside => {
            report = OpenReport {
                set_aside: files::set_aside(dir, &path)?,
                ..OpenReport::default()
            };
            tracing::warn!(
                path = %path.display(),
                %detail,
                "the database was corrupt and was set aside"
            );
            report.corruption = Some(detail);
            let connection = attempt(dir, &path, options, &mut report)?;
            Ok((connection, report))
        }
        Err(error) => Err(error),
        Ok(connection) => Ok((connection, report)),
    }
}

fn attempt(
    dir: &Path,
    path: &Path,
    options: &Options,
    report: &mut OpenReport,
) -> Result<Connection, StoreError> {
    if !files::inspect(path)? {
        create(dir, path, VERSION, options)?;
        report.created = true;
    }
    let log = fs::metadata(files::beside(path, "-wal")).map_or(0, |log| log.len());
    report.recovered = log > 0;
    let mut connection = connect(path, options.log_pages.unwrap_or(LOG_PAGES))?;
    take_in(&mut connection, path, options, report, log > 0)?;
    turn_on_log(&connection, path)?;
    if let Some(bytes) = options.file_bytes_max {
        limit(&connection, bytes).map_err(|error| from_sqlite(path, &error))?;
    }
    Ok(connection)
}

/// Recovers, checks and migrates the database that was found.
fn take_in(
    connection: &mut Connection,
    path: &Path,
    options: &Options,
    report: &mut OpenReport,
    log: bool,
) -> Result<(), StoreError> {
    let failed = |error| from_sqlite(path, &error);
    let corrupt = |detail: String| {
        Err(StoreError::Corrupt {
            path: path.to_path_buf(),
            detail,
        })
    };
    if log {
        options.pass(Point::RecoveryBegins);
    }
    // The first read takes in the log, if there is one.
    let version = schema::version(connection).map_err(failed)?;
    if log {
        options.pass(Point::RecoveryInside);
        checkpoint(connection).map_err(failed)?;
        options.pass(Point::RecoveryEnds);
    }
    if version > i64::from(VERSION) {
        let (path, known) = (path.to_path_buf(), i64::from(VERSION));
        return Err(StoreError::NewerSchema {
            path,
            found: version,
            known,
        });
    }
    let Some(version) = u32::try_from(version).ok().filter(|version| *version > 0) else {
        return corrupt(format!("schema version {version} never was"));
    };
    if !schema::matches(connection, version).map_err(failed)? {
        return corrupt(format!(
            "its tables are not those of schema version {version}"
        ));
    }
    let bytes = fs::metadata(path)
        .map_err(|error| from_io(path, &error))?
        .len();
    if bytes <= QUICK_CHECK_BYTES_MAX
        && let Some(found) = schema::quick_check(connection).map_err(failed)?
    {
        return corrupt(found);
    }
    if version < VERSION {
        schema::migrate(connection, version, VERSION, |step| {
            options.pass(Point::Migrating(step))
        })
        .map_err(failed)?;
        report.migrated_from = Some(version);
    }
    Ok(())
}

/// Makes a database of schema `version` under another name, then gives it its own: whoever finds
/// the name finds a whole database.
pub(super) fn create(
    dir: &Path,
    path: &Path,
    version: u32,
    options: &Options,
) -> Result<(), StoreError> {
    let new = files::beside(path, ".new");
    let journals = ["-wal", "-shm", "-journal"];
    for left in journals
        .map(|suffix| files::beside(&new, suffix))
        .iter()
        .chain([&new])
    {
        files::remove(left)?;
    }
    // A log without its database would be taken for the new one's.
    for left in journals.map(|suffix| files::beside(path, suffix)) {
        files::remove(&left)?;
    }
    drop(files::private_file(&new)?);
    let failed = |error| from_sqlite(&new, &error);
    let mut connection = connect_bare(&new).map_err(failed)?;
    connection
        .pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(failed)?;
    schema::migrate(&mut connection, 0, version, |step| {
        options.pass(Point::Migrating(step))
    })
    .map_err(failed)?;
    turn_on_log(&connection, &new)?;
    connection
        .close()
        .map_err(|(_, error)| from_sqlite(&new, &error))?;
    fs::rename(&new, path).map_err(|error| from_io(path, &error))?;
    files::sync_dir(dir)
}

/// Makes sure of the write-ahead log: without it, a commit is not durable when it returns.
fn turn_on_log(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let ask = |sql: &str| {
        let mut statement = connection.prepare(sql)?;
        let modes = statement.query_map([], |row| row.get::<_, String>(0))?;
        // To the end: the change is committed behind the first row, and may fail there.
        modes.collect::<Result<Vec<_>, _>>()
    };
    // A change that failed otherwise is answered with the mode that is left, and no error.
    let mode = ask("PRAGMA journal_mode = WAL")
        .and_then(|_| ask("PRAGMA journal_mode"))
        .map_err(|error| from_sqlite(path, &error))?;
    if mode == ["wal"] {
        return Ok(());
    }
    Err(StoreError::Io {
        path: path.to_path_buf(),
        detail: format!("its write-ahead log could not be turned on, it is in mode {mode:?}"),
    })
}

/// The connection that writes.
fn connect(path: &Path, log_pages: u32) -> Result<Connection, StoreError> {
    let failed = |error| from_sqlite(path, &error);
    let connection = connect_bare(path).map_err(failed)?;
    connection
        .pragma_update(None, "wal_autocheckpoint", log_pages)
        .map_err(failed)?;
    connection
        .pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)
        .map_err(failed)?;
    connection
        .pragma_update(None, "cache_size", -16 * 1024)
        .map_err(failed)?;
    Ok(connection)
}

fn connect_bare(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    settle(&connection)?;
    // A commit is answered only when the disk says it has it. Beyond FULL, the end of a rollback
    // journal is made durable too: one that came back would undo what turned the log on.
    connection.pragma_update(None, "synchronous", "EXTRA")?;
    Ok(connection)
}

/// A connection that reads beside the writer.
pub(super) fn connect_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).and_then(|connection| {
        settle(&connection)?;
        Ok(connection)
    });
    connection.map_err(|error| from_sqlite(path, &error))
}

/// Looks at a database that is to be read only: whether it is ours and of this version, and how
/// many rows it has.
pub(super) fn look(path: &Path) -> Result<Counts, StoreError> {
    let io = |detail: &str| StoreError::Io {
        path: path.to_path_buf(),
        detail: detail.to_owned(),
    };
    if !files::inspect(path)? {
        return Err(io("there is no database yet: start the node once"));
    }
    let failed = |error| from_sqlite(path, &error);
    let connection = connect_reader(path)?;
    let found = schema::version(&connection).map_err(failed)?;
    let known = i64::from(VERSION);
    if found > known {
        let path = path.to_path_buf();
        return Err(StoreError::NewerSchema { path, found, known });
    }
    if found < known {
        return Err(io(
            "an older version of this program wrote it: start the node once",
        ));
    }
    if !schema::matches(&connection, VERSION).map_err(failed)? {
        return Err(StoreError::Corrupt {
            path: path.to_path_buf(),
            detail: "its tables are not those of its schema version".to_owned(),
        });
    }
    Counts::load(&connection).map_err(failed)
}

/// What every connection is told: trust nothing in the file.
fn settle(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

/// Bounds the file.
fn limit(connection: &Connection, bytes: u64) -> Result<(), rusqlite::Error> {
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
    connection.query_row(
        &format!("PRAGMA max_page_count = {}", pages.clamp(1, 0xFFFF_FFFE)),
        [],
        |_| Ok(()),
    )
}

/// Moves the whole log into the database.
pub(super) fn checkpoint(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Where the database of `dir` is.
pub(super) fn file(dir: &Path) -> PathBuf {
    dir.join(FILE)
}
