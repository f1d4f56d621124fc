//! The durable store of a node: what it knows of peers, the trust ledger, bans, what it has seen,
//! and a few named values.
//!
//! [`Store`] is the seam: a node is handed one and cares no further. [`SqliteStore`] keeps its
//! word on disk, [`MemoryStore`] in memory, and any other implementation is welcome that passes
//! [`contract::run`]. A batch handed to [`Store::write`] is written whole or not at all, and is
//! acknowledged only when it is durable.
//!
//! This crate never judges what it keeps: bodies are opaque, and the engines' own encoding. It
//! never runs a task or needs a runtime: one plain thread writes, callbacks answer.
//!
//! ```
//! use repute_storage::{MemoryStore, Store, Write};
//!
//! let store = MemoryStore::new();
//! let write = Write::State { key: "colour".into(), value: b"blue".to_vec() };
//! store.write(vec![write], Box::new(|result| assert_eq!(result, Ok(()))));
//! assert_eq!(store.state("colour").unwrap().as_deref(), Some(&b"blue"[..]));
//! ```

#[cfg(feature = "sqlite")]
mod check;
pub mod contract;
mod error;
pub mod limits;
mod memory;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod write;

pub use error::StoreError;
pub use limits::Bounds;
pub use memory::MemoryStore;
pub use row::{BanRow, EventRow, HearsayRow, ItemRow, PeerRow, SeenRow, Shelf};
#[cfg(feature = "sqlite")]
pub use sqlite::{Hook, OnCorrupt, OpenReport, Options, Point, SqliteStore};
pub use store::{Health, LoadReport, Store};
pub use write::{Done, Prune, Write};

#[cfg(feature = "sqlite")]
pub mod fixture {
    //! Databases as older versions of this program wrote them, for tests of the upgrade.

    pub use crate::sqlite::fixture::version_1;
}
