//! What travels about blobs: names, sets of groups, and the short frames on a link. The bytes of a
//! blob never travel in frames; see [`TransferRequest`](crate::TransferRequest).

use alloc::vec::Vec;
use core::{fmt, ops::Range, str::FromStr};

use bincode::{
    BorrowDecode, Decode, Encode,
    de::{BorrowDecoder, Decoder},
    enc::Encoder,
    error::{DecodeError, EncodeError},
};
use repute_base::{Address, BoundedVec};
use repute_identity::{NodeId, ParseError};

use crate::limits::{CONTACT_ADDRESSES_MAX, HOLDINGS_MAX};

/// Bytes of a group: the least that is proven on its own.
pub const GROUP_BYTES: u64 = 16 * 1024;

/// How many groups a blob of so many bytes has. An empty one has one, which is empty.
pub const fn groups_of(size: u64) -> u64 {
    let groups = size.div_ceil(GROUP_BYTES);
    if groups == 0 { 1 } else { groups }
}

/// The name of a blob: the BLAKE3 hash of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct BlobHash([u8; 32]);

impl BlobHash {
    /// A name from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the name.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NodeId::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobHash({})", NodeId::from_bytes(self.0).short())
    }
}

impl FromStr for BlobHash {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.parse::<NodeId>().map(|id| Self(*id.as_bytes()))
    }
}

/// Groups of a blob, as at most `MAX` ranges of group numbers, lowest first, that neither overlap
/// nor touch. On the wire: how many ranges, then for each how far it begins behind the end of the
/// last, and how long it is.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupList<const MAX: usize>(Vec<(u64, u64)>);

impl<const MAX: usize> GroupList<MAX> {
    /// The first `MAX` of these ranges, as long as each begins behind the end of the one before.
    pub fn truncated(ranges: impl IntoIterator<Item = Range<u64>>) -> Self {
        let mut behind = None;
        let sound = ranges.into_iter().take(MAX).map_while(|range| {
            let apart = behind.is_none_or(|end| range.start > end) && range.start < range.end;
            behind = Some(range.end);
            apart.then_some((range.start, range.end))
        });
        Self(sound.collect())
    }

    /// The ranges, lowest first.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + ExactSizeIterator + '_ {
        self.0.iter().map(|(start, end)| *start..*end)
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many groups there are.
    pub fn groups(&self) -> u64 {
        self.ranges().map(|range| range.end - range.start).sum()
    }

    /// The first number behind all of them.
    pub fn end(&self) -> u64 {
        self.0.last().map_or(0, |(_, end)| *end)
    }
}

impl<const MAX: usize> fmt::Debug for GroupList<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ranges()).finish()
    }
}

impl<const MAX: usize> Encode for GroupList<MAX> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.0.len() as u64).encode(encoder)?;
        let mut behind = 0;
        for (start, end) in &self.0 {
            (start - behind).encode(encoder)?;
            (end - start).encode(encoder)?;
            behind = *end;
        }
        Ok(())
    }
}

impl<C, const MAX: usize> Decode<C> for GroupList<MAX> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let count = u64::decode(decoder)?;
        if count > MAX as u64 {
            return Err(DecodeError::Other("more ranges of groups than allowed"));
        }
        let mut ranges = Vec::new();
        let mut behind = 0_u64;
        for number in 0..count {
            let (gap, len) = (u64::decode(decoder)?, u64::decode(decoder)?);
            if (gap == 0 && number > 0) || len == 0 {
                return Err(DecodeError::Other(
                    "ranges of groups that touch or are empty",
                ));
            }
            let start = behind.checked_add(gap);
            let end = start.and_then(|start| start.checked_add(len));
            let (Some(start), Some(end)) = (start, end) else {
                return Err(DecodeError::Other("a range of groups beyond all numbers"));
            };
            ranges.push((start, end));
            behind = end;
        }
        Ok(Self(ranges))
    }
}

impl<'de, C, const MAX: usize> BorrowDecode<'de, C> for GroupList<MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

/// How well a peer is served, by its standing with whoever serves: better ones get more turns and
/// may get more bytes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Tier {
    /// Little is known, or little good.
    #[default]
    Newcomer,
    /// Of medium standing.
    Medium,
    /// Of high standing.
    High,
    /// Trusted.
    Trusted,
}

impl Tier {
    /// Every tier, the least first.
    pub const ALL: [Self; 4] = [Self::Newcomer, Self::Medium, Self::High, Self::Trusted];

    /// Its number, from 0.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// A stable name for people and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Newcomer => "newcomer",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Trusted => "trusted",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which groups of a blob somebody has.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Holdings {
    /// Every one.
    All,
    /// Some of them.
    Part {
        /// Those from the one asked for on, as many ranges as fit.
        groups: GroupList<HOLDINGS_MAX>,
        /// Of the groups below this one, and from the one asked for on, nothing was left out. Ask
        /// from here for more.
        until: u64,
    },
}

/// What somebody has of a blob, and how it would serve the asker.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct BlobHave {
    /// Which blob.
    pub hash: BlobHash,
    /// How many bytes it has, as far as the sender knows.
    pub size: u64,
    /// Which groups the sender has.
    pub holdings: Holdings,
    /// How well the sender serves the asker.
    pub tier: Tier,
    /// The most bytes a second that the asker gets; 0 if there is no such bound.
    pub rate: u64,
    /// How many more peers could be served now.
    pub slots_free: u8,
}

impl<C> Decode<C> for BlobHave {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let have = Self {
            hash: Decode::decode(decoder)?,
            size: Decode::decode(decoder)?,
            holdings: Decode::decode(decoder)?,
            tier: Decode::decode(decoder)?,
            rate: Decode::decode(decoder)?,
            slots_free: Decode::decode(decoder)?,
        };
        let all = groups_of(have.size);
        match &have.holdings {
            Holdings::Part { groups, until } if groups.end() > all || *until > all => {
                Err(DecodeError::Other("groups beyond the end of their blob"))
            }
            _ => Ok(have),
        }
    }
}

impl<'de, C> BorrowDecode<'de, C> for BlobHave {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

/// What two peers say to each other about blobs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum BlobFrame {
    /// What do you have of this blob? Answered by `Have` or `Gone`. Who asked is told of what comes
    /// to it, for a while.
    Query {
        /// Which.
        hash: BlobHash,
        /// Tell of groups from this one on.
        from: u64,
    },
    /// This.
    Have(BlobHave),
    /// The sender has got these groups as well.
    Update {
        /// Of which blob.
        hash: BlobHash,
        /// Which.
        gained: GroupList<HOLDINGS_MAX>,
    },
    /// The sender has nothing of this blob, or no longer.
    Gone {
        /// Which.
        hash: BlobHash,
    },
    /// Your place in the queue has come: whoever asks within ten seconds is served.
    Turn {
        /// Of the blob that was asked for last.
        hash: BlobHash,
    },
}

/// Somebody has a blob, for everybody: the data of a message on [`Self::TOPIC`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BlobAnnouncement {
    /// Which.
    pub hash: BlobHash,
    /// How many bytes it has.
    pub size: u64,
    /// Where the author can be reached, best first.
    pub addresses: BoundedVec<Address, CONTACT_ADDRESSES_MAX>,
}

impl BlobAnnouncement {
    /// The topic of announcements.
    pub const TOPIC: &'static str = "repute.blobs";
}
