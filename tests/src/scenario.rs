//! What is done to whole networks, and what must come of it.

mod broadcast;
mod clock;
mod crash;
mod detection;
mod liars;
mod loss;
mod partition;
mod replay;

use crate::Outcome;

pub use broadcast::BROADCAST;
pub use clock::CLOCK;
pub use crash::CRASH;
pub use detection::DETECTION;
pub use liars::LIARS;
pub use loss::LOSS;
pub use partition::PARTITION;
pub use replay::REPLAY;

/// One thing that is done to a network.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// How many nodes it takes by default.
    pub nodes: usize,
    /// How many nodes it needs.
    pub nodes_min: usize,
    /// Runs it once, with a seed and that many nodes.
    pub run: fn(u64, usize) -> Outcome,
}

/// Every scenario.
pub const ALL: &[Scenario] = &[
    BROADCAST, PARTITION, LOSS, CRASH, REPLAY, CLOCK, DETECTION, LIARS,
];
