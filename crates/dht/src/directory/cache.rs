//! What others offer, as far as this node heard.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

use repute_base::{Fixed, Wall};
use repute_identity::NodeId;

use super::{DirectoryLimits, Entry};
use crate::diversity::Group;

/// The newest of each author and key, bounded in number, in bytes and in each group.
#[derive(Debug)]
pub(super) struct Cache {
    entries_max: usize,
    bytes_max: usize,
    group_max: usize,
    entries: BTreeMap<Place, Kept>,
    /// Who goes first.
    ranks: BTreeSet<Rank>,
    /// The same, group by group.
    groups: BTreeSet<(Option<Group>, Rank)>,
    expiries: BTreeSet<(Wall, Place)>,
    bytes: usize,
}

type Place = (NodeId, u8);
/// The least trusted first, of equals what expires first.
type Rank = (Fixed, Wall, Place);

#[derive(Debug)]
struct Kept {
    entry: Arc<Entry>,
    bytes: usize,
    /// Nothing for those whose place says nothing: they are a group, too.
    group: Option<Group>,
    trust: Fixed,
}

impl Kept {
    fn place(&self) -> Place {
        (self.entry.author, self.entry.slot)
    }

    fn rank(&self) -> Rank {
        (self.trust, self.entry.expires, self.place())
    }
}

/// What became of an entry.
#[derive(Debug)]
pub(super) enum Kind {
    /// What is known is as new.
    Stale,
    /// No room.
    Full,
    /// Says the same as before.
    Renewed,
    /// Something new.
    New(Arc<Entry>),
}

impl Cache {
    pub(super) fn new(limits: &DirectoryLimits) -> Self {
        Self {
            entries_max: limits.entries_max,
            bytes_max: limits.entry_bytes_max,
            group_max: limits.group_max,
            entries: BTreeMap::new(),
            ranks: BTreeSet::new(),
            groups: BTreeSet::new(),
            expiries: BTreeSet::new(),
            bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values().map(|kept| &kept.entry)
    }

    pub(super) fn of(&self, author: NodeId, slot: u8) -> Option<&Arc<Entry>> {
        self.entries.get(&(author, slot)).map(|kept| &kept.entry)
    }

    pub(super) fn next_expiry(&self) -> Option<Wall> {
        self.expiries.first().map(|(expires, _)| *expires)
    }

    /// Takes an entry in, and says how many left for it.
    pub(super) fn insert(
        &mut self,
        entry: Entry,
        (bytes, group, trust): (usize, Option<Group>, Fixed),
    ) -> (Kind, u64) {
        let place = (entry.author, entry.slot);
        let former = self.entries.get(&place);
        if former.is_some_and(|kept| kept.entry.seq >= entry.seq) {
            return (Kind::Stale, 0);
        }
        let renewed = former.is_some_and(|kept| kept.entry.advertisement == entry.advertisement);
        let former = self.remove(&place);
        let kept = Kept {
            entry: Arc::new(entry),
            bytes,
            group,
            trust,
        };
        let Some(leaving) = self.leaving(&kept) else {
            // What its author said before is out of date all the same.
            return (Kind::Full, u64::from(former.is_some()));
        };
        let evicted = leaving.len() as u64;
        for place in leaving {
            self.remove(&place);
        }
        let entry = Arc::clone(&kept.entry);
        self.add(kept);
        let kind = if renewed {
            Kind::Renewed
        } else {
            Kind::New(entry)
        };
        (kind, evicted)
    }

    /// Who must leave for a newcomer; nothing if it would have to leave itself.
    fn leaving(&self, newcomer: &Kept) -> Option<Vec<Place>> {
        let rank = newcomer.rank();
        let mut leaving = Vec::new();
        let (mut count, mut bytes) = (self.entries.len() + 1, self.bytes + newcomer.bytes);
        // One group first, then everybody: who leaves makes room in both.
        let of_group = self.in_group(newcomer.group).count();
        let crowded = usize::from(of_group >= self.group_max);
        let least = self.in_group(newcomer.group).take(crowded);
        for (nth, one) in least.chain(&self.ranks).enumerate() {
            if nth >= crowded && count <= self.entries_max && bytes <= self.bytes_max {
                break;
            }
            let (_, _, place) = one;
            if *one >= rank {
                return None;
            }
            if !leaving.contains(place) {
                (count, bytes) = (count - 1, bytes - self.bytes_of(place));
                leaving.push(*place);
            }
        }
        let fits = count <= self.entries_max && bytes <= self.bytes_max && self.group_max > 0;
        fits.then_some(leaving)
    }

    fn in_group(&self, group: Option<Group>) -> impl Iterator<Item = &Rank> {
        let lowest = (Fixed::ZERO, Wall::ZERO, (NodeId::from_bytes([0; 32]), 0));
        let from = self.groups.range((group, lowest)..);
        from.take_while(move |(one, _)| *one == group)
            .map(|(_, rank)| rank)
    }

    fn bytes_of(&self, place: &Place) -> usize {
        self.entries.get(place).map_or(0, |kept| kept.bytes)
    }

    fn add(&mut self, kept: Kept) {
        self.bytes += kept.bytes;
        self.ranks.insert(kept.rank());
        self.groups.insert((kept.group, kept.rank()));
        self.expiries.insert((kept.entry.expires, kept.place()));
        self.entries.insert(kept.place(), kept);
    }

    pub(super) fn remove(&mut self, place: &Place) -> Option<Arc<Entry>> {
        let kept = self.entries.remove(place)?;
        self.bytes -= kept.bytes;
        self.ranks.remove(&kept.rank());
        self.groups.remove(&(kept.group, kept.rank()));
        self.expiries.remove(&(kept.entry.expires, kept.place()));
        Some(kept.entry)
    }

    /// Forgets what has expired, and says how much.
    pub(super) fn expire(&mut self, now: Wall) -> u64 {
        let mut count = 0;
        while let Some((_, place)) = self.expiries.first().filter(|(at, _)| *at <= now).copied() {
            self.remove(&place);
            count += 1;
        }
        count
    }

    /// Forgets all of an author.
    pub(super) fn forget(&mut self, author: &NodeId) {
        for place in self.places(author) {
            self.remove(&place);
        }
    }

    /// An author is worth something else now.
    pub(super) fn rank(&mut self, author: &NodeId, trust: Fixed) {
        for place in self.places(author) {
            if let Some(kept) = self.entries.get_mut(&place) {
                self.ranks.remove(&kept.rank());
                self.groups.remove(&(kept.group, kept.rank()));
                kept.trust = trust;
                self.ranks.insert(kept.rank());
                self.groups.insert((kept.group, kept.rank()));
            }
        }
    }

    fn places(&self, author: &NodeId) -> Vec<Place> {
        let range = self.entries.range((*author, 0)..=(*author, u8::MAX));
        range.map(|(place, _)| *place).collect()
    }
}
