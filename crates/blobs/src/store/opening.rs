//! Opening the store, and putting in order what a crash left.

use std::{
    boxed::Box,
    collections::BTreeMap,
    ffi::OsString,
    format,
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    vec::Vec,
};

use repute_protocol::BlobHash;

use super::{
    StoreError, StoreLimits, StoredBlob,
    disk::{Disk, RealDisk},
    files::{BLOBS, DRAFTS, Role},
    index::{Index, Kind},
    log::Log,
    partial::size_of_log,
    reference::Reference,
    tags::Tags,
};
use crate::BLOB_BYTES_MAX;

/// Says which form the files have.
const FORMAT_FILE: &str = "format";
const FORMAT: &[u8] = b"repute blobs 1\n";
const LOCK_FILE: &str = "lock";

/// Blobs on a file system, below one folder.
///
/// ```
/// use repute_blobs::{GroupRanges, Store, StoreLimits, Tag};
///
/// let folder = tempfile::tempdir()?;
/// let store = Store::open(folder.path(), StoreLimits::default())?;
/// let imported = store.import_bytes(b"Hello")?;
/// let tag = Tag { hash: imported.hash, collection: false };
/// store.tag("greeting", tag)?;
///
/// let blob = store.blob(&imported.hash)?;
/// let mut stream = Vec::new();
/// blob.encoder(GroupRanges::of(0..1))?.fill(&mut stream, usize::MAX)?;
/// assert_eq!(stream, b"Hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) disk: Box<dyn Disk>,
    pub(super) root: PathBuf,
    pub(super) limits: StoreLimits,
    index: Mutex<Index>,
    drafts: AtomicU64,
    pub(super) open: Arc<AtomicUsize>,
    /// Held as long as the store lives.
    _lock: Option<File>,
}

impl Inner {
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        // Nothing panics while it changes the index.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.root.join(BLOBS)
    }

    pub(super) fn path(&self, role: Role, hash: &BlobHash) -> PathBuf {
        role.path(&self.root, hash)
    }

    /// A name for what is not finished.
    pub(super) fn draft(&self) -> PathBuf {
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        self.root.join(DRAFTS).join(format!("{number}"))
    }
}

impl Store {
    /// Opens the store in `folder`, or makes it if the folder is empty or not there. Nobody else
    /// can open it as long as it is open.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::Foreign`], or what the system says.
    pub fn open(folder: impl AsRef<Path>, limits: StoreLimits) -> Result<Self, StoreError> {
        let io = StoreError::io("opening the blob store");
        let folder = folder.as_ref();
        RealDisk.create_folder(folder).map_err(&io)?;
        let root = folder.canonicalize().map_err(&io)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join(LOCK_FILE))
            .map_err(&io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked(root)),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        Self::open_on(Box::new(RealDisk), root, limits, Some(lock))
    }

    pub(super) fn open_on(
        disk: Box<dyn Disk>,
        root: PathBuf,
        limits: StoreLimits,
        lock: Option<File>,
    ) -> Result<Self, StoreError> {
        let io = StoreError::io("opening the blob store");
        let top = disk.list(&root).map_err(&io)?;
        let is_there = |name: &str| top.iter().any(|(found, _)| found == name);
        let is_new = !is_there(FORMAT_FILE);
        if is_new
            && top
                .iter()
                .any(|(name, _)| name != LOCK_FILE && name != "tags")
        {
            return Err(StoreError::Foreign(root));
        }
        disk.create_folder(&root.join(BLOBS)).map_err(&io)?;
        disk.create_folder(&root.join(DRAFTS)).map_err(&io)?;
        let drafts = disk.list(&root.join(DRAFTS)).map_err(&io)?;
        if is_new {
            // Files of somebody else's, in folders of these names, are not ours to remove.
            let is_ours = |name: &OsString| name == FORMAT_FILE || name == "tags";
            let blobs = disk.list(&root.join(BLOBS)).map_err(&io)?;
            if !blobs.is_empty() || !drafts.iter().all(|(name, _)| is_ours(name)) {
                return Err(StoreError::Foreign(root));
            }
        } else if !is_format(&*disk, &root).map_err(&io)? {
            return Err(StoreError::Foreign(root));
        }
        for (name, _) in drafts {
            disk.remove(&root.join(DRAFTS).join(name)).map_err(&io)?;
        }
        let tags = Tags::open(&*disk, &root, is_there("tags")).map_err(&io)?;
        if is_new {
            write_format(&*disk, &root).map_err(&io)?;
        }
        let mut index = Index {
            blobs: BTreeMap::new(),
            tags,
            used: 0,
        };
        recover(&*disk, &root, &mut index)?;
        let inner = Inner {
            disk,
            root,
            limits,
            index: Mutex::new(index),
            drafts: AtomicU64::new(0),
            open: Arc::default(),
            _lock: lock,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    pub(super) const fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// What the store knows of a blob.
    pub fn state(&self, hash: &BlobHash) -> Option<StoredBlob> {
        let index = self.inner.index();
        index.blobs.get(hash).map(|slot| StoredBlob {
            hash: *hash,
            size: slot.size,
            state: slot.state(),
        })
    }

    /// At most `count` blobs whose hash is greater than `after`, in the order of their hashes.
    pub fn list(&self, after: Option<&BlobHash>, count: usize) -> Vec<StoredBlob> {
        use core::ops::Bound;
        let from = after.map_or(Bound::Unbounded, |hash| Bound::Excluded(*hash));
        let index = self.inner.index();
        let blobs = index.blobs.range((from, Bound::Unbounded)).take(count);
        blobs
            .map(|(hash, slot)| StoredBlob {
                hash: *hash,
                size: slot.size,
                state: slot.state(),
            })
            .collect()
    }

    /// Bytes that count against the quota.
    pub fn used_bytes(&self) -> u64 {
        self.inner.index().used
    }
}

fn write_format(disk: &dyn Disk, root: &Path) -> std::io::Result<()> {
    let draft = root.join(DRAFTS).join(FORMAT_FILE);
    let file = disk.open_write(&draft)?;
    file.write_at(0, FORMAT)?;
    file.sync()?;
    disk.rename(&draft, &root.join(FORMAT_FILE))?;
    disk.sync_folder(root)
}

fn is_format(disk: &dyn Disk, root: &Path) -> std::io::Result<bool> {
    let file = disk.open(&root.join(FORMAT_FILE))?;
    let mut found = std::vec![0; FORMAT.len()];
    if file.len()? != FORMAT.len() as u64 {
        return Ok(false);
    }
    file.read_at(0, &mut found)?;
    Ok(found == FORMAT)
}

/// The files of one blob.
#[derive(Default)]
struct Found {
    roles: Vec<(Role, u64)>,
}

impl Found {
    fn len(&self, role: Role) -> Option<u64> {
        self.roles
            .iter()
            .find(|(found, _)| *found == role)
            .map(|(_, len)| *len)
    }
}

/// Takes in what is there. What a crash left half done is put in order; names that the store does
/// not give are left alone.
fn recover(disk: &dyn Disk, root: &Path, index: &mut Index) -> Result<(), StoreError> {
    let io = StoreError::io("reading the blob store");
    let mut blobs: BTreeMap<BlobHash, Found> = BTreeMap::new();
    for (name, len) in disk.list(&root.join(BLOBS)).map_err(&io)? {
        if let Some((hash, role)) = name.to_str().and_then(Role::parse) {
            blobs.entry(hash).or_default().roles.push((role, len));
        }
    }
    for (hash, found) in blobs {
        let kept: &[Role] = if let Some(size) = found.len(Role::Data) {
            index.put(hash, Kind::Whole, size.min(BLOB_BYTES_MAX));
            &[Role::Data, Role::Tree]
        } else if let Some(reference) = read_reference(disk, root, &hash, &found)? {
            index.put(hash, Kind::Reference, reference.size);
            &[Role::Reference, Role::Tree]
        } else if let Some(size) = partial_size(disk, root, &hash, &found)? {
            index.put(hash, Kind::Partial, size);
            &[Role::Have, Role::Part, Role::Tree]
        } else {
            &[]
        };
        for (role, _) in found.roles.iter().filter(|(role, _)| !kept.contains(role)) {
            disk.remove(&role.path(root, &hash)).map_err(&io)?;
        }
    }
    Ok(())
}

fn read_reference(
    disk: &dyn Disk,
    root: &Path,
    hash: &BlobHash,
    found: &Found,
) -> Result<Option<Reference>, StoreError> {
    if found.len(Role::Reference).is_none() {
        return Ok(None);
    }
    let record = Log::first(disk, &Role::Reference.path(root, hash))
        .map_err(StoreError::io("reading a reference"))?;
    Ok(record
        .and_then(|record| Reference::decode(&record))
        .filter(|reference| reference.hash == *hash && reference.size <= BLOB_BYTES_MAX))
}

fn partial_size(
    disk: &dyn Disk,
    root: &Path,
    hash: &BlobHash,
    found: &Found,
) -> Result<Option<u64>, StoreError> {
    if found.len(Role::Have).is_none() {
        return Ok(None);
    }
    let record = Log::first(disk, &Role::Have.path(root, hash))
        .map_err(StoreError::io("reading the log of a fetch"))?;
    Ok(record.and_then(|record| size_of_log(&record, hash)))
}
