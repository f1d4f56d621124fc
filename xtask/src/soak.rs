//! All tiers with fresh seeds, for hours: stops at the first failure, and keeps count.

use std::{
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use repute_tests::scenario::{self, Scenario};

use crate::{
    fuzz,
    process::{cargo, root},
    report::{Count, Report, Row},
    sim::{self, network},
};

mod counts;

use counts::Counts;

/// Set by Ctrl-C: what runs comes to its end, and nothing new begins.
static STOP: AtomicBool = AtomicBool::new(false);

/// Seeds of one scenario in one step.
const SEEDS: u64 = 4;
/// Every so many rounds the scenarios run at their full size.
const FULL_EVERY: u64 = 4;
/// How long a fuzz target runs in one step.
const FUZZ_SECONDS: u64 = 30;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// For how long, in hours or parts of one; 0 prints what was counted so far.
    #[arg(long)]
    hours: f64,
    /// The first seed, to run the same ones again; from the clock if none is given.
    #[arg(long)]
    first_seed: Option<u64>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// One thing to do, a few minutes at most.
enum Step {
    Simulate(&'static Scenario),
    /// The next fuzz target.
    Fuzz,
    /// A test at its full size, by an environment variable.
    Test(&'static Full),
    /// Real processes.
    Processes,
}

/// A test that takes its size from the environment.
struct Full {
    what: &'static str,
    package: &'static str,
    test: &'static str,
    filter: &'static str,
    variable: &'static str,
    size: u64,
    /// What its size counts.
    counts: usize,
}

const FULL: [Full; 6] = [
    Full {
        what: "R01 kills",
        package: "repute-storage",
        test: "r01_kill",
        filter: "r01_every_acknowledged_record_survives_a_kill_anywhere",
        variable: "REPUTE_R01_KILLS",
        size: 1_000,
        counts: counts::KILLS,
    },
    Full {
        what: "R04 mutations",
        package: "repute-storage",
        test: "r04_corruption",
        filter: "r04_a_damaged_file_serves_the_truth_or_nothing",
        variable: "REPUTE_R04_MUTATIONS",
        size: 10_000,
        counts: counts::CASES,
    },
    Full {
        what: "R06 clock jumps",
        package: "repute-trust",
        test: "fold",
        filter: "r06",
        variable: "PROPTEST_CASES",
        size: 100_000,
        counts: counts::CASES,
    },
    Full {
        what: "R06 lists of inputs of gossip",
        package: "repute-gossip",
        test: "robustness",
        filter: "",
        variable: "PROPTEST_CASES",
        size: 20_000,
        counts: counts::CASES,
    },
    Full {
        what: "R06 lists of inputs of peers",
        package: "repute-peers",
        test: "policy",
        filter: "any_sequence_of_inputs_keeps_every_invariant",
        variable: "PROPTEST_CASES",
        size: 20_000,
        counts: counts::CASES,
    },
    Full {
        what: "R22 lists of operations",
        package: "repute-tests",
        test: "operations",
        filter: "r22",
        variable: "PROPTEST_CASES",
        size: 5_000,
        counts: counts::CASES,
    },
];

pub(crate) fn run(args: &Args) -> Result<bool> {
    let before = Counts::read()?;
    if args.hours <= 0.0 {
        let rows = before.rows("");
        return Report::new("soak", Count::Runs(before.of(counts::RUNS) as u64), rows)
            .finish(args.json);
    }
    if cfg!(debug_assertions) {
        return sim::in_release();
    }
    watch_for_ctrl_c()?;
    let clock = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let first_seed = args.first_seed.unwrap_or(clock);
    eprintln!(
        "soaking for {} h from seed {first_seed}; Ctrl-C ends it with what was counted kept",
        args.hours
    );
    let mut soak = Soak {
        counts: Counts::default(),
        before,
        begun: Instant::now(),
        seed: first_seed,
        fuzz: None,
        turn: clock as usize,
    };
    let end = Duration::from_secs_f64(args.hours * 3_600.0);
    let failure = soak.rounds(end)?;
    if let Some(failure) = &failure {
        eprintln!("stopped: {failure}");
    }
    let mut rows = soak.counts.rows("");
    rows.extend(soak.total().rows(" in all"));
    let failures = f64::from(u8::from(failure.is_some()));
    rows.push(Row::exactly("failures", failures, "failures", 0.0));
    let runs = soak.counts.of(counts::RUNS) as u64;
    Report::new("soak", Count::Runs(runs), rows).finish(args.json)
}

fn watch_for_ctrl_c() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::spawn(move || {
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            eprintln!("ending once what runs has come to its end");
            STOP.store(true, Ordering::Relaxed);
        }
    });
    Ok(())
}

/// A soak under way.
struct Soak {
    /// Of this soak.
    counts: Counts,
    /// Of all soaks before.
    before: Counts,
    begun: Instant,
    /// The next one.
    seed: u64,
    /// Where the fuzz targets are, once they are built, and which there are.
    fuzz: Option<(PathBuf, Vec<String>)>,
    /// Whose turn it is among the fuzz targets.
    turn: usize,
}

impl Soak {
    /// Goes on until the time is over; how the first failure is replayed, if there is one.
    fn rounds(&mut self, end: Duration) -> Result<Option<String>> {
        for round in 0_u64.. {
            for step in steps() {
                if self.begun.elapsed() >= end || STOP.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                let failure = self.step(&step, round % FULL_EVERY == FULL_EVERY - 1)?;
                self.counts
                    .set(counts::WALL, self.begun.elapsed().as_secs_f64() / 3_600.0);
                self.total().write()?;
                // Ctrl-C reaches the programs that a step started as well.
                if failure.is_some() && !STOP.load(Ordering::Relaxed) {
                    return Ok(failure);
                }
            }
            eprintln!("round {round} is over");
        }
        Ok(None)
    }

    fn total(&self) -> Counts {
        self.before.plus(&self.counts)
    }

    fn step(&mut self, step: &Step, full: bool) -> Result<Option<String>> {
        match step {
            Step::Simulate(scenario) => Ok(self.simulate(scenario, full)),
            Step::Fuzz => self.fuzz_next(),
            Step::Test(test) => self.test(test),
            Step::Processes => self.processes(),
        }
    }

    fn simulate(&mut self, scenario: &Scenario, full: bool) -> Option<String> {
        let nodes = if full {
            scenario.full_nodes
        } else {
            scenario.nodes
        };
        let seeds = self.seed..self.seed + SEEDS;
        self.seed = seeds.end;
        let outcomes = network::outcomes_until(scenario, nodes, seeds, &STOP);
        let mut failure = None;
        for (seed, outcome) in outcomes {
            let hours = outcome.tally.simulated.as_secs_f64() / 3_600.0;
            self.counts.add(counts::SIMULATED, hours);
            self.counts.add(counts::RUNS, 1.0);
            self.counts.add(counts::KILLS, outcome.tally.crashes as f64);
            self.counts
                .add(counts::DELIVERIES, outcome.tally.deliveries as f64);
            if !outcome.failures().is_empty() {
                failure.get_or_insert_with(|| sim::replay_command(scenario.name, nodes, seed));
            }
        }
        failure
    }

    fn fuzz_next(&mut self) -> Result<Option<String>> {
        let (folder, targets) = match &self.fuzz {
            Some(built) => built,
            None => self.fuzz.insert((fuzz::build(None)?, fuzz::targets()?)),
        };
        let Some(target) = targets.get(self.turn % targets.len().max(1)) else {
            return Ok(None);
        };
        self.turn = self.turn.wrapping_add(1);
        eprintln!("fuzz {target} for {FUZZ_SECONDS} s");
        let fuzzed = fuzz::fuzz_one(target, folder, FUZZ_SECONDS)?;
        self.counts.add(counts::FUZZ, fuzzed.runs);
        Ok(fuzzed.crash)
    }

    fn test(&mut self, full: &Full) -> Result<Option<String>> {
        eprintln!("{}: {}", full.what, full.size);
        let Full {
            package,
            test,
            filter,
            variable,
            size,
            ..
        } = full;
        let mut command = cargo();
        let words = [
            "test",
            "--quiet",
            "--release",
            "-p",
            package,
            "--test",
            test,
        ];
        command
            .args(words)
            .args([filter])
            .env(variable, size.to_string());
        let output = command
            .stdin(Stdio::null())
            .output()
            .context("could not start cargo")?;
        if output.status.success() {
            self.counts.add(full.counts, *size as f64);
            return Ok(None);
        }
        eprintln!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(Some(format!(
            "{variable}={size} cargo test --release -p {package} --test {test} {filter}"
        )))
    }

    /// The scenarios of real processes, in a process of their own: their talk is not this report.
    fn processes(&mut self) -> Result<Option<String>> {
        eprintln!("scenarios of real processes");
        let status = std::process::Command::new(std::env::current_exe()?)
            .args(["scenario", "all", "--json"])
            .current_dir(root())
            .stdout(Stdio::null())
            .status()?;
        self.counts.add(counts::PROCESSES, 1.0);
        Ok((!status.success()).then(|| "cargo xtask scenario all".into()))
    }
}

/// One round: every scenario, a fuzz target after each, then the rest.
fn steps() -> Vec<Step> {
    let mut steps = Vec::new();
    for scenario in scenario::ALL {
        steps.push(Step::Simulate(scenario));
        steps.push(Step::Fuzz);
    }
    steps.extend(FULL.iter().map(Step::Test));
    steps.push(Step::Processes);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_holds_every_scenario_every_full_size_and_processes() {
        let steps = steps();
        let of = |wanted: fn(&Step) -> bool| steps.iter().filter(|step| wanted(step)).count();
        assert_eq!(
            of(|step| matches!(step, Step::Simulate(_))),
            scenario::ALL.len()
        );
        assert_eq!(of(|step| matches!(step, Step::Test(_))), FULL.len());
        assert_eq!(of(|step| matches!(step, Step::Processes)), 1);
        assert!(FULL.iter().all(|full| full.counts < counts::COUNTED.len()));
    }

    #[test]
    fn the_tests_of_full_size_exist_under_the_names_they_are_called_by() {
        for full in &FULL {
            let folder = full.package.trim_start_matches("repute-");
            let home = if folder == "tests" {
                root().join("tests")
            } else {
                root().join("crates").join(folder)
            };
            let file = home.join("tests").join(format!("{}.rs", full.test));
            let source = std::fs::read_to_string(&file).expect("the test is there");
            assert!(source.contains(full.filter), "{}", file.display());
        }
    }
}
