//! What goes over the wire, and nothing about how.
//!
//! Two kinds of thing travel. A signed [`Envelope`] goes beyond one hop or may become evidence;
//! it is judged by the bytes that came, never by a re-encoding. A [`Frame`] is what two neighbours
//! say to each other, unsigned: the QUIC link authenticates it. `docs/spec/` describes every byte.
//!
//! Types carry proof: only [`Verified`] envelopes and frames [`FromPeer`] enter the engines.
//!
//! This crate never opens a socket, reads a clock or keeps state.
#![no_std]

extern crate alloc;

mod decoder;
mod envelope;
mod frame;
mod gossip;
mod handshake;
pub mod limits;
mod link;
mod misbehaviour;
mod payload;
mod proof;

pub use decoder::{FrameDecoder, RawFrame};
pub use envelope::{Envelope, EnvelopeKind, MessageId, Seq, Unsigned};
pub use frame::{Broadcast, Frame, FrameError, FrameHeader, FrameKind};
pub use gossip::{Announced, GossipFrame};
pub use handshake::{
    ALPN, Capability, Handshake, HandshakeAck, NetworkId, PeerHint, Support, VERSION,
};
pub use link::{
    CustomData, Disconnect, DisconnectReason, Heartbeat, PeerAnnouncement, PeerDiscovery,
    TrustedPeersRequest, TrustedPeersResponse,
};
pub use misbehaviour::{Misbehaviour, Severity};
pub use payload::{AddressRecord, Dot, Message, Payload, Recommendation, Topic};
pub use proof::{FromPeer, Verified, verify_all};
pub use repute_base::codec::DecodeError;
