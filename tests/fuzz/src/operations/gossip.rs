//! Two gossip engines over a link, one of them among hostile peers: neither may ever accuse the
//! other, or anybody honest.

use std::collections::VecDeque;

use bytes::Bytes;
use repute_base::{BoundedBytes, Fixed, Machine, Rng, Timestamp, Wall};
use repute_identity::NodeId;
use repute_node::gossip::{Config, Gossip, Input, Limits, Output};
use repute_protocol::{Envelope, Frame, FrameHeader, FromPeer, Payload, Seq, Unsigned, Verified};

use super::{
    cast::{
        ME, address, honest, honest_broadcast, honest_control, hostile, hostile_frame, id,
        identity, is_honest, network, peer, topic,
    },
    reader::{Clock, OPERATIONS_MAX, Reader, Timers, drain},
};

/// The other engine.
const PARTNER: u8 = 0;
/// What the shell holds of each kind; beyond, the oldest is lost.
const HELD_MAX: usize = 64;

/// One engine and its shell.
struct Node {
    n: u8,
    gossip: Gossip,
    /// Frames on their way to the other one.
    to_other: VecDeque<Bytes>,
    /// Sent to anybody at all: somebody may say the same.
    said: VecDeque<Bytes>,
    unanswered: VecDeque<(NodeId, Envelope)>,
    to_sign: VecDeque<(u64, Payload)>,
    counter: u64,
}

struct World {
    clock: Clock,
    me: Node,
    partner: Node,
}

fn limits() -> Limits {
    Limits {
        links_max: 8,
        retained_count_max: 30,
        ids_max: 20,
        authors_max: 6,
        missing_max: 50,
        pending_max: 10,
        pending_per_link_max: 4,
        candidates_max: 2,
        holders_max: 2,
        link_credit_bytes: 2_000,
        link_queue_bytes_max: 4_000,
        announcements_max: 16,
        signing_max: 2,
        topics_max: 2,
        topic_authors_max: 3,
        held_max: 4,
        wanted_max: 8,
        ..Limits::default()
    }
}

impl Node {
    fn new(n: u8, limits: Limits, seed: u64) -> Self {
        let rng = Rng::from_u64(seed);
        Self {
            n,
            gossip: Gossip::new(Config::default(), limits, id(n), network(), rng).unwrap(),
            to_other: VecDeque::new(),
            said: VecDeque::new(),
            unanswered: VecDeque::new(),
            to_sign: VecDeque::new(),
            counter: 0,
        }
    }

    fn give(&mut self, now: Timestamp, input: Input) {
        self.gossip.handle(now, input);
        for output in drain(&mut self.gossip) {
            match output {
                Output::Misbehaviour { peer, kind } => {
                    assert!(
                        !is_honest(&peer),
                        "{} accuses an honest peer of {kind}",
                        self.n
                    );
                }
                Output::Send { peer, frame, .. } => {
                    assert!(
                        decode(&frame).is_some(),
                        "what we send is what others accept"
                    );
                    let other = if self.n == ME { PARTNER } else { ME };
                    if peer == id(other) {
                        self.to_other.push_back(frame.clone());
                    }
                    keep(&mut self.said, frame);
                }
                Output::Verify { from, envelope } => keep(&mut self.unanswered, (from, envelope)),
                Output::Sign { token, payload } => keep(&mut self.to_sign, (token, payload)),
                _ => {}
            }
        }
    }

    /// The shell signs what waits.
    fn sign(&mut self, now: Timestamp) {
        if let Some((token, payload)) = self.to_sign.pop_front() {
            self.counter += 1;
            let envelope = self.sealed(now.wall, &payload);
            self.give(now, Input::Signed { envelope, token });
        }
    }

    fn sealed(&self, sent: Wall, payload: &Payload) -> Verified<Envelope> {
        Unsigned {
            network: network(),
            kind: payload.kind(),
            seq: Seq {
                start: 1_690_000_000_000,
                counter: self.counter,
            },
            sent,
            payload: payload.encode(),
        }
        .sign(identity(self.n))
    }

    /// The shell checks one signature, or has no room to.
    fn answer(&mut self, now: Timestamp, at: usize, checked: bool) {
        let at = at % self.unanswered.len().max(1);
        let Some((from, envelope)) = self.unanswered.remove(at) else {
            return;
        };
        if !checked {
            return self.give(now, Input::Unchecked { from, envelope });
        }
        self.give(
            now,
            match envelope.verify() {
                Ok(envelope) => Input::Verified { from, envelope },
                Err(envelope) => Input::Forged { from, envelope },
            },
        );
    }

    fn publish(&mut self, now: Timestamp, reader: &mut Reader<'_>) {
        let publish = Input::Publish {
            topic: topic(reader.byte()),
            kind: 0,
            data: BoundedBytes::new(reader.take(200).to_vec()).unwrap(),
            causal: reader.flag(),
            token: reader.number(),
        };
        self.give(now, publish);
    }

    fn check(&self, limits: &Limits) {
        let stats = self.gossip.stats();
        assert!(stats.ids <= limits.ids_max && stats.missing <= limits.missing_max);
        assert!(stats.pending <= limits.pending_max && stats.retained <= limits.retained_count_max);
        assert!(stats.active <= Config::default().active_size(), "{stats:?}");
        assert!(stats.passive <= usize::from(Config::default().passive_size));
        assert!(stats.held <= limits.held_max);
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

pub fn run(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let seed = reader.number();
    let mut world = World {
        clock: Clock::new(),
        me: Node::new(ME, limits(), seed),
        partner: Node::new(PARTNER, Limits::default(), seed + 1),
    };
    for _ in 0..OPERATIONS_MAX {
        if reader.is_empty() {
            break;
        }
        let now = world.clock.step(&mut reader);
        world.operate(&mut reader, now);
        world.me.check(&limits());
        world.partner.check(&Limits::default());
    }
}

impl World {
    fn operate(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        match reader.byte() % 24 {
            0 | 1 => {
                let n = peer(reader);
                self.link_up(now, n);
            }
            2 => {
                let n = peer(reader);
                self.link_down(now, n);
            }
            3 | 4 => self.carry(reader, now),
            5..=7 => {
                let frame = honest_control(reader);
                let from = self.bystander(reader);
                self.hear(now, from, frame);
            }
            8..=10 => {
                let frame = honest_broadcast(reader, &self.clock);
                let from = self.bystander(reader);
                self.hear(now, from, frame);
            }
            11..=13 => {
                let from = id(hostile(reader));
                if let Some(frame) = hostile_frame(reader, &self.clock) {
                    self.hear(now, from, frame);
                }
            }
            14 => self.repeat(reader, now),
            15 | 16 => {
                let (at, checked) = (usize::from(reader.byte()), !reader.byte().is_multiple_of(8));
                self.me.answer(now, at, checked);
                self.partner.answer(now, at, true);
            }
            17 => {
                self.me.sign(now);
                self.partner.sign(now);
            }
            18 => self.me.publish(now, reader),
            19 => self.partner.publish(now, reader),
            20 => {
                let (topic, causal) = (topic(reader.byte()), reader.flag());
                let wish = if reader.byte().is_multiple_of(4) {
                    Input::Unsubscribe { topic }
                } else {
                    Input::Subscribe { topic, causal }
                };
                self.me.give(now, wish);
            }
            21 => {
                let trust = Input::Trust {
                    peer: id(peer(reader)),
                    trust: Fixed::from_raw(
                        Fixed::from_int(1).raw() / 255 * i64::from(reader.byte()),
                    ),
                    distrusted: reader.byte().is_multiple_of(4),
                };
                self.me.give(now, trust);
            }
            22 => {
                let (peer, bytes) = (id(peer(reader)), reader.wide() as usize);
                self.me.give(now, Input::LinkQueue { peer, bytes });
            }
            _ => self.serve_timers(reader),
        }
    }

    /// An honest peer that is no engine.
    fn bystander(&self, reader: &mut Reader<'_>) -> NodeId {
        id(honest(reader).max(PARTNER + 1))
    }

    fn hear(&mut self, now: Timestamp, from: NodeId, frame: Frame) {
        self.me
            .give(now, Input::Frame(FromPeer::authenticated(from, frame)));
    }

    fn link_up(&mut self, now: Timestamp, n: u8) {
        let up = |n| Input::PeerUp {
            peer: id(n),
            addresses: vec![address(n)],
        };
        if n == PARTNER {
            self.cut();
            self.partner.give(now, up(ME));
        }
        self.me.give(now, up(n));
    }

    fn link_down(&mut self, now: Timestamp, n: u8) {
        if n == PARTNER {
            self.cut();
            self.partner.give(now, Input::PeerDown { peer: id(ME) });
        }
        self.me.give(now, Input::PeerDown { peer: id(n) });
    }

    fn cut(&mut self) {
        self.me.to_other.clear();
        self.partner.to_other.clear();
    }

    /// The link between the two carries some frames, in order, and reports their bytes.
    fn carry(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let (mine, theirs) = (reader.byte() % 16, reader.byte() % 16);
        for _ in 0..mine {
            pass(&mut self.me, &mut self.partner, now);
        }
        for _ in 0..theirs {
            pass(&mut self.partner, &mut self.me, now);
        }
    }

    /// Somebody says what this node once said, word for word.
    fn repeat(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let at = usize::from(reader.byte()) % self.me.said.len().max(1);
        let frame = self.me.said.get(at).and_then(decode);
        let from = id(hostile(reader));
        if let Some(frame) = frame {
            self.hear(now, from, frame);
        }
    }

    fn serve_timers(&mut self, reader: &mut Reader<'_>) {
        let mut timers = Timers::new(&self.clock, reader);
        loop {
            let both = [&self.me, &self.partner];
            let next = both
                .into_iter()
                .filter_map(|node| node.gossip.next_deadline())
                .min();
            if !timers.advance(&mut self.clock, next.map(|at| at.as_millis())) {
                return;
            }
            let now = self.clock.now();
            self.me.give(now, Input::Tick);
            self.partner.give(now, Input::Tick);
        }
    }
}

fn pass(from: &mut Node, to: &mut Node, now: Timestamp) {
    let Some(wire) = from.to_other.pop_front() else {
        return;
    };
    let (peer, bytes) = (id(to.n), wire.len());
    from.give(now, Input::LinkQueue { peer, bytes });
    let frame = decode(&wire).unwrap();
    to.give(
        now,
        Input::Frame(FromPeer::authenticated(id(from.n), frame)),
    );
}
