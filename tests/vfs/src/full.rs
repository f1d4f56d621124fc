//! R03: the disk is full at byte k, for points of k over all that the workload writes.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, Result};
use repute_storage::{Options, SqliteStore, Store, StoreError};

use crate::{
    cuts::home,
    disk::{Disk, Plan},
    report::Report,
    shim::Watch,
    story::{Held, Story, write},
};

const BATCHES: u64 = 40;
/// Batches that are tried on the full disk before it is freed.
const TRIES: u64 = 3;

#[derive(Default)]
struct Sweep {
    points: u64,
    refused_open: u64,
    refused_write: u64,
    refused_close: u64,
    cut_short: u64,
    untyped: u64,
    unread: u64,
    silent: u64,
    stuck: u64,
    lost: u64,
}

/// What happens to the space once a write was refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It comes back, and the store goes on.
    Freed,
    /// It comes back only after the store was closed.
    Closed,
}

/// Sweeps the size of the disk over so many points.
pub fn run(points: u64, report: &mut Report) -> Result<()> {
    let home = home()?;
    let mut sweep = Sweep::default();
    let most = size_of_all(&home.path().join("all"))?;
    for point in 0..points {
        let space = most * point / points;
        for then in [Then::Freed, Then::Closed] {
            let folder = home.path().join(point.to_string());
            one(space, then, &folder, &mut sweep)
                .with_context(|| format!("with space for {space} bytes"))?;
            fs::remove_dir_all(&folder)?;
        }
    }
    report.at_least("R03: sizes of the disk", sweep.points / 2, "", points);
    report.notes("R03: bytes that the workload needs", most, "B");
    report.at_least("R03: refused when opened", sweep.refused_open, "", 1);
    report.at_least(
        "R03: refused when written",
        sweep.refused_write,
        "",
        points / 4,
    );
    report.notes("R03: refused when closed", sweep.refused_close, "");
    report.at_least("R03: refused by the disk", sweep.cut_short, "", points);
    report.none(
        "R03: refused with another error than a full disk",
        sweep.untyped,
    );
    report.none("R03: not readable while full", sweep.unread);
    report.none("R03: full and not shown in the health", sweep.silent);
    report.none(
        "R03: not writable when space came back, without a restart",
        sweep.stuck,
    );
    report.none("R03: acknowledged batches lost", sweep.lost);
    Ok(())
}

fn options() -> Options {
    let mut options = Options::default();
    // Some of the workload is in the log and some in the database.
    options.log_pages = Some(32);
    options
}

/// What the workload takes when nothing is refused, at its most.
fn size_of_all(folder: &Path) -> Result<u64> {
    fs::create_dir(folder)?;
    let disk = Arc::new(Disk::new(folder, Plan::Fine));
    let _watch = Watch::over(folder, disk.clone());
    let (store, _) = SqliteStore::open(folder, options())?;
    let story = Story::new(3);
    let mut most = 0;
    for number in 0..BATCHES {
        write(&store, story.batch(number))?;
        most = most.max(disk.used());
    }
    store.close()?;
    Ok(most)
}

impl Sweep {
    fn is_typed(&mut self, place: &str, space: u64, error: &StoreError) {
        if !matches!(error, StoreError::StorageFull { .. }) {
            self.untyped += 1;
            eprintln!("space for {space}, {place}: {error:?}");
        }
    }
}

fn one(space: u64, then: Then, folder: &Path, sweep: &mut Sweep) -> Result<()> {
    fs::create_dir(folder)?;
    let disk = Arc::new(Disk::new(folder, Plan::Space(space)));
    let _watch = Watch::over(folder, disk.clone());
    let mut story = Story::new(3);
    sweep.points += 1;
    let store = match SqliteStore::open(folder, options()) {
        Ok((store, _)) => store,
        Err(error) => {
            sweep.refused_open += 1;
            sweep.is_typed("open", space, &error);
            disk.set_plan(Plan::Fine);
            SqliteStore::open(folder, options())?.0
        }
    };
    let mut written = 0;
    while written < BATCHES {
        let Err(error) = write(&store, story.batch(written)) else {
            written += 1;
            continue;
        };
        sweep.refused_write += 1;
        sweep.is_typed("write", space, &error);
        sweep.silent += u64::from(!store.health().storage_full);
        for _ in 1..TRIES {
            // A smaller one may find room, and the next one too.
            match write(&store, story.batch(written)) {
                Ok(()) => written += 1,
                Err(error) => sweep.is_typed("write again", space, &error),
            }
        }
        let held = Held::of(&store);
        if held.as_ref().ok() != Some(story.after(written)) {
            sweep.unread += 1;
            eprintln!(
                "space for {space}, {written} written: {:?}",
                held.map(|held| held.batches())
            );
        }
        if then == Then::Closed {
            break;
        }
        disk.set_plan(Plan::Fine);
        if let Err(error) = write(&store, story.batch(written)) {
            sweep.stuck += 1;
            eprintln!("space for {space}, freed: {error:?}");
            break;
        }
        written += 1;
        sweep.silent += u64::from(store.health().storage_full);
    }
    if let Err(error) = store.close() {
        sweep.refused_close += 1;
        sweep.is_typed("close", space, &error);
    }
    drop(store);
    disk.set_plan(Plan::Fine);
    sweep.cut_short += disk.calls().1;
    let (store, _) = SqliteStore::open(folder, options())?;
    let held = Held::of(&store);
    if held.as_ref().ok() != Some(story.after(written)) {
        sweep.lost += 1;
        eprintln!(
            "space for {space}, opened again: {:?}",
            held.map(|held| held.batches())
        );
    }
    Ok(())
}
