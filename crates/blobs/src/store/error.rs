use std::{io, path::PathBuf, string::String};

use repute_protocol::BlobHash;

use super::NameError;
use crate::{TooManyRanges, VerifyError};

/// Why the store did not do what it was asked. Unless said otherwise nothing has changed, and what
/// was durable stays so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the store.
    #[error("the blob store at {} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// The folder is no store of this version.
    #[error("{} is no blob store that this version reads", .0.display())]
    Foreign(PathBuf),
    /// The disk is full. Reading goes on, and writing does as soon as there is space.
    #[error("the disk is full: {0}; free some space, nothing that was durable is lost")]
    DiskFull(io::Error),
    /// The operator's bound.
    #[error(
        "{needed} bytes are needed and the quota leaves {left}; raise it, unpin something, or collect garbage"
    )]
    Quota {
        /// Bytes that the operation would take.
        needed: u64,
        /// Bytes left.
        left: u64,
    },
    /// As many blobs, tags or open blobs as there may be.
    #[error("there are {max} {what} already, the limit; {remedy}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        max: usize,
        /// What to do.
        remedy: &'static str,
    },
    /// The store does not have this blob, or not these groups of it.
    #[error("blob {0} is not here, or not all of what was asked for")]
    NotHere(BlobHash),
    /// A fetch was begun with another size. The size is proven with the last group: if it is,
    /// whoever says another one lies; if not, discard what there is to begin anew.
    #[error("blob {hash} is being fetched with {ours} bytes, not {theirs}")]
    SizeDiffers {
        /// The blob.
        hash: BlobHash,
        /// The size that the fetch was begun with.
        ours: u64,
        /// The one asked for.
        theirs: u64,
    },
    /// The blob is whole already.
    #[error("blob {0} is whole already")]
    Whole(BlobHash),
    /// Groups of another blob, or of another size, were handed in.
    #[error("these groups are not of blob {0}")]
    OtherBlob(BlobHash),
    /// Somebody works with the blob.
    #[error("blob {0} is in use; try again later")]
    InUse(BlobHash),
    /// Held groups lie too scattered; complete some first.
    #[error(transparent)]
    Scattered(#[from] TooManyRanges),
    /// The file that a blob refers to is not what it was. None of it was served.
    #[error("{} is not any more what was shared as {hash}; share it again", path.display())]
    SourceChanged {
        /// The blob.
        hash: BlobHash,
        /// The file.
        path: PathBuf,
    },
    /// A file of the store is not what it was. None of what is wrong was served.
    #[error("blob {hash} is damaged on disk: {error}; verify it to fetch again what is damaged")]
    Damaged {
        /// The blob.
        hash: BlobHash,
        /// Where.
        error: VerifyError,
    },
    /// What the caller asks for does not exist in any blob of this size.
    #[error(transparent)]
    Misuse(VerifyError),
    /// A name that no file may have.
    #[error("name {name:?} is refused: {reason}")]
    Name {
        /// The name, shortened.
        name: String,
        /// Why.
        reason: NameError,
    },
    /// The bytes are no collection.
    #[error("blob {hash} is no collection: {reason}")]
    NoCollection {
        /// The blob.
        hash: BlobHash,
        /// Why.
        reason: &'static str,
    },
    /// What the caller names cannot be shared or written.
    #[error("{}: {reason}", path.display())]
    Path {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// The caller changed its mind.
    #[error("cancelled")]
    Cancelled,
    /// What the system says.
    #[error("{what}: {source}")]
    Io {
        /// Doing what.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

impl StoreError {
    pub(super) fn io(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(source),
            _ => Self::Io { what, source },
        }
    }

    pub(super) fn path(path: impl Into<PathBuf>, reason: &'static str) -> Self {
        Self::Path {
            path: path.into(),
            reason,
        }
    }
}
