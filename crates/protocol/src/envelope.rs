use alloc::{sync::Arc, vec::Vec};
use core::{fmt, str::FromStr};

use bincode::{Decode, Encode};
use bytes::Bytes;
use repute_base::{Wall, codec};
use repute_identity::{Identity, Inception, KeyError, NodeId, ParseError, PublicKey, Signature};

use crate::{
    DecodeError, NetworkId, Verified,
    burst::{Burst, SEAL_LEN_MAX, Seal, Statement},
    limits::{BURST_MAX, ENVELOPE_MAX},
};

/// Author proof: the inception record; its key is in use. Other values are reserved for rotation.
const AUTHOR_INCEPTION: u8 = 0;

/// The name of a message: BLAKE3 of its signed bytes, computed by every receiver.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct MessageId([u8; 32]);

impl MessageId {
    /// An id from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NodeId::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({})", NodeId::from_bytes(self.0).short())
    }
}

impl FromStr for MessageId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.parse::<NodeId>().map(|id| Self(*id.as_bytes()))
    }
}

/// An author's number for one of its envelopes: never used twice, gaps are normal.
///
/// Ordered by start, then counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Seq {
    /// When the author's node started, in ms since the Unix epoch; persisted, so never reused.
    pub start: u64,
    /// Counts from zero since that start.
    pub counter: u64,
}

/// What the payload of an envelope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EnvelopeKind {
    /// A message on a topic, spread by gossip.
    Message,
    /// Where the author listens.
    AddressRecord,
    /// A bounded opinion about another peer.
    Recommendation,
    /// A record of the DHT.
    Record,
    /// A kind that this build does not know; passed over without blame.
    Unknown(u8),
}

impl EnvelopeKind {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Message => 1,
            Self::AddressRecord => 2,
            Self::Recommendation => 3,
            Self::Record => 4,
            Self::Unknown(number) => number,
        }
    }

    const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Message,
            2 => Self::AddressRecord,
            3 => Self::Recommendation,
            4 => Self::Record,
            number => Self::Unknown(number),
        }
    }
}

/// The most bytes of a [`Header`].
const HEADER_LEN_MAX: usize = 1 + 8 + 1 + 1 + 32 + 32 + 3 * 9;

/// The signed bytes before the payload.
#[derive(Clone, Copy, Encode, Decode)]
struct Header {
    version: u8,
    network: NetworkId,
    kind: u8,
    author_proof: u8,
    key: [u8; 32],
    recovery: [u8; 32],
    seq: Seq,
    sent: u64,
}

/// The parts of an envelope that its author chooses, before signing.
#[derive(Clone, Debug)]
pub struct Unsigned {
    /// The network it belongs to.
    pub network: NetworkId,
    /// What the payload is.
    pub kind: EnvelopeKind,
    /// The author's next number.
    pub seq: Seq,
    /// The author's wall clock.
    pub sent: Wall,
    /// The encoded payload.
    pub payload: Vec<u8>,
}

impl Unsigned {
    const VERSION: u8 = 1;

    /// Signs as `identity`. The result is proven by construction.
    pub fn sign(&self, identity: &Identity) -> Verified<Envelope> {
        let draft = self.draft(identity);
        let burst = Burst::sign(identity, core::iter::once(draft.id));
        draft.seal(identity, &burst, 0)
    }

    /// Signs many as `identity`, with one signature for each [`BURST_MAX`] of them. Each carries
    /// what proves it without the others.
    pub fn sign_all(all: &[Self], identity: &Identity) -> Vec<Verified<Envelope>> {
        let mut envelopes = Vec::with_capacity(all.len());
        for together in all.chunks(BURST_MAX) {
            let drafts: Vec<Draft> = together.iter().map(|one| one.draft(identity)).collect();
            let burst = Burst::sign(identity, drafts.iter().map(|draft| draft.id));
            let sealed = drafts.into_iter().enumerate();
            envelopes.extend(sealed.map(|(index, draft)| draft.seal(identity, &burst, index)));
        }
        envelopes
    }

    fn draft(&self, identity: &Identity) -> Draft {
        let inception = identity.inception();
        let header = Header {
            version: Self::VERSION,
            network: self.network,
            kind: self.kind.number(),
            author_proof: AUTHOR_INCEPTION,
            key: *inception.key.as_bytes(),
            recovery: inception.recovery,
            seq: self.seq,
            sent: self.sent.as_millis(),
        };
        let mut wire = Vec::with_capacity(HEADER_LEN_MAX + self.payload.len() + SEAL_LEN_MAX);
        codec::encode_into(&header, &mut wire);
        let payload_at = wire.len();
        wire.extend_from_slice(&self.payload);
        Draft {
            header,
            payload_at,
            id: MessageId(*blake3::hash(&wire).as_bytes()),
            wire,
        }
    }
}

/// The signed bytes of an envelope, before its signature.
struct Draft {
    header: Header,
    payload_at: usize,
    id: MessageId,
    wire: Vec<u8>,
}

impl Draft {
    fn seal(mut self, author: &Identity, burst: &Burst, index: usize) -> Verified<Envelope> {
        let signed_len = self.wire.len();
        let seal = burst.seal(index, &mut self.wire);
        Verified::proven(Envelope(Arc::new(Parts {
            wire: self.wire.into(),
            header: self.header,
            author: author.id(),
            payload_at: self.payload_at,
            signed_len,
            id: self.id,
            seal,
        })))
    }
}

/// A signed envelope as it came: parsed and named, but not yet believed. Its copies share what was
/// parsed: an envelope is handed on often, and weighs no more than a pointer.
#[derive(Clone)]
pub struct Envelope(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    wire: Bytes,
    header: Header,
    author: NodeId,
    payload_at: usize,
    signed_len: usize,
    id: MessageId,
    seal: Seal,
}

impl Envelope {
    /// Parses an envelope that fills `wire`, without checking its signature. Copies nothing.
    ///
    /// # Errors
    /// [`DecodeError`] when it is too long, malformed, or of an unknown version.
    pub fn decode(wire: Bytes) -> Result<Self, DecodeError> {
        if wire.len() > ENVELOPE_MAX {
            return Err(DecodeError::TooLong {
                len: wire.len(),
                max: ENVELOPE_MAX,
            });
        }
        let (seal, signed_len) = Seal::parse(&wire)?;
        let signed = wire.get(..signed_len).ok_or(DecodeError::Malformed)?;
        let (header, payload_at) = codec::decode_prefix::<Header>(signed)?;
        if header.version != Unsigned::VERSION {
            return Err(DecodeError::Invalid("unknown envelope version"));
        }
        if header.author_proof != AUTHOR_INCEPTION {
            return Err(DecodeError::Invalid("unknown author proof"));
        }
        let id = MessageId(*blake3::hash(signed).as_bytes());
        let author = author_id(&header);
        Ok(Self(Arc::new(Parts {
            wire,
            header,
            author,
            payload_at,
            signed_len,
            id,
            seal,
        })))
    }

    /// The bytes to pass on, exactly as they came.
    pub fn wire(&self) -> &Bytes {
        &self.0.wire
    }

    /// The same envelope in memory of its own.
    ///
    /// A decoded envelope shares the chunk it came in, and keeps all of it alive: worth a copy
    /// before a small message is kept for long.
    #[must_use]
    pub fn detached(&self) -> Self {
        let mut own = self.clone();
        Arc::make_mut(&mut own.0).wire = Bytes::copy_from_slice(self.wire());
        own
    }

    /// The name of the message. Two copies with different signatures share it.
    pub fn id(&self) -> MessageId {
        self.0.id
    }

    /// The network it belongs to.
    pub fn network(&self) -> NetworkId {
        self.0.header.network
    }

    /// What the payload is.
    pub fn kind(&self) -> EnvelopeKind {
        EnvelopeKind::from_number(self.0.header.kind)
    }

    /// Who claims to have signed it.
    pub fn author(&self) -> NodeId {
        self.0.author
    }

    /// The author's number for it.
    pub fn seq(&self) -> Seq {
        self.0.header.seq
    }

    /// The author's wall clock when it was made.
    pub fn sent(&self) -> Wall {
        Wall::from_millis(self.0.header.sent)
    }

    /// The encoded payload, shared with the envelope.
    pub fn payload(&self) -> Bytes {
        self.0.wire.slice(self.0.payload_at..self.0.signed_len)
    }

    /// The author's inception record.
    ///
    /// # Errors
    /// [`KeyError`] when the claimed key is none that this project admits.
    pub fn inception(&self) -> Result<Inception, KeyError> {
        let key = PublicKey::from_bytes(self.0.header.key)?;
        Ok(Inception::from_parts(key, self.0.header.recovery))
    }

    /// The claimed signature; envelopes of one burst share it.
    pub fn signature(&self) -> &Signature {
        self.0.seal.signature()
    }

    /// How many envelopes were signed together with this one, itself included.
    pub fn signed_together(&self) -> usize {
        self.0.seal.leaves()
    }

    /// What is said to prove the signed bytes, with the signature at its end. Two copies of one
    /// message are the same copy only if this is the same.
    pub fn authenticator(&self) -> Bytes {
        self.0.wire.slice(self.0.signed_len..)
    }

    /// What must have been signed.
    pub(crate) fn statement(&self) -> Statement {
        let trailer = self.0.wire.get(self.0.signed_len..).unwrap_or_default();
        self.0.seal.statement(&self.0.id, trailer)
    }

    pub(crate) fn claimed_key(&self) -> &[u8; 32] {
        &self.0.header.key
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("id", &self.0.id)
            .field("kind", &self.kind())
            .field("author", &self.0.author)
            .field("seq", &self.0.header.seq)
            .field("bytes", &self.0.wire.len())
            .finish()
    }
}

fn author_id(header: &Header) -> NodeId {
    Inception::id_of(&header.key, &header.recovery)
}
