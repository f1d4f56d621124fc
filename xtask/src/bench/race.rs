//! The race: our nodes and the peers under the same load, in turns, judged as ratios.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{Plan, peers};
use crate::report::{Count, Report, Row, median};

pub(super) mod arena;
mod bars;
mod entrant;
pub(super) mod results;

use arena::Network;
use entrant::{ALL, Entrant};
use results::{Results, Run};

/// Nodes of the larger race.
const LARGE: u16 = 64;
/// The larger race is about rates and memory under load.
const LARGE_PHASES: &[&str] = &["closedall"];
/// Rounds of a record.
const ROUNDS: u16 = 3;

const PHASES: &[&str] = &[
    "idle",
    "paced",
    "burst1",
    "burstall",
    "closed1",
    "closedall",
];

/// How much is asked of each program.
struct Load {
    paced: u16,
    burst: u16,
    closed_s: u16,
    patience: Duration,
}

impl Load {
    fn of(plan: &Plan) -> Self {
        let (paced, burst, closed_s, patience) = if plan.quick {
            (60, 2_000, 2, 10)
        } else {
            (600, 2_000, 4, 60)
        };
        Self {
            paced,
            burst,
            closed_s,
            patience: Duration::from_secs(patience),
        }
    }

    fn arguments(&self, phases: &[&str]) -> Vec<String> {
        let pairs = [
            ("--phases", phases.join(",")),
            ("--paced-count", self.paced.to_string()),
            ("--m", self.burst.to_string()),
            ("--secs", self.closed_s.to_string()),
        ];
        let words = pairs.into_iter();
        words
            .flat_map(|(key, value)| [key.to_owned(), value])
            .collect()
    }
}

/// One network size of the race.
struct Course {
    nodes: u16,
    entrants: Vec<Entrant>,
    phases: Vec<&'static str>,
}

pub(super) fn run(plan: &Plan) -> Result<Report> {
    let entrants = entrant::chosen(&plan.only);
    if entrants.is_empty() {
        let names: Vec<_> = ALL.iter().map(|one| one.name).collect();
        bail!("--only names nobody; there are: {}", names.join(", "));
    }
    let phases: Vec<_> = PHASES
        .iter()
        .copied()
        .filter(|name| plan.wants(name))
        .collect();
    if phases.is_empty() {
        bail!("--phases names none; there are: {}", PHASES.join(", "));
    }
    let mut courses = vec![Course {
        nodes: plan.nodes,
        entrants: entrants.clone(),
        phases,
    }];
    if !plan.quick && plan.nodes != LARGE {
        courses.push(Course {
            nodes: LARGE,
            entrants: entrants.into_iter().filter(|one| one.large).collect(),
            phases: LARGE_PHASES
                .iter()
                .copied()
                .filter(|name| plan.wants(name))
                .collect(),
        });
    }
    courses.retain(|course| !course.entrants.is_empty() && !course.phases.is_empty());
    let rounds = plan.rounds.unwrap_or(if plan.quick { 1 } else { ROUNDS });
    peers::build()?;
    // Refused where nothing is durable; each run makes and removes its own inside.
    let stores = plan.stores()?;
    let network = Network::find();
    let load = Load::of(plan);
    let mut results = Results::default();
    for round in 0..rounds {
        for course in &courses {
            let mut order = course.entrants.clone();
            let turns = usize::from(round) % order.len().max(1);
            order.rotate_left(turns);
            for entrant in order {
                let mut args = entrant.arguments(course.nodes, u64::from(round) + 1);
                args.extend(load.arguments(&course.phases));
                if entrant.role == entrant::Role::Ours {
                    args.extend(["--dir".into(), stores.path().display().to_string()]);
                }
                let busy = arena::quiet(load.patience);
                let begun = Instant::now();
                eprint!(
                    "round {} of {rounds}, {} nodes, {}: ",
                    round + 1,
                    course.nodes,
                    entrant.name
                );
                let output = network.run(&peers::program(entrant.program), &args)?;
                keep(&output, round, course.nodes, entrant.name)?;
                let run = run_of(&output, entrant.name, course, round)?;
                eprintln!(
                    "{} deliveries/s closedall, {:.0} s, others {busy:.2} cores before, {:.2} during",
                    run.phases
                        .get("closedall")
                        .and_then(|figures| figures.get("del_per_s"))
                        .map_or("no".to_owned(), |rate| format!("{rate:.0}")),
                    begun.elapsed().as_secs_f64(),
                    disturbance(&run)
                );
                results.add(run);
            }
        }
    }
    report(&results, &courses, rounds, network, &stores)
}

/// The output of every run stays, for who wants to look closer.
fn keep(output: &str, round: u16, nodes: u16, name: &str) -> Result<()> {
    let name = name.replace(' ', "-");
    let path = peers::scratch().join(format!("{nodes}-{name}-{}.log", round + 1));
    std::fs::write(&path, output).with_context(|| format!("could not write {}", path.display()))
}

fn run_of(output: &str, entrant: &'static str, course: &Course, round: u16) -> Result<Run> {
    let run = Run {
        entrant,
        nodes: course.nodes,
        round,
        phases: results::parse(output).into_iter().collect(),
    };
    for phase in &course.phases {
        if !run.phases.contains_key(*phase) {
            bail!("{entrant} printed no figures of the phase {phase}:\n{output}");
        }
    }
    Ok(run)
}

/// The most that other programs used in any phase.
fn disturbance(run: &Run) -> f64 {
    let phases = run.phases.values();
    let others = phases.filter_map(|figures| figures.get("other_load").copied());
    others.fold(0.0, f64::max)
}

fn report(
    results: &Results,
    courses: &[Course],
    rounds: u16,
    network: Network,
    stores: &super::disk::Folder,
) -> Result<Report> {
    let (mut rows, mut preface) = (Vec::new(), String::new());
    for course in courses {
        for phase in &course.phases {
            figures(results, course, phase, &mut rows, &mut preface)?;
        }
    }
    let mut sizes = courses.iter().map(|course| course.nodes);
    let (nodes, large) = (sizes.next().unwrap_or(LARGE), sizes.next());
    let judged = bars::rows(results, nodes, large);
    if judged.is_empty() {
        eprintln!("nothing to judge: our node or its rivals were left out by --only or --phases");
    }
    rows.extend(judged);
    let disturbed = courses.iter().flat_map(|course| {
        let names = course.entrants.iter();
        names.filter_map(|one| results.highest(one.name, "other_load"))
    });
    rows.push(Row::plain(
        "used by other programs, at most",
        disturbed.fold(0.0, f64::max),
        "cores",
    ));
    let alone = f64::from(u8::from(network != Network::Shared));
    rows.push(Row::plain("each in a network of its own", alone, "yes"));
    rows.push(stores.row());
    Ok(Report::new("race", Count::Runs(rounds.into()), rows).with_preface(preface))
}

/// The columns of a table of figures: key, title, unit.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("del_per_s", "deliveries", "1/s"),
    ("cpu_us_per_del", "CPU per delivery", "µs"),
    ("lat_p50", "to each p50", "ms"),
    ("lat_p99", "to each p99", "ms"),
    ("last_p50", "to the last p50", "ms"),
    ("last_p99", "to the last p99", "ms"),
    ("recv_x", "copies", ""),
    ("wire_x", "bytes", ""),
    ("peak_rss_mib", "memory", "MiB"),
];
const IDLE_COLUMNS: &[(&str, &str, &str)] = &[
    ("cpu_cores", "CPU", "cores"),
    ("lo_bytes_per_s", "bytes", "1/s"),
    ("rss_mib", "memory", "MiB"),
];

/// All figures of a phase: rows of the object, and a table for people.
fn figures(
    results: &Results,
    course: &Course,
    phase: &str,
    rows: &mut Vec<Row>,
    text: &mut String,
) -> Result<()> {
    let columns = if phase == "idle" {
        IDLE_COLUMNS
    } else {
        COLUMNS
    };
    writeln!(text, "{phase}, {} nodes", course.nodes)?;
    write!(text, "  {:20}", "")?;
    for (_, title, unit) in columns {
        let title = format!("{title} {unit}");
        write!(text, " {:>22}", title.trim_end())?;
    }
    text.push('\n');
    for entrant in &course.entrants {
        write!(text, "  {:20}", entrant.name)?;
        for (key, title, unit) in columns {
            let values = results.each(entrant.name, course.nodes, phase, key);
            let values: Vec<f64> = values.into_iter().filter(|one| one.is_finite()).collect();
            write!(text, " {:>22}", shown(&values))?;
            if !values.is_empty() {
                let what = format!("{}, {} nodes: {phase} {title}", entrant.name, course.nodes);
                rows.push(Row::figure(&what, &values, unit));
            }
        }
        text.push('\n');
    }
    text.push('\n');
    Ok(())
}

/// The median, with the lowest and highest if there are several.
fn shown(values: &[f64]) -> String {
    let Some(middle) = median(values) else {
        return "-".into();
    };
    let short = |value: f64| match value.abs() {
        size if size >= 1_000.0 => format!("{:.1}k", value / 1_000.0),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    };
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if values.len() == 1 {
        return short(middle);
    }
    format!("{} [{}..{}]", short(middle), short(low), short(high))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn run(entrant: &'static str, round: u16, rate: f64, lost: f64) -> Run {
        let figures = BTreeMap::from([
            ("del_per_s".to_owned(), rate),
            ("loss_pct".to_owned(), lost),
        ]);
        Run {
            entrant,
            nodes: 16,
            round,
            phases: BTreeMap::from([("closedall".to_owned(), figures)]),
        }
    }

    fn judged(results: &Results, what: &str) -> serde_json::Value {
        let rows = bars::rows(results, 16, None);
        let rows = serde_json::to_value(rows).unwrap();
        let found = rows
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["what"] == what);
        found.cloned().unwrap_or_default()
    }

    #[test]
    fn a_ratio_is_to_the_best_rival_of_its_round_and_the_median_is_judged() {
        let mut results = Results::default();
        for (round, [ours, tuned, signed]) in
            [[40.0, 10.0, 8.0], [50.0, 9.0, 10.0], [20.0, 10.0, 1.0]]
                .into_iter()
                .enumerate()
        {
            let round = u16::try_from(round).unwrap();
            results.add(run(entrant::OURS, round, ours, 0.0));
            results.add(run(entrant::TUNED, round, tuned, 0.0));
            results.add(run(entrant::IROH_SIGNED, round, signed, 0.0));
            // Unsigned peers are nobody's better.
            results.add(run(entrant::IROH, round, 1_000.0, 0.0));
        }
        let row = judged(&results, "repute: closedall deliveries");
        assert_eq!(row["value"], 4.0);
        assert_eq!(row["pass"], true);
        assert_eq!([&row["min"], &row["max"]], [2.0, 5.0]);
        assert_eq!(row["peer"], "the better");
        assert_eq!(
            judged(&results, "repute: closed1 deliveries"),
            serde_json::Value::Null
        );
    }

    #[test]
    fn a_loss_in_any_round_fails() {
        let mut results = Results::default();
        results.add(run(entrant::OURS, 0, 1.0, 0.0));
        results.add(run(entrant::OURS, 1, 1.0, 0.5));
        assert_eq!(judged(&results, "repute: lost deliveries")["pass"], false);
    }

    #[test]
    fn figures_are_shown_with_their_spread() {
        assert_eq!(shown(&[]), "-");
        assert_eq!(shown(&[0.25]), "0.250");
        assert_eq!(shown(&[12_345.0, 99.0, 150.0]), "150 [99.0..12.3k]");
    }
}
