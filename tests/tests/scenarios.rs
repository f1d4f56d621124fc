//! Every scenario at the size of a test: R06, R07, R09, R10, R17; and R27, the harness itself.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

use repute_sim::for_each_seed;
use repute_tests::{
    Canary,
    scenario::{self, Scenario},
};

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

/// The attack of the ten that plain gossipsub stands worst.
#[test]
fn sybils_around_all_publishers_keep_nothing_from_anybody() {
    let outcome = scenario::run_attack("eclipse publishers", 1, 20);
    assert_eq!(outcome.failures(), Vec::<String>::new());
}

#[test]
fn a_hostile_third_keeps_nothing_from_anybody_and_nobody_honest_is_accused() {
    holds(
        "a_hostile_third_keeps_nothing_from_anybody_and_nobody_honest_is_accused",
        &scenario::MALICIOUS,
        24,
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

#[test]
fn r07_what_was_said_through_cuts_of_any_shape_reaches_all_within_a_minute_of_healing() {
    holds(
        "r07_what_was_said_through_cuts_of_any_shape_reaches_all_within_a_minute_of_healing",
        &scenario::PARTITION_SHAPES,
        12,
        3,
    );
}

#[test]
fn r10_overtaken_packets_leave_the_same_state_as_packets_in_order() {
    holds(
        "r10_overtaken_packets_leave_the_same_state_as_packets_in_order",
        &scenario::ORDER,
        12,
        1,
    );
}

/// Nodes of the largest swarm of a test.
const SWARM_NODES: usize = 12;

/// A swarm for each seed; what is wrong with one comes with the command that shows it again.
fn swarm(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let outcome = (scenario::SWARM.run)(seed, SWARM_NODES);
        let again = format!("cargo xtask sim swarm --nodes {SWARM_NODES} --seed {seed}");
        assert_eq!(outcome.failures(), Vec::<String>::new(), "{again}");
    }
}

/// R07, R09, R10, R27.
#[test]
fn twenty_fixed_storms_break_nothing_that_the_calm_does_not_mend() {
    swarm(0..20);
}

/// A node whose clock had jumped far ahead took the disk's view at the clock on the wall for another
/// standing.
#[test]
fn a_node_behind_a_jumped_clock_is_like_its_disk_at_its_own_time() {
    swarm(4_094_533_695..4_094_533_696);
}

/// The same with twenty seeds that follow from the commit, so that every change meets new ones and
/// whoever checks it out meets them again. `REPUTE_FIRST_SEED` sets others.
#[test]
fn twenty_storms_drawn_from_the_commit_break_nothing_that_the_calm_does_not_mend() {
    let given = std::env::var("REPUTE_FIRST_SEED").ok();
    let first = given.map_or_else(seed_of_commit, |text| text.parse().expect("a number"));
    eprintln!("seeds from {first}");
    swarm(first..first + 20);
}

/// The first digits of the commit that is checked out; another fixed seed where there is none.
fn seed_of_commit() -> u64 {
    let git = std::process::Command::new("git")
        .args(["rev-parse", "HEAD"])
        .output();
    let id = git.map_or_else(|_| Vec::new(), |output| output.stdout);
    let digits = String::from_utf8_lossy(&id);
    let digits = digits.get(..8).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or(1_000)
}

/// R27: the bugs that show soonest; `cargo xtask sim canary` plants all of them.
#[test]
fn planted_bugs_are_found_within_a_few_seeds() {
    for (canary, seeds) in [
        (Canary::AccusesOfCopies, 4),
        (Canary::AcknowledgesEarly, 2),
        (Canary::IgnoresRepair, 6),
    ] {
        let found = (0..seeds).any(|seed| {
            let outcome = scenario::run_swarm(seed, SWARM_NODES, Some(canary));
            !outcome.failures().is_empty()
        });
        assert!(found, "nobody saw that every node {}", canary.name());
    }
}

#[test]
fn files_are_whole_whoever_else_seeds_them() {
    holds(
        "files_are_whole_whoever_else_seeds_them",
        &scenario::DOWNLOADS,
        30,
        1,
    );
}
