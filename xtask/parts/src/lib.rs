//! Parts of the node under a fixed load: the same messages, neighbours and seeds on every run.
//!
//! `cargo xtask bench micro` times them; `cargo xtask bench guard` counts the instructions of
//! [`relay`], which the program of this package runs and does nothing else.

mod core;
mod gossip;
mod messages;

pub use crate::{
    core::Whole,
    gossip::Relay,
    messages::{Messages, frame},
};

/// Messages of the guarded load.
pub const GUARDED: usize = 200;

/// What is counted: every message decoded, handed to the engine, delivered and passed on. Never
/// inlined, so that a counter can be told its name.
#[inline(never)]
pub fn relay(relay: &mut Relay, messages: &Messages) -> usize {
    messages
        .frames()
        .map(|(frame, proven)| relay.step(frame, proven))
        .sum()
}
