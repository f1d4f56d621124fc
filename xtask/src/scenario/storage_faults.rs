//! The store on disks that lose, refuse and lie: drives the crate of `tests/vfs`.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{Row, Scenario};
use crate::process::{cargo, root};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "storage-faults",
    about: "R02, R03, R05: power cuts, full disks and failing calls under the store",
    run: |size| run(if size.full { &FULL } else { &CHANGE }, size.seed),
};

/// How much is tried.
struct Tries {
    images: u64,
    /// Sizes of the disk.
    sizes: u64,
    /// At each how many-th call an error is tried.
    stride: u64,
}

const CHANGE: Tries = Tries {
    images: 400,
    sizes: 40,
    stride: 7,
};
const FULL: Tries = Tries {
    images: 5_000,
    sizes: 200,
    stride: 1,
};
/// The seed of every change.
const SEED: u64 = 1;

/// One figure of that crate.
#[derive(Deserialize)]
struct Figure {
    what: String,
    value: f64,
    unit: String,
    rule: Option<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rule {
    Exactly(f64),
    AtLeast(f64),
}

/// The sizes of every change, for the task that is all of CI.
pub(crate) fn check() -> Result<bool> {
    let rows = run(&CHANGE, SEED)?;
    let report = crate::report::Report::new("storage", crate::report::Count::Runs(1), rows);
    report.finish(false)
}

fn run(tries: &Tries, seed: u64) -> Result<Vec<Row>> {
    let home = root().join("tests/vfs");
    let target = root().join("target/vfs");
    let mut build = cargo();
    build
        .current_dir(&home)
        .args(["build", "--release", "--locked", "--quiet", "--target-dir"])
        .arg(&target);
    crate::process::succeed(build.stdout(Stdio::null()))?;
    let numbers = [tries.images, tries.sizes, tries.stride, seed];
    let output = Command::new(target.join("release/repute-vfs"))
        .args(numbers.map(|number| number.to_string()))
        .stderr(Stdio::inherit())
        .output()
        .context("the store's fault test did not start")?;
    if !output.status.success() {
        bail!("the store's fault test broke off ({})", output.status);
    }
    let figures: Vec<Figure> =
        serde_json::from_slice(&output.stdout).context("its figures are no figures")?;
    let row = |figure: Figure| {
        let Figure {
            what, value, unit, ..
        } = &figure;
        match figure.rule {
            None => Row::plain(what, *value, unit),
            Some(Rule::Exactly(bar)) => Row::exactly(what, *value, unit, bar),
            Some(Rule::AtLeast(bar)) => Row::at_least(what, *value, unit, bar),
        }
    };
    Ok(figures.into_iter().map(row).collect())
}
