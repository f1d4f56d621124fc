//! Every scenario at the size of a test: R06, R07, R09, R10, R17; and R27, the harness itself.

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
fn a_broadcast_reaches_all_once_with_few_copies() {
    holds(
        "a_broadcast_reaches_all_once_with_few_copies",
        &scenario::BROADCAST,
        50,
        2,
    );
}

#[test]
fn r06_wrong_clocks_blame_forget_and_expire_nobody() {
    holds(
        "r06_wrong_clocks_blame_forget_and_expire_nobody",
        &scenario::CLOCK,
        24,
        1,
    );
}

#[test]
fn r07_what_both_halves_said_reaches_all_within_a_minute_of_healing() {
    holds(
        "r07_what_both_halves_said_reaches_all_within_a_minute_of_healing",
        &scenario::PARTITION,
        24,
        1,
    );
}

#[test]
fn r09_r10_lost_doubled_and_overtaken_packets_deliver_each_message_once() {
    holds(
        "r09_r10_lost_doubled_and_overtaken_packets_deliver_each_message_once",
        &scenario::LOSS,
        16,
        3,
    );
}

#[test]
fn r17_a_session_played_again_changes_nothing_even_after_a_crash() {
    holds(
        "r17_a_session_played_again_changes_nothing_even_after_a_crash",
        &scenario::REPLAY,
        12,
        20,
    );
}

#[test]
fn crashed_nodes_lose_nothing_acknowledged_and_deliver_nothing_twice() {
    holds(
        "crashed_nodes_lose_nothing_acknowledged_and_deliver_nothing_twice",
        &scenario::CRASH,
        16,
        2,
    );
}

#[test]
fn liars_are_banned_by_all_they_attack_and_nobody_honest_is() {
    holds(
        "liars_are_banned_by_all_they_attack_and_nobody_honest_is",
        &scenario::LIARS,
        12,
        1,
    );
}

#[test]
fn a_crashed_node_is_suspected_and_closed_as_silent() {
    holds(
        "a_crashed_node_is_suspected_and_closed_as_silent",
        &scenario::DETECTION,
        8,
        1,
    );
}

/// R27.
#[test]
fn the_same_seed_leaves_the_same_trace_and_another_one_another() {
    let trace = |seed| (scenario::CRASH.run)(seed, 8).trace;
    assert_eq!(trace(5), trace(5));
    assert_ne!(trace(5), trace(6));
}
