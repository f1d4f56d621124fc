//! The store: blobs on a file system, below one folder.
//!
//! A blob is *whole* (its bytes are the store's own), a *reference* (its bytes are a file elsewhere,
//! which may change) or *partial* (being fetched; a log says which groups are durable). Everything
//! that is read is proven on the way out, everything that is written was proven before.
//!
//! All calls block. Handles are cheap to clone, and work from many threads at once.

mod blob;
mod collection;
mod disk;
mod error;
mod export;
mod files;
mod garbage;
mod import;
mod index;
mod limits;
mod log;
mod name;
mod opening;
mod partial;
mod reference;
mod tags;

pub use blob::{Blob, BlobEncoder};
pub use collection::{Collection, CollectionEntry, CollectionError};
pub use error::StoreError;
pub use export::ExportMode;
pub use garbage::Garbage;
pub use import::{ImportMode, Imported, ImportedFolder};
pub use index::{BlobState, Hold, StoredBlob};
pub use limits::StoreLimits;
pub use name::{NameError, sanitise};
pub use opening::Store;
pub use partial::Partial;
pub use tags::Tag;

#[cfg(test)]
mod tests;
