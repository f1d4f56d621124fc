use std::{collections::BTreeSet, time::Duration};

use repute_node::dht::{Config, Want};
use repute_sim::Trace;

use super::{
    super::Scenario,
    field::{Asked, Field, Published, mean, percent},
};
use crate::{Bar, Figure, Outcome};

/// Records outlive their holders: half the nodes replaced in an hour, and all but one holder of a
/// record killed at once.
pub const DHT_CHURN: Scenario = Scenario::new(
    "dht-churn",
    "records of the DHT outlive who keeps them: half the nodes replaced in an hour; 19 of 20 die",
    run,
)
.nodes(300)
.nodes_min(60)
.seeds(2)
.full(1_000, 100);

const HOUR: Duration = Duration::from_secs(3_600);
/// What it takes to put records again: a put after the interval has passed.
const PUTTING: Duration = Duration::from_secs(120);
/// Of so many nodes, one record loses its holders.
const NODES_OF_A_VICTIM: usize = 100;

fn run(seed: u64, nodes: usize) -> Outcome {
    let mut field = Field::grown(seed, nodes, Config::default());
    let published: Vec<Published> = (0..nodes as u64 / 2)
        .map(|name| {
            let author = field.random();
            field.publish(author, name, 0)
        })
        .collect();
    let asked: Vec<Asked> = published.iter().map(|one| one.asked).collect();
    field.wait(&asked);
    let copies: Vec<f64> = asked
        .iter()
        .map(|one| field.copies(*one).unwrap_or(0) as f64)
        .collect();
    let mut figures = vec![Figure::mean("copies of a put", mean(&copies), "nodes")];
    let mut massacred = field.clone();
    massacre(&mut massacred, &published, &mut figures);
    replace(&mut field, &published, &mut figures);
    let mut trace = Trace::new(seed);
    trace.join(&massacred.world.trace_hash());
    trace.join(&field.world.trace_hash());
    let mut breaches = massacred.breaches();
    breaches.extend(field.breaches());
    let mut tally = massacred.tally();
    tally += field.tally();
    let found = Figure::sum("broken promises", breaches.len() as f64, "times");
    figures.push(found.bar(Bar::Exactly(0.0)));
    Outcome {
        figures,
        breaches,
        trace: trace.hash(),
        tally,
    }
}

/// How many of these records are found, each from a random node.
fn found(field: &mut Field, published: &[Published]) -> f64 {
    let asked: Vec<Asked> = published
        .iter()
        .map(|one| {
            let node = field.random();
            field.find(node, one.key, Want::First)
        })
        .collect();
    field.wait(&asked);
    let found = asked
        .iter()
        .filter(|one| field.found(**one).next().is_some());
    percent(found.count(), asked.len())
}

fn copies(field: &Field, published: &[Published]) -> Vec<f64> {
    let all = published.iter();
    all.map(|one| field.holders(&one.key).len() as f64)
        .collect()
}

/// All who keep a record die at once, but one; of several records at a time, whose holders are
/// different ones.
fn massacre(field: &mut Field, published: &[Published], figures: &mut Vec<Figure>) {
    let wanted = (field.world.len() / NODES_OF_A_VICTIM).max(1);
    let (mut doomed, mut spared, mut victims) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for one in published {
        let mut holders = field.holders(&one.key);
        let taken = |index: &usize| doomed.contains(index) || spared.contains(index);
        if victims.len() == wanted || holders.iter().any(taken) {
            continue;
        }
        // The author would put it again; so nobody is left who has to.
        field.rng.shuffle(&mut holders);
        let lucky = holders.iter().position(|index| *index != one.author);
        let Some(lucky) = lucky else { continue };
        spared.insert(holders.swap_remove(lucky));
        doomed.extend(holders);
        victims.push(*one);
    }
    let killed = doomed.len() as f64 / (victims.len() as f64).max(1.0);
    for index in doomed {
        drop(field.world.crash(index));
    }
    let left = copies(field, &victims);
    let at_once = found(field, &victims);
    let weight = victims.len() as f64;
    field
        .world
        .run_for(field.config.replicate_interval + PUTTING);
    let after = copies(field, &victims);
    let fewest = |copies: &[f64]| copies.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |copies: &[f64]| copies.iter().copied().fold(0.0, f64::max);
    let k = field.config.k as f64;
    figures.extend([
        Figure::total("records whose holders died", weight, "records").bar(Bar::AtLeast(1.0)),
        Figure::mean("holders killed of each", killed, "nodes").bar(Bar::AtLeast(19.0)),
        Figure::max("copies left", most(&left), "copies").bar(Bar::Exactly(1.0)),
        Figure::mean("19 of 20 dead: found at once", at_once, "%")
            .weighing(weight)
            .bar(Bar::Exactly(100.0)),
        Figure::min(
            "copies after one republish, fewest",
            fewest(&after),
            "copies",
        )
        .bar(Bar::AtLeast(k)),
        Figure::mean("copies after one republish, mean", mean(&after), "copies").weighing(weight),
    ]);
}

/// Half the nodes are replaced, one by one, within an hour.
fn replace(field: &mut Field, published: &[Published], figures: &mut Vec<Figure>) {
    let replaced = field.world.len() / 2;
    let pause = HOUR / u32::try_from(replaced).unwrap_or(u32::MAX).max(1);
    let before = field.stats().crashes;
    for _ in 0..replaced {
        let leaving = field.random();
        drop(field.world.crash(leaving));
        field.join(2);
        field.world.run_for(pause);
    }
    let crashes = (field.stats().crashes - before) as f64;
    let gone = published
        .iter()
        .filter(|one| field.world.host(one.author).is_none());
    let gone = percent(gone.count(), published.len());
    let share = found(field, published);
    let copies = copies(field, published);
    let dht = field.world.hosts().filter_map(|(_, kad)| kad.dht());
    let stats: Vec<_> = dht.map(repute_node::dht::Dht::stats).collect();
    let sum = |of: fn(&repute_node::dht::Stats) -> u64| stats.iter().map(of).sum::<u64>() as f64;
    let nodes = (stats.len() as f64).max(1.0);
    figures.extend([
        Figure::mean("half replaced: records found", share, "%")
            .weighing(published.len() as f64)
            .bar(Bar::AtLeast(99.0)),
        Figure::mean("half replaced: copies, mean", mean(&copies), "copies"),
        Figure::mean("authors gone by then", gone, "%"),
        Figure::min("nodes replaced", crashes, "nodes").bar(Bar::AtLeast(replaced as f64)),
        Figure::mean(
            "requests of a node",
            sum(|one| one.requests_sent) / nodes,
            "requests",
        ),
        Figure::mean(
            "records handed over by a node",
            sum(|one| one.handed_over) / nodes,
            "records",
        ),
        Figure::mean(
            "records put again by a node",
            sum(|one| one.replicated) / nodes,
            "records",
        ),
    ]);
}
