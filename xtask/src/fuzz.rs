//! Drives the fuzz targets of `tests/fuzz`, which is a workspace of its own.
//!
//! The targets are built by cargo alone, with the coverage that libFuzzer needs, so that nothing
//! has to be installed. Coverage flags are unstable: a nightly compiler takes them as they are, a
//! stable one with its bootstrap switch.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;

use crate::{
    process::root,
    report::{Count, Report, Row},
};

/// What makes the compiler count the edges that an input takes.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module \
     -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
     -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares";
/// Longer inputs find nothing that shorter ones do not.
const INPUT_LEN_MAX: usize = 4_096;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// One target, or `list`; all of them if none is named.
    target: Option<String>,
    /// How long each target runs; zero runs its corpus only.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let known = targets()?;
    let targets: Vec<String> = match args.target.as_deref() {
        Some("list") => return list(&known, args.json),
        Some(wanted) if !known.iter().any(|one| one == wanted) => {
            bail!(
                "there is no fuzz target {wanted:?}; there are {}",
                known.join(", ")
            );
        }
        Some(wanted) => vec![wanted.to_owned()],
        None => known,
    };
    let folder = build(args.target.as_deref())?;
    let mut rows = Vec::new();
    let mut sum = 0.0;
    for target in &targets {
        eprintln!("== {target}");
        let fuzzed = fuzz_one(target, &folder, args.seconds)?;
        sum += fuzzed.runs;
        rows.push(match &fuzzed.crash {
            None => Row::at_least(target, fuzzed.runs, "runs", 1.0),
            Some(again) => {
                eprintln!("{target} found something; see it again with\n  {again}");
                Row::exactly(&format!("{target} crashes"), 1.0, "crashes", 0.0)
            }
        });
    }
    rows.push(Row::plain("runs in all", sum, "runs"));
    Report::new("fuzz", Count::Runs(targets.len() as u64), rows).finish(args.json)
}

/// Every target, by name.
pub(crate) fn targets() -> Result<Vec<String>> {
    let folder = root().join("tests/fuzz/fuzz_targets");
    let mut known: Vec<String> = std::fs::read_dir(&folder)
        .with_context(|| format!("no fuzz targets in {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    known.sort_unstable();
    Ok(known)
}

/// Prints every target with the size of its committed corpus.
fn list(known: &[String], json: bool) -> Result<bool> {
    let mut rows = Vec::new();
    for target in known {
        let corpus = root().join("tests/fuzz/corpus").join(target);
        let files = std::fs::read_dir(&corpus).map_or(0, Iterator::count);
        rows.push(Row::at_least(target, files as f64, "inputs", 1.0));
    }
    Report::new("fuzz list", Count::Runs(known.len() as u64), rows).finish(json)
}

/// Builds one target or all; where they are.
pub(crate) fn build(target: Option<&str>) -> Result<PathBuf> {
    let host = host()?;
    let home = root().join("tests/fuzz");
    let mut command = Command::new("cargo");
    // Unset, so that the override file of this folder decides and not what runs this task.
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    command
        .current_dir(&home)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", COVERAGE)
        .args(["build", "--release", "--target", &host, "--target-dir"])
        .arg(home.join("target"));
    match target {
        Some(target) => command.args(["--bin", target]),
        None => command.arg("--bins"),
    };
    // Talk belongs on stderr; stdout is the report's.
    let status = command
        .stdout(Stdio::null())
        .status()
        .context("could not start cargo")?;
    if !status.success() {
        bail!(
            "the fuzz targets did not build: they need a compiler that takes coverage flags \
             (rustc 1.95.0 does) and a C++ compiler for libFuzzer (as in: apt-get install g++)"
        );
    }
    Ok(home.join("target").join(host).join("release"))
}

/// The triple of this machine; given explicitly, so that build scripts are built without coverage.
fn host() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .context("could not start rustc")?;
    let talk = String::from_utf8_lossy(&output.stdout).into_owned();
    talk.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc -vV names no host")
}

/// What came of one target.
pub(crate) struct Fuzzed {
    /// Inputs that were run.
    pub(crate) runs: f64,
    /// How to see again what was found.
    pub(crate) crash: Option<String>,
}

/// Runs one target of those in `folder` for some seconds; over its corpus alone for none.
pub(crate) fn fuzz_one(target: &str, folder: &std::path::Path, seconds: u64) -> Result<Fuzzed> {
    let home = root().join("tests/fuzz");
    let binary = folder.join(target);
    let (corpus, found) = (home.join("corpus").join(target), home.join("artifacts"));
    for folder in [&corpus, &found] {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
    }
    let mut command = Command::new(&binary);
    match seconds {
        0 => command.arg("-runs=0"),
        seconds => command.arg(format!("-max_total_time={seconds}")),
    };
    command
        .arg(&corpus)
        .arg(format!("-max_len={INPUT_LEN_MAX}"))
        .args(["-print_final_stats=1", "-rss_limit_mb=2048", "-timeout=10"])
        .arg(format!("-artifact_prefix={}/{target}-", found.display()))
        .current_dir(&home);
    let output = command
        .stdout(Stdio::null())
        .output()
        .with_context(|| format!("could not start {}", binary.display()))?;
    let talk = String::from_utf8_lossy(&output.stderr);
    let crash = (!output.status.success()).then(|| {
        eprintln!("{talk}");
        format!("{} {}", binary.display(), artifact(&talk))
    });
    let runs = runs(&talk);
    Ok(Fuzzed { runs, crash })
}

/// Where libFuzzer says it put the input that broke something.
fn artifact(talk: &str) -> &str {
    let written = talk
        .lines()
        .find_map(|line| line.split_once("Test unit written to "));
    written.map_or("", |(_, path)| path.trim())
}

/// How many inputs libFuzzer says it ran.
fn runs(talk: &str) -> f64 {
    let count = talk
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    count
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_number_of_runs_is_read_from_the_final_statistics() {
        let talk = "Done 12 runs\nstat::number_of_executed_units: 1234\nstat::average_exec: 1\n";
        assert_eq!(super::runs(talk), 1_234.0);
        assert_eq!(super::runs("nothing"), 0.0);
    }

    #[test]
    fn the_input_that_broke_something_is_named() {
        let talk = "artifact_prefix='x-'; Test unit written to /a/x-crash-1\nBase64: AA==\n";
        assert_eq!(super::artifact(talk), "/a/x-crash-1");
    }

    #[test]
    fn the_compiler_names_this_machine() {
        assert!(super::host().is_ok_and(|host| host.contains('-')));
    }
}
