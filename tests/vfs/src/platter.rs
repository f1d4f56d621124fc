//! What is durable, what is not yet, and what a power cut may leave of it.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use repute_base::Rng;

use crate::disk::{DATABASE, Entry};

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The files of a folder, the durable and the live state of each apart.
#[derive(Clone, Debug, Default)]
pub struct Platter {
    names: BTreeMap<String, Name>,
}

/// What a name may stand for after a power cut: one of these, the last one being what it stands
/// for now. Only one is left once it is durable.
#[derive(Clone, Debug)]
struct Name {
    states: Vec<Option<File>>,
}

#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    /// Not durable yet, in order.
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Truncate { len: u64 },
}

/// What happened in the making of an image, so that a test can say that its faults happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Damage {
    /// Changes that were not durable at the cut.
    pub pending: u64,
    /// Sectors of them that are lost.
    pub sectors_lost: u64,
    /// Writes of which some sectors are there and some are not.
    pub torn: u64,
    /// Files that are shorter than what was written to them.
    pub cut: u64,
    /// Names that stand for an earlier state.
    pub names_back: u64,
}

impl Damage {
    pub fn add(&mut self, other: &Self) {
        self.pending += other.pending;
        self.sectors_lost += other.sectors_lost;
        self.torn += other.torn;
        self.cut += other.cut;
        self.names_back += other.names_back;
    }
}

impl Platter {
    /// A folder with these files, all durable.
    pub fn with(files: &Files) -> Self {
        let name = |bytes: &Vec<u8>| Name {
            states: vec![Some(File {
                durable: bytes.clone(),
                changes: Vec::new(),
            })],
        };
        Self {
            names: files
                .iter()
                .map(|(key, bytes)| (key.clone(), name(bytes)))
                .collect(),
        }
    }

    /// Does what was done. A lying sync does nothing, and says nothing.
    pub fn apply(&mut self, entry: &Entry, lies: bool) -> Result<()> {
        match entry {
            Entry::Created(name) => self.name(name).states.push(Some(File::default())),
            Entry::Found(name, bytes) => {
                let file = File {
                    durable: bytes.clone(),
                    changes: Vec::new(),
                };
                self.name(name).states.push(Some(file));
            }
            Entry::Wrote { name, at, bytes } => {
                let (at, bytes) = (*at, bytes.clone());
                self.live(name)?.changes.push(Change::Write { at, bytes });
            }
            Entry::Truncated { name, len } => {
                self.live(name)?
                    .changes
                    .push(Change::Truncate { len: *len });
            }
            Entry::Synced(_) if lies => {}
            Entry::Synced(name) => {
                let file = self.live(name)?;
                for change in std::mem::take(&mut file.changes) {
                    change.apply(&mut file.durable);
                }
                // A new file is found under its name once it was synced.
                let states = &mut self.name(name).states;
                states.drain(..states.len() - 1);
            }
            Entry::Forgotten(name) => self.live(name)?.changes.clear(),
            Entry::Deleted { name, durable } => {
                if *durable && !lies {
                    self.names.remove(name);
                } else {
                    self.name(name).states.push(None);
                }
            }
            Entry::Renamed => {
                let new = self.names.remove(&format!("{DATABASE}.new"));
                let file = new.and_then(|new| new.states.into_iter().next_back());
                let states = vec![file.context("a rename of nothing")?];
                self.names.insert(DATABASE.into(), Name { states });
            }
            Entry::Acknowledged(_) => {}
        }
        Ok(())
    }

    fn name(&mut self, name: &str) -> &mut Name {
        self.names
            .entry(name.to_owned())
            .or_insert_with(|| Name { states: vec![None] })
    }

    fn live(&mut self, name: &str) -> Result<&mut File> {
        let states = &mut self.name(name).states;
        let file = states.last_mut().and_then(Option::as_mut);
        file.with_context(|| format!("a change of {name}, which is not there"))
    }

    /// What a power cut leaves: what is durable, and any part of what is not.
    pub fn image(&self, rng: &mut Rng) -> (Files, Damage) {
        let mut damage = Damage::default();
        let mut files = Files::new();
        // Some cuts leave nearly everything, some nearly nothing.
        let percent = [0, 10, 50, 90, 100][rng.below(5) as usize];
        for (key, name) in &self.names {
            let last = name.states.len() - 1;
            let state = if rng.chance(percent, 100) {
                last
            } else {
                rng.below(last as u64 + 1) as usize
            };
            damage.names_back += u64::from(state < last);
            if let Some(file) = &name.states[state] {
                files.insert(key.clone(), file.after_cut(rng, percent, &mut damage));
            }
        }
        (files, damage)
    }

    /// What a power cut leaves when nothing but the durable is there.
    pub fn durable(&self) -> Files {
        let first = |name: &Name| {
            name.states
                .first()?
                .as_ref()
                .map(|file| file.durable.clone())
        };
        self.names
            .iter()
            .filter_map(|(key, name)| Some((key.clone(), first(name)?)))
            .collect()
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes: new } => put(bytes, *at, new, &mut |_| {}),
            Self::Truncate { len } => bytes.resize(*len as usize, 0),
        }
    }
}

/// Writes into a file, which grows to take it; `fill` makes what lies between.
fn put(bytes: &mut Vec<u8>, at: u64, new: &[u8], fill: &mut dyn FnMut(&mut [u8])) {
    let (at, held) = (at as usize, bytes.len());
    if held < at + new.len() {
        bytes.resize(at + new.len(), 0);
        if held < at {
            fill(&mut bytes[held..at]);
        }
    }
    bytes[at..at + new.len()].copy_from_slice(new);
}

impl File {
    /// Each sector of each change is there or is not; writes reach the disk in any order.
    fn after_cut(&self, rng: &mut Rng, percent: u64, damage: &mut Damage) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let (shuffles, garbage, cuts) = (rng.chance(1, 2), rng.chance(1, 4), rng.chance(1, 4));
        let mut filler = rng.fork();
        // A hole before what was written holds nothing, or what lay there before.
        let mut fill = |hole: &mut [u8]| {
            if garbage {
                filler.fill(hole);
            }
        };
        let mut run: Vec<(u64, &[u8])> = Vec::new();
        let mut settle = |run: &mut Vec<(u64, &[u8])>, bytes: &mut Vec<u8>, rng: &mut Rng| {
            if shuffles {
                rng.shuffle(run);
            }
            for (at, piece) in run.drain(..) {
                put(bytes, at, piece, &mut fill);
            }
        };
        for change in &self.changes {
            damage.pending += 1;
            match change {
                Change::Write { at, bytes: new } => {
                    let (mut kept, mut lost) = (0, 0);
                    for (at, piece) in sectors(*at, new) {
                        if rng.chance(percent, 100) {
                            kept += 1;
                            run.push((at, piece));
                        } else {
                            lost += 1;
                        }
                    }
                    damage.sectors_lost += lost;
                    damage.torn += u64::from(kept > 0 && lost > 0);
                }
                Change::Truncate { len } => {
                    settle(&mut run, &mut bytes, rng);
                    if rng.chance(percent, 100) {
                        bytes.resize(*len as usize, 0);
                    }
                }
            }
        }
        settle(&mut run, &mut bytes, rng);
        // The length was not extended, whatever became of the sectors.
        let grown = bytes.len().saturating_sub(self.durable.len()) as u64;
        if cuts && grown > 0 {
            damage.cut += 1;
            bytes.truncate(self.durable.len() + rng.below(grown) as usize);
        }
        bytes
    }
}

/// A write cut where sectors end.
fn sectors(at: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let from = at + done as u64;
        let to_edge = (SECTOR - from % SECTOR) as usize;
        let piece = bytes.get(done..(done + to_edge).min(bytes.len()))?;
        done += piece.len();
        (!piece.is_empty()).then_some((from, piece))
    })
}

/// Puts files into a folder.
pub fn write(folder: &Path, files: &Files) -> Result<()> {
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrote(at: u64, bytes: &[u8]) -> Entry {
        Entry::Wrote {
            name: "f".into(),
            at,
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn what_was_synced_is_in_every_image_and_the_rest_is_in_some() {
        let mut platter = Platter::default();
        let synced = Entry::Synced("f".into());
        for entry in [Entry::Created("f".into()), wrote(0, &[1; 600]), synced] {
            platter.apply(&entry, false).unwrap();
        }
        platter.apply(&wrote(600, &[2; 3_000]), false).unwrap();
        let (mut whole, mut torn, mut bare) = (0, 0, 0);
        for seed in 0..200 {
            let (files, damage) = platter.image(&mut Rng::from_u64(seed));
            let bytes = &files["f"];
            assert_eq!(bytes[..600], [1; 600], "seed {seed}");
            whole += u64::from(bytes[600..] == [2; 3_000]);
            bare += u64::from(bytes.len() == 600);
            torn += damage.torn;
        }
        assert!(
            whole > 10 && torn > 10 && bare > 10,
            "{whole} {torn} {bare}"
        );
    }

    #[test]
    fn a_lying_sync_keeps_nothing() {
        let mut platter = Platter::with(&Files::from([("f".into(), vec![7; 10])]));
        platter.apply(&wrote(0, &[8; 10]), false).unwrap();
        platter.apply(&Entry::Synced("f".into()), true).unwrap();
        assert_eq!(platter.durable()["f"], [7; 10]);
        platter.apply(&Entry::Synced("f".into()), false).unwrap();
        assert_eq!(platter.durable()["f"], [8; 10]);
    }

    #[test]
    fn a_file_that_was_deleted_may_come_back_until_that_is_durable() {
        let mut platter = Platter::with(&Files::from([("f".into(), vec![7; 10])]));
        let name: String = "f".into();
        let deleted = Entry::Deleted {
            name: name.clone(),
            durable: false,
        };
        platter.apply(&deleted, false).unwrap();
        let there = (0..100).filter(|seed| {
            let (files, _) = platter.image(&mut Rng::from_u64(*seed));
            files.contains_key("f")
        });
        assert!((5..80).contains(&there.count()));
        platter.apply(&Entry::Created(name.clone()), false).unwrap();
        platter.apply(&Entry::Synced(name), false).unwrap();
        assert_eq!(platter.durable()["f"], [0; 0]);
    }

    #[test]
    fn sectors_end_where_the_disk_says() {
        let cut: Vec<_> = sectors(500, &[0; 1_100])
            .map(|(at, piece)| (at, piece.len()))
            .collect();
        assert_eq!(cut, [(500, 12), (512, 512), (1_024, 512), (1_536, 64)]);
    }
}
