use std::time::Duration;

use repute_base::Mono;
use repute_identity::NodeId;
use repute_protocol::{Frame, GossipFrame};

use super::{Adversary, Shell};

/// How late it passes something on, in ms.
const LATE_MS: std::ops::Range<u64> = 500..3_000;

/// Passes messages and announcements on, but late.
#[derive(Clone, Debug)]
pub struct Delayer {
    begin: Mono,
}

impl Delayer {
    /// One that behaves until `begin` of the world's clock.
    pub const fn new(begin: Mono) -> Self {
        Self { begin }
    }
}

impl Adversary for Delayer {
    fn says(&mut self, me: &mut Shell<'_>, to: NodeId, frame: &Frame) -> bool {
        let held = match frame {
            Frame::Broadcast(_) => true,
            Frame::Gossip(frame) => matches!(frame, GossipFrame::Announce { .. }),
            _ => false,
        };
        if me.at < self.begin || !held {
            return me.recommends(to, frame);
        }
        let late = Duration::from_millis(me.rng.range(LATE_MS));
        me.did("delayed");
        me.send_later(late, to, frame);
        false
    }
}
