//! Files elsewhere: where they are, and whether they are what they were.

use std::{
    fs::{self, File, Metadata},
    io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
    vec::Vec,
};

use repute_protocol::BlobHash;

use super::limits::PATH_MAX;

/// What is known of a file by reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) hash: BlobHash,
    pub(super) size: u64,
    /// Nanoseconds from 1970 to its last change.
    changed: i128,
    pub(super) path: PathBuf,
}

impl Reference {
    /// Of a file as it is now. None if its path cannot be kept.
    pub(super) fn new(hash: BlobHash, metadata: &Metadata, path: &Path) -> Option<Self> {
        let reference = Self {
            hash,
            size: metadata.len(),
            changed: changed(metadata),
            path: path.to_path_buf(),
        };
        (path_bytes(path)?.len() <= PATH_MAX).then_some(reference)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.hash.as_bytes().to_vec();
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(&self.changed.to_le_bytes());
        bytes.extend_from_slice(&path_bytes(&self.path).unwrap_or_default());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (hash, rest) = bytes.split_first_chunk::<32>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (changed, path) = rest.split_first_chunk::<16>()?;
        Some(Self {
            hash: BlobHash::from_bytes(*hash),
            size: u64::from_le_bytes(*size),
            changed: i128::from_le_bytes(*changed),
            path: path_from(path)?,
        })
    }

    /// Opens the file if it looks as it did. What is read of it is proven all the same.
    pub(super) fn open(&self) -> io::Result<Option<File>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(self.is_of(&file.metadata()?).then_some(file))
    }

    pub(super) fn is_of(&self, metadata: &Metadata) -> bool {
        metadata.is_file() && metadata.len() == self.size && changed(metadata) == self.changed
    }

    /// Whether the path leads to such a file.
    pub(super) fn holds(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| self.is_of(&metadata))
    }
}

fn changed(metadata: &Metadata) -> i128 {
    let time = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

#[cfg(unix)]
fn path_bytes(path: &Path) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    Some(path.as_os_str().as_bytes().to_vec())
}

#[cfg(unix)]
fn path_from(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(std::ffi::OsStr::from_bytes(bytes).into())
}

#[cfg(not(unix))]
fn path_bytes(path: &Path) -> Option<Vec<u8>> {
    Some(path.to_str()?.as_bytes().to_vec())
}

#[cfg(not(unix))]
fn path_from(bytes: &[u8]) -> Option<PathBuf> {
    Some(core::str::from_utf8(bytes).ok()?.into())
}
