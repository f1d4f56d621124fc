//! Drives the fuzz targets of `tests/fuzz`, which is a workspace of its own.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;

use crate::{
    process::{has_cargo, root},
    report::{Count, Report, Row},
};

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
    let mut targets: Vec<String> = std::fs::read_dir(&folder)
        .with_context(|| format!("no fuzz targets in {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .filter(|name| args.target.as_ref().is_none_or(|wanted| wanted == name))
        .collect();
    targets.sort_unstable();
    if targets.is_empty() {
        bail!(
            "there is no fuzz target {:?} in {}",
            args.target,
            folder.display()
        );
    }
    if !has_cargo("fuzz") {
        bail!("cargo-fuzz is not installed; install it with: cargo install cargo-fuzz --locked");
    }
    let nightly = has_nightly();
    let mut rows = Vec::new();
    for target in &targets {
        eprintln!("== {target}");
        rows.push(fuzz_one(target, args.seconds, nightly)?);
    }
    Report::new("fuzz", Count::Runs(targets.len() as u64), rows).finish(args.json)
}

fn has_nightly() -> bool {
    Command::new("rustup")
        .args(["toolchain", "list"])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("nightly"))
}

fn fuzz_one(target: &str, seconds: u64, nightly: bool) -> Result<Row> {
    let mut command = Command::new("cargo");
    if nightly {
        command.arg("+nightly");
    } else {
        // Coverage flags are unstable; a stable compiler takes them with this switch.
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    let limit = match seconds {
        0 => "-runs=0".to_owned(),
        seconds => format!("-max_total_time={seconds}"),
    };
    command.current_dir(root());
    command.args(["fuzz", "run", "--fuzz-dir", "tests/fuzz", target, "--"]);
    command.args([limit.as_str(), "-print_final_stats=1", "-rss_limit_mb=2048"]);
    let output = command
        .stdout(Stdio::null())
        .output()
        .context("could not start cargo fuzz")?;
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
}
