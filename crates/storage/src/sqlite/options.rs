use std::{fmt, path::PathBuf, sync::Arc};

use crate::Bounds;

/// What to do with a database that is corrupt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnCorrupt {
    /// Refuse to open it, with [`StoreError::Corrupt`](crate::StoreError::Corrupt).
    #[default]
    Refuse,
    /// Rename it to `store.sqlite3.corrupt-<n>` and start with an empty one; the node learns from
    /// its neighbours again.
    SetAside,
}

/// How to open a [`SqliteStore`](crate::SqliteStore).
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Options {
    /// What to do with a corrupt database.
    pub on_corrupt: OnCorrupt,
    /// Bytes that the database file may grow to, beside its write-ahead log; past it writes fail
    /// with [`StoreError::StorageFull`](crate::StoreError::StorageFull). `None` is no limit but
    /// the disk's.
    pub file_bytes_max: Option<u64>,
    /// Pages of 4 KiB that the write-ahead log grows to before it is moved into the database;
    /// `None` is 4,096 of them, 16 MiB. A small disk wants fewer.
    pub log_pages: Option<u32>,
    /// How many rows each table may hold.
    pub bounds: Bounds,
    /// Called at every [`Point`] passed: for tests that kill the process exactly there.
    pub hook: Option<Hook>,
}

/// What is called at a [`Point`].
pub type Hook = Arc<dyn Fn(Point) + Send + Sync>;

impl Options {
    pub(super) fn pass(&self, point: Point) {
        if let Some(hook) = &self.hook {
            hook(point);
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("on_corrupt", &self.on_corrupt)
            .field("file_bytes_max", &self.file_bytes_max)
            .field("log_pages", &self.log_pages)
            .field("bounds", &self.bounds)
            .field("hook", &self.hook.is_some())
            .finish()
    }
}

/// A place where a process may be killed and nothing acknowledged may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Point {
    /// A migration to this schema version has run and is not yet committed.
    Migrating(u32),
    /// A write-ahead log of an earlier process was found and has not been read.
    RecoveryBegins,
    /// The log was read, and has not been moved into the database.
    RecoveryInside,
    /// The log was moved into the database.
    RecoveryEnds,
    /// A group of batches was executed and the commit has not begun.
    CommitBegins,
    /// The commit has begun: pages of the group are in the log, its commit mark is not.
    CommitInside,
    /// The group is durable, and none of it has been acknowledged.
    CommitEnds,
}

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenReport {
    /// Whether the database is new.
    pub created: bool,
    /// The schema version found, if it was older than the present one and was migrated.
    pub migrated_from: Option<u32>,
    /// Whether a write-ahead log of a process that was killed was taken in.
    pub recovered: bool,
    /// Where a corrupt database was put, with its log, under
    /// [`OnCorrupt::SetAside`].
    pub set_aside: Vec<PathBuf>,
    /// What was wrong with the database that was set aside.
    pub corruption: Option<String>,
}
