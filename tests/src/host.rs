use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use repute_base::{Address, BoundedString, BoundedVec, Mono, Rng, Timestamp, Wall};
use repute_identity::{Identity, NodeId};
use repute_node::{
    Command, Config, Core, Event, Input, Output,
    peers::{DialFailure, LinkDown},
};
use repute_protocol::{
    Admission, Broadcast, Capability, Disconnect, Envelope, Frame, FrameHeader, FromPeer,
    GossipFrame, Handshake, MessageId, Misbehaviour, Seq, Topic, VERSION, VERSION_MIN,
};
use repute_sim::{Host, HostEvent, LinkEnd, Outbox, Seat};

use crate::{
    application::{Application, Delivery},
    attack::{Adversary, Hostile, Lent, Shell},
    canary::{Canary, Planted},
    disk::Disk,
    files::{self, Files},
    verdicts::Verdicts,
};

/// Frames kept that overtook the handshake of their link.
const EARLY_MAX: usize = 64;
/// How long a write takes to be durable, in ms.
const WRITE_MS: std::ops::Range<u64> = 2..25;

/// What a life of a node is made of.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) identity: Identity,
    pub(crate) config: Config,
    pub(crate) topic: Topic,
    pub(crate) tickets: Vec<(NodeId, Address)>,
    pub(crate) verdicts: Verdicts,
    pub(crate) planted: Planted,
    /// Keep every frame that comes, to play it again.
    pub(crate) record: bool,
    /// Whether nodes answer requests of the DHT.
    pub(crate) serves_dht: bool,
}

/// How long a write may take, and the tick before it; what is added to the interval in which the
/// engine gathers rows, to tell which deliveries a crash may leave unrecorded.
const WRITE_SLACK: Duration = Duration::from_millis(100);

struct Link {
    remote: Address,
    inbound: bool,
    up: bool,
    early: Vec<Bytes>,
    farewell: Option<Disconnect>,
}

/// A dial under way, and where else the peer may be.
struct Dial {
    peer: NodeId,
    at: Address,
    left: VecDeque<Address>,
}

/// One whole [`Core`] with the shell that the simulation gives it.
pub struct CoreHost {
    pub(crate) plan: Plan,
    pub(crate) core: Core,
    pub(crate) disk: Disk,
    pub(crate) wall: Wall,
    pub(crate) steps: u64,
    /// What the application saw.
    pub app: Application,
    pub(crate) recorded: Vec<(NodeId, Bytes)>,
    /// What makes an attacker of it.
    pub(crate) hostile: Option<Box<Hostile>>,
    /// Its files, and what it does with requests for them.
    pub files: Files,
    /// Whether its handshakes say that it comes to appeal, and that it serves the DHT.
    appealing: bool,
    serving: bool,
    address: Address,
    rng: Rng,
    booted: Mono,
    last: Mono,
    /// Since when its timers are served in time.
    awake: Mono,
    life: u32,
    links: BTreeMap<NodeId, Link>,
    dials: Vec<Dial>,
    bans_asked: BTreeMap<u64, NodeId>,
    tokens: u64,
    hops: u8,
}

impl CoreHost {
    /// The first life of a node.
    pub(crate) fn new(seat: Seat, plan: Plan, disk: Disk) -> Result<Self, String> {
        Self::live(seat, plan, disk, Application::default(), 0)
    }

    /// The same node behind a shell that lies.
    pub(crate) fn possessed(mut self, hostile: Hostile) -> Self {
        self.hostile = Some(Box::new(hostile));
        self
    }

    /// The next life of a node, from its disk alone.
    pub(crate) fn reborn(self, seat: Seat) -> Result<Self, String> {
        // A process that stands still writes nothing, whatever was handed to it meanwhile.
        let stopped = self.next_deadline().map_or(self.last, |due| {
            self.last.min(self.booted + due.since(Mono::ZERO))
        });
        let mut app = self.app;
        // What was delivered in the last moments may come again: its record was not durable.
        let unrecorded = self.plan.config.gossip.persist_interval + WRITE_SLACK;
        for delivery in app.deliveries.values_mut() {
            if stopped.since(delivery.at.max(self.awake)) <= unrecorded {
                delivery.life = u32::MAX;
            }
        }
        let disk = self.disk.after_crash();
        let next = Self::live(seat, self.plan, disk, app, self.life + 1)?;
        Ok(Self {
            hostile: self.hostile,
            files: self.files.reborn(),
            ..next
        })
    }

    fn live(
        seat: Seat,
        plan: Plan,
        mut disk: Disk,
        mut app: Application,
        life: u32,
    ) -> Result<Self, String> {
        let mut rng = seat.rng;
        let mut snapshot = disk.snapshot(seat.now.wall);
        snapshot.inception = Some(*plan.identity.inception());
        if disk.unreadable > 0 {
            app.breaches
                .push(format!("{} unreadable rows", disk.unreadable));
        }
        let core = Core::new(seat.id, plan.config.clone(), snapshot, None, rng.fork())
            .map_err(|error| error.to_string())?;
        let host = Self {
            plan,
            core,
            disk,
            wall: seat.now.wall,
            steps: 0,
            app,
            recorded: Vec::new(),
            hostile: None,
            files: Files::default(),
            appealing: false,
            serving: false,
            address: seat.address,
            rng,
            booted: seat.at,
            last: seat.at,
            awake: seat.at,
            life,
            links: BTreeMap::new(),
            dials: Vec::new(),
            bans_asked: BTreeMap::new(),
            tokens: 0,
            hops: 0,
        };
        Ok(host)
    }

    /// The engines of this node.
    pub const fn core(&self) -> &Core {
        &self.core
    }

    /// Whether peers of this node have an admitted link with it, as it sees it.
    pub fn links(&self) -> usize {
        self.core.peers().active().count()
    }

    /// Whether this life of the node took the message in or published it, so that it can give it
    /// to others.
    pub fn holds(&self, id: &MessageId) -> bool {
        let delivery = self.app.deliveries.get(id);
        let own = |(published, at): &(MessageId, Mono)| published == id && *at >= self.booted;
        delivery.is_some_and(|delivery| delivery.life == self.life)
            || self.app.published.iter().any(own)
    }

    pub(crate) fn is_linked(&self, peer: &NodeId) -> bool {
        self.links.contains_key(peer)
    }

    pub(crate) fn publish(&mut self, now: Timestamp, data: Bytes, out: &mut Outbox<Bytes>) {
        self.tokens += 1;
        let command = Command::Publish {
            token: self.tokens,
            topic: self.plan.topic.clone(),
            kind: 0,
            causal: false,
            data,
        };
        self.feed(now, Input::Command(command), out);
    }

    /// The application or the operator wants something.
    pub(crate) fn command(&mut self, now: Timestamp, command: Command, out: &mut Outbox<Bytes>) {
        self.feed(now, Input::Command(command), out);
    }

    /// The operator bans somebody for ever.
    pub(crate) fn ban(&mut self, now: Timestamp, subject: NodeId, out: &mut Outbox<Bytes>) {
        self.tokens += 1;
        self.bans_asked.insert(self.tokens, subject);
        let command = Command::Ban {
            token: self.tokens,
            subject,
            duration: None,
            reason: BoundedString::truncated("by the operator"),
        };
        self.feed(now, Input::Command(command), out);
    }

    /// The operator recommends somebody, or warns of it.
    pub(crate) fn recommend(
        &mut self,
        now: Timestamp,
        (subject, value): (NodeId, i8),
        out: &mut Outbox<Bytes>,
    ) {
        self.tokens += 1;
        let command = Command::Recommend {
            token: self.tokens,
            subject,
            value,
            reason: BoundedString::truncated("as the operator sees it"),
        };
        self.feed(now, Input::Command(command), out);
    }

    /// The operator withdraws a source of recommendations.
    pub(crate) fn withdraw(&mut self, now: Timestamp, source: NodeId, out: &mut Outbox<Bytes>) {
        self.tokens += 1;
        let command = Command::Withdraw {
            token: self.tokens,
            source,
            readmit: false,
        };
        self.feed(now, Input::Command(command), out);
    }

    /// What this node thinks of somebody, from 0 to 1.
    pub fn trust_in(&self, subject: NodeId) -> f64 {
        self.core
            .trust()
            .standing(subject, self.wall)
            .trust
            .to_f64()
    }

    /// Plays frames to the core as if `from` had sent them again.
    pub(crate) fn replay(
        &mut self,
        now: Timestamp,
        from: NodeId,
        frames: &[Bytes],
        out: &mut Outbox<Bytes>,
    ) {
        for frame in frames {
            self.frame(now, from, frame.clone(), out);
        }
    }

    /// Feeds an input and does all that follows from it, as the runtime does.
    pub(crate) fn feed(&mut self, now: Timestamp, input: Input, out: &mut Outbox<Bytes>) {
        self.last = self.booted + now.mono.since(Mono::ZERO);
        self.wall = now.wall;
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.core.handle(now, input);
            while let Some(output) = self.core.poll_output() {
                self.perform(now, output, &mut inputs, out);
            }
        }
    }

    fn perform(
        &mut self,
        now: Timestamp,
        output: Output,
        inputs: &mut VecDeque<Input>,
        out: &mut Outbox<Bytes>,
    ) {
        match output {
            Output::Dial { peer, addresses } => {
                let left = VecDeque::from(addresses);
                if !self.dial(peer, left, out) {
                    inputs.push_back(unreachable(peer));
                }
            }
            Output::Send { peer, frame, .. } => {
                // The virtual link takes everything at once; what it costs is time.
                let bytes = frame.len();
                inputs.push_back(Input::Drained { peer, bytes });
                if self.may_say(now, peer, &frame, out) {
                    self.app.payload_frames_sent += u64::from(is_broadcast(&frame));
                    out.send(peer, frame);
                }
            }
            Output::Appealing(appealing) => self.appealing = appealing,
            Output::Serving(serving) => self.serving = serving && self.plan.serves_dht,
            Output::Transfer(output) => {
                let answer = self.files.perform(now.mono, output, out);
                inputs.extend(answer.map(Input::Transfer));
            }
            Output::Close { peer, disconnect } => {
                out.send(peer, Frame::Disconnect(disconnect).encode());
                out.close(peer);
            }
            Output::Verify { from, envelope } => {
                if self.plan.planted.strikes(Canary::ForwardsUnchecked, 20) {
                    self.forward_unchecked(from, &envelope, out);
                }
                inputs.push_back(match self.plan.verdicts.verify(envelope) {
                    Ok(envelope) => Input::Verified { from, envelope },
                    Err(envelope) => {
                        self.app.provoked_by.insert(from);
                        Input::Forged { from, envelope }
                    }
                });
            }
            Output::Sign { token, unsigned } => {
                self.counted(unsigned.seq);
                let envelope = unsigned.sign(&self.plan.identity);
                inputs.push_back(Input::Signed { token, envelope });
            }
            Output::Attest { token, statement } => {
                self.app.attested.push(statement.clone());
                inputs.push_back(Input::Attested {
                    token,
                    signature: self.plan.identity.sign(&statement),
                });
            }
            Output::Persist { id, writes } => {
                self.app.writes += 1;
                let mut ms = self.rng.range(WRITE_MS);
                if self.plan.planted.is(Canary::DrawsAmbient) {
                    ms += self.plan.planted.ambient() % 8;
                }
                let delay = Duration::from_millis(ms);
                self.disk.write(now.mono, delay, id, &writes);
                if self.plan.planted.is(Canary::AcknowledgesEarly) {
                    inputs.push_back(Input::Persisted(id));
                }
            }
            Output::Event(event) => self.event(event, out),
            _ => {}
        }
    }

    fn event(&mut self, event: Event, out: &mut Outbox<Bytes>) {
        match event {
            Event::Message { envelope, .. } => self.delivered(envelope.id(), envelope.author()),
            Event::Published { id, .. } => self.app.published.push((id, self.last)),
            Event::Misbehaved { peer, kind } => out.accuse(peer, kind),
            Event::Banned(ban) if ban.by == repute_node::trust::By::Rule => {
                self.app.banned.insert(ban.subject);
            }
            Event::Done { token } => {
                let asked = self.bans_asked.remove(&token);
                if asked.is_some_and(|subject| !self.disk.keeps_ban(&subject)) {
                    let early = "acknowledged a ban before it was durable";
                    self.app.breaches.push(early.into());
                }
                self.app.acknowledged.extend(asked);
            }
            Event::Blobs(event) => self.files.events.push(event),
            Event::ProvenFault { peer } => {
                self.app.proven.insert(peer);
            }
            Event::Silent { peer } => {
                self.app.silent.insert(peer);
            }
            _ => {}
        }
    }

    fn delivered(&mut self, id: MessageId, author: NodeId) {
        let delivery = Delivery {
            at: self.last,
            hops: self.hops,
            life: self.life,
        };
        let earlier = self.app.deliveries.insert(id, delivery);
        match earlier {
            Some(earlier) if earlier.life == u32::MAX => self.app.redelivered += 1,
            Some(earlier) => self.app.breaches.push(format!(
                "delivered {id} twice, in life {} and {}",
                earlier.life, self.life
            )),
            None => {}
        }
        if author == self.core.me() {
            self.app.breaches.push(format!("delivered its own {id}"));
        }
    }

    /// Each envelope of a node has a number of its own, over all its lives.
    fn counted(&mut self, seq: Seq) {
        if self.app.last_seq.is_some_and(|last| last >= seq) {
            let again = format!("numbered an envelope {seq:?} again");
            self.app.breaches.push(again);
        }
        self.app.last_seq = Some(seq);
    }

    fn forward_unchecked(&self, from: NodeId, envelope: &Envelope, out: &mut Outbox<Bytes>) {
        let broadcast = Frame::Broadcast(Broadcast {
            hops: 1,
            ttl: 8,
            requested: false,
            envelope: envelope.clone(),
        });
        let wire = broadcast.encode();
        for (peer, _) in self.links.iter().filter(|(_, link)| link.up) {
            if *peer != from {
                out.send(*peer, wire.clone());
            }
        }
    }

    fn shake_hands(&self, now: Timestamp) -> Bytes {
        Frame::Handshake(Handshake {
            version_min: VERSION_MIN,
            version_max: VERSION,
            network: self.plan.config.network,
            inception: *self.plan.identity.inception(),
            capabilities: BoundedVec::truncated(
                [
                    self.appealing.then_some(Capability::APPEAL),
                    self.serving.then_some(Capability::DHT),
                ]
                .into_iter()
                .flatten(),
            ),
            listen: BoundedVec::truncated([self.address]),
            wall: now.wall.as_millis(),
            agent: BoundedString::truncated("simulated"),
        })
        .encode()
    }

    /// A frame, or what claims to be one, came over a link.
    fn packet(&mut self, now: Timestamp, from: NodeId, packet: Bytes, out: &mut Outbox<Bytes>) {
        let Some(link) = self.links.get_mut(&from) else {
            return;
        };
        if link.up && files::is_transfer(&packet) {
            for input in self.files.hears(from, &packet) {
                self.feed(now, Input::Transfer(input), out);
            }
            return;
        }
        if link.up {
            return self.frame(now, from, packet, out);
        }
        // The links of the simulation may reorder; a stream would not.
        match decode(&packet) {
            Some(Frame::Handshake(handshake)) => {
                let admission = Admission {
                    network: self.plan.config.network,
                    own: self.core.me(),
                    link_key: &handshake.inception.key.clone(),
                    dialled: Some(from),
                };
                if let Err(reason) = handshake.judge(&admission) {
                    self.app
                        .breaches
                        .push(format!("refused {from}: {reason:?}"));
                    return out.close(from);
                }
                link.up = true;
                if let Some(hostile) = &mut self.hostile {
                    hostile.met(from);
                }
                let early = core::mem::take(&mut link.early);
                let input = Input::LinkUp {
                    peer: from,
                    handshake,
                    remote: link.remote,
                    inbound: link.inbound,
                };
                self.feed(now, input, out);
                for packet in early {
                    self.frame(now, from, packet, out);
                }
            }
            _ if link.early.len() < EARLY_MAX => link.early.push(packet),
            _ => {}
        }
    }

    fn frame(&mut self, now: Timestamp, from: NodeId, packet: Bytes, out: &mut Outbox<Bytes>) {
        match decode(&packet) {
            // The network's own copy of the first frame: a stream has none.
            Some(Frame::Handshake(_)) => {}
            Some(Frame::Disconnect(disconnect)) => {
                if let Some(link) = self.links.get_mut(&from) {
                    link.farewell = Some(disconnect);
                }
            }
            Some(frame) => {
                if let Frame::Broadcast(broadcast) = &frame {
                    self.app.payload_frames += 1;
                    self.hops = broadcast.hops;
                    let id = broadcast.envelope.id();
                    let copy = self.app.deliveries.contains_key(&id);
                    if copy && self.plan.planted.is(Canary::AccusesOfCopies) {
                        out.accuse(from, Misbehaviour::BudgetExceeded);
                    }
                }
                if self.plan.planted.is(Canary::IgnoresRepair) && is_repair(&frame) {
                    return;
                }
                if self.plan.record {
                    self.recorded.push((from, packet));
                }
                if self.hostile.is_some()
                    && self.conspire(now, out, |who, me| who.hears(me, from, &frame)) == Some(false)
                {
                    return;
                }
                let frame = FromPeer::authenticated(from, frame);
                self.feed(now, Input::Frame(frame), out);
            }
            None => {
                self.app.provoked_by.insert(from);
                let kind = Misbehaviour::MalformedFrame;
                self.feed(now, Input::Violation { peer: from, kind }, out);
            }
        }
    }

    fn dial_failed(&mut self, now: Timestamp, address: Address, out: &mut Outbox<Bytes>) {
        let Some(at) = self.dials.iter().position(|dial| dial.at == address) else {
            return;
        };
        let Dial { peer, left, .. } = self.dials.remove(at);
        if !self.dial(peer, left, out) {
            self.feed(now, unreachable(peer), out);
        }
    }

    /// Tries the next address, if there is one.
    fn dial(&mut self, peer: NodeId, mut left: VecDeque<Address>, out: &mut Outbox<Bytes>) -> bool {
        let Some(at) = left.pop_front() else {
            return false;
        };
        out.dial(at, Some(peer));
        self.dials.push(Dial { peer, at, left });
        true
    }

    fn link_down(&mut self, now: Timestamp, peer: NodeId, end: LinkEnd, out: &mut Outbox<Bytes>) {
        let Some(link) = self.links.remove(&peer) else {
            return;
        };
        self.files.link_down(peer);
        if let Some(hostile) = &mut self.hostile {
            hostile.lost(&peer);
        }
        if self.plan.planted.strikes(Canary::HidesLostLinks, 10) {
            return;
        }
        let input = match (link.up, link.farewell, end) {
            (true, Some(disconnect), _) => Input::LinkDown {
                peer,
                cause: LinkDown::Closed(disconnect),
            },
            (true, None, LinkEnd::Here) => Input::LinkDown {
                peer,
                cause: LinkDown::Local,
            },
            (true, None, _) => Input::LinkDown {
                peer,
                cause: LinkDown::Lost,
            },
            (false, farewell, _) if !link.inbound => Input::DialFailed {
                peer,
                cause: farewell.map_or(DialFailure::Unreachable, DialFailure::Refused),
            },
            _ => return,
        };
        self.feed(now, input, out);
    }

    fn tick(&mut self, now: Timestamp, out: &mut Outbox<Bytes>) {
        let due = self.next_deadline().unwrap_or(now.mono);
        if now.mono.since(due) >= WRITE_SLACK / 2 {
            self.awake = self.last;
        }
        while let Some(id) = self.disk.complete(now.mono) {
            self.feed(now, Input::Persisted(id), out);
        }
        if self.core.next_deadline().is_some_and(|due| due <= now.mono) {
            self.feed(now, Input::Tick, out);
        }
        for input in self.files.pump(now.mono, out) {
            self.feed(now, Input::Transfer(input), out);
        }
        let turn = self.hostile.as_mut().is_some_and(|hostile| {
            hostile.release(now.mono, out);
            hostile.is_due(now.mono)
        });
        if turn {
            self.conspire(now, out, |who, me| who.acts(me));
        }
    }

    /// Lets the adversary, if it is one, do something in the place of this shell.
    fn conspire<R>(
        &mut self,
        now: Timestamp,
        out: &mut Outbox<Bytes>,
        act: impl FnOnce(&mut dyn Adversary, &mut Shell<'_>) -> R,
    ) -> Option<R> {
        let hostile = self.hostile.as_mut()?;
        let lent = Lent {
            now,
            at: self.last,
            identity: &self.plan.identity,
            network: self.plan.config.network,
            topic: &self.plan.topic,
            rng: &mut self.rng,
            out,
        };
        Some(hostile.with(lent, act))
    }

    /// Whether a frame of the core may leave; an adversary decides for itself.
    fn may_say(
        &mut self,
        now: Timestamp,
        to: NodeId,
        packet: &Bytes,
        out: &mut Outbox<Bytes>,
    ) -> bool {
        if self.hostile.is_none() {
            return true;
        }
        let Some(frame) = decode(packet) else {
            return true;
        };
        self.conspire(now, out, |who, me| who.says(me, to, &frame)) != Some(false)
    }

    /// Which life of the node this is; the first is 0.
    pub const fn life(&self) -> u32 {
        self.life
    }

    /// When this life began, on the world's clock.
    pub const fn began(&self) -> Mono {
        self.booted
    }

    /// How often a hostile node did anything.
    pub fn deeds_in_all(&self) -> u64 {
        let hostile = self.hostile.iter();
        hostile.flat_map(|hostile| hostile.deeds.values()).sum()
    }

    /// What a hostile node did, and how often.
    pub fn deeds(&self, what: &str) -> u64 {
        let hostile = self.hostile.as_ref();
        hostile
            .and_then(|hostile| hostile.deeds.get(what))
            .copied()
            .unwrap_or(0)
    }

    fn start(&mut self, now: Timestamp, out: &mut Outbox<Bytes>) {
        let addresses = vec![self.address];
        self.feed(now, Input::Listening { addresses }, out);
        let subscribe = Command::Subscribe {
            topic: self.plan.topic.clone(),
            causal: false,
        };
        self.feed(now, Input::Command(subscribe), out);
        for (peer, address) in self.plan.tickets.clone() {
            let addresses = vec![address];
            self.feed(now, Input::Command(Command::Join { peer, addresses }), out);
        }
        self.feed(now, Input::Start, out);
        for input in self.files.share_again() {
            self.feed(now, Input::Transfer(input), out);
        }
        // What was acknowledged must have come back from the disk.
        let bans = self.core.trust().bans(now.wall);
        for subject in &self.app.acknowledged {
            if !bans.iter().any(|ban| ban.subject == *subject) {
                let loss = format!("lost the acknowledged ban of {subject}");
                self.app.breaches.push(loss);
            }
        }
    }
}

fn unreachable(peer: NodeId) -> Input {
    Input::DialFailed {
        peer,
        cause: DialFailure::Unreachable,
    }
}

/// What a neighbour sends to find out what it lacks, and to get it.
const fn is_repair(frame: &Frame) -> bool {
    use GossipFrame::{Graft, Reconcile, Want};
    matches!(
        frame,
        Frame::Gossip(Graft { .. } | Reconcile { .. } | Want { .. })
    )
}

pub(crate) fn decode(packet: &Bytes) -> Option<Frame> {
    let header = FrameHeader::parse(*packet.first_chunk()?).ok()?;
    let body = packet.slice(FrameHeader::LEN..);
    (body.len() == header.body_len).then_some(())?;
    Frame::decode(header.kind?, body).ok()
}

fn is_broadcast(frame: &Bytes) -> bool {
    frame.get(4) == Some(&repute_protocol::FrameKind::Broadcast.number())
}

impl Host for CoreHost {
    type Packet = Bytes;

    fn handle(&mut self, now: Timestamp, event: HostEvent<Bytes>, out: &mut Outbox<Bytes>) {
        self.last = self.booted + now.mono.since(Mono::ZERO);
        self.steps += 1;
        match event {
            HostEvent::Start => self.start(now, out),
            HostEvent::Tick => self.tick(now, out),
            HostEvent::LinkUp {
                peer,
                address,
                dialled,
            } => {
                if dialled {
                    self.dials.retain(|dial| dial.peer != peer);
                }
                let link = Link {
                    remote: address,
                    inbound: !dialled,
                    up: false,
                    early: Vec::new(),
                    farewell: None,
                };
                self.links.insert(peer, link);
                out.send(peer, self.shake_hands(now));
            }
            HostEvent::LinkDown { peer, end } => self.link_down(now, peer, end, out),
            HostEvent::DialFailed { address, .. } => self.dial_failed(now, address, out),
            HostEvent::Packet { from, packet } => self.packet(now, from, packet, out),
            HostEvent::Datagram { .. } => {}
        }
    }

    fn next_deadline(&self) -> Option<Mono> {
        let attack = self.hostile.as_ref().map(|hostile| hostile.next_deadline());
        let files = self.files.next_deadline();
        let next = [
            self.core.next_deadline(),
            self.disk.next_due(),
            attack,
            files,
        ];
        next.into_iter().flatten().min()
    }

    fn broken_invariant(&self) -> Option<String> {
        // What an adversary does to its own core is its own affair.
        if self.hostile.is_some() {
            return None;
        }
        self.broken_rule()
    }

    fn size(packet: &Bytes) -> usize {
        packet.len()
    }
}
