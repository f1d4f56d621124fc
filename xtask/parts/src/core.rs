use anyhow::{Result, ensure};
use bytes::Bytes;
use repute_base::{BoundedString, BoundedVec, Rng};
use repute_identity::{Identity, NodeId};
use repute_node::{Command, Config, Core, Input, Output, Snapshot};
use repute_protocol::{
    Envelope, Frame, FrameKind, FromPeer, GossipFrame, Handshake, HandshakeAck, Verified,
};

use crate::{
    Messages,
    messages::{network, now, topic},
};

/// All engines together, among neighbours.
pub struct Whole {
    core: Core,
    neighbours: Vec<NodeId>,
    steps: u64,
}

impl Whole {
    /// Neighbours that are pushed to.
    pub const NEIGHBOURS: usize = 4;

    /// A fresh core.
    ///
    /// # Errors
    /// When the core does not take its defaults, or refuses a neighbour.
    pub fn new() -> Result<Self> {
        let me = Identity::from_seed(1).id();
        let mut config = Config::on_network("parts");
        config.network = network();
        let snapshot = Snapshot {
            start: 1,
            ..Snapshot::default()
        };
        let core = Core::new(me, config, snapshot, None, Rng::from_u64(1))?;
        let mut whole = Self {
            core,
            neighbours: Vec::new(),
            steps: 0,
        };
        whole.hand(Input::Start);
        let topic = topic()?;
        whole.hand(Input::Command(Command::Subscribe {
            topic,
            causal: false,
        }));
        for number in 0..Self::NEIGHBOURS as u64 {
            whole.link(&Identity::from_seed(10 + number), number)?;
        }
        let active = whole.core.gossip().stats().active;
        ensure!(
            active == Self::NEIGHBOURS,
            "{active} neighbours are active instead of {}",
            Self::NEIGHBOURS
        );
        Ok(whole)
    }

    /// A neighbour dials, is admitted and wants into the active view.
    fn link(&mut self, neighbour: &Identity, number: u64) -> Result<()> {
        let peer = neighbour.id();
        // Each from a part of the network of its own.
        let remote = format!("{}.0.2.1:7000", 11 + number).parse()?;
        let handshake = Handshake {
            version_min: 1,
            version_max: 1,
            network: network(),
            inception: *neighbour.inception(),
            capabilities: BoundedVec::new(),
            listen: BoundedVec::new(),
            wall: now(self.steps).wall.as_millis(),
            agent: BoundedString::default(),
        };
        self.hand(Input::LinkUp {
            peer,
            handshake,
            remote,
            inbound: true,
        });
        let welcome = Frame::HandshakeAck(HandshakeAck {
            observed: remote,
            peers: BoundedVec::new(),
        });
        let wants_in = Frame::Gossip(GossipFrame::Neighbor { urgent: true });
        for frame in [welcome, wants_in] {
            self.hand(Input::Frame(FromPeer::authenticated(peer, frame)));
        }
        self.neighbours.push(peer);
        Ok(())
    }

    fn hand(&mut self, input: Input) {
        self.core.handle(now(self.steps), input);
        while let Some(output) = self.core.poll_output() {
            if let Output::Persist { id, .. } = output {
                self.core.handle(now(self.steps), Input::Persisted(id));
            }
        }
    }

    /// Relays all messages; how many copies were passed on.
    pub fn relay(&mut self, messages: &Messages) -> usize {
        messages
            .frames()
            .map(|(body, proven)| self.step(body, proven))
            .sum()
    }

    fn step(&mut self, body: Bytes, proven: Verified<Envelope>) -> usize {
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
        if self.core.next_deadline().is_some_and(|due| due <= now.mono) {
            next.push(Input::Tick);
        }
        let mut proven = Some(proven);
        let mut sent = 0;
        while let Some(input) = next.pop() {
            self.core.handle(now, input);
            while let Some(output) = self.core.poll_output() {
                match output {
                    Output::Verify { from, .. } => {
                        let envelope = proven.take();
                        next.extend(envelope.map(|envelope| Input::Verified { from, envelope }));
                    }
                    Output::Send { peer, frame, .. } => {
                        let bytes = frame.len();
                        sent += usize::from(bytes > 1_024);
                        next.push(Input::Drained { peer, bytes });
                    }
                    Output::Persist { id, .. } => next.push(Input::Persisted(id)),
                    _ => {}
                }
            }
        }
        sent
    }
}

impl std::fmt::Debug for Whole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Whole")
            .field("neighbours", &self.neighbours.len())
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}
