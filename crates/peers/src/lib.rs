//! Which peers to know, dial, keep and drop.
#![no_std]

extern crate alloc;

mod admission;
mod book;
mod config;
mod detector;
mod dialling;
mod discovery;
mod engine;
mod input;
mod limits;
mod link;
mod output;
mod reach;
mod stored;
mod view;

pub use config::{Config, ConfigError};
pub use engine::Peers;
pub use input::{DialFailure, Input, LinkDown, LinkId};
pub use limits::Limits;
pub use output::{Event, Output, PeerEvidence, Write};
pub use stored::Stored;
pub use view::{LinkView, PeerState, PeerView};
