//! A node that keeps what it must remember in the application's own store.
//!
//! Any implementation of `Store` that passes `repute_storage::contract` can take SQLite's place.
//! This one keeps rows in memory and counts them: a fleet would send them to its database.
//!
//! `cargo run -p repute-node --example own_store`

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use repute_identity::NodeId;
use repute_node::{Node, NodeConfig};
use repute_storage::{
    BanRow, Done, EventRow, Health, HearsayRow, ItemRow, LoadReport, MemoryStore, PeerRow, SeenRow,
    Shelf, Store, StoreError, Write,
};

#[derive(Default)]
struct Counting {
    rows: MemoryStore,
    written: AtomicUsize,
}

impl Store for Counting {
    fn write(&self, batch: Vec<Write>, done: Done) {
        self.written.fetch_add(batch.len(), Ordering::Relaxed);
        self.rows.write(batch, done);
    }
    fn peers(&self) -> Result<Vec<PeerRow>, StoreError> {
        self.rows.peers()
    }
    fn events(&self, visit: &mut dyn FnMut(EventRow)) -> Result<LoadReport, StoreError> {
        self.rows.events(visit)
    }
    fn events_of(&self, subject: NodeId, limit: usize) -> Result<Vec<EventRow>, StoreError> {
        self.rows.events_of(subject, limit)
    }
    fn hearsay(&self) -> Result<Vec<HearsayRow>, StoreError> {
        self.rows.hearsay()
    }
    fn bans(&self) -> Result<Vec<BanRow>, StoreError> {
        self.rows.bans()
    }
    fn seen(&self) -> Result<Vec<SeenRow>, StoreError> {
        self.rows.seen()
    }
    fn items(&self, shelf: Shelf) -> Result<Vec<ItemRow>, StoreError> {
        self.rows.items(shelf)
    }
    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.rows.state(key)
    }
    fn flush(&self) -> Result<(), StoreError> {
        self.rows.flush()
    }
    fn close(&self) -> Result<(), StoreError> {
        // The rows stay, so that the next node can have them.
        self.rows.flush()
    }
    fn health(&self) -> Health {
        self.rows.health()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let store = Arc::new(Counting::default());
    let config = || {
        NodeConfig::in_dir(dir.path())
            .listen(([127, 0, 0, 1], 0).into())
            .with_store(store.clone())
    };

    let node = Node::start(config()).await?;
    let nuisance = NodeId::from_bytes([7; 32]);
    // Done means durable: the store has answered.
    node.ban(nuisance, None, "sold me a bridge").await?;
    node.shutdown().await;

    let again = Node::start(config()).await?;
    for ban in again.bans().await? {
        println!("still banned: {} ({})", ban.subject.short(), ban.reason);
    }
    again.shutdown().await;
    println!("{} rows written", store.written.load(Ordering::Relaxed));
    Ok(())
}
