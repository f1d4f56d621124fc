//! What is inside an envelope, by kind.

use alloc::vec::Vec;
use core::time::Duration;

use bincode::{Decode, Encode};
use repute_base::{Address, BoundedBytes, BoundedString, BoundedVec, Wall, codec};
use repute_identity::NodeId;

use crate::{
    DecodeError, EnvelopeKind, Record,
    limits::{ADDRESSES_MAX, DEPENDENCIES_MAX, MESSAGE_DATA_MAX, TOPIC_MAX},
};

/// The name of a stream of messages that applications subscribe to.
pub type Topic = BoundedString<TOPIC_MAX>;

/// One author's message on a topic, by its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Dot {
    /// Who wrote it.
    pub author: NodeId,
    /// The author's start, as in [`Seq`](crate::Seq).
    pub start: u64,
    /// The message's place among those of this author, start and topic, counted from zero.
    pub nth: u64,
}

/// A message on a topic.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Message {
    /// Where it belongs.
    pub topic: Topic,
    /// The application's own kind; zero when it has none.
    pub kind: u16,
    /// Its place among the author's messages on this topic since the author's start.
    pub nth: u64,
    /// What the author had seen on this topic, if it wants causal order.
    pub after: BoundedVec<Dot, DEPENDENCIES_MAX>,
    /// The application's bytes.
    pub data: BoundedBytes<MESSAGE_DATA_MAX>,
}

/// Where the author listens. The newest by sequence replaces the others.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AddressRecord {
    /// Best first; empty when the author cannot be dialled.
    pub addresses: BoundedVec<Address, ADDRESSES_MAX>,
}

/// A bounded opinion about another peer: it can move a prior, never a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Recommendation {
    /// Whom it is about.
    pub subject: NodeId,
    /// In which context, numbered as in the trust crate.
    pub context: u8,
    /// From −100 (warn) to 100 (recommend), in hundredths.
    pub value: i8,
    /// Until when it holds, in ms since the Unix epoch; seven days at most.
    pub expires: u64,
    /// The BLAKE3 hash of a co-signed receipt that it rests on, if any.
    pub receipt: Option<[u8; 32]>,
}

impl Recommendation {
    /// The largest absolute value.
    pub const VALUE_MAX: i8 = 100;
    /// How far ahead [`expires`](Self::expires) counts; what lies further is read as this.
    pub const LIFETIME_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

    /// Whether the opinion still holds at `now`, if it was given at `sent`.
    ///
    /// It holds until its expiry, and at most [`Self::LIFETIME_MAX`] after it was given, whatever
    /// its author asked for.
    pub fn holds(&self, sent: Wall, now: Wall) -> bool {
        now <= Wall::from_millis(self.expires).min(sent + Self::LIFETIME_MAX)
    }
}

/// The payload of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    /// A message on a topic.
    Message(Message),
    /// Where the author listens.
    AddressRecord(AddressRecord),
    /// An opinion about another peer.
    Recommendation(Recommendation),
    /// A record of the DHT; see [`Record::file`] for its rules.
    Record(Record),
}

impl Payload {
    /// Decodes the payload of an envelope of this kind.
    ///
    /// # Errors
    /// [`DecodeError`] when it is malformed, out of range, or of an unknown kind.
    pub fn decode(kind: EnvelopeKind, bytes: &[u8]) -> Result<Self, DecodeError> {
        match kind {
            EnvelopeKind::Message => codec::decode(bytes).map(Self::Message),
            EnvelopeKind::AddressRecord => codec::decode(bytes).map(Self::AddressRecord),
            EnvelopeKind::Recommendation => {
                let opinion: Recommendation = codec::decode(bytes)?;
                if opinion.value.unsigned_abs() > Recommendation::VALUE_MAX.unsigned_abs() {
                    return Err(DecodeError::Invalid("recommendation beyond ±100"));
                }
                Ok(Self::Recommendation(opinion))
            }
            EnvelopeKind::Record => codec::decode(bytes).map(Self::Record),
            EnvelopeKind::Unknown(_) => Err(DecodeError::Invalid("unknown envelope kind")),
        }
    }

    /// The kind of envelope it belongs in.
    pub const fn kind(&self) -> EnvelopeKind {
        match self {
            Self::Message(_) => EnvelopeKind::Message,
            Self::AddressRecord(_) => EnvelopeKind::AddressRecord,
            Self::Recommendation(_) => EnvelopeKind::Recommendation,
            Self::Record(_) => EnvelopeKind::Record,
        }
    }

    /// The bytes to put into an envelope.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Message(message) => codec::encode(message),
            Self::AddressRecord(record) => codec::encode(record),
            Self::Recommendation(opinion) => codec::encode(opinion),
            Self::Record(record) => record.encode(),
        }
    }
}
