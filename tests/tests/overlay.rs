//! Overlays of gossip engines at the size of a test; R19 and R27.

use std::time::Duration;

use repute_sim::for_each_seed;
use repute_tests::{
    overlay::{Mesh, Plan},
    scenario,
};

#[test]
fn a_broadcast_reaches_the_living_after_most_have_died() {
    for_each_seed(
        "a_broadcast_reaches_the_living_after_most_have_died",
        1,
        |seed| {
            let outcome = (scenario::OVERLAY.run)(seed, 100);
            assert_eq!(outcome.failures(), Vec::<String>::new(), "seed {seed}");
            assert!(outcome.tally.crashes > 500, "nodes died in every part");
        },
    );
}

#[test]
fn the_same_seed_grows_the_same_overlay() {
    let trace = |seed| {
        let mut mesh = Mesh::grown(seed, 60, &Plan::default());
        mesh.publish_some(5, Duration::from_millis(200));
        mesh.fail(20);
        mesh.publish_some(5, Duration::from_millis(200));
        mesh.world.trace_hash()
    };
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}

#[test]
fn a_delivery_costs_no_more_than_log_n_in_a_larger_network() {
    let outcome = (scenario::GROWTH.run)(1, 64);
    assert_eq!(outcome.failures(), Vec::<String>::new());
}

#[test]
fn r19_an_encircled_newcomer_keeps_honest_links_of_its_own_also_after_a_restart() {
    for_each_seed(
        "r19_an_encircled_newcomer_keeps_honest_links_of_its_own_also_after_a_restart",
        3,
        |seed| {
            let outcome = (scenario::ECLIPSE.run)(seed, 30);
            assert_eq!(outcome.failures(), Vec::<String>::new(), "seed {seed}");
            for what in [
                "R19 two honest outbound links kept",
                "R19 kept with a hostile ticket of two",
            ] {
                assert_eq!(outcome.figure(what), Some(100.0), "{what}, seed {seed}");
            }
        },
    );
}
