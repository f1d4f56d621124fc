//! Who in the application wants what: subscribers by topic, handlers by kind.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use repute_protocol::{CustomData, FromPeer, Topic};
use tokio::sync::mpsc;

use super::subscription::{Delivered, Delivery};

/// A function that the application registered for one of its message kinds.
pub(crate) type MessageHandler = Box<dyn FnMut(&Delivered) + Send>;
/// A function that the application registered for one of its direct frame kinds.
pub(crate) type CustomHandler = Box<dyn FnMut(&FromPeer<CustomData>) + Send>;

struct Subscriber {
    queue: mpsc::Sender<Delivery>,
    lagged: u64,
}

/// The application's ears.
#[derive(Default)]
pub(crate) struct Handlers {
    subscribers: BTreeMap<Topic, Vec<Subscriber>>,
    by_kind: BTreeMap<u16, MessageHandler>,
    custom: BTreeMap<u16, CustomHandler>,
    lost: Arc<AtomicU64>,
}

impl Handlers {
    pub(crate) fn subscribe(&mut self, topic: Topic, queue: mpsc::Sender<Delivery>) {
        self.subscribers
            .entry(topic)
            .or_default()
            .push(Subscriber { queue, lagged: 0 });
    }

    pub(crate) fn on_kind(&mut self, kind: u16, handler: MessageHandler) {
        self.by_kind.insert(kind, handler);
    }

    pub(crate) fn on_custom(&mut self, kind: u16, handler: CustomHandler) {
        self.custom.insert(kind, handler);
    }

    /// Messages lost to slow subscribers so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Hands a message to everybody who wants it; true if the topic has lost its last subscriber.
    pub(crate) fn deliver(&mut self, delivered: &Delivered) -> bool {
        if let Some(handler) = self.by_kind.get_mut(&delivered.kind()) {
            handler(delivered);
        }
        let Some(subscribers) = self.subscribers.get_mut(delivered.topic()) else {
            return false;
        };
        let lost = &self.lost;
        subscribers.retain_mut(|subscriber| subscriber.push(delivered, lost));
        if subscribers.is_empty() {
            self.subscribers.remove(delivered.topic());
            return true;
        }
        false
    }

    pub(crate) fn custom(&mut self, data: &FromPeer<CustomData>) {
        if let Some(handler) = self.custom.get_mut(&data.value().kind) {
            handler(data);
        }
    }
}

impl Subscriber {
    /// Queues a message, or counts it as lost; false once the subscriber is gone.
    fn push(&mut self, delivered: &Delivered, lost: &AtomicU64) -> bool {
        if self.lagged > 0 {
            match self.queue.try_send(Delivery::Lagged(self.lagged)) {
                Ok(()) => self.lagged = 0,
                Err(mpsc::error::TrySendError::Closed(_)) => return false,
                Err(mpsc::error::TrySendError::Full(_)) => {}
            }
        }
        match self.queue.try_send(Delivery::Message(delivered.clone())) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.lagged += 1;
                lost.fetch_add(1, Ordering::Relaxed);
                true
            }
        }
    }
}
