//! Tier B at the size of a test: whole nodes over QUIC on a network in memory. R07, R08, R11, R14,
//! R16, R25, R27.

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
fn r07_whole_nodes_cut_apart_in_three_ways_have_everything_soon_after() {
    holds(
        "r07_whole_nodes_cut_apart_in_three_ways_have_everything_soon_after",
        &scenario::STACK_PARTITION,
        6,
        1,
    );
}

#[test]
fn r08_requests_and_messages_survive_heavy_loss() {
    holds(
        "r08_requests_and_messages_survive_heavy_loss",
        &scenario::STACK_LOSS,
        8,
        2,
    );
}

#[test]
fn r11_a_slow_peer_takes_little_memory_and_nobody_elses_time() {
    holds(
        "r11_a_slow_peer_takes_little_memory_and_nobody_elses_time",
        &scenario::STACK_SLOW,
        10,
        1,
    );
}

#[test]
fn r14_honest_peers_get_past_a_crowd_that_only_stands_in_the_door() {
    holds(
        "r14_honest_peers_get_past_a_crowd_that_only_stands_in_the_door",
        &scenario::STACK_SLOWLORIS,
        400,
        1,
    );
}

#[test]
fn r16_forgers_cost_themselves_their_names_and_others_nothing() {
    holds(
        "r16_forgers_cost_themselves_their_names_and_others_nothing",
        &scenario::STACK_FORGERS,
        5,
        1,
    );
}

#[test]
fn r25_what_nodes_keep_levels_off_while_others_come_and_go() {
    holds(
        "r25_what_nodes_keep_levels_off_while_others_come_and_go",
        &scenario::STACK_CHURN,
        4,
        1,
    );
}

/// R27.
#[test]
fn r27_whole_nodes_leave_the_same_trace_for_the_same_seed() {
    let trace = |seed| (scenario::STACK_LOSS.run)(seed, 6).trace;
    for seed in [4, 5] {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
    assert_ne!(trace(4), trace(6));
}
