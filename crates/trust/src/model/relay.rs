use alloc::vec;

use repute_base::Fixed;

use super::{Assessment, Component, Dossier, ScoringModel, Stakes, estimate::log2_more};

/// Through whom to connect: circuits 50 %, reservations 20 %, volume 20 %, uptime 10 %.
///
/// Volume is min(1, log2(1 + GiB)/10), counted from receipts that both ends signed and capped by
/// pair and day, so that relaying for oneself is bounded.
#[derive(Clone, Copy, Debug, Default)]
pub struct RelayModel;

impl ScoringModel for RelayModel {
    fn name(&self) -> &'static str {
        "relay"
    }

    fn assess(&self, dossier: &Dossier, stakes: Stakes) -> Assessment {
        let (relay, uptime) = (&dossier.metrics.relay, dossier.metrics.uptime.tally());
        let gib = relay.mib.div(Fixed::from_int(1_024));
        let volume = log2_more(gib).div(Fixed::from_int(10)).min(Fixed::ONE);
        Assessment::weighted(vec![
            Component::percent("circuits", 50, stakes.share(&relay.circuits)),
            Component::percent("reservations", 20, stakes.share(&relay.reservations)),
            Component::percent("volume", 20, volume),
            Component::percent("uptime", 10, stakes.share(&uptime)),
        ])
    }
}
