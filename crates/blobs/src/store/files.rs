//! Where the files of a blob lie, and the open ones.

use std::{
    boxed::Box,
    format, io,
    path::{Path, PathBuf},
    string::ToString,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use repute_protocol::BlobHash;

use super::{StoreError, disk::DiskFile};
use crate::ReadAt;

/// The folder of the blobs' files.
pub(super) const BLOBS: &str = "blobs";
/// The folder of what is not finished; emptied when the store is opened.
pub(super) const DRAFTS: &str = "drafts";

/// A file of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// All its bytes.
    Data,
    /// Its parents.
    Tree,
    /// Where its bytes are.
    Reference,
    /// Such bytes as have come.
    Part,
    /// Which groups of them are durable.
    Have,
}

impl Role {
    pub(super) const ALL: [Self; 5] = [
        Self::Data,
        Self::Tree,
        Self::Reference,
        Self::Part,
        Self::Have,
    ];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Tree => "tree",
            Self::Reference => "ref",
            Self::Part => "part",
            Self::Have => "have",
        }
    }

    pub(super) fn path(self, root: &Path, hash: &BlobHash) -> PathBuf {
        root.join(BLOBS).join(format!("{hash}.{}", self.suffix()))
    }

    /// Whose file this name is, and which. Only names as they are written here count.
    pub(super) fn parse(name: &str) -> Option<(BlobHash, Self)> {
        let (hash, suffix) = name.split_once('.')?;
        let role = Self::ALL.into_iter().find(|role| role.suffix() == suffix)?;
        let parsed: BlobHash = hash.parse().ok()?;
        (parsed.to_string() == hash).then_some((parsed, role))
    }
}

/// The open files of a blob.
pub(super) struct Files {
    pub(super) data: Box<dyn DiskFile>,
    /// None for a blob of one group.
    pub(super) tree: Option<Box<dyn DiskFile>>,
    /// Where the bytes are, if elsewhere.
    pub(super) reference: Option<PathBuf>,
    /// Given back when the last reader is done.
    pub(super) _permit: Permit,
}

/// One of the places for open blobs.
pub(super) struct Permit(Arc<AtomicUsize>);

impl Permit {
    pub(super) fn take(open: &Arc<AtomicUsize>, max: usize) -> Result<Self, StoreError> {
        open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            (count < max).then_some(count + 1)
        })
        .map(|_| Self(Arc::clone(open)))
        .map_err(|_| StoreError::TooMany {
            what: "open blobs",
            max,
            remedy: "finish with one of them first",
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The bytes of the blob.
#[derive(Clone)]
pub(super) struct DataOf(pub(super) Arc<Files>);

impl ReadAt for DataOf {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.data.read_at(offset, out)
    }
}

/// Its tree file.
#[derive(Clone)]
pub(super) struct TreeOf(pub(super) Arc<Files>);

impl ReadAt for TreeOf {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match &self.0.tree {
            Some(tree) => tree.read_at(offset, out),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
