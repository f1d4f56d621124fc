//! What is done to whole networks, and what must come of it.

mod broadcast;
mod clock;
mod crash;
mod detection;
mod dht;
mod downloads;
mod eclipse;
mod growth;
mod liars;
mod loss;
mod malicious;
mod order;
mod overlay;
mod partition;
mod partition_shapes;
mod replay;
mod stack;
mod swarm;
mod sybil;
mod trust;

use crate::Outcome;

pub use broadcast::BROADCAST;
pub use clock::CLOCK;
pub use crash::CRASH;
pub use detection::DETECTION;
pub use dht::*;
pub use downloads::DOWNLOADS;
pub use eclipse::ECLIPSE;
pub use growth::GROWTH;
pub use liars::LIARS;
pub use loss::LOSS;
pub use malicious::{MALICIOUS, MALICIOUS_SWEEP};
pub use order::ORDER;
pub use overlay::OVERLAY;
pub use partition::PARTITION;
pub use partition_shapes::PARTITION_SHAPES;
pub use replay::REPLAY;
pub use stack::*;
pub use swarm::{SWARM, run_with as run_swarm};
pub use sybil::{GOSSIP_ATTACKS, run_attack};
pub use trust::*;

/// One thing that is done to a network, and at which sizes.
///
/// ```
/// use std::time::Duration;
/// use repute_sim::Faults;
/// use repute_tests::{Bar, Figure, Network, Outcome, Setup, scenario::Scenario};
///
/// const WHISPER: Scenario = Scenario::new("whisper", "one message reaches everybody", run)
///     .nodes(12)
///     .nodes_min(2)
///     .seeds(5)
///     .full(200, 100);
///
/// fn run(seed: u64, nodes: usize) -> Outcome {
///     let mut network = Network::grown(seed, Faults::none(), Setup::default(), nodes);
///     network.world.run_for(Duration::from_secs(20));
///     network.publish_some(1, Duration::from_secs(5));
///     let missed = network.missed(&network.published(), |_| true);
///     let missed = Figure::sum("missed", missed as f64, "times");
///     network.outcome(vec![missed.bar(Bar::Exactly(0.0))])
/// }
///
/// assert!((WHISPER.run)(1, WHISPER.nodes).failures().is_empty());
/// ```
#[non_exhaustive]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// How many nodes it takes by default, and in continuous integration.
    pub nodes: usize,
    /// How many nodes it needs.
    pub nodes_min: usize,
    /// How many seeds it takes by default, and at most when all scenarios run: a heavy one takes
    /// few, so that all of them end in minutes.
    pub seeds: u64,
    /// How many nodes a full run takes.
    pub full_nodes: usize,
    /// How many seeds a full run takes.
    pub full_seeds: u64,
    /// Runs it once, with a seed and that many nodes.
    pub run: fn(u64, usize) -> Outcome,
}

impl Scenario {
    /// A scenario of 50 nodes and 20 seeds, full runs included.
    pub const fn new(
        name: &'static str,
        about: &'static str,
        run: fn(u64, usize) -> Outcome,
    ) -> Self {
        Self {
            name,
            about,
            nodes: 50,
            nodes_min: 2,
            seeds: 20,
            full_nodes: 50,
            full_seeds: 20,
            run,
        }
    }

    /// With that many nodes, in a full run as well.
    #[must_use]
    pub const fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self.full_nodes = nodes;
        self
    }

    /// With no fewer nodes than these.
    #[must_use]
    pub const fn nodes_min(mut self, nodes: usize) -> Self {
        self.nodes_min = nodes;
        self
    }

    /// With that many seeds, at most, when all scenarios run.
    #[must_use]
    pub const fn seeds(mut self, seeds: u64) -> Self {
        self.seeds = seeds;
        self
    }

    /// With that many nodes and seeds in a full run.
    #[must_use]
    pub const fn full(mut self, nodes: usize, seeds: u64) -> Self {
        self.full_nodes = nodes;
        self.full_seeds = seeds;
        self
    }
}

/// Every scenario.
pub const ALL: &[Scenario] = &[
    SWARM,
    BROADCAST,
    PARTITION,
    PARTITION_SHAPES,
    ORDER,
    LOSS,
    CRASH,
    REPLAY,
    CLOCK,
    DETECTION,
    LIARS,
    GOSSIP_ATTACKS,
    MALICIOUS,
    MALICIOUS_SWEEP,
    ECLIPSE,
    GROWTH,
    OVERLAY,
    DHT,
    DHT_SYBIL,
    DHT_CHURN,
    DHT_ECLIPSE,
    DOWNLOADS,
    TRUST_EIGENTRUST_A,
    TRUST_EIGENTRUST_B,
    TRUST_EIGENTRUST_C,
    TRUST_EIGENTRUST_D,
    TRUST_FLOOD_FARMING,
    TRUST_ON_OFF,
    TRUST_WHITEWASH,
    TRUST_SLANDER,
    TRUST_BALLOT_STUFFING,
    TRUST_SYBIL_REGION,
    TRUST_COLLUSION_RING,
    TRUST_BAD_ANCHOR,
    TRUST_WITHHOLDING,
    STACK_LOSS,
    STACK_PARTITION,
    STACK_SLOW,
    STACK_GAPPED,
    STACK_SLOWLORIS,
    STACK_FLOOD,
    STACK_FORGERS,
    STACK_CHURN,
];
