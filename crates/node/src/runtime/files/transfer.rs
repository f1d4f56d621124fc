//! News of a transfer, for whoever listens: bounded, and the end is never lost.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use repute_protocol::BlobHash;
use tokio::sync::Notify;

use super::{TransferEvent, TransferId};

/// News that wait for one listener. Of more, the oldest are lost; progress is one piece of news.
const NEWS_MAX: usize = 256;

/// A transfer, and its news. Dropping it changes nothing for the transfer.
#[derive(Debug)]
pub struct Transfer {
    id: TransferId,
    hash: BlobHash,
    news: Arc<News>,
}

impl Transfer {
    pub(super) fn new(id: TransferId, hash: BlobHash, news: Arc<News>) -> Self {
        Self { id, hash, news }
    }

    /// Its name.
    pub const fn id(&self) -> TransferId {
        self.id
    }

    /// What is fetched.
    pub const fn hash(&self) -> BlobHash {
        self.hash
    }

    /// The next news; nothing after the last.
    pub async fn next(&mut self) -> Option<TransferEvent> {
        loop {
            {
                let mut waiting = self.news.waiting();
                if let Some(event) = waiting.take() {
                    return Some(event);
                }
                if waiting.over {
                    return None;
                }
            }
            self.news.arrived.notified().await;
        }
    }
}

/// News on their way to one listener.
#[derive(Debug, Default)]
pub(super) struct News {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<TransferEvent>,
    over: bool,
}

impl Waiting {
    fn take(&mut self) -> Option<TransferEvent> {
        self.events.pop_front()
    }
}

impl News {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it holds this.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the listener.
    pub(super) fn tell(&self, event: &TransferEvent) {
        let mut waiting = self.waiting();
        if waiting.over {
            return;
        }
        if matches!(event, TransferEvent::Progress(_)) {
            let old = |event: &TransferEvent| !matches!(event, TransferEvent::Progress(_));
            waiting.events.retain(old);
        }
        if waiting.events.len() >= NEWS_MAX {
            waiting.events.pop_front();
        }
        waiting.events.push_back(event.clone());
        waiting.over = event.is_last();
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.waiting().over = true;
        self.arrived.notify_one();
    }
}
