use hyper::{Method, body::Bytes};

use crate::{
    AddRequest, AppealRequest, AppealSent, AppealsView, BlacklistView, Changed, Client,
    ClientError, Done, EditRequest, RefusalsView,
    client::{Result, segment},
};

impl Client {
    /// The blacklist: the entries that mention `search`, or all.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn blacklist(&self, search: Option<&str>) -> Result<BlacklistView> {
        let search = search.unwrap_or_default();
        self.get(&format!("/v1/blacklist?search={}", segment(search)))
            .await
    }

    /// Adds entries, each in place of the one of its target; in several requests if there are
    /// many.
    ///
    /// # Errors
    /// [`ClientError`]; what was added before it stays.
    pub async fn blacklist_add(&self, request: AddRequest) -> Result<Changed> {
        let mut entries = request.entries.into_iter();
        let mut changed = 0;
        loop {
            let part: Vec<_> = entries.by_ref().take(AddRequest::ENTRIES_MAX).collect();
            if part.is_empty() {
                return Ok(Changed { changed });
            }
            let part = AddRequest { entries: part };
            let done: Changed = self.post("/v1/blacklist", &part).await?;
            changed += done.changed;
        }
    }

    /// Changes why or until when an entry is there.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn blacklist_edit(&self, request: &EditRequest) -> Result<Changed> {
        let body =
            serde_json::to_vec(request).map_err(|error| ClientError::Answer(error.to_string()))?;
        self.call(Method::PATCH, "/v1/blacklist", body.into()).await
    }

    /// Removes the entry of a target.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn blacklist_remove(&self, target: &str) -> Result<Changed> {
        let path = format!("/v1/blacklist?target={}", segment(target));
        self.call(Method::DELETE, &path, Bytes::new()).await
    }

    /// Removes every entry.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn blacklist_clear(&self) -> Result<Changed> {
        self.post("/v1/blacklist/clear", &()).await
    }

    /// What the operators of banned peers had to say.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn appeals(&self) -> Result<AppealsView> {
        self.get("/v1/appeals").await
    }

    /// Forgets what a banned peer had to say.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn dismiss_appeal(&self, id: &str) -> Result<Done> {
        let path = format!("/v1/appeals/{}", segment(id));
        self.call(Method::DELETE, &path, Bytes::new()).await
    }

    /// Asks a peer that turns the node away to think again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn appeal(&self, request: &AppealRequest) -> Result<AppealSent> {
        self.post("/v1/appeals", request).await
    }

    /// Who turns the node away, why, and until when.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn refusals(&self) -> Result<RefusalsView> {
        self.get("/v1/refusals").await
    }
}
