//! Measurements, as ratios inside one run wherever a bar is set.

mod blobs;
mod connects;
mod cost;
mod dht;
mod disk;
mod gossip;
pub(crate) mod guard;
mod load;
mod micro;
mod peers;
mod race;
mod store;
mod trust;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;

use crate::{
    process::{cargo, root},
    report::Report,
};

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// `list`, or the name of one.
    name: String,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    plan: Plan,
}

/// How much to measure, and where.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Plan {
    /// Nodes of a network.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(2..=256))]
    nodes: u16,
    /// A tenth of the messages and a quarter of the time: for a look, not for a record.
    #[arg(long)]
    quick: bool,
    /// Only these phases of a network.
    #[arg(long, value_delimiter = ',')]
    phases: Vec<String>,
    /// Where the stores are put while measuring; must be on a disk, not in memory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How often everything is measured, where it is measured in rounds.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: Option<u16>,
    /// Only those who race under these names, or names that begin so.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Of the guard: record what is counted now as the baseline.
    #[arg(long)]
    renew: bool,
}

/// One measurement.
pub(crate) struct Bench {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Whether this program itself is measured, and must be built for release.
    pub(crate) in_here: bool,
    pub(crate) run: fn(&Plan) -> Result<Report>,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "gossip",
        about: "real nodes over loopback QUIC: rates, cost, latency, memory",
        in_here: true,
        run: gossip::run,
    },
    Bench {
        name: "store",
        about: "durable appends a second, and reopening a large ledger",
        in_here: true,
        run: store::run,
    },
    Bench {
        name: "trust",
        about: "ranks of a large graph, evidence one by one and all at once, rating networks",
        in_here: true,
        run: trust::run,
    },
    Bench {
        name: "micro",
        about: "the parts one by one: signatures, encoding, engines, ledger",
        in_here: true,
        run: micro::run,
    },
    Bench {
        name: "guard",
        about: "instructions of a fixed load against a committed baseline; --renew records it",
        in_here: false,
        run: guard::run,
    },
    Bench {
        name: "race",
        about: "our nodes, libp2p's, iroh's and plain quinn under one load, as ratios",
        in_here: false,
        run: race::run,
    },
    Bench {
        name: "dht",
        about: "64 nodes: put, get and closest of our DHT and of libp2p's, as ratios",
        in_here: false,
        run: dht::run,
    },
    Bench {
        name: "blobs",
        about: "files: our streams and nodes, raw quinn and iroh-blobs, as ratios; what serving takes",
        in_here: false,
        run: blobs::run,
    },
    Bench {
        name: "connects",
        about: "connections a second with mutual authentication, against plain quinn",
        in_here: false,
        run: connects::run,
    },
];

pub(crate) fn run(args: &Args) -> Result<bool> {
    if args.name == "list" {
        BENCHES
            .iter()
            .for_each(|one| println!("{:16} {}", one.name, one.about));
        return Ok(true);
    }
    let Some(bench) = BENCHES.iter().find(|one| one.name == args.name) else {
        bail!(
            "there is no benchmark {:?}; cargo xtask bench list names them",
            args.name
        );
    };
    if bench.in_here && cfg!(debug_assertions) {
        return in_release(args);
    }
    (bench.run)(&args.plan)?.finish(args.json)
}

/// Figures of an unoptimised build mean nothing, so the same task runs again from a release build.
fn in_release(args: &Args) -> Result<bool> {
    let mut command = cargo();
    command.args(["run", "--release", "--quiet", "-p", "xtask", "--"]);
    command.args(["bench", &args.name]);
    command.args(["--nodes", &args.plan.nodes.to_string()]);
    if args.json {
        command.arg("--json");
    }
    if args.plan.quick {
        command.arg("--quick");
    }
    if !args.plan.phases.is_empty() {
        command.args(["--phases", &args.plan.phases.join(",")]);
    }
    if let Some(rounds) = args.plan.rounds {
        command.args(["--rounds", &rounds.to_string()]);
    }
    if let Some(dir) = &args.plan.dir {
        command.arg("--dir").arg(std::path::absolute(dir)?);
    }
    eprintln!("building for release …");
    let status = command.status().context("could not start cargo")?;
    Ok(status.success())
}

impl Plan {
    /// A fresh folder for stores, removed with the handle; refused where nothing is durable.
    fn stores(&self) -> Result<disk::Folder> {
        let target = || {
            let given = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
            root().join(given.as_deref().unwrap_or(Path::new("target")))
        };
        disk::Folder::new(&self.dir.clone().unwrap_or_else(target))
    }

    /// Whether somebody takes part, by the beginning of the name.
    fn admits(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.starts_with(only.as_str()))
    }

    fn wants(&self, phase: &str) -> bool {
        self.phases.is_empty() || self.phases.iter().any(|wanted| wanted == phase)
    }
}
