use alloc::vec;

use repute_base::Fixed;

use super::{
    Assessment, Component, Dossier, Metrics, ScoringModel, Stakes,
    estimate::{expected, known, wilson},
};

/// Whom to sign with, 0 to 100: S = p·(60 + V + Sp), less fresh penalties.
///
/// p = (5 + ok)/(7 + ok + F) with failures weighted by severity; V = min(20, ok/10); Sp from 10
/// towards 20, 10, 5 or 0 for a mean under 5, 10, 30 s or more. The pool of penalties (5, 10, 20
/// and 3 points, at most 40) halves every day, F every 90 days. Multiplied, so that nobody makes
/// up for failures by volume or speed.
#[derive(Clone, Copy, Debug, Default)]
pub struct SigningModel;

const fn int(value: i64) -> Fixed {
    Fixed::from_int(value)
}

impl SigningModel {
    /// The score and its parts, from metrics alone; pure.
    pub fn points(metrics: &Metrics, stakes: Stakes) -> Assessment {
        let signing = &metrics.signing;
        let (ok, failures) = (signing.completed, signing.failures());
        let rate = match stakes {
            Stakes::Ordinary => expected(ok, failures, int(5), int(2)),
            Stakes::High => wilson(ok, failures),
        };
        let volume = ok.div(int(10)).min(int(20));
        let unknown = match stakes {
            Stakes::Ordinary => int(10),
            Stakes::High => Fixed::ZERO,
        };
        let speed =
            unknown + (tier(signing.seconds.value) - unknown).mul(known(signing.sessions()));
        let most = int(60) + volume + speed;
        let earned = match stakes {
            // Multiplied before it is divided: a new identity has 50, not a trace less.
            Stakes::Ordinary => (int(5) + ok).mul(most).div(int(7) + ok + failures),
            Stakes::High => rate.mul(most),
        };
        Assessment {
            score: (earned - signing.pool).clamp(Fixed::ZERO, int(100)),
            components: vec![
                part("rate", rate, Fixed::ONE),
                part("volume", volume, int(20)),
                part("speed", speed, int(20)),
                part("penalties", signing.pool, int(40)),
            ],
        }
    }
}

impl ScoringModel for SigningModel {
    fn name(&self) -> &'static str {
        "signing"
    }

    fn score_max(&self) -> Fixed {
        int(100)
    }

    fn assess(&self, dossier: &Dossier, stakes: Stakes) -> Assessment {
        Self::points(&dossier.metrics, stakes)
    }
}

fn part(name: &'static str, value: Fixed, weight: Fixed) -> Component {
    Component {
        name,
        value,
        weight,
    }
}

fn tier(seconds: Fixed) -> Fixed {
    if seconds < int(5) {
        int(20)
    } else if seconds < int(10) {
        int(10)
    } else if seconds < int(30) {
        int(5)
    } else {
        Fixed::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mean, Signing};

    fn case(ok: i64, timeouts: i64, rest: (i64, i64), seconds: f64) -> f64 {
        let metrics = Metrics {
            signing: Signing {
                completed: int(ok),
                timeouts: int(timeouts),
                disconnects: int(rest.0),
                invalid: int(rest.1),
                seconds: Mean::new(Fixed::from_f64(seconds), 1),
                ..Signing::default()
            },
            ..Metrics::default()
        };
        SigningModel::points(&metrics, Stakes::Ordinary)
            .score
            .to_f64()
    }

    #[test]
    fn every_case_of_the_table_comes_out_as_printed() {
        assert_eq!(case(0, 0, (0, 0), 0.0), 50.0, "to the last bit");
        for (what, found, expected) in [
            ("new identity", case(0, 0, (0, 0), 0.0), 50.0),
            ("1 fast success", case(1, 0, (0, 0), 1.0), 53.8),
            ("8 of 10, 2.2 s", case(8, 2, (0, 0), 2.2), 59.2),
            ("95 of 100, 1.8 s", case(95, 5, (0, 0), 1.8), 83.2),
            ("48 of 50, 8 s", case(48, 2, (0, 0), 8.0), 69.6),
            ("8 of 10, 15 s", case(8, 2, (0, 0), 15.0), 51.6),
            ("half of 400, fast", case(200, 200, (0, 0), 1.0), 50.3),
            ("95 ok, 8 + 2 + 2 failed", case(95, 8, (2, 2), 1.8), 73.0),
            ("400 of 400, fast", case(400, 0, (0, 0), 1.0), 99.4),
        ] {
            assert!(
                (found - expected).abs() < 0.05,
                "{what}: {found} for {expected}"
            );
        }
    }
}
