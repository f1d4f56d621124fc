//! Which peers to know, dial, keep and drop.
#![no_std]

extern crate alloc;

mod config;
mod engine;
mod input;
mod limits;
mod output;
mod stored;
mod view;

pub use config::{Config, ConfigError};
pub use engine::Peers;
pub use input::{DialFailure, Input, LinkDown, LinkId};
pub use limits::Limits;
pub use output::{Event, Output, PeerEvidence, Write};
pub use stored::Stored;
pub use view::{LinkView, PeerState, PeerView};
