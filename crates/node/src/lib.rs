//! The Repute node: engines composed into one pure [`Core`], and a tokio runtime that drives it.
//!
//! With `--no-default-features` this crate is [`Core`] alone, `no_std`: what the simulator drives
//! is what ships. The feature `runtime` (default) adds [`Node`], which owns the sockets, the store,
//! the clock and the keys; `lan` adds discovery on the local network,
//! `mainline` discovery through the Mainline DHT.
//!
//! This crate never parses a command line, serves HTTP or draws on a terminal.
//!
//! ```no_run
//! # #[cfg(feature = "runtime")]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use repute_node::{Node, NodeConfig};
//!
//! let node = Node::start(NodeConfig::in_dir("my-data")).await?;
//! println!("others join with {}", node.ticket());
//! let mut news = node.subscribe("news").await?;
//! node.publish("news", "hello").await?;
//! while let Some(message) = news.next().await {
//!     let standing = node.standing(message.author()).await?;
//!     println!("{} (trust {}): {:?}", message.author(), standing.trust, message.data());
//! }
//! # Ok(())
//! # }
//! ```
#![cfg_attr(not(feature = "runtime"), no_std)]

extern crate alloc;

mod core;
#[cfg(feature = "runtime")]
mod runtime;
#[cfg(feature = "runtime")]
pub mod settings;

pub use crate::core::{
    Change, Command, Config, ConfigError, Core, Event, Input, Limits, Output, PersistId, Priority,
    SignedRecommendation, Snapshot, TrustModel, Write, transfers,
};
#[cfg(feature = "runtime")]
pub use runtime::*;
pub use {
    repute_blobs as blobs, repute_dht as dht, repute_gossip as gossip, repute_peers as peers,
    repute_trust as trust,
};
