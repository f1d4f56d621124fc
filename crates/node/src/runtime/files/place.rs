//! Where groups lie until their blob is whole.

use std::sync::{Mutex, PoisonError};

use repute_blobs::{GroupRanges, Partial, Proven, Store, StoreError};
use repute_protocol::BlobHash;

/// The largest file of a folder that is held in memory until it is whole. It is made durable with one
/// name, where a fetch of its own takes a log and several; a crash costs no more than it.
pub(super) const SMALL_BYTES: u64 = 256 * 1024;

/// Where the groups of a download lie.
pub(super) enum Place {
    /// In the store, and there after a crash.
    Disk(Partial),
    /// In memory.
    Memory(Small),
}

/// A small blob on its way here.
pub(super) struct Small {
    hash: BlobHash,
    bytes: Mutex<Vec<u8>>,
    size: u64,
}

impl Place {
    /// Begins a blob of so many bytes, or goes on with it.
    pub(super) fn begin(
        store: &Store,
        hash: &BlobHash,
        size: u64,
        small: bool,
    ) -> Result<Self, StoreError> {
        if small && size <= SMALL_BYTES {
            return Ok(Self::Memory(Small {
                hash: *hash,
                bytes: Mutex::new(vec![0; usize::try_from(size).unwrap_or_default()]),
                size,
            }));
        }
        match store.fetch(hash, size) {
            Err(StoreError::SizeDiffers { .. }) => {
                store.discard(hash)?;
                store.fetch(hash, size).map(Self::Disk)
            }
            begun => begun.map(Self::Disk),
        }
    }

    pub(super) const fn size(&self) -> u64 {
        match self {
            Self::Disk(partial) => partial.size(),
            Self::Memory(small) => small.size,
        }
    }

    pub(super) fn write(&self, proven: &Proven) -> Result<(), StoreError> {
        match self {
            Self::Disk(partial) => partial.write(proven),
            Self::Memory(small) => small.write(proven),
        }
    }

    /// Makes durable what can be.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        match self {
            Self::Disk(partial) => partial.sync().map(drop),
            Self::Memory(_) => Ok(()),
        }
    }

    pub(super) fn durable(&self) -> GroupRanges {
        match self {
            Self::Disk(partial) => partial.durable(),
            Self::Memory(_) => GroupRanges::new(),
        }
    }

    /// Makes all of it durable, and a whole blob.
    pub(super) fn complete(&self, store: &Store) -> Result<(), StoreError> {
        match self {
            Self::Disk(partial) => partial.complete().map(drop),
            Self::Memory(small) => small.complete(store),
        }
    }
}

impl Small {
    fn write(&self, proven: &Proven) -> Result<(), StoreError> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let at = usize::try_from(proven.offset()).unwrap_or(usize::MAX);
        let end = at.saturating_add(proven.bytes().len());
        match bytes.get_mut(at..end) {
            Some(place) if proven.hash() == self.hash && proven.size() == self.size => {
                place.copy_from_slice(proven.bytes());
                Ok(())
            }
            _ => Err(StoreError::OtherBlob(self.hash)),
        }
    }

    fn complete(&self, store: &Store) -> Result<(), StoreError> {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let imported = store.import_bytes(&bytes)?;
        match imported.hash == self.hash {
            true => Ok(()),
            false => Err(StoreError::NotHere(self.hash)),
        }
    }
}
