//! Reading a blob: every byte is proven on its way out.

use std::{boxed::Box, io, sync::Arc, vec::Vec};

use bytes::Bytes;
use repute_protocol::{BlobHash, groups_of};

use super::{
    Collection, Hold, Store, StoreError,
    disk::DiskFile,
    files::{DataOf, Files, Permit, Role, TreeOf},
    index::{Kind, Slot},
    log::Log,
    opening::Inner,
    partial::PartialFiles,
    reference::Reference,
};
use crate::{EncodeError, Encoder, GroupRanges, VerifyError, proven_groups};

/// A blob that is open to read, whole or in part. It stays as long as this lives.
#[derive(Clone)]
pub struct Blob {
    hold: Hold,
    size: u64,
    files: Arc<Files>,
    partial: Option<Arc<PartialFiles>>,
}

/// Makes a stream of groups of a blob; see [`Encoder`].
pub struct BlobEncoder {
    encoder: Encoder<DataOf, TreeOf>,
    blob: Blob,
}

impl Store {
    /// Opens a blob to read it.
    ///
    /// # Errors
    /// [`StoreError::NotHere`], [`StoreError::SourceChanged`] if it is a file elsewhere that does not
    /// look as it did, [`StoreError::TooMany`], or what the system says.
    pub fn blob(&self, hash: &BlobHash) -> Result<Blob, StoreError> {
        let inner = self.inner();
        let mut index = inner.index();
        let slot = index
            .blobs
            .get_mut(hash)
            .ok_or(StoreError::NotHere(*hash))?;
        let (files, partial) = match slot.kind {
            Kind::Partial => {
                let partial = PartialFiles::of(inner, hash, slot)?;
                (partial.files(), Some(partial))
            }
            _ => (whole_files(inner, hash, slot)?, None),
        };
        let size = slot.size;
        Ok(Blob {
            hold: Hold::new(inner, &mut index, *hash),
            size,
            files,
            partial,
        })
    }
}

fn whole_files(
    inner: &Arc<Inner>,
    hash: &BlobHash,
    slot: &mut Slot,
) -> Result<Arc<Files>, StoreError> {
    if let Some(files) = slot.files.upgrade() {
        return Ok(files);
    }
    let io = StoreError::io("opening a blob");
    let permit = Permit::take(&inner.open, inner.limits.open_max)?;
    let tree = if groups_of(slot.size) > 1 {
        Some(
            inner
                .disk
                .open(&inner.path(Role::Tree, hash))
                .map_err(&io)?,
        )
    } else {
        None
    };
    let (data, reference): (Box<dyn DiskFile>, _) = if slot.kind == Kind::Reference {
        let record = Log::first(&*inner.disk, &inner.path(Role::Reference, hash)).map_err(&io)?;
        let reference = record
            .and_then(|record| Reference::decode(&record))
            .ok_or(StoreError::NotHere(*hash))?;
        let file = reference.open().map_err(&io)?;
        let Some(file) = file else {
            return Err(StoreError::SourceChanged {
                hash: *hash,
                path: reference.path,
            });
        };
        (Box::new(file), Some(reference.path))
    } else {
        let data = inner
            .disk
            .open(&inner.path(Role::Data, hash))
            .map_err(&io)?;
        (data, None)
    };
    let files = Arc::new(Files {
        data,
        tree,
        reference,
        _permit: permit,
    });
    slot.files = Arc::downgrade(&files);
    Ok(files)
}

impl Blob {
    pub(super) const fn of(
        hold: Hold,
        size: u64,
        files: Arc<Files>,
        partial: Option<Arc<PartialFiles>>,
    ) -> Self {
        Self {
            hold,
            size,
            files,
            partial,
        }
    }

    /// Its name.
    pub const fn hash(&self) -> BlobHash {
        self.hold.hash()
    }

    /// Its bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The groups that can be read now.
    pub fn held(&self) -> GroupRanges {
        match &self.partial {
            Some(partial) => partial.written(),
            None => GroupRanges::of(0..groups_of(self.size)),
        }
    }

    /// A stream of the groups `wanted`.
    ///
    /// # Errors
    /// [`StoreError::NotHere`] if some of them are not here, [`StoreError::Misuse`] if the blob has
    /// no such groups.
    pub fn encoder(&self, wanted: GroupRanges) -> Result<BlobEncoder, StoreError> {
        let groups = groups_of(self.size);
        if let Some(group) = wanted.last().filter(|last| *last >= groups) {
            return Err(StoreError::Misuse(VerifyError::Beyond { group, groups }));
        }
        if self.partial.is_some() && !wanted.is_subset(&self.held()) {
            return Err(StoreError::NotHere(self.hash()));
        }
        let data = DataOf(Arc::clone(&self.files));
        let tree = TreeOf(Arc::clone(&self.files));
        let encoder =
            Encoder::new(self.hash(), self.size, wanted, data, tree).map_err(StoreError::Misuse)?;
        Ok(BlobEncoder {
            encoder,
            blob: self.clone(),
        })
    }

    /// All its bytes, unless they are more than `max`.
    ///
    /// # Errors
    /// As [`Self::encoder`], and [`StoreError::Quota`] if they are more.
    pub fn read_all(&self, max: u64) -> Result<Vec<u8>, StoreError> {
        if self.size > max {
            return Err(StoreError::Quota {
                needed: self.size,
                left: max,
            });
        }
        let mut encoder = self.encoder(GroupRanges::of(0..groups_of(self.size)))?;
        let mut bytes = Vec::new();
        while encoder.next_group(&mut bytes)?.is_some() {}
        Ok(bytes)
    }

    /// The files that it lists, if it is a collection.
    ///
    /// # Errors
    /// As [`Self::read_all`], and [`StoreError::NoCollection`].
    pub fn collection(&self) -> Result<Collection, StoreError> {
        let hash = self.hash();
        if self.size > Collection::BYTES_MAX as u64 {
            let reason = "it is too large";
            return Err(StoreError::NoCollection { hash, reason });
        }
        let bytes = self.read_all(Collection::BYTES_MAX as u64)?;
        Collection::decode(&bytes).map_err(|error| match error {
            super::CollectionError::Name { name, reason } => StoreError::Name { name, reason },
            super::CollectionError::TooLarge => StoreError::NoCollection {
                hash,
                reason: "it is too large",
            },
            super::CollectionError::Twice(_) => StoreError::NoCollection {
                hash,
                reason: "a name is there twice",
            },
            super::CollectionError::Malformed(reason) => StoreError::NoCollection { hash, reason },
        })
    }

    /// Reads all that is held and says which groups are what they should be. `progress` is told
    /// of each group.
    ///
    /// # Errors
    /// What reading says.
    pub fn check(&self, progress: impl FnMut(u64)) -> Result<GroupRanges, StoreError> {
        let data = DataOf(Arc::clone(&self.files));
        let tree = TreeOf(Arc::clone(&self.files));
        proven_groups(self.hash(), self.size, &self.held(), &data, &tree, progress)
            .map_err(StoreError::io("verifying a blob"))
    }

    fn error(&self, error: EncodeError) -> StoreError {
        let hash = self.hash();
        let error = match error {
            EncodeError::Changed(error) => error,
            EncodeError::Read { group, source }
                if source.kind() == io::ErrorKind::UnexpectedEof =>
            {
                VerifyError::Group { group }
            }
            EncodeError::Read { source, .. } => return StoreError::io("reading a blob")(source),
        };
        match &self.files.reference {
            Some(path) => StoreError::SourceChanged {
                hash,
                path: path.clone(),
            },
            None => StoreError::Damaged { hash, error },
        }
    }
}

impl BlobEncoder {
    /// As [`Encoder::fill`].
    ///
    /// # Errors
    /// [`StoreError::SourceChanged`], [`StoreError::Damaged`], or what reading says; what is in
    /// `out` by then is right.
    pub fn fill(&mut self, out: &mut Vec<u8>, len_wanted: usize) -> Result<bool, StoreError> {
        self.encoder
            .fill(out, len_wanted)
            .map_err(|error| self.blob.error(error))
    }

    /// As [`Encoder::next_piece`].
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub fn next_piece(&mut self) -> Result<Option<Bytes>, StoreError> {
        self.encoder
            .next_piece()
            .map_err(|error| self.blob.error(error))
    }

    /// As [`Encoder::next_group`].
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub fn next_group(&mut self, out: &mut Vec<u8>) -> Result<Option<u64>, StoreError> {
        self.encoder
            .next_group(out)
            .map_err(|error| self.blob.error(error))
    }

    /// Whether everything has been given out.
    pub fn is_done(&self) -> bool {
        self.encoder.is_done()
    }
}
