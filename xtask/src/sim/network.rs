//! Whole networks of the real core, many seeds at once.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use repute_tests::{Bar, Figure, Outcome, Tally, scenario::Scenario};

use super::{Ran, Size, again_command, plot::Panel, replay_command};
use crate::report::Row;

/// Nodes of the run that is made twice, to see that it leaves the same trace.
const TWICE_NODES: usize = 24;

/// Runs a scenario with every seed, and one of them twice. Says on stderr what went wrong and how
/// to see it again.
pub(crate) fn run(scenario: &Scenario, size: &Size) -> Ran {
    let nodes = size.nodes.max(scenario.nodes_min);
    let started = Instant::now();
    let outcomes = outcomes(scenario, nodes, size.seeds.clone());
    let mut figures: BTreeMap<usize, Vec<Figure>> = BTreeMap::new();
    let mut tally = Tally::default();
    for outcome in outcomes.values() {
        tally += outcome.tally;
        for (place, figure) in outcome.figures.iter().enumerate() {
            figures.entry(place).or_default().push(*figure);
        }
    }
    let merged: Vec<Figure> = figures
        .values()
        .filter_map(|one| Figure::merge(one))
        .collect();
    let well = outcomes
        .values()
        .all(|outcome| outcome.failures().is_empty());
    for figure in merged.iter().filter(|figure| well && !figure.is_well()) {
        let (what, again) = (figure.what, again_command(scenario.name, size));
        eprintln!("{what}: over all seeds the bar is missed\n  {again}");
    }
    let mut rows = vec![Row::plain("nodes", nodes as f64, "nodes")];
    rows.extend(merged.iter().map(row));
    rows.push(twice(scenario, size));
    let hours = tally.simulated.as_secs_f64() / 3_600.0;
    rows.push(Row::plain("simulated", hours, "h"));
    rows.push(Row::plain("took", started.elapsed().as_secs_f64(), "s"));
    Ran {
        rows,
        panels: figures.values().filter_map(|one| Panel::of(one)).collect(),
    }
}

/// The first seed twice, small: R27.
fn twice(scenario: &Scenario, size: &Size) -> Row {
    let nodes = size
        .nodes
        .clamp(scenario.nodes_min, TWICE_NODES.max(scenario.nodes_min));
    let seed = size.seeds.start;
    let trace = || (scenario.run)(seed, nodes).trace;
    let equal = thread::scope(|scope| {
        let other = scope.spawn(trace);
        let one = trace();
        other.join().is_ok_and(|other| other == one)
    });
    if !equal {
        let again = replay_command(scenario.name, nodes, seed);
        eprintln!("seed {seed} twice left two traces\n  {again}");
    }
    let unequal = f64::from(u8::from(!equal));
    Row::exactly("R27 unequal traces", unequal, "seeds", 0.0)
}

/// All seeds, in their order, as many at once as there are cores.
fn outcomes(
    scenario: &Scenario,
    nodes: usize,
    seeds: std::ops::Range<u64>,
) -> BTreeMap<u64, Outcome> {
    outcomes_until(scenario, nodes, seeds, &AtomicBool::new(false))
}

/// The same, but no seed begins once `stop` is set.
pub(crate) fn outcomes_until(
    scenario: &Scenario,
    nodes: usize,
    seeds: std::ops::Range<u64>,
    stop: &AtomicBool,
) -> BTreeMap<u64, Outcome> {
    let next = AtomicU64::new(seeds.start);
    let done = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || stop.load(Ordering::Relaxed) {
                return;
            }
            let started = Instant::now();
            let outcome = (scenario.run)(seed, nodes);
            if let Ok(mut done) = done.lock() {
                done.insert(seed, outcome);
                if let Some(outcome) = done.get(&seed) {
                    let place = (done.len() as u64, seeds.end - seeds.start);
                    tell(scenario, nodes, seed, outcome, place, started);
                }
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    done.into_inner().unwrap_or_default()
}

/// One line for each seed, more for one that failed.
fn tell(
    scenario: &Scenario,
    nodes: usize,
    seed: u64,
    outcome: &Outcome,
    (nth, of): (u64, u64),
    started: Instant,
) {
    let failures = outcome.failures();
    eprintln!(
        "{} {nth}/{of} seed {seed}: {} in {:.1} s, {} s simulated, trace {}",
        scenario.name,
        if failures.is_empty() { "ok" } else { "FAILED" },
        started.elapsed().as_secs_f64(),
        outcome.tally.simulated.as_secs(),
        outcome.trace,
    );
    for failure in &failures {
        eprintln!("  seed {seed}: {failure}");
    }
    if !failures.is_empty() {
        eprintln!("  {}", replay_command(scenario.name, nodes, seed));
    }
}

fn row(figure: &Figure) -> Row {
    let Figure {
        what, value, unit, ..
    } = *figure;
    let row = match figure.bar {
        Bar::None => Row::plain(what, value, unit),
        Bar::AtMost(bar) => Row::at_most(what, value, unit, bar),
        Bar::Below(bar) => Row::below(what, value, unit, bar),
        Bar::AtLeast(bar) => Row::at_least(what, value, unit, bar),
        Bar::Exactly(bar) => Row::exactly(what, value, unit, bar),
        Bar::Within(low, high) => Row::within(what, value, unit, low, high),
    };
    match figure.known {
        Some(limit) => row.known(limit),
        None => row,
    }
}
