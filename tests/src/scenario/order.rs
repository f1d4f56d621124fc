use std::{collections::BTreeMap, time::Duration};

use repute_identity::NodeId;
use repute_protocol::MessageId;
use repute_sim::Faults;

use super::Scenario;
use crate::{Bar, CoreHost, Figure, Network, Outcome, Setup};

/// R10: the same messages over links that keep their order and over links that do not; both runs
/// must end in the same state.
pub const ORDER: Scenario = Scenario::new(
    "order",
    "R10: packets overtaken by 5 to 80 ms, 1 % late by 2 s; the same state as with all in order",
    run,
)
.nodes(50)
.nodes_min(3)
.full(50, 500);

const MESSAGES: usize = 200;

/// What must not depend on the order in which packets come. Who gets the credit for being first
/// does; who is blamed for what does not.
#[derive(PartialEq)]
struct State {
    /// Messages delivered, by the order of their publication.
    delivered: Vec<usize>,
    /// Of each author, how many messages of its are recorded as seen.
    seen: BTreeMap<NodeId, u32>,
    /// Who is known to the ledger for something bad, or banned.
    blamed: Vec<NodeId>,
}

fn run(seed: u64, nodes: usize) -> Outcome {
    let mut faults = Faults::none();
    faults.reorder_permille = 300;
    faults.reorder_ms_max = 80;
    faults.late_permille = 10;
    let (ordered, calm) = one(seed, Faults::none(), nodes);
    let (other, storm) = one(seed, faults, nodes);
    let unequal = calm.iter().zip(&storm).filter(|(a, b)| a != b).count();
    let unequal = unequal + calm.len().abs_diff(storm.len());
    let delivered: usize = storm.iter().map(|state| state.delivered.len()).sum();
    let stats = *other.world.stats();
    let kept = ordered.world.stats().reordered + ordered.world.stats().late;
    let some = Bar::AtLeast(1.0);
    let figures = vec![
        Figure::sum(
            "R10 states unlike the ordered ones",
            unequal as f64,
            "nodes",
        )
        .bar(Bar::Exactly(0.0)),
        Figure::sum("deliveries compared", delivered as f64, "times").bar(some),
        Figure::sum("overtaken", stats.reordered as f64, "packets").bar(some),
        Figure::sum("late by 2 s", stats.late as f64, "packets").bar(some),
        Figure::sum("overtaken in the ordered run", kept as f64, "packets").bar(Bar::Exactly(0.0)),
    ];
    // The ordered run is judged by the oracle too.
    other.outcome(figures).and(ordered.outcome(Vec::new()))
}

fn one(seed: u64, faults: Faults, nodes: usize) -> (Network, Vec<State>) {
    let mut network = Network::grown(seed, Faults::none(), Setup::default(), nodes);
    network.world.run_for(Duration::from_secs(30));
    network.world.set_faults(faults);
    network.publish_some(MESSAGES, Duration::from_millis(200));
    network.world.calm();
    network.world.run_for(Duration::from_secs(60));
    let mut published: Vec<_> = network.published().into_iter().collect();
    published.sort_by_key(|(_, from)| (from.at, from.by));
    let order: BTreeMap<MessageId, usize> = published
        .iter()
        .enumerate()
        .map(|(place, (id, _))| (*id, place))
        .collect();
    let states = network
        .honest()
        .map(|(_, host)| state(host, &order))
        .collect();
    (network, states)
}

fn state(host: &CoreHost, order: &BTreeMap<MessageId, usize>) -> State {
    let delivered = host.app.deliveries.keys();
    let mut delivered: Vec<usize> = delivered.filter_map(|id| order.get(id).copied()).collect();
    delivered.sort_unstable();
    State {
        delivered,
        seen: host.seen(),
        blamed: host.blamed(),
    }
}
