//! Writing a blob to where the caller says, and nowhere else.

use std::{
    ffi::OsStr,
    format,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    string::{String, ToString},
    vec::Vec,
};

use repute_protocol::{BlobHash, groups_of};

use super::{
    Blob, Store, StoreError, files::Role, index::Kind, limits::BUFFER_BYTES, log::Log,
    reference::Reference, sanitise,
};
use crate::GroupRanges;

/// How a blob is written elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportMode {
    /// Its bytes are copied, and proven on the way.
    Copy,
    /// Its file is moved, and the blob is a reference to it from then on: nothing is written
    /// twice. Where that cannot be done it is copied first.
    Move,
}

impl Store {
    /// Writes a whole blob to `target`, where nothing may be yet.
    ///
    /// # Errors
    /// [`StoreError::Path`] if something is there or the folder is not, [`StoreError::NotHere`]
    /// if the blob is not whole, [`StoreError::Damaged`] and [`StoreError::SourceChanged`],
    /// [`StoreError::DiskFull`], or what the system says. Nothing is at `target` then.
    pub fn export(&self, blob: &Blob, target: &Path, mode: ExportMode) -> Result<(), StoreError> {
        let io = StoreError::io("exporting a blob");
        let (Some(folder), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(StoreError::path(target, "it names no file"));
        };
        let here = Path::new(".");
        let folder = if folder.as_os_str().is_empty() {
            here
        } else {
            folder
        };
        let folder = folder.canonicalize().map_err(&io)?;
        if folder.starts_with(&self.inner().root) {
            return Err(StoreError::path(target, "it lies within the store"));
        }
        let target = folder.join(name);
        if fs::symlink_metadata(&target).is_ok() {
            return Err(StoreError::path(target, "something is there already"));
        }
        if mode == ExportMode::Move && self.move_out(blob, &target)? {
            return Ok(());
        }
        let draft = Draft::new(&folder, name, blob.hash()).map_err(&io)?;
        copy(blob, &draft.file)?;
        draft.file.sync_all().map_err(&io)?;
        fs::rename(&draft.path, &target).map_err(&io)?;
        self.inner().disk.sync_folder(&folder).map_err(&io)?;
        if mode == ExportMode::Move {
            self.refer_to(blob, &target)?;
        }
        Ok(())
    }

    /// Writes the files of a collection below `folder`, which is made if it is not there. Nothing
    /// that is there is overwritten, and no link is followed out of it. Files that are there with
    /// the right length from an earlier call are taken for written. Gives how many were written.
    ///
    /// # Errors
    /// [`StoreError::NoCollection`], [`StoreError::Name`] for names that this system refuses, and
    /// as [`Self::export`]. Files that were written stay.
    pub fn export_folder(
        &self,
        collection: &Blob,
        folder: &Path,
        mode: ExportMode,
    ) -> Result<u64, StoreError> {
        let io = StoreError::io("exporting a folder");
        let collection = collection.collection()?;
        for entry in collection.entries() {
            sanitise(&entry.name, true).map_err(|reason| StoreError::Name {
                name: entry.name.clone(),
                reason,
            })?;
        }
        fs::create_dir_all(folder).map_err(&io)?;
        let root = folder.canonicalize().map_err(&io)?;
        let mut written = 0;
        for entry in collection.entries() {
            let target = place(&root, &entry.name)?;
            match fs::symlink_metadata(&target) {
                Ok(found) if found.is_file() && found.len() == entry.size => continue,
                Ok(_) => return Err(StoreError::path(target, "something is there already")),
                Err(_) => {}
            }
            let blob = self.blob(&entry.hash)?;
            if blob.size() != entry.size {
                return Err(StoreError::SizeDiffers {
                    hash: entry.hash,
                    ours: blob.size(),
                    theirs: entry.size,
                });
            }
            self.export(&blob, &target, mode)?;
            written += 1;
        }
        Ok(written)
    }

    /// Moves the store's own file. False if it must be copied.
    fn move_out(&self, blob: &Blob, target: &Path) -> Result<bool, StoreError> {
        let inner = self.inner();
        let hash = blob.hash();
        let mut index = inner.index();
        if index
            .blobs
            .get(&hash)
            .is_none_or(|slot| slot.kind != Kind::Whole)
        {
            return Ok(false);
        }
        let data = inner.path(Role::Data, &hash);
        let Ok(metadata) = fs::metadata(&data) else {
            return Ok(false);
        };
        let Some(reference) = Reference::new(hash, &metadata, target) else {
            return Ok(false);
        };
        self.write_reference(&reference)?;
        // As long as the data is there the reference counts for nothing.
        if fs::rename(&data, target).is_err() {
            let path = inner.path(Role::Reference, &hash);
            inner
                .disk
                .remove(&path)
                .map_err(StoreError::io("exporting a blob"))?;
            return Ok(false);
        }
        index.put(hash, Kind::Reference, blob.size());
        if let Some(slot) = index.blobs.get_mut(&hash) {
            slot.files = std::sync::Weak::new();
        }
        let blobs = inner.blobs();
        for folder in target.parent().into_iter().chain([&*blobs]) {
            let synced = inner.disk.sync_folder(folder);
            synced.map_err(StoreError::io("exporting a blob"))?;
        }
        Ok(true)
    }

    /// Makes the blob a reference to a copy of it.
    fn refer_to(&self, blob: &Blob, target: &Path) -> Result<(), StoreError> {
        let io = StoreError::io("exporting a blob");
        let inner = self.inner();
        let hash = blob.hash();
        let mut index = inner.index();
        let metadata = fs::metadata(target).map_err(&io)?;
        let reference = Reference::new(hash, &metadata, target);
        let (Some(reference), Some(slot)) = (reference, index.blobs.get_mut(&hash)) else {
            return Ok(());
        };
        slot.files = std::sync::Weak::new();
        self.write_reference(&reference)?;
        let data = inner.path(Role::Data, &hash);
        inner.disk.remove(&data).map_err(&io)?;
        index.put(hash, Kind::Reference, blob.size());
        Ok(())
    }

    fn write_reference(&self, reference: &Reference) -> Result<(), StoreError> {
        let inner = self.inner();
        let path = inner.path(Role::Reference, &reference.hash);
        let record = reference.encode();
        let records = [&record[..]].into_iter();
        Log::create(&*inner.disk, &inner.blobs(), &inner.draft(), &path, records)
            .map(|_| ())
            .map_err(StoreError::io("exporting a blob"))
    }
}

/// A file beside the target. It is removed unless it is moved away.
struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    fn new(folder: &Path, name: &OsStr, hash: BlobHash) -> io::Result<Self> {
        // The target's name may be as long as names can be. What an export that was cut short left
        // has the same name, and goes.
        let stem: String = name.to_string_lossy().chars().take(32).collect();
        let hash: String = hash.to_string().chars().take(16).collect();
        let path = folder.join(format!(".repute-{hash}-{stem}.part"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        Ok(Self { path, file })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It is gone if all went well.
        let _ = fs::remove_file(&self.path);
    }
}

fn copy(blob: &Blob, mut file: &File) -> Result<(), StoreError> {
    let io = StoreError::io("exporting a blob");
    if blob.held().len() < groups_of(blob.size()) {
        return Err(StoreError::NotHere(blob.hash()));
    }
    let mut encoder = blob.encoder(GroupRanges::of(0..groups_of(blob.size())))?;
    let mut buffer = Vec::with_capacity(BUFFER_BYTES + 16 * 1024);
    while encoder.next_group(&mut buffer)?.is_some() {
        if buffer.len() >= BUFFER_BYTES {
            file.write_all(&buffer).map_err(&io)?;
            buffer.clear();
        }
    }
    file.write_all(&buffer).map_err(&io)
}

/// Where a file of a collection goes; the folders above it are made. None of them may be a link.
fn place(root: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let io = StoreError::io("exporting a folder");
    let mut path = root.to_path_buf();
    let mut parts = name.split('/').peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        if parts.peek().is_none() {
            break;
        }
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(StoreError::path(path, "it is no folder")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir(&path).map_err(&io)?;
            }
            Err(error) => return Err(io(error)),
        }
    }
    Ok(path)
}
