//! The head of a transfer: what is said on its stream before the bytes of the blob.
//!
//! A transfer has a bidirectional QUIC stream of its own. The asker writes one
//! [`TransferRequest`] and ends its side; the other writes one [`TransferAnswer`] and, if it
//! serves, the groups with their proofs, lowest first. Each head is its length, two bytes
//! big-endian, and its encoding.

use alloc::vec::Vec;
use core::fmt;

use bincode::{
    BorrowDecode, Decode, Encode,
    de::{BorrowDecoder, Decoder},
    error,
};
use repute_base::codec;

use crate::{
    BlobHash, DecodeError, GroupList, Tier,
    limits::{REQUEST_RANGES_MAX, TRANSFER_ANSWER_MAX, TRANSFER_REQUEST_MAX},
};

/// Asks for groups of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct TransferRequest {
    /// The form of what follows the answer: [`Self::VERSION`].
    pub version: u8,
    /// Which blob.
    pub hash: BlobHash,
    /// Which groups; at least one.
    pub groups: GroupList<REQUEST_RANGES_MAX>,
    /// The session of receipts that this counts in; 0 if none was agreed on.
    pub session: u64,
}

/// Why somebody does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum TransferRefusal {
    /// The asker's standing.
    Standing,
    /// More groups than one request may ask for.
    TooMuch,
    /// More requests at once than one peer may have.
    TooMany,
    /// The queue is full; ask somebody else.
    QueueFull,
    /// The version is not known.
    Version,
    /// The sender stops, or cannot read what it had.
    Unavailable,
}

impl TransferRefusal {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Standing,
        Self::TooMuch,
        Self::TooMany,
        Self::QueueFull,
        Self::Version,
        Self::Unavailable,
    ];

    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standing => "standing",
            Self::TooMuch => "too-much",
            Self::TooMany => "too-many",
            Self::QueueFull => "queue-full",
            Self::Version => "version",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for TransferRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What comes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum TransferAnswer {
    /// The groups follow.
    Serving {
        /// How many bytes the blob has.
        size: u64,
    },
    /// The sender lacks some of these groups, or the blob.
    NotFound,
    /// Not now. The asker has a place in the queue, and is told when its turn has come.
    Busy {
        /// When to ask again without having been told, in ms.
        retry_ms: u32,
        /// How many are before it.
        place: u16,
        /// How well the sender serves it.
        tier: Tier,
    },
    /// No.
    Refused {
        /// Why.
        reason: TransferRefusal,
    },
}

impl TransferRequest {
    /// The version of the stream that this build speaks.
    pub const VERSION: u8 = 1;

    /// The head of a stream.
    pub fn encode_head(&self) -> Vec<u8> {
        head(self)
    }

    /// Reads the body of a head, whose length was read before.
    ///
    /// # Errors
    /// [`DecodeError`]; no honest peer writes such a head.
    pub fn decode_body(body: &[u8]) -> Result<Self, DecodeError> {
        bounded(body, TRANSFER_REQUEST_MAX)
    }

    /// Checks the two bytes of length that a stream begins with: how long the body is.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`]; no honest peer writes such a head.
    pub fn body_len(prefix: [u8; 2]) -> Result<usize, DecodeError> {
        len_of(prefix, TRANSFER_REQUEST_MAX)
    }
}

impl TransferAnswer {
    /// The head of the answering side of a stream.
    pub fn encode_head(&self) -> Vec<u8> {
        head(self)
    }

    /// As [`TransferRequest::decode_body`].
    ///
    /// # Errors
    /// [`DecodeError`]; no honest peer writes such a head.
    pub fn decode_body(body: &[u8]) -> Result<Self, DecodeError> {
        bounded(body, TRANSFER_ANSWER_MAX)
    }

    /// As [`TransferRequest::body_len`].
    ///
    /// # Errors
    /// [`DecodeError::TooLong`]; no honest peer writes such a head.
    pub fn body_len(prefix: [u8; 2]) -> Result<usize, DecodeError> {
        len_of(prefix, TRANSFER_ANSWER_MAX)
    }
}

fn head<T: Encode>(value: &T) -> Vec<u8> {
    let mut out = Vec::from([0, 0]);
    codec::encode_into(value, &mut out);
    let len = u16::try_from(out.len() - 2).unwrap_or(u16::MAX);
    for (place, byte) in out.iter_mut().zip(len.to_be_bytes()) {
        *place = byte;
    }
    out
}

fn len_of(prefix: [u8; 2], max: usize) -> Result<usize, DecodeError> {
    let len = usize::from(u16::from_be_bytes(prefix));
    match len <= max {
        true => Ok(len),
        false => Err(DecodeError::TooLong { len, max }),
    }
}

fn bounded<T: Decode<()> + Encode>(body: &[u8], max: usize) -> Result<T, DecodeError> {
    let len = body.len();
    match len <= max {
        true => codec::decode(body),
        false => Err(DecodeError::TooLong { len, max }),
    }
}

impl<C> Decode<C> for TransferRequest {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, error::DecodeError> {
        let request = Self {
            version: Decode::decode(decoder)?,
            hash: Decode::decode(decoder)?,
            groups: Decode::decode(decoder)?,
            session: Decode::decode(decoder)?,
        };
        if request.groups.is_empty() {
            return Err(error::DecodeError::Other("a request for nothing"));
        }
        Ok(request)
    }
}

impl<'de, C> BorrowDecode<'de, C> for TransferRequest {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, error::DecodeError> {
        Self::decode(decoder)
    }
}
