use alloc::{collections::BTreeMap, vec::Vec};

use repute_identity::NodeId;

/// Stands for an author and one of its lives where thousands of records name the same few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life(u32);

#[derive(Clone, Debug)]
struct Entry {
    author: NodeId,
    start: u64,
    records: usize,
}

/// The lives that records name, as long as any does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lives {
    named: BTreeMap<(NodeId, u64), Life>,
    entries: Vec<Entry>,
    free: Vec<Life>,
}

impl Lives {
    /// One more record names the life of `author` that began at `start`.
    pub(crate) fn enter(&mut self, author: NodeId, start: u64) -> Life {
        if let Some(life) = self.named.get(&(author, start)) {
            if let Some(entry) = self.entries.get_mut(life.0 as usize) {
                entry.records += 1;
            }
            return *life;
        }
        let entry = Entry {
            author,
            start,
            records: 1,
        };
        let life = match self.free.pop() {
            Some(life) => {
                if let Some(place) = self.entries.get_mut(life.0 as usize) {
                    *place = entry;
                }
                life
            }
            None => {
                self.entries.push(entry);
                Life((self.entries.len() - 1) as u32)
            }
        };
        self.named.insert((author, start), life);
        life
    }

    /// One record less does; which life it was.
    pub(crate) fn leave(&mut self, life: Life) -> Option<(NodeId, u64)> {
        let entry = self.entries.get_mut(life.0 as usize)?;
        entry.records = entry.records.saturating_sub(1);
        let name = (entry.author, entry.start);
        if entry.records == 0 && self.named.remove(&name).is_some() {
            self.free.push(life);
        }
        Some(name)
    }

    /// How many are named.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.named.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_keeps_its_place_as_long_as_a_record_names_it() {
        let author = |n: u8| NodeId::from_bytes([n; 32]);
        let mut lives = Lives::default();
        let first = lives.enter(author(1), 7);
        assert_eq!(lives.enter(author(1), 7), first);
        let second = lives.enter(author(1), 8);
        assert_ne!(second, first);
        assert_eq!(lives.leave(first), Some((author(1), 7)));
        assert_eq!(lives.len(), 2);
        assert_eq!(lives.leave(first), Some((author(1), 7)));
        assert_eq!(lives.len(), 1);
        let third = lives.enter(author(2), 7);
        assert_eq!(third, first, "the place is used again");
        assert_eq!(lives.leave(third), Some((author(2), 7)));
        assert_eq!(lives.leave(second), Some((author(1), 8)));
        assert_eq!((lives.len(), lives.entries.len()), (0, 2));
    }
}
