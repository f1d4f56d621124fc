//! R02: the power is cut at every write and sync of a workload.
//!
//! A life of the store is one run of the workload, written down call by call. After each call an
//! image is made of what a power cut may leave then, and a store is opened on it: it must hold
//! exactly the first so many batches, at least those that were acknowledged, and take the next.
//! The next life begins on one of the images, so that recoveries are cut too.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use anyhow::{Context, Result, ensure};
use repute_base::Rng;
use repute_storage::{Options, Point, SqliteStore, Store};
use tempfile::TempDir;

use crate::{
    disk::{DATABASE, Disk, Entry, Plan},
    platter::{self, Damage, Files, Platter},
    report::Report,
    shim::Watch,
    story::{Held, Story, write},
};

/// Lives in a row on what the one before left.
const LIVES: u64 = 4;
/// Batches of one life.
const BATCHES: u64 = 24;
/// One image in so many is made once more, on a disk half of whose syncs lie.
const CANARY_EVERY: u64 = 5;
/// Images that are kept for a look when they fail.
const KEPT_MAX: usize = 5;

/// What came of all images.
#[derive(Debug, Default)]
struct Tally {
    images: u64,
    calls: u64,
    lost: u64,
    halves: u64,
    unopenable: u64,
    recovered: u64,
    unsynced_lost: u64,
    damage: Damage,
    canaries: u64,
    caught: u64,
    kept: Vec<PathBuf>,
}

/// What is wrong with a store that was opened on an image.
enum Wrong {
    /// It did not open, or could not be read or written.
    Unopenable(String),
    /// It holds what no number of whole batches leaves.
    Half(String),
    /// It lacks batches that were acknowledged.
    Lost { acknowledged: u64, found: u64 },
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unopenable(why) => write!(f, "it does not open: {why}"),
            Self::Half(what) => write!(f, "half a batch is visible: {what}"),
            Self::Lost {
                acknowledged,
                found,
            } => write!(
                f,
                "{acknowledged} batches were acknowledged, {found} are there"
            ),
        }
    }
}

/// Opened well, and how.
struct Opened {
    batches: u64,
    recovered: bool,
}

/// Makes and checks so many images.
pub fn run(images: u64, seed: u64, report: &mut Report) -> Result<()> {
    let home = home()?;
    let tally = Mutex::new(Tally::default());
    let (begun, chain) = (AtomicU64::new(0), AtomicU64::new(seed));
    let workers = thread::available_parallelism().map_or(1, |count| count.get());
    thread::scope(|scope| {
        let work = || -> Result<()> {
            while begun.load(Ordering::Relaxed) < images {
                let seed = chain.fetch_add(1, Ordering::Relaxed);
                one_chain(seed, images, &begun, home.path(), &tally)
                    .with_context(|| format!("in the chain of seed {seed}"))?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("a worker panicked")))
        })
    })?;
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !tally.kept.is_empty() {
        let _kept = home.keep();
    }
    tell(&tally, images, report);
    Ok(())
}

fn tell(tally: &Tally, images: u64, report: &mut Report) {
    report.at_least("R02: images of a power cut", tally.images, "", images);
    report.notes("R02: calls after which the power was cut", tally.calls, "");
    report.none("R02: acknowledged batches lost", tally.lost);
    report.none("R02: halves of batches visible", tally.halves);
    report.none("R02: images that do not open", tally.unopenable);
    let some = images.div_ceil(100);
    report.at_least(
        "R02: images with a log to take in",
        tally.recovered,
        "",
        some,
    );
    report.at_least(
        "R02: images that lost something unsynced",
        tally.unsynced_lost,
        "",
        some,
    );
    report.at_least("R02: torn writes", tally.damage.torn, "", some);
    report.at_least("R02: lengths not extended", tally.damage.cut, "", some);
    report.at_least("R02: names that went back", tally.damage.names_back, "", 1);
    report.notes("R02: sectors lost", tally.damage.sectors_lost, "");
    let percent = 100 * tally.caught / tally.canaries.max(1);
    report.notes("R02: images of a disk whose syncs lie", tally.canaries, "");
    report.at_least("R02: of these found out", percent, "%", 10);
}

/// Where images are opened: in memory where the system has such a folder.
pub fn home() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let made = tempfile::Builder::new()
        .prefix("repute-vfs-")
        .tempdir_in(memory);
    made.or_else(|_| TempDir::with_prefix("repute-vfs-"))
        .context("no folder to work in")
}

fn one_chain(
    seed: u64,
    images: u64,
    begun: &AtomicU64,
    home: &Path,
    tally: &Mutex<Tally>,
) -> Result<()> {
    let mut rng = Rng::from_u64(seed);
    let mut story = Story::new(seed);
    let mut base = Files::new();
    for life in 0..LIVES {
        if begun.load(Ordering::Relaxed) >= images {
            return Ok(());
        }
        let folder = home.join(format!("life-{seed}-{life}"));
        let log = live(&folder, &base, &story, &mut rng).with_context(|| format!("life {life}"))?;
        let mut cutter = Cutter {
            seed,
            life,
            folder: home.join(format!("cut-{seed}-{life}")),
            begun,
            tally,
            next: None,
        };
        cutter.cut(&base, &log, &mut story, &mut rng)?;
        match cutter.next {
            Some(files) => base = files,
            None => return Ok(()),
        }
    }
    Ok(())
}

/// One run of the workload on these files; what happened, in order.
fn live(folder: &Path, base: &Files, story: &Story, rng: &mut Rng) -> Result<Vec<Entry>> {
    fs::create_dir(folder)?;
    platter::write(folder, base)?;
    let disk = Arc::new(Disk::new(folder, Plan::Fine));
    let watch = Watch::over(folder, disk.clone());
    disk.record(base.keys().cloned());
    let mut options = Options::default();
    options.log_pages = Some([4, 16, 64, 1_000][rng.below(4) as usize]);
    let (arrive, arrived) = mpsc::channel();
    let (permit, permits) = mpsc::channel::<()>();
    let permits = Mutex::new(permits);
    options.hook = Some(Arc::new(move |point| {
        // Each commit waits until all that shall share the next one is queued.
        if point == Point::CommitBegins && arrive.send(()).is_ok() {
            let permits = permits.lock().unwrap_or_else(PoisonError::into_inner);
            let _go = permits.recv();
        }
    }));
    let reopened = rng.chance(1, 2).then(|| rng.below(BATCHES));
    let (mut store, _) = SqliteStore::open(folder, options.clone())?;
    let mut next = Held::of(&store)?
        .batches()
        .context("the image was checked")?;
    let last = next + BATCHES;
    while next < last {
        let burst = (1 + rng.below(6)).min(last - next);
        let (told, answers) = mpsc::channel();
        for number in next..next + burst {
            let (told, disk) = (told.clone(), disk.clone());
            let done = Box::new(move |result: Result<(), _>| {
                if result.is_ok() {
                    disk.acknowledged(number);
                }
                let _ = told.send(result);
            });
            store.write(story.batch(number), done);
            if number == next {
                arrived.recv()?;
            }
        }
        permit.send(())?;
        if burst > 1 {
            arrived.recv()?;
            permit.send(())?;
        }
        for answer in answers.iter().take(burst as usize) {
            answer.context("the store refused a batch on a disk that is fine")?;
        }
        next += burst;
        if rng.chance(1, 4) {
            store.peers()?;
        }
        if reopened.is_some_and(|at| last - next <= at && last - next + burst > at) {
            store.close()?;
            drop(store);
            store = SqliteStore::open(folder, options.clone())?.0;
        }
    }
    store.close()?;
    drop((store, watch));
    fs::remove_dir_all(folder)?;
    Ok(disk.take_log())
}

/// Makes the images of one life and opens each.
struct Cutter<'a> {
    seed: u64,
    life: u64,
    folder: PathBuf,
    begun: &'a AtomicU64,
    tally: &'a Mutex<Tally>,
    /// What the next life begins on.
    next: Option<Files>,
}

impl Cutter<'_> {
    fn cut(&mut self, base: &Files, log: &[Entry], story: &mut Story, rng: &mut Rng) -> Result<()> {
        let (mut true_disk, mut lying_disk) = (Platter::with(base), Platter::with(base));
        let mut lies = rng.fork();
        // The life before ended with all that its image held.
        let mut acknowledged = 0;
        let candidates = log.len() as u64;
        let mut chosen = rng.below(candidates.max(1));
        for (place, entry) in log.iter().enumerate() {
            true_disk.apply(entry, false)?;
            // A name that lies is no name: only the syncs of files do.
            let lie = matches!(entry, Entry::Synced(_)) && lies.chance(1, 2);
            lying_disk.apply(entry, lie)?;
            if let Entry::Acknowledged(batch) = entry {
                acknowledged = batch + 1;
                continue;
            }
            let (files, damage) = true_disk.image(rng);
            let nth = self.begun.fetch_add(1, Ordering::Relaxed);
            let verdict = self.open(&files, acknowledged, story);
            self.judge(&files, &damage, place, &verdict);
            if let Ok(opened) = verdict
                && place as u64 >= chosen
                && files.contains_key(DATABASE)
                && opened.batches >= acknowledged
            {
                let whole = |name: &String| !name.contains(".new");
                let kept = files.into_iter().filter(|(name, _)| whole(name));
                self.next = Some(kept.collect());
                chosen = u64::MAX;
            }
            if nth.is_multiple_of(CANARY_EVERY) {
                let (files, _) = lying_disk.image(rng);
                let caught = self.open(&files, acknowledged, story).is_err();
                self.tally(|tally| {
                    tally.canaries += 1;
                    tally.caught += u64::from(caught);
                });
            }
        }
        ensure!(
            !log.is_empty(),
            "nothing was written down: the shim is not in use"
        );
        Ok(())
    }

    fn tally(&self, touch: impl FnOnce(&mut Tally)) {
        touch(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn judge(&self, files: &Files, damage: &Damage, place: usize, verdict: &Result<Opened, Wrong>) {
        self.tally(|tally| {
            tally.images += 1;
            tally.calls += 1;
            tally.damage.add(damage);
            tally.unsynced_lost += u64::from(damage.sectors_lost > 0);
            match verdict {
                Ok(opened) => tally.recovered += u64::from(opened.recovered),
                Err(wrong) => {
                    match wrong {
                        Wrong::Unopenable(_) => tally.unopenable += 1,
                        Wrong::Half(_) => tally.halves += 1,
                        Wrong::Lost { .. } => tally.lost += 1,
                    }
                    eprintln!(
                        "seed {}, life {}, call {place}: {wrong}",
                        self.seed, self.life
                    );
                    self.keep(tally, files, place);
                }
            }
        });
    }

    /// Leaves an image that failed for a look.
    fn keep(&self, tally: &mut Tally, files: &Files, place: usize) {
        if tally.kept.len() >= KEPT_MAX {
            return;
        }
        let folder = self.folder.with_extension(format!("failed-{place}"));
        if fs::create_dir(&folder).is_ok() && platter::write(&folder, files).is_ok() {
            eprintln!("kept in {}", folder.display());
            tally.kept.push(folder);
        }
    }

    /// Opens a store on an image, compares all it holds, and writes to it.
    fn open(&self, files: &Files, acknowledged: u64, story: &mut Story) -> Result<Opened, Wrong> {
        let opened = self.open_in(files, acknowledged, story);
        // Nothing of it may be there for the next one.
        let _gone = fs::remove_dir_all(&self.folder);
        opened
    }

    fn open_in(
        &self,
        files: &Files,
        acknowledged: u64,
        story: &mut Story,
    ) -> Result<Opened, Wrong> {
        let broken = |error: &dyn std::fmt::Display| Wrong::Unopenable(error.to_string());
        fs::create_dir_all(&self.folder).map_err(|error| broken(&error))?;
        platter::write(&self.folder, files).map_err(|error| broken(&error))?;
        let open = || SqliteStore::open(&self.folder, Options::default());
        let (store, opened) = open().map_err(|error| broken(&error))?;
        let held = Held::of(&store).map_err(|error| broken(&error))?;
        let Some(batches) = held.batches() else {
            return Err(Wrong::Half("the last batch left no number".into()));
        };
        if batches < acknowledged {
            let found = batches;
            return Err(Wrong::Lost {
                acknowledged,
                found,
            });
        }
        if held != *story.after(batches) {
            return Err(Wrong::Half(format!("not what {batches} batches leave")));
        }
        write(&store, story.batch(batches)).map_err(|error| broken(&error))?;
        let held = Held::of(&store).map_err(|error| broken(&error))?;
        if held != *story.after(batches + 1) {
            return Err(Wrong::Half(format!(
                "batch {batches} after the cut did not take"
            )));
        }
        store.close().map_err(|error| broken(&error))?;
        Ok(Opened {
            batches,
            recovered: opened.recovered,
        })
    }
}
