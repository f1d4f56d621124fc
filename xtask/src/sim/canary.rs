//! Planted bugs: the swarm must find each of them.

use repute_tests::{Canary, scenario::run_swarm};

use super::{Ran, Size};
use crate::report::Row;

pub(super) const NAME: &str = "canary";
pub(super) const ABOUT: &str =
    "R27: planted bugs, one at a time in every node of a swarm; each must be found";
pub(super) const NODES: usize = 24;
/// The most seeds that a bug may hide from.
pub(super) const SEEDS: u64 = 40;

pub(super) fn run(size: &Size) -> Ran {
    let mut ran = Ran::default();
    for canary in Canary::ALL {
        let mut took = None;
        for seed in size.seeds.clone() {
            if let Some(how) = finds(canary, seed, size.nodes) {
                eprintln!("{}: found with seed {seed}: {how}", canary.name());
                took = Some(seed - size.seeds.start + 1);
                break;
            }
        }
        let bound = (size.seeds.end - size.seeds.start) as f64;
        if took.is_none() {
            let again = super::again_command(NAME, size);
            eprintln!("{}: not found\n  {again}", canary.name());
        }
        let found = took.map_or(bound + 1.0, |seeds| seeds as f64);
        ran.rows
            .push(Row::at_most(canary.name(), found, "seeds", bound));
    }
    ran
}

/// What the swarm says of a bug, with this seed.
fn finds(canary: Canary, seed: u64, nodes: usize) -> Option<String> {
    let first = run_swarm(seed, nodes, Some(canary));
    if let Some(failure) = first.failures().into_iter().next() {
        return Some(failure);
    }
    let second = run_swarm(seed, nodes, Some(canary));
    (first.trace != second.trace).then(|| "the same seed left two traces".into())
}
