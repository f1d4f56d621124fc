//! Networks of ten thousand gossip engines: the engine that ships, over the event heap, with a
//! shell of a few lines.
//!
//! A [`Member`] holds the engine, its links and nothing else: frames travel encoded, a signature
//! is checked once for all nodes that get the message, and what was delivered is noted in one
//! `Ledger` of the whole network. A [`Linker`] does the same for the peers engine.

mod graph;
mod ledger;
mod linker;
mod member;
mod mesh;

pub use graph::Graph;
pub(crate) use ledger::{Ledger, Told};
pub(crate) use linker::{Gang, Role};
pub use linker::{Linker, Word};
pub use member::{Counts, Member};
pub use mesh::{Mesh, Plan};
