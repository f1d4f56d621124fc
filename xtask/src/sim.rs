//! Simulations in virtual time, each replayable from its seed.

use anyhow::{Result, bail};
use clap::Args as ClapArgs;

use crate::report::{Count, Report, Row};

mod replay;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// `list`, or the name of one.
    name: String,
    /// How many nodes; each simulation has its own default.
    #[arg(long)]
    nodes: Option<usize>,
    /// How many seeds.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The first seed, to replay one: `--first-seed 17 --seeds 1`.
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
pub(crate) struct Simulation {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) nodes: usize,
    pub(crate) run: fn(&Size) -> Result<Vec<Row>>,
}

const SIMULATIONS: &[Simulation] = &[replay::SIMULATION];

pub(crate) fn run(args: &Args) -> Result<bool> {
    if args.name == "list" {
        SIMULATIONS
            .iter()
            .for_each(|one| println!("{:16} {}", one.name, one.about));
        return Ok(true);
    }
    let Some(simulation) = SIMULATIONS.iter().find(|one| one.name == args.name) else {
        bail!(
            "there is no simulation {:?}; cargo xtask sim list names them",
            args.name
        );
    };
    let seeds = args.first_seed..args.first_seed.saturating_add(args.seeds);
    let size = Size {
        nodes: args.nodes.unwrap_or(simulation.nodes),
        seeds,
    };
    let rows = (simulation.run)(&size)?;
    Report::new(simulation.name, Count::Seeds(args.seeds), rows).finish(args.json)
}

/// The command that replays one seed of a simulation.
pub(crate) fn replay_command(name: &str, nodes: usize, seed: u64) -> String {
    format!("cargo xtask sim {name} --nodes {nodes} --first-seed {seed} --seeds 1")
}
