use alloc::vec;

use repute_base::Fixed;

use super::{Assessment, Component, Dossier, ScoringModel, Stakes};

/// Combined reputation in the network: R = 0.6·T + 0.2·T·(1 − min(1, 4σ)) + 0.2·S.
///
/// T is the trust of the ledger, σ how much it swung lately: swings cost, and a peer that is
/// steadily bad earns nothing by being steady. S is the share of messages that were useful, or
/// the application's own. With high stakes T is belief alone, and S its pessimistic end.
#[derive(Clone, Copy, Debug, Default)]
pub struct NetworkModel {
    /// Which of the application's tallies takes the place of S; `None`: none does.
    pub application: Option<usize>,
}

impl ScoringModel for NetworkModel {
    fn name(&self) -> &'static str {
        "network"
    }

    fn assess(&self, dossier: &Dossier, stakes: Stakes) -> Assessment {
        let metrics = &dossier.metrics;
        let trust = match stakes {
            Stakes::Ordinary => dossier.standing.trust,
            Stakes::High => dossier.standing.belief,
        };
        let swing = metrics.steadiness.deviation().mul(Fixed::from_int(4));
        let steady = trust.mul(Fixed::ONE - swing.min(Fixed::ONE));
        let own = self.application.and_then(|slot| metrics.custom.get(slot));
        let application = stakes.share(own.unwrap_or(&metrics.messages()));
        Assessment::weighted(vec![
            Component::percent("trust", 60, trust),
            Component::percent("consistency", 20, steady),
            Component::percent("application", 20, application),
        ])
    }
}
