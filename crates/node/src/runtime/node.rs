use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use repute_base::{Address, BoundedBytes, BoundedString, BoundedVec, Wall};
use repute_identity::{Inception, NodeId, PublicKey, Ticket};
use repute_protocol::{CustomData, FromPeer, MessageId, NetworkId, Topic, limits::BURST_MAX};
use repute_transport::Endpoint;
use repute_trust::{Ban, Explanation, Mode, Models, SourceView, Standing};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{
    DataDir, NodeConfig, PeerStatus, StartError, StartStep, Status,
    ask::{Ask, COMMAND_QUEUE, DurableCommand, PUBLISH_QUEUE, Publish, View},
    clock::Clock,
    discovery::{self, Desk, Sought, Tally},
    driver::{self, Parts},
    error::NodeError,
    files::{Carrier, Library, Shelf},
    insight,
    joined::Joined,
    publishing::Publishing,
    receipts, rows, start, status,
    subscription::{Delivered, EVENT_QUEUE, EventStream, SUBSCRIBER_QUEUE, Subscription},
};
use crate::{Command, Core, Event, Input};

/// How long a ticket printed by a running node is worth dialling.
const TICKET_LIFE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Links that the transport may hold beyond the peers engine's maximum.
const LINKS_SPARE: usize = 64;

/// A running node. Cheap to clone; it shuts down with [`Node::shutdown`], or when the last clone
/// is dropped.
#[derive(Clone)]
pub struct Node {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) id: NodeId,
    inception: Inception,
    pub(super) data_dir: DataDir,
    addresses: Vec<Address>,
    clock: Clock,
    started: Wall,
    pub(super) blacklist_mode: Mode,
    pub(super) models: Arc<Models>,
    /// Under which key this node is published.
    discovery_key: Option<PublicKey>,
    sought: watch::Sender<Vec<Sought>>,
    pub(super) joined: Joined,
    discovered: Tally,
    /// The files of this node, if it keeps any.
    pub(super) library: Option<Arc<Library>>,
    asks: mpsc::Sender<Ask>,
    publishes: mpsc::Sender<Publish>,
    /// Weak, so that the stream of events ends with the driver.
    events: broadcast::WeakSender<Arc<Event>>,
}

impl Shared {
    fn desk(&self, network: NetworkId) -> Desk {
        Desk {
            inception: self.inception,
            network,
            addresses: self.addresses.clone(),
            clock: self.clock,
            asks: self.asks.downgrade(),
            sought: self.sought.subscribe(),
            tally: Arc::clone(&self.discovered),
        }
    }
}

impl Node {
    /// Starts a node, in the source's order: identity, storage, trust, peers and gossip,
    /// transport, bootstrap, background.
    ///
    /// # Errors
    /// [`StartError`] names the step that failed and why.
    pub async fn start(mut config: NodeConfig) -> Result<Self, StartError> {
        let mut ways = config.ways();
        let folder = start::files_folder(&mut config);
        let mut transport = transport_config(&config);
        let identity = config.identity.open(&config.data_dir)?;
        let store = start::store(config.store, &config.data_dir, config.set_corrupt_aside)?;
        let clock = Clock::new(config.laboratory.as_ref().map(|lab| lab.wall));
        let mut snapshot = start::snapshot(store.as_ref(), clock.wall())?;
        snapshot.inception = Some(*identity.inception());
        let joined = Joined::load(store.as_ref());
        let own = receipts::own(&config.data_dir, identity.id());
        let retention = config.core.gossip.retention;
        let network = config.core.network;
        let blacklist_mode = config.core.trust.blacklist.mode;
        let quota_bytes = config.files.quota_bytes;
        let burst_max = config.core.burst_max.clamp(1, BURST_MAX);
        let core = Core::new(
            identity.id(),
            config.core,
            snapshot,
            config.trust_model,
            start::rng(config.seed)?,
        )
        .map_err(|error| StartError::at(StartStep::of_engine(error.engine()))(error))?;

        let known = discovery::open(&mut ways).map_err(StartError::at(StartStep::Bootstrap))?;
        let check_time = start::in_laboratory(config.laboratory, &mut transport);
        let handshake = start::handshake(network, clock, &config.agent, folder.is_some());
        let (endpoint, links) = Endpoint::bind(transport, &identity, handshake)
            .await
            .map_err(StartError::at(StartStep::Transport))?;
        let addresses = if config.announce.is_empty() {
            start::reachable(endpoint.local_addr())
        } else {
            config.announce
        };
        endpoint.set_listen_addresses(addresses.clone());
        let files = start::files(folder.map(|folder| Shelf {
            folder,
            quota_bytes,
            rows: Arc::clone(&store),
            clock,
            me: identity.id(),
            addresses: addresses.clone(),
        }))?;
        let (asks_in, asks) = mpsc::channel(COMMAND_QUEUE);
        let (publishes_in, publishes) = mpsc::channel(PUBLISH_QUEUE);
        let (events, _) = broadcast::channel(EVENT_QUEUE);
        let shared = Arc::new(Shared {
            id: identity.id(),
            inception: *identity.inception(),
            data_dir: config.data_dir,
            addresses: addresses.clone(),
            clock,
            started: clock.wall(),
            blacklist_mode,
            models: Arc::new(config.models),
            discovery_key: known.key,
            sought: watch::Sender::new(joined.all()),
            joined,
            discovered: Tally::default(),
            library: files.as_ref().map(|(library, _)| Arc::clone(library)),
            asks: asks_in,
            publishes: publishes_in,
            events: events.downgrade(),
        });
        let mut first = vec![Input::Listening { addresses }];
        for ticket in known.tickets {
            discovery::seek(&shared.sought, &ticket);
            first.push(join_input(ticket));
        }
        first.extend(own);
        first.push(Input::Start);
        let files = files.map(|(library, words)| (Carrier::new(library, endpoint.clone()), words));
        let parts = Parts {
            core,
            clock,
            identity,
            files,
            endpoint,
            links,
            store,
            asks,
            publishes,
            verifiers: [start::verifier()?, start::verifier()?],
            burst_max,
            check_time,
            events,
            retention,
        };
        let discovering = discovery::spawn(ways, &shared.desk(network));
        tokio::spawn(async move {
            driver::run(parts, first).await;
            // They end with the node.
            drop(discovering);
        });
        Ok(Self { shared })
    }

    /// Who this node is.
    pub fn id(&self) -> NodeId {
        self.shared.id
    }

    /// The record behind the id.
    pub fn inception(&self) -> &Inception {
        &self.shared.inception
    }

    /// Where this node listens, best first.
    pub fn addresses(&self) -> &[Address] {
        &self.shared.addresses
    }

    /// An invitation for others: who this node is, where it listens and, if it publishes that, where
    /// to look when it has moved. It holds no secret.
    pub fn ticket(&self) -> Ticket {
        Ticket {
            inception: self.shared.inception,
            addresses: BoundedVec::truncated(self.shared.addresses.iter().copied()),
            expires: self.shared.clock.wall() + TICKET_LIFE,
            discovery: self.shared.discovery_key,
        }
    }

    /// Joins the network through the node of this ticket. Whether it answers shows in
    /// [`Node::events`]. A ticket that says where to look is remembered, and its node sought again
    /// after a restart.
    ///
    /// # Errors
    /// [`NodeError`] when the store refuses, or the node has stopped.
    pub async fn join(&self, ticket: Ticket) -> Result<(), NodeError> {
        discovery::seek(&self.shared.sought, &ticket);
        let sought = Sought::of(&ticket);
        let (peer, addresses) = (ticket.node_id(), ticket.addresses.into_vec());
        self.command(Command::Join { peer, addresses }).await?;
        match sought {
            Some(one) => self.remember(one).await,
            None => Ok(()),
        }
    }

    /// Receives the messages of `topic` from now on, each exactly once.
    ///
    /// # Errors
    /// [`NodeError`] when the topic is too long or the node has stopped.
    pub async fn subscribe(&self, topic: &str) -> Result<Subscription, NodeError> {
        self.subscribe_as(topic, false).await
    }

    /// Like [`Node::subscribe`], but a message waits (for a bounded time) until what its author
    /// had seen has been delivered.
    ///
    /// # Errors
    /// [`NodeError`] when the topic is too long or the node has stopped.
    pub async fn subscribe_causal(&self, topic: &str) -> Result<Subscription, NodeError> {
        self.subscribe_as(topic, true).await
    }

    async fn subscribe_as(&self, topic: &str, causal: bool) -> Result<Subscription, NodeError> {
        let topic = Topic::new(topic)?;
        let (queue, receiver) = mpsc::channel(SUBSCRIBER_QUEUE);
        let (answer, done) = oneshot::channel();
        self.ask(Ask::Subscribe {
            topic,
            causal,
            queue,
            answer,
        })
        .await?;
        done.await.map_err(|_| NodeError::Stopped)?;
        Ok(Subscription { queue: receiver })
    }

    /// Signs a message and spreads it; returns its name once it is on its way. Waits while
    /// neighbours cannot keep up.
    ///
    /// # Errors
    /// [`NodeError`] when topic or data are too long, or the node has stopped.
    pub async fn publish(
        &self,
        topic: &str,
        data: impl Into<Bytes>,
    ) -> Result<MessageId, NodeError> {
        self.publish_as(topic, 0, false, data.into()).await
    }

    /// Like [`Node::publish`], with a kind of the application's own, and with the names of what
    /// this node has seen if `causal`.
    ///
    /// # Errors
    /// [`NodeError`] when topic or data are too long, or the node has stopped.
    pub async fn publish_as(
        &self,
        topic: &str,
        kind: u16,
        causal: bool,
        data: Bytes,
    ) -> Result<MessageId, NodeError> {
        self.queue_as(topic, kind, causal, data).await?.await
    }

    /// Hands a message over and returns as soon as there is a place for it, so that one task has
    /// many under way. Messages that wait together are signed together, which makes them cheaper
    /// for everybody. Waits while neighbours cannot keep up.
    ///
    /// # Errors
    /// [`NodeError`] when topic or data are too long, or the node has stopped.
    pub async fn queue(
        &self,
        topic: &str,
        data: impl Into<Bytes>,
    ) -> Result<Publishing, NodeError> {
        self.queue_as(topic, 0, false, data.into()).await
    }

    /// Like [`Node::queue`], with a kind of the application's own, and with the names of what this
    /// node has seen if `causal`.
    ///
    /// # Errors
    /// [`NodeError`] when topic or data are too long, or the node has stopped.
    pub async fn queue_as(
        &self,
        topic: &str,
        kind: u16,
        causal: bool,
        data: Bytes,
    ) -> Result<Publishing, NodeError> {
        let topic = Topic::new(topic)?;
        let (answer, published) = oneshot::channel();
        let publish = Publish {
            topic,
            kind,
            causal,
            data,
            answer,
        };
        let sent = self.shared.publishes.send(publish).await;
        sent.map_err(|_| NodeError::Stopped)?;
        Ok(Publishing(published))
    }

    /// Calls `handler` for every delivered message of this kind. It runs between two steps of the
    /// node and must be quick.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn on_kind(
        &self,
        kind: u16,
        handler: impl FnMut(&Delivered) + Send + 'static,
    ) -> Result<(), NodeError> {
        self.ask(Ask::OnKind(kind, Box::new(handler))).await
    }

    /// Calls `handler` for every direct frame of this kind from a neighbour. It must be quick.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn on_custom(
        &self,
        kind: u16,
        handler: impl FnMut(&FromPeer<CustomData>) + Send + 'static,
    ) -> Result<(), NodeError> {
        self.ask(Ask::OnCustom(kind, Box::new(handler))).await
    }

    /// Sends a direct frame to a linked peer; lost without notice if there is no link.
    ///
    /// # Errors
    /// [`NodeError`] when the data is too long or the node has stopped.
    pub async fn send_custom(
        &self,
        peer: NodeId,
        kind: u16,
        data: impl Into<Bytes>,
    ) -> Result<(), NodeError> {
        let data = CustomData {
            kind,
            data: BoundedBytes::new(data.into())?,
        };
        self.command(Command::SendCustom { peer, data }).await
    }

    /// Everything the node tells, from now on.
    pub fn events(&self) -> EventStream {
        let events = match self.shared.events.upgrade() {
            Some(events) => events.subscribe(),
            // The node has stopped: a stream that has ended.
            None => broadcast::channel(1).1,
        };
        EventStream { events }
    }

    /// What is thought of `subject`.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn standing(&self, subject: NodeId) -> Result<Standing, NodeError> {
        self.inspect(move |view| view.core.trust().standing(subject, view.now.wall))
            .await
    }

    /// Why `subject` stands where it stands: every stored event with its weight today, and
    /// whether they come to the score in use, bit for bit.
    ///
    /// # Errors
    /// [`NodeError`] when the store cannot be read or the node has stopped.
    pub async fn explain(&self, subject: NodeId) -> Result<Explanation, NodeError> {
        let store = self.inspect(|view| Arc::clone(view.store)).await?;
        // What the ledger has said must be on disk before it is compared with what it knows.
        store.flush()?;
        let records = rows::records_of(store.as_ref(), subject)?;
        let heard = rows::heard(store.as_ref())?;
        self.inspect(move |view| {
            let (trust, wall) = (view.core.trust(), view.now.wall);
            let mut why = trust.explain(subject, &records, wall);
            let prior = trust.recomputed_prior(&heard, subject, wall);
            why.matches &= prior.is_none_or(|prior| prior == why.prior);
            why
        })
        .await
    }

    /// All known peers.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn peers(&self) -> Result<Vec<PeerStatus>, NodeError> {
        self.inspect(|view| {
            let trust = view.core.trust();
            let status = |peer: repute_peers::PeerView| PeerStatus {
                standing: trust.standing(peer.id, view.now.wall),
                entry: insight::entry(view.core, peer.id, view.now.wall),
                view: peer,
            };
            view.core.peers().iter().map(status).collect()
        })
        .await
    }

    /// One known peer.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn peer(&self, id: NodeId) -> Result<Option<PeerStatus>, NodeError> {
        self.inspect(move |view| {
            let standing = view.core.trust().standing(id, view.now.wall);
            view.core.peers().view(id).map(|peer| PeerStatus {
                standing,
                entry: insight::entry(view.core, id, view.now.wall),
                view: peer,
            })
        })
        .await
    }

    /// The bans in force.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn bans(&self) -> Result<Vec<Ban>, NodeError> {
        self.inspect(|view| view.core.trust().bans(view.now.wall))
            .await
    }

    /// Keeps `subject` out, from this moment and over restarts: done once durable.
    ///
    /// # Errors
    /// [`NodeError`] when the reason is too long, the store refuses, or the node has stopped.
    pub async fn ban(
        &self,
        subject: NodeId,
        duration: Option<Duration>,
        reason: &str,
    ) -> Result<(), NodeError> {
        self.by_hand()?;
        let reason = BoundedString::new(reason)?;
        self.durable(DurableCommand::Ban {
            subject,
            duration,
            reason,
        })
        .await
    }

    /// Lets `subject` back in: done once durable.
    ///
    /// # Errors
    /// [`NodeError`] when the store refuses or the node has stopped.
    pub async fn unban(&self, subject: NodeId) -> Result<(), NodeError> {
        self.durable(DurableCommand::Unban(subject)).await
    }

    /// Recommends `subject`, or warns of it, on a scale from −100 to 100: to oneself, as much as any
    /// one recommender counts, and to those with whom the configuration shares. Once a day about
    /// each; it holds for seven days. Done once durable.
    ///
    /// # Errors
    /// [`NodeError`] when the reason is too long, the recommendation is refused, the store refuses,
    /// or the node has stopped.
    pub async fn recommend(
        &self,
        subject: NodeId,
        value: i8,
        reason: &str,
    ) -> Result<(), NodeError> {
        let reason = BoundedString::new(reason)?;
        self.durable(DurableCommand::Recommend {
            subject,
            value: value.clamp(-100, 100),
            reason,
        })
        .await
    }

    /// Who moves what is thought of whom, and by how much.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn sources(&self) -> Result<Vec<SourceView>, NodeError> {
        self.inspect(|view| view.core.trust().sources(view.now.wall))
            .await
    }

    /// Takes a source of recommendations out, as if it had never been heard, and keeps it out:
    /// done once durable.
    ///
    /// # Errors
    /// [`NodeError`] when the store refuses or the node has stopped.
    pub async fn withdraw(&self, source: NodeId) -> Result<(), NodeError> {
        let readmit = false;
        self.durable(DurableCommand::Withdraw { source, readmit })
            .await
    }

    /// Listens to a withdrawn source again: done once durable.
    ///
    /// # Errors
    /// [`NodeError`] when the store refuses or the node has stopped.
    pub async fn readmit(&self, source: NodeId) -> Result<(), NodeError> {
        let readmit = true;
        self.durable(DurableCommand::Withdraw { source, readmit })
            .await
    }

    /// Closes the link to a peer; it may come back.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn disconnect(&self, peer: NodeId) -> Result<(), NodeError> {
        self.command(Command::Disconnect { peer }).await
    }

    /// How the node is.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn status(&self) -> Result<Status, NodeError> {
        let (listen, started) = (self.shared.addresses.clone(), self.shared.started);
        let discovery = *self
            .shared
            .discovered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.inspect(move |view| {
            let core = view.core;
            Status {
                id: core.me(),
                listen,
                uptime_ms: u64::try_from(view.now.wall.since(started).as_millis())
                    .unwrap_or(u64::MAX),
                wall: view.now.wall,
                peers_known: core.peers().iter().count(),
                peers_active: core.peers().active().count(),
                subjects: core.trust().subjects().len(),
                bans: core.trust().bans(view.now.wall).len(),
                gossip: core.gossip().stats(),
                transport: view.endpoint.stats(),
                store: view.store.health(),
                layers: status::layers(core, &view.endpoint.stats(), view.counters.lost_deliveries),
                discovery,
                lost_deliveries: view.counters.lost_deliveries,
                unsent: view.counters.unsent,
                failed_writes: view.counters.failed_writes,
                unchecked: view.counters.unchecked,
                panics: view.counters.panics,
            }
        })
        .await
    }

    /// Says goodbye to every peer, writes what is left and stops. Later calls say
    /// [`NodeError::Stopped`].
    pub async fn shutdown(&self) {
        let (answer, done) = oneshot::channel();
        if self.ask(Ask::Shutdown(answer)).await.is_ok() {
            // A closed channel means that the node stopped on its own: just as well.
            let _stopped = done.await;
        }
    }

    pub(super) async fn inspect<T: Send + 'static>(
        &self,
        look: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Result<T, NodeError> {
        let (answer, seen) = oneshot::channel();
        let look = Box::new(move |view: &View<'_>| drop(answer.send(look(view))));
        self.ask(Ask::Inspect(look)).await?;
        seen.await.map_err(|_| NodeError::Stopped)
    }

    pub(super) async fn durable(&self, command: DurableCommand) -> Result<(), NodeError> {
        let (answer, done) = oneshot::channel();
        self.ask(Ask::Durable { command, answer }).await?;
        done.await.map_err(|_| NodeError::Stopped)?
    }

    pub(super) async fn command(&self, command: Command) -> Result<(), NodeError> {
        self.ask(Ask::Command(command)).await
    }

    pub(super) async fn ask(&self, ask: Ask) -> Result<(), NodeError> {
        self.shared
            .asks
            .send(ask)
            .await
            .map_err(|_| NodeError::Stopped)
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.shared.id)
            .finish_non_exhaustive()
    }
}

fn transport_config(config: &NodeConfig) -> repute_transport::Config {
    let mut transport = repute_transport::Config::new(config.listen);
    transport.probe = config.link_probe.clone();
    transport.loopback_strict = config.core.peers.loopback_strict;
    if config.core.blobs.is_none() {
        transport.streams_max = 0;
    }
    let links_max = config.core.peers.max_peers + config.core.limits.peers.visits_max;
    // Links that are being refused stand beside those that are kept.
    transport.links_max = transport.links_max.max(links_max + LINKS_SPARE);
    // Gossip hands over its credit and up to one frame beyond it, and the application's own frames
    // share the queue; without room for that, messages that gossip believes sent would be dropped.
    let queue = config
        .core
        .limits
        .gossip
        .link_credit_bytes
        .saturating_mul(2);
    transport.queue_bytes_max = transport.queue_bytes_max.max(queue);
    transport
}

fn join_input(ticket: Ticket) -> Input {
    let (peer, addresses) = (ticket.node_id(), ticket.addresses.into_vec());
    Input::Command(Command::Join { peer, addresses })
}
