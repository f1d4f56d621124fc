//! The laboratory of liars: what strategies of the literature get out of the trust machines.
//!
//! No network runs here. Peers act, one or more [`Observer`]s judge them with the ledger, the
//! rank and the selection that ship, and the strategy is told what it could know.

mod bad_anchor;
mod ballot_stuffing;
mod collusion_ring;
mod eigentrust;
mod fetcher;
mod flood_farming;
mod market;
mod observer;
mod on_off;
mod slander;
mod sybil_region;
mod village;
mod whitewash;
mod withholding;

use repute_base::Fixed;
use repute_identity::NodeId;
use repute_node::trust::Rank;
use repute_sim::Trace;

use self::observer::Observer;
use crate::{Figure, Outcome, Tally};

pub use bad_anchor::TRUST_BAD_ANCHOR;
pub use ballot_stuffing::TRUST_BALLOT_STUFFING;
pub use collusion_ring::TRUST_COLLUSION_RING;
pub use eigentrust::{
    TRUST_EIGENTRUST_A, TRUST_EIGENTRUST_B, TRUST_EIGENTRUST_C, TRUST_EIGENTRUST_D, Threat,
    run as run_eigentrust,
};
pub use flood_farming::TRUST_FLOOD_FARMING;
pub use on_off::TRUST_ON_OFF;
pub use slander::TRUST_SLANDER;
pub use sybil_region::TRUST_SYBIL_REGION;
pub use whitewash::TRUST_WHITEWASH;
pub use withholding::TRUST_WITHHOLDING;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The peer of this number.
fn peer(number: usize) -> NodeId {
    let mut id = [0; 32];
    id.iter_mut()
        .zip((number as u64 + 1).to_be_bytes())
        .for_each(|(place, byte)| *place = byte);
    NodeId::from_bytes(id)
}

/// The rank of a peer in averages.
fn in_averages(rank: &Rank, of: NodeId) -> Fixed {
    rank.credibility(of, Fixed::ONE, Fixed::ZERO)
}

/// A run without a network: what was measured, and a trace over every figure.
fn outcome(seed: u64, simulated_ms: u64, mut trace: Trace, figures: Vec<Figure>) -> Outcome {
    for (place, figure) in figures.iter().enumerate() {
        trace.record(seed, place, 0, 0, figure.value.to_bits() as usize);
    }
    Outcome {
        figures,
        breaches: Vec::new(),
        trace: trace.hash(),
        tally: Tally {
            simulated: std::time::Duration::from_millis(simulated_ms),
            ..Tally::default()
        },
    }
}
