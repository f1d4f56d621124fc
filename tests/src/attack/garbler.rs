use std::time::Duration;

use repute_base::Mono;
use repute_identity::NodeId;
use repute_protocol::{Frame, FrameKind};

use super::{Adversary, Shell};

/// Sends frames that are no encoding of their kind, on every link, ten times a second.
#[derive(Clone, Debug)]
pub struct Garbler {
    begin: Mono,
}

impl Garbler {
    /// One that behaves until `begin` of the world's clock.
    pub const fn new(begin: Mono) -> Self {
        Self { begin }
    }
}

impl Adversary for Garbler {
    fn says(&mut self, me: &mut Shell<'_>, to: NodeId, frame: &Frame) -> bool {
        me.recommends(to, frame)
    }

    fn acts(&mut self, me: &mut Shell<'_>) {
        if me.at < self.begin {
            return;
        }
        for peer in me.peers {
            let mut body = [0xff; 32];
            if let Some(noise) = body.get_mut(1..) {
                me.rng.fill(noise);
            }
            let mut frame = Vec::from((body.len() as u32 + 1).to_be_bytes());
            frame.push(FrameKind::Gossip.number());
            frame.extend_from_slice(&body);
            me.did("garbled");
            me.send_bytes(*peer, frame.into());
        }
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(100)
    }
}
