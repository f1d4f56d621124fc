use alloc::vec;

use repute_base::Fixed;

use super::{
    Assessment, Component, Dossier, Mean, Metrics, ScoringModel, Stakes, Tally, estimate::shrunk,
};

/// Whom to fetch from: success 30 %, latency 25 %, bandwidth 25 %, uptime 20 %.
///
/// Each is measured by this node alone and drawn towards one half by n/(n+5). Encryption is a
/// filter, not points.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransferModel;

/// 1/(1 + L/200 ms).
const LATENCY_HALF_MS: Fixed = Fixed::from_int(200);
/// bw/(bw + 1 MiB/s), in KiB/s.
const BANDWIDTH_HALF: Fixed = Fixed::from_int(1_024);

/// The transfer composite of given metrics; pure.
pub fn composite_score(metrics: &Metrics) -> Fixed {
    TransferModel::composite(metrics, Stakes::Ordinary).score
}

impl TransferModel {
    /// The composite and its parts, from metrics alone; pure.
    pub fn composite(metrics: &Metrics, stakes: Stakes) -> Assessment {
        let prior = stakes.prior();
        let transfers = &metrics.transfers;
        let success = shrunk(transfers.lower(), transfers.all(), prior);
        let bandwidth = metrics.bandwidth();
        let speed = bandwidth.value.div(bandwidth.value + BANDWIDTH_HALF);
        let probes = metrics.uptime.tally();
        let uptime = shrunk(stakes.share(&probes), probes.all(), prior);
        Assessment::weighted(vec![
            Component::percent("success", 30, success),
            Component::percent("latency", 25, latency(&metrics.latency, prior)),
            Component::percent("bandwidth", 25, shrunk(speed, bandwidth.count, prior)),
            Component::percent("uptime", 20, uptime),
        ])
    }
}

impl ScoringModel for TransferModel {
    fn name(&self) -> &'static str {
        "transfer"
    }

    fn assess(&self, dossier: &Dossier, stakes: Stakes) -> Assessment {
        Self::composite(&dossier.metrics, stakes)
    }

    /// Passing messages on is no sign of serving well, but a broken rule is a bad one.
    fn outcomes(&self, metrics: &Metrics) -> Tally {
        Tally {
            ok: metrics.transfers.ok,
            failed: metrics.transfers.failed + metrics.invalid,
        }
    }
}

/// 1/(1 + L/200 ms), drawn towards the prior while there are few measurements.
pub(super) fn latency(mean: &Mean, prior: Fixed) -> Fixed {
    let value = mean.value.max(Fixed::ZERO);
    let quick = LATENCY_HALF_MS.div(LATENCY_HALF_MS + value);
    shrunk(quick, mean.count, prior)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Tally, Uptime, estimate::wilson};

    #[test]
    fn a_stranger_is_one_half() {
        assert_eq!(composite_score(&Metrics::default()), Fixed::HALF);
    }

    #[test]
    fn one_of_one_never_beats_nearly_all_of_a_thousand() {
        let with = |ok, failed| Metrics {
            transfers: Tally::new(ok, failed),
            ..Metrics::default()
        };
        for stakes in [Stakes::Ordinary, Stakes::High] {
            let score = |metrics| TransferModel::composite(&metrics, stakes).score;
            assert!(score(with(1, 0)) < score(with(999, 1)));
        }
    }

    #[test]
    fn the_parts_are_those_of_the_definition() {
        let metrics = Metrics {
            transfers: Tally::new(95, 5),
            latency: Mean::new(Fixed::from_int(50), 95),
            download: Mean::new(Fixed::from_int(3_072), 45),
            upload: Mean::new(Fixed::from_int(3_072), 50),
            uptime: Uptime::of(48, 2),
            ..Metrics::default()
        };
        let parts = TransferModel::composite(&metrics, Stakes::Ordinary).components;
        let expected = [
            ("success", wilson_of(95.0, 100.0), 100.0),
            ("latency", 0.8, 95.0),
            ("bandwidth", 0.75, 95.0),
            ("uptime", 49.0 / 52.0, 50.0),
        ];
        for (part, (name, value, n)) in parts.iter().zip(expected) {
            assert_eq!(part.name, name);
            let shrunk = 0.5 + (value - 0.5) * n / (n + 5.0);
            assert!(
                (part.value.to_f64() - shrunk).abs() < 1e-4,
                "{part:?} {shrunk}"
            );
        }
    }

    fn wilson_of(ok: f64, n: f64) -> f64 {
        let (p, z2) = (ok / n, 1.28 * 1.28);
        let spread = (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        (p + z2 / (2.0 * n) - 1.28 * spread) / (1.0 + z2 / n)
    }

    /// The price of a pessimistic estimate that starts at one half: doubt grows faster than merit
    /// over the first observations. It is small, and whoever is so little known is ranked behind
    /// all who are known.
    #[test]
    fn the_first_successes_lower_the_score_by_less_than_a_hundredth() {
        let score = |ok, failed| {
            composite_score(&Metrics {
                transfers: Tally::new(ok, failed),
                ..Metrics::default()
            })
        };
        let mut dips = 0;
        for failed in 0..20 {
            for ok in 0..50 {
                let dip = score(ok, failed) - score(ok + 1, failed);
                dips += u32::from(dip > Fixed::from_raw(8));
                assert!(dip < Fixed::ratio(1, 100), "{ok}/{failed}: {dip}");
                assert!(
                    ok + failed < 4 || dip <= Fixed::from_raw(8),
                    "{ok}/{failed}: {dip}"
                );
            }
        }
        assert!(dips > 0, "the dip is gone: say so in the docs");
        assert_eq!(wilson(Fixed::ZERO, Fixed::ZERO), Fixed::ZERO);
    }
}
