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
//! ```
//! use repute_base::{BoundedVec, Wall};
//! use repute_identity::{Check, Identity, Ticket, verify};
//!
//! // A throw-away identity; `keystore::generate` makes real ones.
//! let identity = Identity::from_seed(7);
//! let message = b"the harbour is open";
//! let signature = identity.sign(message);
//! assert!(verify(&Check { key: identity.inception().key, message, signature }));
//!
//! // An invitation to dial it, safe in shells and QR codes.
//! let ticket = Ticket {
//!     inception: *identity.inception(),
//!     addresses: BoundedVec::truncated(["192.0.2.1:7000".parse()?]),
//!     expires: Wall::from_millis(1_800_000_000_000),
//!     discovery: None,
//! };
//! let read: Ticket = ticket.to_string().parse()?;
//! assert_eq!(read.node_id(), identity.id());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate never opens a socket, never reads a clock, and asks the operating system for nothing
//! but the files and randomness of the keystore behind the feature of that name.
#![no_std]

extern crate alloc;
#[cfg(any(feature = "keystore", test))]
extern crate std;

mod id;
mod inception;
mod key;
#[cfg(feature = "keystore")]
pub mod keystore;
mod sealed;
mod stamp;
mod text;
mod ticket;
mod verify;
mod vouch;

pub use id::NodeId;
pub use inception::{Identity, Inception};
pub use key::{KeyError, PublicKey, RecoverySecret, SecretKey, Signature};
pub use sealed::{SEAL_OVERHEAD, SealError, open, seal};
pub use stamp::{Stamp, StampSearch};
pub use text::{ParseError, base32, from_base32};
pub use ticket::{Ticket, TicketError};
pub use verify::{BATCH_MAX, Check, KEYS_MAX, Verifier, verify, verify_batch};
pub use vouch::{Vouch, VouchError};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
