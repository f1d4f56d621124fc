//! Scores for a purpose: models as views of what was observed.

pub(crate) mod estimate;
mod metrics;
mod network;
mod peer;
mod registry;
mod relay;
mod sample;
mod signing;
mod steadiness;
mod tally;
mod transfer;
mod uptime;

use alloc::vec::Vec;

use repute_base::Fixed;

pub use metrics::{CUSTOM, Metrics, PAIRS_PER_DAY, Pairs, Relay as RelayMetrics, Signing};
pub use network::NetworkModel;
pub use peer::PeerModel;
pub use registry::Models;
pub use relay::RelayModel;
pub use sample::{Direction, Sample, SigningOutcome, Transfer};
pub use signing::SigningModel;
pub use steadiness::Steadiness;
pub use tally::{Mean, Tally};
pub use transfer::{TransferModel, composite_score};
pub(crate) use uptime::DAYS;
pub use uptime::Uptime;

use crate::Standing;

/// A way to score peers for a purpose.
///
/// Scoring is pure: the same dossier gives the same score, to the last bit. Honesty is not a
/// model's business: gates and distrust come first, in [`select`](crate::select), so that no
/// amount of speed makes up for a lie.
///
/// An application adds its own by implementing this; see `examples/own_model.rs`.
pub trait ScoringModel {
    /// A short name, for the command line and JSON.
    fn name(&self) -> &'static str;

    /// The highest score; the lowest is zero.
    fn score_max(&self) -> Fixed {
        Fixed::ONE
    }

    /// The score of a peer, and what it is made of.
    fn assess(&self, dossier: &Dossier, stakes: Stakes) -> Assessment;

    /// What somebody of whom too little is known showed so far, of what this model is about.
    /// Everything done together, unless the model knows better.
    fn outcomes(&self, metrics: &Metrics) -> Tally {
        metrics.outcomes()
    }
}

/// All that a model may look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dossier {
    /// What was observed, faded up to now.
    pub metrics: Metrics,
    /// Where the peer stands in the ledger.
    pub standing: Standing,
    /// The share of this node's links that are in the peer's address prefix group, 0 to 1.
    pub crowding: Fixed,
}

/// What depends on a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stakes {
    /// A bad choice costs a retry: expected values, and what is not known is one half.
    #[default]
    Ordinary,
    /// A bad choice costs more: the pessimistic end of every estimate, and what is not known is
    /// nothing.
    High,
}

impl Stakes {
    /// What an unknown component is worth.
    pub(crate) fn prior(self) -> Fixed {
        match self {
            Self::Ordinary => Fixed::HALF,
            Self::High => Fixed::ZERO,
        }
    }

    /// The share of a tally that went well.
    pub(crate) fn share(self, tally: &Tally) -> Fixed {
        match self {
            Self::Ordinary => tally.expected(),
            Self::High => tally.lower(),
        }
    }
}

/// A score, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The score, from zero to the model's highest.
    pub score: Fixed,
    /// What it is made of, the weightiest first.
    pub components: Vec<Component>,
}

/// One part of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// What it is.
    pub name: &'static str,
    /// What it came to, before its weight.
    pub value: Fixed,
    /// The most it can contribute.
    pub weight: Fixed,
}

impl Component {
    /// A component worth `percent` of a score up to 1.
    pub const fn percent(name: &'static str, percent: i64, value: Fixed) -> Self {
        Self {
            name,
            value,
            // To the nearest, so that the parts of a whole are a whole.
            weight: Fixed::from_raw(((percent << Fixed::FRACTION_BITS) + 50) / 100),
        }
    }
}

impl Assessment {
    /// The weighted sum of components, each kept within 0 and 1.
    pub fn weighted(components: Vec<Component>) -> Self {
        // Rounded once, at the end.
        let sum: i128 = components
            .iter()
            .map(|component| {
                let value = component.value.clamp(Fixed::ZERO, Fixed::ONE);
                i128::from(component.weight.raw()) * i128::from(value.raw())
            })
            .sum();
        let score = Fixed::from_raw(i64::try_from(sum >> Fixed::FRACTION_BITS).unwrap_or(i64::MAX));
        Self { score, components }
    }
}

impl Dossier {
    /// The dossier of somebody nothing is known about.
    pub fn of_stranger(standing: Standing) -> Self {
        Self {
            metrics: Metrics::default(),
            standing,
            crowding: Fixed::ZERO,
        }
    }
}
