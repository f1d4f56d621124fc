//! Who a peer is: an identity that keeps its name while its keys rotate.
//!
//! A [`NodeId`] is the hash of an [`Inception`] record: the first Ed25519 public key and the hash
//! of an offline recovery key. Links and envelopes carry the record, so that whoever meets a peer
//! for the first time can check the id against the key, and a thief of the current key can never
//! take the identity over.
//!
//! There is one verification rule for all nodes, ZIP 215, with the same verdict singly and in
//! batches of any composition ([`verify`], [`verify_batch`]); weak keys are refused when a
//! [`PublicKey`] is made.
//!
//! This crate never opens a socket, never reads a clock, and asks the operating system for nothing
//! but the files and randomness of the [`keystore`] behind the feature of that name.
#![no_std]

extern crate alloc;
#[cfg(feature = "keystore")]
extern crate std;

mod id;
mod inception;
mod key;
#[cfg(feature = "keystore")]
pub mod keystore;
mod sealed;
mod text;
mod ticket;
mod verify;

pub use id::NodeId;
pub use inception::{Identity, Inception};
pub use key::{KeyError, PublicKey, SecretKey, Signature};
pub use sealed::{SealError, open, seal};
pub use text::ParseError;
pub use ticket::{Ticket, TicketError};
pub use verify::{BATCH_MAX, Check, verify, verify_batch};
