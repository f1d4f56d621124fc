//! Files by their hash, fetched from many and believed from nobody.
//!
//! A blob is bytes, named by their BLAKE3 hash. BLAKE3 is a tree, so every *group* of 16 KiB can be
//! proven on its own: whoever gets a range gets the hashes beside it, and a single wrong bit shows
//! at its group, before anybody uses it.
//!
//! [`GroupRanges`] says which groups of a blob are meant: held, wanted, proven.
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

mod ranges;

pub use ranges::{GroupRanges, TooManyRanges};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
