//! Membership, broadcast and anti-entropy as one machine without I/O.
//!
//! [`Gossip`] keeps a small *active view* of neighbours and a *passive view* of replacements
//! (HyParView), pushes each message along the eager links of the active view and announces it on
//! the lazy ones (Plumtree), and compares what it retains with a random peer now and then
//! (range-based set reconciliation), so that what was missed is found.
//!
//! - An id proves nothing: only a checked signature makes a message *seen*. Copies with other
//!   signatures are kept while the first is checked, so a forged copy cannot censor the original.
//! - A first delivery never waits for a timer; the interval paces announcements only.
//! - A slow link costs nobody but itself: beyond its credit it is announced to, not pushed to.
//! - Honest peers are never accused: old, early, duplicate or unknown messages are passed over.
//! - What was seen outlives a restart in rows of one author each ([`SeenAuthor`]).
//!
//! The shell's part: write [`Output::Send`] frames and report them as [`Input::LinkQueue`], answer
//! [`Output::Verify`] and [`Output::Sign`], store [`Output::Persist`] rows.
//!
//! This crate never opens a socket, reads a clock, checks a signature or writes a file.
//!
//! ```
//! use repute_base::{Machine, Rng, Timestamp};
//! use repute_gossip::{Config, Gossip, Input, Limits, Output};
//! use repute_identity::Identity;
//! use repute_protocol::NetworkId;
//!
//! let (me, peer) = (Identity::from_seed(1).id(), Identity::from_seed(2).id());
//! let network = NetworkId::from_name("example");
//! let mut gossip =
//!     Gossip::new(Config::default(), Limits::default(), me, network, Rng::from_u64(7)).unwrap();
//!
//! // The first link: the engine asks to join over it.
//! let now = Timestamp::from_millis(0, 1_800_000_000_000);
//! gossip.handle(now, Input::PeerUp { peer, addresses: vec![] });
//! assert!(matches!(gossip.poll_output(), Some(Output::Send { peer: to, .. }) if to == peer));
//! assert!(gossip.poll_output().is_none() && gossip.is_ready());
//! ```
#![no_std]

extern crate alloc;

mod archive;
mod broadcast;
mod config;
mod doubt;
mod engine;
mod error;
mod hash;
mod hold;
mod input;
mod invariants;
mod lead;
mod limits;
mod link;
mod lives;
mod maintenance;
mod membership;
mod output;
mod passive;
mod patience;
mod pending;
mod reconcile;
mod repair;
mod score;
mod seen;
mod shuffle;
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
