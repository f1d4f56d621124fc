//! A store of one's own: this one counts what is written, and keeps it elsewhere.
//!
//! Any implementation of `Store` that passes the contract can be handed to a node.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
};

use repute_identity::NodeId;
use repute_storage::{
    BanRow, Done, EventRow, Health, HearsayRow, ItemRow, LoadReport, MemoryStore, PeerRow, SeenRow,
    Shelf, Store, StoreError, Write, contract,
};

#[derive(Default)]
struct Counting {
    inner: MemoryStore,
    changes: AtomicUsize,
}

impl Store for Counting {
    fn write(&self, batch: Vec<Write>, done: Done) {
        self.changes.fetch_add(batch.len(), Ordering::Relaxed);
        self.inner.write(batch, done);
    }
    fn peers(&self) -> Result<Vec<PeerRow>, StoreError> {
        self.inner.peers()
    }
    fn events(&self, visit: &mut dyn FnMut(EventRow)) -> Result<LoadReport, StoreError> {
        self.inner.events(visit)
    }
    fn events_of(&self, subject: NodeId, limit: usize) -> Result<Vec<EventRow>, StoreError> {
        self.inner.events_of(subject, limit)
    }
    fn hearsay(&self) -> Result<Vec<HearsayRow>, StoreError> {
        self.inner.hearsay()
    }
    fn bans(&self) -> Result<Vec<BanRow>, StoreError> {
        self.inner.bans()
    }
    fn seen(&self) -> Result<Vec<SeenRow>, StoreError> {
        self.inner.seen()
    }
    fn items(&self, shelf: Shelf) -> Result<Vec<ItemRow>, StoreError> {
        self.inner.items(shelf)
    }
    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.state(key)
    }
    fn flush(&self) -> Result<(), StoreError> {
        self.inner.flush()
    }
    fn close(&self) -> Result<(), StoreError> {
        self.inner.close()
    }
    fn health(&self) -> Health {
        self.inner.health()
    }
}

fn main() -> ExitCode {
    if let Err(broken) = contract::run(Counting::default) {
        eprintln!("{broken}");
        return ExitCode::FAILURE;
    }
    let store = Counting::default();
    store.write(
        vec![Write::State {
            key: "name".into(),
            value: vec![1],
        }],
        Box::new(|_| ()),
    );
    println!(
        "the contract holds; {} change written",
        store.changes.load(Ordering::Relaxed)
    );
    ExitCode::SUCCESS
}
