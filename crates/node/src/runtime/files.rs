//! Files, for the application: shared, fetched, verified.

mod error;
mod order;
mod transfer;
mod view;

use std::path::Path;

use repute_blobs::Garbage;
use repute_protocol::BlobHash;

use super::Node;

pub use error::FilesError;
pub use order::{Amount, FetchOrder, ShareOptions, TransferId, Wanted};
pub use transfer::Transfer;
pub use view::{
    Checked, FilesStatus, Shared, SharedKind, TransferEvent, TransferOutcome, TransferProgress,
    TransferState, TransferView, VerifyReport,
};

impl Node {
    /// Shares a file or folder: done once it is durable. The same again is no error.
    ///
    /// # Errors
    /// [`FilesError`] when it cannot be read or kept, or the node has stopped.
    pub async fn share(&self, path: &Path, how: ShareOptions) -> Result<Shared, FilesError> {
        self.share_with(path, how, |_| {}).await
    }

    /// As [`Node::share`]; `progress` is told how much was read, from another thread.
    ///
    /// # Errors
    /// As [`Node::share`].
    pub async fn share_with(
        &self,
        path: &Path,
        how: ShareOptions,
        progress: impl FnMut(Amount) + Send + 'static,
    ) -> Result<Shared, FilesError> {
        let _ = (path, how, progress);
        Err(FilesError::Off)
    }

    /// Shares something no longer, durably. What nothing else keeps is garbage then. False if it
    /// was not shared.
    ///
    /// # Errors
    /// [`FilesError`] when that cannot be kept, or the node has stopped.
    pub async fn unshare(&self, hash: BlobHash) -> Result<bool, FilesError> {
        let _ = hash;
        Err(FilesError::Off)
    }

    /// What this node shares, the oldest first.
    ///
    /// # Errors
    /// [`FilesError`] when the node keeps no files or has stopped.
    pub async fn shared(&self) -> Result<Vec<Shared>, FilesError> {
        Err(FilesError::Off)
    }

    /// Begins to fetch, or joins the transfer of the same that is there, which is resumed if it
    /// was paused. It goes on until it has ended or is paused or cancelled, over restarts too, and
    /// whether or not anybody listens. A dry run ends with its plan and is not kept.
    ///
    /// # Errors
    /// [`FilesError`] when there are too many, the output is not free, or the node has stopped.
    pub async fn fetch(&self, order: FetchOrder) -> Result<Transfer, FilesError> {
        let _ = order;
        Err(FilesError::Off)
    }

    /// Listens to a transfer that is there.
    ///
    /// # Errors
    /// [`FilesError::Unknown`], or the node has stopped.
    pub async fn transfer(&self, id: TransferId) -> Result<Transfer, FilesError> {
        let _ = id;
        Err(FilesError::Off)
    }

    /// All transfers under way or paused, and the last that ended, the oldest first.
    ///
    /// # Errors
    /// [`FilesError`] when the node keeps no files or has stopped.
    pub async fn transfers(&self) -> Result<Vec<TransferView>, FilesError> {
        Err(FilesError::Off)
    }

    /// Stops a transfer until it is resumed. What has come is durable then.
    ///
    /// # Errors
    /// [`FilesError::Unknown`], or the node has stopped.
    pub async fn pause(&self, id: TransferId) -> Result<(), FilesError> {
        let _ = id;
        Err(FilesError::Off)
    }

    /// Goes on with a transfer.
    ///
    /// # Errors
    /// [`FilesError::Unknown`], or the node has stopped.
    pub async fn resume(&self, id: TransferId) -> Result<(), FilesError> {
        let _ = id;
        Err(FilesError::Off)
    }

    /// Forgets a transfer and what came of it.
    ///
    /// # Errors
    /// [`FilesError::Unknown`], or the node has stopped.
    pub async fn cancel(&self, id: TransferId) -> Result<(), FilesError> {
        let _ = id;
        Err(FilesError::Off)
    }

    /// Reads one blob, or all, and says what is not as it should be. What is damaged of the
    /// store's own is forgotten, so that fetching it again brings just that. `progress` is told
    /// how much was read, from another thread.
    ///
    /// # Errors
    /// [`FilesError`] when the blob is not here, or the node has stopped.
    pub async fn verify(
        &self,
        what: Option<BlobHash>,
        progress: impl FnMut(Amount) + Send + 'static,
    ) -> Result<VerifyReport, FilesError> {
        let _ = (what, progress);
        Err(FilesError::Off)
    }

    /// Removes what is neither shared nor being fetched.
    ///
    /// # Errors
    /// [`FilesError`] when the system refuses, or the node has stopped.
    pub async fn collect_garbage(&self) -> Result<Garbage, FilesError> {
        Err(FilesError::Off)
    }

    /// How the store of files is.
    ///
    /// # Errors
    /// [`FilesError`] when the node keeps no files or has stopped.
    pub async fn files_status(&self) -> Result<FilesStatus, FilesError> {
        Err(FilesError::Off)
    }
}
