//! The guard against slower code: instructions of a fixed load, counted by callgrind and compared
//! with a committed figure. Unlike time, they hardly depend on what else the machine does.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::Plan;
use crate::{
    process::{cargo, output, root, succeed},
    report::{Count, Report, Row},
};

/// Beyond this share of the baseline, a change must say why, by renewing it.
const MORE_MAX: f64 = 1.05;
/// Below this share, the baseline guards nothing and wants to be renewed.
const LESS_WORTH_NOTING: f64 = 0.95;
/// The function whose instructions count, with all it calls.
const COUNTED: &str = "*parts::relay*";
const WHAT: &str = "instructions of 200 messages decoded and relayed";

const HEAD: &str = "# Instructions of the guarded load (xtask/parts). Renew, when a change is meant to cost or to\n\
                    # save: cargo xtask bench guard --renew\n";

/// The committed file.
#[derive(Debug, Default, Deserialize, Serialize, PartialEq)]
struct Baselines {
    #[serde(default)]
    baseline: Vec<Baseline>,
}

/// What one kind of machine counts.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
struct Baseline {
    #[serde(flatten)]
    machine: Machine,
    instructions: u64,
}

/// What the count depends on.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
struct Machine {
    target: String,
    rustc: String,
    /// Hashing and copying choose their code by it.
    avx2: bool,
}

impl Baselines {
    fn read(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error).context(path.display().to_string()),
        };
        toml::from_str(&text)
            .with_context(|| format!("{} cannot be read; renew it with --renew", path.display()))
    }

    fn of(&self, machine: &Machine) -> Option<u64> {
        let mut found = self.baseline.iter();
        Some(found.find(|one| one.machine == *machine)?.instructions)
    }

    fn renew(&mut self, machine: Machine, instructions: u64) {
        self.baseline.retain(|one| one.machine != machine);
        self.baseline.push(Baseline {
            machine,
            instructions,
        });
        let order = |one: &Baseline| {
            (
                one.machine.target.clone(),
                one.machine.rustc.clone(),
                one.machine.avx2,
            )
        };
        self.baseline.sort_by_key(order);
    }

    fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(self)?;
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, format!("{HEAD}\n{text}")).with_context(|| path.display().to_string())
    }
}

fn path() -> PathBuf {
    root().join("xtask/baselines/instructions.toml")
}

/// As a step of `cargo xtask check`.
pub(crate) fn check() -> Result<bool> {
    if !has_valgrind() {
        eprintln!(
            "SKIPPED: valgrind is missing and could not be installed, so nothing guards against \
             slower code here (apt-get install valgrind)"
        );
        return Ok(true);
    }
    judge(false)?.finish_in_check()
}

pub(super) fn run(plan: &Plan) -> Result<Report> {
    if !has_valgrind() {
        bail!("valgrind is missing; install it (apt-get install valgrind)");
    }
    judge(plan.renew)
}

fn judge(renew: bool) -> Result<Report> {
    let machine = machine()?;
    let counted = count()?;
    let mut baselines = Baselines::read(&path())?;
    if renew {
        baselines.renew(machine.clone(), counted);
        baselines.write(&path())?;
        eprintln!("{} is renewed; commit it with the reason", path().display());
    }
    let Machine {
        target,
        rustc,
        avx2,
    } = &machine;
    let Some(known) = baselines.of(&machine) else {
        eprintln!(
            "SKIPPED: no baseline for {target}, rustc {rustc}, avx2 {avx2}; record one with cargo \
             xtask bench guard --renew"
        );
        let row = Row::plain(WHAT, counted as f64, "");
        return Ok(Report::new("guard", Count::Runs(1), vec![row]));
    };
    let share = counted as f64 / known as f64;
    if share < LESS_WORTH_NOTING {
        eprintln!("far fewer instructions than known: renew with cargo xtask bench guard --renew");
    }
    if share > MORE_MAX {
        eprintln!(
            "{counted} instructions instead of {known}: find out why with callgrind_annotate {}; if \
             they are worth it, renew with cargo xtask bench guard --renew and say so",
            profile().display()
        );
    }
    let rows = vec![
        Row::plain(WHAT, counted as f64, ""),
        Row::at_most("share of the baseline", share, "x", MORE_MAX),
    ];
    Ok(Report::new("guard", Count::Runs(1), rows))
}

/// Whether valgrind is there, or could be installed by the administrator's right that CI has.
fn has_valgrind() -> bool {
    let works = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let there = || works("valgrind", &["--version"]);
    if there() {
        return true;
    }
    eprintln!("valgrind is missing; trying to install it …");
    works("apt-get", &["install", "-y", "valgrind"]) && there()
}

fn machine() -> Result<Machine> {
    let text = output(Command::new("rustc").arg("-vV").current_dir(root()))?;
    let value = |key: &str| {
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(key));
        value
            .map(str::to_owned)
            .with_context(|| format!("rustc -vV says no {key}"))
    };
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    Ok(Machine {
        target: value("host: ")?,
        rustc: value("release: ")?,
        avx2: processor.split_whitespace().any(|word| word == "avx2"),
    })
}

fn profile() -> PathBuf {
    folder().join("guard/callgrind.out")
}

fn folder() -> PathBuf {
    let given = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    root().join(given.as_deref().unwrap_or(Path::new("target")))
}

/// Builds the load and counts its instructions.
fn count() -> Result<u64> {
    let mut build = cargo();
    // Flags of the caller's shell would be counted as well.
    build.env_remove("RUSTFLAGS");
    succeed(build.args([
        "build",
        "--quiet",
        "--profile",
        "guard",
        "-p",
        "parts",
        "--locked",
    ]))?;
    let mut counter = Command::new("valgrind");
    counter.args(["--quiet", "--tool=callgrind"]);
    counter.arg(format!("--toggle-collect={COUNTED}"));
    counter.arg(format!("--callgrind-out-file={}", profile().display()));
    output(counter.arg(folder().join("guard/parts")))?;
    let text = fs::read_to_string(profile()).context("callgrind wrote no profile")?;
    let count = total(&text).context("callgrind's profile has no totals")?;
    if count == 0 {
        bail!("callgrind found no function {COUNTED}: it was renamed, or inlined");
    }
    Ok(count)
}

fn total(profile: &str) -> Option<u64> {
    let mut lines = profile.lines();
    lines
        .find_map(|line| line.strip_prefix("totals: "))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(rustc: &str) -> Machine {
        Machine {
            target: "x".into(),
            rustc: rustc.into(),
            avx2: true,
        }
    }

    #[test]
    fn a_baseline_is_kept_for_each_kind_of_machine() {
        let mut baselines = Baselines::default();
        baselines.renew(machine("2"), 20);
        baselines.renew(machine("1"), 10);
        baselines.renew(machine("2"), 21);
        let again: Baselines = toml::from_str(&toml::to_string(&baselines).unwrap()).unwrap();
        assert_eq!(again, baselines);
        assert_eq!(
            [again.of(&machine("1")), again.of(&machine("2"))],
            [Some(10), Some(21)]
        );
        assert_eq!(again.of(&machine("3")), None);
    }

    #[test]
    fn the_total_of_a_profile_is_found() {
        assert_eq!(total("a\ntotals: 5499986\n"), Some(5_499_986));
        assert_eq!(total("summary: 1\n"), None);
    }
}
