use repute_base::Rng;
use repute_node::trust::{Candidate, Choice, TransferModel, select};
use repute_sim::Trace;

use super::{
    Observer, in_averages, outcome, peer,
    village::{Village, mass, ring},
};
use crate::{Bar, Figure, Outcome, scenario::Scenario};

/// R21: identities that vouch for each other, with few honest edges to them or none.
pub const TRUST_SYBIL_REGION: Scenario = Scenario::new(
    "trust-sybil-region",
    "R21: identities that vouch for each other, with 0, 1, 5 and 20 honest edges to them",
    run,
)
.nodes(1_000)
.nodes_min(10)
.full(1_000, 100);

const HONEST: usize = 100;
const ANCHORS: usize = 2;
/// Rank returns to its sources at a fifth in each step; so what flows in turns over 0.8/0.2 times.
const TURNS: f64 = 4.0;
const NAMES: [(usize, &str, &str); 3] = [
    (
        1,
        "rank of all with 1 honest edge",
        "R21 the same, of what flows in",
    ),
    (
        5,
        "rank of all with 5 honest edges",
        "R21 the same, of what flows in, 5",
    ),
    (
        20,
        "rank of all with 20 honest edges",
        "R21 the same, of what flows in, 20",
    ),
];

fn run(seed: u64, sybils: usize) -> Outcome {
    let mut rng = Rng::from_u64(seed);
    let village = Village::new(&mut rng, HONEST, ANCHORS);
    let first = village.first();
    // They also vouch for honest peers, to bring them up and down.
    let mut fakes = ring(&mut rng, first, sybils);
    for fake in 0..sybils {
        fakes.push((first + fake, village.someone(&mut rng), 30));
    }
    let (calm, crowded) = (village.rank(&[]), village.rank(&fakes));
    let before = village.ranks(&calm);
    let changed = before
        .iter()
        .zip(village.ranks(&crowded))
        .filter(|(a, b)| **a != *b)
        .count();
    let names = || (0..sybils).map(|fake| peer(first + fake));
    let observer = Observer::measuring();
    let honest = || (1..HONEST).map(peer);
    let candidates = |rank, all: Vec<_>| -> Vec<Candidate> {
        let one = |id| observer.candidate(id, in_averages(rank, id));
        all.into_iter().map(one).collect()
    };
    let order = |candidates: &[Candidate]| -> Vec<_> {
        let choice = Choice {
            explore_percent: 0,
            ..Choice::default()
        };
        let chosen = select(
            &TransferModel,
            candidates,
            &choice,
            &mut Rng::from_u64(seed),
        );
        let chosen = chosen.expect("nobody is required").chosen;
        chosen.into_iter().map(|one| one.id).collect()
    };
    let among = order(&candidates(&crowded, honest().chain(names()).collect()));
    // Honest peers for whom nobody vouches stand among all such, by chance.
    let vouched = |id: &_| in_averages(&calm, *id) > repute_base::Fixed::ZERO;
    let count = honest().filter(vouched).count();
    let before_them = among.iter().take(count).filter(|id| !vouched(id)).count();
    let mut figures = vec![
        Figure::sum(
            "R21 honest ranks changed by free identities",
            changed as f64,
            "peers",
        )
        .bar(Bar::Exactly(0.0)),
        Figure::sum(
            "R21 free ones before honest ones",
            before_them as f64,
            "places",
        )
        .bar(Bar::Exactly(0.0)),
        Figure::sum(
            "rank of all without an honest edge",
            mass(&crowded, names()),
            "of 1",
        )
        .bar(Bar::Exactly(0.0)),
        Figure::sum("honest peers with rank", count as f64, "peers").bar(Bar::AtLeast(1.0)),
    ];
    for (edges, what, of_inflow) in NAMES {
        let mut more = fakes.clone();
        for _ in 0..edges {
            let fake = first + rng.below(sybils as u64) as usize;
            more.push((village.someone(&mut rng), fake, 1));
        }
        more.sort_unstable();
        more.dedup_by_key(|(from, to, _)| (*from, *to));
        let rank = village.rank(&more);
        let all = mass(&rank, names());
        let inflow = village.inflow(&rank, &more);
        figures.push(Figure::mean(what, all, "of 1"));
        // Rounding in 2⁻⁵², and an iteration that stops at a millionth.
        let turns = Figure::max(of_inflow, all / inflow, "times");
        figures.push(turns.bar(Bar::AtMost(TURNS * 1.001)));
    }
    outcome(seed, 0, Trace::new(seed), figures)
}
