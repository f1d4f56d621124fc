//! One canonical text for 32-byte values: lower-case base32 without padding. Hex is understood.

use alloc::{string::String, vec::Vec};

use data_encoding::{BASE32_NOPAD_NOCASE, Encoding, HEXLOWER_PERMISSIVE};

/// Characters of 32 bytes in base32 without padding.
const BASE32_LEN: usize = 52;
/// Characters of 32 bytes in hex.
const HEX_LEN: usize = 64;

/// Why text is not an id or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Neither as long as base32 nor as hex.
    #[error("{len} characters: an id has 52 (base32) or 64 (hex)")]
    Length {
        /// Characters given.
        len: usize,
    },
    /// A character that the encoding does not have.
    #[error("not base32 (a-z, 2-7) nor hex (0-9, a-f)")]
    Alphabet,
    /// Well written, but not a key that is admitted.
    #[error("{0}")]
    Key(crate::KeyError),
}

/// Lower-case base32 without padding.
pub fn base32(bytes: &[u8]) -> String {
    let mut text = BASE32_NOPAD_NOCASE.encode(bytes);
    text.make_ascii_lowercase();
    text
}

/// The bytes of lower- or upper-case base32 without padding.
pub fn from_base32(text: &str) -> Option<Vec<u8>> {
    BASE32_NOPAD_NOCASE.decode(text.as_bytes()).ok()
}

/// 32 bytes from base32 or hex, told apart by length.
pub(crate) fn parse32(text: &str) -> Result<[u8; 32], ParseError> {
    let encoding: &Encoding = match text.len() {
        BASE32_LEN => &BASE32_NOPAD_NOCASE,
        HEX_LEN => &HEXLOWER_PERMISSIVE,
        len => return Err(ParseError::Length { len }),
    };
    let bytes = encoding
        .decode(text.as_bytes())
        .map_err(|_| ParseError::Alphabet)?;
    bytes.try_into().map_err(|_| ParseError::Alphabet)
}
