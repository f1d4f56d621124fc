//! What a write costs: a lone batch is synced once, not more and not less.

use std::sync::Arc;

use anyhow::{Result, ensure};
use repute_storage::{Options, SqliteStore};

use crate::{
    cuts::home,
    disk::{Disk, Entry, Plan},
    report::Report,
    shim::Watch,
    story::{Story, write},
};

const BATCHES: u64 = 30;

pub fn run(report: &mut Report) -> Result<()> {
    let home = home()?;
    let disk = Arc::new(Disk::new(home.path(), Plan::Fine));
    let _watch = Watch::over(home.path(), disk.clone());
    let (store, _) = SqliteStore::open(home.path(), Options::default())?;
    let story = Story::new(9);
    // The first one also begins the log, which is a sync of its own.
    write(&store, story.batch(0))?;
    disk.record([]);
    for number in 1..=BATCHES {
        write(&store, story.batch(number))?;
        disk.acknowledged(number);
    }
    let (mut syncs, mut told, mut others) = (0, 0, 0);
    for entry in disk.take_log() {
        match entry {
            Entry::Synced(_) => syncs += 1,
            Entry::Acknowledged(_) => {
                told += 1;
                others += u64::from(syncs != 1);
                syncs = 0;
            }
            _ => {}
        }
    }
    ensure!(told == BATCHES, "not every batch was seen");
    report.none(
        "R01: lone batches that took more or less than one sync",
        others,
    );
    Ok(())
}
