use std::time::Duration;

use repute_sim::Faults;

use super::Scenario;
use crate::{Bar, Figure, Network, Outcome, Setup};

/// R09 and R10: packets are lost, doubled, overtaken and late, by another mixture for each seed.
pub const LOSS: Scenario = Scenario::new(
    "loss",
    "R09, R10: loss to 30 %, copies to 50 %, reordering to 10 %; each message once to all",
    run,
)
.nodes(50)
.nodes_min(2)
.full(50, 500);

fn run(seed: u64, nodes: usize) -> Outcome {
    let mut faults = Faults::random(seed);
    // Something of each kind in every run: the links of these nodes are streams, and a stream
    // that only waits is not worth a simulation.
    faults.loss_permille = faults.loss_permille.max(20);
    faults.duplicate_permille = faults.duplicate_permille.max(50);
    faults.reorder_permille = faults.reorder_permille.max(10);
    faults.partition_every_ms = 0;
    faults.one_way_every_ms = 0;
    faults.crash_every_ms = 0;
    let mut network = Network::grown(seed, faults, Setup::default(), nodes);
    network.world.run_for(Duration::from_secs(20));
    network.publish_some(200, Duration::from_millis(200));
    network.world.run_for(Duration::from_secs(60));
    let messages = network.published();
    let missed = network.missed(&messages, |_| true);
    let stats = *network.world.stats();
    let happened = Bar::AtLeast(1.0);
    network.outcome(vec![
        Figure::sum("R10 deliveries missed", missed as f64, "times").bar(Bar::Exactly(0.0)),
        Figure::sum("lost", stats.lost as f64, "packets").bar(happened),
        Figure::sum("R09 duplicated", stats.duplicated as f64, "packets").bar(happened),
        Figure::sum("reordered", stats.reordered as f64, "packets").bar(happened),
    ])
}
