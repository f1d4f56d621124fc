//! What one honest application hears and sees.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use repute_identity::NodeId;
use repute_node::{Event, Node};
use repute_protocol::{MessageId, Misbehaviour};
use tokio::time::Instant;

/// What every node subscribes to.
pub(super) const TOPIC: &str = "news";
/// A direct frame that asks, and the one that answers.
pub(super) const ASK: u16 = 1;
const ANSWER: u16 = 2;

/// Shared with the tasks that listen.
#[derive(Clone, Debug, Default)]
pub(super) struct Ears(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
pub(super) struct Heard {
    /// When each message came first, and how often it came.
    pub(super) messages: BTreeMap<MessageId, (Instant, u64)>,
    /// When each request was answered.
    pub(super) answers: BTreeMap<u64, Instant>,
    pub(super) accused: Vec<(NodeId, Misbehaviour)>,
    pub(super) warned: Vec<NodeId>,
    pub(super) banned: Vec<NodeId>,
}

impl Ears {
    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to listen, and to answer what is asked.
    pub(super) async fn open(node: &Node) -> Self {
        let ears = Self::default();
        let mut news = node.subscribe(TOPIC).await.expect("the node runs");
        let listening = ears.clone();
        tokio::spawn(async move {
            while let Some(message) = news.next().await {
                let mut heard = listening.heard();
                let fresh = (Instant::now(), 0);
                heard.messages.entry(message.id()).or_insert(fresh).1 += 1;
            }
        });
        let mut events = node.events();
        let watching = ears.clone();
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                watching.heard().note(event);
            }
        });
        ears.answer(node).await;
        ears
    }

    async fn answer(&self, node: &Node) {
        let (asked, mut questions) = tokio::sync::mpsc::unbounded_channel();
        let ask = move |question: &repute_protocol::FromPeer<repute_protocol::CustomData>| {
            // The other end goes with the node.
            drop(asked.send((question.peer(), question.value().data.bytes().clone())));
        };
        node.on_custom(ASK, ask).await.expect("the node runs");
        let answering = node.clone();
        tokio::spawn(async move {
            while let Some((peer, data)) = questions.recv().await {
                drop(answering.send_custom(peer, ANSWER, data).await);
            }
        });
        let ears = self.clone();
        let answered = move |answer: &repute_protocol::FromPeer<repute_protocol::CustomData>| {
            let data = answer.value().data.bytes().get(..8);
            if let Some(number) = data.and_then(|bytes| bytes.try_into().ok()) {
                let number = u64::from_be_bytes(number);
                ears.heard().answers.entry(number).or_insert(Instant::now());
            }
        };
        node.on_custom(ANSWER, answered)
            .await
            .expect("the node runs");
    }
}

impl Heard {
    fn note(&mut self, event: Event) {
        match event {
            Event::Misbehaved { peer, kind } => self.accused.push((peer, kind)),
            Event::Warned { peer, .. } => self.warned.push(peer),
            Event::Banned(ban) => self.banned.push(ban.subject),
            _ => {}
        }
    }

    /// How long after `sent` this message came.
    pub(super) fn delay(&self, id: &MessageId, sent: Instant) -> Option<Duration> {
        let (at, _) = self.messages.get(id)?;
        Some(at.saturating_duration_since(sent))
    }
}
