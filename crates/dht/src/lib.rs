//! A distributed table of records that prove where they belong.
//!
//! [`Dht`] is Kademlia (IPTPS 2002) over 256-bit ids, as one state machine without I/O:
//!
//! - the *table* holds nodes that proved to be there, over a link of their own, and that serve;
//!   long-lived ones stay, prefixes are limited, whom trust has closed out has no place;
//! - a *lookup* asks its way to the nodes closest to a place, on disjoint paths, so that who lies
//!   on one does not lead the others astray, and ends as soon as the closest few know of nobody
//!   closer;
//! - a *record* is signed by its author and names its own place: it is judged before it is kept
//!   and before it is believed; the newest wins; its author publishes it again after a third of
//!   its lifetime, its holders do when the author is silent.
//!
//! Requests carry what the asker knows, so that answers hold only what is new. A named node is
//! hearsay until its own link proved it. What can be judged from the bytes alone is blamed on who
//! sent them; clocks, lateness and duplicates are nobody's fault.
//!
//! The shell's part: make links ([`Output::Link`]), check and make signatures, store rows. An
//! answer that a record is kept promises nothing about the store.
//!
//! This crate never opens a socket, reads a clock, checks or makes a signature, or writes a file.
//!
//! ```
//! use repute_base::{Machine, Rng, Timestamp};
//! use repute_dht::{Config, Dht, Event, Input, Limits, Output};
//! use repute_identity::Identity;
//! use repute_protocol::{NetworkId, RecordKey};
//!
//! let me = Identity::from_seed(1).id();
//! let network = NetworkId::from_name("example");
//! let mut dht =
//!     Dht::new(Config::default(), Limits::default(), me, network, Rng::from_u64(7)).unwrap();
//! assert!(dht.closest(RecordKey::of_node(&me), 20).is_empty(), "it knows nobody yet");
//! ```
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod blame;
mod bucket;
mod config;
mod contact;
mod directory;
mod distance;
mod diversity;
mod engine;
mod input;
mod journal;
mod limits;
mod link;
mod links;
mod lookup;
mod output;
mod publish;
mod put;
mod reach;
mod refresh;
mod replicate;
mod request;
mod rtt;
mod serve;
mod stats;
mod store;
mod table;
mod verify;

pub use config::{Config, ConfigError, Serve};
pub use directory::{
    Directory, DirectoryConfig, DirectoryCounters, DirectoryError, DirectoryEvent, DirectoryInput,
    DirectoryLimits, DirectoryOutput, DirectoryRefusal, DirectoryWrite, Entry, Filter, HeardBy,
    OwnAdvertisement,
};
pub use engine::Dht;
pub use input::{Draft, Input, Want};
pub use limits::Limits;
pub use output::{Event, FoundRecord, Outcome, Output, Refusal, Step, Write};
pub use stats::Stats;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
