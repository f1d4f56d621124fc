//! Taking in what lies elsewhere: bytes, files, folders.

use core::ops::ControlFlow;
use std::{
    boxed::Box,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    string::String,
    sync::Arc,
    vec::Vec,
};

use repute_protocol::{BlobHash, groups_of};

use super::{
    Collection, CollectionEntry, CollectionError, Hold, Store, StoreError,
    disk::DiskFile,
    files::Role,
    index::{Kind, charge},
    limits::BUFFER_BYTES,
    log::Log,
    opening::Inner,
    reference::Reference,
    sanitise,
};
use crate::{BLOB_BYTES_MAX, TreeBuilder, VerifyError};

/// How a file is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// Its bytes are copied; what happens to the file later does not matter.
    Copy,
    /// Only its hashes are kept. If the file changes it is not served any more.
    Reference,
}

/// What was taken in.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Its name.
    pub hash: BlobHash,
    /// Its bytes.
    pub size: u64,
    /// Keeps it until it has a tag.
    pub hold: Hold,
}

/// A folder that was taken in.
#[derive(Clone, Debug)]
pub struct ImportedFolder {
    /// The blob of the collection.
    pub imported: Imported,
    /// What is in it.
    pub collection: Collection,
    /// Links and other things that are no files, and were left out.
    pub skipped: u64,
    /// Keep the files until the collection has a tag.
    pub holds: Vec<Hold>,
}

/// Called with how many bytes were read; says whether to go on.
type Progress<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

/// Files that are not finished. They are removed unless they are moved away.
struct Draft {
    inner: Arc<Inner>,
    data: Option<(PathBuf, Box<dyn DiskFile>)>,
    tree: (PathBuf, Box<dyn DiskFile>),
}

impl Draft {
    fn new(inner: &Arc<Inner>, keeps_data: bool) -> io::Result<Self> {
        let open = || {
            let path = inner.draft();
            inner.disk.open_write(&path).map(|file| (path, file))
        };
        let tree = open()?;
        let mut draft = Self {
            inner: Arc::clone(inner),
            data: None,
            tree,
        };
        if keeps_data {
            draft.data = Some(open()?);
        }
        Ok(draft)
    }

    fn sync(&self, size: u64) -> io::Result<()> {
        if let Some((_, data)) = &self.data {
            data.set_len(size)?;
            data.sync()?;
        }
        // Of one group there is no tree.
        if groups_of(size) > 1 {
            self.tree.1.sync()?;
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What cannot be removed now is when the store is opened again.
        let data = self.data.iter().map(|(path, _)| path);
        for path in data.chain([&self.tree.0]) {
            let _ = self.inner.disk.remove(path);
        }
    }
}

impl Store {
    /// Takes in bytes that lie in memory.
    ///
    /// # Errors
    /// [`StoreError::Quota`], [`StoreError::DiskFull`], or what the system says.
    pub fn import_bytes(&self, mut bytes: &[u8]) -> Result<Imported, StoreError> {
        let len = bytes.len() as u64;
        let (hash, size, draft) =
            self.take_in(&mut bytes, len, true, &mut |_| ControlFlow::Continue(()))?;
        self.settle(hash, size, draft, None)
    }

    /// Takes in a file. `progress` is told how many bytes were read, and says whether to go on.
    ///
    /// # Errors
    /// [`StoreError::Path`] if it is no file, or changed while it was read;
    /// [`StoreError::Cancelled`]; otherwise as [`Self::import_bytes`].
    pub fn import_file(
        &self,
        path: &Path,
        mode: ImportMode,
        progress: Progress<'_>,
    ) -> Result<Imported, StoreError> {
        let io = StoreError::io("reading a file to share");
        let path = path.canonicalize().map_err(&io)?;
        if path.starts_with(&self.inner().root) {
            return Err(StoreError::path(path, "it is the store's own"));
        }
        // Before it is opened: opening a pipe would wait for who writes to it.
        if !fs::metadata(&path).map_err(&io)?.is_file() {
            return Err(StoreError::path(path, "it is no file"));
        }
        let mut file = File::open(&path).map_err(&io)?;
        let metadata = file.metadata().map_err(&io)?;
        let copies = mode == ImportMode::Copy;
        let (hash, size, draft) = self.take_in(&mut file, metadata.len(), copies, progress)?;
        let reference = Reference::new(hash, &metadata, &path);
        let reference =
            reference.ok_or_else(|| StoreError::path(&path, "its path is too long to keep"))?;
        if size != reference.size || !reference.holds() {
            return Err(StoreError::path(
                path,
                "it changed while it was read; try again",
            ));
        }
        self.settle(hash, size, draft, (!copies).then_some(reference))
    }

    /// Takes in all files below a folder, and makes a collection of them. Links are left out.
    ///
    /// # Errors
    /// [`StoreError::Name`] if a file has a name that others could not have, and as
    /// [`Self::import_file`].
    pub fn import_folder(
        &self,
        folder: &Path,
        mode: ImportMode,
        progress: Progress<'_>,
    ) -> Result<ImportedFolder, StoreError> {
        let mut skipped = 0;
        let files = files_below(folder, &mut skipped)?;
        let (mut entries, mut holds) = (Vec::new(), Vec::new());
        for (name, path) in files {
            let imported = self.import_file(&path, mode, progress)?;
            entries.push(CollectionEntry {
                name,
                hash: imported.hash,
                size: imported.size,
            });
            holds.push(imported.hold);
        }
        let collection = Collection::new(entries).map_err(|error| match error {
            CollectionError::Name { name, reason } => StoreError::Name { name, reason },
            _ => too_large(folder),
        })?;
        Ok(ImportedFolder {
            imported: self.import_bytes(&collection.encode())?,
            collection,
            skipped,
            holds,
        })
    }

    /// Reads to the end, hashes, and writes the tree and, if `keeps_data`, the bytes to drafts.
    fn take_in(
        &self,
        source: &mut dyn Read,
        expected: u64,
        keeps_data: bool,
        progress: Progress<'_>,
    ) -> Result<(BlobHash, u64, Draft), StoreError> {
        let inner = self.inner();
        let io = StoreError::io("taking in a blob");
        let kind = if keeps_data {
            Kind::Whole
        } else {
            Kind::Reference
        };
        let draft = Draft::new(inner, keeps_data).map_err(&io)?;
        let mut builder = TreeBuilder::new(&*draft.tree.1);
        let mut buffer = Vec::with_capacity(BUFFER_BYTES.min(expected as usize + 1));
        let mut size = 0;
        loop {
            inner
                .index()
                .room(charge(kind, expected.max(size)), &inner.limits)?;
            buffer.clear();
            let mut part = (&mut *source).take(BUFFER_BYTES as u64);
            if part.read_to_end(&mut buffer).map_err(&io)? == 0 {
                break;
            }
            builder.push(&buffer).map_err(&io)?;
            if let Some((_, data)) = &draft.data
                // What is nothing but zeros stays a hole.
                && buffer.iter().any(|byte| *byte != 0)
            {
                data.write_at(size, &buffer).map_err(&io)?;
            }
            size += buffer.len() as u64;
            if size > BLOB_BYTES_MAX {
                return Err(StoreError::Misuse(VerifyError::TooLarge { size }));
            }
            if progress(buffer.len() as u64).is_break() {
                return Err(StoreError::Cancelled);
            }
        }
        let (hash, size) = builder.finish().map_err(&io)?;
        Ok((hash, size, draft))
    }

    /// Makes drafts a blob, durably.
    fn settle(
        &self,
        hash: BlobHash,
        size: u64,
        draft: Draft,
        reference: Option<Reference>,
    ) -> Result<Imported, StoreError> {
        let inner = self.inner();
        let io = StoreError::io("taking in a blob");
        let kind = if reference.is_some() {
            Kind::Reference
        } else {
            Kind::Whole
        };
        let held = |index: &mut _| Imported {
            hash,
            size,
            hold: Hold::new(inner, index, hash),
        };
        let is_enough = |found: Kind| found == Kind::Whole || found == kind && reference.is_none();
        let mut index = inner.index();
        if index
            .blobs
            .get(&hash)
            .is_some_and(|slot| is_enough(slot.kind))
        {
            return Ok(held(&mut index));
        }
        drop(index);
        draft.sync(size).map_err(&io)?;
        let mut index = inner.index();
        match index.blobs.get(&hash) {
            Some(slot) if is_enough(slot.kind) => return Ok(held(&mut index)),
            Some(slot) if slot.kind == Kind::Partial && slot.holds > 0 => {
                return Err(StoreError::InUse(hash));
            }
            // What it counted before is given back.
            Some(slot) => {
                let more = charge(kind, size).saturating_sub(slot.charge());
                index.room(more, &inner.limits)?;
            }
            None => index.room(charge(kind, size), &inner.limits)?,
        }
        if groups_of(size) > 1 {
            let to = inner.path(Role::Tree, &hash);
            inner.disk.rename(&draft.tree.0, &to).map_err(&io)?;
            // Bytes without their tree are no use.
            inner.disk.sync_folder(&inner.blobs()).map_err(&io)?;
        }
        match (&reference, &draft.data) {
            (Some(reference), _) => {
                let path = inner.path(Role::Reference, &hash);
                let record = reference.encode();
                let records = [&record[..]].into_iter();
                let (disk, blobs) = (&*inner.disk, inner.blobs());
                Log::create(disk, &blobs, &inner.draft(), &path, records).map_err(&io)?;
            }
            (None, Some((path, _))) => {
                let to = inner.path(Role::Data, &hash);
                inner.disk.rename(path, &to).map_err(&io)?;
                inner.disk.sync_folder(&inner.blobs()).map_err(&io)?;
            }
            (None, None) => {}
        }
        for role in [Role::Have, Role::Part] {
            inner.disk.remove(&inner.path(role, &hash)).map_err(&io)?;
        }
        index.put(hash, kind, size);
        if let Some(slot) = index.blobs.get_mut(&hash) {
            slot.files = std::sync::Weak::new();
            slot.partial = std::sync::Weak::new();
        }
        if kind == Kind::Whole {
            let path = inner.path(Role::Reference, &hash);
            inner.disk.remove(&path).map_err(&io)?;
        }
        Ok(held(&mut index))
    }
}

fn too_large(folder: &Path) -> StoreError {
    StoreError::path(
        folder,
        "it has more files, or longer names, than a collection holds",
    )
}

/// Names and paths of the files below a folder, in the order of their names.
fn files_below(folder: &Path, skipped: &mut u64) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let io = StoreError::io("reading a folder to share");
    let mut files = Vec::new();
    let mut open = std::vec![(String::new(), folder.to_path_buf())];
    while let Some((prefix, folder)) = open.pop() {
        for entry in fs::read_dir(&folder).map_err(&io)? {
            let entry = entry.map_err(&io)?;
            let kind = entry.file_type().map_err(&io)?;
            let shown = entry.file_name().to_string_lossy().into_owned();
            let Some(name) = entry.file_name().to_str().map(|name| prefix.clone() + name) else {
                return Err(StoreError::Name {
                    name: shown,
                    reason: super::NameError::Character,
                });
            };
            if kind.is_dir() {
                open.push((name + "/", entry.path()));
            } else if kind.is_file() {
                sanitise(&name, false).map_err(|reason| StoreError::Name {
                    name: shown,
                    reason,
                })?;
                files.push((name, entry.path()));
            } else {
                *skipped += 1;
            }
            if files.len() > Collection::ENTRIES_MAX || open.len() > Collection::ENTRIES_MAX {
                return Err(too_large(&folder));
            }
        }
    }
    files.sort();
    Ok(files)
}
