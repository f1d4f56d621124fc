//! Networks of the DHT's engine at the size of a test. R18, R19.

use repute_sim::for_each_seed;
use repute_tests::scenario::{self, Scenario};

/// Runs a scenario over some seeds and asserts that nothing is wrong with any of them, nor, where
/// `means` are asked of all seeds, with one alone.
fn holds(name: &str, scenario: &Scenario, nodes: usize, seeds: u64, means: bool) {
    for_each_seed(name, seeds, |seed| {
        let outcome = (scenario.run)(seed, nodes);
        assert_eq!(outcome.failures(), Vec::<String>::new(), "seed {seed}");
        for figure in outcome.figures.iter().filter(|_| means) {
            assert!(figure.passes(), "seed {seed}: {figure:?}");
        }
    });
}

#[test]
fn lookups_take_few_hops_and_find_the_closest_also_with_a_third_of_the_entries_dead() {
    holds(
        "lookups_take_few_hops_and_find_the_closest_also_with_a_third_of_the_entries_dead",
        &scenario::DHT,
        200,
        1,
        true,
    );
}

#[test]
fn r18_no_bad_record_is_kept_or_believed_while_a_third_of_the_nodes_is_hostile() {
    holds(
        "r18_no_bad_record_is_kept_or_believed_while_a_third_of_the_nodes_is_hostile",
        &scenario::DHT_SYBIL,
        120,
        1,
        true,
    );
}

#[test]
fn records_outlive_half_the_nodes_and_all_but_one_of_their_holders() {
    holds(
        "records_outlive_half_the_nodes_and_all_but_one_of_their_holders",
        &scenario::DHT_CHURN,
        60,
        1,
        true,
    );
}

/// Two seeds that left a record with 3 and 5 copies: all whom the survivor could name had died.
#[test]
fn copies_come_back_where_a_whole_neighbourhood_has_died() {
    for seed in [25, 30] {
        let outcome = (scenario::DHT_CHURN.run)(seed, 200);
        assert_eq!(outcome.failures(), Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn r19_an_encircled_table_keeps_honest_entries_also_after_a_restart() {
    holds(
        "r19_an_encircled_table_keeps_honest_entries_also_after_a_restart",
        &scenario::DHT_ECLIPSE,
        24,
        2,
        true,
    );
}

/// R27.
#[test]
fn r27_a_network_of_the_dht_leaves_the_same_trace_for_the_same_seed() {
    let trace = |seed| (scenario::DHT_ECLIPSE.run)(seed, 20).trace;
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}
