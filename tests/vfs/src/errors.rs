//! R05: the n-th call fails, n counted up until the workload meets no fault.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, Result, bail, ensure};
use repute_storage::{Options, SqliteStore, Store, StoreError};

use crate::{
    cuts::home,
    disk::{Disk, Plan},
    platter::{self, Platter},
    report::Report,
    shim::Watch,
    story::{Held, Story, after_only, write},
};

/// Batches before the store is closed and opened again, and after.
const BATCHES: [u64; 2] = [10, 6];
/// Enough that a sweep which never ends is noticed.
const CALLS_MAX: u64 = 100_000;

/// One way to fail.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    plan: fn(u64) -> Plan,
    /// Whether the fault goes away by itself.
    passes: bool,
    /// Whether syncs are counted, and no other calls.
    syncs: bool,
}

const WAYS: [Way; 3] = [
    Way {
        name: "one call fails",
        plan: Plan::Once,
        passes: true,
        syncs: false,
    },
    Way {
        name: "all calls fail from one on",
        plan: Plan::From,
        passes: false,
        syncs: false,
    },
    Way {
        name: "a sync fails and forgets",
        plan: Plan::SyncForgets,
        passes: true,
        syncs: true,
    },
];

/// What came of a sweep.
#[derive(Default)]
struct Sweep {
    runs: u64,
    surfaced: u64,
    absorbed: u64,
    /// Runs in which one fault was told more than once.
    repeated: u64,
    inconsistent: u64,
    stuck: u64,
}

/// Sweeps each way to fail over every call; `stride` leaves some out.
pub fn run(stride: u64, report: &mut Report) -> Result<()> {
    for way in WAYS {
        let home = home()?;
        let mut sweep = Sweep::default();
        // There are few syncs, and each counts.
        let stride = if way.syncs { 1 } else { stride };
        for nth in (0..CALLS_MAX).step_by(stride as usize) {
            let folder = home.path().join(nth.to_string());
            let met = one(way, nth, &folder, &mut sweep)
                .with_context(|| format!("{}, number {nth}", way.name))?;
            fs::remove_dir_all(&folder)?;
            if !met {
                break;
            }
        }
        ensure!(sweep.runs < CALLS_MAX, "the sweep did not end");
        let name = way.name;
        let told = |what: &str| format!("R05: {name}: {what}");
        report.at_least(&told("places tried"), sweep.runs, "", 10);
        report.at_least(&told("told to the caller"), sweep.surfaced, "", 5);
        report.notes(&told("no harm done"), sweep.absorbed, "");
        if way.passes {
            report.none(&told("told more than once"), sweep.repeated);
        }
        report.none(
            &told("states that are not whole batches"),
            sweep.inconsistent,
        );
        report.none(&told("stores that did not work afterwards"), sweep.stuck);
    }
    Ok(())
}

/// What the callers of one run were told.
#[derive(Default)]
struct Told {
    errors: Vec<String>,
    written: Vec<u64>,
    unknown: Vec<u64>,
}

impl Told {
    fn error(&mut self, place: &str, error: &StoreError) {
        self.errors.push(format!("{place}: {error:?}"));
    }
}

/// One run of the workload; whether the fault was met.
fn one(way: Way, nth: u64, folder: &Path, sweep: &mut Sweep) -> Result<bool> {
    fs::create_dir(folder)?;
    let story = Story::new(5);
    let disk = Arc::new(Disk::new(folder, (way.plan)(nth)));
    let watch = Watch::over(folder, disk.clone());
    disk.record([]);
    let mut told = Told::default();
    let mut next = 0;
    for batches in BATCHES {
        let store = opened(way, folder, &disk, &mut told)?;
        for number in next..next + batches {
            match write(&store, story.batch(number)) {
                Ok(()) => told.written.push(number),
                Err(error) => {
                    told.error("write", &error);
                    told.unknown.push(number);
                }
            }
        }
        next += batches;
        if let Err(error) = Held::of(&store) {
            told.error("read", &error);
        }
        if let Err(error) = store.close() {
            told.error("close", &error);
        }
    }
    let (_, refused) = disk.calls();
    disk.set_plan(Plan::Fine);
    // What a power cut would leave now that all was said and done.
    let mut platter = Platter::default();
    disk.take_log()
        .iter()
        .try_for_each(|entry| platter.apply(entry, false))?;
    drop(watch);
    sweep.runs += 1;
    sweep.surfaced += u64::from(!told.errors.is_empty());
    sweep.absorbed += u64::from(refused > 0 && told.errors.is_empty());
    sweep.repeated += u64::from(told.errors.len() > 1);
    if way.passes && told.errors.len() > 1 {
        eprintln!(
            "{}, number {nth}: told more than once: {:?}",
            way.name, told.errors
        );
    }
    let cut = folder.join("cut");
    fs::create_dir(&cut)?;
    platter::write(&cut, &platter.durable())?;
    for (place, folder) in [("live", folder), ("after a power cut", &cut)] {
        check(way, nth, place, folder, &story, &told, sweep);
    }
    Ok(refused > 0)
}

/// Opens the store, again and again if the fault lasts; the caller is told each time.
fn opened(way: Way, folder: &Path, disk: &Disk, told: &mut Told) -> Result<SqliteStore> {
    for attempt in 0..3 {
        match SqliteStore::open(folder, Options::default()) {
            Ok((store, _)) => return Ok(store),
            Err(error) => told.error("open", &error),
        }
        if !way.passes && attempt == 1 {
            // Somebody mended the disk.
            disk.set_plan(Plan::Fine);
        }
    }
    bail!("it does not open: {:?}", told.errors)
}

/// The state is that of the batches that were written, and any of those whose fate is unknown;
/// and the store works.
fn check(
    way: Way,
    nth: u64,
    place: &str,
    folder: &Path,
    story: &Story,
    told: &Told,
    sweep: &mut Sweep,
) {
    let tried = || -> Result<Held, StoreError> {
        let (store, _) = SqliteStore::open(folder, Options::default())?;
        let held = Held::of(&store)?;
        write(&store, story.batch(1_000))?;
        store.close()?;
        Ok(held)
    };
    match tried() {
        Err(error) => {
            sweep.stuck += 1;
            eprintln!("{}, number {nth}, {place}: {error}", way.name);
        }
        Ok(held) => {
            if !is_whole(&held, story, told) {
                sweep.inconsistent += 1;
                let Told {
                    errors, unknown, ..
                } = told;
                eprintln!(
                    "{}, number {nth}, {place}: {errors:?}, unknown {unknown:?}",
                    way.name
                );
            }
        }
    }
}

/// Failed batches stand in a row, and what is written of them is the first so many: a batch whose
/// write failed is behind those whose fate was decided before.
fn is_whole(held: &Held, story: &Story, told: &Told) -> bool {
    let with = |some: &[u64]| {
        let mut batches = [&told.written[..], some].concat();
        batches.sort_unstable();
        *held == after_only(story, &batches)
    };
    let one = told.unknown.iter().any(|one| with(&[*one]));
    one || (0..=told.unknown.len()).any(|count| with(&told.unknown[..count]))
}
