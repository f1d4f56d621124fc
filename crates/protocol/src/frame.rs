//! Framing: length, kind, body. The length is checked against the kind before anything is read.

use alloc::{boxed::Box, vec::Vec};

use bytes::Bytes;
use repute_base::codec;

use crate::{
    BlobFrame, CustomData, DecodeError, DhtFrame, Disconnect, Envelope, EnvelopeKind, GossipFrame,
    Handshake, HandshakeAck, Heartbeat, Misbehaviour, PeerAnnouncement, PeerDiscovery,
    ReceiptFrame, TrustedPeersRequest, TrustedPeersResponse, limits,
};

/// What a frame is. The number on the wire is the discriminant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FrameKind {
    /// See [`Handshake`].
    Handshake = 1,
    /// See [`HandshakeAck`].
    HandshakeAck = 2,
    /// See [`Disconnect`].
    Disconnect = 3,
    /// See [`Heartbeat`].
    Heartbeat = 4,
    /// See [`PeerDiscovery`].
    PeerDiscovery = 5,
    /// See [`PeerAnnouncement`].
    PeerAnnouncement = 6,
    /// A message on its way: see [`Broadcast`].
    Broadcast = 7,
    /// See [`GossipFrame`].
    Gossip = 8,
    /// See [`CustomData`].
    CustomData = 9,
    /// A signed recommendation about a third peer.
    TrustUpdate = 10,
    /// See [`TrustedPeersRequest`].
    TrustedPeersRequest = 11,
    /// See [`TrustedPeersResponse`].
    TrustedPeersResponse = 12,
    /// See [`ReceiptFrame`].
    Receipt = 13,
    /// See [`DhtFrame`].
    Dht = 14,
    /// See [`BlobFrame`].
    Blob = 15,
}

impl FrameKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Handshake,
        Self::HandshakeAck,
        Self::Disconnect,
        Self::Heartbeat,
        Self::PeerDiscovery,
        Self::PeerAnnouncement,
        Self::Broadcast,
        Self::Gossip,
        Self::CustomData,
        Self::TrustUpdate,
        Self::TrustedPeersRequest,
        Self::TrustedPeersResponse,
        Self::Receipt,
        Self::Dht,
        Self::Blob,
    ];

    /// The longest body of this kind, in bytes.
    pub const fn body_max(self) -> usize {
        match self {
            Self::Handshake => 1024,
            Self::HandshakeAck => 4 * 1024,
            Self::Disconnect => 256,
            Self::Heartbeat => 64,
            Self::PeerDiscovery | Self::TrustedPeersRequest => 16,
            Self::PeerAnnouncement | Self::TrustedPeersResponse => 10 * 1024,
            Self::Broadcast => limits::ENVELOPE_MAX + Broadcast::HEAD_LEN,
            Self::Gossip => limits::RECONCILE_MAX + 1024,
            Self::CustomData => limits::CUSTOM_DATA_MAX + 16,
            Self::TrustUpdate => limits::RECOMMENDATION_MAX,
            Self::Receipt => 8 * 1024,
            Self::Dht => limits::RECORD_LIST_BYTES_MAX + 2 * 1024,
            Self::Blob => 2 * 1024,
        }
    }

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// A stable name for logs, metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::HandshakeAck => "handshake-ack",
            Self::Disconnect => "disconnect",
            Self::Heartbeat => "heartbeat",
            Self::PeerDiscovery => "peer-discovery",
            Self::PeerAnnouncement => "peer-announcement",
            Self::Broadcast => "broadcast",
            Self::Gossip => "gossip",
            Self::CustomData => "custom-data",
            Self::TrustUpdate => "trust-update",
            Self::TrustedPeersRequest => "trusted-peers-request",
            Self::TrustedPeersResponse => "trusted-peers-response",
            Self::Receipt => "receipt",
            Self::Dht => "dht",
            Self::Blob => "blob",
        }
    }

    /// The kind of this number, if this build knows it.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// Why a frame's header was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Longer than its kind allows. Nothing was allocated.
    #[error("{kind:?} frame of {len} bytes where at most {max} are allowed")]
    Oversized {
        /// The kind, if known.
        kind: Option<FrameKind>,
        /// Bytes claimed.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The length does not even hold the kind.
    #[error("frame of 0 bytes where at least 1, the kind, is needed")]
    Empty,
}

impl FrameError {
    /// What the sender is to be blamed for: no honest node sends such a header.
    pub const fn misbehaviour(&self) -> Misbehaviour {
        match self {
            Self::Oversized { .. } => Misbehaviour::OversizedFrame,
            Self::Empty => Misbehaviour::MalformedFrame,
        }
    }
}

/// The first bytes of a frame: a big-endian length of what follows it, and the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The kind; `None` if this build does not know it, and the body is to be skipped.
    pub kind: Option<FrameKind>,
    /// Bytes of the body.
    pub body_len: usize,
}

impl FrameHeader {
    /// Bytes of the header.
    pub const LEN: usize = 5;
    /// The longest body of an unknown kind that is skipped.
    pub const UNKNOWN_MAX: usize = 64 * 1024;

    /// Reads a header and checks the length against the kind.
    ///
    /// # Errors
    /// [`FrameError`]; the stream cannot be read further.
    pub fn parse(bytes: [u8; Self::LEN]) -> Result<Self, FrameError> {
        let [a, b, c, d, number] = bytes;
        let len = u32::from_be_bytes([a, b, c, d]) as usize;
        let body_len = len.checked_sub(1).ok_or(FrameError::Empty)?;
        let kind = FrameKind::from_number(number);
        let max = kind.map_or(Self::UNKNOWN_MAX, FrameKind::body_max);
        if body_len > max {
            return Err(FrameError::Oversized {
                kind,
                len: body_len,
                max,
            });
        }
        Ok(Self { kind, body_len })
    }
}

/// A message on its way from neighbour to neighbour. Only the envelope is signed.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// Links crossed so far.
    pub hops: u8,
    /// Links it may still cross; more than [`limits::TTL_MAX`] is cut to that when encoded and when
    /// decoded.
    pub ttl: u8,
    /// Whether it was asked for by id, so that it may be older than a live push.
    pub requested: bool,
    /// The message.
    pub envelope: Envelope,
}

/// One frame on a link.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Frame {
    /// Who I am.
    Handshake(Handshake),
    /// You are admitted.
    HandshakeAck(HandshakeAck),
    /// Goodbye, and why.
    Disconnect(Disconnect),
    /// Are you there?
    Heartbeat(Heartbeat),
    /// Whom do you know?
    PeerDiscovery(PeerDiscovery),
    /// Whom I know.
    PeerAnnouncement(PeerAnnouncement),
    /// A message on its way.
    Broadcast(Broadcast),
    /// Gossip control.
    Gossip(GossipFrame),
    /// The application's own.
    CustomData(CustomData),
    /// A signed recommendation.
    TrustUpdate(Envelope),
    /// Whom do you recommend?
    TrustedPeersRequest(TrustedPeersRequest),
    /// Whom I recommend.
    TrustedPeersResponse(TrustedPeersResponse),
    /// What one did for another. Rare and large, so it lives apart.
    Receipt(Box<ReceiptFrame>),
    /// A request or an answer of the DHT.
    Dht(Box<DhtFrame>),
    /// What somebody has of a blob.
    Blob(Box<BlobFrame>),
}

impl Frame {
    /// Decodes the body of a frame of this kind. Envelopes share the bytes of `body`.
    ///
    /// # Errors
    /// [`DecodeError`] when the body is too long for the kind or no canonical encoding of it.
    pub fn decode(kind: FrameKind, body: Bytes) -> Result<Self, DecodeError> {
        if body.len() > kind.body_max() {
            return Err(DecodeError::TooLong {
                len: body.len(),
                max: kind.body_max(),
            });
        }
        Ok(match kind {
            FrameKind::Handshake => Self::Handshake(codec::decode(&body)?),
            FrameKind::HandshakeAck => Self::HandshakeAck(codec::decode(&body)?),
            FrameKind::Disconnect => Self::Disconnect(codec::decode(&body)?),
            FrameKind::Heartbeat => Self::Heartbeat(codec::decode(&body)?),
            FrameKind::PeerDiscovery => Self::PeerDiscovery(codec::decode(&body)?),
            FrameKind::PeerAnnouncement => Self::PeerAnnouncement(codec::decode(&body)?),
            FrameKind::Broadcast => Self::Broadcast(Broadcast::decode(body)?),
            FrameKind::Gossip => Self::Gossip(codec::decode(&body)?),
            FrameKind::CustomData => Self::CustomData(codec::decode(&body)?),
            FrameKind::TrustUpdate => {
                let envelope = Envelope::decode(body)?;
                if envelope.kind() != EnvelopeKind::Recommendation {
                    return Err(DecodeError::Invalid(
                        "trust update that is no recommendation",
                    ));
                }
                Self::TrustUpdate(envelope)
            }
            FrameKind::TrustedPeersRequest => Self::TrustedPeersRequest(codec::decode(&body)?),
            FrameKind::TrustedPeersResponse => Self::TrustedPeersResponse(codec::decode(&body)?),
            FrameKind::Receipt => Self::Receipt(Box::new(codec::decode(&body)?)),
            FrameKind::Dht => Self::Dht(Box::new(codec::decode(&body)?)),
            FrameKind::Blob => Self::Blob(Box::new(codec::decode(&body)?)),
        })
    }

    /// What it is.
    pub const fn kind(&self) -> FrameKind {
        match self {
            Self::Handshake(_) => FrameKind::Handshake,
            Self::HandshakeAck(_) => FrameKind::HandshakeAck,
            Self::Disconnect(_) => FrameKind::Disconnect,
            Self::Heartbeat(_) => FrameKind::Heartbeat,
            Self::PeerDiscovery(_) => FrameKind::PeerDiscovery,
            Self::PeerAnnouncement(_) => FrameKind::PeerAnnouncement,
            Self::Broadcast(_) => FrameKind::Broadcast,
            Self::Gossip(_) => FrameKind::Gossip,
            Self::CustomData(_) => FrameKind::CustomData,
            Self::TrustUpdate(_) => FrameKind::TrustUpdate,
            Self::TrustedPeersRequest(_) => FrameKind::TrustedPeersRequest,
            Self::TrustedPeersResponse(_) => FrameKind::TrustedPeersResponse,
            Self::Receipt(_) => FrameKind::Receipt,
            Self::Dht(_) => FrameKind::Dht,
            Self::Blob(_) => FrameKind::Blob,
        }
    }

    /// The whole frame: header and body. Encode once, share with every receiver.
    ///
    /// Every value whose parts are within their types' bounds fits the limit of its kind. Only an
    /// application's envelope can be too long for a frame: [`Self::fits`] tells before it is sent.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(FrameHeader::LEN + self.size_hint());
        out.extend_from_slice(&[0, 0, 0, 0, self.kind() as u8]);
        match self {
            Self::Handshake(body) => codec::encode_into(body, &mut out),
            Self::HandshakeAck(body) => codec::encode_into(body, &mut out),
            Self::Disconnect(body) => codec::encode_into(body, &mut out),
            Self::Heartbeat(body) => codec::encode_into(body, &mut out),
            Self::PeerDiscovery(body) => codec::encode_into(body, &mut out),
            Self::PeerAnnouncement(body) => codec::encode_into(body, &mut out),
            Self::Broadcast(body) => body.encode_into(&mut out),
            Self::Gossip(body) => codec::encode_into(body, &mut out),
            Self::CustomData(body) => codec::encode_into(body, &mut out),
            Self::TrustUpdate(envelope) => out.extend_from_slice(envelope.wire()),
            Self::TrustedPeersRequest(body) => codec::encode_into(body, &mut out),
            Self::TrustedPeersResponse(body) => codec::encode_into(body, &mut out),
            Self::Receipt(body) => codec::encode_into(body.as_ref(), &mut out),
            Self::Dht(body) => codec::encode_into(body.as_ref(), &mut out),
            Self::Blob(body) => codec::encode_into(body.as_ref(), &mut out),
        }
        let len = u32::try_from(out.len().saturating_sub(4))
            .unwrap_or(u32::MAX)
            .to_be_bytes();
        for (place, byte) in out.iter_mut().zip(len) {
            *place = byte;
        }
        out.into()
    }

    /// Whether the encoded frame is within the limit of its kind, so that a receiver takes it.
    ///
    /// Always true but for a [`Self::Broadcast`] or [`Self::TrustUpdate`] whose envelope was signed
    /// over a longer payload than [`Payload`](crate::Payload) can hold.
    pub fn fits(&self) -> bool {
        match self {
            Self::Broadcast(body) => body.envelope.wire().len() <= limits::ENVELOPE_MAX,
            Self::TrustUpdate(envelope) => envelope.wire().len() <= limits::RECOMMENDATION_MAX,
            _ => true,
        }
    }

    fn size_hint(&self) -> usize {
        match self {
            Self::Broadcast(body) => Broadcast::HEAD_LEN + body.envelope.wire().len(),
            Self::TrustUpdate(envelope) => envelope.wire().len(),
            Self::CustomData(body) => 16 + body.data.len(),
            _ => 128,
        }
    }
}

impl Broadcast {
    /// Bytes before the envelope: hops, TTL and whether it was requested.
    const HEAD_LEN: usize = 3;

    fn decode(body: Bytes) -> Result<Self, DecodeError> {
        let Some((&[hops, ttl, requested], _)) = body.split_first_chunk::<{ Self::HEAD_LEN }>()
        else {
            return Err(DecodeError::Malformed);
        };
        let requested = match requested {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::Malformed),
        };
        let envelope = Envelope::decode(body.slice(Self::HEAD_LEN..))?;
        Ok(Self {
            hops,
            ttl: ttl.min(limits::TTL_MAX),
            requested,
            envelope,
        })
    }

    fn encode_into(&self, out: &mut Vec<u8>) {
        let ttl = self.ttl.min(limits::TTL_MAX);
        out.extend_from_slice(&[self.hops, ttl, u8::from(self.requested)]);
        out.extend_from_slice(self.envelope.wire());
    }
}
