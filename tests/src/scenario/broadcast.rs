use std::time::Duration;

use repute_sim::Faults;

use super::Scenario;
use crate::{Bar, Figure, Network, Outcome, Setup};

/// Nodes that know one peer join, settle and publish: everything reaches everybody, with few
/// copies beyond the first.
pub const BROADCAST: Scenario = Scenario::new(
    "broadcast",
    "N nodes join through one; every message reaches every node, once, with few copies",
    run,
)
.nodes(1_000)
.nodes_min(2)
.seeds(2)
.full(1_000, 100);

/// While the tree forms.
const SETTLING: usize = 100;
/// Once it has.
const MEASURED: usize = 100;

fn run(seed: u64, nodes: usize) -> Outcome {
    let setup = Setup {
        durable: false,
        ..Setup::default()
    };
    let mut network = Network::grown(seed, Faults::none(), setup, nodes);
    network.world.run_for(Duration::from_secs(30));
    let pause = Duration::from_millis(100);
    let start = network.copies();
    network.publish_some(SETTLING, pause);
    network.world.run_for(Duration::from_secs(10));
    let settled = network.copies();
    let since = network.world.now();
    network.publish_some(MEASURED, pause);
    network.world.run_for(Duration::from_secs(10));
    let end = network.copies();

    let messages = network.published();
    let missed = network.missed(&messages, |_| true);
    let lost = SETTLING + MEASURED - messages.len().min(SETTLING + MEASURED);
    let (mut hops, mut latencies) = (Vec::new(), Vec::new());
    for (_, host) in network.honest() {
        for (id, delivery) in &host.app.deliveries {
            let Some(published) = messages.get(id).filter(|from| from.at >= since) else {
                continue;
            };
            hops.push(f64::from(delivery.hops));
            latencies.push(delivery.at.since(published.at).as_millis() as f64);
        }
    }
    latencies.sort_by(f64::total_cmp);
    let at = |share: usize| {
        let place = latencies.len() * share / 1_000;
        latencies.get(place).or(latencies.last()).copied()
    };
    let links: usize = network.honest().map(|(_, host)| host.links()).sum();
    let none = Bar::Exactly(0.0);
    network.outcome(vec![
        Figure::sum("deliveries missed", (missed + lost * nodes) as f64, "times").bar(none),
        Figure::max("redundancy", redundancy(settled, end), "copies").bar(Bar::Below(0.1)),
        Figure::mean("redundancy, mean", redundancy(settled, end), "copies"),
        Figure::mean(
            "redundancy while settling",
            redundancy(start, settled),
            "copies",
        ),
        Figure::mean("hops, mean", mean(&hops), "links"),
        Figure::max(
            "hops, max",
            hops.iter().copied().fold(0.0, f64::max),
            "links",
        ),
        Figure::mean("latency, median", at(500).unwrap_or(0.0), "ms"),
        Figure::max("latency, 99 %", at(990).unwrap_or(0.0), "ms"),
        Figure::max("latency, max", at(1_000).unwrap_or(0.0), "ms"),
        Figure::mean("links of a node", links as f64 / nodes as f64, "links"),
    ])
}

/// Payload frames beyond the first of each message, per first.
fn redundancy(before: (u64, u64), after: (u64, u64)) -> f64 {
    let (frames, firsts) = (after.0 - before.0, after.1 - before.1);
    (frames as f64 - firsts as f64) / (firsts as f64).max(1.0)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / (values.len() as f64).max(1.0)
}
