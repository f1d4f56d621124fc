use repute_base::Rng;
use repute_sim::Trace;

use super::{
    outcome, peer,
    village::{Village, mass, ring},
};
use crate::{Bar, Figure, Outcome, scenario::Scenario};

/// An anchor of the operator that sells its word.
pub const TRUST_BAD_ANCHOR: Scenario = Scenario::new(
    "trust-bad-anchor",
    "one of three anchors vouches for nobody but a ring: what part of all rank that takes",
    run,
)
.nodes(50)
.nodes_min(3)
.full(100, 100);

const HONEST: usize = 100;
const ANCHORS: usize = 3;

fn run(seed: u64, members: usize) -> Outcome {
    let mut rng = Rng::from_u64(seed);
    let village = Village::new(&mut rng, HONEST, ANCHORS);
    let first = village.first();
    let names = || (0..members).map(|one| peer(first + one));
    // The third anchor has no honest edges but those to it.
    let bad = ANCHORS;
    let mut more = ring(&mut rng, first, members);
    for member in 0..members {
        more.push((bad, first + member, 1_000));
    }
    let calm = village.rank(&[]);
    let rank = village.rank(&more);
    let taken = mass(&rank, names());
    // Its own half of a third each, and what honest peers send it because it served them.
    let part = 0.5 / ANCHORS as f64;
    let honest_before = mass(&calm, (0..HONEST).map(peer));
    let honest_after = mass(&rank, (0..HONEST).map(peer));
    let order = |rank: &repute_node::trust::Rank| -> Vec<usize> {
        let mut order: Vec<usize> = (ANCHORS + 1..HONEST).collect();
        order.sort_by_key(|one| std::cmp::Reverse((rank.of(peer(*one)), *one)));
        order.truncate(20);
        order
    };
    let (before, after) = (order(&calm), order(&rank));
    let kept = before.iter().filter(|one| after.contains(one)).count();
    let served = rank.of(peer(bad)).to_f64();
    outcome(
        seed,
        0,
        Trace::new(seed),
        vec![
            Figure::max("rank of the ring", taken, "of 1"),
            // What the anchor has, handed on and turned over within the ring.
            Figure::max("rank of the ring, of its anchor's", taken / served, "times")
                .bar(Bar::AtMost(4.01)),
            Figure::min("the anchor's part of the sources", part, "of 1"),
            Figure::min(
                "rank left to the honest",
                honest_after / honest_before,
                "of before",
            )
            .bar(Bar::AtLeast(0.5)),
            Figure::min(
                "of the best twenty honest, still there",
                kept as f64,
                "peers",
            )
            .bar(Bar::AtLeast(10.0)),
        ],
    )
}
