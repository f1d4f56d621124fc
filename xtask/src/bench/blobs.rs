//! Files: our streams and nodes against raw quinn and iroh-blobs, in turns, and what they must bear.

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

const RAW: &str = "raw quinn with BLAKE3";
const IROH: &str = "iroh-blobs";
const RATE: &str = "fetch_mib_s";
/// What the program that drives raw quinn calls its rate.
const RAW_RATE: &str = "mib_s";
/// Rounds against the peers from memory to memory: as many as iroh-blobs' best is taken of.
const ROUNDS: u16 = 8;
/// Rounds of everything that takes longer.
const LONG_ROUNDS: u16 = 3;
/// What four sources send together at most, in MiB/s.
const CAPPED: f64 = 124.0;
/// What serving a hundred transfers may take, in MiB.
const SERVING_MIB: f64 = 256.0;
/// How much more a file four times as large may take: allocation is not exact.
const SIZE_FACTOR: f64 = 1.25;
/// What sharing and verifying may add to a process, in MiB, however large the file is.
const SPARSE_MIB: f64 = 32.0;

/// One who runs: the name of its figures, the program, what the program calls it, its arguments.
struct Entrant {
    name: &'static str,
    program: &'static str,
    phase: &'static str,
    args: &'static [&'static str],
    /// Whether it is told where its stores lie.
    on_disk: bool,
    long: bool,
}

const OURS: &str = "memory";
const OURS_FRESH: &str = "memory, fresh";
const OURS_SMALL: &str = "memory, 1,452 bytes";
const IROH_MEMORY: &str = "iroh-blobs, memory";
const OURS_DISK: &str = "disk";
const IROH_DISK: &str = "iroh-blobs, disk";
const SOURCES: &str = "four sources";
const SERVING: &str = "serving";
const SERVING_LARGE: &str = "serving, four times as large";
const SPARSE: &str = "sparse";

const fn short(
    name: &'static str,
    program: &'static str,
    phase: &'static str,
    args: &'static [&'static str],
) -> Entrant {
    Entrant {
        name,
        program,
        phase,
        args,
        on_disk: false,
        long: false,
    }
}

const fn long(name: &'static str, phase: &'static str, args: &'static [&'static str]) -> Entrant {
    Entrant {
        name,
        program: "repute-blobs",
        phase,
        args,
        on_disk: true,
        long: true,
    }
}

const MEMORY_PHASE: &str = "repute-blobs-memory";
const IROH_PHASE: &str = "iroh-blobs";
const SERVING_PHASE: &str = "repute-blobs-serving";

const ENTRANTS: [Entrant; 11] = [
    short(OURS, "repute-blobs-memory", MEMORY_PHASE, &[]),
    short(
        RAW,
        "bulk",
        "quinn-default-blake3-inline",
        &["--only", "quinn-default-blake3-inline"],
    ),
    short(IROH_MEMORY, "iroh-blobs", IROH_PHASE, &["--store", "mem"]),
    short(
        OURS_FRESH,
        "repute-blobs-memory",
        MEMORY_PHASE,
        &["--fresh"],
    ),
    short(
        OURS_SMALL,
        "repute-blobs-memory",
        MEMORY_PHASE,
        &["--payload", "1452"],
    ),
    long(OURS_DISK, "repute-blobs-disk", &["--what", "disk"]),
    Entrant {
        program: "iroh-blobs",
        ..long(IROH_DISK, IROH_PHASE, &["--store", "fs"])
    },
    long(SOURCES, "repute-blobs-sources", &["--what", "sources"]),
    long(SERVING, SERVING_PHASE, &["--what", "serving"]),
    long(SERVING_LARGE, SERVING_PHASE, &["--what", "serving"]),
    long(SPARSE, "repute-blobs-sparse", &["--what", "sparse"]),
];

impl Entrant {
    /// How many MiB it moves, or looks at.
    fn mib(&self, is_quick: bool) -> u64 {
        match (self.name, is_quick) {
            (SOURCES, false) => 1_024,
            (SERVING, _) => 8,
            (SERVING_LARGE, _) => 32,
            (SPARSE, false) => 100 * 1_024,
            (SPARSE, true) => 4 * 1_024,
            (_, false) => 256,
            (_, true) => 128,
        }
    }

    /// How often it runs: what only tells memory once, as memory hardly varies.
    fn rounds(&self, rounds: u16) -> u16 {
        match self.name {
            SERVING | SERVING_LARGE | SPARSE => 1,
            _ if self.long => rounds.min(LONG_ROUNDS),
            _ => rounds,
        }
    }
}

/// The figures of each run, by entrant, in the order of the rounds.
type Runs = BTreeMap<&'static str, Vec<Figures>>;

pub(super) fn run(plan: &Plan) -> Result<Report> {
    let rounds = plan.rounds.unwrap_or(if plan.quick { 1 } else { ROUNDS });
    peers::build()?;
    let stores = plan.stores()?;
    let network = Network::find();
    let patience = Duration::from_secs(if plan.quick { 5 } else { 30 });
    let mut runs = Runs::new();
    for round in 0..rounds {
        let busy = quiet(patience);
        eprintln!("round {} of {rounds}, others {busy:.2} cores", round + 1);
        let mut order: Vec<&Entrant> = ENTRANTS
            .iter()
            .filter(|one| round < one.rounds(rounds) && plan.admits(one.name))
            .collect();
        let turn = usize::from(round) % order.len().max(1);
        order.rotate_left(turn);
        for one in order {
            let mut args = vec!["--runs".to_owned(), "1".to_owned()];
            args.extend(["--mib".into(), one.mib(plan.quick).to_string()]);
            args.extend(["--seed".into(), (11 + round).to_string()]);
            args.extend(one.args.iter().map(|word| (*word).to_owned()));
            if one.on_disk {
                let folder = stores.path().join(one.program);
                std::fs::create_dir_all(&folder)?;
                args.extend(["--dir".into(), folder.display().to_string()]);
            }
            let begun = Instant::now();
            let output = network.run(&peers::program(one.program), &args)?;
            let name = one.name.replace([' ', ','], "-");
            let path = peers::scratch().join(format!("blobs-{name}-{}.log", round + 1));
            std::fs::write(&path, &output)
                .with_context(|| format!("could not write {}", path.display()))?;
            let phases = parse(&output);
            let found = phases.into_iter().find(|(phase, _)| phase == one.phase);
            let Some((_, figures)) = found else {
                bail!(
                    "{} printed no figures of {}:\n{output}",
                    one.name,
                    one.phase
                );
            };
            eprintln!("  {}: {:.0} s", one.name, begun.elapsed().as_secs_f64());
            runs.entry(one.name).or_default().push(figures);
        }
    }
    let mut rows = Vec::new();
    let preface = figures(&runs, &mut rows);
    rows.extend(judged(&runs));
    let load = runs.values().flatten();
    let load = load.filter_map(|figures| figures.get("other_load").copied());
    rows.push(Row::plain(
        "used by other programs, at most",
        load.fold(0.0, f64::max),
        "cores",
    ));
    rows.push(stores.row());
    Ok(Report::new("blobs", Count::Runs(rounds.into()), rows).with_preface(preface))
}

fn each(runs: &Runs, name: &str, figure: &str) -> Vec<f64> {
    let all = runs.get(name).into_iter().flatten();
    all.filter_map(|run| run.get(figure).copied()).collect()
}

fn rates(runs: &Runs, name: &str) -> Vec<f64> {
    each(runs, name, if name == RAW { RAW_RATE } else { RATE })
}

/// Ours over theirs, round by round.
fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    let pairs = ours.iter().zip(theirs);
    pairs.map(|(ours, theirs)| ours / theirs).collect()
}

/// All rates: rows of the object, and a table for people.
fn figures(runs: &Runs, rows: &mut Vec<Row>) -> String {
    let mut text = format!("{:34} {:>8} {:>8}\n", "", "MiB/s", "CPU s");
    for one in &ENTRANTS {
        let (rates, cpu) = (rates(runs, one.name), each(runs, one.name, "cpu_s"));
        let (Some(rate), Some(seconds)) = (median(&rates), median(&cpu)) else {
            continue;
        };
        let _ = writeln!(text, "  {:32} {rate:>8.0} {seconds:>8.2}", one.name);
        rows.push(Row::figure(&format!("{}: rate", one.name), &rates, "MiB/s"));
        rows.push(Row::figure(&format!("{}: CPU", one.name), &cpu, "s"));
    }
    text + "\n"
}

fn judged(runs: &Runs) -> Vec<Row> {
    let mut rows = Vec::new();
    let rate = |name: &str| rates(runs, name);
    let mut against = |what: &str, ours: &str, theirs: &str, peer: &str, bar: Option<f64>| {
        let (ours, theirs) = (rate(ours), rate(theirs));
        let all = ratios(&ours, &theirs);
        if let Some(value) = median(&all) {
            let row = match bar {
                Some(bar) => Row::at_least(what, value, "x", bar),
                None => Row::plain(what, value, "x"),
            };
            rows.push(row.against(peer, &all));
        }
    };
    let memory = "single source, memory to memory (transport and streams)";
    // Our nodes send larger datagrams on loopback. Beside raw quinn, which could too, that would
    // be no merit of the streams.
    let small = "single source, memory to memory, datagrams of 1,452 bytes on both sides";
    against(small, OURS_SMALL, RAW, RAW, Some(0.9));
    against(small, OURS_SMALL, IROH_MEMORY, IROH, None);
    against(memory, OURS, RAW, RAW, None);
    against(memory, OURS, IROH_MEMORY, IROH, Some(2.5));
    let fresh = "the same into memory that is new";
    against(fresh, OURS_FRESH, RAW, RAW, None);
    against(fresh, OURS_FRESH, IROH_MEMORY, IROH, None);
    let disk = "single source, disk to disk (whole nodes)";
    against(disk, OURS_DISK, IROH_DISK, IROH, Some(2.0));
    let best = rate(IROH_MEMORY).into_iter().reduce(f64::max);
    if let (Some(ours), Some(best)) = (median(&rate(OURS)), best) {
        let what = format!("{memory}, to the peer's best");
        let all: Vec<f64> = rate(OURS).iter().map(|rate| rate / best).collect();
        rows.push(Row::at_least(&what, ours / best, "x", 1.5).against(IROH, &all));
    }
    rows.extend(borne(runs));
    rows
}

/// What is held against no peer.
fn borne(runs: &Runs) -> Vec<Row> {
    let mut rows = Vec::new();
    let shares: Vec<f64> = each(runs, SOURCES, RATE)
        .iter()
        .map(|rate| rate / CAPPED)
        .collect();
    if let Some(value) = median(&shares) {
        let what = "four sources of 40, 40, 40 and 4 MiB/s (whole nodes), of 124";
        rows.push(Row::at_least(what, value, "x", 0.9).over(&shares));
    }
    let peak = |name: &str| median(&each(runs, name, "server_peak_mib"));
    if let Some(peak) = peak(SERVING) {
        let what = "memory while serving 100 transfers (a whole node)";
        rows.push(Row::at_most(what, peak, "MiB", SERVING_MIB));
    }
    if let (Some(small), Some(large)) = (peak(SERVING), peak(SERVING_LARGE)) {
        let what = "the same, of a file four times as large";
        rows.push(Row::at_most(what, large, "MiB", SERVING_MIB));
        let what = "memory for four times the file";
        rows.push(Row::at_most(what, large / small, "x", SIZE_FACTOR));
    }
    let sparse = |figure: &str| median(&each(runs, SPARSE, figure));
    if let (Some(peak), Some(before)) = (sparse("peak_rss_mib"), sparse("rss_before_mib")) {
        let gib = sparse("mib").unwrap_or(f64::NAN) / 1_024.0;
        let what = format!("{gib:.0} GiB sparse file shared and verified (a whole node): memory");
        rows.push(Row::at_most(&what, peak - before, "MiB", SPARSE_MIB));
    }
    for (what, figure) in [("shared", "share_mib_s"), ("verified", "verify_mib_s")] {
        if let Some(rate) = sparse(figure) {
            let what = format!("sparse file {what}");
            rows.push(Row::plain(&what, rate, "MiB/s"));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, figure: &str, values: &[f64]) -> (&'static str, Vec<Figures>) {
        let of = |value: &f64| Figures::from([(figure.to_owned(), *value)]);
        (name, values.iter().map(of).collect())
    }

    #[test]
    fn raw_quinn_is_judged_by_the_rate_it_prints() {
        let runs: Runs = [
            with(OURS_SMALL, RATE, &[450.0]),
            with(RAW, RAW_RATE, &[500.0]),
        ]
        .into();
        let rows = serde_json::to_value(judged(&runs)).unwrap();
        assert_eq!(
            (&rows[0]["value"], &rows[0]["pass"]),
            (&0.9.into(), &true.into())
        );
    }

    #[test]
    fn a_rate_is_held_against_the_same_round_and_the_peers_best() {
        let runs: Runs = [
            with(OURS, RATE, &[300.0, 600.0]),
            with(IROH_MEMORY, RATE, &[100.0, 300.0]),
        ]
        .into();
        let rows = serde_json::to_value(judged(&runs)).unwrap();
        assert_eq!(
            (&rows[0]["median"], &rows[0]["pass"]),
            (&2.5.into(), &true.into())
        );
        assert_eq!(
            (&rows[1]["value"], &rows[1]["pass"]),
            (&1.5.into(), &true.into())
        );
    }

    #[test]
    fn memory_that_grows_with_the_file_does_not_pass() {
        let report = |large| {
            let runs: Runs = [
                with(SERVING, "server_peak_mib", &[40.0]),
                with(SERVING_LARGE, "server_peak_mib", &[large]),
            ]
            .into();
            Report::new("blobs", Count::Runs(1), judged(&runs))
        };
        let ok = |report| serde_json::to_value::<Report>(report).unwrap()["ok"] == true;
        assert!(ok(report(44.0)));
        assert!(!ok(report(80.0)));
    }
}
