//! QUIC links between peers that prove who they are by raw Ed25519 keys.
//!
//! An [`Endpoint`] listens, dials and sends; its [`Events`] say what happened. A link is reported
//! up once both ends have shown who they are: the key that TLS proved belongs to the inception
//! record that the node id is the hash of, and both ends are of one network and speak a common
//! version. From then on there are frames, in order but for heartbeats, and bounded in bytes, until
//! the link is reported down, with the reason.
//!
//! Back-pressure goes all the way. Frames that the application does not take are not read, so QUIC
//! slows their sender down; there, [`Endpoint::send`] answers [`SendError::Full`] instead of
//! waiting, and [`Event::Drained`] says when there is room again. One slow peer stalls nobody else.
//!
//! Two peers that dial each other at once get one link: both ends pick the same connection and
//! read the other to its end, so nothing is lost and nothing flaps.
//!
//! What is too large for frames goes over [streams](Endpoint::open_stream) beside them, with a
//! wider window of its own.
//!
//! [`verify`] shares signature checking fairly between peers.
//!
//! This crate never knows what a frame means beyond its kind, never judges a peer (it reports a
//! [`Event::Violation`] and lets others weigh it), never stores anything, and never starts a
//! thread. quinn and rustls never appear in its public face.
//!
//! ```
//! use repute_identity::Identity;
//! use repute_protocol::{Frame, Heartbeat, NetworkId};
//! use repute_transport::{Config, Endpoint, Event, HandshakeTemplate, Priority};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let network = HandshakeTemplate::new(NetworkId::from_name("example"));
//! let listen = "127.0.0.1:0".parse()?;
//! let (alice, bob) = (Identity::from_seed(1), Identity::from_seed(2));
//! let (a, mut at_a) = Endpoint::bind(Config::new(listen), &alice, network.clone()).await?;
//! let (b, mut at_b) = Endpoint::bind(Config::new(listen), &bob, network).await?;
//!
//! a.dial(bob.id(), vec![b.local_addr().into()]);
//! assert!(matches!(at_a.next().await, Some(Event::LinkUp { peer, .. }) if peer == bob.id()));
//! assert!(matches!(at_b.next().await, Some(Event::LinkUp { inbound: true, .. })));
//!
//! let ping = Frame::Heartbeat(Heartbeat::Ping { nonce: 7 });
//! a.send(bob.id(), ping.encode(), Priority::Control)?;
//! assert!(matches!(at_b.next().await, Some(Event::Frames { .. })));
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(example())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod carry;
mod config;
mod datagram;
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
mod stream;
mod task;
mod tls;
mod together;
pub mod verify;

pub use config::{Config, HandshakeTemplate, Probe};
pub use endpoint::{Endpoint, Priority};
pub use error::{BindError, SendError, StreamError};
pub use event::{DialFailure, Event, LinkDown};
pub use inbox::Events;
pub use socket::{Datagrams, Socket};
pub use stats::Stats;
pub use stream::{Stream, StreamReader, StreamWriter, Streams};
pub use together::whole_second;
