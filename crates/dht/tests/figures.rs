//! How many hops and requests lookups take at sizes that matter.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod net;

use net::{crowd::Crowd, place};
use repute_base::Rng;
use repute_dht::Config;

struct Figures {
    hops: f64,
    hops_p99: u32,
    requests: f64,
    /// Share of lookups that found the closest node.
    first: f64,
    /// Share of the 20 closest that were found.
    all: f64,
}

fn measure(seed: u64, nodes: usize, lookups: usize, paths: usize) -> Figures {
    let config = Config {
        paths,
        ..Config::default()
    };
    let mut crowd = Crowd::new(seed, nodes, config);
    let mut rng = Rng::from_u64(seed + 1);
    let (mut hops, mut requests, mut first, mut all) = (Vec::new(), 0, 0, 0);
    for _ in 0..lookups {
        let target = place(&mut rng);
        let asker = rng.below(nodes as u64) as usize;
        let outcome = crowd.lookup(asker, target);
        let truth = crowd.closest(&target, asker, 20);
        hops.push(outcome.hops);
        requests += outcome.requests;
        first += usize::from(outcome.closest.first().map(|one| one.id) == truth.first().copied());
        all += outcome
            .closest
            .iter()
            .filter(|one| truth.contains(&one.id))
            .count();
    }
    hops.sort_unstable();
    let share = |count: usize, of: usize| count as f64 / of as f64;
    let figures = Figures {
        hops: f64::from(hops.iter().sum::<u32>()) / lookups as f64,
        hops_p99: hops[lookups * 99 / 100],
        requests: f64::from(requests) / lookups as f64,
        first: share(first, lookups),
        all: share(all, lookups * 20),
    };
    println!(
        "{nodes} nodes, {paths} paths: hops {:.2}, p99 {}, requests {:.1}, closest found {:.3}, of the 20 closest {:.3}",
        figures.hops, figures.hops_p99, figures.requests, figures.first, figures.all
    );
    figures
}

fn meets_the_bars(nodes: usize, figures: &Figures) {
    // The 20th harmonic number.
    let bound = (nodes as f64).ln() / 3.5977 + 0.2;
    assert!(figures.hops <= bound, "{} hops, {bound}", figures.hops);
    assert!(figures.hops_p99 <= 4, "{}", figures.hops_p99);
    assert!(figures.first >= 0.99, "{}", figures.first);
    assert!(figures.all >= 0.95, "{}", figures.all);
}

#[test]
fn among_1000_nodes_few_hops_lead_to_the_closest() {
    let figures = measure(1, 1_000, 100, Config::default().paths);
    meets_the_bars(1_000, &figures);
    assert!(figures.requests <= 16.0, "{}", figures.requests);
}

#[test]
#[ignore = "minutes; run by hand"]
fn among_100000_nodes_few_hops_lead_to_the_closest() {
    for nodes in [10_000, 100_000] {
        let figures = measure(2, nodes, 200, Config::default().paths);
        meets_the_bars(nodes, &figures);
    }
}
