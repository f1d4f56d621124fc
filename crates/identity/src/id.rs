use alloc::string::String;
use core::{fmt, str::FromStr};

use bincode::{Decode, Encode};

use crate::text::{ParseError, base32, parse32};

/// The name of a node: the hash of its [`Inception`](crate::Inception) record, 32 bytes.
///
/// Shown as 52 characters of lower-case base32; hex is understood when read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct NodeId([u8; 32]);

impl NodeId {
    /// Characters of the short form.
    pub const SHORT_LEN: usize = 10;

    /// An id from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first characters of the text, for people; never for decisions.
    pub fn short(&self) -> String {
        let mut text = base32(&self.0);
        text.truncate(Self::SHORT_LEN);
        text
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32(&self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.short())
    }
}

impl FromStr for NodeId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse32(text).map(Self)
    }
}
