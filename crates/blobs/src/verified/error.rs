use std::io;

/// Why a stream, or what was read, is not the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The hashes above these groups are not those of the blob, or its size is another.
    #[error("the hashes above groups {start} to {} are not those of the blob", end - 1)]
    Parent {
        /// The first group below.
        start: u64,
        /// The first one that is not below any more.
        end: u64,
    },
    /// The bytes of this group are not those of the blob.
    #[error("group {group} is not that of the blob")]
    Group {
        /// Which.
        group: u64,
    },
    /// The stream ended early.
    #[error("the stream ends before all of group {group} has come")]
    Truncated {
        /// The first group that is missing.
        group: u64,
    },
    /// Everything that was asked for has come, and the stream goes on.
    #[error("the stream goes on behind group {group}, the last one asked for")]
    Trailing {
        /// The last group that was asked for.
        group: u64,
    },
    /// The caller asks for what the blob does not have.
    #[error("group {group} of a blob that has {groups}")]
    Beyond {
        /// The highest group asked for.
        group: u64,
        /// How many there are.
        groups: u64,
    },
    /// No blob is that large.
    #[error(
        "a blob of {size} bytes, where the largest has {}",
        super::BLOB_BYTES_MAX
    )]
    TooLarge {
        /// The size claimed.
        size: u64,
    },
}

impl VerifyError {
    /// The first group that it is about.
    pub const fn group(&self) -> Option<u64> {
        match self {
            Self::Parent { start, .. } => Some(*start),
            Self::Group { group }
            | Self::Truncated { group }
            | Self::Trailing { group }
            | Self::Beyond { group, .. } => Some(*group),
            Self::TooLarge { .. } => None,
        }
    }
}

/// Why a stream could not be made. What was given out before is right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// What lies there is not the blob any more. Nothing of it was given out.
    #[error(transparent)]
    Changed(#[from] VerifyError),
    /// It could not be read.
    #[error("reading group {group}: {source}")]
    Read {
        /// At which group.
        group: u64,
        /// What the system says.
        source: io::Error,
    },
}
