use alloc::{collections::VecDeque, vec::Vec};

use repute_base::{Machine, Mono, Rng, Timestamp};
use repute_identity::NodeId;
use repute_protocol::NetworkId;

use crate::{Config, ConfigError, Input, Limits, Output, SeenAuthor, Stats};

/// The gossip engine: HyParView membership and Plumtree broadcast as one machine.
#[derive(Debug)]
pub struct Gossip {
    config: Config,
    limits: Limits,
    me: NodeId,
    network: NetworkId,
    rng: Rng,
    outputs: VecDeque<Output>,
}

impl Gossip {
    /// An engine for the node `me` of `network`.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting is out of range.
    pub fn new(
        config: Config,
        limits: Limits,
        me: NodeId,
        network: NetworkId,
        rng: Rng,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self { config, limits, me, network, rng, outputs: VecDeque::new() })
    }

    /// Takes back a row that an earlier run persisted. Call before the first input.
    pub fn restore_seen(&mut self, seen: SeenAuthor) {
        let _ = seen;
    }

    /// Whether another publish is accepted now.
    pub fn is_ready(&self) -> bool {
        true
    }

    /// The active view, sorted.
    pub fn active_view(&self) -> Vec<NodeId> {
        Vec::new()
    }

    /// Counters and sizes.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
}

impl Machine for Gossip {
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
