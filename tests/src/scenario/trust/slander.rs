use repute_base::{Fixed, Rng};
use repute_sim::Trace;

use super::{
    HOUR_MS, Observer, in_averages, outcome, peer,
    village::{Village, ring},
};
use crate::{Bar, Figure, Outcome, scenario::Scenario};

/// R21: strangers that warn of an honest peer.
pub const TRUST_SLANDER: Scenario = Scenario::new(
    "trust-slander",
    "R21: strangers warn of honest peers, day after day; then some that honest peers vouch for do",
    run,
)
.nodes(300)
.nodes_min(10)
.full(1_000, 50);

const HONEST: usize = 60;
/// Old, middling, young and unknown.
const HOURS: [u64; 4] = [480, 60, 8, 0];
/// Days of slander.
const DAYS: u64 = 3;

fn run(seed: u64, strangers: usize) -> Outcome {
    let mut rng = Rng::from_u64(seed);
    let village = Village::new(&mut rng, HONEST, 2);
    let first = village.first();
    let mut more = ring(&mut rng, first, strangers);
    let rank = village.rank(&more);
    let (by_strangers, _) = slander(strangers, |source| in_averages(&rank, peer(source)), first);
    // Twenty of them served an honest peer each.
    for _ in 0..20 {
        let fake = first + rng.below(strangers as u64) as usize;
        more.push((village.someone(&mut rng), fake, 1));
    }
    let rank = village.rank(&more);
    let (by_vouched, lowest) = slander(strangers, |of| in_averages(&rank, peer(of)), first);
    outcome(
        seed,
        DAYS * 24 * HOUR_MS,
        Trace::new(seed),
        vec![
            Figure::max("R21 score moved by strangers", by_strangers, "%").bar(Bar::AtMost(1.0)),
            Figure::max("score moved with 20 honest edges to them", by_vouched, "%"),
            Figure::min("prior of the unknown then", lowest, "of 1").bar(Bar::AtLeast(0.3)),
            Figure::sum("warnings", (strangers as u64 * DAYS * 8) as f64, "times")
                .bar(Bar::AtLeast(1.0)),
        ],
    )
}

/// What all of them together change in the scores of four honest peers, at most, in percent; and
/// the lowest prior.
fn slander(strangers: usize, rank: impl Fn(usize) -> Fixed, first: usize) -> (f64, f64) {
    let mut observer = Observer::new();
    let start = HOURS.into_iter().max().unwrap_or_default();
    for hour in 0..start {
        observer.wait_until(hour * HOUR_MS);
        for (one, hours) in HOURS.into_iter().enumerate() {
            if hour + hours >= start {
                (0..20).for_each(|_| observer.useful(peer(one)));
            }
        }
    }
    let (mut worst, mut lowest) = (0.0_f64, 1.0_f64);
    for day in 0..DAYS {
        observer.wait_until((start + 1 + day * 25) * HOUR_MS);
        let before: Vec<f64> = (0..HOURS.len())
            .map(|one| unmoved(&observer, one))
            .collect();
        for stranger in first..first + strangers {
            for one in 0..HOURS.len() {
                observer.hear(peer(stranger), peer(one), -100, rank(stranger));
            }
        }
        for (one, before) in before.into_iter().enumerate() {
            let after = observer.trust(peer(one));
            worst = worst.max(100.0 * (before - after).abs() / before);
            lowest = lowest.min(observer.standing(peer(one)).prior().to_f64());
        }
    }
    (worst, lowest)
}

/// What the score would be if nobody had said anything.
fn unmoved(observer: &Observer, one: usize) -> f64 {
    let standing = observer.standing(peer(one));
    standing.belief.to_f64() + 0.5 * standing.uncertainty.to_f64()
}
