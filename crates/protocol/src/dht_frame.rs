//! Requests and answers of the DHT. Records in them are signed; the rest is a neighbour's word.

use bincode::{
    BorrowDecode, Decode, Encode,
    de::{BorrowDecoder, Decoder},
    error::DecodeError,
};
use repute_base::{Address, BoundedBytes, BoundedVec};
use repute_identity::NodeId;

use crate::{
    Envelope, RecordKey,
    limits::{
        CONTACT_ADDRESSES_MAX, CONTACTS_MAX, RECORD_ENVELOPE_MAX, RECORD_LIST_BYTES_MAX,
        RECORD_LIST_MAX,
    },
};

/// A node, and where it can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Contact {
    /// Who: whoever answers there must prove to be this.
    pub id: NodeId,
    /// Where, best first.
    pub addresses: BoundedVec<Address, CONTACT_ADDRESSES_MAX>,
}

/// The last bytes of a node's id: enough to tell the few nodes near one key apart, whose first
/// bytes are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct ShortId([u8; 4]);

impl ShortId {
    /// The short form of an id.
    pub const fn of(id: &NodeId) -> Self {
        let [.., a, b, c, d] = *id.as_bytes();
        Self([a, b, c, d])
    }
}

/// Signed records, bounded in number and in bytes together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode)]
pub struct RecordList(BoundedVec<BoundedBytes<RECORD_ENVELOPE_MAX>, RECORD_LIST_MAX>);

impl RecordList {
    /// Adds a record, unless it is too long or the list is full; says whether it did.
    pub fn push(&mut self, envelope: &Envelope) -> bool {
        let wire = envelope.wire();
        if self.bytes() + wire.len() > RECORD_LIST_BYTES_MAX {
            return false;
        }
        BoundedBytes::new(wire.clone()).is_ok_and(|wire| self.0.push(wire).is_ok())
    }

    /// The encoded envelopes.
    pub fn iter(&self) -> core::slice::Iter<'_, BoundedBytes<RECORD_ENVELOPE_MAX>> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|wire| wire.len()).sum()
    }
}

impl<'a> IntoIterator for &'a RecordList {
    type Item = &'a BoundedBytes<RECORD_ENVELOPE_MAX>;
    type IntoIter = core::slice::Iter<'a, BoundedBytes<RECORD_ENVELOPE_MAX>>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<C> Decode<C> for RecordList {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let list = Self(Decode::decode(decoder)?);
        if list.bytes() > RECORD_LIST_BYTES_MAX {
            return Err(DecodeError::Other("records too long together"));
        }
        Ok(list)
    }
}

impl<'de, C> BorrowDecode<'de, C> for RecordList {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

/// What became of one record that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Stored {
    /// It is kept now, or was already.
    Kept,
    /// A newer one is kept.
    Older,
    /// There is no room for it: of its author, of its key, of the sender, or at all.
    Full,
    /// It was refused: see [`RecordError`](crate::RecordError).
    Refused,
}

/// What one node asks another.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DhtAsk {
    /// Which nodes do you know closest to this place?
    Contacts {
        /// Where.
        target: RecordKey,
        /// Those that the asker knows: they need not be told.
        known: BoundedVec<ShortId, CONTACTS_MAX>,
    },
    /// Which records do you have at this key? Who has none tells whom it knows closest.
    Records {
        /// Where.
        key: RecordKey,
        /// Of many authors, begin with this one or the next after it, and wrap around.
        from: NodeId,
        /// How many are welcome.
        count: u8,
        /// Nodes that the asker knows.
        known: BoundedVec<ShortId, CONTACTS_MAX>,
    },
    /// Keep these.
    Store {
        /// Which.
        records: RecordList,
    },
}

/// What the other answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DhtAnswer {
    /// These nodes are closest, but for those that the asker knows.
    Contacts {
        /// Closest first.
        contacts: BoundedVec<Contact, CONTACTS_MAX>,
    },
    /// These records.
    Records {
        /// In the order of their authors, from the one asked for.
        records: RecordList,
        /// Whether there are others at this key.
        more: bool,
        /// Nodes closest to the key, but for those that the asker knows.
        contacts: BoundedVec<Contact, CONTACTS_MAX>,
    },
    /// What became of each record, in order.
    Stored {
        /// One for each.
        outcomes: BoundedVec<Stored, RECORD_LIST_MAX>,
    },
    /// Too much was asked for; try another, or later.
    Busy,
}

/// One frame of the DHT.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DhtFrame {
    /// Asks.
    Request {
        /// The asker's number for the request.
        number: u64,
        /// What is asked.
        ask: DhtAsk,
    },
    /// Answers.
    Answer {
        /// The number of the request.
        number: u64,
        /// The answer.
        answer: DhtAnswer,
    },
    /// Advertisements of the sender's own, unasked, for the neighbours that it has.
    Offer {
        /// Which.
        records: RecordList,
    },
}
