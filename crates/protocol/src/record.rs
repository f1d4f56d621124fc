//! What the DHT keeps: records signed by their authors, which prove where they belong.

use alloc::vec::Vec;
use core::{fmt, str::FromStr, time::Duration};

use bincode::{Decode, Encode};
use repute_base::{Address, BoundedBytes, BoundedVec, Wall, codec};
use repute_identity::{NodeId, ParseError};

use crate::{
    Advertisement, DecodeError, Envelope, EnvelopeKind,
    limits::{ADDRESSES_MAX, FUTURE_MAX, RECORD_NAME_MAX, RECORD_VALUE_MAX, SLOTS_MAX},
};

/// A place in the DHT: 256 bits, in the same space as [`NodeId`]s, close by XOR.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct RecordKey([u8; 32]);

impl RecordKey {
    const CONTEXT: &'static str = "repute 2026-11 dht record key v1";

    /// A key from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Where a node is.
    pub const fn of_node(node: &NodeId) -> Self {
        Self(*node.as_bytes())
    }

    /// Where records of this kind and name are. The author takes part only where the kind has one
    /// author, so that nobody else's records can be found there.
    pub fn of(kind: RecordKind, author: &NodeId, name: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(Self::CONTEXT);
        hasher.update(&[kind.number()]);
        if !kind.is_shared() {
            hasher.update(author.as_bytes());
        }
        hasher.update(name);
        Self(*hasher.finalize().as_bytes())
    }

    /// Where the providers of a blob are.
    pub fn of_providers(blob: &[u8; 32]) -> Self {
        Self::of(RecordKind::Provider, &NodeId::from_bytes([0; 32]), blob)
    }

    /// Where the identity record of a node is.
    pub fn of_identity(node: &NodeId) -> Self {
        Self::of(RecordKind::Identity, node, &[])
    }

    /// Where the advertisements of a service are: `seeder`, `signer:spend`, `signer`, `all`.
    pub fn of_service(service: &str) -> Self {
        let nobody = NodeId::from_bytes([0; 32]);
        Self::of(RecordKind::Advertisement, &nobody, service.as_bytes())
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NodeId::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKey({})", NodeId::from_bytes(self.0).short())
    }
}

impl FromStr for RecordKey {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.parse::<NodeId>().map(|id| Self(*id.as_bytes()))
    }
}

/// What a record is for. The number on the wire is the discriminant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// Bytes of the author's own, under a name of its own.
    Value = 1,
    /// Who has a blob; the name is its hash. See [`Provider`].
    Provider = 2,
    /// Where the author is; without a name. The value is an
    /// [`AddressRecord`](crate::AddressRecord).
    Identity = 3,
    /// A service that the author offers; the name is the service's. See [`Advertisement`].
    Advertisement = 4,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Value,
        Self::Provider,
        Self::Identity,
        Self::Advertisement,
    ];

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// A stable name for logs, metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Provider => "provider",
            Self::Identity => "identity",
            Self::Advertisement => "advertisement",
        }
    }

    /// The kind of this number, if this build knows it.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Whether many authors have records at one key.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Provider | Self::Advertisement)
    }

    /// The longest value, in bytes.
    pub const fn value_max(self) -> usize {
        match self {
            Self::Value => 1_024,
            Self::Provider | Self::Identity => 256,
            Self::Advertisement => RECORD_VALUE_MAX,
        }
    }

    /// How long a record of this kind may live. Its author publishes it again after a third.
    pub const fn lifetime_max(self) -> Duration {
        match self {
            Self::Value | Self::Provider | Self::Identity => Duration::from_secs(24 * 3_600),
            Self::Advertisement => Duration::from_secs(6 * 3_600),
        }
    }

    /// How many records of this kind an author may have at one key.
    pub const fn slots(self) -> u8 {
        match self {
            Self::Advertisement => SLOTS_MAX,
            _ => 1,
        }
    }
}

/// A record, inside the envelope that its author signed. Newest is the greatest
/// [`Seq`](crate::Seq) of the envelope.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Record {
    /// What it is for: a [`RecordKind`]. Others are refused without blame.
    pub kind: u8,
    /// Which of the author's records of this kind and name, counted from zero.
    pub slot: u8,
    /// Until when it holds, in ms since the Unix epoch.
    pub expires: u64,
    /// What it is about; the key follows from it.
    pub name: BoundedBytes<RECORD_NAME_MAX>,
    /// What it says.
    pub value: BoundedBytes<RECORD_VALUE_MAX>,
}

/// Who has a blob.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Provider {
    /// Bytes of the blob.
    pub size: u64,
    /// Where it can be had, best first.
    pub addresses: BoundedVec<Address, ADDRESSES_MAX>,
}

/// Why a record was refused. Nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// An envelope of another kind, or a payload that is no record.
    #[error("it is no record")]
    Malformed,
    /// A kind that this build does not know. Nobody's fault.
    #[error("its kind is not known here")]
    UnknownKind,
    /// The record belongs elsewhere.
    #[error("it belongs to another key")]
    WrongKey,
    /// The value is longer than its kind allows.
    #[error("its value is longer than its kind allows")]
    Oversized,
    /// What it says does not hold together.
    #[error("it contradicts itself")]
    Contradictory,
    /// Its time is over. Nobody's fault: clocks differ.
    #[error("it has expired")]
    Expired,
    /// Its time or its number lies further ahead than two honest clocks differ.
    #[error("it is from the future")]
    FromTheFuture,
}

impl RecordError {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::UnknownKind,
        Self::WrongKey,
        Self::Oversized,
        Self::Contradictory,
        Self::Expired,
        Self::FromTheFuture,
    ];

    /// A stable name for logs, metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownKind => "unknown-kind",
            Self::WrongKey => "wrong-key",
            Self::Oversized => "oversized",
            Self::Contradictory => "contradictory",
            Self::Expired => "expired",
            Self::FromTheFuture => "from-the-future",
        }
    }

    /// Whether the bytes alone prove that whoever sent them did not check them: no clock and no
    /// later version explains it.
    pub const fn proves_itself(self) -> bool {
        !matches!(
            self,
            Self::UnknownKind | Self::Expired | Self::FromTheFuture
        )
    }
}

/// A record that holds together, with what its envelope says about it. Whether the envelope is
/// forged is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    /// Where it belongs.
    pub key: RecordKey,
    /// What it is for.
    pub kind: RecordKind,
    /// Who says so.
    pub author: NodeId,
    /// Until when it holds.
    pub expires: Wall,
    /// The record.
    pub record: Record,
}

impl Record {
    /// Judges the record in an envelope, all but its signature.
    ///
    /// # Errors
    /// [`RecordError`]: the first rule that it breaks, cheapest first.
    pub fn file(envelope: &Envelope, now: Wall) -> Result<Filed, RecordError> {
        if envelope.kind() != EnvelopeKind::Record {
            return Err(RecordError::Malformed);
        }
        let record: Self =
            codec::decode(&envelope.payload()).map_err(|_| RecordError::Malformed)?;
        let kind = RecordKind::from_number(record.kind).ok_or(RecordError::UnknownKind)?;
        if record.value.len() > kind.value_max() {
            return Err(RecordError::Oversized);
        }
        let (sent, expires) = (envelope.sent(), Wall::from_millis(record.expires));
        let lifetime = expires.since(sent);
        if lifetime.is_zero() || lifetime > kind.lifetime_max() || record.slot >= kind.slots() {
            return Err(RecordError::Contradictory);
        }
        record.judge_value(kind)?;
        // A number is a start of the author's clock, so it cannot be ahead of the record itself.
        let numbered = Wall::from_millis(envelope.seq().start);
        if sent.since(now) > FUTURE_MAX || numbered.since(now) > FUTURE_MAX {
            return Err(RecordError::FromTheFuture);
        }
        if expires <= now {
            return Err(RecordError::Expired);
        }
        let author = envelope.author();
        Ok(Filed {
            key: RecordKey::of(kind, &author, &record.name),
            kind,
            author,
            expires,
            record,
        })
    }

    /// The bytes to put into an envelope.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    fn judge_value(&self, kind: RecordKind) -> Result<(), RecordError> {
        let malformed = |_: DecodeError| RecordError::Malformed;
        let holds = match kind {
            RecordKind::Value => true,
            RecordKind::Provider => {
                let _: Provider = codec::decode(&self.value).map_err(malformed)?;
                self.name.len() == 32
            }
            RecordKind::Identity => {
                let _: crate::AddressRecord = codec::decode(&self.value).map_err(malformed)?;
                self.name.is_empty()
            }
            RecordKind::Advertisement => {
                let offer = Advertisement::decode(&self.value).map_err(malformed)?;
                offer.is_sound() && offer.belongs_at(&self.name)
            }
        };
        if holds {
            Ok(())
        } else {
            Err(RecordError::Contradictory)
        }
    }
}
