//! What goes over the wire, and nothing about how.
//!
//! Two kinds of thing travel. A signed [`Envelope`] goes beyond one hop or may become evidence;
//! it is judged by the bytes that came, never by a re-encoding. A [`Frame`] is what two neighbours
//! say to each other, unsigned: the QUIC link authenticates it. `docs/spec/` describes every byte.
//!
//! Bytes become values in steps, each cheaper to refuse than the next: [`FrameDecoder`] checks the
//! length against the kind before anything is allocated, [`Frame::decode`] takes only the one
//! canonical encoding, [`Freshness`] looks at the clock, and [`Envelope::verify`] (or [`verify_all`]
//! for many) at the signature. Types carry proof: only [`Verified`] envelopes and frames
//! [`FromPeer`] enter the engines.
//!
//! What breaks the rules has a name, [`Misbehaviour`], which is evidence for the trust engine; what
//! the network alone can cause has none.
//!
//! This crate never opens a socket, reads a clock or keeps state beyond an unfinished frame.
//!
//! ```
//! use repute_base::{BoundedBytes, BoundedVec, Wall};
//! use repute_identity::Identity;
//! use repute_protocol::{
//!     Broadcast, Frame, FrameDecoder, Message, NetworkId, Payload, Seq, Topic, Unsigned,
//! };
//!
//! // An author signs a message once ...
//! let author = Identity::from_seed(1);
//! let payload = Payload::Message(Message {
//!     topic: Topic::new("weather")?,
//!     kind: 0,
//!     nth: 0,
//!     after: BoundedVec::new(),
//!     data: BoundedBytes::new(&b"rain"[..])?,
//! });
//! let envelope = Unsigned {
//!     network: NetworkId::from_name("example"),
//!     kind: payload.kind(),
//!     seq: Seq { start: 1_800_000_000_000, counter: 0 },
//!     sent: Wall::from_millis(1_800_000_000_500),
//!     payload: payload.encode(),
//! }
//! .sign(&author)
//! .into_inner();
//! let frame = Frame::Broadcast(Broadcast { hops: 0, ttl: 16, requested: false, envelope });
//! let wire = frame.encode();
//!
//! // ... and whoever receives it checks exactly the bytes that came.
//! let mut decoder = FrameDecoder::new();
//! decoder.push(wire);
//! let raw = decoder.next().expect("a whole frame")?;
//! let Some(Ok(Frame::Broadcast(broadcast))) = raw.decode() else { panic!("not a broadcast") };
//! let proven = broadcast.envelope.verify().expect("signed by its author");
//! assert_eq!(proven.author(), author.id());
//! assert_eq!(Payload::decode(proven.kind(), &proven.payload())?, payload);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]

extern crate alloc;

mod advertisement;
mod blob;
mod blob_ticket;
mod burst;
mod decoder;
mod dht_frame;
mod disconnect;
mod envelope;
mod frame;
mod freshness;
mod gossip;
mod handshake;
pub mod limits;
mod link;
mod misbehaviour;
mod packing;
mod payload;
mod proof;
mod proven;
mod receipt;
mod receipt_frame;
mod record;
mod transfer;

pub use advertisement::{Advertisement, Criterion, ServiceName};
pub use blob::{
    BlobAnnouncement, BlobFrame, BlobHash, BlobHave, GROUP_BYTES, GroupList, Holdings, Tier,
    groups_of,
};
pub use blob_ticket::{BlobTicket, BlobTicketError};
pub use decoder::{FrameDecoder, RawFrame};
pub use dht_frame::{Contact, DhtAnswer, DhtAsk, DhtFrame, RecordList, ShortId, Stored};
pub use disconnect::{Disconnect, DisconnectReason};
pub use envelope::{Envelope, EnvelopeKind, MessageId, Seq, Unsigned};
pub use frame::{Broadcast, Frame, FrameError, FrameHeader, FrameKind};
pub use freshness::Freshness;
pub use gossip::{Announced, GossipFrame};
pub use handshake::{
    ALPN, Admission, Capability, Handshake, HandshakeAck, NetworkId, PeerHint, Support, VERSION,
    VERSION_MIN,
};
pub use link::{
    CustomData, Heartbeat, PeerAnnouncement, PeerDiscovery, TrustedPeersRequest,
    TrustedPeersResponse,
};
pub use misbehaviour::{Misbehaviour, Severity};
pub use packing::{Packer, Unpacker};
pub use payload::{AddressRecord, Dot, Message, Payload, Recommendation, Topic};
pub use proof::{FromPeer, Verified, verify_all, verify_all_with};
pub use proven::ProvenBursts;
pub use receipt::{
    Claim, Equivocation, Outcome, Party, Receipt, ReceiptProposal, ReceiptTerms, Service,
    SessionOpen, SessionProposal, SessionTerms, Side,
};
pub use receipt_frame::{Credentials, ReceiptFrame};
pub use record::{Filed, Provider, Record, RecordError, RecordKey, RecordKind};
pub use repute_base::codec::DecodeError;
pub use transfer::{TransferAnswer, TransferRefusal, TransferRequest};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
