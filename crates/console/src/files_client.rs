use hyper::{Method, body::Bytes};

use crate::{
    Client, Done, FetchRequest, Lines, ShareEvent, ShareRequest, SharesView, TransferEvent,
    TransfersView, VerifyEvent, VerifyRequest,
    client::{Result, segment},
};

impl Client {
    /// Shares a file or folder. Dropping the lines before the end stops it.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError), as every call.
    pub async fn share(&self, request: &ShareRequest) -> Result<Lines<ShareEvent>> {
        self.post_lines("/v1/shares", request).await
    }

    /// What is shared.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn shares(&self) -> Result<SharesView> {
        self.get("/v1/shares").await
    }

    /// Shares this no longer.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn unshare(&self, hash: &str) -> Result<Done> {
        let path = format!("/v1/shares/{}", segment(hash));
        self.call(Method::DELETE, &path, Bytes::new()).await
    }

    /// Holds what is shared against its hashes.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn verify(&self, request: &VerifyRequest) -> Result<Lines<VerifyEvent>> {
        self.post_lines("/v1/shares/verify", request).await
    }

    /// Fetches a file or folder, or goes on with it. It goes on without whoever reads the lines.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn fetch(&self, request: &FetchRequest) -> Result<Lines<TransferEvent>> {
        self.post_lines("/v1/transfers", request).await
    }

    /// What happens to a transfer from now on.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn watch_transfer(&self, id: u64) -> Result<Lines<TransferEvent>> {
        self.lines(&format!("/v1/transfers/{id}/events")).await
    }

    /// What is being fetched.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn transfers(&self) -> Result<TransfersView> {
        self.get("/v1/transfers").await
    }

    /// Stops a transfer until it is resumed, over restarts too.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn pause_transfer(&self, id: u64) -> Result<Done> {
        self.post(&format!("/v1/transfers/{id}/pause"), &()).await
    }

    /// Goes on with a transfer.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn resume_transfer(&self, id: u64) -> Result<Done> {
        self.post(&format!("/v1/transfers/{id}/resume"), &()).await
    }

    /// Gives a transfer up.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn cancel_transfer(&self, id: u64) -> Result<Done> {
        let path = format!("/v1/transfers/{id}");
        self.call(Method::DELETE, &path, Bytes::new()).await
    }
}
