//! The files of a data directory: making them, locking it, knowing them, setting them aside.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{ErrorKind, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use super::{failure::from_io, schema::APPLICATION_ID};
use crate::StoreError;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Where SQLite keeps the application id.
const APPLICATION_ID_AT: usize = 68;
/// Fewer wrong bits than this in what marks a file as ours are damage, more another program.
const DAMAGE_BITS_MAX: u32 = 8;

/// Makes the data directory, for its owner alone.
pub(super) fn make_dir(dir: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| from_io(dir, &error))
}

/// Opens a file for its owner alone, making it where it is missing.
pub(super) fn private_file(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| from_io(path, &error))
}

/// Takes the data directory for this process, until the file is dropped.
pub(super) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("store.lock");
    let mut file = private_file(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Ten digits at most; whoever wrote more is not believed.
            let read = file.take(16).read_to_string(&mut text);
            let holder = read.ok().and_then(|_| text.trim().parse().ok());
            return Err(StoreError::Locked {
                path: dir.to_path_buf(),
                holder,
            });
        }
        Err(TryLockError::Error(error)) => return Err(from_io(&path, &error)),
    }
    // Only for the error that another process shows: a full disk must not keep us out.
    let _ = file.set_len(0);
    let _ = file.rewind();
    let _ = write!(file, "{}", std::process::id());
    Ok(file)
}

/// Looks at the head of the database before SQLite may touch it. `false` if there is none.
pub(super) fn inspect(path: &Path) -> Result<bool, StoreError> {
    let foreign = |detail: &str| StoreError::ForeignFile {
        path: path.to_path_buf(),
        detail: detail.into(),
    };
    let corrupt = |detail: &str| StoreError::Corrupt {
        path: path.to_path_buf(),
        detail: detail.into(),
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(from_io(path, &error)),
        Ok(metadata) if !metadata.is_file() => return Err(foreign("it is not a plain file")),
        Ok(_) => {}
    }
    let mut head = Vec::with_capacity(100);
    let file = File::open(path).map_err(|error| from_io(path, &error))?;
    file.take(100)
        .read_to_end(&mut head)
        .map_err(|error| from_io(path, &error))?;
    if head.iter().all(|byte| *byte == 0) {
        return Err(corrupt("its header is empty"));
    }
    let magic_wrong = wrong_bits(&head, MAGIC);
    if magic_wrong > DAMAGE_BITS_MAX {
        return Err(foreign("it is not a SQLite database"));
    }
    if head.len() < 100 {
        return Err(corrupt("its header is cut off"));
    }
    let id = head.get(APPLICATION_ID_AT..).unwrap_or_default();
    if wrong_bits(id, &APPLICATION_ID.to_be_bytes()) > DAMAGE_BITS_MAX {
        return Err(foreign("its application id is another program's"));
    }
    if magic_wrong > 0 || wrong_bits(id, &APPLICATION_ID.to_be_bytes()) > 0 {
        return Err(corrupt("its header is damaged"));
    }
    Ok(true)
}

/// How many bits of `found` differ from `known`, over what both have.
fn wrong_bits(found: &[u8], known: &[u8]) -> u32 {
    found
        .iter()
        .zip(known)
        .map(|(found, known)| (found ^ known).count_ones())
        .sum()
}

/// The file beside `path` whose name ends with `suffix` as well.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes a file; nothing if there is none.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(from_io(path, &error)),
        _ => Ok(()),
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        let synced = File::open(dir).and_then(|dir| dir.sync_all());
        synced.map_err(|error| from_io(dir, &error))?;
    }
    Ok(())
}

/// Renames the database and its log to the first free `<name>.corrupt-<n>`.
pub(super) fn set_aside(dir: &Path, path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let free = (1u32..)
        .map(|n| beside(path, &format!(".corrupt-{n}")))
        .find(|to| !to.exists());
    let Some(to) = free else {
        return Ok(Vec::new());
    };
    let mut moved = Vec::new();
    // The log first: a database without its log must never be taken for a whole one.
    for suffix in ["-wal", "-journal", ""] {
        let (from, to) = (beside(path, suffix), beside(&to, suffix));
        match fs::rename(&from, &to) {
            Ok(()) => moved.push(to),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(from_io(&from, &error)),
        }
    }
    remove(&beside(path, "-shm"))?;
    sync_dir(dir)?;
    Ok(moved)
}
