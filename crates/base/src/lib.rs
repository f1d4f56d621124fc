//! What every Repute crate stands on: time as an argument, bounded collections, a seeded
//! generator, fixed-point numbers, token buckets, and the one codec for untrusted bytes.
//!
//! The engines of this project are state machines without I/O, clock or ambient randomness
//! ([`Machine`]). They are handed the time as a [`Timestamp`] and a seeded [`Rng`] once, so that
//! the same run can be replayed from one seed.
//!
//! This crate never reads a clock, opens a socket or file, or asks the operating system for
//! randomness.
//!
//! ```
//! use core::time::Duration;
//! use repute_base::{Mono, Rng};
//!
//! let start = Mono::from_millis(1_000);
//! assert_eq!((start + Duration::from_secs(2)).as_millis(), 3_000);
//!
//! // Equal seeds draw equal numbers, on every machine.
//! assert_eq!(Rng::from_u64(7).below(100), Rng::from_u64(7).below(100));
//! ```
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod address;
mod bounded;
mod bucket;
pub mod codec;
mod fixed;
mod layers;
mod machine;
mod prefix;
mod recent;
mod rng;
mod time;

pub use address::Address;
pub use bounded::{BoundedBytes, BoundedString, BoundedVec, TooLong};
pub use bucket::TokenBucket;
pub use fixed::Fixed;
pub use layers::{Layer, Layers};
pub use machine::Machine;
pub use prefix::{Prefix, PrefixError};
pub use recent::{RecentIter, RecentMap};
pub use rng::Rng;
pub use time::{Mono, Timestamp, Wall};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
