//! One transfer: what was ordered, where it stands, who listens.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use repute_base::Wall;
use repute_blobs::{Choice, DownloadId, Progress, SeederProgress};
use repute_identity::NodeId;
use repute_protocol::{BlobHash, Contact};
use tokio::{sync::watch, time::Instant};

use super::{
    FilesError, SharedKind, Transfer, TransferEvent, TransferId, TransferOutcome, TransferProgress,
    TransferState, TransferView, transfer::News,
};

/// How often listeners hear of progress at most.
const PROGRESS_PAUSE: Duration = Duration::from_millis(250);
/// Who delivered something, of one transfer.
const SEEDERS_MAX: usize = 256;
/// Listeners of one transfer.
const LISTENERS_MAX: usize = 64;

/// What is to become of a transfer.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// It goes on.
    Go,
    /// It waits, for a person or because of trouble.
    Wait(Option<Arc<FilesError>>),
    /// It is taken back.
    Cancel,
    /// The node stops.
    Stop,
}

/// What was ordered; it never changes, and survives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) id: TransferId,
    pub(super) hash: BlobHash,
    /// What the ticket says.
    pub(super) size: Option<u64>,
    pub(super) name: String,
    pub(super) peers: Vec<Contact>,
    pub(super) output: Option<PathBuf>,
    pub(super) keep: bool,
    pub(super) choice: Choice,
    pub(super) since: Wall,
}

/// A transfer.
pub(super) struct Cell {
    pub(super) order: Standing,
    /// Where it is kept over restarts; none if it is not.
    pub(super) slot: Option<usize>,
    begun: Instant,
    wish: watch::Sender<Wish>,
    state: Mutex<State>,
}

struct State {
    stage: TransferState,
    trouble: Option<Arc<FilesError>>,
    kind: SharedKind,
    /// Bytes and files that are whole.
    done: (u64, u32),
    /// In all, if known.
    all: Option<(u64, u32)>,
    wasted: u64,
    /// Of downloads that are over.
    seeders: BTreeMap<NodeId, u64>,
    live: BTreeMap<DownloadId, Progress>,
    listeners: Vec<Weak<News>>,
    told: Option<Instant>,
}

impl Cell {
    pub(super) fn new(order: Standing, slot: Option<usize>, paused: bool) -> Self {
        let wish = if paused { Wish::Wait(None) } else { Wish::Go };
        let stage = if paused {
            TransferState::Paused
        } else {
            TransferState::Fetching
        };
        Self {
            slot,
            begun: Instant::now(),
            wish: watch::Sender::new(wish),
            state: Mutex::new(State {
                stage,
                trouble: None,
                kind: SharedKind::File,
                done: (0, 0),
                all: order.size.map(|size| (size, 1)),
                wasted: 0,
                seeders: BTreeMap::new(),
                live: BTreeMap::new(),
                listeners: Vec::new(),
                told: None,
            }),
            order,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds this.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn id(&self) -> TransferId {
        self.order.id
    }

    /// Somebody listens.
    pub(super) fn listen(&self) -> Transfer {
        let news = Arc::new(News::default());
        let mut state = self.state();
        state.listeners.retain(|one| one.strong_count() > 0);
        if state.stage.is_over() {
            news.close();
        } else if state.listeners.len() < LISTENERS_MAX {
            news.tell(&TransferEvent::Progress(Box::new(state.progress())));
            state.listeners.push(Arc::downgrade(&news));
        } else {
            // One more would slow down all others.
            news.close();
        }
        Transfer::new(self.order.id, self.order.hash, news)
    }

    /// Tells all listeners.
    pub(super) fn tell(&self, event: &TransferEvent) {
        self.state().tell(event);
    }

    /// Nothing more will be told.
    pub(super) fn close(&self) {
        let state = self.state();
        for news in state.listeners.iter().filter_map(Weak::upgrade) {
            news.close();
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Wish> {
        self.wish.subscribe()
    }

    /// It goes on, waits, or ends. What was taken back stays so.
    pub(super) fn set(&self, wish: Wish) {
        let event = match &wish {
            Wish::Go => Some((TransferState::Fetching, TransferEvent::Resumed, None)),
            Wish::Wait(trouble) => {
                let event = TransferEvent::Paused {
                    trouble: trouble.clone(),
                };
                Some((TransferState::Paused, event, trouble.clone()))
            }
            Wish::Cancel | Wish::Stop => None,
        };
        let changed = self.wish.send_if_modified(|now| {
            let keeps = matches!(
                (&*now, &wish),
                (Wish::Cancel | Wish::Stop, Wish::Go | Wish::Wait(_))
                    | (Wish::Cancel, Wish::Stop)
                    | (Wish::Go, Wish::Go)
                    | (Wish::Wait(_), Wish::Wait(_))
            );
            if !keeps {
                *now = wish;
            }
            !keeps
        });
        if let Some((stage, event, trouble)) = event.filter(|_| changed) {
            let mut state = self.state();
            state.stage = stage;
            state.trouble = trouble;
            state.tell(&event);
        }
    }

    /// All is here; it is put in its place.
    pub(super) fn finishing(&self) {
        let mut state = self.state();
        state.stage = TransferState::Finishing;
        state.tell(&TransferEvent::Finishing);
    }

    /// A folder's list is here.
    pub(super) fn listed(&self, files: u32, bytes: u64) {
        let mut state = self.state();
        state.kind = SharedKind::Folder;
        state.done = (0, 0);
        state.all = Some((bytes, files));
        state.tell(&TransferEvent::Listed { files, bytes });
    }

    /// One file is whole, of so many bytes.
    pub(super) fn file_done(&self, bytes: u64) {
        let mut state = self.state();
        state.done.0 += bytes;
        state.done.1 += 1;
        if state.kind == SharedKind::File {
            state.all = Some((bytes, 1));
        }
        state.show(false);
    }

    /// A download is this far.
    pub(super) fn progress(&self, progress: Progress) {
        let mut state = self.state();
        if let (SharedKind::File, Some(size)) = (state.kind, progress.size) {
            state.all = Some((size, 1));
        }
        state.live.insert(progress.id, progress);
        state.show(false);
    }

    /// A download is over; what it came to, if it said so.
    pub(super) fn over(&self, id: DownloadId, sums: Option<(u64, Vec<(NodeId, u64)>)>) {
        let mut state = self.state();
        let last = state.live.remove(&id);
        let (wasted, seeders) = sums.unwrap_or_else(|| {
            let last = last.map(|last| {
                let seeders = last.seeders.iter().map(|one| (one.peer, one.bytes));
                (last.wasted, seeders.collect())
            });
            last.unwrap_or_default()
        });
        state.wasted += wasted;
        for (peer, bytes) in seeders {
            if state.seeders.len() < SEEDERS_MAX || state.seeders.contains_key(&peer) {
                *state.seeders.entry(peer).or_default() += bytes;
            }
        }
    }

    /// Who delivered something.
    pub(super) fn seeders(&self) -> Vec<NodeId> {
        self.state().seeders.keys().copied().collect()
    }

    /// The end, told to all. Gives how it looks then.
    pub(super) fn end(&self, stage: TransferState, event: &TransferEvent) -> TransferView {
        let mut state = self.state();
        state.stage = stage;
        if let TransferEvent::Failed { error } = event {
            state.trouble = Some(Arc::clone(error));
        }
        state.show(true);
        state.tell(event);
        drop(state);
        self.view()
    }

    pub(super) fn outcome(&self, output: Option<PathBuf>) -> TransferOutcome {
        let state = self.state();
        let mut seeders: Vec<_> = state.seeders.iter().map(|(id, sum)| (*id, *sum)).collect();
        seeders.sort_unstable_by_key(|(peer, bytes)| (std::cmp::Reverse(*bytes), *peer));
        TransferOutcome {
            hash: self.order.hash,
            bytes: state.done.0,
            files: state.done.1,
            kind: state.kind,
            took: self.begun.elapsed(),
            wasted: state.wasted,
            seeders,
            output,
        }
    }

    pub(super) fn kind(&self) -> SharedKind {
        self.state().kind
    }

    pub(super) fn view(&self) -> TransferView {
        let state = self.state();
        TransferView {
            id: self.order.id,
            hash: self.order.hash,
            name: self.order.name.clone(),
            state: state.stage,
            progress: state.progress(),
            output: self.order.output.clone(),
            keep: self.order.keep,
            since: self.order.since,
            trouble: state.trouble.clone(),
        }
    }
}

impl State {
    fn tell(&mut self, event: &TransferEvent) {
        self.listeners.retain(|one| one.strong_count() > 0);
        for news in self.listeners.iter().filter_map(Weak::upgrade) {
            news.tell(event);
        }
    }

    /// Tells how far it is, if it was not told lately.
    fn show(&mut self, now: bool) {
        let lately = |told: Instant| told.elapsed() < PROGRESS_PAUSE;
        if self.listeners.is_empty() || !now && self.told.is_some_and(lately) {
            return;
        }
        self.told = Some(Instant::now());
        let progress = Box::new(self.progress());
        self.tell(&TransferEvent::Progress(progress));
    }

    fn progress(&self) -> TransferProgress {
        let mut seeders: BTreeMap<NodeId, SeederProgress> = BTreeMap::new();
        let of_ended = self.seeders.iter().map(|(peer, bytes)| SeederProgress {
            peer: *peer,
            bytes: *bytes,
            rate: 0,
            asked: 0,
            active: false,
            place: None,
            slow: false,
        });
        let of_live = self
            .live
            .values()
            .flat_map(|one| one.seeders.iter().copied());
        for one in of_ended.chain(of_live) {
            let sum = seeders.entry(one.peer).or_insert(SeederProgress {
                bytes: 0,
                rate: 0,
                asked: 0,
                ..one
            });
            sum.bytes += one.bytes;
            sum.rate += one.rate;
            sum.asked += one.asked;
            sum.active |= one.active;
            sum.slow |= one.slow;
            sum.place = sum.place.or(one.place);
        }
        let live = |of: fn(&Progress) -> u64| self.live.values().map(of).sum::<u64>();
        let (bytes, rate) = (self.done.0 + live(|one| one.bytes), live(|one| one.rate));
        let total = self.all.map(|(bytes, _)| bytes);
        let rest = total.map(|total| total.saturating_sub(bytes));
        TransferProgress {
            bytes,
            total,
            rate,
            left: rest
                .filter(|_| rate > 0)
                .map(|rest| Duration::from_secs(rest / rate)),
            wasted: self.wasted + live(|one| one.wasted),
            files_done: self.done.1,
            files: self.all.map(|(_, files)| files),
            seeders: seeders.into_values().collect(),
        }
    }
}
