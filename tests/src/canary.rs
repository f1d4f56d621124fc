//! Bugs planted on purpose: a laboratory that does not find them finds nothing else either.
//!
//! They live in the shell that the simulation gives each node, never in what ships. `cargo xtask
//! sim canary` runs the swarm with each of them until it is found.

use std::{cell::Cell, rc::Rc};

/// One planted bug. Every node of the network has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// Passes one message in twenty on before its signature is checked.
    ForwardsUnchecked,
    /// Comes back from a crash without the record of what it had seen.
    ForgetsSeen,
    /// Loses one row in a thousand of what it said was durable.
    DropsRows,
    /// Takes a copy of a message for an offence.
    AccusesOfCopies,
    /// Says that a write is durable when it has only begun.
    AcknowledgesEarly,
    /// Does not tell the core of one link in ten that went down.
    HidesLostLinks,
    /// Throws every request for repair away.
    IgnoresRepair,
    /// Draws a delay from the process instead of the seed.
    DrawsAmbient,
}

impl Canary {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ForwardsUnchecked,
        Self::ForgetsSeen,
        Self::DropsRows,
        Self::AccusesOfCopies,
        Self::AcknowledgesEarly,
        Self::HidesLostLinks,
        Self::IgnoresRepair,
        Self::DrawsAmbient,
    ];

    /// What it does, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForwardsUnchecked => "forwards before the signature is checked",
            Self::ForgetsSeen => "forgets what it had seen in a crash",
            Self::DropsRows => "drops one durable row in 1,000",
            Self::AccusesOfCopies => "accuses whoever sends a copy",
            Self::AcknowledgesEarly => "acknowledges before it is durable",
            Self::HidesLostLinks => "hides one lost link in 10 from the core",
            Self::IgnoresRepair => "ignores requests for repair",
            Self::DrawsAmbient => "draws randomness of the process",
        }
    }
}

/// A bug, and the opportunities for it so far in the whole network.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planted {
    bug: Option<Canary>,
    chances: Rc<Cell<u64>>,
}

impl Planted {
    pub(crate) fn new(bug: Option<Canary>) -> Self {
        let chances = Rc::default();
        Self { bug, chances }
    }

    /// Whether the planted bug is this one.
    pub(crate) fn is(&self, bug: Canary) -> bool {
        self.bug == Some(bug)
    }

    /// Whether it is this one and strikes now: at each `nth` opportunity.
    pub(crate) fn strikes(&self, bug: Canary, nth: u64) -> bool {
        if !self.is(bug) {
            return false;
        }
        self.chances.set(self.chances.get() + 1);
        self.chances.get().is_multiple_of(nth)
    }

    /// What no seed decides.
    pub(crate) fn ambient(&self) -> u64 {
        use std::hash::BuildHasher;
        std::hash::RandomState::new().hash_one(self.chances.get())
    }
}
