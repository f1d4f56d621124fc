//! Simulations in virtual time, each replayable from its seed.

use anyhow::{Result, bail};
use clap::Args as ClapArgs;
use repute_tests::scenario::{self, Scenario};

use crate::{
    process::cargo,
    report::{Count, Report, Row},
};

mod network;
mod replay;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// `list`, the name of one, or `all`.
    name: String,
    /// How many nodes; each simulation has its own default.
    #[arg(long)]
    nodes: Option<usize>,
    /// How many seeds.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// This seed alone, to replay it.
    #[arg(long, conflicts_with_all = ["seeds", "first_seed"])]
    seed: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    first_seed: u64,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// How large a simulation is.
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) seeds: std::ops::Range<u64>,
}

/// One simulation: its rows over all seeds. It names the seed of a failure on stderr, with
/// [`replay_command`].
#[derive(Clone, Copy)]
enum Simulation {
    /// The simulator itself.
    Replay,
    /// A network of whole nodes.
    Network(&'static Scenario),
}

impl Simulation {
    fn all() -> Vec<Self> {
        let networks = scenario::ALL.iter().map(Self::Network);
        [Self::Replay].into_iter().chain(networks).collect()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Replay => replay::NAME,
            Self::Network(scenario) => scenario.name,
        }
    }

    const fn about(self) -> &'static str {
        match self {
            Self::Replay => replay::ABOUT,
            Self::Network(scenario) => scenario.about,
        }
    }

    const fn nodes(self) -> usize {
        match self {
            Self::Replay => replay::NODES,
            Self::Network(scenario) => scenario.nodes,
        }
    }

    fn run(self, size: &Size) -> Vec<Row> {
        match self {
            Self::Replay => replay::run(size),
            Self::Network(scenario) => network::run(scenario, size),
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let all = Simulation::all();
    if args.name == "list" {
        all.iter()
            .for_each(|one| println!("{:16} {}", one.name(), one.about()));
        return Ok(true);
    }
    let chosen: Vec<_> = all
        .into_iter()
        .filter(|one| args.name == "all" || args.name == one.name())
        .collect();
    if chosen.is_empty() {
        bail!(
            "there is no simulation {:?}; cargo xtask sim list names them",
            args.name
        );
    }
    if cfg!(debug_assertions) {
        return in_release();
    }
    let first = args.seed.unwrap_or(args.first_seed);
    let seeds = first..first.saturating_add(if args.seed.is_some() { 1 } else { args.seeds });
    let count = Count::Seeds(seeds.end - seeds.start);
    let mut rows = Vec::new();
    for one in &chosen {
        let size = Size {
            nodes: args.nodes.unwrap_or(one.nodes()),
            seeds: seeds.clone(),
        };
        let these = one.run(&size);
        if chosen.len() == 1 {
            rows = these;
        } else {
            rows.extend(these.into_iter().map(|row| row.of(one.name())));
        }
    }
    Report::new(&args.name, count, rows).finish(args.json)
}

/// The tasks are built without optimisation, because most only start other programs. A simulation
/// is all computation: it runs itself again, optimised, at twenty times the speed.
fn in_release() -> Result<bool> {
    eprintln!("building the simulations with optimisation");
    let mut again = cargo();
    again.args(["run", "--quiet", "--release", "--package", "xtask", "--"]);
    again.args(std::env::args_os().skip(1));
    Ok(again.status()?.success())
}

/// The command that replays one seed of a simulation.
pub(crate) fn replay_command(name: &str, nodes: usize, seed: u64) -> String {
    format!("cargo xtask sim {name} --nodes {nodes} --seed {seed}")
}
