//! Whether what is kept is what it was, and what nothing keeps any more.

use std::sync::Arc;

use repute_blobs::{BlobState, Garbage, Input, Store, StoreError, StoredBlob};
use repute_protocol::{BlobHash, GROUP_BYTES, groups_of};

use super::{
    Amount, Checked, FilesError, VerifyReport, library::Library, sharing::files_of, workers::Kind,
};

/// Blobs looked up together.
const PAGE: usize = 256;

impl Library {
    /// Reads a blob with what it lists, or all, and says what is wrong.
    pub(super) async fn verify(
        self: &Arc<Self>,
        what: Option<BlobHash>,
        mut progress: impl FnMut(Amount) + Send + 'static,
    ) -> Result<VerifyReport, FilesError> {
        let store = self.store()?;
        let closing = self.closing();
        let read = move || {
            let all = match what {
                Some(hash) => listed(&store, hash)?,
                None => everything(&store),
            };
            let total = all
                .iter()
                .fold(0_u64, |sum, one| sum.saturating_add(one.size));
            let mut amount = Amount { done: 0, total };
            let mut report = VerifyReport::default();
            for one in all {
                if *closing.borrow() {
                    return Err(FilesError::Stopped);
                }
                let before = amount.done;
                let wrong = check(&store, &one, |bytes| {
                    amount.done = total.min(amount.done + bytes);
                    progress(amount);
                })?;
                amount.done = total.min(before + one.size);
                progress(amount);
                report.blobs += 1;
                report.bytes += one.size;
                report.wrong.extend(wrong);
            }
            Ok(report)
        };
        let report = self.workers().run(Kind::Long, read).await??;
        for one in &report.wrong {
            self.say(Input::Unshare { hash: one.hash }).await;
            let why = one.problem.as_deref().unwrap_or("it is damaged");
            self.shares.trouble(&one.hash, why);
        }
        Ok(report)
    }

    /// Removes what nothing keeps.
    pub(super) async fn collect(&self) -> Result<Garbage, FilesError> {
        let store = self.store()?;
        let removed = self
            .workers()
            .run(Kind::Long, move || store.collect_garbage());
        Ok(removed.await??)
    }

    /// Removes what nothing keeps, where nobody asked for it.
    pub(super) async fn clean(&self) {
        match self.collect().await {
            Ok(removed) if removed.blobs > 0 => {
                tracing::debug!(
                    blobs = removed.blobs,
                    bytes = removed.bytes,
                    "garbage removed"
                );
            }
            Ok(_) | Err(FilesError::Stopped) => {}
            Err(error) => tracing::warn!(%error, "garbage stays until the next clean-up"),
        }
    }
}

fn listed(store: &Store, hash: BlobHash) -> Result<Vec<StoredBlob>, FilesError> {
    let first = store.state(&hash).ok_or(StoreError::NotHere(hash))?;
    let files = files_of(store, &hash).filter_map(|file| store.state(&file));
    Ok(std::iter::once(first).chain(files).collect())
}

fn everything(store: &Store) -> Vec<StoredBlob> {
    let mut all: Vec<StoredBlob> = Vec::new();
    loop {
        let last = all.last().map(|blob| blob.hash);
        let page = store.list(last.as_ref(), PAGE);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Reads one blob. What is damaged of the store's own becomes a fetch of what is missing.
fn check(
    store: &Store,
    one: &StoredBlob,
    mut progress: impl FnMut(u64),
) -> Result<Option<Checked>, FilesError> {
    let (hash, bytes) = (one.hash, one.size);
    let wrong = |wrong: u64, problem: String| {
        Some(Checked {
            hash,
            bytes,
            wrong,
            problem: Some(problem),
        })
    };
    let blob = match store.blob(&hash) {
        Ok(blob) => blob,
        // It went meanwhile.
        Err(StoreError::NotHere(_)) => return Ok(None),
        Err(error @ StoreError::SourceChanged { .. }) => {
            return Ok(wrong(bytes, error.to_string()));
        }
        Err(error) => return Err(error.into()),
    };
    let held = blob.held().len();
    let sound = blob.check(|_| progress(GROUP_BYTES))?.len();
    drop(blob);
    if sound == held {
        return Ok(None);
    }
    let lost = (held - sound).saturating_mul(GROUP_BYTES).min(bytes);
    let problem = match one.state {
        BlobState::Reference => "its file is not any more what was shared: share it again",
        BlobState::Whole => {
            debug_assert_eq!(held, groups_of(bytes));
            store.mend(&hash, |_| {})?;
            "it is damaged on disk: fetch it again, which brings only what is missing"
        }
        _ => "what came of it is damaged on disk: cancel the transfer and begin anew",
    };
    Ok(wrong(lost, problem.into()))
}
