//! Whole networks of the real core, many seeds at once.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use repute_tests::{Bar, Figure, Outcome, scenario::Scenario};

use super::{Size, replay_command};
use crate::report::Row;

/// Nodes of the run that is made twice, to see that it leaves the same trace.
const TWICE_NODES: usize = 24;

/// Runs a scenario with every seed, and one of them twice. Says on stderr what went wrong and how
/// to see it again.
pub(super) fn run(scenario: &Scenario, size: &Size) -> Vec<Row> {
    let nodes = size.nodes.max(scenario.nodes_min);
    let started = Instant::now();
    let outcomes = outcomes(scenario, nodes, size.seeds.clone());
    let mut figures: BTreeMap<usize, Vec<Figure>> = BTreeMap::new();
    for (seed, outcome) in &outcomes {
        for failure in outcome.failures() {
            eprintln!(
                "seed {seed}: {failure}\n  {}",
                replay_command(scenario.name, nodes, *seed)
            );
        }
        for (place, figure) in outcome.figures.iter().enumerate() {
            figures.entry(place).or_default().push(*figure);
        }
    }
    let mut rows = vec![Row::plain("nodes", nodes as f64, "nodes")];
    rows.extend(
        figures
            .values()
            .filter_map(|one| Figure::merge(one))
            .map(row),
    );
    let small = nodes.clamp(scenario.nodes_min, TWICE_NODES.max(scenario.nodes_min));
    let trace = || (scenario.run)(size.seeds.start, small).trace;
    let unequal = u32::from(trace() != trace());
    rows.push(Row::exactly(
        "R27 unequal traces",
        unequal.into(),
        "seeds",
        0.0,
    ));
    rows.push(Row::plain("took", started.elapsed().as_secs_f64(), "s"));
    rows
}

/// As many seeds at once as there are cores, so that the order of the results is that of the seeds.
fn outcomes(
    scenario: &Scenario,
    nodes: usize,
    seeds: std::ops::Range<u64>,
) -> BTreeMap<u64, Outcome> {
    let next = AtomicU64::new(seeds.start);
    let done = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let started = Instant::now();
            let outcome = (scenario.run)(seed, nodes);
            eprintln!(
                "{} seed {seed}: {} in {:.1} s, trace {}",
                scenario.name,
                if outcome.failures().is_empty() {
                    "ok"
                } else {
                    "FAILED"
                },
                started.elapsed().as_secs_f64(),
                outcome.trace,
            );
            if let Ok(mut done) = done.lock() {
                done.insert(seed, outcome);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    done.into_inner().unwrap_or_default()
}

fn row(figure: Figure) -> Row {
    let Figure {
        what, value, unit, ..
    } = figure;
    match figure.bar {
        Bar::None => Row::plain(what, value, unit),
        Bar::AtMost(bar) => Row::at_most(what, value, unit, bar),
        Bar::Below(bar) => Row::below(what, value, unit, bar),
        Bar::AtLeast(bar) => Row::at_least(what, value, unit, bar),
        Bar::Exactly(bar) => Row::exactly(what, value, unit, bar),
        Bar::Within(low, high) => Row::within(what, value, unit, low, high),
    }
}
