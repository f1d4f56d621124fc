//! Services that a node offers.

use alloc::vec::Vec;

use bincode::{Decode, Encode};
use repute_base::{Address, BoundedBytes, BoundedString, BoundedVec, codec};

use crate::{
    DecodeError,
    limits::{
        ADDRESSES_MAX, CRITERIA_MAX, METADATA_MAX, SERVICE_KEY_MAX, SERVICES_MAX, TEXT_MAX,
        WORD_MAX,
    },
};

/// The name of a service: lower-case words of letters, digits and hyphens, joined by at most one
/// colon: `relay`, `signer:spend`.
pub type ServiceName = BoundedString<WORD_MAX>;

/// What a node offers, as far as it can be said before talking to it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Advertisement {
    /// What is offered.
    pub services: BoundedVec<ServiceName, SERVICES_MAX>,
    /// The key that the service is done with, if it is another than the identity's.
    pub key: BoundedBytes<SERVICE_KEY_MAX>,
    /// The least amount, in the service's unit.
    pub amount_min: u64,
    /// The greatest amount, in the service's unit; `u64::MAX` for any.
    pub amount_max: u64,
    /// Where the node is, best first.
    pub addresses: BoundedVec<Address, ADDRESSES_MAX>,
    /// What is asked of others, by name.
    pub criteria: BoundedVec<Criterion, CRITERIA_MAX>,
    /// Whatever else the application says.
    pub metadata: BoundedBytes<METADATA_MAX>,
}

/// One condition of an advertisement.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Criterion {
    /// Which.
    pub name: BoundedString<WORD_MAX>,
    /// What it asks for; escape before showing.
    pub value: BoundedString<TEXT_MAX>,
}

impl Advertisement {
    /// The name under which every advertisement is found.
    pub const ALL: &'static str = "all";

    /// Decodes an advertisement.
    ///
    /// # Errors
    /// [`DecodeError`] when it is no canonical encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes)
    }

    /// The bytes to put into a record.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Whether it offers something, in names that are well formed, in a range that is not empty.
    pub fn is_sound(&self) -> bool {
        !self.services.is_empty()
            && self.amount_min <= self.amount_max
            && self
                .services
                .iter()
                .all(|name| Self::is_name(name.as_str()))
            && !self.services.iter().any(|name| name.as_str() == Self::ALL)
    }

    /// Whether this is the name of a service, or `all`.
    pub fn is_name(name: &str) -> bool {
        let is_word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        name.len() <= WORD_MAX
            && match name.split_once(':') {
                Some((family, kind)) => is_word(family) && is_word(kind),
                None => is_word(name),
            }
    }

    /// The names under which it is found: each service, its family, and `all`. Sorted.
    pub fn names(&self) -> Vec<&str> {
        let families = self.services.iter().filter_map(|name| {
            let (family, _) = name.as_str().split_once(':')?;
            Some(family)
        });
        let services = self.services.iter().map(BoundedString::as_str);
        let mut names: Vec<&str> = services.chain(families).chain([Self::ALL]).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether it may be found under this name.
    pub fn belongs_at(&self, name: &[u8]) -> bool {
        self.names().iter().any(|one| one.as_bytes() == name)
    }
}
