//! What transfers mean to the trust engine, and its verdicts to transfers. Pure: the simulations
//! use the same.

use alloc::vec::Vec;
use core::time::Duration;

use repute_base::Rng;
use repute_blobs::{Evidence as Measured, Grade, Ranked};
use repute_protocol::Tier;
use repute_trust::{
    Candidate, Choice, Direction, Evidence, Level, Obstacle, Reason, ScoringModel, Stakes,
    Transfer, TransferModel, select,
};

/// What one measurement comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// For the ledger; nothing where the peer's own doing is not judged.
    pub evidence: Option<Evidence>,
    /// For the metrics, which the transfer model ranks by.
    pub sample: Transfer,
}

/// A measurement in the words of the trust engine. Who served is judged; who was served is only
/// measured, since to take is no merit.
pub fn judged(measured: &Measured) -> Option<Judged> {
    let sample = |direction, ok, (bytes, took), latency| Transfer {
        ok,
        direction,
        bytes,
        took,
        latency,
    };
    Some(match *measured {
        Measured::Served {
            bytes,
            took,
            latency,
        } => Judged {
            evidence: Some(Evidence::Useful),
            sample: sample(Direction::Down, true, (bytes, took), latency),
        },
        Measured::Stalled { bytes, took } => Judged {
            evidence: Some(Evidence::Timeout),
            sample: sample(Direction::Down, false, (bytes, took), None),
        },
        Measured::Took { bytes, took } => Judged {
            evidence: None,
            sample: sample(Direction::Up, true, (bytes, took), None),
        },
        _ => return None,
    })
}

/// A transfer in which a rule was broken.
pub const FAILED: Transfer = Transfer {
    ok: false,
    direction: Direction::Down,
    bytes: 0,
    took: Duration::ZERO,
    latency: None,
};

/// A level in the words of transfers.
pub const fn grade(level: Level) -> Grade {
    match level {
        Level::Distrusted => Grade::Distrusted,
        Level::Unknown => Grade::Unknown,
        Level::Low => Grade::Low,
        Level::Medium => Grade::Medium,
        Level::High => Grade::High,
        Level::Trusted => Grade::Trusted,
    }
}

/// How well a peer of this level is served.
pub const fn tier(level: Level) -> Tier {
    match level {
        Level::Trusted => Tier::Trusted,
        Level::High => Tier::High,
        Level::Medium => Tier::Medium,
        Level::Low | Level::Unknown | Level::Distrusted => Tier::Newcomer,
    }
}

/// Who of these should be fetched from, best first: by the transfer model, with a tenth of the
/// places for the unknown. Those that no gate lets through are at the end, so that a person sees
/// why they are not chosen.
pub fn rank_seeders(candidates: &[Candidate], rng: &mut Rng) -> Vec<Ranked> {
    let of = |id| candidates.iter().find(|one| one.id == id);
    let uncertainty = |id| of(id).map(|one: &Candidate| one.dossier.standing.uncertainty);
    // Nothing is required, so nothing is too few.
    let Ok(selection) = select(&TransferModel, candidates, &Choice::default(), rng) else {
        return Vec::new();
    };
    let chosen = selection.chosen.into_iter().map(|one| Ranked {
        peer: one.id,
        grade: grade(one.level),
        score: one.score,
        uncertainty: uncertainty(one.id).unwrap_or_default(),
        explored: one.reason == Reason::Explored,
        closed: false,
    });
    let refused = selection.refused.into_iter().filter_map(|one| {
        let candidate = of(one.id)?;
        let assessed = TransferModel.assess(&candidate.dossier, Stakes::Ordinary);
        Some(Ranked {
            peer: one.id,
            grade: grade(candidate.dossier.standing.level),
            score: assessed.score,
            uncertainty: candidate.dossier.standing.uncertainty,
            explored: false,
            closed: one.obstacle == Obstacle::Gate,
        })
    });
    chosen.chain(refused).collect()
}
