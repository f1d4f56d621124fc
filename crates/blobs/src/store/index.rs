//! What the store holds, in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};

use repute_protocol::BlobHash;

use super::{
    StoreError, StoreLimits, files::Files, opening::Inner, partial::PartialFiles, tags::Tags,
};
use crate::{GroupRanges, tree_bytes};

/// How the store has a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlobState {
    /// All its bytes are the store's own.
    Whole,
    /// All its bytes are in a file elsewhere.
    Reference,
    /// It is being fetched.
    Partial {
        /// The groups that are there. None where the blob is not open; [`Store::fetch`] opens it.
        ///
        /// [`Store::fetch`]: super::Store::fetch
        held: Option<GroupRanges>,
    },
}

/// A blob of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its name.
    pub hash: BlobHash,
    /// Its bytes.
    pub size: u64,
    /// How the store has it.
    pub state: BlobState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Whole,
    Reference,
    Partial,
}

pub(super) struct Slot {
    pub(super) size: u64,
    pub(super) kind: Kind,
    /// How many [`Hold`]s there are.
    pub(super) holds: usize,
    pub(super) files: Weak<Files>,
    pub(super) partial: Weak<PartialFiles>,
}

impl Slot {
    pub(super) const fn new(kind: Kind, size: u64) -> Self {
        Self {
            size,
            kind,
            holds: 0,
            files: Weak::new(),
            partial: Weak::new(),
        }
    }

    /// What it counts against the quota.
    pub(super) const fn charge(&self) -> u64 {
        charge(self.kind, self.size)
    }

    pub(super) fn state(&self) -> BlobState {
        match self.kind {
            Kind::Whole => BlobState::Whole,
            Kind::Reference => BlobState::Reference,
            Kind::Partial => BlobState::Partial {
                held: self.partial.upgrade().map(|files| files.written()),
            },
        }
    }
}

pub(super) const fn charge(kind: Kind, size: u64) -> u64 {
    match kind {
        Kind::Whole | Kind::Partial => size.saturating_add(tree_bytes(size)),
        Kind::Reference => tree_bytes(size),
    }
}

pub(super) struct Index {
    pub(super) blobs: BTreeMap<BlobHash, Slot>,
    pub(super) tags: Tags,
    /// Charges of all slots.
    pub(super) used: u64,
}

impl Index {
    /// Whether there is room for `bytes` more.
    pub(super) fn room(&self, bytes: u64, limits: &StoreLimits) -> Result<(), StoreError> {
        let left = limits.quota_bytes.saturating_sub(self.used);
        if bytes > left {
            return Err(StoreError::Quota {
                needed: bytes,
                left,
            });
        }
        if self.blobs.len() >= limits.blobs_max {
            return Err(StoreError::TooMany {
                what: "blobs",
                max: limits.blobs_max,
                remedy: "unpin some and collect garbage",
            });
        }
        Ok(())
    }

    /// Puts a slot in, or in the place of the one before.
    pub(super) fn put(&mut self, hash: BlobHash, kind: Kind, size: u64) {
        match self.blobs.get_mut(&hash) {
            Some(slot) => {
                self.used = self.used.saturating_sub(slot.charge());
                slot.kind = kind;
                slot.size = size;
            }
            None => {
                self.blobs.insert(hash, Slot::new(kind, size));
            }
        }
        self.used = self.used.saturating_add(charge(kind, size));
    }

    pub(super) fn take_out(&mut self, hash: &BlobHash) {
        if let Some(slot) = self.blobs.remove(hash) {
            self.used = self.used.saturating_sub(slot.charge());
        }
    }
}

/// Keeps a blob from being collected as garbage, as long as it lives.
pub struct Hold {
    inner: Arc<Inner>,
    hash: BlobHash,
}

impl Hold {
    /// Of a blob that the index has.
    pub(super) fn new(inner: &Arc<Inner>, index: &mut Index, hash: BlobHash) -> Self {
        if let Some(slot) = index.blobs.get_mut(&hash) {
            slot.holds += 1;
        }
        Self {
            inner: Arc::clone(inner),
            hash,
        }
    }

    /// Which blob.
    pub const fn hash(&self) -> BlobHash {
        self.hash
    }

    pub(super) const fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        Self::new(&self.inner, &mut self.inner.index(), self.hash)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(slot) = self.inner.index().blobs.get_mut(&self.hash) {
            slot.holds = slot.holds.saturating_sub(1);
        }
    }
}

impl core::fmt::Debug for Hold {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Hold({:?})", self.hash)
    }
}
