//! The tasks of this workspace: `cargo xtask check` is all of CI; `cargo xtask help` lists the rest.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod bench;
mod check;
mod consume;
mod docs;
mod fuzz;
mod layers;
mod process;
mod report;
mod scenario;
mod sim;
mod soak;
mod tidy;

/// The tasks of the Repute workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything CI does: format, lints, tidy, layers, docs, builds without features, all tests.
    Check(check::Args),
    /// Compare the crates' dependencies with the table of docs/architecture.md.
    Layers,
    /// Hold the tree to the habits of the house.
    Tidy,
    /// Build the API documentation of every crate, without warnings.
    Docs,
    /// Package every library crate; build, test and run the example of each outside the workspace.
    Consume(consume::Args),
    /// Run fuzz targets.
    Fuzz(fuzz::Args),
    /// Run scenarios over real processes of the built binary.
    Scenario(scenario::Args),
    /// Run simulations in virtual time.
    Sim(sim::Args),
    /// Run all tiers with fresh seeds for hours, and keep count.
    Soak(soak::Args),
    /// Measure.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<bool> {
    match task {
        Task::Check(args) => check::run(&args),
        Task::Layers => layers::run(),
        Task::Tidy => tidy::run(),
        Task::Docs => docs::run(),
        Task::Consume(args) => consume::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Scenario(args) => scenario::run(&args),
        Task::Sim(args) => sim::run(&args),
        Task::Soak(args) => soak::run(&args),
        Task::Bench(args) => bench::run(&args),
    }
}
