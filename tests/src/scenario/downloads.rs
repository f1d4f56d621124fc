//! Files fetched by a thousand nodes from seeders of which nearly a third mean harm.
//!
//! The engine of blobs that ships, on both ends of every transfer, and the ledger, chronicle and
//! selection that ship, put together as the core puts engines together. The network is a model:
//! each node has so many bytes a second to give, and what it sends takes a moment.

mod fetching;
mod judge;
mod member;
mod shelf;

use std::time::Duration;

use repute_sim::Trace;

use self::fetching::{Fetching, Report, Selection};
use super::Scenario;
use crate::{Bar, Figure, Outcome, Tally};

/// Downloads with the choice that ships, beside a choice at random.
pub const DOWNLOADS: Scenario = Scenario::new(
    "downloads",
    "files fetched from seeders of whom 30 % send what is wrong, stall or crawl; beside random choice",
    run,
)
.nodes(1_000)
.nodes_min(20)
.seeds(1)
.full(1_000, 3);

struct Names {
    complete: &'static str,
    bad: &'static str,
    twice: &'static str,
    vain: &'static str,
    hostile: &'static str,
    median: &'static str,
    slowest: &'static str,
    rate: &'static str,
}

macro_rules! names {
    ($of:literal) => {
        Names {
            complete: concat!($of, "downloads complete"),
            bad: concat!($of, "bytes wasted on bad data"),
            twice: concat!($of, "bytes wasted on fetching twice"),
            vain: concat!($of, "bytes that came after all"),
            hostile: concat!($of, "requests to hostile seeders"),
            median: concat!($of, "time of a download, median"),
            slowest: concat!($of, "time of a download, 99 %"),
            rate: concat!($of, "rate of a download, mean"),
        }
    };
}

const RANKED: Names = names!("ranked: ");
const RANDOM: Names = names!("random: ");

fn figures(names: &Names, report: &Report, bars: bool) -> Vec<Figure> {
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    let bar = |bar: Bar| if bars { bar } else { Bar::None };
    let received = report.received.max(1);
    let times = |share| report.took(share).as_secs_f64();
    vec![
        Figure::mean(names.complete, percent(report.complete, report.begun), "%")
            .bar(bar(Bar::AtLeast(99.9))),
        Figure::mean(names.bad, percent(report.bad, received), "%").bar(bar(Bar::AtMost(3.0))),
        Figure::mean(names.twice, percent(report.twice, received), "%"),
        Figure::mean(names.vain, percent(report.vain, received), "%"),
        Figure::mean(
            names.hostile,
            percent(report.requests_hostile, report.requests),
            "%",
        ),
        Figure::mean(names.median, times(50), "s"),
        Figure::mean(names.slowest, times(99), "s"),
        Figure::mean(names.rate, report.rate / f64::from(1 << 20), "MiB/s"),
    ]
}

fn run(seed: u64, nodes: usize) -> Outcome {
    let mut trace = Trace::new(seed);
    let mut all = Vec::new();
    let mut breaches = Vec::new();
    let mut simulated = Duration::ZERO;
    for (names, selection) in [(&RANKED, Selection::Ranked), (&RANDOM, Selection::Random)] {
        let ranked = selection == Selection::Ranked;
        let report = Fetching::new(seed, nodes, selection).run();
        all.extend(figures(names, &report, ranked));
        if ranked {
            all.push(Figure::sum("downloads", report.begun as f64, "downloads"));
            all.push(Figure::sum(
                "corrupt groups met",
                report.corrupt as f64,
                "groups",
            ));
            all.push(Figure::sum(
                "seeders that stalled",
                report.stalled as f64,
                "times",
            ));
            let honest = report.stalled_honest as f64;
            all.push(Figure::sum("honest ones said to stall", honest, "times"));
        }
        breaches.extend(report.breaches());
        simulated += report.simulated;
    }
    for (place, figure) in all.iter().enumerate() {
        let bits = usize::try_from(figure.value.to_bits()).unwrap_or_default();
        trace.record(seed, place, 0, 0, bits);
    }
    Outcome {
        figures: all,
        breaches,
        trace: trace.hash(),
        tally: Tally {
            simulated,
            ..Tally::default()
        },
    }
}
