//! Where the bytes of a download go, and when they are made durable.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use repute_blobs::{GroupRanges, Store, StoreError};
use repute_protocol::BlobHash;
use tokio::{
    sync::{Notify, OwnedRwLockReadGuard, RwLock},
    time::sleep,
};

use super::{
    FilesError,
    place::Place,
    workers::{Kind, Workers},
};

/// What is made durable together at least, unless it takes longer than [`SYNC_TIME`].
const SYNC_BYTES: u64 = 32 << 20;
/// What came is durable after so long: as much as a crash costs.
const SYNC_TIME: Duration = Duration::from_secs(2);

/// Where the groups of one download go.
pub(super) struct Sink {
    hash: BlobHash,
    store: Store,
    workers: Arc<Workers>,
    /// Whether it may be held in memory.
    small: bool,
    /// Read-locked by who writes, write-locked to begin anew with another size.
    place: Arc<RwLock<Option<Place>>>,
    dirty: Mutex<Dirty>,
    full: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Dirty {
    bytes: u64,
    /// Whether somebody will make it durable.
    watched: bool,
}

/// Leave to write. As long as there is one, the fetch is not begun anew.
pub(super) type Lease = OwnedRwLockReadGuard<Option<Place>, Place>;

impl Sink {
    pub(super) fn new(hash: BlobHash, store: Store, workers: Arc<Workers>, small: bool) -> Self {
        Self {
            hash,
            store,
            workers,
            small,
            place: Arc::default(),
            dirty: Mutex::default(),
            full: Arc::default(),
        }
    }

    pub(super) const fn hash(&self) -> BlobHash {
        self.hash
    }

    /// Leave to write groups of a blob of so many bytes. What was fetched under another size is
    /// thrown away: the engine changes its mind only while none is proven.
    pub(super) async fn lease(&self, size: u64) -> Result<Lease, FilesError> {
        let fits = |open: &Option<Place>| {
            let open = open.as_ref();
            open.is_some_and(|place| place.size() == size)
        };
        loop {
            let guard = Arc::clone(&self.place).read_owned().await;
            if !fits(&guard) {
                drop(guard);
            } else if let Ok(lease) = OwnedRwLockReadGuard::try_map(guard, Option::as_ref) {
                return Ok(lease);
            }
            let mut open = Arc::clone(&self.place).write_owned().await;
            if fits(&open) {
                continue;
            }
            let (store, hash, small) = (self.store.clone(), self.hash, self.small);
            let begun = self.workers.run(Kind::Short, move || {
                *open = None;
                *open = Some(Place::begin(&store, &hash, size, small)?);
                Ok::<_, StoreError>(())
            });
            begun.await??;
        }
    }

    /// Opens what was fetched before, and gives what is durable of it.
    pub(super) async fn reopen(&self, size: u64) -> Result<GroupRanges, FilesError> {
        Ok(self.lease(size).await?.durable())
    }

    /// So many more bytes are written; they will be durable soon.
    pub(super) fn wrote(
        self: &Arc<Self>,
        bytes: u64,
        trouble: impl FnOnce(FilesError) + Send + 'static,
    ) {
        let mut dirty = self.dirty();
        dirty.bytes += bytes;
        if dirty.bytes >= SYNC_BYTES {
            self.full.notify_one();
        }
        if dirty.watched {
            return;
        }
        let Ok(alive) = self.workers.begin() else {
            return;
        };
        dirty.watched = true;
        drop(dirty);
        let sink = Arc::clone(self);
        tokio::spawn(async move {
            let kept = sink.keep_durable().await;
            drop((sink, alive));
            if let Err(error) = kept {
                trouble(error);
            }
        });
    }

    fn dirty(&self) -> MutexGuard<'_, Dirty> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_durable(&self) -> Result<(), FilesError> {
        loop {
            tokio::select! {
                biased;
                () = self.full.notified() => {}
                () = sleep(SYNC_TIME) => {}
            }
            let synced = self.sync().await;
            let is_closed = self.place.read().await.is_none();
            let mut dirty = self.dirty();
            if synced.is_err() || is_closed || dirty.bytes == 0 {
                dirty.watched = false;
                return synced;
            }
        }
    }

    /// Makes durable what is written.
    pub(super) async fn sync(&self) -> Result<(), FilesError> {
        let guard = Arc::clone(&self.place).read_owned().await;
        let Ok(lease) = OwnedRwLockReadGuard::try_map(guard, Option::as_ref) else {
            return Ok(());
        };
        // What is written from now on counts for the next.
        self.dirty().bytes = 0;
        let synced = self.workers.run(Kind::Short, move || lease.sync());
        Ok(synced.await??)
    }

    /// Makes all of it durable and the blob whole.
    pub(super) async fn complete(&self, size: u64) -> Result<(), FilesError> {
        let (lease, store) = (self.lease(size).await?, self.store.clone());
        let completed = self
            .workers
            .run(Kind::Short, move || lease.complete(&store));
        Ok(completed.await??)
    }

    /// What a crash does not take away.
    pub(super) async fn durable(&self) -> Result<GroupRanges, FilesError> {
        self.sync().await?;
        let open = self.place.read().await;
        Ok(open.as_ref().map(Place::durable).unwrap_or_default())
    }

    /// Waits until nobody writes any more, makes durable what is written, and lets go of the files.
    pub(super) async fn close(&self) -> Result<(), FilesError> {
        let place = self.place.write().await.take();
        self.dirty().bytes = 0;
        self.full.notify_one();
        let Some(place) = place else {
            return Ok(());
        };
        let synced = self.workers.run(Kind::Short, move || place.sync());
        Ok(synced.await??)
    }
}
