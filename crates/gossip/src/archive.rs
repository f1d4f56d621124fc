use alloc::{collections::VecDeque, vec::Vec};
use core::{hash::BuildHasher, time::Duration};

use bytes::Bytes;
use hashbrown::HashTable;
use repute_base::{Mono, Wall};
use repute_identity::NodeId;
use repute_protocol::{Announced, MessageId, Seq, limits::SEEN_MARGIN};

use crate::{
    Limits,
    hash::Keyed,
    lives::{Life, Lives},
};

/// Ids dropped at most in one step of clean-up.
const EXPIRE_BATCH: usize = 1_024;
/// What keeping an envelope costs besides its bytes: its place here and its allocation.
const KEPT_OVERHEAD: usize = size_of::<Kept>() + 48;

/// A proven message that came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proven {
    pub(crate) id: MessageId,
    pub(crate) author: NodeId,
    pub(crate) seq: Seq,
    pub(crate) arrived: Mono,
    pub(crate) hops: u8,
    pub(crate) ttl: u8,
}

/// What is remembered of it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    id: MessageId,
    life: Life,
    counter: u64,
    arrived: Mono,
    pub(crate) hops: u8,
    pub(crate) ttl: u8,
}

/// An envelope as it came, for those who missed it.
#[derive(Clone, Debug)]
struct Kept {
    serial: u64,
    sent: Wall,
    wire: Bytes,
}

/// Every id that proved valid, and the envelopes kept for those who missed them.
///
/// Oldest first goes out, by time, count and bytes. What is known lies in the order of arrival;
/// the table holds places only, since an id that is found soon is nearly all that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    places: HashTable<u64>,
    keyed: Keyed,
    known: VecDeque<Known>,
    lives: Lives,
    /// The serial number of the first that is known.
    first: u64,
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    /// Below this second of sending, the retained set has holes.
    floor: u64,
    ids_max: usize,
    count_max: usize,
    bytes_max: usize,
}

impl Archive {
    pub(crate) fn new(limits: &Limits, keyed: Keyed) -> Self {
        Self {
            places: HashTable::new(),
            keyed,
            known: VecDeque::new(),
            lives: Lives::default(),
            first: 0,
            kept: VecDeque::new(),
            kept_bytes: 0,
            floor: 0,
            ids_max: limits.ids_max.max(1),
            count_max: limits.retained_count_max,
            bytes_max: limits.retained_bytes_max,
        }
    }

    fn place(&self, id: &MessageId) -> Option<u64> {
        let same = |serial: &u64| self.at(*serial).is_some_and(|known| known.id == *id);
        self.places.find(self.keyed.hash_one(id), same).copied()
    }

    fn at(&self, serial: u64) -> Option<&Known> {
        let place = usize::try_from(serial.checked_sub(self.first)?).ok()?;
        self.known.get(place)
    }

    pub(crate) fn get(&self, id: &MessageId) -> Option<&Known> {
        self.at(self.place(id)?)
    }

    pub(crate) fn contains(&self, id: &MessageId) -> bool {
        self.place(id).is_some()
    }

    /// The envelope of a message, if it is still kept.
    pub(crate) fn wire(&self, id: &MessageId) -> Option<&Bytes> {
        let serial = self.place(id)?;
        let place = self.kept.binary_search_by_key(&serial, |kept| kept.serial);
        self.kept.get(place.ok()?).map(|kept| &kept.wire)
    }

    /// Adds a message that is not known, with when it was sent and its envelope if that is to be
    /// kept; gives back the authors and numbers of ids that had to go for it.
    pub(crate) fn insert(
        &mut self,
        proven: Proven,
        keep: Option<(Wall, Bytes)>,
    ) -> Vec<(NodeId, Seq)> {
        if self.contains(&proven.id) {
            return Vec::new();
        }
        let mut gone = Vec::new();
        while self.known.len() >= self.ids_max {
            gone.extend(self.forget_oldest());
        }
        let serial = self.first + self.known.len() as u64;
        let (keyed, first) = (&self.keyed, self.first);
        let hash = keyed.hash_one(proven.id);
        self.known.push_back(Known {
            id: proven.id,
            life: self.lives.enter(proven.author, proven.seq.start),
            counter: proven.seq.counter,
            arrived: proven.arrived,
            hops: proven.hops,
            ttl: proven.ttl,
        });
        let places = &self.known;
        self.places.insert_unique(hash, serial, |serial| {
            let place = usize::try_from(serial - first).unwrap_or(usize::MAX);
            places
                .get(place)
                .map_or(0, |known| keyed.hash_one(known.id))
        });
        if let Some((sent, wire)) = keep {
            self.kept_bytes += wire.len() + KEPT_OVERHEAD;
            self.kept.push_back(Kept { serial, sent, wire });
        }
        while self.kept.len() > self.count_max || self.kept_bytes > self.bytes_max {
            if !self.release_oldest() {
                break;
            }
        }
        gone
    }

    /// Drops what is older than the retention window, ids a margin later.
    pub(crate) fn expire(&mut self, now: Mono, retention: Duration) -> Vec<(NodeId, Seq)> {
        for _ in 0..EXPIRE_BATCH {
            let old = self
                .kept
                .front()
                .and_then(|kept| self.at(kept.serial))
                .is_some_and(|known| now.since(known.arrived) > retention);
            if !old || !self.release_oldest() {
                break;
            }
        }
        let mut gone = Vec::new();
        for _ in 0..EXPIRE_BATCH {
            let old = self
                .known
                .front()
                .is_some_and(|known| now.since(known.arrived) > retention + SEEN_MARGIN);
            if !old {
                break;
            }
            gone.extend(self.forget_oldest());
        }
        gone
    }

    /// When the next message outlives its time, if there is one.
    pub(crate) fn next_expiry(&self, retention: Duration) -> Option<Mono> {
        let kept = self.kept.front().and_then(|kept| self.at(kept.serial));
        let kept = kept.map(|known| known.arrived + retention);
        let known = self.known.front();
        let known = known.map(|known| known.arrived + retention + SEEN_MARGIN);
        kept.into_iter().chain(known).min()
    }

    /// The retained messages, by second of sending, in order of arrival.
    pub(crate) fn retained(&self) -> impl Iterator<Item = (u64, MessageId)> + '_ {
        self.kept.iter().filter_map(|kept| {
            let known = self.at(kept.serial)?;
            Some((kept.sent.as_millis() / 1_000, known.id))
        })
    }

    /// When the oldest of what is kept came, if the next one takes its room: what has not been asked
    /// for by then is asked for in vain.
    pub(crate) fn full_since(&self) -> Option<Mono> {
        let nearly = |held: usize, max: usize| held >= max - max / 8;
        let full =
            nearly(self.kept.len(), self.count_max) || nearly(self.kept_bytes, self.bytes_max);
        let oldest = self.kept.front().filter(|_| full)?;
        self.at(oldest.serial).map(|known| known.arrived)
    }

    /// What arrived within `age`, the latest `count` at most, oldest first.
    pub(crate) fn recent(&self, now: Mono, age: Duration, count: usize) -> Vec<Announced> {
        let latest = self.kept.iter().rev().take(count);
        let mut recent: Vec<Announced> = latest
            .filter_map(|kept| self.at(kept.serial))
            .take_while(|known| now.since(known.arrived) <= age)
            .map(|known| Announced {
                id: known.id,
                hops: known.hops,
            })
            .collect();
        recent.reverse();
        recent
    }

    pub(crate) const fn floor(&self) -> u64 {
        self.floor
    }

    pub(crate) fn retained_len(&self) -> usize {
        self.kept.len()
    }

    pub(crate) const fn retained_bytes(&self) -> usize {
        self.kept_bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    fn release_oldest(&mut self) -> bool {
        let Some(kept) = self.kept.pop_front() else {
            return false;
        };
        self.kept_bytes = self
            .kept_bytes
            .saturating_sub(kept.wire.len() + KEPT_OVERHEAD);
        self.floor = self
            .floor
            .max((kept.sent.as_millis() / 1_000).saturating_add(1));
        true
    }

    fn forget_oldest(&mut self) -> Option<(NodeId, Seq)> {
        let serial = self.first;
        let known = self.known.front()?;
        let hash = self.keyed.hash_one(known.id);
        if let Ok(place) = self.places.find_entry(hash, |place| *place == serial) {
            place.remove();
        }
        // Without its record an envelope could not be found again.
        if self.kept.front().is_some_and(|kept| kept.serial == serial) {
            self.release_oldest();
        }
        let known = self.known.pop_front()?;
        self.first += 1;
        let (author, start) = self.lives.leave(known.life)?;
        let counter = known.counter;
        Some((author, Seq { start, counter }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_base::Rng;

    fn insert(archive: &mut Archive, n: u64) -> Vec<(NodeId, Seq)> {
        let proven = Proven {
            id: id(n),
            author: NodeId::from_bytes([1; 32]),
            seq: Seq {
                start: 1,
                counter: n,
            },
            hops: 1,
            ttl: 1,
            arrived: Mono::from_millis(n * 1_000),
        };
        let wire = Bytes::from(alloc::vec![n as u8; 100]);
        archive.insert(proven, Some((Wall::from_millis(n * 1_000), wire)))
    }

    fn id(n: u64) -> MessageId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&n.to_le_bytes());
        MessageId::from_bytes(id)
    }

    #[test]
    fn oldest_messages_go_first_by_count_bytes_and_time() {
        let limits = Limits {
            ids_max: 50,
            retained_count_max: 30,
            retained_bytes_max: 20 * (100 + KEPT_OVERHEAD),
            ..Limits::default()
        };
        let mut archive = Archive::new(&limits, Keyed::new(&mut Rng::from_u64(1)));
        let mut forgotten = 0;
        for n in 0..1_000 {
            forgotten += insert(&mut archive, n).len();
            assert!(archive.len() <= 50 && archive.retained_bytes() <= limits.retained_bytes_max);
            assert!(archive.retained_len() <= 20);
            assert!(archive.contains(&id(n)) && !archive.contains(&id(n + 1)));
            assert!(archive.contains(&id(n.saturating_sub(49))));
            assert!(n < 50 || !archive.contains(&id(n - 50)));
            let kept = |n: u64| archive.wire(&id(n)).map(|wire| wire[0]);
            assert_eq!(kept(n), Some(n as u8));
            assert!(n < 20 || kept(n - 20).is_none() && kept(n - 19).is_some());
        }
        assert_eq!(
            (forgotten, archive.len(), archive.retained_len()),
            (950, 50, 20)
        );
        assert_eq!(archive.floor(), 980);
        let retention = Duration::from_secs(60);
        assert!(
            archive
                .expire(Mono::from_millis(1_061_000), retention)
                .is_empty()
        );
        assert_eq!((archive.retained_len(), archive.retained_bytes()), (0, 0));
        assert_eq!(
            archive
                .expire(Mono::from_millis(2_000_000), retention)
                .len(),
            50
        );
        assert_eq!(archive.len(), 0);
    }
}
