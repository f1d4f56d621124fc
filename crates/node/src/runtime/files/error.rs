use std::path::PathBuf;

use repute_blobs::{Refusal, StoreError};

use super::TransferId;
use crate::runtime::NodeError;

/// Why something with files was not done. Nothing has changed unless said otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// The node has shut down. What is unfinished goes on at the next start.
    #[error("the node has shut down")]
    Stopped,
    /// This node has no store of files.
    #[error("this node keeps no files: set `blobs.enabled = true` and start it again")]
    Off,
    /// As many transfers as fit are there.
    #[error("{max} transfers are there, the limit: cancel one, or wait until one has ended")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// There is no transfer of this name.
    #[error("there is no transfer {0}: it has ended, or was never begun")]
    Unknown(TransferId),
    /// The same is being fetched to another place.
    #[error("it is being fetched to {} already: wait for that, or cancel it", .0.display())]
    Elsewhere(PathBuf),
    /// A path cannot be written to.
    #[error("{}: {reason}", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// The engine refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store of files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It goes on, but a restart would forget it.
    #[error("begun, but the store could not keep it: {0}")]
    NotDurable(#[from] repute_storage::StoreError),
    /// The system refused a thread, or one panicked.
    #[error("work on files was lost: {0}; try again")]
    Lost(&'static str),
}

impl From<NodeError> for FilesError {
    fn from(_: NodeError) -> Self {
        // Asking the driver fails for no other reason.
        Self::Stopped
    }
}
