//! Blobs that are being fetched. What is written is durable once a record says so, and the record is
//! written after the bytes are durable.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    vec::Vec,
};

use repute_protocol::{BlobHash, GROUP_BYTES, groups_of};

use super::{
    Blob, Hold, Store, StoreError,
    files::{Files, Permit, Role},
    garbage::remove,
    index::{Index, Kind, Slot, charge},
    limits::LOG_SPARE_RECORDS,
    log::Log,
    opening::Inner,
};
use crate::{BLOB_BYTES_MAX, GroupRanges, Proven, VerifyError};

/// Bytes of a parent in the tree file.
const PARENT_BYTES: u64 = 64;
/// What the log of a fetch begins with.
const HEAD: &[u8; 4] = b"have";

/// A blob that is being fetched. Clones are the same fetch; what one writes the others see.
#[derive(Clone)]
pub struct Partial {
    hold: Hold,
    size: u64,
    files: Arc<PartialFiles>,
}

pub(super) struct PartialFiles {
    files: Arc<Files>,
    log: Mutex<Log>,
    progress: Mutex<Progress>,
    /// Held while bytes are written: a file system lets one in at a time, and some let the others
    /// spin.
    writing: Mutex<()>,
}

struct Progress {
    /// Groups that are in the file, durable or not.
    written: GroupRanges,
    /// Groups that the log has.
    durable: GroupRanges,
    /// How often the disk did not take what was written.
    losses: u64,
}

impl PartialFiles {
    /// The open files of a fetch, opened if they are not.
    pub(super) fn of(
        inner: &Arc<Inner>,
        hash: &BlobHash,
        slot: &mut Slot,
    ) -> Result<Arc<Self>, StoreError> {
        if let Some(files) = slot.partial.upgrade() {
            return Ok(files);
        }
        let files = Arc::new(Self::open(inner, hash, slot.size)?);
        slot.partial = Arc::downgrade(&files);
        slot.files = Arc::downgrade(&files.files);
        Ok(files)
    }

    fn open(inner: &Arc<Inner>, hash: &BlobHash, size: u64) -> Result<Self, StoreError> {
        let io = StoreError::io("opening a fetch");
        let permit = Permit::take(&inner.open, inner.limits.open_max)?;
        let open = |role| inner.disk.open_write(&inner.path(role, hash));
        let data = open(Role::Part).map_err(&io)?;
        let tree = if groups_of(size) > 1 {
            Some(open(Role::Tree).map_err(&io)?)
        } else {
            None
        };
        let (log, records) = Log::open(&*inner.disk, &inner.path(Role::Have, hash)).map_err(&io)?;
        if records.len() <= 1 {
            // A record must not outlive the names of the files that it is about.
            inner.disk.sync_folder(&inner.blobs()).map_err(&io)?;
        }
        // What lies behind the end of a file was taken away by somebody else.
        let there = data.len().map_err(&io)?;
        let groups = if there >= size {
            groups_of(size)
        } else {
            there / GROUP_BYTES
        };
        let mut durable = GroupRanges::new();
        for range in records.iter().skip(1).filter_map(|record| range_of(record)) {
            durable.insert(range.start..range.end.min(groups))?;
        }
        Ok(Self {
            files: Arc::new(Files {
                data,
                tree,
                reference: None,
                _permit: permit,
            }),
            log: Mutex::new(log),
            progress: Mutex::new(Progress {
                written: durable.clone(),
                durable,
                losses: 0,
            }),
            writing: Mutex::default(),
        })
    }

    pub(super) fn files(&self) -> Arc<Files> {
        Arc::clone(&self.files)
    }

    pub(super) fn written(&self) -> GroupRanges {
        self.progress().written.clone()
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, proven: &Proven) -> Result<(), StoreError> {
        let io = StoreError::io("writing a fetch");
        let losses = self.progress().losses;
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.files
            .data
            .write_at(proven.offset(), proven.bytes())
            .map_err(&io)?;
        drop(writing);
        if let Some(tree) = &self.files.tree {
            // Parents of neighbours lie beside each other.
            let mut parents: Vec<_> = proven.parents().iter().collect();
            parents.sort_by_key(|parent| parent.slot);
            let mut bytes = Vec::new();
            for beside in parents.chunk_by(|a, b| a.slot + 1 == b.slot) {
                bytes.clear();
                for parent in beside {
                    bytes.extend_from_slice(&parent.pair);
                }
                let first = beside.first().map_or(0, |parent| parent.slot);
                tree.write_at(first * PARENT_BYTES, &bytes).map_err(&io)?;
            }
        }
        let mut progress = self.progress();
        if progress.losses != losses {
            // Between the write and now; these bytes may be among what was thrown away.
            return Err(io(std::io::Error::other(
                "the disk lost what was written; write it again",
            )));
        }
        progress.written.insert(proven.groups())?;
        Ok(())
    }

    /// Makes what is written durable, and gives what became so.
    fn sync(&self, inner: &Inner, hash: &BlobHash, size: u64) -> Result<GroupRanges, StoreError> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let (written, durable) = {
            let progress = self.progress();
            (progress.written.clone(), progress.durable.clone())
        };
        let new = written.difference(&durable);
        if new.is_empty() {
            return Ok(new);
        }
        let synced = self
            .files
            .data
            .sync()
            .and_then(|()| match &self.files.tree {
                Some(tree) => tree.sync(),
                None => Ok(()),
            });
        if let Err(error) = synced {
            // The system may have thrown away what it could not write, and says so only once.
            let mut progress = self.progress();
            progress.written = progress.durable.clone();
            progress.losses += 1;
            return Err(StoreError::io("making a fetch durable")(error));
        }
        let io = StoreError::io("recording a fetch");
        if log.records() > 2 * written.range_count() + LOG_SPARE_RECORDS {
            *log = create_log(inner, hash, size, &written).map_err(&io)?;
        } else {
            let records: Vec<_> = new.ranges().map(|range| record_of(&range)).collect();
            log.append(records.iter().map(|record| &record[..]))
                .map_err(&io)?;
        }
        let mut progress = self.progress();
        progress.durable = progress.durable.union(&new);
        Ok(new)
    }
}

fn record_of(range: &core::ops::Range<u64>) -> [u8; 16] {
    let mut record = [0; 16];
    let (start, end) = record.split_at_mut(8);
    start.copy_from_slice(&range.start.to_le_bytes());
    end.copy_from_slice(&range.end.to_le_bytes());
    record
}

fn range_of(record: &[u8]) -> Option<core::ops::Range<u64>> {
    let (start, rest) = record.split_first_chunk::<8>()?;
    let (end, _) = rest.split_first_chunk::<8>()?;
    Some(u64::from_le_bytes(*start)..u64::from_le_bytes(*end))
}

fn create_log(
    inner: &Inner,
    hash: &BlobHash,
    size: u64,
    durable: &GroupRanges,
) -> std::io::Result<Log> {
    let mut head = HEAD.to_vec();
    head.extend_from_slice(hash.as_bytes());
    head.extend_from_slice(&size.to_le_bytes());
    let records: Vec<_> = durable.ranges().map(|range| record_of(&range)).collect();
    let records = records.iter().map(|record| &record[..]);
    Log::create(
        &*inner.disk,
        &inner.blobs(),
        &inner.draft(),
        &inner.path(Role::Have, hash),
        core::iter::once(&head[..]).chain(records),
    )
}

/// The size that a log was begun with, from its first record.
pub(super) fn size_of_log(record: &[u8], hash: &BlobHash) -> Option<u64> {
    let rest = record.strip_prefix(HEAD)?.strip_prefix(hash.as_bytes())?;
    let (size, _) = rest.split_first_chunk::<8>()?;
    Some(u64::from_le_bytes(*size)).filter(|size| *size <= BLOB_BYTES_MAX)
}

impl Store {
    /// Begins to fetch a blob of `size` bytes, or goes on with it. All its bytes count against the
    /// quota from now on.
    ///
    /// # Errors
    /// [`StoreError::Whole`], [`StoreError::SizeDiffers`], [`StoreError::Quota`],
    /// [`StoreError::TooMany`], or what the system says.
    pub fn fetch(&self, hash: &BlobHash, size: u64) -> Result<Partial, StoreError> {
        let inner = self.inner();
        if size > BLOB_BYTES_MAX {
            return Err(StoreError::Misuse(VerifyError::TooLarge { size }));
        }
        let mut index = inner.index();
        match index.blobs.get(hash) {
            Some(slot) if slot.kind != Kind::Partial => return Err(StoreError::Whole(*hash)),
            Some(slot) if slot.size != size => {
                return Err(StoreError::SizeDiffers {
                    hash: *hash,
                    ours: slot.size,
                    theirs: size,
                });
            }
            Some(_) => {}
            None => begin(inner, &mut index, hash, size, &GroupRanges::new())?,
        }
        let slot = index
            .blobs
            .get_mut(hash)
            .ok_or(StoreError::NotHere(*hash))?;
        let files = PartialFiles::of(inner, hash, slot)?;
        Ok(Partial {
            hold: Hold::new(inner, &mut index, *hash),
            size,
            files,
        })
    }

    /// Throws away what was fetched of a blob that is not whole, durable or not.
    ///
    /// # Errors
    /// [`StoreError::NotHere`], [`StoreError::Whole`], [`StoreError::InUse`], or what the system says.
    pub fn discard(&self, hash: &BlobHash) -> Result<(), StoreError> {
        let inner = self.inner();
        let mut index = inner.index();
        match index.blobs.get(hash) {
            None => return Err(StoreError::NotHere(*hash)),
            Some(slot) if slot.kind != Kind::Partial => return Err(StoreError::Whole(*hash)),
            Some(slot) if slot.holds > 0 => return Err(StoreError::InUse(*hash)),
            Some(_) => {}
        }
        remove(inner, &mut index, &[*hash])
    }

    /// Reads a whole blob, and if some of it is damaged makes it one that is being fetched, with
    /// the groups that are sound. Gives these.
    ///
    /// # Errors
    /// [`StoreError::NotHere`], [`StoreError::InUse`], or what the system says.
    pub fn mend(
        &self,
        hash: &BlobHash,
        progress: impl FnMut(u64),
    ) -> Result<GroupRanges, StoreError> {
        let blob = self.blob(hash)?;
        let (size, sound) = (blob.size(), blob.check(progress)?);
        drop(blob);
        let inner = self.inner();
        let mut index = inner.index();
        match index.blobs.get(hash) {
            Some(slot) if slot.kind == Kind::Whole && sound.len() < groups_of(size) => {
                if slot.holds > 0 {
                    return Err(StoreError::InUse(*hash));
                }
            }
            _ => return Ok(sound),
        }
        let io = StoreError::io("mending a blob");
        // As long as the data has its old name the log counts for nothing.
        create_log(inner, hash, size, &sound).map_err(&io)?;
        let (from, to) = (inner.path(Role::Data, hash), inner.path(Role::Part, hash));
        inner.disk.rename(&from, &to).map_err(&io)?;
        inner.disk.sync_folder(&inner.blobs()).map_err(&io)?;
        index.put(*hash, Kind::Partial, size);
        Ok(sound)
    }
}

fn begin(
    inner: &Arc<Inner>,
    index: &mut Index,
    hash: &BlobHash,
    size: u64,
    durable: &GroupRanges,
) -> Result<(), StoreError> {
    index.room(charge(Kind::Partial, size), &inner.limits)?;
    // A place among the open ones is taken first: what cannot be opened is not begun.
    drop(Permit::take(&inner.open, inner.limits.open_max)?);
    create_log(inner, hash, size, durable).map_err(StoreError::io("beginning a fetch"))?;
    index.put(*hash, Kind::Partial, size);
    Ok(())
}

impl Partial {
    /// Which blob.
    pub const fn hash(&self) -> BlobHash {
        self.hold.hash()
    }

    /// The size that it is said to have.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The groups that are written.
    pub fn written(&self) -> GroupRanges {
        self.files.written()
    }

    /// The groups that a crash does not take away.
    pub fn durable(&self) -> GroupRanges {
        self.files.progress().durable.clone()
    }

    /// The groups that are still to come.
    pub fn missing(&self) -> GroupRanges {
        GroupRanges::of(0..groups_of(self.size)).difference(&self.files.progress().written)
    }

    /// Whether the size is proven: the last group is there.
    pub fn is_size_proven(&self) -> bool {
        let written = &self.files.progress().written;
        written.contains(groups_of(self.size) - 1)
    }

    /// Writes groups. They can be read from now on; they are durable after [`Self::sync`].
    ///
    /// # Errors
    /// [`StoreError::OtherBlob`], [`StoreError::DiskFull`], or what the system says. The groups are
    /// not there then; writing them again is all that is needed.
    pub fn write(&self, proven: &Proven) -> Result<(), StoreError> {
        if proven.hash() != self.hash() || proven.size() != self.size {
            return Err(StoreError::OtherBlob(self.hash()));
        }
        self.files.write(proven)
    }

    /// Makes what is written durable, and gives what became so. Takes as long as the disk needs;
    /// others write meanwhile.
    ///
    /// # Errors
    /// What the system says. If the disk did not take the bytes, all that is not durable is to be
    /// fetched again: see [`Self::missing`].
    pub fn sync(&self) -> Result<GroupRanges, StoreError> {
        self.files.sync(self.hold.inner(), &self.hash(), self.size)
    }

    /// Makes it durable, and a whole blob if nothing is missing.
    ///
    /// # Errors
    /// [`StoreError::NotHere`] if groups are missing, or what the system says; it stays a fetch
    /// then, and can be completed later.
    pub fn complete(&self) -> Result<Blob, StoreError> {
        self.sync()?;
        let hash = self.hash();
        if self.durable().len() < groups_of(self.size) {
            return Err(StoreError::NotHere(hash));
        }
        let inner = self.hold.inner();
        let io = StoreError::io("completing a fetch");
        let mut index = inner.index();
        let is_partial = |index: &Index| {
            index
                .blobs
                .get(&hash)
                .is_some_and(|slot| slot.kind == Kind::Partial)
        };
        if is_partial(&index) {
            let path = |role| inner.path(role, &hash);
            inner
                .disk
                .rename(&path(Role::Part), &path(Role::Data))
                .map_err(&io)?;
            index.put(hash, Kind::Whole, self.size);
            // The log goes only when the new name is durable.
            inner.disk.sync_folder(&inner.blobs()).map_err(&io)?;
            inner.disk.remove(&path(Role::Have)).map_err(&io)?;
        }
        let hold = Hold::new(inner, &mut index, hash);
        Ok(Blob::of(hold, self.size, self.files.files(), None))
    }

    /// The groups that are there, to read.
    pub fn blob(&self) -> Blob {
        let files = Arc::clone(&self.files);
        Blob::of(self.hold.clone(), self.size, files.files(), Some(files))
    }
}
