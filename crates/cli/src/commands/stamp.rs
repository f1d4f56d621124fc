use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use indicatif::{ProgressBar, ProgressStyle};
use repute_identity::{NodeId, Stamp, StampSearch};
use serde::Serialize;

use super::{data_dir, shown_when};
use crate::{
    args::Global,
    exit::{Exit, Failure},
    print::{print, print_json},
};

/// Numbers tried between two looks at whether to stop: some milliseconds.
const PORTION: u64 = 1 << 16;

#[derive(Serialize)]
struct Found {
    id: String,
    bits: u8,
    nonce: u64,
    tried: u64,
    seconds: f64,
    file: String,
}

/// Searches a stamp for the identity of this data directory, shows how far it is, and keeps it.
/// A running node shows it to its neighbours at once.
pub(super) async fn run(global: &Global, bits: u8) -> Result<(), Failure> {
    let dir = data_dir(global)?;
    let id = super::id::inception(&dir)?.node_id();
    let kept = dir.load_stamp().map_err(Failure::from_file)?;
    let begun = Instant::now();
    let (stamp, tried) = match kept.filter(|stamp| stamp.proves(&id, bits)) {
        Some(stamp) => (stamp, 0),
        None => search(id, bits).await?,
    };
    if tried > 0 {
        dir.save_stamp(stamp).map_err(Failure::from_file)?;
    }
    let when = shown_when(global).await;
    let found = Found {
        id: id.to_string(),
        bits: stamp.bits(&id),
        nonce: stamp.nonce,
        tried,
        seconds: begun.elapsed().as_secs_f64(),
        file: dir.stamp().display().to_string(),
    };
    if global.json {
        return print_json(&found);
    }
    print(&format!(
        "a stamp of {} bits, kept in {}; {when}\n",
        found.bits, found.file
    ))
}

/// Searches on all cores until it is found or Ctrl-C is pressed.
async fn search(id: NodeId, bits: u8) -> Result<(Stamp, u64), Failure> {
    let (stop, tried) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let progress = progress(bits);
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    // Anywhere will do, so a search that was interrupted does not try the same numbers again.
    let begin = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64);
    let workers = (0..threads).map(|nth| {
        let (stop, tried, progress) = (stop.clone(), tried.clone(), progress.clone());
        tokio::task::spawn_blocking(move || {
            let mut search = StampSearch::part(id, bits, begin.wrapping_add(nth), threads);
            while !stop.load(Ordering::Relaxed) {
                let before = search.tried();
                let found = search.run(PORTION);
                let more = search.tried() - before;
                tried.fetch_add(more, Ordering::Relaxed);
                progress.inc(more);
                if found.is_some() {
                    stop.store(true, Ordering::Relaxed);
                    return found;
                }
            }
            None
        })
    });
    let workers: Vec<_> = workers.collect();
    let all = async {
        let mut best = None;
        for worker in workers {
            best = best.or(worker.await.ok().flatten());
        }
        best
    };
    tokio::pin!(all);
    let found = tokio::select! {
        biased;
        found = &mut all => found,
        _ = tokio::signal::ctrl_c() => {
            stop.store(true, Ordering::Relaxed);
            all.await
        }
    };
    progress.finish_and_clear();
    let tried = tried.load(Ordering::Relaxed);
    let interrupted = || {
        let said = format!(
            "interrupted after {tried} tries; a search has no memory, so begin again at any time"
        );
        Failure::new(Exit::Failure, said)
    };
    found.map(|stamp| (stamp, tried)).ok_or_else(interrupted)
}

/// On stderr, and only on a terminal.
fn progress(bits: u8) -> ProgressBar {
    let expected = StampSearch::new(NodeId::from_bytes([0; 32]), bits).expected();
    let bar = ProgressBar::new(expected);
    let style = "{elapsed_precise} {bar:30} {percent:>3} % of the expected tries, {per_sec}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}
