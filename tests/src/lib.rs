//! Whole networks of the real [`Core`](repute_node::Core) in virtual time; in [`stack`], of whole
//! nodes with QUIC.
//!
//! [`CoreHost`] is one node: the core that ships, with a shell that the simulation owns. Frames
//! travel encoded and every receiver decodes them; signatures are made and checked; what is
//! persisted lies on a virtual disk that forgets what was not durable when the node crashed.
//! [`Network`] is a world of such nodes, and [`scenario::ALL`] what is done to them; the tests of
//! this package run each scenario small, `cargo xtask sim` runs them at any size.
//!
//! One oracle watches every run, see [`Network::breaches`]: honest nodes never accuse each other,
//! the application gets each message once and never its own, and nothing acknowledged is lost.
//!
//! This crate never opens a socket of the system, starts a thread or reads a real clock.
//!
//! ```
//! use repute_tests::scenario;
//!
//! let outcome = (scenario::BROADCAST.run)(7, 12);
//! assert_eq!(outcome.failures(), Vec::<String>::new());
//! ```
#![allow(
    clippy::expect_used,
    reason = "a simulation that cannot begin is a failed test"
)]

mod application;
pub mod attack;
mod canary;
mod disk;
mod files;
mod host;
mod network;
mod outcome;
pub mod overlay;
mod rating_network;
mod rules;
pub mod scenario;
pub mod stack;
mod verdicts;

pub use application::{Application, Delivery};
pub use attack::Adversary;
pub use canary::Canary;
pub use files::{Conduct, Files};
pub use host::CoreHost;
pub use network::{Network, Setup};
pub use outcome::{Bar, Figure, Outcome, Over, Tally};
pub use rating_network::{RatingNetwork, RatingRow, Shape};
