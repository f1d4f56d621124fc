//! Folders: a blob that lists names, hashes and sizes.

use std::{string::String, vec::Vec};

use repute_protocol::BlobHash;

use super::{NameError, sanitise};
use crate::BLOB_BYTES_MAX;

/// A file in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionEntry {
    /// Its path below the folder, parts separated by `/`, as [`sanitise`] allows it.
    pub name: String,
    /// The blob of its bytes.
    pub hash: BlobHash,
    /// How many bytes.
    pub size: u64,
}

/// The files of a folder, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collection {
    entries: Vec<CollectionEntry>,
}

/// Why something is no collection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CollectionError {
    /// Too many files or bytes of names.
    #[error(
        "more than {} files or {} bytes",
        Collection::ENTRIES_MAX,
        Collection::BYTES_MAX
    )]
    TooLarge,
    /// A name that no file may have.
    #[error("name {name:?} is refused: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why.
        reason: NameError,
    },
    /// Two files of one name, or a file with the name of a folder.
    #[error("{0:?} is there twice")]
    Twice(String),
    /// Not the bytes of a collection.
    #[error("{0}")]
    Malformed(&'static str),
}

/// What a collection begins with.
const MAGIC: &[u8; 16] = b"repute folder 1\n";

impl Collection {
    /// Files of a collection at most.
    pub const ENTRIES_MAX: usize = 65_536;
    /// Bytes of a collection at most.
    pub const BYTES_MAX: usize = 16 << 20;

    /// A collection of these files, in any order.
    ///
    /// # Errors
    /// [`CollectionError`].
    pub fn new(mut entries: Vec<CollectionEntry>) -> Result<Self, CollectionError> {
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let collection = Self { entries };
        collection.check()?;
        if collection.encode().len() > Self::BYTES_MAX {
            return Err(CollectionError::TooLarge);
        }
        Ok(collection)
    }

    /// Its files, in the order of their names.
    pub fn entries(&self) -> &[CollectionEntry] {
        &self.entries
    }

    /// Bytes of all its files.
    pub fn total_bytes(&self) -> u64 {
        self.entries
            .iter()
            .fold(0, |sum, entry| sum.saturating_add(entry.size))
    }

    /// The bytes of its blob.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&(self.entries.len() as u32).to_le_bytes());
        for entry in &self.entries {
            bytes.extend_from_slice(&(entry.name.len() as u16).to_le_bytes());
            bytes.extend_from_slice(entry.name.as_bytes());
            bytes.extend_from_slice(entry.hash.as_bytes());
            bytes.extend_from_slice(&entry.size.to_le_bytes());
        }
        bytes
    }

    /// Reads the bytes of a blob that is said to be a collection.
    ///
    /// # Errors
    /// [`CollectionError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CollectionError> {
        const SHORT: CollectionError = CollectionError::Malformed("it ends early");
        if bytes.len() > Self::BYTES_MAX {
            return Err(CollectionError::TooLarge);
        }
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or(CollectionError::Malformed("it does not begin like one"))?;
        let (count, mut rest) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
        let count = u32::from_le_bytes(*count) as usize;
        if count > Self::ENTRIES_MAX {
            return Err(CollectionError::TooLarge);
        }
        let mut entries = Vec::new();
        for _ in 0..count {
            let (len, tail) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
            let len = usize::from(u16::from_le_bytes(*len));
            let (name, tail) = tail.split_at_checked(len).ok_or(SHORT)?;
            let (hash, tail) = tail.split_first_chunk::<32>().ok_or(SHORT)?;
            let (size, tail) = tail.split_first_chunk::<8>().ok_or(SHORT)?;
            rest = tail;
            let name = core::str::from_utf8(name)
                .map_err(|_| CollectionError::Malformed("a name is not UTF-8"))?;
            entries.push(CollectionEntry {
                name: name.into(),
                hash: BlobHash::from_bytes(*hash),
                size: u64::from_le_bytes(*size),
            });
        }
        if !rest.is_empty() {
            return Err(CollectionError::Malformed("something follows its end"));
        }
        if !entries.is_sorted_by(|a, b| a.name < b.name) {
            return Err(CollectionError::Malformed("its names are not in order"));
        }
        let collection = Self { entries };
        collection.check()?;
        Ok(collection)
    }

    fn check(&self) -> Result<(), CollectionError> {
        if self.entries.len() > Self::ENTRIES_MAX {
            return Err(CollectionError::TooLarge);
        }
        for entry in &self.entries {
            sanitise(&entry.name, false).map_err(|reason| CollectionError::Name {
                name: entry.name.chars().take(64).collect(),
                reason,
            })?;
            if entry.size > BLOB_BYTES_MAX {
                return Err(CollectionError::Malformed("a size that no blob has"));
            }
            // A file where another file needs a folder, however many names sort in between.
            let folders = entry.name.match_indices('/');
            for (at, _) in folders {
                let folder = entry.name.get(..at).unwrap_or_default();
                if self.position(folder).is_ok() {
                    return Err(CollectionError::Twice(folder.into()));
                }
            }
        }
        let twice = self.entries.windows(2).find_map(|two| match two {
            [a, b] if a.name == b.name => Some(a.name.clone()),
            _ => None,
        });
        twice.map_or(Ok(()), |name| Err(CollectionError::Twice(name)))
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|entry| entry.name.as_str().cmp(name))
    }
}

#[cfg(test)]
mod tests {
    use std::{string::ToString, vec, vec::Vec};

    use proptest::{collection::vec as vec_of, prelude::*};
    use repute_protocol::BlobHash;

    use super::{Collection, CollectionEntry, CollectionError};
    use crate::NameError;

    fn entry(name: &str) -> CollectionEntry {
        CollectionEntry {
            name: name.to_string(),
            hash: BlobHash::from_bytes([name.len() as u8; 32]),
            size: 7,
        }
    }

    #[test]
    fn a_collection_comes_back_in_the_order_of_its_names() {
        let made = Collection::new(vec![entry("b"), entry("a/c"), entry("a-b"), entry("a/b")]);
        let made = made.unwrap();
        let names: Vec<_> = made.entries().iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["a-b", "a/b", "a/c", "b"]);
        assert_eq!(Collection::decode(&made.encode()), Ok(made.clone()));
        assert_eq!(made.total_bytes(), 28);
        assert_eq!(
            Collection::decode(&Collection::default().encode()),
            Ok(Collection::default())
        );
    }

    #[test]
    fn hostile_collections_are_refused() {
        let forged =
            |entries: Vec<CollectionEntry>| Collection::decode(&Collection { entries }.encode());
        for name in ["../x", "/etc/passwd", "a/../b", "nul", "a\\b", ""] {
            assert!(
                matches!(forged(vec![entry(name)]), Err(CollectionError::Name { .. })),
                "{name}"
            );
        }
        assert_eq!(
            forged(vec![entry("..")]),
            Err(CollectionError::Name {
                name: "..".into(),
                reason: NameError::Dots
            })
        );
        assert!(
            forged(vec![entry("b"), entry("a")]).is_err(),
            "not in order"
        );
        assert!(forged(vec![entry("a"), entry("a")]).is_err(), "twice");
        assert_eq!(
            forged(vec![entry("a"), entry("a-"), entry("a/b")]),
            Err(CollectionError::Twice("a".into()))
        );
        let mut large = entry("a");
        large.size = u64::MAX;
        assert!(forged(vec![large]).is_err(), "too large");
        let sound = Collection::new(vec![entry("a"), entry("b")])
            .unwrap()
            .encode();
        for cut in 0..sound.len() {
            assert!(Collection::decode(&sound[..cut]).is_err(), "cut at {cut}");
        }
        let mut longer = sound.clone();
        longer.push(0);
        assert!(Collection::decode(&longer).is_err());
        let mut claims = sound;
        claims[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Collection::decode(&claims), Err(CollectionError::TooLarge));
        let many = (0..=Collection::ENTRIES_MAX)
            .map(|n| entry(&n.to_string()))
            .collect();
        assert_eq!(Collection::new(many), Err(CollectionError::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_the_one_encoding(bytes in vec_of(any::<u8>(), 0..200)) {
            let mut bytes = bytes;
            for prefix in [&b""[..], b"repute folder 1\n"] {
                bytes.splice(..0, prefix.iter().copied());
                if let Ok(collection) = Collection::decode(&bytes) {
                    prop_assert_eq!(collection.encode(), bytes.clone());
                }
            }
        }
    }
}
