//! Rows R02, R03 and R05: a SQLite store on disks that lose, refuse and lie.
//!
//! `repute-vfs IMAGES POINTS STRIDE SEED`: images of power cuts, sizes of a full disk, and at each
//! how many-th call an error is tried. Figures go to stdout as JSON, talk to stderr.

mod cuts;
mod disk;
mod errors;
mod full;
mod platter;
mod report;
mod shim;
mod story;
mod syncs;

use std::time::Instant;

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let mut number = |what: &str, otherwise: u64| match words.next() {
        Some(word) => word.with_context(|| format!("{what} is a number")),
        None => Ok(otherwise),
    };
    let images = number("the count of images", 300)?;
    let points = number("the count of sizes", 40)?;
    let stride = number("the stride of errors", 7)?.max(1);
    let seed = number("the seed", 1)?;
    shim::install()?;
    let mut report = report::Report::default();
    let begun = Instant::now();
    let told = |what: &str| eprintln!("{what} ({:.1} s so far)", begun.elapsed().as_secs_f64());
    syncs::run(&mut report)?;
    cuts::run(images, seed, &mut report)?;
    told("power cuts done");
    full::run(points, &mut report)?;
    told("full disks done");
    errors::run(stride, &mut report)?;
    told("errors done");
    report.print();
    Ok(())
}
