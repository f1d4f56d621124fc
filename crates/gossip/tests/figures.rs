//! Redundancy and latency of the tree, measured: `cargo test --release -p repute-gossip --test
//! figures -- --ignored --nocapture`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod net;

use std::time::Duration;

use net::{Node, grown};
use repute_base::Rng;
use repute_gossip::Config;
use repute_sim::{Faults, World};

/// Publishes `count` messages from the nodes that `senders` draws, and reports copies beyond the
/// first per delivery, and the median, 99th and 100th percentile of the delivery times in ms.
fn measure(
    world: &mut World<Node>,
    count: usize,
    pause_ms: u64,
    mut each: impl FnMut(&mut World<Node>, usize) -> usize,
) -> (f64, [u64; 3], u64) {
    let before = totals(world);
    for index in 0..world.len() {
        world.act(index, |node, _, _| node.delays_ms.clear());
    }
    for n in 0..count {
        let sender = each(world, n);
        world.act(sender, |node, now, out| {
            node.publish(now, format!("{sender}-{n}").as_bytes(), out)
        });
        world.run_for(Duration::from_millis(pause_ms));
    }
    world.run_for(Duration::from_secs(5));
    let after = totals(world);
    let mut delays: Vec<u64> = world
        .hosts()
        .flat_map(|(_, node)| node.delays_ms.clone())
        .collect();
    delays.sort_unstable();
    let at = |permille: usize| delays[(delays.len() - 1) * permille / 1_000];
    let expected = (count * (world.len() - 1)) as u64;
    (
        (after.1 - before.1) as f64 / (after.0 - before.0) as f64,
        [at(500), at(990), at(1_000)],
        expected - delays.len() as u64,
    )
}

fn totals(world: &World<Node>) -> (u64, u64) {
    world
        .hosts()
        .fold((0, 0), |(received, duplicates), (_, node)| {
            let stats = node.engine.stats();
            (received + stats.received, duplicates + stats.duplicates)
        })
}

/// What a delivery costs in a network of `nodes`, and what a node holds: packets and bytes for each
/// delivery, and the largest record of peers that a node keeps.
fn growth(nodes: usize) -> (f64, f64, usize) {
    let all = |world: &mut World<Node>, n: usize| (n * 7_919) % world.len();
    let mut world = grown(1, Faults::none(), nodes, &Config::default(), 10);
    measure(&mut world, 20, 100, all);
    let (packets, bytes) = (
        world.stats().packets_delivered,
        world.stats().bytes_delivered,
    );
    let received = totals(&world).0;
    measure(&mut world, 30, 100, all);
    let deliveries = (totals(&world).0 - received) as f64;
    let packets = (world.stats().packets_delivered - packets) as f64;
    let bytes = (world.stats().bytes_delivered - bytes) as f64;
    let held = world
        .hosts()
        .map(|(_, node)| node.engine.stats())
        .map(|stats| stats.active + stats.passive);
    let held = held.max().unwrap_or_default();
    (packets / deliveries, bytes / deliveries, held)
}

#[test]
fn a_delivery_costs_no_more_than_its_share_of_the_logarithm_in_a_larger_network() {
    let ((packets, bytes, _), (more_packets, more_bytes, held)) = (growth(16), growth(128));
    let logarithms = 7.0 / 4.0;
    assert!(
        more_packets <= packets * logarithms,
        "{packets} {more_packets}"
    );
    assert!(more_bytes <= bytes * logarithms, "{bytes} {more_bytes}");
    assert!(held <= 35, "{held} peers");
}

#[test]
#[ignore = "prints figures; release build"]
fn figures_of_growth() {
    let max: usize = std::env::var("NODES").map_or(4_096, |n| n.parse().unwrap());
    for nodes in [16, 64, 256, 1_024, 4_096] {
        if nodes <= max {
            let (packets, bytes, held) = growth(nodes);
            eprintln!("{nodes:5} nodes: {packets:.2} packets, {bytes:.0} bytes, {held} peers held");
        }
    }
}

fn loopback() -> Faults {
    let mut faults = Faults::none();
    (faults.delay_ms_min, faults.delay_ms_max) = (1, 1);
    faults.jitter_ms_max = 1;
    faults
}

#[test]
#[ignore = "prints figures; release build"]
fn figures_of_the_tree() {
    let max: usize = std::env::var("NODES").map_or(1_000, |n| n.parse().unwrap());
    for (nodes, seeds) in [(16, 5), (100, 3), (1_000, 1)] {
        for (name, faults) in [("wan", Faults::none()), ("loopback", loopback())] {
            for seed in 0..seeds {
                if nodes > max || (nodes == 1_000 && name == "loopback") {
                    continue;
                }
                let mut world = grown(seed, faults.clone(), nodes, &Config::default(), 10);
                let one = |_: &mut World<Node>, _: usize| 0;
                let all = |world: &mut World<Node>, n: usize| (n * 7_919) % world.len();
                let settling = measure(&mut world, 50, 100, all);
                let settled = measure(&mut world, 200, 100, all);
                let single = measure(&mut world, 100, 100, one);
                eprintln!(
                    "{nodes:5} {name:8} seed {seed}: settling {:.3} {:?}, all {:.3} {:?} lost {}, one {:.3} {:?}",
                    settling.0, settling.1, settled.0, settled.1, settled.2, single.0, single.1
                );
            }
        }
    }
}

#[test]
#[ignore = "prints figures; release build"]
fn figures_while_links_come_and_go() {
    for seed in 0..6 {
        let nodes = 8;
        let mut world = grown(seed, loopback(), nodes, &Config::default(), 5);
        let mut rng = Rng::from_u64(seed);
        // One passes nothing on, and a random link closes with every fifth message and comes back.
        world.act(7, |node, _, _| node.mute = true);
        let figures = measure(&mut world, 300, 100, |world, n| {
            if n % 5 == 0 {
                let index = rng.below(7) as usize;
                let linked: Vec<_> = world.host(index).unwrap().links.keys().copied().collect();
                if let Some(peer) = rng.choose(&linked).copied() {
                    world.act(index, |_, _, out| out.close(peer));
                }
            }
            if n % 5 == 2 {
                for index in 0..7 {
                    let to = world.address(rng.below(8) as usize).unwrap();
                    world.act(index, |_, _, out| out.dial(to, None));
                }
            }
            n % 7
        });
        eprintln!(
            "churn seed {seed}: redundancy {:.3}, delays {:?}, late {}",
            figures.0, figures.1, figures.2
        );
    }
}
