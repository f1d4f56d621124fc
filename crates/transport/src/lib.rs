//! QUIC links between peers that are authenticated by raw Ed25519 keys.
//!
//! An [`Endpoint`] listens, dials and sends; its [`Events`] say what happened. A link is reported
//! up once both ends have shown who they are: the key that TLS proved belongs to the inception
//! record that the node id is the hash of.
//!
//! This crate never knows what a frame means beyond its kind, never judges a peer, and never
//! stores anything.

mod config;
mod endpoint;
mod error;
mod event;
mod socket;
mod stats;
pub mod verify;

pub use config::{Config, HandshakeTemplate, Probe};
pub use endpoint::{Endpoint, Events, Priority};
pub use error::{BindError, SendError};
pub use event::{DialFailure, Event, LinkDown};
pub use socket::{Datagrams, Socket};
pub use stats::Stats;
