use alloc::{format, string::String, vec::Vec};
use core::{fmt, str::FromStr};

use bincode::{Decode, Encode};
use repute_base::{Address, BoundedVec, Wall, codec};

use crate::{
    Inception, NodeId, PublicKey,
    text::{base32, from_base32},
};

/// An invitation to dial a node: who it is, where it listens, until when that holds.
///
/// As text it is `repute` and lower-case base32 of version, body and checksum: safe in shells and
/// QR codes. It never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The record that the dialled key is checked against.
    pub inception: Inception,
    /// Where the node listens, best first.
    pub addresses: BoundedVec<Address, { Ticket::ADDRESSES_MAX }>,
    /// The last moment at which the ticket is worth dialling.
    pub expires: Wall,
    /// Under which key the node publishes where it listens now, for when no address answers. It is
    /// of its own and can be changed; what is found there must be signed by the identity.
    pub discovery: Option<PublicKey>,
}

/// Why text is not a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TicketError {
    /// Does not begin like a ticket.
    #[error("a ticket begins with \"repute\"")]
    Prefix,
    /// Longer than any ticket.
    #[error("{len} characters where a ticket has at most {max}")]
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
    #[error("ticket version {0} is not known to this build")]
    Version(u8),
    /// The checksum fits, but the content does not.
    #[error("malformed ticket: {0}")]
    Malformed(codec::DecodeError),
    /// Past its expiry.
    #[error("the ticket has expired: ask for a fresh one")]
    Expired,
}

#[derive(Encode, Decode)]
struct Body {
    inception: Inception,
    addresses: BoundedVec<Address, { Ticket::ADDRESSES_MAX }>,
    expires: u64,
}

impl Ticket {
    /// What a ticket's text begins with.
    pub const PREFIX: &'static str = "repute";
    /// Addresses in one ticket at most.
    pub const ADDRESSES_MAX: usize = 8;
    /// Characters of a ticket at most.
    pub const TEXT_MAX: usize = 512;
    /// Without a discovery key, so that every build reads what needs none.
    const VERSION: u8 = 1;
    /// With a discovery key behind the body.
    const VERSION_DISCOVERY: u8 = 2;
    const CHECKSUM_LEN: usize = 4;
    const CHECKSUM_CONTEXT: &'static str = "repute 2026-11 ticket checksum v1";

    /// Whom the ticket leads to.
    pub fn node_id(&self) -> NodeId {
        self.inception.node_id()
    }

    /// Refuses a ticket that is past its time.
    ///
    /// # Errors
    /// [`TicketError::Expired`].
    pub fn check_fresh(&self, now: Wall) -> Result<(), TicketError> {
        if now > self.expires {
            Err(TicketError::Expired)
        } else {
            Ok(())
        }
    }

    fn checksum(bytes: &[u8]) -> [u8; Self::CHECKSUM_LEN] {
        let hash = blake3::Hasher::new_derive_key(Self::CHECKSUM_CONTEXT)
            .update(bytes)
            .finalize();
        let [a, b, c, d, ..] = *hash.as_bytes();
        [a, b, c, d]
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = Body {
            inception: self.inception,
            addresses: self.addresses.clone(),
            expires: self.expires.as_millis(),
        };
        let mut bytes: Vec<u8> = Vec::new();
        match &self.discovery {
            None => {
                bytes.push(Self::VERSION);
                codec::encode_into(&body, &mut bytes);
            }
            Some(key) => {
                bytes.push(Self::VERSION_DISCOVERY);
                codec::encode_into(&body, &mut bytes);
                codec::encode_into(key, &mut bytes);
            }
        }
        let checksum = Self::checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        let text: String = format!("{}{}", Self::PREFIX, base32(&bytes));
        f.write_str(&text)
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        if text.len() > Self::TEXT_MAX {
            return Err(TicketError::TooLong {
                len: text.len(),
                max: Self::TEXT_MAX,
            });
        }
        // Upper case is understood throughout, because compact QR codes know no other.
        let encoded = text
            .trim()
            .split_at_checked(Self::PREFIX.len())
            .filter(|(prefix, _)| prefix.eq_ignore_ascii_case(Self::PREFIX))
            .map(|(_, encoded)| encoded)
            .ok_or(TicketError::Prefix)?;
        let bytes = from_base32(encoded).ok_or(TicketError::Checksum)?;
        let (content, checksum) = bytes
            .len()
            .checked_sub(Self::CHECKSUM_LEN)
            .and_then(|at| bytes.split_at_checked(at))
            .ok_or(TicketError::Checksum)?;
        if Self::checksum(content) != *checksum {
            return Err(TicketError::Checksum);
        }
        let (version, body) = content.split_first().ok_or(TicketError::Checksum)?;
        let (body, discovery) = match *version {
            Self::VERSION => (codec::decode::<Body>(body), None),
            Self::VERSION_DISCOVERY => match codec::decode::<(Body, PublicKey)>(body) {
                Ok((body, key)) => (Ok(body), Some(key)),
                Err(error) => (Err(error), None),
            },
            version => return Err(TicketError::Version(version)),
        };
        let body = body.map_err(TicketError::Malformed)?;
        if !body.inception.is_known() {
            return Err(TicketError::Version(body.inception.version()));
        }
        Ok(Self {
            inception: body.inception,
            addresses: body.addresses,
            expires: Wall::from_millis(body.expires),
            discovery,
        })
    }
}
