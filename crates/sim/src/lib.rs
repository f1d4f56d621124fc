//! A network in virtual time: drives machines without I/O through loss, duplication, reordering,
//! delay, partition, pause and crash, replayable from one seed.
//!
//! A [`Host`] is an engine, or a composition of engines, with the few lines that turn a
//! [`HostEvent`] into its inputs and its outputs into entries of the [`Outbox`]. A [`World`] holds
//! hosts, one heap of what happens next, and the [`Faults`] it happens under.
//!
//! - *Links* are what QUIC gives: opened by a dial, authenticated, ordered, and a loss costs time
//!   rather than data. Behind a cut, packets wait; a link that stays cut is lost, and both ends are
//!   told. Every [`HostEvent::LinkUp`] is followed by exactly one [`HostEvent::LinkDown`].
//! - *Datagrams* need no link and promise nothing.
//! - *Clocks*: a node's monotonic clock starts with each of its lives; its wall clock is off by
//!   what [`Faults::clock_skew_ms_max`] allows.
//! - *Proof*: [`World::trace_hash`] is equal for equal seeds; [`Stats`] counts each fault, so that
//!   a test can assert that it happened; [`World::false_accusations`] is the oracle of every
//!   simulation: honest nodes never accuse each other under any network fault.
//!
//! This crate never opens a socket, starts a thread, or reads a clock.
//!
//! ```
//! use std::time::Duration;
//! use repute_base::{Mono, Timestamp};
//! use repute_identity::NodeId;
//! use repute_sim::{Faults, Host, HostEvent, Outbox, World};
//!
//! /// Greets whoever links up, and remembers who greeted.
//! struct Greeter { greeted_by: Vec<NodeId> }
//!
//! impl Host for Greeter {
//!     type Packet = &'static str;
//!     fn handle(&mut self, _: Timestamp, event: HostEvent<&'static str>, out: &mut Outbox<&'static str>) {
//!         match event {
//!             HostEvent::LinkUp { peer, .. } => out.send(peer, "hello"),
//!             HostEvent::Packet { from, .. } => self.greeted_by.push(from),
//!             _ => {}
//!         }
//!     }
//!     fn next_deadline(&self) -> Option<Mono> { None }
//!     fn size(packet: &&'static str) -> usize { packet.len() }
//! }
//!
//! let mut world = World::new(7, Faults::rough());
//! let [a, b] = [1, 2].map(|n| {
//!     world.add(NodeId::from_bytes([n; 32]), |_seat| Greeter { greeted_by: Vec::new() })
//! });
//! let address = world.address(b).unwrap();
//! world.act(a, |_, _, out| out.dial(address, None));
//! world.run_for(Duration::from_secs(5));
//! assert_eq!(world.host(b).unwrap().greeted_by, [world.id(a).unwrap()]);
//! ```

mod chaos;
mod drive;
mod faults;
mod fork;
mod host;
mod link;
mod network;
mod queue;
mod seeds;
mod stats;
mod strikes;
mod table;
mod trace;
mod world;

pub use faults::Faults;
pub use host::{Accusation, DialError, Host, HostEvent, LinkEnd, Outbox, Seat, Violation};
pub use seeds::{for_each_seed, replay_command};
pub use stats::Stats;
pub use trace::{Trace, TraceHash};
pub use world::World;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
