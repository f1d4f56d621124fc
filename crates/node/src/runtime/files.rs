//! Files, for the application: shared, fetched, verified.
//!
//! [`Library`] has the store and all transfers, each of which is a task ([`conduct`]). The task that
//! owns the core has a [`Carrier`], which starts and ends streams as the engine says
//! ([`fetching`], [`serving`]) and never waits. Disk and hashes are work for other threads
//! ([`workers`]); what comes is written to a [`sink`], which makes it durable by and by.

mod carrier;
mod cell;
mod cells;
mod checking;
mod conduct;
mod error;
mod fetching;
mod kept;
mod library;
mod order;
mod place;
mod reins;
mod serving;
mod sharing;
mod sink;
mod tap;
mod transfer;
mod transfers;
mod view;
mod workers;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use repute_blobs::Garbage;
use repute_protocol::BlobHash;

use super::Node;

pub(super) use carrier::Carrier;
pub use error::FilesError;
pub(super) use library::{Library, Opened, Shelf, Word};
pub use order::{Amount, FetchOrder, ShareOptions, TransferId, Wanted};
pub use transfer::Transfer;
pub use view::{
    Checked, FilesStatus, Shared, SharedKind, TransferEvent, TransferOutcome, TransferProgress,
    TransferState, TransferView, VerifyReport,
};

/// Where and how much a node keeps of files. Whether it does at all says
/// [`Config::blobs`](crate::Config).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilesConfig {
    /// The folder; `blobs` in the data directory if none, and then only with the store that lies
    /// there too.
    pub folder: Option<PathBuf>,
    /// Bytes of blobs, their trees, and what is still to come of those being fetched.
    pub quota_bytes: Option<u64>,
}

impl Node {
    fn library(&self) -> Result<&Arc<Library>, FilesError> {
        self.shared.library.as_ref().ok_or(FilesError::Off)
    }

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
        let library = self.library()?;
        library.share(path.to_path_buf(), how, progress).await
    }

    /// Shares something no longer, durably. What nothing else keeps is garbage then. False if it
    /// was not shared.
    ///
    /// # Errors
    /// [`FilesError`] when that cannot be kept, or the node has stopped.
    pub async fn unshare(&self, hash: BlobHash) -> Result<bool, FilesError> {
        self.library()?.unshare(hash).await
    }

    /// What this node shares, the oldest first.
    ///
    /// # Errors
    /// [`FilesError`] when the node keeps no files or has stopped.
    pub async fn shared(&self) -> Result<Vec<Shared>, FilesError> {
        self.library()?.shared().await
    }

    /// Begins to fetch, or joins the transfer of the same that is there, which is resumed if it
    /// was paused. It goes on until it has ended or is paused or cancelled, over restarts too, and
    /// whether or not anybody listens. A dry run ends with its plan and is not kept.
    ///
    /// # Errors
    /// [`FilesError`] when there are too many, the output is not free, or the node has stopped.
    pub async fn fetch(&self, order: FetchOrder) -> Result<Transfer, FilesError> {
        self.library()?.begin(order).await
    }

    /// Listens to a transfer that is there.
    ///
    /// # Errors
    /// [`FilesError::Unknown`], or the node has stopped.
    pub async fn transfer(&self, id: TransferId) -> Result<Transfer, FilesError> {
        let library = self.library()?;
        library.ready().await?;
        Ok(library.cells().cell(id)?.listen())
    }

    /// All transfers under way or paused, and the last that ended, the oldest first.
    ///
    /// # Errors
    /// [`FilesError`] when the node keeps no files or has stopped.
    pub async fn transfers(&self) -> Result<Vec<TransferView>, FilesError> {
        let library = self.library()?;
        library.ready().await?;
        Ok(library.cells().views())
    }

    /// Stops a transfer until it is resumed. What has come is durable then.
    ///
    /// # Errors
    /// [`FilesError::Unknown`], or the node has stopped.
    pub async fn pause(&self, id: TransferId) -> Result<(), FilesError> {
        self.library()?.pause(id).await
    }

    /// Goes on with a transfer.
    ///
    /// # Errors
    /// [`FilesError::Unknown`], or the node has stopped.
    pub async fn resume(&self, id: TransferId) -> Result<(), FilesError> {
        self.library()?.resume(id).await
    }

    /// Forgets a transfer and what came of it.
    ///
    /// # Errors
    /// [`FilesError::Unknown`], or the node has stopped.
    pub async fn cancel(&self, id: TransferId) -> Result<(), FilesError> {
        self.library()?.cancel(id).await
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
        self.library()?.verify(what, progress).await
    }

    /// Removes what is neither shared nor being fetched.
    ///
    /// # Errors
    /// [`FilesError`] when the system refuses, or the node has stopped.
    pub async fn collect_garbage(&self) -> Result<Garbage, FilesError> {
        self.library()?.collect().await
    }

    /// How the store of files is.
    ///
    /// # Errors
    /// [`FilesError`] when the node keeps no files or has stopped.
    pub async fn files_status(&self) -> Result<FilesStatus, FilesError> {
        let library = self.library()?;
        let used_bytes = library.store()?.used_bytes();
        let engine = self.inspect(|view| view.core.blobs().map(repute_blobs::Blobs::stats));
        Ok(FilesStatus {
            used_bytes,
            quota_bytes: library.quota_bytes,
            engine: engine.await?.unwrap_or_default(),
        })
    }
}
