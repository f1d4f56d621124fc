use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use repute_base::{Address, Layer, Layers, Machine, Mono, Prefix, Rng, Timestamp, TokenBucket};
use repute_identity::NodeId;
use repute_protocol::{DisconnectReason, Frame, FromPeer, Misbehaviour, Verified};

use crate::{
    Config, ConfigError, Event, Input, Limits, Output, Stored, Write,
    appeal::Appeals,
    book::{Book, Entered, Newcomer, now_ms},
    detector::Detector,
    dialling::Dialling,
    discovery::Discovery,
    link::Link,
    refusal::Refusals,
    visit::Visits,
};

/// The engine: address book, links, discovery and failure detection.
pub struct Peers {
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) me: NodeId,
    pub(crate) rng: Rng,
    pub(crate) now: Timestamp,
    pub(crate) book: Book,
    pub(crate) links: BTreeMap<NodeId, Link>,
    /// Links that wait for the peer's admission.
    pub(crate) half_open: usize,
    pub(crate) protected: BTreeSet<NodeId>,
    pub(crate) attempts: BTreeMap<NodeId, TokenBucket>,
    pub(crate) dialling: Dialling,
    pub(crate) discovery: Discovery,
    pub(crate) detector: Detector,
    pub(crate) barred: Vec<Prefix>,
    pub(crate) layers: Layers,
    pub(crate) refusals: Refusals,
    pub(crate) appeals: Appeals,
    pub(crate) visits: Visits,
    phase: Phase,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Restoring,
    Waiting,
    Running,
    Stopped,
}

impl Peers {
    /// An engine for the node `me`.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration does not hold together.
    pub fn new(
        config: Config,
        limits: Limits,
        me: NodeId,
        mut rng: Rng,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        limits.validate(&config)?;
        Ok(Self {
            detector: Detector::new(rng.fork()),
            config,
            limits,
            me,
            rng,
            now: Timestamp::default(),
            book: Book::default(),
            links: BTreeMap::new(),
            half_open: 0,
            protected: BTreeSet::new(),
            attempts: BTreeMap::new(),
            dialling: Dialling::default(),
            discovery: Discovery::default(),
            barred: Vec::new(),
            layers: Layers::new(),
            refusals: Refusals::default(),
            appeals: Appeals::default(),
            visits: Visits::default(),
            phase: Phase::Restoring,
            outputs: VecDeque::new(),
        })
    }

    /// Puts a peer from the store into the address book, before the first input.
    pub fn restore(&mut self, peer: Stored) {
        if peer.id == self.me {
            return;
        }
        self.learn(peer.id, &peer.addresses, 0);
        let age = now_ms(self.now.mono);
        if let Some(entry) = self.book.get_mut(&peer.id) {
            entry.inception = peer.inception.filter(|record| record.node_id() == peer.id);
            entry.last_seen = peer.last_seen;
            entry.last_connected = peer.last_connected;
            entry.failures = peer.failures.min(2);
            entry.capabilities = peer.capabilities.map(|list| list.into_vec().into());
            entry.record_seq = peer.record_seq;
            entry.joined = peer.joined;
            entry.persisted = true;
            entry.seen_ms = age;
        }
    }

    /// Names the peers to dial first, from the store, before the first input.
    pub fn restore_anchors(&mut self, anchors: Vec<NodeId>) {
        for peer in anchors.into_iter().take(self.limits.anchors_max) {
            if let Some(entry) = self.book.get_mut(&peer) {
                entry.anchor = true;
            }
        }
    }

    pub(crate) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.emit(Output::Event(event));
    }

    pub(crate) fn accuse(&mut self, peer: NodeId, kind: Misbehaviour) {
        self.emit(Output::Misbehaviour { peer, kind });
    }

    pub(crate) fn send(&mut self, peer: NodeId, frame: Frame) {
        self.emit(Output::Send { peer, frame });
    }

    pub(crate) fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.phase == Phase::Stopped
    }

    /// Whether the peer's standing admits a link at all.
    pub(crate) fn standing(&self, peer: &NodeId) -> Result<(), DisconnectReason> {
        if self.book.is_gated(peer) {
            return Err(DisconnectReason::Banned);
        }
        match self.book.get(peer) {
            Some(entry) if entry.trust < self.config.min_trust => Err(DisconnectReason::LowTrust),
            _ => Ok(()),
        }
    }

    /// Enters a peer into the book if there is room; `source` as in [`Newcomer`].
    pub(crate) fn learn(&mut self, id: NodeId, addresses: &[Address], source: u32) -> Entered {
        if id == self.me {
            return Entered::NoRoom;
        }
        let newcomer = Newcomer {
            id,
            addresses,
            source,
            mono: self.now.mono,
            wall: self.now.wall,
        };
        let (links, dialling) = (&self.links, &self.dialling);
        let busy = |id: &NodeId| links.contains_key(id) || dialling.is_under_way(id);
        let entered = self.book.enter(
            &newcomer,
            &self.limits,
            self.config.loopback_strict,
            self.config.min_trust,
            busy,
        );
        if let Entered::New {
            evicted: Some((evicted, persisted)),
        } = entered
        {
            self.forgotten(evicted, persisted);
        }
        entered
    }

    pub(crate) fn forgotten(&mut self, peer: NodeId, persisted: bool) {
        self.discovery.forget(&peer);
        if persisted {
            self.emit(Output::Persist(Write::Forget(peer)));
        }
        self.event(Event::Forgotten { peer });
    }

    pub(crate) fn persist(&mut self, peer: NodeId) {
        if let Some(entry) = self.book.get_mut(&peer) {
            entry.persisted = true;
            let stored = entry.stored(peer);
            self.emit(Output::Persist(Write::Peer(stored)));
        }
    }

    fn named(&mut self, peer: NodeId, addresses: &[Address], joined: bool) {
        let addresses: Vec<Address> = addresses
            .iter()
            .copied()
            .filter(crate::reach::dialable)
            .collect();
        let entered = self.learn(peer, &addresses, 0);
        let wall = self.now.wall;
        let seen_ms = now_ms(self.now.mono);
        let Some(entry) = self.book.get_mut(&peer) else {
            return;
        };
        entry.prefer(&addresses);
        entry.source = 0;
        entry.seen_ms = seen_ms;
        entry.last_seen = wall;
        if joined {
            entry.joined = true;
            entry.not_before = Mono::ZERO;
        }
        if joined {
            self.persist(peer);
        } else {
            self.dialling.want(peer, self.limits.wanted_max);
        }
        if entered != Entered::Already {
            self.event(Event::Discovered { peer, by: None });
        }
        self.dialling.soon(self.now.mono);
        self.fill();
    }

    fn start(&mut self) {
        if self.phase != Phase::Waiting {
            return;
        }
        self.phase = Phase::Running;
        let mono = self.now.mono;
        self.dialling.start(mono, &self.config);
        self.discovery.start(mono);
        let pause = self.probe_pause();
        self.detector.start(mono, pause);
        self.refresh_own_record();
        self.fill();
    }

    /// Before the first input: what the store said becomes ages on the monotonic clock, counted
    /// from its newest entry, so that the time this node was off makes nobody old.
    fn begin(&mut self) {
        self.phase = Phase::Waiting;
        let mono = now_ms(self.now.mono);
        let newest = self
            .book
            .iter()
            .map(|(_, entry)| entry.last_seen)
            .max()
            .unwrap_or_default();
        for (_, entry) in self.book.iter_mut() {
            let age = newest
                .as_millis()
                .saturating_sub(entry.last_seen.as_millis());
            entry.seen_ms = mono.saturating_sub(i64::try_from(age).unwrap_or(i64::MAX));
        }
    }

    fn hear(&mut self, peer: NodeId) {
        let mono = self.now.mono;
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        link.heard = link.heard.max(mono);
        if self.detector.heard(&peer) {
            self.event(Event::Recovered { peer });
        }
    }

    fn frame(&mut self, frame: FromPeer<Frame>) {
        let peer = frame.peer();
        if let Frame::Heartbeat(repute_protocol::Heartbeat::Pong { nonce }) = frame.value() {
            self.time_round_trip(peer, *nonce);
        }
        if !self.links.contains_key(&peer) {
            return;
        }
        self.hear(peer);
        let asks = matches!(frame.value(), Frame::Heartbeat(_) | Frame::PeerDiscovery(_));
        if asks && !self.within_budget(peer) {
            return;
        }
        self.layers.pass(Layer::Application);
        match frame.into_value() {
            Frame::HandshakeAck(ack) => self.admitted(peer, ack),
            Frame::Disconnect(disconnect) => {
                if let Some(link) = self.links.get_mut(&peer) {
                    link.farewell = Some(disconnect);
                }
            }
            Frame::Heartbeat(heartbeat) => self.heartbeat(peer, heartbeat),
            Frame::PeerDiscovery(request) => self.answer_discovery(peer, request),
            Frame::PeerAnnouncement(announcement) => self.announced(peer, announcement),
            _ => {}
        }
    }

    /// Takes a token for a heartbeat or request; over budget it is dropped, and reported once a
    /// second.
    fn within_budget(&mut self, peer: NodeId) -> bool {
        let mono = self.now.mono;
        let Some(link) = self.links.get_mut(&peer) else {
            return false;
        };
        if link.control.take(mono, 1) {
            self.layers.pass(Layer::LinkQuota);
            return true;
        }
        self.layers.refuse(
            Layer::LinkQuota,
            "heartbeats and requests beyond the budget",
        );
        if link
            .reported
            .is_none_or(|at| mono.since(at) >= Duration::from_secs(1))
        {
            link.reported = Some(mono);
            self.accuse(peer, Misbehaviour::BudgetExceeded);
        }
        false
    }

    fn stand(&mut self, peer: NodeId, trust: repute_base::Fixed, gate_open: bool, useful: bool) {
        if peer == self.me {
            return;
        }
        self.book.gate(peer, gate_open, self.limits.gated_max);
        if let Some(entry) = self.book.get_mut(&peer) {
            entry.trust = trust;
            entry.useful = useful;
        }
        if let Err(reason) = self.standing(&peer) {
            self.close(peer, reason);
        }
    }

    fn shutdown(&mut self) {
        if self.is_stopped() {
            return;
        }
        self.choose_anchors();
        let peers: Vec<NodeId> = self.links.keys().copied().collect();
        for peer in peers {
            self.close(peer, DisconnectReason::Shutdown);
        }
        self.phase = Phase::Stopped;
    }

    fn tick(&mut self) {
        if !self.is_running() {
            return;
        }
        self.detect();
        self.expire_half_open();
        self.expire_hearings();
        self.expire_dials();
        self.maintain();
        self.fill();
        self.feel();
        self.discover();
    }
}

impl Machine for Peers {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Timestamp, input: Input) {
        debug_assert!(
            self.outputs.is_empty(),
            "drain the outputs before the next input"
        );
        // Timers run on the largest reading seen: a clock that steps back stops them, no more.
        self.now = Timestamp {
            mono: self.now.mono.max(now.mono),
            wall: now.wall,
        };
        if self.phase == Phase::Restoring {
            self.begin();
        }
        match input {
            Input::Start => self.start(),
            Input::Join { peer, addresses } => self.named(peer, &addresses, true),
            Input::Found { peer, addresses } => self.named(peer, &addresses, false),
            Input::LinkUp {
                peer,
                link,
                handshake,
                remote,
                inbound,
            } => {
                self.link_up(peer, link, &handshake, remote, inbound);
            }
            Input::LinkDown { peer, link, cause } => self.link_down(peer, link, cause),
            Input::DialFailed { peer, cause } => self.dial_failed(peer, cause),
            Input::Frame(frame) => self.frame(frame),
            Input::Heard { peer } => self.hear(peer),
            Input::RecordVerified(envelope) => self.record_verified(&envelope),
            Input::RecordForged { from } => self.record_forged(from),
            Input::OwnRecord(envelope) => self.own_record(Verified::into_inner(envelope)),
            Input::Listening { addresses } => self.listening(&addresses),
            Input::Standing {
                peer,
                trust,
                gate_open,
                useful,
            } => {
                self.stand(peer, trust, gate_open, useful);
            }
            Input::Visit { peer, addresses } => self.visit(peer, &addresses),
            Input::Leave { peer } => self.leave(peer),
            Input::Wanted { peer } => {
                if self.book.get(&peer).is_some() && !self.links.contains_key(&peer) {
                    self.dialling.want(peer, self.limits.wanted_max);
                    self.dialling.soon(self.now.mono);
                    self.fill();
                }
            }
            Input::Protected { peers } => {
                self.protected = peers.into_iter().take(Limits::LINKS_MAX).collect();
            }
            Input::Barred { prefixes } => self.bar(prefixes),
            Input::Appeal { peer, text } => self.appeal(peer, text),
            Input::Drop { peer, reason } => self.close(peer, reason),
            Input::Shutdown => self.shutdown(),
            Input::Tick => self.tick(),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Mono> {
        if !self.is_running() {
            return None;
        }
        [
            Some(self.detector.deadline()),
            Some(self.dialling.deadline(self.limits.dial_timeout)),
            Some(self.discovery.deadline()),
            self.half_open_deadline(),
            self.appeals.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

impl core::fmt::Debug for Peers {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Peers")
            .field("me", &self.me)
            .field("known", &self.book.len())
            .field("links", &self.links.len())
            .finish_non_exhaustive()
    }
}

/// A capability list in its smallest form.
pub(crate) fn compact<T: Clone>(items: &[T]) -> Box<[T]> {
    items.into()
}
