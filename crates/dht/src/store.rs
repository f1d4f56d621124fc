//! The records kept here: the newest of each author and slot, within quotas.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use repute_base::{Mono, Wall};
use repute_identity::NodeId;
use repute_protocol::{
    Envelope, Filed, MessageId, Record, RecordKey, RecordKind, RecordList, Seq, Verified,
    limits::RECORD_LIST_BYTES_MAX,
};

use crate::{FoundRecord, Limits, distance::Distance, diversity::Group, journal::Row};

mod held;
mod quota;

pub(crate) use held::{Held, Pace};
use quota::Quotas;

/// From whom a record comes, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) sender: NodeId,
    /// What the sender's address is counted with.
    pub(crate) group: Option<Group>,
    pub(crate) pace: Pace,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    New,
    /// This very copy is kept.
    Same,
    Older,
    Full,
    /// An advertisement within a minute of the one before.
    Hasty,
}

/// The records of one key.
#[derive(Clone, Debug)]
struct Shelf {
    key: RecordKey,
    records: BTreeMap<(NodeId, u8), Held>,
}

/// A record by where it is: how far from this node, whose, which.
type Place = (Distance, NodeId, u8);

/// The records of each key, closest to this node first.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    me: NodeId,
    shelves: BTreeMap<Distance, Shelf>,
    expiry: BTreeSet<(Wall, Place)>,
    /// When a record is to be put again unless somebody else does.
    due: BTreeSet<(Mono, Place)>,
    quotas: Quotas,
}

impl Store {
    pub(crate) fn new(me: NodeId) -> Self {
        Self {
            me,
            shelves: BTreeMap::new(),
            expiry: BTreeSet::new(),
            due: BTreeSet::new(),
            quotas: Quotas::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.expiry.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.expiry.is_empty()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.quotas.bytes()
    }

    pub(crate) fn of_kind(&self, kind: RecordKind) -> usize {
        self.quotas.of_kind(kind)
    }

    fn distance(&self, key: &RecordKey) -> Distance {
        Distance::between(self.me.as_bytes(), key.as_bytes())
    }

    fn held(&self, key: &RecordKey, author: &NodeId, slot: u8) -> Option<&Held> {
        let shelf = self.shelves.get(&self.distance(key))?;
        shelf.records.get(&(*author, slot))
    }

    fn held_mut(&mut self, (distance, author, slot): &Place) -> Option<&mut Held> {
        let shelf = self.shelves.get_mut(distance)?;
        shelf.records.get_mut(&(*author, *slot))
    }

    /// This very copy, if it is kept: it was proven before.
    pub(crate) fn same(&self, filed: &Filed, envelope: &Envelope) -> Option<Verified<Envelope>> {
        let held = self.held(&filed.key, &filed.author, filed.record.slot)?;
        held.is_copy(envelope).then(|| held.envelope.clone())
    }

    /// What would become of a record. Cheap, and asked twice: before its signature is checked, and
    /// after, when others may have come before it.
    pub(crate) fn weigh(
        &self,
        filed: &Filed,
        envelope: &Envelope,
        arrival: &Arrival,
        limits: &Limits,
    ) -> Verdict {
        let held = self.held(&filed.key, &filed.author, filed.record.slot);
        if let Some(held) = held {
            if held.is_copy(envelope) {
                return Verdict::Same;
            }
            if rank(&held.envelope) >= rank(envelope) {
                return Verdict::Older;
            }
            if held.is_hasty_after(filed, envelope) {
                return Verdict::Hasty;
            }
        }
        // This node always has room for its own.
        if filed.author == self.me {
            return Verdict::New;
        }
        let (added, bytes) = match held {
            Some(held) => (0, envelope.wire().len().saturating_sub(held.len())),
            None => (1, envelope.wire().len()),
        };
        if !self
            .quotas
            .author_has_room(&filed.author, added, bytes, limits)
            || !self.quotas.sender_has_room(&arrival.sender, added, limits)
            || (added > 0 && !self.key_has_room(filed, arrival, limits))
            || !self.store_has_room(&filed.key, added, bytes, limits)
        {
            return Verdict::Full;
        }
        Verdict::New
    }

    /// Whether one more record of this key fits, if need be in the place of one that came from a
    /// prefix with more records there.
    fn key_has_room(&self, filed: &Filed, arrival: &Arrival, limits: &Limits) -> bool {
        let Some(shelf) = self.shelves.get(&self.distance(&filed.key)) else {
            return true;
        };
        let of_group = shelf.of_group(arrival.group);
        of_group < limits.key_group_max
            && (shelf.records.len() < limits.key_records_max
                || shelf
                    .most_crowded()
                    .is_some_and(|(_, most)| most > of_group + 1))
    }

    /// Whether so much more fits, if need be in the place of records of keys further from us.
    fn store_has_room(&self, key: &RecordKey, added: usize, bytes: usize, limits: &Limits) -> bool {
        let full = self.len() + added > limits.records_max
            || self.bytes() + bytes > limits.record_bytes_max;
        let furthest = self.shelves.last_key_value().map(|(distance, _)| *distance);
        !full || furthest.is_some_and(|furthest| self.distance(key) < furthest)
    }

    /// Keeps a record that was weighed as new; gives the rows that made room.
    pub(crate) fn insert(
        &mut self,
        filed: &Filed,
        envelope: &Verified<Envelope>,
        arrival: &Arrival,
        limits: &Limits,
    ) -> Vec<Row> {
        let distance = self.distance(&filed.key);
        let place = (distance, filed.author, filed.record.slot);
        let before = self.take(&place);
        let mut gone = Vec::new();
        if before.is_none()
            && let Some(crowded) = self.crowded_out(distance, limits)
        {
            gone.extend(self.remove(&crowded));
        }
        let own = filed.author == self.me;
        let held = Held::new(filed, envelope, arrival, own, before.as_ref());
        self.quotas.add(&held);
        self.expiry.insert((held.expires, place));
        self.due.insert((held.due, place));
        let shelf = self.shelves.entry(distance).or_insert_with(|| Shelf {
            key: filed.key,
            records: BTreeMap::new(),
        });
        shelf
            .records
            .insert((filed.author, filed.record.slot), held);
        while self.len() > limits.records_max || self.bytes() > limits.record_bytes_max {
            let Some(furthest) = self.furthest(&place) else {
                break;
            };
            gone.extend(self.remove(&furthest));
        }
        gone
    }

    fn crowded_out(&self, distance: Distance, limits: &Limits) -> Option<Place> {
        let shelf = self.shelves.get(&distance)?;
        if shelf.records.len() < limits.key_records_max {
            return None;
        }
        let (group, _) = shelf.most_crowded()?;
        let of_group = shelf
            .records
            .iter()
            .filter(|(_, held)| held.group == group && !held.own);
        let soonest = of_group.min_by_key(|(_, held)| held.expires)?;
        let (author, slot) = *soonest.0;
        Some((distance, author, slot))
    }

    /// What goes first when there is no room: of the key furthest from us, what expires first;
    /// never what was just kept, nor our own.
    fn furthest(&self, kept: &Place) -> Option<Place> {
        self.shelves.iter().rev().find_map(|(distance, shelf)| {
            let place = |(author, slot): &(NodeId, u8)| (*distance, *author, *slot);
            let others = shelf
                .records
                .iter()
                .filter(|(at, held)| !held.own && place(at) != *kept);
            others
                .min_by_key(|(_, held)| held.expires)
                .map(|(at, _)| place(at))
        })
    }

    fn take(&mut self, place: &Place) -> Option<Held> {
        let (distance, author, slot) = place;
        let shelf = self.shelves.get_mut(distance)?;
        let held = shelf.records.remove(&(*author, *slot))?;
        if shelf.records.is_empty() {
            self.shelves.remove(distance);
        }
        self.expiry.remove(&(held.expires, *place));
        self.due.remove(&(held.due, *place));
        self.quotas.remove(&held);
        Some(held)
    }

    fn remove(&mut self, place: &Place) -> Option<Row> {
        let key = self.shelves.get(&place.0)?.key;
        self.take(place)?;
        Some((key, place.1, place.2))
    }

    /// Drops what has expired.
    pub(crate) fn expire(&mut self, now: Wall, max: usize) -> Vec<Row> {
        let mut gone = Vec::new();
        while gone.len() < max
            && let Some((_, place)) = self.expiry.first().filter(|(at, _)| *at <= now)
        {
            let place = *place;
            gone.extend(self.remove(&place));
        }
        gone
    }

    pub(crate) fn next_expiry(&self) -> Option<Wall> {
        self.expiry.first().map(|(at, _)| *at)
    }

    /// Somebody put a record that is kept here: no need to do so soon.
    pub(crate) fn refresh(&mut self, filed: &Filed, pace: Pace) {
        let place = (self.distance(&filed.key), filed.author, filed.record.slot);
        self.put_off(&place, Some(pace));
    }

    /// Until its time comes again; for good if there is no pace.
    fn put_off(&mut self, place: &Place, pace: Option<Pace>) {
        let Some(held) = self.held_mut(place) else {
            return;
        };
        let before = held.due;
        held.put_off(pace);
        let due = held.due;
        self.due.remove(&(before, *place));
        self.due.insert((due, *place));
    }

    pub(crate) fn next_due(&self) -> Option<Mono> {
        self.due
            .first()
            .map(|(at, _)| *at)
            .filter(|at| *at < Mono::MAX)
    }

    /// A key with records that nobody has put for long, and these. They are put off.
    pub(crate) fn take_due(&mut self, pace: Pace) -> Option<(RecordKey, Vec<Verified<Envelope>>)> {
        let (_, (distance, ..)) = *self.due.first().filter(|(at, _)| *at <= pace.now)?;
        let shelf = self.shelves.get(&distance)?;
        let key = shelf.key;
        // What is due soon goes along.
        let soon = pace.now + pace.interval / 4;
        let due: Vec<Place> = shelf
            .records
            .iter()
            .filter(|(_, held)| held.due <= soon)
            .map(|((author, slot), _)| (distance, *author, *slot))
            .collect();
        let mut envelopes = Vec::with_capacity(due.len());
        for place in due {
            self.put_off(&place, Some(pace));
            envelopes.extend(self.held_mut(&place).map(|held| held.envelope.clone()));
        }
        Some((key, envelopes))
    }

    /// Others who are closer look after this key.
    pub(crate) fn leave_to_others(&mut self, key: &RecordKey) {
        let distance = self.distance(key);
        let Some(shelf) = self.shelves.get(&distance) else {
            return;
        };
        let all = shelf.records.keys();
        let places: Vec<Place> = all
            .map(|(author, slot)| (distance, *author, *slot))
            .collect();
        for place in places {
            self.put_off(&place, None);
        }
    }

    /// Keys and their records, closest to this node first.
    pub(crate) fn nearest(&self) -> impl Iterator<Item = (RecordKey, Vec<&Verified<Envelope>>)> {
        self.shelves.values().map(|shelf| {
            let all = shelf.records.values();
            (shelf.key, all.map(|held| &held.envelope).collect())
        })
    }

    /// The records of a key that hold now.
    pub(crate) fn records(&self, key: &RecordKey, now: Wall) -> Vec<FoundRecord> {
        let Some(shelf) = self.shelves.get(&self.distance(key)) else {
            return Vec::new();
        };
        let all = shelf.records.values();
        all.filter_map(|held| {
            let filed = Record::file(&held.envelope, now).ok()?;
            Some(FoundRecord {
                filed,
                envelope: held.envelope.clone(),
                from: self.me,
            })
        })
        .collect()
    }

    /// When an author said what is kept of it here.
    pub(crate) fn last_sent(&self, key: &RecordKey, author: &NodeId, slot: u8) -> Option<Wall> {
        self.held(key, author, slot)
            .map(|held| held.envelope.sent())
    }

    pub(crate) fn wire(&self, (key, author, slot): &Row) -> Option<(Wall, bytes::Bytes)> {
        let held = self.held(key, author, *slot)?;
        Some((held.expires, held.envelope.wire().clone()))
    }

    /// Records of a key in the order of their authors, from one on and around; and whether there
    /// are others. All of an author's, unless not even those fit.
    pub(crate) fn page(
        &self,
        key: RecordKey,
        from: NodeId,
        count: usize,
        now: Wall,
    ) -> (RecordList, bool) {
        let mut list = RecordList::default();
        let Some(shelf) = self.shelves.get(&self.distance(&key)) else {
            return (list, false);
        };
        let all = &shelf.records;
        let around = all.range((from, 0)..).chain(all.range(..(from, 0)));
        let valid = around.filter(|(_, held)| held.expires > now);
        let valid: Vec<(&NodeId, &Held)> =
            valid.map(|((author, _), held)| (author, held)).collect();
        let (count, mut bytes) = (count.max(1), 0);
        for records in valid.chunk_by(|(a, _), (b, _)| a == b) {
            let size: usize = records.iter().map(|(_, held)| held.len()).sum();
            let fits = list.len() + records.len() <= count && bytes + size <= RECORD_LIST_BYTES_MAX;
            if !fits && !list.is_empty() {
                break;
            }
            for (_, held) in records {
                if list.len() < count && list.push(&held.envelope) {
                    bytes += held.len();
                }
            }
            if !fits {
                break;
            }
        }
        let more = list.len() < valid.len();
        (list, more)
    }

    /// An author was hasty; says whether too often.
    pub(crate) fn is_flood(
        &mut self,
        filed: &Filed,
        hasty: MessageId,
        now: Wall,
        limits: &Limits,
    ) -> bool {
        let place = (self.distance(&filed.key), filed.author, filed.record.slot);
        self.held_mut(&place)
            .is_some_and(|held| held.is_one_too_many(hasty, now, limits.hasty_max))
    }
}

impl Shelf {
    fn of_group(&self, group: Option<Group>) -> usize {
        let same = |held: &&Held| held.group == group && group.is_some();
        self.records.values().filter(same).count()
    }

    fn most_crowded(&self) -> Option<(Option<Group>, usize)> {
        let mut counts: BTreeMap<Option<Group>, usize> = BTreeMap::new();
        for held in self.records.values().filter(|held| !held.own) {
            *counts.entry(held.group).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count)
    }
}

/// Newest is greatest; of two under one number, which no honest author makes, all choose the same.
fn rank(envelope: &Envelope) -> (Seq, MessageId) {
    (envelope.seq(), envelope.id())
}

#[cfg(test)]
mod tests;
