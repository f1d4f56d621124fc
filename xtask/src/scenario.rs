//! Scenarios over real processes of the built binary: few, slow, and what nothing else replaces.

use anyhow::{Result, bail};
use clap::Args as ClapArgs;

use crate::report::{Count, Report, Row};

mod binary;
mod bootstrap;
mod churn;
mod clock;
mod descriptors;
mod dht;
mod directory;
mod disk;
mod ear;
mod exclusive;
mod files;
mod flood;
mod kill_at;
mod lossy;
mod mainline;
mod member;
mod namespaces;
mod partition;
mod relay;
mod restart;
mod stage;
mod storage_faults;
mod tale;
mod talk;
mod upgrade;

pub(crate) use storage_faults::check as check_storage;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// `list`, `all`, or the name of one.
    name: String,
    /// Run at full size what has a smaller one for every change.
    #[arg(long)]
    full: bool,
    /// How long scenarios last that go on for a while.
    #[arg(long)]
    minutes: Option<u64>,
    /// The seed of those scenarios that draw what they try.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// How large a scenario is to be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    pub(crate) full: bool,
    pub(crate) minutes: Option<u64>,
    pub(crate) seed: u64,
}

/// A story with processes, told in rows.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(Size) -> Result<Vec<Row>>,
}

const SCENARIOS: &[Scenario] = &[
    bootstrap::SCENARIO,
    restart::SCENARIO,
    partition::SCENARIO,
    clock::SCENARIO,
    disk::SCENARIO,
    upgrade::SCENARIO,
    exclusive::SCENARIO,
    flood::SCENARIO,
    lossy::SCENARIO,
    namespaces::SCENARIO,
    kill_at::SCENARIO,
    descriptors::SCENARIO,
    storage_faults::SCENARIO,
    churn::SCENARIO,
    dht::SCENARIO,
    directory::SCENARIO,
    files::SCENARIO,
    mainline::SCENARIO,
];

pub(crate) fn run(args: &Args) -> Result<bool> {
    if args.name == "list" {
        SCENARIOS
            .iter()
            .for_each(|one| println!("{:24} {}", one.name, one.about));
        return Ok(true);
    }
    let chosen: Vec<_> = SCENARIOS
        .iter()
        .filter(|one| args.name == "all" || args.name == one.name)
        .collect();
    if chosen.is_empty() {
        bail!(
            "there is no scenario {:?}; cargo xtask scenario list names them",
            args.name
        );
    }
    let (full, minutes, seed) = (args.full, args.minutes, args.seed);
    let size = Size {
        full,
        minutes,
        seed,
    };
    let mut rows = Vec::new();
    for scenario in &chosen {
        eprintln!("== {}", scenario.name);
        match (scenario.run)(size) {
            Ok(more) => rows.extend(more),
            Err(error) => {
                eprintln!("{}: {error:#}", scenario.name);
                rows.push(Row::exactly(scenario.name, 0.0, "finished", 1.0));
            }
        }
    }
    Report::new("scenario", Count::Runs(chosen.len() as u64), rows).finish(args.json)
}
