use std::time::Duration;

use repute_sim::Faults;

use super::Scenario;
use crate::{Bar, Figure, Network, Outcome, Setup};

/// R07: the other shapes of a partition, one for each seed in turn, for ten minutes with everybody
/// at work; then it ends.
pub const PARTITION_SHAPES: Scenario = Scenario::new(
    "partition-shapes",
    "R07: one-way, flapping or node by node, for 10 min, all publishing; all reaches all within 60 s",
    run,
)
.nodes(200)
.nodes_min(6)
.seeds(2 * SHAPES)
.full(200, 500);

const SHAPES: u64 = 3;
/// How long the network is watched after healing.
const WATCHED_S: u64 = 300;

fn run(seed: u64, nodes: usize) -> Outcome {
    let mut network = Network::grown(seed, Faults::none(), Setup::default(), nodes);
    network.world.run_for(Duration::from_secs(30));
    let mut faults = Faults::none();
    match seed % SHAPES {
        0 => {
            let mut members: Vec<_> = (0..nodes).collect();
            network.rng.shuffle(&mut members);
            let (left, right) = members.split_at(nodes / 2);
            network.world.partition_one_way(left, right);
        }
        1 => {
            faults.flap_every_ms = 20_000;
            faults.flap_ms_max = 15_000;
        }
        _ => {
            faults.swizzle_every_ms = 30_000;
            faults.swizzle_ms_max = 20_000;
        }
    }
    network.world.set_faults(faults);
    for _ in 0..60 {
        network.publish_some(2, Duration::from_secs(5));
    }
    let fell = *network.world.stats();
    network.world.calm();
    let messages = network.published();
    let across = network.missed(&messages, |_| true);
    let healed = network.world.now();
    let mut took = None;
    // On beyond the bar, so that a run that misses it says by how much.
    for _ in 0..WATCHED_S {
        network.world.run_for(Duration::from_secs(1));
        if network.missed(&messages, |_| true) == 0 {
            took = Some(network.world.now().since(healed));
            break;
        }
    }
    let missed = network.missed(&messages, |_| true);
    let never = Duration::from_secs(WATCHED_S + 1);
    let seconds = took.unwrap_or(never).as_secs_f64();
    let happened = |what, count: u64| {
        let fell = Figure::total(what, count as f64, "times");
        fell.bar(Bar::AtLeast(1.0)).over_seeds(SHAPES)
    };
    network.outcome(vec![
        Figure::sum("missed when the cuts ended", across as f64, "times"),
        Figure::sum("R07 missed for good", missed as f64, "times").bar(Bar::Exactly(0.0)),
        Figure::max("R07 time until all had all", seconds, "s").bar(Bar::AtMost(60.0)),
        Figure::sum("packets that met a cut", fell.cut_off as f64, "packets")
            .bar(Bar::AtLeast(1.0)),
        happened("one-way partitions", fell.one_way),
        happened("flapping partitions", fell.flaps),
        happened("swizzles", fell.swizzles),
    ])
}
