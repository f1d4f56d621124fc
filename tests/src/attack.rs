use std::time::Duration;

use bytes::Bytes;
use repute_base::{BoundedBytes, BoundedVec, Mono, Rng, Timestamp};
use repute_identity::Identity;
use repute_protocol::{
    Broadcast, Envelope, EnvelopeKind, Frame, FrameKind, Message, NetworkId, Payload, Seq, Topic,
    Unsigned,
};

/// What a hostile node does to everyone it has a link with, besides being a node.
#[derive(Clone, Debug)]
pub struct Attack {
    kind: AttackKind,
    every: Duration,
    next: Mono,
    count: u64,
}

/// Which rule it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttackKind {
    /// Messages in the name of others, under signatures that do not hold.
    Forge,
    /// Frames that are no encoding of their kind.
    Garble,
}

impl Attack {
    /// An attack on every link, ten times a second, from `begin` of the node's clock.
    pub const fn new(kind: AttackKind, begin: Mono) -> Self {
        Self {
            kind,
            every: Duration::from_millis(100),
            next: begin,
            count: 0,
        }
    }

    pub(crate) const fn next(&self) -> Mono {
        self.next
    }

    pub(crate) fn is_due(&self, now: Mono) -> bool {
        self.next <= now
    }

    pub(crate) fn wait(&mut self, now: Mono) {
        self.next = now + self.every;
    }

    /// The next hostile frame.
    pub(crate) fn frame(&mut self, now: Timestamp, rng: &mut Rng, network: NetworkId) -> Bytes {
        self.count += 1;
        match self.kind {
            AttackKind::Forge => forged(now, self.count, network).unwrap_or_default(),
            AttackKind::Garble => garbled(rng),
        }
    }
}

/// A message whose signature was another's.
fn forged(now: Timestamp, count: u64, network: NetworkId) -> Option<Bytes> {
    let payload = Payload::Message(Message {
        topic: Topic::new("news").ok()?,
        kind: 0,
        nth: count,
        after: BoundedVec::new(),
        data: BoundedBytes::new(&b"believe me"[..]).ok()?,
    });
    let signed = Unsigned {
        network,
        kind: EnvelopeKind::Message,
        seq: Seq {
            start: now.wall.as_millis(),
            counter: count,
        },
        sent: now.wall,
        payload: payload.encode(),
    }
    .sign(&Identity::from_seed(u64::MAX));
    let mut wire = signed.wire().to_vec();
    // In the response half of the signature, low enough that it stays well-formed.
    let at = wire.len().checked_sub(20)?;
    *wire.get_mut(at)? ^= 1;
    let envelope = Envelope::decode(wire.into()).ok()?;
    let broadcast = Broadcast {
        hops: 0,
        ttl: 8,
        requested: false,
        envelope,
    };
    Some(Frame::Broadcast(broadcast).encode())
}

/// A gossip frame of noise.
fn garbled(rng: &mut Rng) -> Bytes {
    let mut body = [0xff; 32];
    if let Some(noise) = body.get_mut(1..) {
        rng.fill(noise);
    }
    let mut frame = Vec::from((body.len() as u32 + 1).to_be_bytes());
    frame.push(FrameKind::Gossip.number());
    frame.extend_from_slice(&body);
    frame.into()
}
