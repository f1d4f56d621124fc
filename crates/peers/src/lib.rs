//! Which peers to know, dial, keep and drop.
//!
//! [`Peers`] is one state machine for everything between "an address was heard of" and "the link
//! is worth keeping":
//!
//! - the *address book* holds who is known, with quotas for each informer and each address prefix,
//!   so that no liar and no network fills it;
//! - *admission* decides on each link the transport brings up ([`Input::LinkUp`]): standing,
//!   duplicates, half-open links, prefixes, slots, eviction. A peer is active once both ends have
//!   sent their acknowledgement;
//! - *dialling* keeps a minimum of links, some of them always of this node's own choosing; named
//!   peers and anchors come first, prefixes take turns, failures back off, feelers try what nobody
//!   has reached;
//! - *discovery* asks connected peers for address records, each signed by its subject;
//! - *failure detection* is SWIM's over active links: one probe a period, then indirect probes, then
//!   suspicion; a node that doubts itself slows down, as in Lifeguard.
//!
//! Everything a stranger says about another is believed only as an address to try. Silence is a
//! time-out for the trust engine, and only when the peer is the likeliest cause; it is never
//! misbehaviour. Ages and timers run on the monotonic clock: a jump of the wall clock expires
//! nobody.
//!
//! This crate never opens a socket, reads a clock, checks or makes a signature, or judges trust: it
//! asks for those with [`Output`] and is told with [`Input`].
//!
//! ```
//! use repute_base::{Machine, Rng, Timestamp};
//! use repute_identity::Identity;
//! use repute_peers::{Config, Input, Limits, Output, PeerState, Peers};
//!
//! let (me, other) = (Identity::from_seed(1).id(), Identity::from_seed(2).id());
//! let mut peers = Peers::new(Config::default(), Limits::default(), me, Rng::from_u64(7))?;
//! let now = Timestamp::from_millis(0, 1_700_000_000_000);
//!
//! // After each input the outputs are drained.
//! let mut outputs = Vec::new();
//! let join = Input::Join { peer: other, addresses: vec!["192.0.2.7:4100".parse()?] };
//! for input in [join, Input::Start] {
//!     peers.handle(now, input);
//!     outputs.extend(core::iter::from_fn(|| peers.poll_output()));
//! }
//!
//! let dials = outputs
//!     .iter()
//!     .filter(|output| matches!(output, Output::Dial { peer, .. } if *peer == other));
//! assert_eq!(dials.count(), 1);
//! assert_eq!(peers.state(other), Some(PeerState::Connecting));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]

extern crate alloc;

mod admission;
mod appeal;
mod barred;
mod book;
mod config;
mod departure;
mod detector;
mod dialling;
mod discovery;
mod engine;
mod input;
mod invariants;
mod limits;
mod lineage;
mod link;
mod output;
mod reach;
mod refusal;
mod relay;
mod stored;
mod view;
mod visit;

pub use config::{Config, ConfigError};
pub use engine::Peers;
pub use input::{DialFailure, Input, LinkDown, LinkId};
pub use limits::Limits;
pub use output::{Event, Output, PeerEvidence, Write};
pub use reach::is_routable;
pub use refusal::Refusal;
pub use stored::Stored;
pub use view::{LinkView, PeerState, PeerView};
