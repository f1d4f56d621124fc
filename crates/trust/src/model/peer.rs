use alloc::vec;

use repute_base::Fixed;

use super::{Assessment, Component, Dossier, ScoringModel, Stakes, transfer::latency};

/// Whom to be a neighbour of: success 40 %, latency 30 %, diversity 30 %.
///
/// Success is of everything done together; diversity is what is left when the share of our links
/// in the peer's address prefix group is taken away, and at least one half.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeerModel;

impl ScoringModel for PeerModel {
    fn name(&self) -> &'static str {
        "peer"
    }

    fn assess(&self, dossier: &Dossier, stakes: Stakes) -> Assessment {
        let metrics = &dossier.metrics;
        let crowding = dossier.crowding.clamp(Fixed::ZERO, Fixed::ONE);
        let diversity = (Fixed::ONE - crowding).max(Fixed::HALF);
        Assessment::weighted(vec![
            Component::percent("success", 40, stakes.share(&metrics.outcomes())),
            Component::percent("latency", 30, latency(&metrics.latency, stakes.prior())),
            Component::percent("diversity", 30, diversity),
        ])
    }
}
