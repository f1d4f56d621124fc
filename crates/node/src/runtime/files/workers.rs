//! Work that blocks, on a bounded number of threads beside the runtime's.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};

use super::FilesError;

/// Runs of bytes that are hashed, read or written at once. More than a disk and the cores can do
/// together would only take memory.
const RUNS_MAX: usize = 8;
/// Long work at once: imports, exports, checks, clean-ups.
const LONG_MAX: usize = 2;
/// Fetches that are made durable at once, and small work on the store.
const SHORT_MAX: usize = 8;

/// How long a piece of work takes, so that none waits for much longer ones.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A run of a stream: below a millisecond unless the disk is busy.
    Run,
    /// A few calls to the store, or making something durable.
    Short,
    /// As long as a file is.
    Long,
}

/// Where blocking work is done, and who must have ended before the store closes.
pub(super) struct Workers {
    runs: Arc<Semaphore>,
    short: Arc<Semaphore>,
    long: Arc<Semaphore>,
    /// Held by whoever uses the store. Taken away when no more may begin.
    alive: Mutex<Option<mpsc::Sender<()>>>,
    gone: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

/// Somebody uses the store.
#[derive(Clone)]
pub(super) struct Alive {
    _sender: mpsc::Sender<()>,
}

/// Work that was begun.
pub(super) struct Work<T>(JoinHandle<Result<T, FilesError>>);

impl<T> Work<T> {
    /// Waits until it is done. Once only.
    pub(super) async fn done(&mut self) -> Result<T, FilesError> {
        match (&mut self.0).await {
            Ok(done) => done,
            Err(_) => Err(FilesError::Lost("a thread panicked")),
        }
    }
}

impl Default for Workers {
    fn default() -> Self {
        let (alive, gone) = mpsc::channel(1);
        Self {
            runs: Arc::new(Semaphore::new(RUNS_MAX)),
            short: Arc::new(Semaphore::new(SHORT_MAX)),
            long: Arc::new(Semaphore::new(LONG_MAX)),
            alive: Mutex::new(Some(alive)),
            gone: tokio::sync::Mutex::new(gone),
        }
    }
}

impl Workers {
    /// Leave to use the store until this is dropped.
    pub(super) fn begin(&self) -> Result<Alive, FilesError> {
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = alive.clone().ok_or(FilesError::Stopped)?;
        Ok(Alive { _sender: sender })
    }

    fn places(&self, kind: Kind) -> Arc<Semaphore> {
        Arc::clone(match kind {
            Kind::Run => &self.runs,
            Kind::Short => &self.short,
            Kind::Long => &self.long,
        })
    }

    /// Begins `work` on another thread at once, or as soon as there is a place. Dropping what this
    /// gives does not stop it.
    pub(super) fn start<T: Send + 'static>(
        self: &Arc<Self>,
        kind: Kind,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Work<T> {
        let (Ok(alive), Ok(place)) = (self.begin(), self.places(kind).try_acquire_owned()) else {
            let workers = Arc::clone(self);
            return Work(tokio::spawn(async move { workers.run(kind, work).await }));
        };
        Work(tokio::task::spawn_blocking(move || {
            let done = work();
            drop((place, alive));
            Ok(done)
        }))
    }

    /// Does `work` on another thread. Dropping this does not stop it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        kind: Kind,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, FilesError> {
        let alive = self.begin()?;
        let place = self.places(kind).acquire_owned().await;
        let place = place.map_err(|_| FilesError::Stopped)?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((place, alive));
            done
        });
        done.await
            .map_err(|_| FilesError::Lost("a thread panicked"))
    }

    /// Lets nothing begin any more.
    pub(super) fn close(&self) {
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        *alive = None;
    }

    /// Waits until all that began has ended.
    pub(super) async fn ended(&self) {
        while self.gone.lock().await.recv().await.is_some() {}
    }
}
