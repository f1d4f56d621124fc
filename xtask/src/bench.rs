//! Measurements, as ratios inside one run wherever a bar is set.

use anyhow::{Result, bail};
use clap::Args as ClapArgs;

use crate::report::Report;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// `list`, or the name of one.
    name: String,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// One measurement.
pub(crate) struct Bench {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn() -> Result<Report>,
}

const BENCHES: &[Bench] = &[];

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
    (bench.run)()?.finish(args.json)
}
