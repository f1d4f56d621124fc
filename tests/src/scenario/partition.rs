use std::time::Duration;

use repute_sim::Faults;

use super::Scenario;
use crate::{Bar, Figure, Network, Outcome, Setup};

/// R07: two halves that cannot reach each other for ten minutes, both at work; then the cut heals.
pub const PARTITION: Scenario = Scenario::new(
    "partition",
    "R07: halves cut apart for 10 min, both publishing; all of it reaches all within 60 s",
    run,
)
.nodes(200)
.nodes_min(4)
.seeds(10)
.full(200, 500);

fn run(seed: u64, nodes: usize) -> Outcome {
    let mut network = Network::grown(seed, Faults::none(), Setup::default(), nodes);
    network.world.run_for(Duration::from_secs(30));
    let mut members: Vec<_> = (0..nodes).collect();
    network.rng.shuffle(&mut members);
    let (left, right) = members.split_at(nodes / 2);
    network.world.partition(left, right);
    for _ in 0..60 {
        for half in [left, right] {
            if let Some(by) = network.rng.choose(half).copied() {
                network.publish(by);
            }
        }
        network.world.run_for(Duration::from_secs(10));
    }
    let messages = network.published();
    let across = network.missed(&messages, |_| true);
    let within = |half: &[usize]| {
        let own: std::collections::BTreeMap<_, _> = messages
            .iter()
            .filter(|(_, from)| half.contains(&from.by))
            .map(|(id, from)| (*id, *from))
            .collect();
        network.missed(&own, |index| half.contains(&index))
    };
    let inside = within(left) + within(right);

    network.world.heal();
    let healed = network.world.now();
    let mut took = None;
    for _ in 0..60 {
        network.world.run_for(Duration::from_secs(1));
        if network.missed(&messages, |_| true) == 0 {
            took = Some(network.world.now().since(healed));
            break;
        }
    }
    let missed = network.missed(&messages, |_| true);
    let none = Bar::Exactly(0.0);
    let seconds = took.unwrap_or(Duration::from_secs(61)).as_secs_f64();
    network.outcome(vec![
        Figure::sum("missed inside a half while cut", inside as f64, "times").bar(none),
        Figure::min("missed across while cut", across as f64, "times").bar(Bar::AtLeast(1.0)),
        Figure::sum("R07 missed 60 s after healing", missed as f64, "times").bar(none),
        Figure::max("R07 time until all had all", seconds, "s").bar(Bar::AtMost(60.0)),
    ])
}
