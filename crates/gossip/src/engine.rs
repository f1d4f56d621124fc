use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use bytes::Bytes;
use repute_base::{Layer, Layers, Machine, Mono, Rng, Timestamp};
use repute_identity::NodeId;
use repute_protocol::{Frame, FromPeer, GossipFrame, MessageId, Misbehaviour, NetworkId};

use crate::{
    Config, ConfigError, Event, Input, Limits, Output, SeenAuthor, Stats,
    archive::Archive,
    doubt::Doubt,
    hash::{Keyed, Table},
    hold::Hold,
    lead::Lead,
    link::{Full, Link},
    maintenance::Maintenance,
    passive::Passive,
    patience::Patience,
    pending::Waiting,
    reconcile::Reconciler,
    repair::Missing,
    seen::Authors,
    topics::Topics,
};

/// A link that exceeds its budget is blamed once in this time.
const BLAME_PAUSE_MS: u64 = 10_000;

/// The gossip engine: HyParView membership and Plumtree broadcast as one machine.
#[derive(Clone, Debug)]
pub struct Gossip {
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) me: NodeId,
    pub(crate) network: NetworkId,
    pub(crate) rng: Rng,
    pub(crate) now: Timestamp,
    pub(crate) links: BTreeMap<NodeId, Link>,
    /// The active view, sorted.
    pub(crate) active: Vec<NodeId>,
    pub(crate) active_changed: bool,
    pub(crate) passive: Passive,
    pub(crate) archive: Archive,
    pub(crate) authors: Authors,
    pub(crate) pending: Table<MessageId, Waiting>,
    pub(crate) pending_bytes: usize,
    pub(crate) missing: Table<MessageId, Missing>,
    pub(crate) missing_due: BTreeSet<(Mono, MessageId)>,
    pub(crate) patience: Patience,
    pub(crate) lead: Lead,
    pub(crate) doubts: VecDeque<Doubt>,
    pub(crate) torn_until: Mono,
    /// When a new message was last pushed to us.
    pub(crate) pushed_at: Mono,
    /// New messages that were pushed to us.
    pub(crate) pushed: u64,
    pub(crate) hold: Hold,
    pub(crate) reconciler: Reconciler,
    pub(crate) topics: Topics,
    pub(crate) signing: BTreeSet<u64>,
    pub(crate) stats: Stats,
    pub(crate) layers: Layers,
    /// Until then, messages that all neighbours kept from us count as a sign of ill will.
    pub(crate) deprived_until: Mono,
    pub(crate) maintenance: Maintenance,
    said_ready: bool,
    flush_at: Option<Mono>,
    persist_at: Option<Mono>,
    outputs: VecDeque<Output>,
}

impl Gossip {
    /// An engine for the node `me` of `network`.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting is out of range.
    pub fn new(
        config: Config,
        limits: Limits,
        me: NodeId,
        network: NetworkId,
        mut rng: Rng,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let keyed = Keyed::new(&mut rng);
        Ok(Self {
            archive: Archive::new(&limits, keyed.clone()),
            authors: Authors::new(&limits, keyed.clone()),
            pending: Table::with_hasher(keyed.clone()),
            missing: Table::with_hasher(keyed),
            topics: Topics::new(&limits, me),
            passive: Passive::new(usize::from(config.passive_size)),
            config,
            limits,
            me,
            network,
            rng,
            now: Timestamp::default(),
            links: BTreeMap::new(),
            active: Vec::new(),
            active_changed: false,
            pending_bytes: 0,
            missing_due: BTreeSet::new(),
            patience: Patience::default(),
            lead: Lead::default(),
            doubts: VecDeque::new(),
            torn_until: Mono::ZERO,
            pushed_at: Mono::ZERO,
            pushed: 0,
            hold: Hold::default(),
            reconciler: Reconciler::default(),
            signing: BTreeSet::new(),
            stats: Stats::default(),
            layers: Layers::new(),
            deprived_until: Mono::ZERO,
            maintenance: Maintenance::default(),
            said_ready: true,
            flush_at: None,
            persist_at: None,
            outputs: VecDeque::new(),
        })
    }

    /// Takes back a row that an earlier run persisted. Call before the first input.
    pub fn restore_seen(&mut self, seen: SeenAuthor) {
        self.authors.restore(seen);
    }

    /// Whether another publish is accepted now: not too many wait for their signature, no neighbour
    /// is about to take what waits for it, and not all links that would carry it are congested.
    pub fn is_ready(&self) -> bool {
        if self.signing.len() >= self.limits.signing_max || self.hold.is_on() {
            return false;
        }
        let mut eager = self
            .active
            .iter()
            .filter_map(|peer| self.links.get(peer))
            .filter(|link| link.eager)
            .peekable();
        eager.peek().is_none() || eager.any(|link| !link.is_congested(&self.limits))
    }

    /// The active view, sorted.
    pub fn active_view(&self) -> Vec<NodeId> {
        self.active.clone()
    }

    /// The link score of a peer in thousandths of a point, if it is linked.
    pub fn link_score(&self, peer: NodeId) -> Option<i64> {
        self.links.get(&peer).map(|link| link.score.total())
    }

    /// The deadlines of which every millisecond counts: what is on its way waits for them. How late
    /// they are served says how busy this node is; the others may be served late on purpose.
    pub fn next_urgent(&self) -> Option<Mono> {
        let missing = self.missing_due.first().map(|(at, _)| *at);
        let doubt = self.doubts.front().map(|doubt| doubt.due);
        [self.flush_at, missing, doubt, self.hold.next_due()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Counters and sizes.
    pub fn stats(&self) -> Stats {
        let eager = |peer: &&NodeId| self.links.get(*peer).is_some_and(|link| link.eager);
        Stats {
            active: self.active.len(),
            eager: self.active.iter().filter(eager).count(),
            passive: self.passive.len(),
            retained: self.archive.retained_len(),
            retained_bytes: self.archive.retained_bytes(),
            ids: self.archive.len(),
            pending: self.pending.len(),
            missing: self.missing.len(),
            held: self.topics.held_len(),
            ..self.stats
        }
    }

    /// What the layers between content and application let through and refused here. What broke a
    /// rule is told as [`Output::Misbehaviour`] and counted by whoever hears it, but for exceeded
    /// budgets, which are told rarely and counted here each time.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    pub(crate) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn accuse(&mut self, peer: NodeId, kind: Misbehaviour) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.score.invalid();
        }
        self.maintain_soon();
        self.emit(Output::Misbehaviour { peer, kind });
    }

    /// Writes a frame to a link, or queues it. False when the queue is full.
    pub(crate) fn send_bytes(&mut self, peer: NodeId, frame: &Bytes) -> bool {
        let Some(link) = self.links.get_mut(&peer) else {
            return false;
        };
        match link.offer(frame, &self.limits) {
            Ok(Some(frame)) => {
                let urgent = false;
                self.emit(Output::Send {
                    peer,
                    frame,
                    urgent,
                });
            }
            Ok(None) => self.note_queued(peer),
            Err(Full) => return false,
        }
        true
    }

    /// Sends a control frame past the queue; counts it when the link takes nothing any more.
    pub(crate) fn send_control(&mut self, peer: NodeId, frame: GossipFrame) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        let frame = Frame::Gossip(frame).encode();
        if link.takes_urgent(frame.len(), &self.limits) {
            let urgent = true;
            self.emit(Output::Send {
                peer,
                frame,
                urgent,
            });
        } else {
            self.stats.announcements_dropped += 1;
        }
    }

    /// Announcements go out within the interval; at once where the tree is torn.
    pub(crate) fn schedule_flush(&mut self) {
        if self.is_torn() {
            return self.flush_soon();
        }
        self.flush_at
            .get_or_insert(self.now.mono + self.config.interval);
    }

    pub(crate) const fn flush_soon(&mut self) {
        self.flush_at = Some(self.now.mono);
    }

    pub(crate) fn schedule_persist(&mut self) {
        self.persist_at
            .get_or_insert(self.now.mono + self.config.persist_interval);
    }

    fn on_frame(&mut self, frame: FromPeer<Frame>) {
        let peer = frame.peer();
        let now = self.now.mono;
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        // Taken whatever the frame turns out to be: refused content uses up its link, too.
        let within = match frame.value() {
            Frame::Broadcast(_) => link.frames.take(now, 1),
            Frame::Gossip(_) => link.control.take(now, 1),
            _ => return,
        };
        if !within && link.blamed_until <= now {
            link.blamed_until = now + core::time::Duration::from_millis(BLAME_PAUSE_MS);
            self.emit(Output::Misbehaviour {
                peer,
                kind: Misbehaviour::BudgetExceeded,
            });
        }
        if let Frame::Broadcast(broadcast) = frame.value()
            && !self.content(peer, broadcast)
        {
            return;
        }
        self.layers.pass(Layer::Content);
        if !within {
            self.stats.dropped_by_link += 1;
            return self
                .layers
                .refuse(Layer::LinkQuota, "over the link's budget");
        }
        self.layers.pass(Layer::LinkQuota);
        if stirs(frame.value()) {
            self.maintain_soon();
        }
        match frame.into_value() {
            Frame::Broadcast(broadcast) => self.on_broadcast(peer, broadcast),
            Frame::Gossip(control) => self.on_control(peer, control),
            _ => {}
        }
    }

    fn on_control(&mut self, peer: NodeId, frame: GossipFrame) {
        self.layers.pass(Layer::Application);
        match frame {
            GossipFrame::Join => self.on_join(peer),
            GossipFrame::ForwardJoin { peer: subject, ttl } => {
                self.on_forward_join(peer, subject, ttl);
            }
            GossipFrame::Neighbor { urgent } => self.on_neighbor(peer, urgent),
            GossipFrame::NeighborReply { accepted } => self.on_neighbor_reply(peer, accepted),
            GossipFrame::Shuffle { origin, ttl, peers } => {
                self.on_shuffle(peer, origin, ttl, peers);
            }
            GossipFrame::ShuffleReply { peers } => self.on_shuffle_reply(peers),
            GossipFrame::Leave => self.on_leave(peer),
            GossipFrame::Announce { messages } => self.on_announce(peer, messages),
            GossipFrame::Graft { messages } => self.on_graft(peer, messages),
            GossipFrame::Prune => self.on_prune(peer),
            GossipFrame::Reconcile {
                session,
                initiator,
                body,
            } => {
                self.on_reconcile(peer, session, initiator, &body);
            }
            GossipFrame::Want { messages } => self.on_want(peer, messages),
        }
    }

    fn on_drained(&mut self, peer: NodeId, bytes: usize) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        link.outstanding = link.outstanding.saturating_sub(bytes);
        self.pump(peer);
        self.note_drained(peer, bytes);
    }

    /// Lets flow to a link what its credit allows: what it asked for, because others may soon have
    /// it no more; then queued frames, then announcements.
    pub(crate) fn pump(&mut self, peer: NodeId) {
        self.serve(peer);
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        while let Some(frame) = link.next_queued(&self.limits) {
            let urgent = false;
            self.outputs.push_back(Output::Send {
                peer,
                frame,
                urgent,
            });
        }
        let waiting = self
            .links
            .get(&peer)
            .is_some_and(|link| !link.announce.is_empty() && !link.is_congested(&self.limits));
        if waiting {
            self.schedule_flush();
        }
    }

    /// Bounded by the number of authors that are remembered.
    fn persist_all(&mut self) {
        self.persist_at = None;
        while self.authors.is_dirty() {
            let rows = self
                .authors
                .take_dirty(self.limits.persist_batch_max.max(1));
            self.emit(Output::Persist { rows });
        }
    }

    fn on_tick(&mut self) {
        let now = self.now.mono;
        if let Some(due) = self.next_urgent() {
            self.patience.woke_late(now.since(due));
        }
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush_at = None;
            self.flush_announcements();
        }
        self.chase_missing();
        self.judge_doubts();
        if self.persist_at.is_some_and(|at| at <= now) {
            self.persist_at = None;
            let rows = self
                .authors
                .take_dirty(self.limits.persist_batch_max.max(1));
            if !rows.is_empty() {
                self.emit(Output::Persist { rows });
            }
            if self.authors.is_dirty() {
                self.schedule_persist();
            }
        }
        let late = self.topics.overdue(now);
        self.deliver_all(late);
        if self.maintenance.is_due(now) {
            self.maintain();
        }
    }

    fn settle(&mut self) {
        if core::mem::take(&mut self.active_changed) {
            let peers = self.active.clone();
            self.emit(Output::Active { peers });
        }
        self.settle_hold();
        let ready = self.is_ready();
        if ready && !self.said_ready {
            self.emit(Output::Event(Event::Ready));
        }
        self.said_ready = ready;
    }
}

/// Whether a frame changes what maintenance looks after; the background's own do not.
const fn stirs(frame: &Frame) -> bool {
    !matches!(
        frame,
        Frame::Gossip(
            GossipFrame::Shuffle { .. }
                | GossipFrame::ShuffleReply { .. }
                | GossipFrame::Reconcile { .. }
                | GossipFrame::ForwardJoin { .. }
        )
    )
}

impl Machine for Gossip {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Timestamp, input: Input) {
        debug_assert!(
            self.outputs.is_empty(),
            "drain the outputs before the next input"
        );
        // Timers never run backwards; validity windows follow the wall clock wherever it goes.
        self.now = Timestamp {
            mono: self.now.mono.max(now.mono),
            wall: now.wall,
        };
        match input {
            Input::PeerUp { peer, addresses } => {
                self.maintain_soon();
                self.on_peer_up(peer, addresses);
            }
            Input::Dialled { peer } => self.on_dialled(peer),
            Input::PeerDown { peer } => {
                self.maintain_soon();
                self.on_peer_down(peer);
            }
            Input::Unreachable { peer } => self.on_unreachable(peer),
            Input::Frame(frame) => self.on_frame(frame),
            Input::Verified { from, envelope } => self.on_verified(from, envelope),
            Input::Forged { from, envelope } => self.on_forged(from, &envelope),
            Input::Unchecked { from, envelope } => self.on_unchecked(from, &envelope),
            Input::Publish {
                topic,
                kind,
                data,
                causal,
                token,
            } => {
                self.on_publish(topic, kind, data, causal, token);
            }
            Input::Signed { envelope, token } => {
                self.maintain_soon();
                self.on_signed(envelope, token);
            }
            Input::Subscribe { topic, causal } => {
                let released = self.topics.subscribe(topic, causal);
                self.deliver_all(released);
            }
            Input::Unsubscribe { topic } => self.topics.unsubscribe(&topic),
            Input::Trust {
                peer,
                trust,
                distrusted,
            } => {
                self.maintain_soon();
                self.on_trust(peer, trust, distrusted);
            }
            Input::LinkQueue { peer, bytes } => self.on_drained(peer, bytes),
            Input::Shutdown => self.persist_all(),
            Input::Tick => self.on_tick(),
        }
        self.settle();
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Mono> {
        [
            self.next_urgent(),
            self.persist_at,
            self.maintenance.next_due(),
            self.topics.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
