use core::fmt;

use repute_base::{Fixed, Wall};

/// Where a peer stands, at one moment of ledger time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The score for ranking, 0 to 1: belief, and the prior for what is not known.
    pub trust: Fixed,
    /// The pessimistic score for decisions with high stakes, 0 to 1: only what is proven.
    pub belief: Fixed,
    /// How much is not known, 0 to 1; 1 for a stranger.
    pub uncertainty: Fixed,
    /// The score in one word.
    pub level: Level,
    /// Whether a link is allowed, whatever the score.
    pub gate: Gate,
}

impl Standing {
    /// Whether good evidence is behind it: a quarter of the weight of what is not known, 125 events
    /// by default. A first fault takes a peer out of the unknown, but not into the proven.
    pub fn is_proven(&self) -> bool {
        self.level != Level::Unknown && self.belief.mul(Fixed::from_int(4)) >= self.uncertainty
    }

    /// The score of what is not known: one half, moved by recommendations.
    pub fn prior(&self) -> Fixed {
        if self.uncertainty <= Fixed::ZERO {
            return Fixed::HALF;
        }
        let prior = (self.trust - self.belief).div(self.uncertainty);
        prior.clamp(Fixed::ZERO, Fixed::ONE)
    }
}

/// A score in one word, ordered from worst to best; a stranger is not below a cheat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Enough is known, and it is bad.
    Distrusted,
    /// Too little evidence to say. Served like [`Level::Low`].
    #[default]
    Unknown,
    /// Some doubt, or too little good evidence for more.
    Low,
    /// Fair.
    Medium,
    /// Good.
    High,
    /// As good as it gets.
    Trusted,
}

impl Level {
    /// Every level, worst first.
    pub const ALL: [Self; 6] = [
        Self::Distrusted,
        Self::Unknown,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Trusted,
    ];

    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Distrusted => "distrusted",
            Self::Unknown => "unknown",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Trusted => "trusted",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a peer may have a link. Times are ledger time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Open,
    /// It may, but broke a rule not long ago.
    Warned,
    /// No link, however it comes in, for a short while.
    Grey {
        /// When that ends.
        until: Wall,
    },
    /// No link, however it comes in.
    Banned {
        /// When that ends; `None`: when the operator says so.
        until: Option<Wall>,
    },
}

impl Gate {
    /// True when links of this peer are to be refused and closed.
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Grey { .. } | Self::Banned { .. })
    }

    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Warned => "warned",
            Self::Grey { .. } => "grey",
            Self::Banned { .. } => "banned",
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
