//! Files by their hash, fetched from many and believed from nobody.
//!
//! A blob is bytes, named by their BLAKE3 hash. BLAKE3 is a tree, so every *group* of 16 KiB can be
//! proven on its own: whoever gets a range gets the hashes beside it, and a single wrong bit shows
//! at its group, before anybody uses it.
//!
//! [`GroupRanges`] says which groups of a blob are meant: held, wanted, proven.
//!
//! With feature `std`: `Encoder` and `Decoder` make and prove streams of any groups, `Store` keeps
//! blobs below a folder, whole, by reference to files elsewhere, or as far as they have come.
//!
//! This crate never opens a socket or reads a clock, and without feature `std` it never sees a file.
//!
//! ```
//! use repute_blobs::GroupRanges;
//!
//! let held: GroupRanges = [0..4, 8..12].into_iter().collect();
//! let wanted = GroupRanges::of(2..10).difference(&held);
//! assert_eq!(wanted.ranges().collect::<Vec<_>>(), [4..8]);
//! ```
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod availability;
mod candidate;
mod config;
mod desk;
mod download;
mod engine;
mod held;
mod input;
mod limits;
mod output;
mod pacer;
mod piece;
mod ranges;
mod slots;
mod stats;
#[cfg(feature = "std")]
mod store;
mod throughput;
mod uploads;
#[cfg(feature = "std")]
mod verified;
mod whereabouts;
mod witness;

pub use config::{Config, ConfigError, TierPolicy};
pub use engine::Blobs;
pub use input::{
    Choice, DownloadId, Grade, Input, Order, Ranked, RequestId, StreamEnd, StreamId, Trouble,
};
pub use limits::Limits;
pub use output::{
    Event, Evidence, Left, Output, PlanRow, Progress, Refusal, SeederProgress, Stuck, Verdict,
};
pub use ranges::{GroupRanges, TooManyRanges};
pub use stats::Stats;
#[cfg(feature = "std")]
pub use store::{
    Blob, BlobEncoder, BlobState, Collection, CollectionEntry, CollectionError, ExportMode,
    Garbage, Hold, ImportMode, Imported, ImportedFolder, NameError, Partial, Store, StoreError,
    StoreLimits, StoredBlob, Tag, sanitise,
};
#[cfg(feature = "std")]
pub use verified::{
    BLOB_BYTES_MAX, Decoder, EncodeError, Encoder, Parent, Proven, ReadAt, TreeBuilder,
    VerifyError, WriteAt, proven_groups, tree_bytes, tree_of,
};
pub use whereabouts::{Whereabouts, WhereaboutsInput, WhereaboutsLimits, WhereaboutsOutput};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
