use std::time::Duration;

use repute_sim::Faults;

use super::Scenario;
use crate::{Bar, Figure, Network, Outcome, Setup};

/// How soon somebody suspects a node that crashed, in a complete mesh: SWIM's first detection,
/// e/(e−1) = 1.58 probe periods whatever the size.
pub const DETECTION: Scenario = Scenario::new(
    "detection",
    "SWIM: the first suspicion of a crashed node after 1.58 probe periods, whatever the size",
    run,
)
.nodes(32)
.nodes_min(4)
.full(32, 100);

/// In one run; the mean is over all runs.
const CRASHES: usize = 12;

fn run(seed: u64, nodes: usize) -> Outcome {
    let mut setup = Setup::default();
    let peers = &mut setup.config.peers;
    peers.min_peers = nodes - 1;
    peers.max_peers = 2 * nodes;
    peers.outbound_slots = nodes;
    peers.prefix_links_max = nodes;
    peers.prefix_outbound_max = nodes;
    let period = peers.probe_period;
    let mut faults = Faults::none();
    // The engines notice, not the links.
    faults.link_timeout_ms = 600_000;
    let mut network = Network::grown(seed, faults, setup, nodes);
    let meshed = network
        .world
        .run_until_true(Duration::from_secs(300), |world| {
            world.hosts().all(|(_, host)| host.links() == nodes - 1)
        });
    let mut total = 0.0;
    let mut unseen = 0;
    let crashes = CRASHES.min(nodes - 2);
    for victim in 1..=crashes {
        // A whole round of probes, and the last victim is forgotten everywhere.
        let pause = 1_000 * (nodes as u64 + 30) + network.rng.below(1_000);
        network.world.run_for(Duration::from_millis(pause));
        let Some(id) = network.world.id(victim) else {
            continue;
        };
        network.world.crash(victim);
        let crashed = network.world.now();
        let suspected = |network: &Network| {
            network.honest().any(|(_, host)| {
                let view = host.core().peers().view(id).and_then(|view| view.link);
                view.is_some_and(|link| link.suspected)
            })
        };
        while !suspected(&network) && network.world.now().since(crashed).as_secs() < 60 {
            network.world.run_for(Duration::from_millis(10));
        }
        unseen += usize::from(!suspected(&network));
        let took = network.world.now().since(crashed);
        total += took.as_secs_f64() / period.as_secs_f64();
    }
    network.world.run_for(Duration::from_secs(60));
    let blind = network
        .honest()
        .map(|(_, host)| {
            let ids = (1..=crashes).filter_map(|victim| network.world.id(victim));
            ids.filter(|id| !host.app.silent.contains(id)).count()
        })
        .sum::<usize>();
    let none = Bar::Exactly(0.0);
    network.outcome(vec![
        Figure::mean("first suspicion", total / crashes as f64, "periods")
            .bar(Bar::Within(1.38, 1.78)),
        Figure::sum("never suspected", unseen as f64, "crashes").bar(none),
        Figure::sum("not closed as silent", blind as f64, "times").bar(none),
        Figure::sum("meshes incomplete", f64::from(!meshed), "times").bar(none),
    ])
}
