use alloc::{string::String, vec::Vec};
use core::{fmt, ops::Deref};

use bincode::{
    de::{BorrowDecode, BorrowDecoder, Decode, Decoder},
    enc::{Encode, Encoder},
    error::{DecodeError, EncodeError},
};
use bytes::Bytes;

/// A collection was longer than its type allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{len} elements where at most {max} fit")]
pub struct TooLong {
    /// How many there were.
    pub len: usize,
    /// How many fit.
    pub max: usize,
}

const TOO_LONG: DecodeError = DecodeError::Other("collection longer than its limit");
const NOT_UTF8: DecodeError = DecodeError::Other("text is not UTF-8");

/// Memory reserved before any element has been decoded, in bytes; the rest grows as elements
/// really come.
const RESERVE_BYTES_MAX: usize = 1024;

fn decode_len<D: Decoder>(decoder: &mut D, max: usize) -> Result<usize, DecodeError> {
    let len = u64::decode(decoder)?;
    usize::try_from(len)
        .ok()
        .filter(|len| *len <= max)
        .ok_or(TOO_LONG)
}

/// The bytes of a length-prefixed string, borrowed from the reader, which is a slice: bytes that
/// did not come are refused before anything is allocated.
fn decode_bytes<D: Decoder, T>(
    decoder: &mut D,
    max: usize,
    take: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    use bincode::de::read::Reader;
    let len = decode_len(decoder, max)?;
    decoder.claim_bytes_read(len)?;
    let Some(bytes) = decoder.reader().peek_read(len) else {
        return Err(DecodeError::UnexpectedEnd { additional: len });
    };
    let taken = take(bytes)?;
    decoder.reader().consume(len);
    Ok(taken)
}

/// A vector of at most `MAX` elements, on the wire a varint count and then the elements.
///
/// The count is checked before anything is allocated, and memory grows only as elements really
/// come. Choose `MAX` such that `MAX` elements in memory are no burden: an element may take more
/// memory than wire bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoundedVec<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Default for BoundedVec<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> BoundedVec<T, MAX> {
    /// How many elements fit.
    pub const MAX: usize = MAX;

    /// No elements.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The first `MAX` elements of `items`; the rest is dropped.
    pub fn truncated(items: impl IntoIterator<Item = T>) -> Self {
        Self(items.into_iter().take(MAX).collect())
    }

    /// Appends `item`, or gives it back when full.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        if self.0.len() < MAX {
            self.0.push(item);
            Ok(())
        } else {
            Err(item)
        }
    }

    /// The elements.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> TryFrom<Vec<T>> for BoundedVec<T, MAX> {
    type Error = TooLong;
    fn try_from(items: Vec<T>) -> Result<Self, TooLong> {
        if items.len() > MAX {
            return Err(TooLong {
                len: items.len(),
                max: MAX,
            });
        }
        Ok(Self(items))
    }
}

impl<T, const MAX: usize> Deref for BoundedVec<T, MAX> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> IntoIterator for BoundedVec<T, MAX> {
    type Item = T;
    type IntoIter = alloc::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T, const MAX: usize> IntoIterator for &'a BoundedVec<T, MAX> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Encode, const MAX: usize> Encode for BoundedVec<T, MAX> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.0.len() as u64).encode(encoder)?;
        self.0.iter().try_for_each(|item| item.encode(encoder))
    }
}

impl<C, T: Decode<C>, const MAX: usize> Decode<C> for BoundedVec<T, MAX> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let len = decode_len(decoder, MAX)?;
        let element = size_of::<T>().max(1);
        let mut items = Vec::with_capacity(len.min(RESERVE_BYTES_MAX / element));
        for _ in 0..len {
            items.push(T::decode(decoder)?);
        }
        Ok(Self(items))
    }
}

impl<'de, C, T: Decode<C>, const MAX: usize> BorrowDecode<'de, C> for BoundedVec<T, MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

/// At most `MAX` bytes, on the wire a varint length and then the bytes. Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoundedBytes<const MAX: usize>(Bytes);

impl<const MAX: usize> BoundedBytes<MAX> {
    /// How many bytes fit.
    pub const MAX: usize = MAX;

    /// Takes `bytes` over if they fit.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, TooLong> {
        let bytes = bytes.into();
        if bytes.len() > MAX {
            return Err(TooLong {
                len: bytes.len(),
                max: MAX,
            });
        }
        Ok(Self(bytes))
    }

    /// The bytes, shared.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The bytes, shared.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl<const MAX: usize> Deref for BoundedBytes<MAX> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const MAX: usize> fmt::Debug for BoundedBytes<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<const MAX: usize> Encode for BoundedBytes<MAX> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.as_ref().encode(encoder)
    }
}

impl<C, const MAX: usize> Decode<C> for BoundedBytes<MAX> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        decode_bytes(decoder, MAX, |bytes| {
            Ok(Self(Bytes::copy_from_slice(bytes)))
        })
    }
}

impl<'de, C, const MAX: usize> BorrowDecode<'de, C> for BoundedBytes<MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

/// UTF-8 text of at most `MAX` bytes.
///
/// Text from a peer is data, not words: escape it before it reaches a log or a terminal
/// ([`BoundedString::escaped`]).
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoundedString<const MAX: usize>(String);

impl<const MAX: usize> BoundedString<MAX> {
    /// Takes `text` over if it fits.
    pub fn new(text: impl Into<String>) -> Result<Self, TooLong> {
        let text = text.into();
        if text.len() > MAX {
            return Err(TooLong {
                len: text.len(),
                max: MAX,
            });
        }
        Ok(Self(text))
    }

    /// As much of `text` as fits, cut at a character.
    pub fn truncated(text: &str) -> Self {
        let mut end = text.len().min(MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Self(text.get(..end).unwrap_or_default().into())
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text with every control and non-ASCII character escaped.
    pub fn escaped(&self) -> impl fmt::Display + '_ {
        self.0.escape_default()
    }
}

impl<const MAX: usize> fmt::Debug for BoundedString<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escaped())
    }
}

impl<const MAX: usize> Encode for BoundedString<MAX> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.as_bytes().encode(encoder)
    }
}

impl<C, const MAX: usize> Decode<C> for BoundedString<MAX> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        decode_bytes(decoder, MAX, |bytes| {
            core::str::from_utf8(bytes)
                .map(|text| Self(text.into()))
                .map_err(|_| NOT_UTF8)
        })
    }
}

impl<'de, C, const MAX: usize> BorrowDecode<'de, C> for BoundedString<MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString, vec};

    use super::*;
    use crate::codec::{self, DecodeError};

    #[test]
    fn a_full_vector_gives_the_element_back() {
        let mut items = BoundedVec::<u8, 2>::new();
        assert_eq!(
            (items.push(1), items.push(2), items.push(3)),
            (Ok(()), Ok(()), Err(3))
        );
        assert_eq!(&*items, [1, 2]);
        assert_eq!(BoundedVec::<u8, 2>::truncated(0..9).into_vec(), [0, 1]);
        let refused = BoundedVec::<u8, 2>::try_from(vec![0; 3]);
        assert_eq!(refused, Err(TooLong { len: 3, max: 2 }));
        assert_eq!(
            TooLong { len: 3, max: 2 }.to_string(),
            "3 elements where at most 2 fit"
        );
    }

    #[test]
    fn text_is_cut_at_a_character_and_escaped_for_people() {
        assert_eq!(BoundedString::<4>::truncated("aäöü").as_str(), "aä");
        assert_eq!(BoundedString::<0>::truncated("ä").as_str(), "");
        let rude = BoundedString::<16>::new("\u{1b}[2Jhi\n").unwrap();
        assert_eq!(format!("{}", rude.escaped()), "\\u{1b}[2Jhi\\n");
        assert_eq!(format!("{rude:?}"), "\"\\u{1b}[2Jhi\\n\"");
        assert!(BoundedString::<2>::new("abc").is_err());
    }

    #[test]
    fn bytes_over_the_limit_are_refused_when_made_and_when_read() {
        assert!(BoundedBytes::<2>::new(vec![1, 2, 3]).is_err());
        let four = codec::encode(&BoundedBytes::<4>::new(vec![1, 2, 3, 4]).unwrap());
        assert!(codec::decode::<BoundedBytes<4>>(&four).is_ok());
        let refused = codec::decode::<BoundedBytes<3>>(&four);
        assert_eq!(
            refused,
            Err(DecodeError::Invalid("collection longer than its limit"))
        );
        let refused = codec::decode::<BoundedVec<u8, 3>>(&four);
        assert_eq!(
            refused,
            Err(DecodeError::Invalid("collection longer than its limit"))
        );
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        let refused = codec::decode::<BoundedString<4>>(&[2, 0xc3, 0x28]);
        assert_eq!(refused, Err(DecodeError::Invalid("text is not UTF-8")));
    }

    #[test]
    fn bytes_that_did_not_come_are_refused() {
        assert_eq!(
            codec::decode::<BoundedBytes<9>>(&[5, 1]),
            Err(DecodeError::Malformed)
        );
        assert_eq!(
            codec::decode::<BoundedString<9>>(&[5, 1]),
            Err(DecodeError::Malformed)
        );
        assert_eq!(
            codec::decode::<BoundedVec<u8, 9>>(&[5, 1]),
            Err(DecodeError::Malformed)
        );
    }
}
