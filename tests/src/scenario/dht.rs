//! What is done to whole networks of the DHT's engine.
//!
//! The engine that ships, without the rest of the node: its shell here makes links in virtual time
//! and checks signatures inline. Nobody is banned, whatever it does: what the engine withstands
//! here, it withstands without the ledger's help.

mod churn;
mod eclipse;
mod field;
mod kad;
mod liar;
mod poison;
mod steady;
mod stock;
mod sybil;

pub use churn::DHT_CHURN;
pub use eclipse::DHT_ECLIPSE;
pub use steady::DHT;
pub use sybil::DHT_SYBIL;
