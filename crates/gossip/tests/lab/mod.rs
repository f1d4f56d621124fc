//! One engine, face to face with the test, and the little shell that it needs.
#![allow(dead_code, reason = "each test file uses a part")]

use bytes::Bytes;
use repute_base::{BoundedBytes, BoundedVec, Fixed, Machine, Rng, Timestamp};
use repute_gossip::{Config, Gossip, Input, Limits, Output};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    Announced, Broadcast, Dot, Envelope, EnvelopeKind, Frame, FrameHeader, FromPeer, GossipFrame,
    Message, Misbehaviour, NetworkId, Payload, Seq, Topic, Unsigned, Verified,
};

pub(crate) const WALL: u64 = 1_800_000_000_000;

pub(crate) fn topic() -> Topic {
    Topic::new("news").unwrap()
}

pub(crate) fn unsigned(counter: u64, nth: u64, after: &[Dot], sent: u64) -> Unsigned {
    let message = Message {
        topic: topic(),
        kind: 0,
        nth,
        after: BoundedVec::truncated(after.iter().copied()),
        data: BoundedBytes::new(counter.to_be_bytes().to_vec()).unwrap(),
    };
    Unsigned {
        network: NetworkId::from_name("test"),
        kind: EnvelopeKind::Message,
        seq: Seq { start: 5, counter },
        sent: repute_base::Wall::from_millis(sent),
        payload: Payload::Message(message).encode(),
    }
}

pub(crate) fn author() -> Identity {
    Identity::from_seed(900)
}

pub(crate) fn message(counter: u64) -> Verified<Envelope> {
    unsigned(counter, counter, &[], WALL).sign(&author())
}

/// The same message under a signature that does not hold.
pub(crate) fn forged(original: &Envelope, salt: u8) -> Envelope {
    let mut wire = original.wire().to_vec();
    let last = wire.len() - 40;
    wire[last] ^= salt;
    Envelope::decode(wire.into()).unwrap()
}

pub(crate) struct Lab {
    pub(crate) engine: Gossip,
    pub(crate) now: Timestamp,
    pub(crate) out: Vec<Output>,
}

impl Lab {
    pub(crate) fn with(config: Config, limits: Limits) -> Self {
        let me = Identity::from_seed(0).id();
        let network = NetworkId::from_name("test");
        let engine = Gossip::new(config, limits, me, network, Rng::from_u64(3)).unwrap();
        let mut lab = Self {
            engine,
            now: Timestamp::from_millis(1_000, WALL),
            out: Vec::new(),
        };
        lab.put(Input::Subscribe {
            topic: topic(),
            causal: false,
        });
        lab
    }

    /// An engine with `peers` active neighbours.
    pub(crate) fn new(peers: u64) -> Self {
        Self::among(peers, Limits::default())
    }

    pub(crate) fn among(peers: u64, limits: Limits) -> Self {
        Self::amid(peers, Config::default(), limits)
    }

    pub(crate) fn amid(peers: u64, config: Config, limits: Limits) -> Self {
        let mut lab = Self::with(config, limits);
        for n in 1..=peers {
            lab.link(n);
            lab.control(n, GossipFrame::Neighbor { urgent: true });
        }
        assert_eq!(lab.engine.active_view().len(), peers as usize);
        lab.out.clear();
        lab
    }

    pub(crate) fn put(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        while let Some(output) = self.engine.poll_output() {
            self.out.push(output);
        }
        assert_eq!(self.engine.broken_invariant(), None);
    }

    pub(crate) fn link(&mut self, to: u64) {
        self.put(Input::PeerUp {
            peer: peer(to),
            addresses: Vec::new(),
        });
    }

    /// A link that the node has dialled itself.
    pub(crate) fn link_dialled(&mut self, to: u64) {
        self.link(to);
        self.put(Input::Dialled { peer: peer(to) });
    }

    pub(crate) fn trust(&mut self, subject: u64, trust: Fixed, distrusted: bool) {
        self.put(Input::Trust {
            peer: peer(subject),
            trust,
            distrusted,
        });
    }

    pub(crate) fn is_active(&self, n: u64) -> bool {
        self.engine.active_view().contains(&peer(n))
    }

    pub(crate) fn wants(&self) -> Vec<NodeId> {
        let want = |output: &Output| match output {
            Output::Want { peer, .. } => Some(*peer),
            _ => None,
        };
        self.out.iter().filter_map(want).collect()
    }

    /// Whom the shell should not read from, as it was last told.
    pub(crate) fn held(&self) -> Option<Vec<NodeId>> {
        let hold = |output: &Output| match output {
            Output::Hold { peers } => Some(peers.clone()),
            _ => None,
        };
        self.out.iter().rev().find_map(hold)
    }

    pub(crate) fn control(&mut self, from: u64, frame: GossipFrame) {
        self.put(Input::Frame(FromPeer::authenticated(
            peer(from),
            Frame::Gossip(frame),
        )));
    }

    pub(crate) fn push(&mut self, from: u64, envelope: &Envelope) {
        self.broadcast(from, envelope, false);
    }

    pub(crate) fn broadcast(&mut self, from: u64, envelope: &Envelope, requested: bool) {
        let envelope = envelope.clone();
        let frame = Frame::Broadcast(Broadcast {
            hops: 1,
            ttl: 20,
            requested,
            envelope,
        });
        self.put(Input::Frame(FromPeer::authenticated(peer(from), frame)));
    }

    /// Answers every signature check that is open.
    pub(crate) fn verify(&mut self) -> usize {
        let mut checks = 0;
        loop {
            let place = self
                .out
                .iter()
                .position(|o| matches!(o, Output::Verify { .. }));
            let Some(place) = place else { return checks };
            let Output::Verify { from, envelope } = self.out.remove(place) else {
                unreachable!()
            };
            checks += 1;
            self.put(match envelope.verify() {
                Ok(envelope) => Input::Verified { from, envelope },
                Err(envelope) => Input::Forged { from, envelope },
            });
        }
    }

    pub(crate) fn delivered(&self) -> usize {
        self.out
            .iter()
            .filter(|o| matches!(o, Output::Deliver { .. }))
            .count()
    }

    pub(crate) fn order(&self) -> Vec<u64> {
        self.out
            .iter()
            .filter_map(|output| match output {
                Output::Deliver { message, .. } => {
                    Some(u64::from_be_bytes(message.data[..].try_into().unwrap()))
                }
                _ => None,
            })
            .collect()
    }

    pub(crate) fn accused(&self) -> Vec<(NodeId, Misbehaviour)> {
        self.out
            .iter()
            .filter_map(|output| match output {
                Output::Misbehaviour { peer, kind } => Some((*peer, *kind)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn sent_to(&self, to: u64) -> Vec<Frame> {
        self.out
            .iter()
            .filter_map(|output| match output {
                Output::Send {
                    peer: receiver,
                    frame,
                    ..
                } if *receiver == peer(to) => Some(decode(frame)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn pushes_to(&self, to: u64) -> usize {
        self.sent_to(to)
            .iter()
            .filter(|frame| matches!(frame, Frame::Broadcast(_)))
            .count()
    }

    /// Lets time pass, with every timer served; how many were.
    pub(crate) fn wait(&mut self, ms: u64) -> usize {
        let mut ticks = 0;
        let end = self.now.mono.as_millis() + ms;
        while let Some(at) = self
            .engine
            .next_deadline()
            .filter(|at| at.as_millis() <= end)
        {
            let step = at
                .as_millis()
                .saturating_sub(self.now.mono.as_millis())
                .max(1);
            self.shift(step);
            self.put(Input::Tick);
            ticks += 1;
        }
        self.shift(end.saturating_sub(self.now.mono.as_millis()));
        ticks
    }

    pub(crate) fn shift(&mut self, ms: u64) {
        let (mono, wall) = (self.now.mono.as_millis(), self.now.wall.as_millis());
        self.now = Timestamp::from_millis(mono + ms, wall + ms);
    }

    pub(crate) fn publish(&mut self, token: u64) {
        self.put(Input::Publish {
            topic: topic(),
            kind: 0,
            data: BoundedBytes::new(vec![9; 1_000]).unwrap(),
            causal: true,
            token,
        });
        let sign = self.out.iter().find_map(|output| match output {
            Output::Sign { token: of, payload } if *of == token => Some(payload.clone()),
            _ => None,
        });
        if let Some(payload) = sign {
            let mut draft = unsigned(token, 0, &[], self.now.wall.as_millis());
            draft.payload = payload.encode();
            let envelope = draft.sign(&Identity::from_seed(0));
            self.put(Input::Signed { envelope, token });
        }
    }
}

pub(crate) fn peer(n: u64) -> NodeId {
    Identity::from_seed(n).id()
}

pub(crate) fn decode(frame: &Bytes) -> Frame {
    let header = FrameHeader::parse(frame[..FrameHeader::LEN].try_into().unwrap()).unwrap();
    Frame::decode(header.kind.unwrap(), frame.slice(FrameHeader::LEN..)).unwrap()
}

pub(crate) fn announce(lab: &mut Lab, from: u64, envelope: &Envelope) {
    let (id, hops) = (envelope.id(), 1);
    let messages = BoundedVec::truncated([Announced { id, hops }]);
    lab.control(from, GossipFrame::Announce { messages });
}

pub(crate) fn is_graft(frame: &Frame) -> bool {
    matches!(frame, Frame::Gossip(GossipFrame::Graft { .. }))
}

pub(crate) fn is_want(frame: &Frame) -> bool {
    matches!(frame, Frame::Gossip(GossipFrame::Want { .. }))
}
