//! The durable store, through the example of its crate, on a disk.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Plan;
use crate::{
    process::{cargo, output},
    report::{Count, Report, Row},
};

/// Events of the ledger that is reopened.
const EVENTS: u64 = 1_000_000;

/// What the example prints.
#[derive(Deserialize)]
struct Figures {
    appends_per_s: f64,
    reopen_ms_for_1m: f64,
    events: f64,
}

pub(super) fn run(plan: &Plan) -> Result<Report> {
    let folder = plan.stores()?;
    let mut command = cargo();
    command.args(["run", "--release", "--quiet", "-p", "repute-storage"]);
    command.args(["--example", "bench_store", "--", "--json"]);
    command.args(["--events", &EVENTS.to_string()]);
    command.arg(folder.path());
    eprintln!("appending and reopening {EVENTS} events …");
    let text = output(&mut command)?;
    let figures: Figures = serde_json::from_str(text.trim())
        .context("the example bench_store did not print its figures")?;
    let rows = vec![
        Row::plain("durable ledger appends", figures.appends_per_s, "1/s"),
        Row::at_most(
            "reopen of 1 million events",
            figures.reopen_ms_for_1m / 1_000.0,
            "s",
            2.0,
        ),
        Row::exactly(
            "events found again",
            figures.events,
            "events",
            EVENTS as f64,
        ),
        folder.row(),
    ];
    Ok(Report::new("store", Count::Runs(1), rows))
}
