//! The store of files of a running node, and who works with it.
//!
//! The task that owns the core never waits for it: what streams, transfers and the application have
//! to say comes as [`Word`]s through a bounded queue, and what the engine says is noted at once.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use repute_base::{Address, BoundedVec};
use repute_blobs::{DownloadId, Event, Input, Refusal, Store, StoreError, StoreLimits};
use repute_identity::NodeId;
use repute_protocol::{Contact, TransferRequest};
use repute_transport::{StreamWriter, Streams};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    FilesError, TransferEvent,
    cells::Cells,
    serving,
    sharing::Shares,
    tap::{Outcome, Tap},
    workers::Workers,
};
use crate::runtime::clock::Clock;

/// Words that wait for the driver. Who has more to say waits, and reads or sends nothing meanwhile.
const WORDS_MAX: usize = 1_024;
/// Downloads of the engine at once, of the 64 that it takes: a few places stay for dry runs.
const DOWNLOADS_MAX: usize = 60;
/// Between two clean-ups.
const GARBAGE_PAUSE: Duration = Duration::from_secs(3_600);
/// How long what is under way may take to end when the node stops.
const CLOSE_TIME: Duration = Duration::from_secs(20);

/// What the driver is told.
pub(crate) enum Word {
    /// For the engine.
    Input(Input),
    /// A peer asks for groups.
    Asked {
        peer: NodeId,
        writer: StreamWriter,
        request: Box<TransferRequest>,
    },
    /// A peer wrote a head that no honest peer writes.
    Malformed { peer: NodeId },
}

/// An open library, and what it has to say to the driver.
pub(crate) type Opened = (Arc<Library>, mpsc::Receiver<Word>);

/// What the library is made of.
pub(crate) struct Shelf {
    pub(crate) folder: PathBuf,
    pub(crate) quota_bytes: Option<u64>,
    pub(crate) rows: Arc<dyn repute_storage::Store>,
    pub(crate) clock: Clock,
    pub(crate) me: NodeId,
    pub(crate) addresses: Vec<Address>,
}

/// The files of a running node.
pub(crate) struct Library {
    store: Mutex<Option<Store>>,
    workers: Arc<Workers>,
    pub(super) rows: Arc<dyn repute_storage::Store>,
    pub(super) clock: Clock,
    pub(super) me: Contact,
    pub(super) quota_bytes: Option<u64>,
    words: mpsc::Sender<Word>,
    taps: Mutex<BTreeMap<DownloadId, Arc<Tap>>>,
    next_download: AtomicU64,
    pub(super) downloads: Semaphore,
    cells: Mutex<Cells>,
    pub(super) shares: Shares,
    /// Transfers, and what else is to end in order.
    tasks: Mutex<JoinSet<()>>,
    closed: watch::Sender<bool>,
    ready: watch::Sender<bool>,
}

impl Library {
    /// Opens the store. What was shared or unfinished comes back with [`Self::start`].
    pub(crate) fn open(shelf: Shelf) -> Result<Opened, StoreError> {
        let mut limits = StoreLimits::default();
        limits.quota_bytes = shelf.quota_bytes.unwrap_or(limits.quota_bytes);
        let store = Store::open(&shelf.folder, limits)?;
        let (words, heard) = mpsc::channel(WORDS_MAX);
        let library = Self {
            store: Mutex::new(Some(store)),
            workers: Arc::default(),
            rows: shelf.rows,
            clock: shelf.clock,
            me: Contact {
                id: shelf.me,
                addresses: BoundedVec::truncated(shelf.addresses),
            },
            quota_bytes: shelf.quota_bytes,
            words,
            taps: Mutex::default(),
            next_download: AtomicU64::new(1),
            downloads: Semaphore::new(DOWNLOADS_MAX),
            cells: Mutex::default(),
            shares: Shares::default(),
            tasks: Mutex::default(),
            closed: watch::Sender::new(false),
            ready: watch::Sender::new(false),
        };
        Ok((Arc::new(library), heard))
    }

    /// Takes the streams of peers, and goes on with what was shared and unfinished.
    pub(crate) fn start(self: &Arc<Self>, streams: Option<Streams>) {
        if let Some(streams) = streams {
            tokio::spawn(serving::accept(Arc::clone(self), streams));
        }
        let library = Arc::clone(self);
        self.spawn(async move {
            library.load_transfers().await;
            library.load_shares().await;
            library.clean_up().await;
        });
    }

    /// What was unfinished is known again.
    pub(super) fn is_ready(&self) {
        self.ready.send_replace(true);
    }

    /// Waits until what was unfinished is known again.
    pub(super) async fn ready(&self) -> Result<(), FilesError> {
        let mut ready = self.ready.subscribe();
        tokio::select! {
            biased;
            () = self.closed() => Err(FilesError::Stopped),
            _ = ready.wait_for(|ready| *ready) => Ok(()),
        }
    }

    /// Removes garbage from time to time.
    async fn clean_up(&self) {
        loop {
            tokio::select! {
                biased;
                () = self.closed() => return,
                () = tokio::time::sleep(GARBAGE_PAUSE) => {}
            }
            self.clean().await;
        }
    }

    /// Runs a task that ends before the store closes.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if *self.closed.borrow() {
            return;
        }
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// The store, until the node stops.
    pub(super) fn store(&self) -> Result<Store, FilesError> {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.clone().ok_or(FilesError::Stopped)
    }

    pub(super) const fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }

    /// Says when the node stops.
    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    /// Waits until the node stops.
    pub(super) async fn closed(&self) {
        let mut closed = self.closed.subscribe();
        // The sender lives as long as this.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Tells the engine, as soon as there is room.
    pub(super) async fn say(&self, input: Input) {
        self.tell_driver(Word::Input(input)).await;
    }

    pub(super) async fn tell_driver(&self, word: Word) {
        // Nobody listens when the node stops.
        let _ = self.words.send(word).await;
    }

    pub(super) fn cells(&self) -> MutexGuard<'_, Cells> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taps(&self) -> MutexGuard<'_, BTreeMap<DownloadId, Arc<Tap>>> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tap(&self, id: DownloadId) -> Option<Arc<Tap>> {
        self.taps().get(&id).map(Arc::clone)
    }

    pub(super) fn next_download(&self) -> DownloadId {
        DownloadId(self.next_download.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn listen(&self, tap: &Arc<Tap>) {
        self.taps().insert(tap.id, Arc::clone(tap));
    }

    pub(super) fn forget(&self, id: DownloadId) {
        self.taps().remove(&id);
    }

    /// What the engine says of its downloads. Called between two steps of the core.
    pub(crate) fn hear(&self, event: Event) {
        let tap = |id| self.tap(id);
        let tell = |id, event| {
            if let Some(tap) = tap(id) {
                tap.cell.tell(&event);
            }
        };
        match event {
            Event::Plan { id, rows } => tell(id, TransferEvent::Plan { rows }),
            Event::Joined { id, peer } => tell(id, TransferEvent::Joined { peer }),
            Event::Left { id, peer, why } => tell(id, TransferEvent::Left { peer, why }),
            Event::Stuck { id, why } => tell(id, TransferEvent::Stuck { why }),
            Event::Progress(progress) => {
                if let Some(tap) = tap(progress.id) {
                    tap.cell.progress(*progress);
                }
            }
            Event::Finished {
                id,
                size,
                wasted,
                seeders,
                ..
            } => {
                if let Some(tap) = tap(id) {
                    tap.end(Outcome::Finished {
                        size,
                        wasted,
                        seeders,
                    });
                }
            }
            Event::Refused { id, reason } if reason != Refusal::Unknown => {
                if let Some(tap) = tap(id) {
                    tap.end(Outcome::Refused(reason));
                }
            }
            Event::NotShared { hash } => self
                .shares
                .trouble(&hash, "as many files are offered as fit"),
            _ => {}
        }
    }

    /// Ends all that is under way, makes it durable and closes the store. Words are not taken any
    /// more by then.
    pub(crate) async fn close(&self) {
        self.closed.send_replace(true);
        self.cells().stop();
        let mut tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        let ended = async {
            while tasks.join_next().await.is_some() {}
            self.workers.close();
            self.workers.ended().await;
        };
        if timeout(CLOSE_TIME, ended).await.is_err() {
            tracing::warn!("work on files did not end in time; what is durable stays so");
            self.workers.close();
        }
        // Of those that were begun too late to run.
        for cell in self.cells().all() {
            cell.tell(&TransferEvent::Stopped);
            cell.close();
        }
        self.taps().clear();
        self.store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}
