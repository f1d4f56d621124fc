//! Hostile nodes: the core that ships, behind a shell that lies.
//!
//! An [`Adversary`] sits between a node's core and its links. It sees each frame before the core
//! does, may keep it from the core, sees each frame that the core would send, may hold it back or
//! send another one, and acts on its own whenever it likes. What it leaves alone, the core does:
//! joining, answering probes, relaying. So an adversary says only in what it differs from an honest
//! node, and [`ALL`] holds some.
//!
//! Every adversary counts its deeds ([`Shell::did`]), so that a simulation can assert that the
//! attack happened.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use bytes::Bytes;
use repute_base::{Address, BoundedBytes, BoundedVec, Mono, Rng, Timestamp};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    AddressRecord, Envelope, EnvelopeKind, Frame, GossipFrame, NetworkId, Payload,
    PeerAnnouncement, PeerHint, Seq, Topic, Unsigned,
};
use repute_sim::Outbox;

mod delayer;
mod forger;
mod garbler;
mod liar;
mod sybil;

pub use delayer::Delayer;
pub use forger::Forger;
pub use garbler::Garbler;
pub use liar::Liar;
pub use sybil::{Conduct, Sybil};

/// What a hostile node does differently. Every method has a default: a node that only answers
/// these is an honest one.
pub trait Adversary {
    /// A frame came from `from`. Whether its own core may hear it.
    fn hears(&mut self, me: &mut Shell<'_>, from: NodeId, frame: &Frame) -> bool {
        let _ = (me, from, frame);
        true
    }

    /// Its own core wants to send a frame. Whether it may; something else can be sent instead.
    fn says(&mut self, me: &mut Shell<'_>, to: NodeId, frame: &Frame) -> bool {
        let _ = (me, to, frame);
        true
    }

    /// Its turn to act by itself, once each [`pause`](Self::pause).
    fn acts(&mut self, me: &mut Shell<'_>) {
        let _ = me;
    }

    /// How often it acts by itself.
    fn pause(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// An adversary that a network can be given by name.
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Makes one that behaves until a moment of the world's clock.
    pub make: fn(Mono) -> Box<dyn Adversary>,
}

/// Every adversary of the laboratory. `malicious` draws from these in turn.
pub const ALL: &[Known] = &[
    Known {
        name: "forger",
        about: "messages in the name of others, under signatures that do not hold",
        make: |begin| Box::new(Forger::new(begin)),
    },
    Known {
        name: "dropper",
        about: "takes every message and passes none on",
        make: |begin| Box::new(Sybil::new(Conduct::Silent, begin)),
    },
    Known {
        name: "delayer",
        about: "passes messages and announcements on up to three seconds late",
        make: |begin| Box::new(Delayer::new(begin)),
    },
    Known {
        name: "liar",
        about: "announces messages that do not exist, and names nodes that do not either",
        make: |begin| Box::new(Liar::new(begin)),
    },
    Known {
        name: "garbler",
        about: "frames that are no encoding of their kind",
        make: |begin| Box::new(Garbler::new(begin)),
    },
];

/// What an adversary knows and may do: the shell around its core.
pub struct Shell<'a> {
    /// The clocks of the node.
    pub now: Timestamp,
    /// The world's clock.
    pub at: Mono,
    /// Who the node is, with its key.
    pub identity: &'a Identity,
    /// Its network.
    pub network: NetworkId,
    /// What everybody talks about.
    pub topic: &'a Topic,
    /// Its choices.
    pub rng: &'a mut Rng,
    /// Whom it has links with.
    pub peers: &'a [NodeId],
    /// Its accomplices, itself among them.
    pub gang: &'a Gang,
    deeds: &'a mut BTreeMap<&'static str, u64>,
    later: &'a mut Vec<Later>,
    out: &'a mut Outbox<Bytes>,
}

impl Shell<'_> {
    /// Sends a frame of its own.
    pub fn send(&mut self, to: NodeId, frame: &Frame) {
        self.out.send(to, frame.encode());
    }

    /// Sends bytes that need not be a frame.
    pub fn send_bytes(&mut self, to: NodeId, bytes: Bytes) {
        self.out.send(to, bytes);
    }

    /// Sends a frame when some time has passed.
    pub fn send_later(&mut self, wait: Duration, to: NodeId, frame: &Frame) {
        let due = self.now.mono + wait;
        self.later.push(Later {
            due,
            to,
            bytes: frame.encode(),
        });
    }

    /// Counts a deed, so that a simulation can tell that it was done.
    pub fn did(&mut self, what: &'static str) {
        *self.deeds.entry(what).or_default() += 1;
    }

    /// Puts a payload into an envelope of an identity that it holds the key of.
    pub fn sign(&mut self, identity: &Identity, kind: EnvelopeKind, payload: &Payload) -> Envelope {
        let seq = Seq {
            start: self.now.wall.as_millis(),
            counter: self.rng.next_u64() >> 1,
        };
        let unsigned = Unsigned {
            network: self.network,
            kind,
            seq,
            sent: self.now.wall,
            payload: payload.encode(),
        };
        unsigned.sign(identity).detached().into_inner()
    }

    /// Names accomplices wherever the core would name others. False when it did so in its place:
    /// the answer for [`Adversary::says`].
    pub fn recommends(&mut self, to: NodeId, frame: &Frame) -> bool {
        let gang = |me: &mut Self| BoundedVec::truncated(me.gang.sample(me.rng));
        let instead = match frame.clone() {
            Frame::HandshakeAck(mut ack) => {
                ack.peers = gang(self);
                Frame::HandshakeAck(ack)
            }
            Frame::Gossip(GossipFrame::Shuffle { origin, ttl, .. }) => {
                let peers = gang(self);
                Frame::Gossip(GossipFrame::Shuffle { origin, ttl, peers })
            }
            Frame::Gossip(GossipFrame::ShuffleReply { .. }) => {
                let peers = gang(self);
                Frame::Gossip(GossipFrame::ShuffleReply { peers })
            }
            Frame::PeerAnnouncement(_) => {
                let records = BoundedVec::truncated(self.gang.records(self.rng));
                Frame::PeerAnnouncement(PeerAnnouncement { records })
            }
            _ => return true,
        };
        self.did("recommended accomplices");
        self.send(to, &instead);
        false
    }
}

/// Hostile nodes that know of each other.
#[derive(Clone, Default)]
pub struct Gang(Rc<RefCell<Vec<Member>>>);

struct Member {
    hint: PeerHint,
    record: Bytes,
}

/// Accomplices named at once.
const NAMED: usize = 16;

impl Gang {
    pub(crate) fn enlist(
        &self,
        identity: &Identity,
        address: Address,
        network: NetworkId,
        now: Timestamp,
    ) {
        let addresses = BoundedVec::truncated([address]);
        let record = Unsigned {
            network,
            kind: EnvelopeKind::AddressRecord,
            seq: Seq {
                start: now.wall.as_millis(),
                counter: 0,
            },
            sent: now.wall,
            payload: Payload::AddressRecord(AddressRecord { addresses }).encode(),
        };
        self.0.borrow_mut().push(Member {
            hint: PeerHint {
                id: identity.id(),
                addresses: BoundedVec::truncated([address]),
            },
            record: record.sign(identity).wire().clone(),
        });
    }

    /// Some of them, as hints.
    pub fn sample(&self, rng: &mut Rng) -> Vec<PeerHint> {
        let members = self.0.borrow();
        let all: Vec<usize> = (0..members.len()).collect();
        let chosen = rng.sample(&all, NAMED).into_iter();
        chosen
            .filter_map(|place| Some(members.get(place)?.hint.clone()))
            .collect()
    }

    /// Some of their address records: signed, and true.
    fn records<const N: usize>(&self, rng: &mut Rng) -> Vec<BoundedBytes<N>> {
        let members = self.0.borrow();
        let all: Vec<usize> = (0..members.len()).collect();
        let chosen = rng.sample(&all, NAMED).into_iter();
        chosen
            .filter_map(|place| BoundedBytes::new(members.get(place)?.record.clone()).ok())
            .collect()
    }
}

/// A frame to be sent when its time has come.
struct Later {
    due: Mono,
    to: NodeId,
    bytes: Bytes,
}

/// The hostile part of a node.
pub(crate) struct Hostile {
    adversary: Box<dyn Adversary>,
    gang: Gang,
    /// Whom it has links with.
    peers: Vec<NodeId>,
    next: Mono,
    later: Vec<Later>,
    /// What it did, and how often.
    pub(crate) deeds: BTreeMap<&'static str, u64>,
}

/// What the host lends to the hostile part of it.
pub(crate) struct Lent<'a> {
    pub(crate) now: Timestamp,
    pub(crate) at: Mono,
    pub(crate) identity: &'a Identity,
    pub(crate) network: NetworkId,
    pub(crate) topic: &'a Topic,
    pub(crate) rng: &'a mut Rng,
    pub(crate) out: &'a mut Outbox<Bytes>,
}

impl Hostile {
    pub(crate) fn new(adversary: Box<dyn Adversary>, gang: Gang) -> Self {
        Self {
            adversary,
            gang,
            peers: Vec::new(),
            next: Mono::ZERO,
            later: Vec::new(),
            deeds: BTreeMap::new(),
        }
    }

    pub(crate) fn met(&mut self, peer: NodeId) {
        self.peers.push(peer);
    }

    pub(crate) fn lost(&mut self, peer: &NodeId) {
        self.peers.retain(|known| known != peer);
    }

    /// Lets the adversary do something with the shell.
    pub(crate) fn with<R>(
        &mut self,
        lent: Lent<'_>,
        act: impl FnOnce(&mut dyn Adversary, &mut Shell<'_>) -> R,
    ) -> R {
        let Lent {
            now,
            at,
            identity,
            network,
            topic,
            rng,
            out,
        } = lent;
        let mut shell = Shell {
            now,
            at,
            identity,
            network,
            topic,
            rng,
            peers: &self.peers,
            gang: &self.gang,
            deeds: &mut self.deeds,
            later: &mut self.later,
            out,
        };
        act(self.adversary.as_mut(), &mut shell)
    }

    /// When it wants to act next, on the node's clock.
    pub(crate) fn next_deadline(&self) -> Mono {
        let later = self.later.iter().map(|one| one.due).min();
        later.map_or(self.next, |due| due.min(self.next))
    }

    /// Sends what was held back long enough.
    pub(crate) fn release(&mut self, now: Mono, out: &mut Outbox<Bytes>) {
        let mut waiting = Vec::new();
        for one in self.later.drain(..) {
            if one.due <= now {
                out.send(one.to, one.bytes);
            } else {
                waiting.push(one);
            }
        }
        self.later = waiting;
    }

    /// Whether it is its turn; the next one comes after its pause.
    pub(crate) fn is_due(&mut self, now: Mono) -> bool {
        let due = self.next <= now;
        if due {
            self.next = now + self.adversary.pause();
        }
        due
    }
}
