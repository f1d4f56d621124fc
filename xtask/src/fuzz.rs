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
    /// One target; all of them if none is named.
    target: Option<String>,
    /// How long each target runs; zero runs its corpus only.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let folder = root().join("tests/fuzz/fuzz_targets");
    let mut known: Vec<String> = std::fs::read_dir(&folder)
        .with_context(|| format!("no fuzz targets in {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    known.sort_unstable();
    let targets: Vec<String> = match &args.target {
        Some(wanted) if !known.contains(wanted) => {
            bail!(
                "there is no fuzz target {wanted:?}; there are {}",
                known.join(", ")
            );
        }
        Some(wanted) => vec![wanted.clone()],
        None => known,
    };
    let folder = build(args.target.as_deref())?;
    let mut rows = Vec::new();
    for target in &targets {
        eprintln!("== {target}");
        rows.push(fuzz_one(target, &folder.join(target), args.seconds)?);
    }
    Report::new("fuzz", Count::Runs(targets.len() as u64), rows).finish(args.json)
}

/// Builds one target or all; where they are.
fn build(target: Option<&str>) -> Result<PathBuf> {
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

fn fuzz_one(target: &str, binary: &std::path::Path, seconds: u64) -> Result<Row> {
    let home = root().join("tests/fuzz");
    let (corpus, found) = (home.join("corpus").join(target), home.join("artifacts"));
    for folder in [&corpus, &found] {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
    }
    let mut command = Command::new(binary);
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
    if !output.status.success() {
        eprintln!("{talk}");
        return Ok(Row::exactly(
            &format!("{target} crashes"),
            1.0,
            "crashes",
            0.0,
        ));
    }
    Ok(Row::at_least(target, runs(&talk), "runs", 1.0))
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
    fn the_compiler_names_this_machine() {
        assert!(super::host().is_ok_and(|host| host.contains('-')));
    }
}
