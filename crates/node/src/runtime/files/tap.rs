//! What the engine and the streams tell of one download.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use repute_blobs::{DownloadId, Refusal};
use repute_identity::NodeId;
use tokio::sync::Notify;

use super::{FilesError, cell::Cell, sink::Sink};

/// What comes of a download.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Every group is in the sink.
    Finished {
        size: u64,
        wasted: u64,
        seeders: Vec<(NodeId, u64)>,
    },
    /// The blob became whole in another way.
    Whole,
    /// Something is wrong here.
    Trouble(FilesError),
    /// The engine does not begin it.
    Refused(Refusal),
}

/// One download of the engine: where its bytes go, and who waits for its end.
pub(super) struct Tap {
    pub(super) id: DownloadId,
    pub(super) cell: Arc<Cell>,
    pub(super) sink: Arc<Sink>,
    outcome: Mutex<Option<Outcome>>,
    arrived: Notify,
}

impl Tap {
    pub(super) fn new(id: DownloadId, cell: Arc<Cell>, sink: Arc<Sink>) -> Self {
        Self {
            id,
            cell,
            sink,
            outcome: Mutex::default(),
            arrived: Notify::new(),
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Outcome>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has come to this. What came first counts.
    pub(super) fn end(&self, outcome: Outcome) {
        let mut slot = self.slot();
        if slot.is_none() {
            *slot = Some(outcome);
        }
        drop(slot);
        self.arrived.notify_one();
    }

    /// Waits for what it comes to.
    pub(super) async fn outcome(&self) -> Outcome {
        loop {
            if let Some(outcome) = self.slot().take() {
                return outcome;
            }
            self.arrived.notified().await;
        }
    }
}
