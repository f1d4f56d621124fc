//! Simulations in virtual time, each replayable from its seed.

use std::{ops::Range, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;
use repute_tests::scenario::{self, Scenario};

use crate::{
    process::cargo,
    report::{Count, Report, Row},
};

mod canary;
pub(crate) mod network;
mod plot;
mod replay;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// `list`, the name of one, or `all`.
    name: String,
    /// How many nodes; each simulation has its own default, which `list` shows.
    #[arg(long)]
    nodes: Option<usize>,
    /// How many seeds; `all` runs no more of each simulation than `list` shows.
    #[arg(long)]
    seeds: Option<u64>,
    /// This seed alone, to replay it.
    #[arg(long, conflicts_with_all = ["seeds", "first_seed"])]
    seed: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    first_seed: u64,
    /// The sizes of a full run instead of those for every change.
    #[arg(long)]
    full: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Draw the figures of each seed into this SVG file.
    #[arg(long)]
    plot: Option<PathBuf>,
}

/// How large a simulation is.
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) seeds: Range<u64>,
}

/// What came of a simulation.
#[derive(Default)]
pub(crate) struct Ran {
    /// Its figures over all seeds.
    pub(crate) rows: Vec<Row>,
    /// Each figure of each seed, to be drawn.
    pub(crate) panels: Vec<plot::Panel>,
}

/// One simulation. It names the seed of a failure on stderr, with [`replay_command`].
#[derive(Clone, Copy)]
enum Simulation {
    /// The simulator itself.
    Replay,
    /// Bugs planted to be found.
    Canary,
    /// A network of whole nodes.
    Network(&'static Scenario),
}

impl Simulation {
    fn all() -> Vec<Self> {
        let networks = scenario::ALL.iter().map(Self::Network);
        [Self::Replay, Self::Canary]
            .into_iter()
            .chain(networks)
            .collect()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Replay => replay::NAME,
            Self::Canary => canary::NAME,
            Self::Network(scenario) => scenario.name,
        }
    }

    const fn about(self) -> &'static str {
        match self {
            Self::Replay => replay::ABOUT,
            Self::Canary => canary::ABOUT,
            Self::Network(scenario) => scenario.about,
        }
    }

    /// Nodes and seeds, for every change or in full.
    const fn extent(self, full: bool) -> (usize, u64) {
        match self {
            Self::Replay if full => (replay::NODES, 500),
            Self::Replay => (replay::NODES, 20),
            Self::Canary => (canary::NODES, canary::SEEDS),
            Self::Network(scenario) if full => (scenario.full_nodes, scenario.full_seeds),
            Self::Network(scenario) => (scenario.nodes, scenario.seeds),
        }
    }

    fn run(self, size: &Size) -> Ran {
        match self {
            Self::Replay => replay::run(size),
            Self::Canary => canary::run(size),
            Self::Network(scenario) => network::run(scenario, size),
        }
    }
}

impl Args {
    /// Of which size a simulation is to run, alone or as one of all.
    fn size(&self, simulation: Simulation) -> Size {
        let (nodes, seeds) = simulation.extent(self.full);
        let nodes = self.nodes.unwrap_or(nodes);
        if let Some(seed) = self.seed {
            let seeds = seed..seed.saturating_add(1);
            return Size { nodes, seeds };
        }
        let seeds = match self.seeds {
            Some(asked) if self.name == "all" => asked.min(seeds),
            Some(asked) => asked,
            None => seeds,
        };
        let seeds = self.first_seed..self.first_seed.saturating_add(seeds);
        Size { nodes, seeds }
    }
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let all = Simulation::all();
    if args.name == "list" {
        return list(&all, args.json);
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
    let mut seeds_max = 0;
    let (mut rows, mut sections) = (Vec::new(), Vec::new());
    for one in &chosen {
        let size = args.size(*one);
        let count = size.seeds.end - size.seeds.start;
        seeds_max = seeds_max.max(count);
        eprintln!("== {}: {} nodes, {count} seeds", one.name(), size.nodes);
        let ran = one.run(&size);
        let title = format!("{}: {} nodes, {count} seeds", one.name(), size.nodes);
        sections.push((title, ran.panels));
        if chosen.len() == 1 {
            rows = ran.rows;
        } else {
            rows.extend(ran.rows.into_iter().map(|row| row.of(one.name())));
        }
    }
    if let Some(path) = &args.plot {
        let svg = plot::draw(&sections);
        std::fs::write(path, svg)
            .with_context(|| format!("could not write the plot to {}", path.display()))?;
        eprintln!("drew {}", path.display());
    }
    Report::new(&args.name, Count::Seeds(seeds_max), rows).finish(args.json)
}

/// Prints every simulation with its sizes.
fn list(all: &[Simulation], json: bool) -> Result<bool> {
    if json {
        let rows = all.iter().flat_map(|one| {
            [(false, ""), (true, " in full")].map(|(full, when)| {
                let (nodes, seeds) = one.extent(full);
                let what = format!("{}, {nodes} nodes{when}", one.name());
                Row::plain(&what, seeds as f64, "seeds")
            })
        });
        return Report::new("list", Count::Runs(all.len() as u64), rows.collect()).finish(true);
    }
    println!(
        "{:18} {:>14} {:>16}",
        "", "nodes x seeds", "in full, --full"
    );
    for one in all {
        let shown = |full| {
            let (nodes, seeds) = one.extent(full);
            format!("{nodes} x {seeds}")
        };
        let (small, large) = (shown(false), shown(true));
        println!("{:18} {small:>14} {large:>16}  {}", one.name(), one.about());
    }
    println!(
        "all                runs each of them; --seeds N means at most N and at most what is shown"
    );
    Ok(true)
}

/// The tasks are built without optimisation, because most only start other programs. A simulation
/// is all computation: it runs itself again, optimised, at twenty times the speed.
pub(crate) fn in_release() -> Result<bool> {
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

/// The command that runs the same seeds again.
pub(crate) fn again_command(name: &str, size: &Size) -> String {
    let Range { start, end } = &size.seeds;
    format!(
        "cargo xtask sim {name} --nodes {} --first-seed {start} --seeds {}",
        size.nodes,
        end - start
    )
}
