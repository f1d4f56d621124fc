//! The control API of a running node: HTTP and JSON under `/v1`, on a Unix socket that only its
//! owner may open, and the typed client that the command line uses.
//!
//! The server knows a node only through the trait [`Control`], so that it is tested without one;
//! [`Node`](repute_node::Node) implements it.
//!
//! This crate never judges a peer, never opens a network socket beyond the local one, and shows
//! every text that a peer chose with its control characters escaped.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use repute_console::Client;
//!
//! let client = Client::connect("my-data/control.sock");
//! let status = client.status().await?;
//! println!("{} with {} links", status.id, status.peers_active);
//! # Ok(())
//! # }
//! ```

mod client;
mod control;
mod error;
mod node;
mod routes;
mod server;
mod time;
mod view;

pub use client::{Client, ClientError, Lines};
pub use control::{Control, Stream};
pub use error::{ControlError, Problem};
pub use routes::router;
pub use server::{Server, ServerError};
pub use time::rfc3339;
pub use view::{
    BanRequest, BanView, Bans, Done, EventView, ExplainLine, ExplainView, JoinRequest, LinkView,
    MessageView, PeerView, Peers, PublishRequest, Published, StandingView, StatusView, TicketView,
};
