use alloc::{collections::VecDeque, vec::Vec};

use repute_base::{Machine, Mono, Rng, Timestamp};
use repute_identity::NodeId;

use crate::{Config, ConfigError, Input, Limits, Output, PeerState, PeerView, Stored};

/// The engine: address book, links, discovery and failure detection.
pub struct Peers {
    outputs: VecDeque<Output>,
}

impl Peers {
    /// An engine for the node `me`.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration does not hold together.
    pub fn new(
        config: Config,
        _limits: Limits,
        _me: NodeId,
        _rng: Rng,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            outputs: VecDeque::new(),
        })
    }

    /// Puts a peer from the store into the address book, before the first input.
    pub fn restore(&mut self, _peer: Stored) {}

    /// Names the peers to dial first, from the store, before the first input.
    pub fn restore_anchors(&mut self, _anchors: Vec<NodeId>) {}

    /// How far a peer is; `None` if it is unknown.
    pub fn state(&self, _peer: NodeId) -> Option<PeerState> {
        None
    }

    /// All known peers, by id.
    pub fn iter(&self) -> impl Iterator<Item = PeerView> {
        core::iter::empty()
    }

    /// What is known about one peer.
    pub fn view(&self, _peer: NodeId) -> Option<PeerView> {
        None
    }

    /// The active peers, by id.
    pub fn active(&self) -> impl Iterator<Item = NodeId> {
        core::iter::empty()
    }
}

impl Machine for Peers {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, _now: Timestamp, _input: Input) {}

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Mono> {
        None
    }
}
