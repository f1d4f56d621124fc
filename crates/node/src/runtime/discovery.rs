//! Ways to find where peers listen, behind one trait.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use repute_base::{Address, Wall};
use repute_identity::{Inception, NodeId, PublicKey, Ticket};
use repute_protocol::NetworkId;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

use super::{
    ask::{Ask, View},
    clock::Clock,
    error::NodeError,
};
use crate::Command;

/// Peers sought at once; who was asked for first goes.
const SOUGHT_MAX: usize = 64;

/// What a way of discovery does beside the node, until it is dropped with it.
pub type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A way to find where peers listen, and perhaps to let oneself be found.
///
/// What it says is hearsay: whoever answers at an address must still prove to be the peer. A panic
/// ends this way of discovery and nothing else.
pub trait Discovery: Send {
    /// A name for logs.
    fn name(&self) -> &'static str;

    /// Opens what it needs, before anything of the node is on the network.
    ///
    /// # Errors
    /// What is missing; the node then does not start.
    fn open(&mut self) -> std::io::Result<Known> {
        Ok(Known::default())
    }

    /// Looks for peers, and publishes this node if that is wanted, as long as it is polled.
    fn run(self: Box<Self>, desk: Desk) -> Running;
}

/// What a way of discovery knows from the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Whom to join through.
    pub tickets: Vec<Ticket>,
    /// Under which key this node will be published; it goes into the node's tickets.
    pub key: Option<PublicKey>,
}

/// Static discovery: tickets that the operator has.
#[derive(Clone, Debug)]
pub(crate) struct Named(pub Vec<Ticket>);

impl Discovery for Named {
    fn name(&self) -> &'static str {
        "static"
    }

    fn open(&mut self) -> std::io::Result<Known> {
        let tickets = std::mem::take(&mut self.0);
        Ok(Known { tickets, key: None })
    }

    fn run(self: Box<Self>, _: Desk) -> Running {
        Box::pin(std::future::ready(()))
    }
}

/// A peer that the operator named with a ticket, and under which key it publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sought {
    /// Who.
    pub peer: NodeId,
    /// The discovery key of its ticket.
    pub key: PublicKey,
}

/// What became of discovery since the start, all ways together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiscoveryStats {
    /// Times that this node was published.
    pub published: u64,
    /// Times that it could not be published.
    pub not_published: u64,
    /// Times that addresses of a sought peer were found.
    pub found: u64,
    /// Times that what was found was no proven word of the peer.
    pub refused: u64,
}

/// What [`DiscoveryStats`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// This node was published.
    Published,
    /// It could not be published.
    NotPublished,
    /// What was found was no proven word of the peer.
    Refused,
}

/// Shared between the ways of discovery and the node's status.
pub(super) type Tally = Arc<Mutex<DiscoveryStats>>;

/// Where ways of discovery find what they need of the node, and bring what they found. It does not
/// keep the node running.
#[derive(Clone)]
pub struct Desk {
    pub(super) inception: Inception,
    pub(super) network: NetworkId,
    pub(super) addresses: Vec<Address>,
    pub(super) clock: Clock,
    pub(super) asks: mpsc::WeakSender<Ask>,
    pub(super) sought: watch::Receiver<Vec<Sought>>,
    pub(super) tally: Tally,
}

impl Desk {
    /// The record behind this node's id.
    pub fn inception(&self) -> &Inception {
        &self.inception
    }

    /// The network of this node.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// Where this node listens, best first.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The node's wall clock.
    pub fn wall(&self) -> Wall {
        self.clock.wall()
    }

    /// Somebody was seen, without being looked for. A node that is busy misses a sighting: the next
    /// one comes soon.
    pub fn saw(&self, peer: NodeId, addresses: Vec<Address>) {
        if let Some(asks) = self.asks.upgrade()
            && peer != self.inception.node_id()
            && !addresses.is_empty()
        {
            drop(asks.try_send(Ask::Command(Command::Found { peer, addresses })));
        }
    }

    /// A peer that the operator had named was found: it is dialled at once.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn found(&self, peer: NodeId, addresses: Vec<Address>) -> Result<(), NodeError> {
        self.tally().found += 1;
        self.ask(Ask::Command(Command::Join { peer, addresses }))
            .await
    }

    /// Counts what the operator may want to know.
    pub fn note(&self, note: Note) {
        let mut tally = self.tally();
        match note {
            Note::Published => tally.published += 1,
            Note::NotPublished => tally.not_published += 1,
            Note::Refused => tally.refused += 1,
        }
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, DiscoveryStats> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether both ends have admitted a link to this peer.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn is_linked(&self, peer: NodeId) -> Result<bool, NodeError> {
        let (answer, seen) = oneshot::channel();
        let look = move |view: &View<'_>| {
            let linked = view.core.peers().active().any(|active| active == peer);
            // Whoever asked may have gone.
            let _gone = answer.send(linked);
        };
        self.ask(Ask::Inspect(Box::new(look))).await?;
        seen.await.map_err(|_| NodeError::Stopped)
    }

    /// The bytes of an envelope in which this node's identity says that it listens there.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn record(&self, addresses: Vec<Address>) -> Result<Bytes, NodeError> {
        let (answer, signed) = oneshot::channel();
        self.ask(Ask::SignRecord { addresses, answer }).await?;
        signed.await.map_err(|_| NodeError::Stopped)
    }

    /// Whom the operator named by a ticket with a discovery key, linked or not.
    pub fn sought(&self) -> Vec<Sought> {
        self.sought.borrow().clone()
    }

    /// Waits until [`sought`](Self::sought) has changed since the last wait.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn sought_changed(&mut self) -> Result<(), NodeError> {
        self.sought.changed().await.map_err(|_| NodeError::Stopped)
    }

    async fn ask(&self, ask: Ask) -> Result<(), NodeError> {
        let asks = self.asks.upgrade().ok_or(NodeError::Stopped)?;
        asks.send(ask).await.map_err(|_| NodeError::Stopped)
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

/// Opens all ways of discovery; what they know together. Of several keys the first goes into
/// tickets.
pub(crate) fn open(ways: &mut [Box<dyn Discovery>]) -> std::io::Result<Known> {
    let mut all = Known::default();
    for way in ways {
        let known = way.open()?;
        all.tickets.extend(known.tickets);
        all.key = all.key.or(known.key);
    }
    Ok(all)
}

/// Runs them, each in a task of its own, until what it gives is dropped.
pub(crate) fn spawn(ways: Vec<Box<dyn Discovery>>, desk: &Desk) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for way in ways {
        tracing::debug!(name = way.name(), "discovery");
        running.spawn(way.run(desk.clone()));
    }
    running
}

/// Notes whom a ticket names, if it says under which key to look.
pub(crate) fn seek(sought: &watch::Sender<Vec<Sought>>, ticket: &Ticket) {
    if let Some(one) = Sought::of(ticket) {
        sought.send_modify(|all| note(all, one));
    }
}

/// The last that was named comes last; beyond the limit the first goes.
pub(crate) fn note(all: &mut Vec<Sought>, one: Sought) {
    all.retain(|known| known.peer != one.peer);
    if all.len() >= SOUGHT_MAX {
        all.remove(0);
    }
    all.push(one);
}

impl Sought {
    /// Whom a ticket names; nothing if it does not say under which key to look.
    pub(crate) fn of(ticket: &Ticket) -> Option<Self> {
        let key = ticket.discovery?;
        let peer = ticket.node_id();
        Some(Self { peer, key })
    }
}

#[cfg(test)]
mod tests {
    use repute_base::BoundedVec;
    use repute_identity::Identity;

    use super::*;

    fn ticket(seed: u64, key: Option<u64>) -> Ticket {
        Ticket {
            inception: *Identity::from_seed(seed).inception(),
            addresses: BoundedVec::default(),
            expires: Wall::from_millis(1),
            discovery: key.map(|seed| Identity::from_seed(seed).inception().key),
        }
    }

    #[test]
    fn the_latest_sixty_four_tickets_with_a_key_are_sought_each_peer_once() {
        let sought = watch::Sender::new(Vec::new());
        seek(&sought, &ticket(1, None));
        assert!(sought.borrow().is_empty());
        for seed in 1..=70 {
            seek(&sought, &ticket(seed, Some(seed + 100)));
        }
        // A newer ticket of the same peer replaces the former one.
        seek(&sought, &ticket(70, Some(7)));
        let all = sought.borrow().clone();
        assert_eq!(all.len(), SOUGHT_MAX);
        let first = Identity::from_seed(7).id();
        assert_eq!(all.first().map(|one| one.peer), Some(first));
        let last = all.last().map(|one| (one.peer, one.key));
        let key = Identity::from_seed(7).inception().key;
        assert_eq!(last, Some((Identity::from_seed(70).id(), key)));
    }
}
