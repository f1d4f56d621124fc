use std::time::Duration;

use repute_node::dht::{Config, Want};
use repute_sim::Trace;

use super::{
    super::Scenario,
    field::{Asked, Field, mean, percent, percentile},
};
use crate::{Bar, Figure, Outcome, Tally};

/// Hops and requests of lookups in a network at rest, and with a part of it dead.
pub const DHT: Scenario = Scenario::new(
    "dht",
    "lookups of the DHT: hops, requests, whether the closest is found, with 30 % dead entries too",
    run,
)
.nodes(1_000)
.nodes_min(100)
.seeds(2)
.full(100_000, 1);

/// H_20, the harmonic number of the size of a bucket: Kademlia needs ln N / H_k hops.
const HARMONIC: f64 = 3.597_739_657_143_682;
/// Lookups over which each figure is taken, or as many as there are nodes.
const LOOKUPS: usize = 1_000;
/// Records that are put and got.
const RECORDS: usize = 100;
/// Entries that are dead, in per cent.
const DEAD: usize = 30;
/// The largest network of which a part dies.
const DEAD_AMONG: usize = 10_000;

/// The names of the figures at one size.
struct Names {
    nodes: usize,
    hops: &'static str,
    hops_p99: &'static str,
    closest: &'static str,
    requests: &'static str,
}

macro_rules! names {
    ($nodes:expr, $of:literal) => {
        Names {
            nodes: $nodes,
            hops: concat!($of, "hops, mean"),
            hops_p99: concat!($of, "hops, 99 %"),
            closest: concat!($of, "true closest found"),
            requests: concat!($of, "requests of a lookup"),
        }
    };
}

/// A network of one of these sizes, and of each below, in the same run.
const SIZES: [Names; 3] = [
    names!(1_000, "1,000 nodes: "),
    names!(10_000, "10,000 nodes: "),
    names!(100_000, "100,000 nodes: "),
];
const OTHER: Names = names!(0, "");

struct Sum {
    figures: Vec<Figure>,
    breaches: Vec<String>,
    trace: Trace,
    tally: Tally,
}

impl Sum {
    fn end(&mut self, field: &Field) {
        self.breaches.extend(field.breaches());
        self.trace.join(&field.world.trace_hash());
        self.tally += field.tally();
    }
}

fn run(seed: u64, nodes: usize) -> Outcome {
    let mut sum = Sum {
        figures: Vec::new(),
        breaches: Vec::new(),
        trace: Trace::new(seed),
        tally: Tally::default(),
    };
    let known = SIZES.iter().any(|names| names.nodes == nodes);
    for names in SIZES.iter().filter(|names| known && names.nodes <= nodes) {
        at_rest(seed, names.nodes, names, &mut sum);
    }
    if !known {
        at_rest(seed, nodes, &OTHER, &mut sum);
    }
    dead(seed, nodes.min(DEAD_AMONG), &mut sum);
    let found = Figure::sum("broken promises", sum.breaches.len() as f64, "times");
    sum.figures.push(found.bar(Bar::Exactly(0.0)));
    Outcome {
        figures: sum.figures,
        breaches: sum.breaches,
        trace: sum.trace.hash(),
        tally: sum.tally,
    }
}

fn at_rest(seed: u64, nodes: usize, names: &Names, sum: &mut Sum) {
    let mut field = Field::stocked(seed, nodes, Config::default(), (0, None));
    let looked = Looked::up(&mut field, LOOKUPS.min(nodes));
    let bar = (nodes as f64).ln() / HARMONIC + 0.2;
    sum.figures.extend([
        Figure::mean(names.hops, mean(&looked.hops), "hops").bar(Bar::AtMost(bar)),
        Figure::max(names.hops_p99, percentile(&looked.hops, 99.0), "hops").bar(Bar::AtMost(4.0)),
        Figure::mean(names.closest, looked.closest, "%").bar(Bar::AtLeast(99.0)),
        Figure::mean(names.requests, mean(&looked.requests), "requests"),
    ]);
    // The same work at every size: the smallest tells.
    if nodes <= 1_000 {
        puts_and_gets(&mut field, sum);
    }
    sum.end(&field);
}

/// What some lookups came to.
struct Looked {
    hops: Vec<f64>,
    requests: Vec<f64>,
    seconds: Vec<f64>,
    /// How many found the closest node that is up, in per cent.
    closest: f64,
}

impl Looked {
    fn up(field: &mut Field, count: usize) -> Self {
        let asked: Vec<_> = (0..count)
            .map(|_| {
                let (node, target) = (field.random(), field.random_place());
                (field.lookup(node, target), target)
            })
            .collect();
        let all: Vec<Asked> = asked.iter().map(|(asked, _)| *asked).collect();
        field.wait(&all);
        let mut looked = Self {
            hops: Vec::new(),
            requests: Vec::new(),
            seconds: Vec::new(),
            closest: 0.0,
        };
        let mut right = 0;
        for (asked, target) in asked {
            let Some(outcome) = field.outcome(asked) else {
                continue;
            };
            looked.hops.push(outcome.hops.into());
            looked.requests.push(outcome.requests.into());
            looked.seconds.push(outcome.took_ms as f64 / 1e3);
            // Who asks is not told of itself.
            let mut truth = field.closest(&target, 2);
            truth.retain(|index| *index != asked.node);
            let truth = truth.first().and_then(|index| field.world.id(*index));
            right += usize::from(outcome.closest.first().map(|one| one.id) == truth);
        }
        looked.closest = percent(right, count);
        looked
    }
}

fn puts_and_gets(field: &mut Field, sum: &mut Sum) {
    let before = field.requests();
    let published: Vec<_> = (0..RECORDS as u64)
        .map(|name| {
            let author = field.random();
            field.publish(author, name, 0)
        })
        .collect();
    let asked: Vec<Asked> = published.iter().map(|one| one.asked).collect();
    field.wait(&asked);
    let put = (field.requests() - before) as f64 / RECORDS as f64;
    let copies: Vec<f64> = asked
        .iter()
        .map(|one| field.copies(*one).unwrap_or(0) as f64)
        .collect();

    let mut lines = Vec::new();
    for want in [Want::First, Want::Newest] {
        let asked: Vec<Asked> = published
            .iter()
            .map(|one| {
                let node = field.random();
                field.find(node, one.key, want)
            })
            .collect();
        field.wait(&asked);
        let found = asked
            .iter()
            .filter(|one| field.found(**one).next().is_some());
        let found = percent(found.count(), RECORDS);
        let of = |asked: &Asked| field.outcome(*asked).map_or(0.0, |one| one.requests.into());
        let requests: Vec<f64> = asked.iter().map(of).collect();
        lines.push((found, mean(&requests)));
    }
    let [(first, first_cost), (newest, newest_cost)] = lines.try_into().unwrap_or_default();
    let all = Bar::Exactly(100.0);
    sum.figures.extend([
        Figure::mean("requests of a put", put, "requests"),
        Figure::mean("copies of a put", mean(&copies), "nodes"),
        Figure::mean("requests of a get, to the first", first_cost, "requests"),
        Figure::mean("got, first", first, "%").bar(all),
        Figure::mean("requests of a get, the newest", newest_cost, "requests"),
        Figure::mean("got, newest", newest, "%").bar(all),
    ]);
}

/// A part of a network dies at once; nobody has noticed yet.
fn dead(seed: u64, nodes: usize, sum: &mut Sum) {
    let mut field = Field::stocked(seed ^ 1, nodes, Config::default(), (0, None));
    let mut order: Vec<usize> = (0..nodes).collect();
    field.rng.shuffle(&mut order);
    order.truncate(nodes * DEAD / 100);
    for index in order {
        drop(field.world.crash(index));
    }
    let looked = Looked::up(&mut field, LOOKUPS.min(nodes));
    field.world.run_for(Duration::from_secs(1));
    let crashes = field.stats().crashes as f64;
    sum.figures.extend([
        Figure::mean("30 % dead: closest alive found", looked.closest, "%").bar(Bar::AtLeast(99.0)),
        Figure::mean("30 % dead: hops, mean", mean(&looked.hops), "hops"),
        Figure::mean("30 % dead: requests", mean(&looked.requests), "requests"),
        Figure::max(
            "30 % dead: time, 99 %",
            percentile(&looked.seconds, 99.0),
            "s",
        ),
        Figure::sum("nodes that died", crashes, "nodes").bar(Bar::AtLeast(1.0)),
    ]);
    sum.end(&field);
}
