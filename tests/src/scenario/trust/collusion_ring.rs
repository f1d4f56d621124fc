use repute_base::Rng;
use repute_sim::Trace;

use super::{
    outcome, peer,
    village::{Village, mass, ring},
};
use crate::{Bar, Figure, Outcome, scenario::Scenario};

/// Peers that served a few honest ones, and sign for each other all they can.
pub const TRUST_COLLUSION_RING: Scenario = Scenario::new(
    "trust-collusion-ring",
    "peers with a little honest work sign for each other all they can: what that adds to it",
    run,
)
.nodes(30)
.nodes_min(3)
.full(100, 100);

const HONEST: usize = 100;

fn run(seed: u64, members: usize) -> Outcome {
    let mut rng = Rng::from_u64(seed);
    let village = Village::new(&mut rng, HONEST, 2);
    let first = village.first();
    let names = || (0..members).map(|one| peer(first + one));
    let mut earned: Vec<(usize, usize, i64)> = names()
        .zip(first..)
        .map(|(_, member)| (village.someone(&mut rng), member, 3))
        .collect();
    let honest = village.rank(&earned);
    let alone = mass(&honest, names());
    earned.extend(ring(&mut rng, first, members));
    let ringed = village.rank(&earned);
    let together = mass(&ringed, names());
    let best = |rank| {
        names()
            .map(|one| super::in_averages(rank, one).to_f64())
            .fold(0.0, f64::max)
    };
    outcome(
        seed,
        0,
        Trace::new(seed),
        vec![
            Figure::min("rank that honest work earned", alone, "of 1").bar(Bar::AtLeast(1e-9)),
            Figure::max("rank with the ring", together, "of 1"),
            // Rank turns over 1/0.2 times at most before it is back at its sources.
            Figure::max("gain by the ring", together / alone, "times").bar(Bar::AtMost(5.01)),
            Figure::max("best member without the ring", best(&honest), "averages"),
            Figure::max("best member with it", best(&ringed), "averages"),
        ],
    )
}
