//! Tier B where memory is measured, R13 and R15: in a process of their own, because it is that of
//! the whole process.

use repute_sim::for_each_seed;
use repute_tests::scenario::{self, Scenario};

/// Runs a scenario over some seeds and asserts that nothing is wrong with any of them.
fn holds(name: &str, scenario: &Scenario, nodes: usize, seeds: u64) {
    for_each_seed(name, seeds, |seed| {
        let outcome = (scenario.run)(seed, nodes);
        assert_eq!(outcome.failures(), Vec::<String>::new(), "seed {seed}");
    });
}

#[test]
fn r13_streams_full_of_holes_take_no_more_than_their_windows() {
    holds(
        "r13_streams_full_of_holes_take_no_more_than_their_windows",
        &scenario::STACK_GAPPED,
        100,
        1,
    );
}

#[test]
fn r15_honest_peers_get_in_during_a_flood_of_connections() {
    holds(
        "r15_honest_peers_get_in_during_a_flood_of_connections",
        &scenario::STACK_FLOOD,
        300,
        1,
    );
}
