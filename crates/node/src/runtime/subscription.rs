use std::sync::Arc;

use bytes::Bytes;
use repute_base::Wall;
use repute_identity::NodeId;
use repute_protocol::{Envelope, Message, MessageId, Topic, Verified};
use tokio::sync::{broadcast, mpsc};

use crate::Event;

/// Messages waiting for one subscriber at most; a slower one is told how many it lost.
pub(crate) const SUBSCRIBER_QUEUE: usize = 8_192;
/// Events waiting for one listener at most; a slower one misses the oldest.
pub(crate) const EVENT_QUEUE: usize = 1_024;

/// A message as the application gets it: exactly once, signature checked.
#[derive(Clone, Debug)]
pub struct Delivered {
    pub(crate) envelope: Verified<Envelope>,
    pub(crate) message: Message,
}

impl Delivered {
    /// Its name.
    pub fn id(&self) -> MessageId {
        self.envelope.id()
    }

    /// Who wrote and signed it.
    pub fn author(&self) -> NodeId {
        self.envelope.author()
    }

    /// The author's wall clock when it was written.
    pub fn sent(&self) -> Wall {
        self.envelope.sent()
    }

    /// Where it belongs.
    pub fn topic(&self) -> &Topic {
        &self.message.topic
    }

    /// The application's kind; zero for none.
    pub fn kind(&self) -> u16 {
        self.message.kind
    }

    /// What it says.
    pub fn data(&self) -> &Bytes {
        self.message.data.bytes()
    }

    /// The proof that its author said so, to be kept or shown to others.
    pub fn envelope(&self) -> &Verified<Envelope> {
        &self.envelope
    }
}

/// What a subscriber receives.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A message.
    Message(Delivered),
    /// The subscriber was too slow: so many messages were dropped before this.
    Lagged(u64),
}

/// The messages of one topic, from the moment of subscribing.
#[derive(Debug)]
pub struct Subscription {
    pub(crate) queue: mpsc::Receiver<Delivery>,
}

impl Subscription {
    /// The next message; `None` once the node has shut down. Messages lost to slowness are passed
    /// over in silence: use [`Subscription::next_delivery`] to learn of them.
    pub async fn next(&mut self) -> Option<Delivered> {
        loop {
            if let Delivery::Message(message) = self.queue.recv().await? {
                return Some(message);
            }
        }
    }

    /// The next message or notice of loss; `None` once the node has shut down.
    pub async fn next_delivery(&mut self) -> Option<Delivery> {
        self.queue.recv().await
    }
}

/// Everything the node tells, from the moment of asking.
#[derive(Debug)]
pub struct EventStream {
    pub(crate) events: broadcast::Receiver<Arc<Event>>,
}

impl EventStream {
    /// The next event; `None` once the node has shut down. A slow listener misses the oldest.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.events.recv().await {
                Ok(event) => return Some(Arc::unwrap_or_clone(event)),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
