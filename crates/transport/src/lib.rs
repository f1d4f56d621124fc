//! QUIC links between peers that are authenticated by raw Ed25519 keys.
//!
//! An [`Endpoint`] listens, dials and sends; its [`Events`] say what happened. A link is reported
//! up once both ends have shown who they are: the key that TLS proved belongs to the inception
//! record that the node id is the hash of.
//!
//! This crate never knows what a frame means beyond its kind, never judges a peer, and never
//! stores anything.

mod carry;
mod config;
mod endpoint;
mod error;
mod event;
mod gate;
mod handshake;
mod inbox;
mod link;
mod quic;
mod shared;
mod socket;
mod stats;
mod task;
mod tls;
pub mod verify;

pub use config::{Config, HandshakeTemplate, Probe};
pub use endpoint::{Endpoint, Priority};
pub use error::{BindError, SendError};
pub use event::{DialFailure, Event, LinkDown};
pub use inbox::Events;
pub use socket::{Datagrams, Socket};
pub use stats::Stats;
