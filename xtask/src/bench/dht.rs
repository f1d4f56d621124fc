//! The race of the DHT: our nodes against libp2p's Kademlia, in turns, judged as ratios.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{
    Plan, peers,
    race::{
        arena::{Network, quiet},
        results::{Figures, parse},
    },
};
use crate::report::{Count, Report, Row, median};

const PEER: &str = "libp2p-kad";
/// Who races: name, program.
const ENTRANTS: [(&str, &str); 2] = [("repute", "repute-kad"), (PEER, "kad")];
/// Nodes of a network, whatever `--nodes` says of the other benchmarks by default.
const NODES: u16 = 64;
const ROUNDS: u16 = 3;
/// One at a time, and so many at once.
const AT_ONCE: u16 = 16;
const PHASES: [&str; 6] = [
    "kad-put-seq",
    "kad-get-seq",
    "kad-closest-seq",
    "kad-put-par",
    "kad-get-par",
    "kad-closest-par",
];

const RATE: &str = "per_s";
const LATENCY: &str = "lat_p50";
const REQUESTS: &str = "reqs_mean";
const CPU: &str = "cpu_us_each";
const BYTES: &str = "lo_bytes_each";

/// What is asked of the ratio of our figure to theirs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    AtMost(f64),
    Below(f64),
    AtLeast(f64),
    /// More than theirs.
    Ahead,
}

use Asked::{Ahead, AtLeast, AtMost, Below};

/// One bar: what, in which phase, which figure.
struct Bar(&'static str, &'static str, &'static str, Asked);

const BARS: &[Bar] = &[
    Bar("put: CPU", "kad-put-seq", CPU, AtMost(0.4)),
    Bar("put: bytes", "kad-put-seq", BYTES, AtMost(0.5)),
    Bar("put: rate", "kad-put-seq", RATE, Ahead),
    Bar("put: median latency", "kad-put-seq", LATENCY, Below(1.0)),
    Bar("put: requests", "kad-put-seq", REQUESTS, Below(1.0)),
    Bar("closest: CPU", "kad-closest-seq", CPU, AtMost(0.4)),
    Bar("closest: bytes", "kad-closest-seq", BYTES, AtMost(0.5)),
    Bar("closest: rate", "kad-closest-seq", RATE, Ahead),
    Bar(
        "closest: median latency",
        "kad-closest-seq",
        LATENCY,
        Below(1.0),
    ),
    Bar("closest: requests", "kad-closest-seq", REQUESTS, Below(1.0)),
    Bar("get: rate", "kad-get-seq", RATE, AtLeast(1.5)),
    Bar("get: requests", "kad-get-seq", REQUESTS, Below(1.0)),
    Bar("put, 16 at once: CPU", "kad-put-par", CPU, AtMost(0.4)),
    Bar("put, 16 at once: bytes", "kad-put-par", BYTES, AtMost(0.5)),
    Bar("put, 16 at once: rate", "kad-put-par", RATE, Ahead),
    Bar(
        "put, 16 at once: median latency",
        "kad-put-par",
        LATENCY,
        Below(1.0),
    ),
    Bar(
        "closest, 16 at once: CPU",
        "kad-closest-par",
        CPU,
        AtMost(0.4),
    ),
    Bar(
        "closest, 16 at once: bytes",
        "kad-closest-par",
        BYTES,
        AtMost(0.5),
    ),
    Bar("closest, 16 at once: rate", "kad-closest-par", RATE, Ahead),
    Bar(
        "closest, 16 at once: median latency",
        "kad-closest-par",
        LATENCY,
        Below(1.0),
    ),
    Bar("get, 16 at once: rate", "kad-get-par", RATE, AtLeast(1.5)),
];

/// The figures of each run by phase, in the order of the rounds.
type Runs = BTreeMap<&'static str, Vec<BTreeMap<String, Figures>>>;

pub(super) fn run(plan: &Plan) -> Result<Report> {
    let (rounds, ops) = if plan.quick { (1, 90) } else { (ROUNDS, 300) };
    let rounds = plan.rounds.unwrap_or(rounds);
    peers::build()?;
    let stores = plan.stores()?;
    let network = Network::find();
    let patience = Duration::from_secs(if plan.quick { 10 } else { 60 });
    let mut runs = Runs::new();
    for round in 0..rounds {
        let mut order = ENTRANTS;
        order.rotate_left(usize::from(round) % ENTRANTS.len());
        for (name, program) in order {
            let numbers = [
                ("--n", u64::from(NODES)),
                ("--ops", ops),
                ("--par", u64::from(AT_ONCE)),
                ("--seed", u64::from(round) + 11),
            ];
            let words = numbers.into_iter();
            let mut args: Vec<String> = words
                .flat_map(|(key, value)| [key.to_owned(), value.to_string()])
                .collect();
            if name != PEER {
                args.extend(["--dir".into(), stores.path().display().to_string()]);
            }
            let busy = quiet(patience);
            let begun = Instant::now();
            eprint!("round {} of {rounds}, {name}: ", round + 1);
            let output = network.run(&peers::program(program), &args)?;
            let path = peers::scratch().join(format!("{program}-{}.log", round + 1));
            std::fs::write(&path, &output)
                .with_context(|| format!("could not write {}", path.display()))?;
            let phases: BTreeMap<String, Figures> = parse(&output).into_iter().collect();
            if let Some(missing) = PHASES.iter().find(|phase| !phases.contains_key(**phase)) {
                bail!("{name} printed no figures of the phase {missing}:\n{output}");
            }
            let took = begun.elapsed().as_secs_f64();
            eprintln!("{took:.0} s, others {busy:.2} cores before");
            runs.entry(name).or_default().push(phases);
        }
    }
    let mut rows = Vec::new();
    let preface = figures(&runs, &mut rows);
    rows.extend(judged(&runs));
    rows.push(Row::plain("nodes", f64::from(NODES), "nodes"));
    rows.push(Row::plain(
        "used by other programs, at most",
        disturbed(&runs),
        "cores",
    ));
    let alone = f64::from(u8::from(network != Network::Shared));
    rows.push(Row::plain("each in a network of its own", alone, "yes"));
    rows.push(stores.row());
    Ok(Report::new("dht", Count::Runs(rounds.into()), rows).with_preface(preface))
}

/// One figure of one entrant, round by round.
fn each(runs: &Runs, name: &str, phase: &str, figure: &str) -> Vec<f64> {
    let all = runs.get(name).into_iter().flatten();
    all.filter_map(|run| run.get(phase)?.get(figure).copied())
        .collect()
}

/// The most that other programs used in any phase.
fn disturbed(runs: &Runs) -> f64 {
    let all = runs.values().flatten().flat_map(BTreeMap::values);
    all.filter_map(|figures| figures.get("other_load").copied())
        .fold(0.0, f64::max)
}

const COLUMNS: &[(&str, &str, &str)] = &[
    (LATENCY, "p50", "ms"),
    ("lat_p99", "p99", "ms"),
    (RATE, "rate", "1/s"),
    (REQUESTS, "requests", ""),
    (CPU, "CPU", "µs"),
    (BYTES, "bytes", ""),
    ("ok", "good", ""),
    ("local", "local", ""),
];

/// All figures: rows of the object, and a table for people.
fn figures(runs: &Runs, rows: &mut Vec<Row>) -> String {
    let mut text = format!("{:30}", "");
    for (_, title, unit) in COLUMNS {
        let title = format!("{title} {unit}");
        let _ = write!(text, " {:>10}", title.trim_end());
    }
    text.push('\n');
    for phase in PHASES {
        for (name, _) in ENTRANTS {
            let _ = write!(text, "  {:28}", format!("{phase}, {name}"));
            for (key, title, unit) in COLUMNS {
                let values = each(runs, name, phase, key);
                let middle = median(&values).unwrap_or(f64::NAN);
                let _ = write!(text, " {:>10}", format!("{middle:.1}"));
                if values.iter().all(|value| value.is_finite()) && !values.is_empty() {
                    rows.push(Row::figure(
                        &format!("{name}: {phase} {title}"),
                        &values,
                        unit,
                    ));
                }
            }
            text.push('\n');
        }
    }
    text + "\n"
}

/// Ratios of the same round against the bars.
fn judged(runs: &Runs) -> Vec<Row> {
    let row = |Bar(what, phase, figure, asked): &Bar| {
        let ours = each(runs, ENTRANTS[0].0, phase, figure);
        let theirs = each(runs, PEER, phase, figure);
        let ratios: Vec<f64> = ours
            .iter()
            .zip(&theirs)
            .map(|(ours, theirs)| ours / theirs)
            .collect();
        let value = median(&ratios).unwrap_or(f64::NAN);
        let row = match *asked {
            AtMost(bar) => Row::at_most(what, value, "x", bar),
            Below(bar) => Row::below(what, value, "x", bar),
            AtLeast(bar) => Row::at_least(what, value, "x", bar),
            Ahead => Row::above(what, value, "x", 1.0),
        };
        row.against(PEER, &ratios)
    };
    let mut rows: Vec<Row> = BARS.iter().map(row).collect();
    // A rate of what failed is none.
    for phase in PHASES {
        let good = each(runs, ENTRANTS[0].0, phase, "ok");
        let all = each(runs, ENTRANTS[0].0, phase, "ops");
        let failed: f64 = all.iter().zip(&good).map(|(all, good)| all - good).sum();
        rows.push(Row::exactly(
            &format!("{phase}: failed"),
            failed,
            "times",
            0.0,
        ));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(ours: f64, theirs: f64) -> Runs {
        let run = |value: f64| {
            let figures: Figures = [CPU, BYTES, RATE, LATENCY, REQUESTS, "ok", "ops"]
                .into_iter()
                .map(|name| (name.to_owned(), value))
                .collect();
            PHASES
                .into_iter()
                .map(|phase| (phase.to_owned(), figures.clone()))
                .collect()
        };
        [("repute", vec![run(ours)]), (PEER, vec![run(theirs)])].into()
    }

    #[test]
    fn equal_figures_are_neither_ahead_nor_cheap_enough() {
        let report = |ours, theirs| {
            let rows = judged(&runs(ours, theirs));
            Report::new("dht", Count::Runs(1), rows)
        };
        let (equal, half) = (report(1.0, 1.0), report(1.0, 2.5));
        assert!(!equal.finish_in_check().unwrap_or(true));
        // Cheaper, but slower: only what shall be more fails.
        assert!(!half.finish_in_check().unwrap_or(true));
    }

    #[test]
    fn every_bar_is_of_a_phase_that_is_run() {
        assert!(
            BARS.iter()
                .all(|Bar(_, phase, _, _)| PHASES.contains(phase))
        );
    }
}
