//! Removing what nobody keeps.

use std::{collections::BTreeSet, vec::Vec};

use repute_protocol::BlobHash;

use super::{
    Store, StoreError,
    files::Role,
    index::{Index, Kind},
    opening::Inner,
};

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Blobs.
    pub blobs: u64,
    /// Bytes that do not count against the quota any more.
    pub bytes: u64,
}

impl Store {
    /// Removes every blob that no tag keeps and nobody holds. Files by reference are only
    /// forgotten.
    ///
    /// # Errors
    /// What the system says; what was removed by then stays removed.
    pub fn collect_garbage(&self) -> Result<Garbage, StoreError> {
        let inner = self.inner();
        loop {
            let version = inner.index().tags.version;
            let kept = self.kept();
            let mut index = inner.index();
            if index.tags.version != version {
                // A tag came meanwhile, which may keep something.
                continue;
            }
            let doomed: Vec<_> = index
                .blobs
                .iter()
                .filter(|(hash, slot)| slot.holds == 0 && !kept.contains(hash))
                .map(|(hash, _)| *hash)
                .collect();
            let used = index.used;
            remove(inner, &mut index, &doomed)?;
            return Ok(Garbage {
                blobs: doomed.len() as u64,
                bytes: used.saturating_sub(index.used),
            });
        }
    }

    /// Forgets a file elsewhere that a blob refers to, as when it is not any more what was shared.
    ///
    /// # Errors
    /// [`StoreError::NotHere`] if it is no reference, [`StoreError::InUse`], or what the system says.
    pub fn forget(&self, hash: &BlobHash) -> Result<(), StoreError> {
        let inner = self.inner();
        let mut index = inner.index();
        match index.blobs.get(hash) {
            Some(slot) if slot.kind == Kind::Reference && slot.holds > 0 => {
                return Err(StoreError::InUse(*hash));
            }
            Some(slot) if slot.kind == Kind::Reference => {}
            _ => return Err(StoreError::NotHere(*hash)),
        }
        remove(inner, &mut index, &[*hash])
    }

    fn kept(&self) -> BTreeSet<BlobHash> {
        let mut kept = BTreeSet::new();
        for (_, tag) in self.tags() {
            kept.insert(tag.hash);
            if !tag.collection {
                continue;
            }
            // A collection that cannot be read keeps nothing but itself.
            let collection = self.blob(&tag.hash).and_then(|blob| blob.collection());
            if let Ok(collection) = collection {
                kept.extend(collection.entries().iter().map(|entry| entry.hash));
            }
        }
        kept
    }
}

/// Removes blobs: first the files that say that they are there, durably, then the rest, which counts
/// for nothing without them.
pub(super) fn remove(
    inner: &Inner,
    index: &mut Index,
    doomed: &[BlobHash],
) -> Result<(), StoreError> {
    if doomed.is_empty() {
        return Ok(());
    }
    let io = StoreError::io("removing a blob");
    for hash in doomed {
        for role in [Role::Have, Role::Data, Role::Reference] {
            inner.disk.remove(&inner.path(role, hash)).map_err(&io)?;
        }
        index.take_out(hash);
    }
    inner.disk.sync_folder(&inner.blobs()).map_err(&io)?;
    for hash in doomed {
        for role in [Role::Part, Role::Tree] {
            inner.disk.remove(&inner.path(role, hash)).map_err(&io)?;
        }
    }
    Ok(())
}
