//! A disk in memory that can lose power before any of its operations, fail one, or fill up.
//!
//! What was not synced survives a power cut in any part: any sectors of what was written, in any
//! order, and any names of what was made, moved and removed.

use std::{
    boxed::Box,
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    vec::Vec,
};

use repute_base::Rng;

use crate::{
    ReadAt,
    store::disk::{Disk, DiskFile},
};

const SECTOR: usize = 512;

#[derive(Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Put(PathBuf, u64),
    Move(PathBuf, PathBuf, u64),
    Remove(PathBuf),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Nothing works from this operation on.
    PowerCut {
        at: u64,
    },
    /// This operation fails.
    Once {
        at: u64,
    },
    /// There is room for so many bytes.
    Full {
        bytes: u64,
    },
}

#[derive(Default)]
struct State {
    files: BTreeMap<u64, Content>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    pending: Vec<NameChange>,
    next: u64,
    operations: u64,
    struck: u64,
}

#[derive(Clone)]
pub(super) struct MemoryDisk {
    state: Arc<Mutex<State>>,
    fault: Arc<Mutex<Fault>>,
}

impl MemoryDisk {
    pub(super) fn new() -> Self {
        Self {
            state: Arc::default(),
            fault: Arc::new(Mutex::new(Fault::None)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn set_fault(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    /// Operations that change something, so far.
    pub(super) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// How often a fault struck.
    pub(super) fn struck(&self) -> u64 {
        self.state().struck
    }

    /// Counts an operation that changes something. It fails if it is its turn.
    fn step(&self) -> io::Result<MutexGuard<'_, State>> {
        let fault = *self.fault.lock().unwrap();
        let mut state = self.state();
        let number = state.operations;
        state.operations += 1;
        let strikes = match fault {
            Fault::PowerCut { at } => number >= at,
            Fault::Once { at } => number == at,
            Fault::None | Fault::Full { .. } => false,
        };
        if strikes {
            state.struck += 1;
            return Err(io::Error::other("the disk failed"));
        }
        Ok(state)
    }

    fn has_room(&self, state: &mut State, more: usize) -> io::Result<()> {
        if let Fault::Full { bytes } = *self.fault.lock().unwrap() {
            let used: usize = state.files.values().map(|file| file.now.len()).sum();
            if (used + more) as u64 > bytes {
                state.struck += 1;
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        Ok(())
    }

    /// What is there after the power was cut.
    pub(super) fn after_power_cut(&self, rng: &mut Rng) -> Self {
        let before = self.state();
        let mut state = State {
            next: before.next,
            names: before.durable_names.clone(),
            ..State::default()
        };
        for change in &before.pending {
            if rng.below(2) == 0 {
                apply(&mut state.names, change);
            }
        }
        for (number, content) in &before.files {
            let mut kept = content.durable.clone();
            let sectors = content.now.len().max(kept.len()).div_ceil(SECTOR);
            for sector in 0..sectors {
                let range = sector * SECTOR..((sector + 1) * SECTOR).min(content.now.len());
                let now = content.now.get(range.clone()).unwrap_or_default();
                if rng.below(2) == 0 && !now.is_empty() {
                    kept.resize(kept.len().max(range.end), 0);
                    kept[range].copy_from_slice(now);
                }
            }
            if rng.below(2) == 0 {
                kept.truncate(content.now.len());
            }
            state.files.insert(
                *number,
                Content {
                    now: kept.clone(),
                    durable: kept,
                },
            );
        }
        state.durable_names = state.names.clone();
        let named: Vec<u64> = state.names.values().copied().collect();
        state.files.retain(|number, _| named.contains(number));
        Self {
            state: Arc::new(Mutex::new(state)),
            fault: Arc::new(Mutex::new(Fault::None)),
        }
    }

    fn file(&self, number: u64) -> Box<dyn DiskFile> {
        Box::new(MemoryFile {
            disk: self.clone(),
            number,
        })
    }
}

fn apply(names: &mut BTreeMap<PathBuf, u64>, change: &NameChange) {
    match change {
        NameChange::Put(path, number) => {
            names.insert(path.clone(), *number);
        }
        NameChange::Move(from, to, number) => {
            names.remove(from);
            names.insert(to.clone(), *number);
        }
        NameChange::Remove(path) => {
            names.remove(path);
        }
    }
}

impl State {
    fn change(&mut self, change: NameChange) {
        apply(&mut self.names, &change);
        self.pending.push(change);
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let number = self.state().names.get(path).copied();
        let number = number.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(self.file(number))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let found = self.state().names.get(path).copied();
        if let Some(number) = found {
            return Ok(self.file(number));
        }
        let mut state = self.step()?;
        let number = state.next;
        state.next += 1;
        state.files.insert(number, Content::default());
        state.change(NameChange::Put(path.into(), number));
        drop(state);
        Ok(self.file(number))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(OsString, u64)>> {
        let state = self.state();
        let inside = state
            .names
            .iter()
            .filter(|(path, _)| path.parent() == Some(folder));
        let entry = |(path, number): (&PathBuf, &u64)| {
            let len = state.files.get(number).map_or(0, |file| file.now.len());
            (path.file_name().unwrap().into(), len as u64)
        };
        Ok(inside.map(entry).collect())
    }

    fn create_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        let Some(number) = state.names.get(from).copied() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        state.change(NameChange::Move(from.into(), to.into(), number));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        if state.names.contains_key(path) {
            state.change(NameChange::Remove(path.into()));
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        // What concerns another folder, or both, may stay pending; a move belongs to its target.
        let pending = core::mem::take(&mut state.pending);
        for change in pending {
            let (NameChange::Put(path, _)
            | NameChange::Remove(path)
            | NameChange::Move(_, path, _)) = &change;
            let target = path.parent();
            if target == Some(folder) {
                apply(&mut state.durable_names, &change);
            } else {
                state.pending.push(change);
            }
        }
        Ok(())
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    number: u64,
}

impl ReadAt for MemoryFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.disk.state().files.get(&self.number) {
            Some(file) => file.now.read_at(offset, out),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl DiskFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        let state = self.disk.state();
        let len = state.files.get(&self.number).map(|file| file.now.len());
        Ok(len.unwrap_or_default() as u64)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.step()?;
        let end = offset as usize + bytes.len();
        let len = state.files.entry(self.number).or_default().now.len();
        // A full disk takes what fits.
        let room = self.disk.has_room(&mut state, end.saturating_sub(len));
        let taken = if room.is_ok() {
            bytes.len()
        } else {
            bytes.len() / 2
        };
        let file = state.files.entry(self.number).or_default();
        if room.is_ok() || offset as usize + taken <= len {
            let end = offset as usize + taken;
            file.now.resize(len.max(end), 0);
            file.now[offset as usize..end].copy_from_slice(&bytes[..taken]);
        }
        room
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.step()?;
        let file = state.files.entry(self.number).or_default();
        file.now.resize(len as usize, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        match self.disk.step() {
            Ok(mut state) => {
                let file = state.files.entry(self.number).or_default();
                file.durable = file.now.clone();
                Ok(())
            }
            Err(error) => {
                // What could not be written is thrown away, and reads as it was before.
                let mut state = self.disk.state();
                let file = state.files.entry(self.number).or_default();
                file.now = file.durable.clone();
                Err(error)
            }
        }
    }
}
