//! What is shared: tags of the store, which survive a restart, and what is known of each in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use repute_base::{BoundedString, BoundedVec, Wall};
use repute_blobs::{
    BlobState, Collection, GroupRanges, Hold, ImportMode, Input, Store, StoreError, Tag,
};
use repute_protocol::{BlobHash, BlobTicket, groups_of};
use tokio::sync::watch;

use super::{
    Amount, FilesError, ShareOptions, Shared, SharedKind, cell::Cell, library::Library,
    workers::Kind,
};

/// What the tags of transfers begin with.
pub(super) const FETCH: &str = "fetch/";
/// What the tags of what is shared begin with.
const SHARE: &str = "share/";
/// Bytes of a name that fit into a tag.
const NAME_MAX: usize = 224;
/// Files of a folder that are offered between two looks at whether the node stops.
const TURN: usize = 64;

/// One thing that is shared.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    name: String,
    since: Wall,
    kind: SharedKind,
    reference: bool,
    /// Of the blob; of a folder that of its list.
    size: u64,
    /// Of all its files.
    bytes: u64,
    files: u32,
    trouble: Option<String>,
}

impl Entry {
    /// Of what was fetched.
    pub(super) fn fetched(
        cell: &Cell,
        size: u64,
        listed: Option<&Collection>,
        since: Wall,
    ) -> Self {
        let output = cell.order.output.as_deref().and_then(name_of);
        let name = match output {
            Some(name) if cell.order.name.is_empty() => name,
            _ => cell.order.name.clone(),
        };
        Self {
            reference: cell.order.output.is_some(),
            ..Self::new(&name, since, size, listed)
        }
    }

    fn new(name: &str, since: Wall, size: u64, listed: Option<&Collection>) -> Self {
        let name: BoundedString<NAME_MAX> = BoundedString::truncated(name);
        Self {
            name: name.as_str().into(),
            since,
            kind: match listed {
                Some(_) => SharedKind::Folder,
                None => SharedKind::File,
            },
            reference: false,
            size,
            bytes: listed.map_or(size, Collection::total_bytes),
            files: listed.map_or(1, |listed| {
                u32::try_from(listed.entries().len()).unwrap_or(u32::MAX)
            }),
            trouble: None,
        }
    }

    /// The tag that keeps it.
    pub(super) fn tag(&self) -> String {
        let how = if self.reference { "r" } else { "c" };
        format!("{SHARE}{}/{how}/{}", self.since.as_millis(), self.name)
    }
}

/// When, whether by reference, and the name that a tag says.
fn read_tag(tag: &str) -> Option<(Wall, bool, &str)> {
    let mut parts = tag.strip_prefix(SHARE)?.splitn(3, '/');
    let since = Wall::from_millis(parts.next()?.parse().ok()?);
    let reference = parts.next()? == "r";
    Some((since, reference, parts.next()?))
}

fn name_of(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// All that is shared.
pub(super) struct Shares {
    entries: Mutex<BTreeMap<BlobHash, Entry>>,
    loaded: watch::Sender<bool>,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            loaded: watch::Sender::new(false),
        }
    }
}

impl Shares {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<BlobHash, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, hash: &BlobHash) -> bool {
        self.entries().contains_key(hash)
    }

    pub(super) fn insert(&self, hash: BlobHash, entry: Entry) {
        self.entries().insert(hash, entry);
    }

    /// Something that is shared is not served at present.
    pub(super) fn trouble(&self, hash: &BlobHash, why: &str) {
        if let Some(entry) = self.entries().get_mut(hash) {
            entry.trouble = Some(why.into());
        }
    }

    /// Waits until all is known again after the start.
    async fn loaded(&self) {
        // The sender lives as long as this.
        let _ = self.loaded.subscribe().wait_for(|loaded| *loaded).await;
    }

    fn folders(&self) -> Vec<BlobHash> {
        let entries = self.entries();
        let folders = entries
            .iter()
            .filter(|(_, entry)| entry.kind == SharedKind::Folder);
        folders.map(|(hash, _)| *hash).collect()
    }
}

/// What an import brought.
struct Taken {
    hash: BlobHash,
    entry: Entry,
    files: Vec<(BlobHash, u64)>,
    _holds: Vec<Hold>,
}

impl Library {
    /// Takes a file or folder in, keeps and offers it.
    pub(super) async fn share(
        self: &Arc<Self>,
        path: PathBuf,
        how: ShareOptions,
        mut progress: impl FnMut(Amount) + Send + 'static,
    ) -> Result<Shared, FilesError> {
        self.shares.loaded().await;
        let store = self.store()?;
        let (closing, since) = (self.closing(), self.clock.wall());
        let take_in = move || {
            let total = size_of(&path);
            let mut amount = Amount { done: 0, total };
            let mut note = |bytes| {
                amount.done += bytes;
                amount.total = amount.total.max(amount.done);
                progress(amount);
                match *closing.borrow() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            let taken = take_in(&store, &path, &how, since, &mut note)?;
            let tag = Tag {
                hash: taken.hash,
                collection: taken.entry.kind == SharedKind::Folder,
            };
            let before = tags_of(&store, &taken.hash);
            let name = taken.entry.tag();
            store.tag(&name, tag)?;
            for old in before.iter().filter(|old| **old != name) {
                store.untag(old)?;
            }
            Ok::<_, StoreError>(taken)
        };
        let taken = self.workers().run(Kind::Long, take_in).await?;
        let taken = match taken {
            Err(StoreError::Cancelled) => return Err(FilesError::Stopped),
            taken => taken?,
        };
        self.shares.insert(taken.hash, taken.entry.clone());
        for (hash, size) in taken.files {
            self.offer(hash, size).await;
        }
        Ok(self.shown(taken.hash, &taken.entry))
    }

    async fn offer(&self, hash: BlobHash, size: u64) {
        let groups = GroupRanges::of(0..groups_of(size));
        self.say(Input::Share { hash, size, groups }).await;
    }

    /// What is shared, the oldest first.
    pub(super) async fn shared(&self) -> Result<Vec<Shared>, FilesError> {
        self.shares.loaded().await;
        self.store()?;
        let entries = self.shares.entries();
        let shown = entries.iter().map(|(hash, entry)| self.shown(*hash, entry));
        let mut shown: Vec<Shared> = shown.collect();
        drop(entries);
        shown.sort_by_key(|one| (one.since, one.hash));
        Ok(shown)
    }

    fn shown(&self, hash: BlobHash, entry: &Entry) -> Shared {
        Shared {
            ticket: BlobTicket {
                hash,
                size: entry.size,
                name: BoundedString::truncated(&entry.name),
                peers: BoundedVec::truncated([self.me.clone()]),
            },
            hash,
            bytes: entry.bytes,
            name: entry.name.clone(),
            kind: entry.kind,
            reference: entry.reference,
            since: entry.since,
            files: entry.files,
            trouble: entry.trouble.clone(),
        }
    }

    /// Takes a share back.
    pub(super) async fn unshare(self: &Arc<Self>, hash: BlobHash) -> Result<bool, FilesError> {
        self.shares.loaded().await;
        let store = self.store()?;
        let removed = self.workers().run(Kind::Short, {
            let store = store.clone();
            move || {
                let names = tags_of(&store, &hash);
                for name in &names {
                    store.untag(name)?;
                }
                Ok::<_, StoreError>(!names.is_empty())
            }
        });
        let removed = removed.await??;
        self.shares.entries().remove(&hash);
        if removed {
            // What another folder has is offered still.
            let folders = self.shares.folders();
            let singles: BTreeSet<BlobHash> = self.shares.entries().keys().copied().collect();
            let over = self.workers().run(Kind::Long, move || {
                let mut over: BTreeSet<BlobHash> = files_of(&store, &hash).collect();
                over.insert(hash);
                for folder in folders {
                    for file in files_of(&store, &folder) {
                        over.remove(&file);
                    }
                }
                over.difference(&singles).copied().collect::<Vec<_>>()
            });
            for hash in over.await? {
                self.say(Input::Unshare { hash }).await;
            }
            self.clean().await;
        }
        Ok(removed)
    }

    /// What was shared before a restart is offered again, if it is still what it was.
    pub(super) async fn load_shares(&self) {
        let known = self.load_entries().await;
        if let Err(error) = known {
            tracing::warn!(%error, "what was shared could not be read");
        }
        self.shares.loaded.send_replace(true);
        let all: Vec<BlobHash> = self.shares.entries().keys().copied().collect();
        for hash in all {
            let Ok(store) = self.store() else { return };
            let looked = self
                .workers()
                .run(Kind::Short, move || servable(&store, &hash));
            let Ok((files, trouble)) = looked.await else {
                return;
            };
            if let Some(why) = trouble {
                tracing::warn!(%hash, why, "not shared");
                self.shares.trouble(&hash, &why);
            }
            for turn in files.chunks(TURN) {
                for (hash, size) in turn {
                    self.offer(*hash, *size).await;
                }
                if *self.closing().borrow() {
                    return;
                }
            }
        }
    }

    async fn load_entries(&self) -> Result<(), FilesError> {
        let store = self.store()?;
        let read = self.workers().run(Kind::Long, move || {
            let mut entries = BTreeMap::new();
            for (name, tag) in store.tags() {
                let Some((since, reference, name)) = read_tag(&name) else {
                    continue;
                };
                let listed = match tag.collection {
                    true => store.blob(&tag.hash).and_then(|blob| blob.collection()),
                    false => Ok(Collection::default()),
                };
                let size = store.state(&tag.hash).map_or(0, |found| found.size);
                let listed = tag.collection.then_some(listed.ok()).flatten();
                let mut entry = Entry::new(name, since, size, listed.as_ref());
                entry.reference = reference;
                if tag.collection {
                    entry.kind = SharedKind::Folder;
                }
                entries.insert(tag.hash, entry);
            }
            entries
        });
        let read = read.await?;
        self.shares.entries().extend(read);
        Ok(())
    }

    /// A blob cannot be read as it was shared: nobody is served with it any more.
    pub(super) async fn broken(&self, hash: BlobHash, error: FilesError) {
        let FilesError::Store(StoreError::SourceChanged { .. } | StoreError::Damaged { .. }) =
            &error
        else {
            return;
        };
        tracing::warn!(%hash, %error, "not shared any more");
        self.say(Input::Unshare { hash }).await;
        let why = error.to_string();
        self.shares.trouble(&hash, &why);
        let (Ok(store), folders) = (self.store(), self.shares.folders()) else {
            return;
        };
        let holding = self.workers().run(Kind::Long, move || {
            let has = |folder: &BlobHash| files_of(&store, folder).any(|file| file == hash);
            folders.into_iter().filter(has).collect::<Vec<_>>()
        });
        for folder in holding.await.unwrap_or_default() {
            self.shares.trouble(&folder, &why);
        }
    }
}

fn take_in(
    store: &Store,
    path: &Path,
    how: &ShareOptions,
    since: Wall,
    note: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Taken, StoreError> {
    let mode = match how.reference {
        true => ImportMode::Reference,
        false => ImportMode::Copy,
    };
    let name = how.name.clone().or_else(|| {
        let path = path.canonicalize();
        path.ok().as_deref().and_then(name_of)
    });
    let name = name.unwrap_or_default();
    let (imported, listed, holds) = if path.is_dir() {
        let folder = store.import_folder(path, mode, note)?;
        (folder.imported, Some(folder.collection), folder.holds)
    } else {
        (store.import_file(path, mode, note)?, None, Vec::new())
    };
    let mut files = vec![(imported.hash, imported.size)];
    let listed_files = listed.iter().flat_map(Collection::entries);
    files.extend(listed_files.map(|entry| (entry.hash, entry.size)));
    let mut entry = Entry::new(&name, since, imported.size, listed.as_ref());
    entry.reference = match listed {
        Some(_) => how.reference,
        // What the store has already stays as it is.
        None => is_reference(store, &imported.hash),
    };
    let mut holds = holds;
    let hash = imported.hash;
    holds.push(imported.hold);
    Ok(Taken {
        hash,
        entry,
        files,
        _holds: holds,
    })
}

fn is_reference(store: &Store, hash: &BlobHash) -> bool {
    let found = store.state(hash);
    found.is_some_and(|found| found.state == BlobState::Reference)
}

/// Bytes of a file, or of all files below a folder, as far as they can be seen.
fn size_of(path: &Path) -> u64 {
    let Ok(found) = std::fs::metadata(path) else {
        return 0;
    };
    if !found.is_dir() {
        return found.len();
    }
    let (mut open, mut sum) = (vec![path.to_path_buf()], 0_u64);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => open.push(entry.path()),
                Ok(found) if found.is_file() => sum = sum.saturating_add(found.len()),
                _ => {}
            }
        }
        if open.len() > Collection::ENTRIES_MAX {
            break;
        }
    }
    sum
}

/// The names under which a blob is shared.
fn tags_of(store: &Store, hash: &BlobHash) -> Vec<String> {
    let tags = store.tags().into_iter();
    let of_blob = tags.filter(|(name, tag)| tag.hash == *hash && name.starts_with(SHARE));
    of_blob.map(|(name, _)| name).collect()
}

/// The files that a folder lists; none of what is no folder.
pub(super) fn files_of(store: &Store, hash: &BlobHash) -> impl Iterator<Item = BlobHash> {
    let listed = store.blob(hash).and_then(|blob| blob.collection());
    let listed = listed.unwrap_or_default();
    let files: Vec<BlobHash> = listed.entries().iter().map(|entry| entry.hash).collect();
    files.into_iter()
}

/// What of a share can be served, and why the rest cannot.
fn servable(store: &Store, hash: &BlobHash) -> (Vec<(BlobHash, u64)>, Option<String>) {
    let whole = |hash: &BlobHash| match store.blob(hash) {
        Ok(blob) if blob.held().len() == groups_of(blob.size()) => Ok((*hash, blob.size())),
        Ok(_) => Err(StoreError::NotHere(*hash)),
        Err(error) => Err(error),
    };
    let (mut files, mut trouble) = (Vec::new(), None);
    for file in core::iter::once(*hash).chain(files_of(store, hash)) {
        match whole(&file) {
            Ok(found) => files.push(found),
            Err(error) => trouble = Some(error.to_string()),
        }
    }
    (files, trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_says_when_how_and_under_which_name_something_is_shared() {
        let mut entry = Entry::new("a/b c", Wall::from_millis(1_700), 10, None);
        entry.reference = true;
        let tag = entry.tag();
        let read = Some((Wall::from_millis(1_700), true, "a/b c"));
        assert_eq!(read_tag(&tag), read);
        let long = Entry::new(&"ü".repeat(300), Wall::from_millis(u64::MAX), 10, None);
        assert!(long.tag().len() <= 256, "{}", long.tag().len());
        assert_eq!(read_tag("fetch/7"), None);
        assert_eq!(read_tag("share/7"), None);
    }
}
