use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use repute_sim::Trace;

use super::Scenario;
use crate::{
    Bar, Figure, Outcome, Tally,
    overlay::{Mesh, Plan},
};

/// The set-up of HyParView's and Plumtree's papers on the engine that ships: what reaches whom
/// after a part of the network has died, beside the published figures.
pub const OVERLAY: Scenario = Scenario::new(
    "overlay",
    "HyParView's and Plumtree's measurements: N nodes, 10 to 95 % of which die at once",
    run,
)
.nodes(1_000)
.nodes_min(100)
.seeds(1)
.full(10_000, 1);

/// Cycles, of one shuffle each, before anything is measured.
const WARM_UP: u32 = 50;
/// Messages after which the tree is taken for settled.
const SETTLING: usize = 30;
/// Messages over which a settled tree is measured, from everybody and then from one.
const MEASURED: usize = 20;
/// How many of ten thousand die in each of the cycles that lose nodes.
const CHURN_OF_10_000: usize = 50;
/// From so many nodes on, a run takes as many messages and cycles as the papers.
const FULL: usize = 10_000;
/// A broadcast that reaches this share of the living, in per cent, has healed.
const HEALED: f64 = 99.99;
/// Cycles given to heal.
const HEALING_MAX: usize = 10;

/// One measurement after nodes have died. Its names carry the published figures.
struct Failure {
    /// Nodes that die at once, in per cent.
    dead: usize,
    mean: &'static str,
    mean_bar: Option<f64>,
    first: &'static str,
    first_bar: Option<f64>,
    heal: &'static str,
    heal_bar: Option<f64>,
}

macro_rules! failure {
    ($dead:literal, $mean:literal $mean_bar:expr, $first:literal $first_bar:expr, $heal:literal $heal_bar:expr) => {
        Failure {
            dead: $dead,
            mean: concat!(stringify!($dead), " % dead, all (HyParView ", $mean, ")"),
            mean_bar: $mean_bar,
            first: concat!(stringify!($dead), " % dead, first (Plumtree ", $first, ")"),
            first_bar: $first_bar,
            heal: concat!(stringify!($dead), " % dead, heals (Plumtree ", $heal, ")"),
            heal_bar: $heal_bar,
        }
    };
}

/// Bars are three points below what was published, where that is one figure.
const FAILURES: &[Failure] = &[
    failure!(10, "100" Some(97.0), "100" Some(97.0), "1" Some(1.0)),
    failure!(20, "100" Some(97.0), "100" Some(97.0), "1" Some(1.0)),
    failure!(30, "100" Some(97.0), "100" Some(97.0), "1" Some(1.0)),
    failure!(40, "100" Some(97.0), "100" Some(97.0), "1" Some(1.0)),
    failure!(50, "100" Some(97.0), "95" Some(92.0), "1" Some(1.0)),
    failure!(60, "100" Some(97.0), "56 to 84" None, "1 or 2" None),
    failure!(70, "100" Some(97.0), "15 to 31" None, "1" Some(1.0)),
    failure!(80, "100" Some(97.0), "0" Some(0.0), "1 to 3" None),
    failure!(90, "100" None, "0" None, "2 to 4" None),
    failure!(95, "90" None, "0" None, "not given" None),
];

/// What a part of a run comes to.
struct Sum {
    figures: Vec<Figure>,
    breaches: Vec<String>,
    trace: Trace,
    tally: Tally,
}

impl Sum {
    fn new(seed: u64) -> Self {
        Self {
            figures: Vec::new(),
            breaches: Vec::new(),
            trace: Trace::new(seed),
            tally: Tally::default(),
        }
    }

    fn end(&mut self, mesh: &Mesh) {
        self.breaches.extend(mesh.breaches());
        self.trace.join(&mesh.world.trace_hash());
        self.tally += mesh.tally();
    }

    fn join(&mut self, part: Self) {
        self.figures.extend(part.figures);
        self.breaches.extend(part.breaches);
        self.trace.join(&part.trace.hash());
        self.tally += part.tally;
    }
}

/// What is measured, each in a copy of the network that has warmed up.
#[derive(Clone, Copy)]
enum Part {
    /// The longest, so it comes first.
    Churn,
    Steady,
    Failure(&'static Failure),
}

impl Part {
    fn all() -> Vec<Self> {
        let failures = FAILURES.iter().rev().map(Self::Failure);
        [Self::Churn, Self::Steady]
            .into_iter()
            .chain(failures)
            .collect()
    }

    fn measure(self, mesh: Mesh, sum: &mut Sum) {
        match self {
            Self::Churn => churn(mesh, sum),
            Self::Steady => steady(mesh, sum),
            Self::Failure(failure) => fail(mesh, failure, sum),
        }
    }
}

fn run(seed: u64, nodes: usize) -> Outcome {
    let parts = Part::all();
    let next = AtomicUsize::new(0);
    // Each worker grows the same network, and takes the next part until none is left.
    let work = || {
        let mesh = warmed(seed, nodes);
        let mut warm = Sum::new(seed);
        warm.end(&mesh);
        let mut done = BTreeMap::new();
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(nth) else { break };
            let mut sum = Sum::new(seed);
            part.measure(mesh.fork(), &mut sum);
            done.insert(nth, sum);
        }
        (warm, done)
    };
    let workers = if nodes < FULL { 1 } else { 2 };
    let finished: Vec<(Sum, BTreeMap<usize, Sum>)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut sum = Sum::new(seed);
    let mut done = BTreeMap::new();
    for (nth, (warm, parts)) in finished.into_iter().enumerate() {
        if nth == 0 {
            sum.join(warm);
        }
        done.extend(parts);
    }
    for part in done.into_values() {
        sum.join(part);
    }
    let found = Figure::sum("broken promises", sum.breaches.len() as f64, "times");
    sum.figures.push(found.bar(Bar::Exactly(0.0)));
    Outcome {
        figures: sum.figures,
        breaches: sum.breaches,
        trace: sum.trace.hash(),
        tally: sum.tally,
    }
}

/// A network after its warm-up, with a tree that has settled.
fn warmed(seed: u64, nodes: usize) -> Mesh {
    let plan = Plan::default();
    let mut mesh = Mesh::grown(seed, nodes, &plan);
    mesh.world.run_for(plan.config.shuffle_interval * WARM_UP);
    mesh.publish_some(SETTLING, Duration::from_millis(200));
    mesh.world.run_for(Duration::from_secs(5));
    mesh
}

/// The graph, and what a broadcast costs while nothing fails.
fn steady(mut mesh: Mesh, sum: &mut Sum) {
    let nodes = mesh.alive();
    let (graph, paths) = (mesh.graph(), mesh.paths());
    let links: usize = mesh.world.hosts().map(|(_, member)| member.links()).sum();
    sum.figures.extend([
        Figure::mean("neighbours (5)", graph.degree(), "nodes"),
        Figure::mean("links of a node", links as f64 / nodes as f64, "links"),
        Figure::mean("clustering (0.00092)", graph.clustering(), ""),
        Figure::mean("shortest path, mean (6.385)", paths.mean, "links"),
        Figure::mean("shortest path, longest (9.0)", paths.longest, "links"),
        Figure::sum("unreachable", paths.unreached as f64, "nodes").bar(Bar::Exactly(0.0)),
    ]);

    let (since, before) = (mesh.published(), mesh.counts());
    mesh.publish_some(MEASURED, Duration::from_millis(200));
    mesh.world.run_for(Duration::from_secs(5));
    let cost = mesh.counts().since(&before);
    let told = mesh.told(since);
    let (mut count, mut hops, mut hops_max) = (0, 0, 0);
    let mut last_ms = 0.0;
    for told in told.iter() {
        count += told.count;
        hops += told.hops;
        hops_max = hops_max.max(told.hops_max);
        last_ms += told.last.since(told.at).as_millis() as f64;
    }
    drop(told);
    let missed = (MEASURED * (nodes - 1)) as f64 - count as f64;
    let each = MEASURED as f64;
    sum.figures.extend([
        Figure::sum("missed, steady", missed, "deliveries").bar(Bar::Exactly(0.0)),
        Figure::mean(
            "redundancy, from all (0)",
            redundancy(cost.payloads, count),
            "copies",
        ),
        Figure::mean(
            "payloads a broadcast (9,999)",
            cost.payloads as f64 / each,
            "frames",
        ),
        Figure::mean(
            "control a broadcast (29,987 to 38,976)",
            cost.controls as f64 / each,
            "messages",
        ),
        Figure::mean("hops, mean", hops as f64 / (count as f64).max(1.0), "links"),
        Figure::max("hops, max", f64::from(hops_max), "links"),
        Figure::mean("time to the last node, mean", last_ms / each, "ms"),
    ]);

    let Some(speaker) = mesh.random() else { return };
    for _ in 0..SETTLING {
        mesh.publish(speaker);
        mesh.world.run_for(Duration::from_millis(200));
    }
    mesh.world.run_for(Duration::from_secs(5));
    let (since, before) = (mesh.published(), mesh.counts());
    for _ in 0..MEASURED {
        mesh.publish(speaker);
        mesh.world.run_for(Duration::from_millis(200));
    }
    mesh.world.run_for(Duration::from_secs(5));
    let cost = mesh.counts().since(&before);
    let count: u64 = mesh.told(since).iter().map(|told| told.count).sum();
    let copies = redundancy(cost.payloads, count);
    let figure = Figure::mean("redundancy, from one (0)", copies, "copies");
    sum.figures.push(figure.bar(Bar::Below(0.1)));
    sum.end(&mesh);
}

/// Payload frames beyond the first of each message, per delivery.
fn redundancy(payloads: u64, deliveries: u64) -> f64 {
    (payloads as f64 - deliveries as f64) / (deliveries as f64).max(1.0)
}

/// A part of the network dies at once.
fn fail(mut mesh: Mesh, failure: &Failure, sum: &mut Sum) {
    let nodes = mesh.alive();
    let cycle = Plan::default().config.shuffle_interval;
    mesh.fail(nodes * failure.dead / 100);
    let messages = match failure.dead {
        _ if nodes < FULL => 100,
        // Where all is well from the first message on, a tenth of them tells as much.
        ..70 => 100,
        _ => 1_000,
    };
    // All within one cycle, of which the second half is for the last of them to arrive.
    let pause = cycle / 2 / messages;
    let since = mesh.published();
    mesh.publish_some(messages as usize, pause);
    mesh.world.run_for(cycle - pause * messages);
    let reached = mesh.reliability(since);
    let mean = reached.iter().sum::<f64>() / (reached.len() as f64).max(1.0);
    let first = reached.first().copied().unwrap_or(0.0);
    let mut heals = 0;
    let mut healed = false;
    while !healed && heals < HEALING_MAX {
        heals += 1;
        let number = mesh.published();
        mesh.publish_some(1, cycle);
        healed = mesh
            .reliability(number)
            .first()
            .is_some_and(|share| *share >= HEALED);
    }
    let bar = |bar: Option<f64>| bar.map_or(Bar::None, Bar::AtLeast);
    sum.figures.extend([
        Figure::mean(failure.mean, mean, "%").bar(bar(failure.mean_bar)),
        Figure::mean(failure.first, first, "%").bar(bar(failure.first_bar)),
        Figure::mean(failure.heal, heals as f64, "cycles")
            .bar(failure.heal_bar.map_or(Bar::None, Bar::AtMost)),
    ]);
    sum.end(&mesh);
}

/// Some die in each cycle.
fn churn(mut mesh: Mesh, sum: &mut Sum) {
    let nodes = mesh.alive();
    let cycle = Plan::default().config.shuffle_interval;
    let cycles = if nodes < FULL { 30 } else { 100 };
    let (mut worst, mut total) = (100.0_f64, 0.0);
    for _ in 0..cycles {
        mesh.fail((nodes * CHURN_OF_10_000 / 10_000).max(1));
        let number = mesh.published();
        mesh.publish_some(1, cycle);
        let reached = mesh.reliability(number).first().copied().unwrap_or(0.0);
        worst = worst.min(reached);
        total += reached;
    }
    sum.figures.extend([
        Figure::mean(
            "0.5 % die a cycle, mean (100)",
            total / f64::from(cycles),
            "%",
        )
        .bar(Bar::AtLeast(97.0)),
        Figure::min("0.5 % die a cycle, worst", worst, "%"),
    ]);
    sum.end(&mesh);
}
