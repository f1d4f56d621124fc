//! The file on disk: private from its first byte, there completely or not at all.

use alloc::vec::Vec;
use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::{KeystoreError, format::FILE_LEN_MAX, random};

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeystoreError {
    let path = path.to_path_buf();
    move |source| KeystoreError::Io {
        action,
        path,
        source,
    }
}

/// Writes a temporary file beside `path` and links it there; a link never replaces anything.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    let directory = directory_of(path);
    let temporary = temporary_name(path, directory)?;
    let made = write_new(&temporary, bytes).and_then(|()| {
        fs::hard_link(&temporary, path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => KeystoreError::Exists { path: path.into() },
            _ => io_error("create", path)(error),
        })
    });
    let removed = fs::remove_file(&temporary);
    made?;
    removed.map_err(io_error("remove", &temporary))?;
    sync_directory(directory)
}

/// Writes a temporary file beside `path` and puts it in its place: the old one or the new one is
/// there at any moment, whole.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    let directory = directory_of(path);
    let temporary = temporary_name(path, directory)?;
    let made = write_new(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path).map_err(io_error("replace", path)));
    if made.is_err() {
        // What was not put in place is of no use to anybody.
        let _removed = fs::remove_file(&temporary);
    }
    made?;
    sync_directory(directory)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn temporary_name(path: &Path, directory: &Path) -> Result<PathBuf, KeystoreError> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name.push(HEXLOWER.encode(random::<8>()?.as_ref()));
    name.push(".new");
    Ok(directory.join(name))
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(io_error("create", path))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(io_error("write", path))
}

fn sync_directory(directory: &Path) -> Result<(), KeystoreError> {
    // Elsewhere a directory cannot be opened as a file, and renames are durable by themselves.
    if cfg!(unix) {
        let opened = File::open(directory).map_err(io_error("open", directory))?;
        opened.sync_all().map_err(io_error("sync", directory))?;
    }
    Ok(())
}

/// Reads a private file whole; everything is checked on the open file, not on its name.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let file = open(path)?;
    let metadata = file.metadata().map_err(io_error("examine", path))?;
    if !metadata.is_file() {
        return Err(KeystoreError::NotRegular { path: path.into() });
    }
    check_private(path, &metadata)?;
    let max = FILE_LEN_MAX as u64;
    if metadata.len() > max {
        return Err(KeystoreError::TooLarge {
            path: path.into(),
            len: metadata.len(),
            max,
        });
    }
    // Room for all, so that no copy is left behind by growth.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * FILE_LEN_MAX));
    file.take(max)
        .read_to_end(&mut bytes)
        .map_err(io_error("read", path))?;
    Ok(bytes)
}

fn open(path: &Path) -> Result<File, KeystoreError> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        // Not through a link, and not waiting for the other end of a pipe.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.cast_signed());
    }
    options.open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => KeystoreError::Missing { path: path.into() },
        _ if path
            .symlink_metadata()
            .is_ok_and(|found| found.is_symlink()) =>
        {
            KeystoreError::NotRegular { path: path.into() }
        }
        _ => io_error("open", path)(error),
    })
}

#[cfg(unix)]
fn check_private(path: &Path, metadata: &Metadata) -> Result<(), KeystoreError> {
    use std::os::unix::fs::MetadataExt;
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != user {
        return Err(KeystoreError::WrongOwner {
            path: path.into(),
            owner,
            user,
        });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & !0o600 != 0 {
        return Err(KeystoreError::LooseMode {
            path: path.into(),
            mode,
        });
    }
    Ok(())
}

/// Other systems have no mode bits: the directory's own access rules protect the file.
#[cfg(not(unix))]
fn check_private(_: &Path, _: &Metadata) -> Result<(), KeystoreError> {
    Ok(())
}
