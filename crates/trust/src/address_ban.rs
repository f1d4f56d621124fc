use alloc::{string::String, vec::Vec};

use repute_base::{BoundedString, BoundedVec, Prefix, Wall, codec};

use crate::RecordError;

/// An entry of the blacklist that names an address or a prefix instead of an identity. Only the
/// operator makes one: an address is anybody's tomorrow. Local only. Times are ledger time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressBan {
    /// Which addresses.
    pub prefix: Prefix,
    /// Since when.
    pub since: Wall,
    /// When it lapses; `None`: never by itself.
    pub until: Option<Wall>,
    /// Why.
    pub reason: BoundedString<128>,
}

/// Version of the stored form.
const VERSION: u8 = 1;

/// The stored form of one: the prefix as text, since, until, reason.
type Stored = (BoundedString<64>, u64, Option<u64>, BoundedString<128>);

/// The stored form of all.
type StoredAll = (u8, BoundedVec<Stored, { AddressBan::COUNT_MAX }>);

impl AddressBan {
    /// Entries at most: stored as one value, and searched one by one for each new link.
    pub const COUNT_MAX: usize = 4_096;

    /// Whether it has lapsed at ledger time `at`.
    pub fn lapsed(&self, at: Wall) -> bool {
        self.until.is_some_and(|until| until <= at)
    }

    /// The stored form of a list, stable over versions of this crate.
    pub fn list_to_bytes(list: &[Self]) -> Vec<u8> {
        let stored = |ban: &Self| {
            let prefix = alloc::format!("{}", ban.prefix);
            (
                BoundedString::truncated(&prefix),
                ban.since.as_millis(),
                ban.until.map(Wall::as_millis),
                ban.reason.clone(),
            )
        };
        let all: StoredAll = (VERSION, BoundedVec::truncated(list.iter().map(stored)));
        codec::encode(&all)
    }

    /// Reads the stored form of a list.
    ///
    /// # Errors
    /// [`RecordError`] when the bytes are none.
    pub fn list_from_bytes(bytes: &[u8]) -> Result<Vec<Self>, RecordError> {
        let (version, list): StoredAll = codec::decode(bytes)?;
        if version != VERSION {
            return Err(RecordError::Version {
                version,
                max: VERSION,
            });
        }
        let ban = |(prefix, since, until, reason): Stored| {
            let prefix = String::from(prefix.as_str()).parse();
            Ok(Self {
                prefix: prefix.map_err(|_| RecordError::Unknown { field: "prefix" })?,
                since: Wall::from_millis(since),
                until: until.map(Wall::from_millis),
                reason,
            })
        };
        list.into_vec().into_iter().map(ban).collect()
    }
}
