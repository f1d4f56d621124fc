//! Two whole cores over a link, one of them among hostile peers: nobody honest is accused, warned
//! or banned by either.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use repute_base::{BoundedString, Rng, Timestamp};
use repute_identity::NodeId;
use repute_node::peers::{DialFailure, LinkDown};
use repute_node::trust::By;
use repute_node::{
    Command, Config, Core, Event, Input, Output, PersistId, Snapshot, trust::ReceiptsInput,
};
use repute_protocol::{
    Disconnect, Envelope, Frame, FrameHeader, FromPeer, Misbehaviour, Outcome, Service, Unsigned,
};

use super::{
    cast::{
        ME, address, handshake, honest, honest_broadcast, honest_control, honest_link_frame,
        honest_other, hostile, hostile_frame, id, identity, is_honest, network, peer, topic,
    },
    reader::{Clock, OPERATIONS_MAX, Reader, Timers, drain},
};

/// The other core.
const PARTNER: u8 = 0;
/// What the shell holds of each kind; beyond, the oldest is lost.
const HELD_MAX: usize = 64;
/// Links that an honest peer opens in one run: fewer than a flood.
const HONEST_LINKS_MAX: u32 = 100;

/// One core and its shell.
struct Node {
    n: u8,
    core: Core,
    /// Frames on their way to the other one.
    to_other: VecDeque<Bytes>,
    /// What it said when it closed its link to the other one.
    goodbye: Option<Disconnect>,
    said: VecDeque<Bytes>,
    dials: VecDeque<NodeId>,
    unanswered: VecDeque<(NodeId, Envelope)>,
    to_sign: VecDeque<(u64, Unsigned)>,
    to_attest: VecDeque<(u64, Vec<u8>)>,
    to_persist: VecDeque<PersistId>,
}

impl Node {
    fn new(n: u8, seed: u64) -> Self {
        let mut config = Config::on_network("fuzz");
        assert_eq!(config.network, network());
        config.peers.min_peers = 2;
        config.peers.max_peers = 6;
        config.peers.outbound_slots = 4;
        config.peers.prefix_links_max = 4;
        config.peers.prefix_outbound_max = 3;
        config.receipts.settle = Duration::from_secs(2);
        config.receipts.interval = Duration::from_secs(60);
        config.receipts.share = true;
        config.receipts.stamp_bits = 1;
        let snapshot = Snapshot {
            start: 1_690_000_000_000,
            inception: Some(*identity(n).inception()),
            ..Snapshot::default()
        };
        let core = Core::new(id(n), config, snapshot, None, Rng::from_u64(seed)).unwrap();
        Self {
            n,
            core,
            to_other: VecDeque::new(),
            goodbye: None,
            said: VecDeque::new(),
            dials: VecDeque::new(),
            unanswered: VecDeque::new(),
            to_sign: VecDeque::new(),
            to_attest: VecDeque::new(),
            to_persist: VecDeque::new(),
        }
    }

    const fn other(&self) -> u8 {
        if self.n == ME { PARTNER } else { ME }
    }

    fn give(&mut self, now: Timestamp, input: Input) {
        self.core.handle(now, input);
        for output in drain(&mut self.core) {
            match output {
                Output::Dial { peer, .. } => keep(&mut self.dials, peer),
                Output::Send { peer, frame, .. } => {
                    assert!(
                        decode(&frame).is_some(),
                        "what we send is what others accept"
                    );
                    if peer == id(self.other()) {
                        self.to_other.push_back(frame.clone());
                    }
                    keep(&mut self.said, frame);
                }
                Output::Close { peer, disconnect } if peer == id(self.other()) => {
                    self.goodbye = Some(disconnect);
                }
                Output::Verify { from, envelope } => keep(&mut self.unanswered, (from, envelope)),
                Output::Sign { token, unsigned } => keep(&mut self.to_sign, (token, unsigned)),
                Output::Attest { token, statement } => {
                    keep(&mut self.to_attest, (token, statement));
                }
                Output::Persist { id, .. } => keep(&mut self.to_persist, id),
                Output::Event(event) => self.judge(&event),
                _ => {}
            }
        }
    }

    fn judge(&self, event: &Event) {
        let accused = match event {
            Event::Misbehaved { peer, .. }
            | Event::Warned { peer, .. }
            | Event::ProvenFault { peer } => peer,
            Event::Banned(ban) if ban.by != By::Operator => &ban.subject,
            _ => return,
        };
        assert!(!is_honest(accused), "{} accuses: {event:?}", self.n);
    }

    fn answer(&mut self, now: Timestamp, at: usize, how: u8) {
        let at = at % self.unanswered.len().max(1);
        if let Some((from, envelope)) = self.unanswered.remove(at) {
            let verdict = match envelope.verify() {
                Ok(envelope) if how == 0 => Input::Unchecked {
                    from,
                    envelope: envelope.into_inner(),
                },
                Ok(envelope) => Input::Verified { from, envelope },
                Err(envelope) => Input::Forged { from, envelope },
            };
            self.give(now, verdict);
        }
        if let Some((token, unsigned)) = self.to_sign.pop_front() {
            let envelope = unsigned.sign(identity(self.n));
            self.give(now, Input::Signed { token, envelope });
        }
        if let Some((token, statement)) = self.to_attest.pop_front() {
            let signature = identity(self.n).sign(&statement);
            self.give(now, Input::Attested { token, signature });
        }
        if let Some(id) = self.to_persist.pop_front() {
            let kept = if how == 1 {
                Input::NotPersisted(id)
            } else {
                Input::Persisted(id)
            };
            self.give(now, kept);
        }
    }

    fn publish(&mut self, now: Timestamp, reader: &mut Reader<'_>) {
        let publish = Command::Publish {
            token: reader.number(),
            topic: topic(reader.byte()),
            kind: 0,
            causal: reader.flag(),
            data: Bytes::copy_from_slice(reader.take(200)),
        };
        self.give(now, Input::Command(publish));
    }
}

fn keep<T>(held: &mut VecDeque<T>, new: T) {
    if held.len() >= HELD_MAX {
        held.pop_front();
    }
    held.push_back(new);
}

fn decode(wire: &Bytes) -> Option<Frame> {
    let header = FrameHeader::parse(*wire.first_chunk()?).ok()?;
    Frame::decode(header.kind?, wire.slice(FrameHeader::LEN..)).ok()
}

struct World {
    clock: Clock,
    me: Node,
    partner: Node,
    /// Whether the two are linked.
    linked: bool,
    opened: [u32; 8],
}

pub fn run(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let seed = reader.number();
    let mut world = World {
        clock: Clock::new(),
        me: Node::new(ME, seed),
        partner: Node::new(PARTNER, seed + 1),
        linked: false,
        opened: [0; 8],
    };
    for node in [&mut world.me, &mut world.partner] {
        let now = world.clock.now();
        let addresses = vec![address(node.n)];
        node.give(now, Input::Listening { addresses });
        node.give(now, Input::Start);
        let subscribe = Command::Subscribe {
            topic: topic(0),
            causal: false,
        };
        node.give(now, Input::Command(subscribe));
    }
    for _ in 0..OPERATIONS_MAX {
        if reader.is_empty() {
            break;
        }
        let now = world.clock.step(&mut reader);
        world.operate(&mut reader, now);
        world.part(now);
        assert!(world.me.core.peers().active().count() <= 6);
    }
}

impl World {
    fn operate(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        match reader.byte() % 24 {
            0..=2 => {
                let (n, inbound) = (peer(reader), reader.flag());
                self.link_up(now, n, inbound);
            }
            3 => {
                let n = peer(reader);
                self.link_down(now, n, LinkDown::Lost);
            }
            4..=6 => self.carry(reader, now),
            7..=12 => {
                let frame = match reader.byte() % 4 {
                    0 => honest_link_frame(reader, &self.clock),
                    1 => honest_control(reader),
                    2 => honest_broadcast(reader, &self.clock),
                    _ => honest_other(reader),
                };
                let from = id(honest(reader).max(PARTNER + 1));
                self.hear(now, from, frame);
            }
            13..=15 => self.attack(reader, now),
            16 | 17 => {
                let (at, how) = (usize::from(reader.byte()), reader.byte() % 8);
                self.me.answer(now, at, how);
                self.partner.answer(now, at, 7);
            }
            18 => self.me.publish(now, reader),
            19 => self.partner.publish(now, reader),
            20 => self.command(reader, now),
            21 => {
                let peer = self
                    .me
                    .dials
                    .pop_front()
                    .unwrap_or_else(|| id(peer(reader)));
                let cause = DialFailure::Unreachable;
                self.me.give(now, Input::DialFailed { peer, cause });
            }
            22 => {
                let (peer, bytes) = (id(peer(reader)), reader.wide() as usize);
                self.me.give(now, Input::Drained { peer, bytes });
            }
            _ => self.serve_timers(reader),
        }
    }

    fn hear(&mut self, now: Timestamp, from: NodeId, frame: Frame) {
        self.me
            .give(now, Input::Frame(FromPeer::authenticated(from, frame)));
    }

    fn link_up(&mut self, now: Timestamp, n: u8, inbound: bool) {
        let opened = &mut self.opened[usize::from(n)];
        *opened += 1;
        if *opened > HONEST_LINKS_MAX {
            return;
        }
        // A new link ends the former one first, as the transport does.
        self.link_down(now, n, LinkDown::Lost);
        let wall = self.clock.wall;
        let up = |n: u8, inbound| Input::LinkUp {
            peer: id(n),
            handshake: handshake(n, wall),
            remote: address(n),
            inbound,
        };
        self.linked |= n == PARTNER;
        self.me.give(now, up(n, inbound));
        if n == PARTNER {
            self.partner.give(now, up(ME, !inbound));
        }
    }

    fn link_down(&mut self, now: Timestamp, n: u8, cause: LinkDown) {
        let peer = id(n);
        if n == PARTNER {
            self.unlink(now, LinkDown::Lost, cause);
        } else {
            self.me.give(now, Input::LinkDown { peer, cause });
        }
    }

    /// Ends the link of the two; what each is told.
    fn unlink(&mut self, now: Timestamp, partner: LinkDown, me: LinkDown) {
        if !core::mem::replace(&mut self.linked, false) {
            return;
        }
        for (node, cause) in [(&mut self.me, me), (&mut self.partner, partner)] {
            node.to_other.clear();
            node.goodbye = None;
            let peer = id(node.other());
            node.give(now, Input::LinkDown { peer, cause });
        }
    }

    /// If one of the two closed the link: what is under way arrives, then the goodbye.
    fn part(&mut self, now: Timestamp) {
        for _ in 0..2 {
            if let Some(goodbye) = self.me.goodbye.take() {
                self.flush(now, true);
                self.unlink(now, LinkDown::Closed(goodbye), LinkDown::Local);
            }
            if let Some(goodbye) = self.partner.goodbye.take() {
                self.flush(now, false);
                self.unlink(now, LinkDown::Local, LinkDown::Closed(goodbye));
            }
        }
        if !self.linked {
            self.me.to_other.clear();
            self.partner.to_other.clear();
        }
    }

    fn flush(&mut self, now: Timestamp, mine: bool) {
        let (from, to) = if mine {
            (&mut self.me, &mut self.partner)
        } else {
            (&mut self.partner, &mut self.me)
        };
        let waiting = from.to_other.len();
        for _ in 0..waiting {
            pass(from, to, now);
        }
    }

    /// The link between the two carries some frames, in order.
    fn carry(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let (mine, theirs) = (reader.byte() % 16, reader.byte() % 16);
        for _ in 0..mine {
            pass(&mut self.me, &mut self.partner, now);
        }
        for _ in 0..theirs {
            pass(&mut self.partner, &mut self.me, now);
        }
    }

    fn attack(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let from = id(hostile(reader));
        if reader.byte().is_multiple_of(8) {
            // Somebody says what this node once said, word for word.
            let at = usize::from(reader.byte()) % self.me.said.len().max(1);
            if let Some(frame) = self.me.said.get(at).and_then(decode) {
                self.hear(now, from, frame);
            }
            return;
        }
        match hostile_frame(reader, &self.clock) {
            Some(Frame::Handshake(_)) => self.violation(now, from, Misbehaviour::UnexpectedFrame),
            Some(frame) => self.hear(now, from, frame),
            None => self.violation(now, from, Misbehaviour::MalformedFrame),
        }
    }

    fn violation(&mut self, now: Timestamp, peer: NodeId, kind: Misbehaviour) {
        self.me.give(now, Input::Violation { peer, kind });
    }

    fn command(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let n = peer(reader);
        let (peer, token) = (id(n), reader.number());
        let addresses = vec![address(n)];
        let command = match reader.byte() % 12 {
            0 | 1 => Command::Join { peer, addresses },
            2 | 3 => Command::Found { peer, addresses },
            4 => Command::Ban {
                token,
                subject: peer,
                duration: reader
                    .flag()
                    .then(|| Duration::from_millis(reader.wide() >> 1)),
                reason: BoundedString::truncated("asked for"),
            },
            5 => Command::Unban {
                token,
                subject: peer,
            },
            6 => Command::Disconnect { peer },
            7 => Command::Unsubscribe {
                topic: topic(reader.byte()),
            },
            8 => Command::Receipts(receipts_of(reader, peer)),
            11 if reader.byte() == 255 => return self.me.give(now, Input::Shutdown),
            _ => Command::Subscribe {
                topic: topic(reader.byte()),
                causal: reader.flag(),
            },
        };
        self.me.give(now, Input::Command(command));
    }

    fn serve_timers(&mut self, reader: &mut Reader<'_>) {
        let mut timers = Timers::new(&self.clock, reader);
        let carries = reader.flag();
        loop {
            let both = [&self.me, &self.partner];
            let next = both
                .into_iter()
                .filter_map(|node| Core::next_deadline(&node.core))
                .min();
            if !timers.advance(&mut self.clock, next.map(|at| at.as_millis())) {
                return;
            }
            let now = self.clock.now();
            self.me.give(now, Input::Tick);
            self.partner.give(now, Input::Tick);
            if carries {
                self.flush(now, true);
                self.flush(now, false);
            }
            self.part(now);
        }
    }
}

fn receipts_of(reader: &mut Reader<'_>, peer: NodeId) -> ReceiptsInput {
    let service = Service::ALL[usize::from(reader.byte() % 4)];
    match reader.byte() % 4 {
        0 => ReceiptsInput::Open { peer, service },
        1 => ReceiptsInput::Served {
            peer,
            service,
            amount: reader.wide(),
        },
        2 => ReceiptsInput::Failed {
            peer,
            service,
            kind: Outcome::Aborted,
        },
        _ => ReceiptsInput::Ask {
            peer,
            subject: id(reader.byte() % 8),
        },
    }
}

fn pass(from: &mut Node, to: &mut Node, now: Timestamp) {
    let Some(wire) = from.to_other.pop_front() else {
        return;
    };
    let (peer, bytes) = (id(to.n), wire.len());
    from.give(now, Input::Drained { peer, bytes });
    match decode(&wire).unwrap() {
        // The transport's own.
        Frame::Handshake(_) | Frame::Disconnect(_) => {}
        frame => to.give(
            now,
            Input::Frame(FromPeer::authenticated(id(from.n), frame)),
        ),
    }
}
