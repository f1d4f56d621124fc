use std::time::Duration;

use repute_base::{BoundedBytes, BoundedVec, Mono};
use repute_identity::{Identity, NodeId};
use repute_protocol::{Broadcast, Envelope, EnvelopeKind, Frame, Message, Payload};

use super::{Adversary, Shell};

/// Sends messages in the name of others, under signatures that do not hold, on every link, ten
/// times a second.
#[derive(Clone, Debug)]
pub struct Forger {
    begin: Mono,
    count: u64,
}

impl Forger {
    /// One that behaves until `begin` of the world's clock.
    pub const fn new(begin: Mono) -> Self {
        Self { begin, count: 0 }
    }

    /// A message whose signature was another's.
    fn forge(&mut self, me: &mut Shell<'_>) -> Option<Frame> {
        self.count += 1;
        let payload = Payload::Message(Message {
            topic: me.topic.clone(),
            kind: 0,
            nth: self.count,
            after: BoundedVec::new(),
            data: BoundedBytes::new(&b"believe me"[..]).ok()?,
        });
        let other = Identity::from_seed(u64::MAX);
        let signed = me.sign(&other, EnvelopeKind::Message, &payload);
        let mut wire = signed.wire().to_vec();
        // In the response half of the signature, low enough that it stays well-formed.
        let at = wire.len().checked_sub(20)?;
        *wire.get_mut(at)? ^= 1;
        Some(Frame::Broadcast(Broadcast {
            hops: 0,
            ttl: 8,
            requested: false,
            envelope: Envelope::decode(wire.into()).ok()?,
        }))
    }
}

impl Adversary for Forger {
    fn says(&mut self, me: &mut Shell<'_>, to: NodeId, frame: &Frame) -> bool {
        me.recommends(to, frame)
    }

    fn acts(&mut self, me: &mut Shell<'_>) {
        if me.at < self.begin {
            return;
        }
        for peer in me.peers {
            if let Some(frame) = self.forge(me) {
                me.did("forged");
                me.send(*peer, &frame);
            }
        }
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(100)
    }
}
