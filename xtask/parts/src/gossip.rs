use anyhow::{Result, ensure};
use bytes::Bytes;
use repute_base::{Machine, Rng};
use repute_gossip::{Config, Gossip, Input, Limits, Output};
use repute_identity::{Identity, NodeId};
use repute_protocol::{Envelope, Frame, FrameKind, FromPeer, GossipFrame, Verified};

use crate::messages::{network, now, topic};

/// The gossip engine among neighbours: it delivers what one of them brings, and passes it on.
#[derive(Debug)]
pub struct Relay {
    engine: Gossip,
    neighbours: Vec<NodeId>,
    steps: u64,
}

impl Relay {
    /// Neighbours that are pushed to.
    pub const NEIGHBOURS: usize = 4;

    /// A fresh engine.
    ///
    /// # Errors
    /// When the engine does not take its defaults, or refuses a neighbour.
    pub fn new() -> Result<Self> {
        let me = Identity::from_seed(1).id();
        let engine = Gossip::new(
            Config::default(),
            Limits::default(),
            me,
            network(),
            Rng::from_u64(1),
        )?;
        let neighbours: Vec<_> = (0..Self::NEIGHBOURS as u64)
            .map(|one| Identity::from_seed(10 + one).id())
            .collect();
        let mut relay = Self {
            engine,
            neighbours: neighbours.clone(),
            steps: 0,
        };
        let topic = topic()?;
        relay.hand(Input::Subscribe {
            topic,
            causal: false,
        });
        for peer in neighbours {
            let addresses = Vec::new();
            relay.hand(Input::PeerUp { peer, addresses });
            let wants_in = Frame::Gossip(GossipFrame::Neighbor { urgent: true });
            relay.hand(Input::Frame(FromPeer::authenticated(peer, wants_in)));
        }
        let active = relay.engine.stats().active;
        ensure!(
            active == Self::NEIGHBOURS,
            "{active} neighbours are active instead of {}",
            Self::NEIGHBOURS
        );
        Ok(relay)
    }

    fn hand(&mut self, input: Input) {
        self.engine.handle(now(self.steps), input);
        while self.engine.poll_output().is_some() {}
    }

    /// One message comes in as the body of a frame, and everything that follows is done; `proven`
    /// answers the request to check its signature. How many copies were passed on.
    pub fn step(&mut self, body: Bytes, proven: Verified<Envelope>) -> usize {
        self.steps += 1;
        let now = now(self.steps);
        let turn = self.steps as usize % self.neighbours.len().max(1);
        let (Some(from), Ok(frame)) = (
            self.neighbours.get(turn).copied(),
            Frame::decode(FrameKind::Broadcast, body),
        ) else {
            return 0;
        };
        let mut next = vec![Input::Frame(FromPeer::authenticated(from, frame))];
        if self
            .engine
            .next_deadline()
            .is_some_and(|due| due <= now.mono)
        {
            next.push(Input::Tick);
        }
        let mut proven = Some(proven);
        let mut sent = 0;
        while let Some(input) = next.pop() {
            self.engine.handle(now, input);
            while let Some(output) = self.engine.poll_output() {
                match output {
                    Output::Verify { from, .. } => {
                        let envelope = proven.take();
                        next.extend(envelope.map(|envelope| Input::Verified { from, envelope }));
                    }
                    Output::Send { peer, frame, .. } => {
                        let bytes = frame.len();
                        // Small frames are control: announcements, prunes.
                        sent += usize::from(bytes > 1_024);
                        next.push(Input::LinkQueue { peer, bytes });
                    }
                    _ => {}
                }
            }
        }
        sent
    }
}
