use std::path::PathBuf;

/// Why the store did not do what it was asked. Nothing of a failed batch is visible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The queue to the writer is full. Nothing was written.
    #[error(
        "the store is busy: {queued} rows wait and at most {limit} may; write less at a time or \
         try again after the next acknowledgement"
    )]
    Busy {
        /// Rows that wait.
        queued: usize,
        /// Rows that may wait.
        limit: usize,
    },
    /// The store was closed. Nothing was written.
    #[error("the store is closed; open it again")]
    Closed,
    /// A row, batch or number is larger than its limit. Nothing of the batch was written.
    #[error("{what} is {value}, more than the limit of {limit}; send less")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size, in the unit of `what`.
        value: u64,
        /// The limit, in the same unit.
        limit: u64,
    },
    /// Another event has this number. Nothing of the batch was written.
    #[error(
        "event number {number} is already taken by another event; number events from the highest \
         that was loaded, plus one"
    )]
    NumberTaken {
        /// The number.
        number: u64,
    },
    /// The table holds as many rows as it may. Nothing of the batch was written.
    #[error("the table {table} holds its limit of {limit} rows; {remedy}")]
    TableFull {
        /// The table.
        table: &'static str,
        /// Rows that it may hold.
        limit: u64,
        /// What makes room.
        remedy: &'static str,
    },
    /// The caller broke a rule of the interface. Nothing was written.
    #[error("the store was misused: {0}")]
    Misuse(&'static str),
    /// No space for the write. Nothing of the batch was written; reading goes on, and writing
    /// works again as soon as there is space, without a restart.
    #[error(
        "no space left to write {}: {detail}; free some space, nothing that was acknowledged is lost",
        path.display()
    )]
    StorageFull {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The database file is corrupt. What it holds is not served.
    #[error(
        "the database {} is corrupt: {detail}; restore a backup, or let it be set aside and \
         started afresh",
        path.display()
    )]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// One row failed its check and was set aside; asking again answers as if it had never been.
    #[error("the row {key:?} of {table} failed its check and was set aside")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The key of the row.
        key: String,
    },
    /// A newer version of this software wrote the file. Nothing was changed.
    #[error(
        "the database {} has schema version {found}, and this program knows versions up to \
         {known}; use a newer program",
        path.display()
    )]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// The version of the file.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// The file belongs to another program. Nothing was changed.
    #[error(
        "the file {} is not a database of this program: {detail}; choose another data directory \
         or move the file away",
        path.display()
    )]
    ForeignFile {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// Another process uses the data directory. Nothing was changed.
    #[error(
        "the data directory {} is in use by another process{}; stop that one, or choose another \
         data directory",
        path.display(),
        holder.map(|pid| format!(" (number {pid})")).unwrap_or_default()
    )]
    Locked {
        /// The data directory.
        path: PathBuf,
        /// The process that said it holds the directory.
        holder: Option<u32>,
    },
    /// The system refused a read or a write. Whether the batch was written is unknown until the
    /// store is opened again.
    #[error("could not use {}: {detail}; check that the directory is there and writable", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
}

impl StoreError {
    pub(crate) const fn events_full(limit: u64) -> Self {
        Self::TableFull {
            table: "trust_events",
            limit,
            remedy: "fold older events with a checkpoint",
        }
    }

    pub(crate) const fn hearsay_full(limit: u64) -> Self {
        Self::TableFull {
            table: "hearsay",
            limit,
            remedy: "fold older rows with a checkpoint, or forget a source",
        }
    }

    pub(crate) const fn states_full(limit: u64) -> Self {
        Self::TableFull {
            table: "network_state",
            limit,
            remedy: "forget a name that is no longer used",
        }
    }
}
