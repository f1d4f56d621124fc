//! The laboratory of liars at the size of a test: R20, R21, and a bar for each attack.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

use repute_sim::for_each_seed;
use repute_tests::{
    Figure, Outcome, Over,
    scenario::{self, Scenario, Threat},
};

/// Every bar of a run, those on means included.
fn assert_well(outcome: &Outcome, seed: u64) {
    assert_eq!(outcome.failures(), Vec::<String>::new(), "seed {seed}");
    let means = outcome.figures.iter().filter(|one| one.over == Over::Mean);
    let missed: Vec<&Figure> = means
        .filter(|one| one.seeds_min == 1 && !one.passes())
        .collect();
    assert!(missed.is_empty(), "seed {seed}: {missed:?}");
}

fn holds(name: &str, scenario: &Scenario, nodes: usize, seeds: u64) {
    for_each_seed(name, seeds, |seed| {
        assert_well(&(scenario.run)(seed, nodes), seed);
    });
}

#[test]
fn no_rate_of_useful_messages_buys_trust_in_fewer_than_48_intervals() {
    holds(
        "no_rate_of_useful_messages_buys_trust_in_fewer_than_48_intervals",
        &scenario::TRUST_FLOOD_FARMING,
        3,
        1,
    );
}

#[test]
fn r20_building_trust_up_to_betray_it_never_pays() {
    for_each_seed("r20_building_trust_up_to_betray_it_never_pays", 1, |seed| {
        assert_well(&(scenario::TRUST_ON_OFF.run)(seed, 4), seed);
    });
}

#[test]
fn r21_a_fresh_identity_never_comes_before_an_old_honest_one() {
    holds(
        "r21_a_fresh_identity_never_comes_before_an_old_honest_one",
        &scenario::TRUST_WHITEWASH,
        8,
        2,
    );
}

#[test]
fn r21_strangers_cannot_slander() {
    holds(
        "r21_strangers_cannot_slander",
        &scenario::TRUST_SLANDER,
        100,
        1,
    );
}

#[test]
fn recommendations_lift_no_cheat_above_what_it_showed() {
    holds(
        "recommendations_lift_no_cheat_above_what_it_showed",
        &scenario::TRUST_BALLOT_STUFFING,
        300,
        2,
    );
}

#[test]
fn r21_a_region_of_sybils_has_no_more_rank_than_flows_in() {
    for sybils in [10, 100, 1_000] {
        holds(
            "r21_a_region_of_sybils_has_no_more_rank_than_flows_in",
            &scenario::TRUST_SYBIL_REGION,
            sybils,
            2,
        );
    }
}

#[test]
fn a_ring_multiplies_its_honest_work_by_no_more_than_five() {
    holds(
        "a_ring_multiplies_its_honest_work_by_no_more_than_five",
        &scenario::TRUST_COLLUSION_RING,
        30,
        3,
    );
}

#[test]
fn a_bad_anchor_takes_what_it_has_and_no_more() {
    holds(
        "a_bad_anchor_takes_what_it_has_and_no_more",
        &scenario::TRUST_BAD_ANCHOR,
        50,
        3,
    );
}

#[test]
fn who_keeps_back_answers_is_out_within_days() {
    holds(
        "who_keeps_back_answers_is_out_within_days",
        &scenario::TRUST_WITHHOLDING,
        40,
        2,
    );
}

/// The first point of a curve over a few days, the cold first ones included.
fn avoids(threat: Threat, days: u64) {
    let outcome = scenario::run_eigentrust(threat, 1, 63, 1, days);
    assert_well(&outcome, 1);
    let figure = |nth: usize| outcome.figures.get(nth).expect("two a point").value;
    assert!(
        figure(0) > 3.0 * figure(1),
        "{threat:?}: chosen by chance, and by us"
    );
}

#[test]
fn hostile_sources_of_files_are_avoided() {
    avoids(Threat::Alone, 6);
}

#[test]
fn hostile_sources_that_vouch_for_each_other_are_avoided() {
    avoids(Threat::Together, 6);
}

#[test]
fn camouflaged_sources_are_avoided() {
    avoids(Threat::Camouflaged, 4);
}

/// The whole curve takes 30 days and three seeds, `cargo xtask sim trust-eigentrust-d`.
#[test]
fn spies_do_not_open_the_door_to_those_they_work_for() {
    let outcome = scenario::run_eigentrust(Threat::Spied, 1, 63, 1, 6);
    assert_well(&outcome, 1);
    let figure = |nth: usize| outcome.figures.get(nth).expect("four a point").value;
    let (random, spied, bad) = (figure(0), figure(1), figure(2));
    // Chosen by chance it is as in the paper: some nine of ten.
    assert!((0.9..1.1).contains(&random), "{random} times the paper's");
    assert!(spied > 0.0, "no spy served anybody");
    assert!(bad < 0.25 * 35_400.0, "{bad} of 35,400 downloads were bad");
}
