//! The one door through which untrusted bytes become values.
//!
//! bincode 2 alone aborts on a claimed length, overflows the stack on nesting and accepts several
//! encodings of one value. [`decode`] closes all three: the input is already capped by its frame,
//! the decoded size is limited, nothing may follow the value, and the value must encode back to
//! exactly the bytes that came.

use alloc::vec::Vec;

use bincode::{
    Decode, Encode,
    config::{self, Config},
    enc::write::Writer,
    error::EncodeError,
};

/// Why bytes were refused. Nothing has changed anywhere when one of these comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input is longer than any this project decodes in one piece.
    #[error("{len} bytes where at most {max} are decoded")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not an encoding of the expected type, or one that claims more than its limit.
    #[error("malformed")]
    Malformed,
    /// Bytes follow the value.
    #[error("bytes after the end")]
    Trailing,
    /// The same value has a shorter encoding.
    #[error("not the canonical encoding")]
    NotCanonical,
    /// Decoded, but outside the range the type allows.
    #[error("{0}")]
    Invalid(&'static str),
}

/// The longest input that [`decode`] looks at, in bytes.
pub const INPUT_MAX: usize = 1 << 20;

/// Decodes one value that must fill `bytes` exactly and canonically.
///
/// # Errors
/// [`DecodeError`], without side effects.
pub fn decode<T: Decode<()> + Encode>(bytes: &[u8]) -> Result<T, DecodeError> {
    let (value, consumed) = decode_prefix(bytes)?;
    if consumed != bytes.len() {
        return Err(DecodeError::Trailing);
    }
    Ok(value)
}

/// Decodes one canonical value from the front of `bytes` and says how many bytes it took.
///
/// # Errors
/// [`DecodeError`], without side effects.
pub fn decode_prefix<T: Decode<()> + Encode>(bytes: &[u8]) -> Result<(T, usize), DecodeError> {
    // The limit counts decoded, not wire, bytes: 16 times the largest input of each class.
    let (value, consumed): (T, usize) = match bytes.len() {
        0..=0x1000 => raw(bytes, config::standard().with_limit::<0x1_0000>()),
        0x1001..=0x1_0000 => raw(bytes, config::standard().with_limit::<0x10_0000>()),
        0x1_0001..=INPUT_MAX => raw(bytes, config::standard().with_limit::<0x100_0000>()),
        len => {
            return Err(DecodeError::TooLong {
                len,
                max: INPUT_MAX,
            });
        }
    }?;
    let taken = bytes.get(..consumed).ok_or(DecodeError::Malformed)?;
    let mut same = Same { rest: taken };
    bincode::encode_into_writer(&value, &mut same, config::standard())
        .map_err(|_| DecodeError::NotCanonical)?;
    if same.rest.is_empty() {
        Ok((value, consumed))
    } else {
        Err(DecodeError::NotCanonical)
    }
}

/// Encodes a value of ours.
pub fn encode<T: Encode>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    encode_into(value, &mut out);
    out
}

/// Appends a value of ours to `out`.
pub fn encode_into<T: Encode>(value: &T, out: &mut Vec<u8>) {
    // Writing to memory cannot fail, and wire types hold nothing that bincode refuses to encode.
    let written = bincode::encode_into_writer(value, Append { out }, config::standard());
    debug_assert!(written.is_ok(), "wire types always encode");
}

#[allow(
    clippy::disallowed_methods,
    reason = "this is the door that the rule protects"
)]
fn raw<T: Decode<()>, C: Config>(bytes: &[u8], config: C) -> Result<(T, usize), DecodeError> {
    bincode::decode_from_slice(bytes, config).map_err(|error| match error {
        bincode::error::DecodeError::Other(reason) => DecodeError::Invalid(reason),
        _ => DecodeError::Malformed,
    })
}

struct Append<'a> {
    out: &'a mut Vec<u8>,
}

impl Writer for Append<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

/// Compares what is written with what was read, without a second buffer.
struct Same<'a> {
    rest: &'a [u8],
}

impl Writer for Same<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(EncodeError::Other("differs")),
        }
    }
}
