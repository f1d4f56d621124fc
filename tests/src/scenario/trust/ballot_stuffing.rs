use repute_base::{Fixed, Rng};
use repute_sim::Trace;

use super::{
    HOUR_MS, Observer, in_averages, outcome, peer,
    village::{Village, ring},
};
use crate::{Bar, Figure, Outcome, scenario::Scenario};

/// Accomplices that recommend a cheat.
pub const TRUST_BALLOT_STUFFING: Scenario = Scenario::new(
    "trust-ballot-stuffing",
    "accomplices recommend a cheat: free ones, paid ones, and all the world",
    run,
)
.nodes(300)
.nodes_min(10)
.full(1_000, 50);

const HONEST: usize = 60;
const CHEAT: usize = 1_000_000;

fn run(seed: u64, accomplices: usize) -> Outcome {
    let mut rng = Rng::from_u64(seed);
    let village = Village::new(&mut rng, HONEST, 2);
    let first = village.first();
    let mut more = ring(&mut rng, first, accomplices);
    let names = first..first + accomplices;
    let rank = village.rank(&more);
    let strangers = stuffed(names.clone(), |of| in_averages(&rank, peer(of)));
    for _ in 0..20 {
        let fake = first + rng.below(accomplices as u64) as usize;
        more.push((village.someone(&mut rng), fake, 1));
    }
    let rank = village.rank(&more);
    let vouched = stuffed(names.clone(), |of| in_averages(&rank, peer(of)));
    let world = stuffed(names, |_| Fixed::from_int(1));
    // Again and again the same: the latest counts, and one a day.
    let repeated = stuffed((0..1_000).map(|_| first), |_| Fixed::from_int(1));
    outcome(
        seed,
        HOUR_MS,
        Trace::new(seed),
        vec![
            Figure::max("prior by strangers", strangers.prior, "of 1").bar(Bar::Exactly(0.5)),
            Figure::max("prior with 20 honest edges to them", vouched.prior, "of 1"),
            Figure::max("prior by one, a thousand times", repeated.prior, "of 1")
                .bar(Bar::AtMost(0.52)),
            Figure::max("prior by all the world", world.prior, "of 1").bar(Bar::AtMost(0.7)),
            Figure::max("score then, caught once", world.once, "of 1").bar(Bar::AtMost(0.56)),
            Figure::max("score then, caught five times", world.five, "of 1")
                .bar(Bar::AtMost(0.315)),
            Figure::min("recommendations that moved it", world.moved as f64, "times")
                .bar(Bar::AtLeast(1.0)),
        ],
    )
}

struct Stuffed {
    prior: f64,
    once: f64,
    five: f64,
    moved: u64,
}

fn stuffed(by: impl Iterator<Item = usize>, rank: impl Fn(usize) -> Fixed) -> Stuffed {
    let cheat = peer(CHEAT);
    let mut observer = Observer::ungated();
    observer.wait(HOUR_MS);
    let mut moved = 0;
    let mut before = observer.trust(cheat);
    for source in by {
        observer.hear(peer(source), cheat, 100, rank(source));
        let now = observer.trust(cheat);
        moved += u64::from(now > before);
        before = now;
    }
    let prior = observer.standing(cheat).prior().to_f64();
    observer.bad(cheat);
    let once = observer.trust(cheat);
    (0..4).for_each(|_| observer.bad(cheat));
    Stuffed {
        prior,
        once,
        five: observer.trust(cheat),
        moved,
    }
}
