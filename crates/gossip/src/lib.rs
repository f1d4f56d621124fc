//! Membership, broadcast and anti-entropy as one machine without I/O.
//!
//! This crate never opens a socket, reads a clock, checks a signature or writes a file.
#![no_std]

extern crate alloc;

mod archive;
mod broadcast;
mod config;
mod engine;
mod error;
mod hash;
mod input;
mod limits;
mod link;
mod membership;
mod output;
mod pending;
mod reconcile;
mod repair;
mod score;
mod seen;
mod stats;
mod topics;

pub use config::Config;
pub use engine::Gossip;
pub use error::ConfigError;
pub use input::Input;
pub use limits::Limits;
pub use output::{Event, Output};
pub use seen::{SEEN_WINDOW, SeenAuthor};
pub use stats::Stats;
