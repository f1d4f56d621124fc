use alloc::{format, vec::Vec};
use core::{fmt, str::FromStr};

use bincode::{Decode, Encode};
use repute_base::{BoundedString, BoundedVec, codec};
use repute_identity::{base32, from_base32};

use crate::{BlobHash, Contact, DecodeError};

/// How to get a blob: which it is, and who has it.
///
/// As text it is `reputeblob` and lower-case base32 of version, body and checksum: safe in shells
/// and QR codes. Only the hash proves anything: size, name and peers are the word of whoever wrote
/// the ticket.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BlobTicket {
    /// Which blob.
    pub hash: BlobHash,
    /// How many bytes it has.
    pub size: u64,
    /// What its owner calls it. Data, not words: escape it before it is shown, and never take it
    /// for a path.
    pub name: BoundedString<{ BlobTicket::NAME_MAX }>,
    /// Some who have it, best first.
    pub peers: BoundedVec<Contact, { BlobTicket::PEERS_MAX }>,
}

/// Why text is no ticket for a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobTicketError {
    /// Does not begin like a ticket for a blob.
    #[error("a ticket for a file begins with \"reputeblob\"")]
    Prefix,
    /// Longer than any ticket.
    #[error("{len} characters where a ticket for a file has at most {max}")]
    TooLong {
        /// Characters given.
        len: usize,
        /// Characters allowed.
        max: usize,
    },
    /// A character was lost or changed on the way: copy it again.
    #[error("damaged ticket (checksum does not match): copy it again")]
    Checksum,
    /// Made by a newer version.
    #[error("version {0} of tickets for files is not known to this build")]
    Version(u8),
    /// The checksum fits, but the content does not.
    #[error("malformed ticket: {0}")]
    Malformed(DecodeError),
}

impl BlobTicket {
    /// What a ticket's text begins with.
    pub const PREFIX: &'static str = "reputeblob";
    /// Bytes of a name at most: the longest that file systems take.
    pub const NAME_MAX: usize = 255;
    /// Peers in one ticket at most: enough to begin with, since whoever has the blob can be found.
    pub const PEERS_MAX: usize = 4;
    /// Characters of a ticket at most.
    pub const TEXT_MAX: usize = 1_024;
    const VERSION: u8 = 1;
    const CHECKSUM_LEN: usize = 4;
    const CHECKSUM_CONTEXT: &'static str = "repute 2026-11 blob ticket checksum v1";

    fn checksum(bytes: &[u8]) -> [u8; Self::CHECKSUM_LEN] {
        let hash = blake3::Hasher::new_derive_key(Self::CHECKSUM_CONTEXT)
            .update(bytes)
            .finalize();
        let [a, b, c, d, ..] = *hash.as_bytes();
        [a, b, c, d]
    }
}

impl fmt::Display for BlobTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::from([Self::VERSION]);
        codec::encode_into(self, &mut bytes);
        let checksum = Self::checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        f.write_str(&format!("{}{}", Self::PREFIX, base32(&bytes)))
    }
}

impl FromStr for BlobTicket {
    type Err = BlobTicketError;

    fn from_str(text: &str) -> Result<Self, BlobTicketError> {
        let text = text.trim();
        if text.len() > Self::TEXT_MAX {
            return Err(BlobTicketError::TooLong {
                len: text.len(),
                max: Self::TEXT_MAX,
            });
        }
        // Upper case is understood throughout, because compact QR codes know no other.
        let encoded = text
            .split_at_checked(Self::PREFIX.len())
            .filter(|(prefix, _)| prefix.eq_ignore_ascii_case(Self::PREFIX))
            .map(|(_, encoded)| encoded)
            .ok_or(BlobTicketError::Prefix)?;
        let bytes = from_base32(encoded).ok_or(BlobTicketError::Checksum)?;
        let (content, checksum) = bytes
            .split_last_chunk::<{ Self::CHECKSUM_LEN }>()
            .ok_or(BlobTicketError::Checksum)?;
        if Self::checksum(content) != *checksum {
            return Err(BlobTicketError::Checksum);
        }
        match content.split_first() {
            Some((&Self::VERSION, body)) => codec::decode(body).map_err(BlobTicketError::Malformed),
            Some((version, _)) => Err(BlobTicketError::Version(*version)),
            None => Err(BlobTicketError::Checksum),
        }
    }
}
