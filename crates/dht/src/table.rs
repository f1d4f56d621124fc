use alloc::{collections::BTreeMap, vec::Vec};

use repute_base::{Address, Fixed, Mono};
use repute_identity::NodeId;

use crate::{Config, Limits, bucket::Bucket, contact::Entry, distance::Distance, diversity::Group};

/// What became of a node that proved to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It has a place in the table, since now.
    New,
    /// It had one, or is kept for later.
    Other,
}

/// Kademlia's table: who proved to be there, by how close it is.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    me: NodeId,
    k: usize,
    bucket_prefix_max: usize,
    table_prefix_max: usize,
    strict: bool,
    /// By bits shared with this node.
    buckets: BTreeMap<u32, Bucket>,
    /// How many entries each group has.
    groups: BTreeMap<Group, usize>,
    len: usize,
}

impl Table {
    pub(crate) fn new(me: NodeId, config: &Config) -> Self {
        Self {
            me,
            k: config.k,
            bucket_prefix_max: config.bucket_prefix_max,
            table_prefix_max: config.table_prefix_max,
            strict: config.loopback_strict,
            buckets: BTreeMap::new(),
            groups: BTreeMap::new(),
            len: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn replacements(&self) -> usize {
        let all = self.buckets.values();
        all.map(|bucket| bucket.replacements.len()).sum()
    }

    fn bits(&self, id: &NodeId) -> u32 {
        Distance::between(self.me.as_bytes(), id.as_bytes()).bits_shared()
    }

    /// A node that serves, over a link that proved who it is. `heard` is zero for one that only an
    /// earlier life of this node knew.
    pub(crate) fn admit(
        &mut self,
        id: NodeId,
        addresses: Vec<Address>,
        heard: Mono,
        linked: bool,
        trust: Fixed,
    ) -> Place {
        let Some(first) = addresses.first().filter(|_| id != self.me) else {
            return Place::Other;
        };
        let group = Group::of(first, self.strict);
        let bits = self.bits(&id);
        let mut entries = self.buckets.entry(bits).or_default().entries.iter_mut();
        let same = |entry: &&mut Entry| entry.id == id && entry.group == group;
        if let Some(entry) = entries.find(same) {
            entry.addresses = addresses;
            entry.heard = entry.heard.max(heard);
            entry.failures = 0;
            entry.linked = linked;
            entry.trust = trust;
            return Place::Other;
        }
        // Who waits for a place, or has moved to another prefix, is judged anew.
        self.remove(&id);
        let entry = Entry {
            id,
            addresses,
            group,
            heard,
            failures: 0,
            linked,
            trust,
        };
        self.place(bits, entry)
    }

    fn place(&mut self, bits: u32, entry: Entry) -> Place {
        let fits = self.fits(bits, &entry.group);
        let bucket = self.buckets.entry(bits).or_default();
        let doubtful = bucket.entries.iter().position(Entry::is_doubtful);
        let leaving = doubtful.filter(|_| bucket.entries.len() >= self.k && !entry.is_doubtful());
        let room = bucket.entries.len() < self.k || leaving.is_some();
        if !fits || !room {
            bucket.keep_for_later(entry, self.k, self.bucket_prefix_max);
            return Place::Other;
        }
        if let Some(place) = leaving {
            let left = bucket.entries.remove(place);
            self.len -= 1;
            let group = left.group;
            bucket.keep_for_later(left, self.k, self.bucket_prefix_max);
            self.leave(&group);
        }
        self.enter(bits, entry);
        Place::New
    }

    fn fits(&self, bits: u32, group: &Group) -> bool {
        let in_table = self.groups.get(group).copied().unwrap_or(0);
        let bucket = self.buckets.get(&bits);
        in_table < self.table_prefix_max
            && bucket.is_none_or(|bucket| bucket.entries_of(group) < self.bucket_prefix_max)
    }

    fn enter(&mut self, bits: u32, entry: Entry) {
        *self.groups.entry(entry.group).or_default() += 1;
        self.len += 1;
        self.buckets.entry(bits).or_default().entries.push(entry);
    }

    fn leave(&mut self, group: &Group) {
        if let Some(count) = self.groups.get_mut(group) {
            *count -= 1;
            if *count == 0 {
                self.groups.remove(group);
            }
        }
    }

    /// Something came from this node.
    pub(crate) fn heard(&mut self, id: &NodeId, now: Mono) {
        if let Some(entry) = self.find_mut(id) {
            entry.heard = now;
            entry.failures = 0;
        }
    }

    pub(crate) fn unlinked(&mut self, id: &NodeId) {
        if let Some(entry) = self.find_mut(id) {
            entry.linked = false;
        }
    }

    pub(crate) fn trusted(&mut self, id: &NodeId, trust: Fixed) {
        if let Some(entry) = self.find_mut(id) {
            entry.trust = trust;
        }
    }

    fn find_mut(&mut self, id: &NodeId) -> Option<&mut Entry> {
        let bits = self.bits(id);
        self.buckets.get_mut(&bits)?.find_mut(id)
    }

    pub(crate) fn find(&self, id: &NodeId) -> Option<&Entry> {
        let bucket = self.buckets.get(&self.bits(id))?;
        let mut all = bucket.entries.iter().chain(&bucket.replacements);
        all.find(|entry| entry.id == *id)
    }

    /// It was not reached, or did not answer. Who fails twice in a row makes room for another.
    pub(crate) fn failed(&mut self, id: &NodeId) {
        let Some(entry) = self.find_mut(id) else {
            return;
        };
        entry.failures = entry.failures.saturating_add(1);
        if entry.failures >= Limits::FAILURES_MAX {
            self.remove(id);
        }
    }

    /// Takes a node out, and the best replacement in.
    pub(crate) fn remove(&mut self, id: &NodeId) {
        let bits = self.bits(id);
        let Some(bucket) = self.buckets.get_mut(&bits) else {
            return;
        };
        bucket.replacements.retain(|entry| entry.id != *id);
        if let Some(entry) = bucket.remove(id) {
            self.len -= 1;
            self.leave(&entry.group);
            self.promote(bits);
        }
    }

    fn promote(&mut self, bits: u32) {
        let Some(bucket) = self.buckets.get(&bits) else {
            return;
        };
        let candidates = bucket.replacements.iter().enumerate();
        let best = candidates
            .filter(|(_, entry)| self.fits(bits, &entry.group))
            .max_by_key(|(_, entry)| entry.merit())
            .map(|(place, _)| place);
        let bucket = self.buckets.get_mut(&bits);
        let promoted = best
            .zip(bucket)
            .map(|(place, bucket)| bucket.replacements.swap_remove(place));
        if let Some(entry) = promoted {
            self.enter(bits, entry);
        }
    }

    /// The closest nodes to a place, closest first: those of the table, and replacements that are
    /// linked and wait for nothing but room.
    pub(crate) fn closest(
        &self,
        target: &[u8; 32],
        count: usize,
        mut wanted: impl FnMut(&Entry) -> bool,
    ) -> Vec<&Entry> {
        let bits = Distance::between(self.me.as_bytes(), target).bits_shared();
        // The bucket of the target is closest; deeper ones share exactly its bits with the target;
        // then each one before is further than the next.
        let near = self.buckets.range(bits..=bits);
        let deeper = self.buckets.range(bits.saturating_add(1)..);
        let further = self.buckets.range(..bits).rev();
        let mut found: Vec<(Distance, &Entry)> = Vec::with_capacity(count.min(self.len) + self.k);
        let mut sorted = 0;
        let steps = near
            .map(|bucket| (bucket, true))
            .chain(deeper.map(|bucket| (bucket, false)))
            .chain(further.map(|bucket| (bucket, true)));
        for ((bits, bucket), ends) in steps {
            if ends && sorted < found.len() {
                sort_from(&mut found, &mut sorted);
            }
            if sorted >= count {
                break;
            }
            // Whom its prefix keeps out is not let in by the back door.
            let linked = bucket.replacements.iter();
            let linked = linked.filter(|entry| entry.linked && self.fits(*bits, &entry.group));
            let all = bucket.entries.iter().chain(linked);
            found.extend(all.filter(|entry| wanted(entry)).map(|entry| {
                let distance = Distance::between(entry.id.as_bytes(), target);
                (distance, entry)
            }));
            if ends {
                sort_from(&mut found, &mut sorted);
            }
        }
        sort_from(&mut found, &mut sorted);
        found.truncate(count);
        found.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Bits shared with this node, and entries, of each bucket that is not empty.
    pub(crate) fn fill(&self) -> impl Iterator<Item = (u32, usize)> {
        let all = self.buckets.iter();
        all.map(|(bits, bucket)| (*bits, bucket.entries.len()))
            .filter(|(_, len)| *len > 0)
    }

    /// Something is looked up at a place.
    pub(crate) fn refreshed(&mut self, target: &[u8; 32], now: Mono) {
        let bits = Distance::between(self.me.as_bytes(), target).bits_shared();
        if let Some(bucket) = self.buckets.get_mut(&bits) {
            bucket.refreshed = now;
        }
    }

    /// Buckets where nothing was looked up since, up to the deepest that is not empty.
    pub(crate) fn stale(&self, since: Mono) -> Vec<u32> {
        let deepest = self.fill().map(|(bits, _)| bits).max();
        let Some(deepest) = deepest else {
            return Vec::new();
        };
        let looked_through = |bits: &u32| {
            let bucket = self.buckets.get(bits);
            bucket.is_some_and(|bucket| bucket.refreshed > since)
        };
        (0..=deepest).filter(|bits| !looked_through(bits)).collect()
    }

    /// Whom to keep for the next life: those heard last.
    pub(crate) fn worth_storing(&self, count: usize) -> Vec<&Entry> {
        let all = self.buckets.values().flat_map(|bucket| &bucket.entries);
        let mut entries: Vec<&Entry> = all.collect();
        entries.sort_by_key(|entry| core::cmp::Reverse((entry.linked, entry.heard)));
        entries.truncate(count);
        entries
    }
}

fn sort_from(found: &mut [(Distance, &Entry)], sorted: &mut usize) {
    if let Some(rest) = found.get_mut(*sorted..) {
        rest.sort_unstable_by_key(|(distance, _)| *distance);
    }
    *sorted = found.len();
}

#[cfg(test)]
mod tests;
