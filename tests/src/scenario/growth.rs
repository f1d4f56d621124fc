use std::time::Duration;

use repute_sim::Trace;

use super::Scenario;
use crate::{
    Bar, Figure, Outcome, Tally,
    overlay::{Mesh, Plan},
};

/// What one delivery costs as the network grows: no more than in proportion to log n.
pub const GROWTH: Scenario = Scenario::new(
    "growth",
    "cost of a delivery from 16 to 4,096 nodes: frames, bytes and engine steps, against log n",
    run,
)
.nodes(1_024)
.nodes_min(64)
.seeds(1)
.full(4_096, 3);

/// Sizes of which each has its rows, if the run is as large; the first is the measure of all.
const SIZES: &[(usize, [&str; 3])] = &[
    (
        16,
        [
            "frames a delivery, 16 nodes",
            "bytes a delivery, 16 nodes",
            "steps a delivery, 16 nodes",
        ],
    ),
    (
        64,
        [
            "frames a delivery, 64 nodes",
            "bytes a delivery, 64 nodes",
            "steps a delivery, 64 nodes",
        ],
    ),
    (
        256,
        [
            "frames a delivery, 256 nodes",
            "bytes a delivery, 256 nodes",
            "steps a delivery, 256 nodes",
        ],
    ),
    (
        1_024,
        [
            "frames a delivery, 1,024 nodes",
            "bytes a delivery, 1,024 nodes",
            "steps a delivery, 1,024 nodes",
        ],
    ),
    (
        4_096,
        [
            "frames a delivery, 4,096 nodes",
            "bytes a delivery, 4,096 nodes",
            "steps a delivery, 4,096 nodes",
        ],
    ),
];
/// Growth of each cost from the first size, divided by the growth of log n.
const RATIOS: [&str; 3] = [
    "frames against log n",
    "bytes against log n",
    "steps against log n",
];
/// Until the views have settled.
const WARM_UP: Duration = Duration::from_secs(60);
/// Messages that settle the tree, and messages measured.
const SETTLING: usize = 30;
const MEASURED: usize = 30;
const PAUSE: Duration = Duration::from_millis(200);

fn run(seed: u64, nodes: usize) -> Outcome {
    let mut figures = Vec::new();
    let mut breaches = Vec::new();
    let mut trace = Trace::new(seed);
    let mut tally = Tally::default();
    let mut first: Option<(usize, [f64; 3])> = None;
    let mut worst = [0.0_f64; 3];
    let mut missed = 0.0;
    for (size, names) in SIZES.iter().filter(|(size, _)| *size <= nodes) {
        let mut mesh = Mesh::grown(seed, *size, &Plan::default());
        mesh.world.run_for(WARM_UP);
        mesh.publish_some(SETTLING, PAUSE);
        mesh.world.run_for(Duration::from_secs(5));
        let (since, before) = (mesh.published(), mesh.counts());
        mesh.publish_some(MEASURED, PAUSE);
        mesh.world.run_for(Duration::from_secs(5));
        let spent = mesh.counts().since(&before);
        let deliveries: u64 = mesh.told(since).iter().map(|told| told.count).sum();
        missed += (MEASURED * (size - 1)) as f64 - deliveries as f64;
        let each = |total: u64| total as f64 / (deliveries as f64).max(1.0);
        let costs = [each(spent.frames), each(spent.bytes), each(spent.steps)];
        let (from, base) = *first.get_or_insert((*size, costs));
        let allowed = (*size as f64).ln() / (from as f64).ln();
        for (place, (cost, base)) in worst.iter_mut().zip(costs.iter().zip(base)) {
            if *size > from {
                *place = place.max(cost / base / allowed);
            }
        }
        for ((what, cost), unit) in names.iter().zip(costs).zip(["frames", "bytes", "steps"]) {
            figures.push(Figure::mean(what, cost, unit));
        }
        breaches.extend(mesh.breaches());
        trace.join(&mesh.world.trace_hash());
        tally += mesh.tally();
    }
    for (what, ratio) in RATIOS.iter().zip(worst) {
        figures.push(Figure::max(what, ratio, "times").bar(Bar::AtMost(1.0)));
    }
    figures.push(Figure::sum("deliveries missed", missed, "times").bar(Bar::Exactly(0.0)));
    let found = Figure::sum("broken promises", breaches.len() as f64, "times");
    figures.push(found.bar(Bar::Exactly(0.0)));
    Outcome {
        figures,
        breaches,
        trace: trace.hash(),
        tally,
    }
}
