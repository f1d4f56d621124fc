//! What SQLite says, in the words of the store.

use std::{io, path::Path};

use rusqlite::{Error, ErrorCode, ffi};

use crate::StoreError;

/// SQLite's verdict on the database at `path`.
pub(super) fn from_sqlite(path: &Path, error: &Error) -> StoreError {
    let (path, detail) = (path.to_path_buf(), error.to_string());
    let Error::SqliteFailure(cause, _) = error else {
        // Our statements are fixed, so a value of another type or shape is the file's doing.
        return StoreError::Corrupt { path, detail };
    };
    match cause.extended_code {
        ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_DATA | ffi::SQLITE_IOERR_CORRUPTFS => {
            return StoreError::Corrupt { path, detail };
        }
        // The index of the write-ahead log could not grow.
        ffi::SQLITE_IOERR_SHMSIZE => return StoreError::StorageFull { path, detail },
        _ => {}
    }
    match cause.code {
        ErrorCode::DiskFull => StoreError::StorageFull { path, detail },
        // Fixed statements over a known schema fail like this only when the file lies.
        ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::ConstraintViolation
        | ErrorCode::TypeMismatch
        | ErrorCode::TooBig
        | ErrorCode::Unknown => StoreError::Corrupt { path, detail },
        _ => StoreError::Io { path, detail },
    }
}

/// The system's verdict on the file or directory at `path`.
pub(super) fn from_io(path: &Path, error: &io::Error) -> StoreError {
    let (path, detail) = (path.to_path_buf(), error.to_string());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::StorageFull { path, detail }
        }
        _ => StoreError::Io { path, detail },
    }
}
