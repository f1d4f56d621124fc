//! What this node has, said to others at a pace that the network bears.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::{ops::Bound, time::Duration};

use repute_base::{Address, BoundedVec, Mono, codec};
use repute_protocol::{BlobAnnouncement, BlobHash};

use super::WhereaboutsLimits;

/// A burst, then one each pause.
#[derive(Clone, Copy, Debug, Default)]
struct Pace(Mono);

impl Pace {
    /// Since when the next one may go.
    fn at(self, burst: u32, pause: Duration) -> Mono {
        let early = pause.saturating_mul(burst.saturating_sub(1));
        Mono::from_millis(
            self.0
                .as_millis()
                .saturating_sub(u64::try_from(early.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    fn went(&mut self, now: Mono, pause: Duration) {
        self.0 = self.0.max(now) + pause;
    }
}

#[derive(Clone, Copy, Debug)]
struct Notice {
    size: u64,
    /// When its record was published, if the DHT keeps it fresh; else when that is due.
    record: Record,
}

#[derive(Clone, Copy, Debug)]
enum Record {
    Due(Mono),
    Kept(Mono),
}

/// Blobs that are announced; as many as the engine holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Notices {
    all: BTreeMap<BlobHash, Notice>,
    /// Whose record is to be published, and when.
    due: BTreeSet<(Mono, BlobHash)>,
    /// Whose record the DHT keeps fresh, and since when.
    kept: BTreeSet<(Mono, BlobHash)>,
    records: Pace,
    /// Not yet said by gossip.
    unsaid: VecDeque<(Mono, BlobHash)>,
    words: Pace,
    /// Where a round of those that are said again has come to.
    round: Option<BlobHash>,
    round_at: Mono,
}

impl Notices {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn add(
        &mut self,
        at: Mono,
        (hash, size): (BlobHash, u64),
        limits: &WhereaboutsLimits,
    ) {
        self.remove(&hash);
        let record = Record::Due(at);
        self.all.insert(hash, Notice { size, record });
        self.due.insert((at, hash));
        if self.unsaid.len() >= limits.words_max {
            self.unsaid.pop_front();
        }
        self.unsaid.push_back((at, hash));
        if self.round_at == Mono::ZERO {
            self.round_at = at + limits.round_pause;
        }
    }

    /// False if it was not announced.
    pub(super) fn remove(&mut self, hash: &BlobHash) -> bool {
        self.unsaid.retain(|(_, other)| other != hash);
        match self.all.remove(hash).map(|notice| notice.record) {
            Some(Record::Due(at)) => self.due.remove(&(at, *hash)),
            Some(Record::Kept(since)) => self.kept.remove(&(since, *hash)),
            None => false,
        }
    }

    /// Those whose record the DHT keeps fresh, and their sizes.
    pub(super) fn published(&self) -> impl Iterator<Item = (BlobHash, u64)> + '_ {
        self.kept
            .iter()
            .filter_map(|(_, hash)| Some((*hash, self.all.get(hash)?.size)))
    }

    /// The record to publish now, and the one that makes room for it.
    pub(super) fn next_record(
        &mut self,
        now: Mono,
        limits: &WhereaboutsLimits,
    ) -> Option<(BlobHash, u64, Option<BlobHash>)> {
        if self.record_at(limits)? > now {
            return None;
        }
        let mut gone = None;
        if self.kept.len() >= limits.records_max
            && let Some((since, old)) = self.kept.pop_first()
        {
            self.schedule(old, since + limits.record_again);
            gone = Some(old);
        }
        let (_, hash) = self.due.pop_first()?;
        let notice = self.all.get_mut(&hash)?;
        notice.record = Record::Kept(now);
        self.kept.insert((now, hash));
        self.records.went(now, limits.record_pause);
        Some((hash, notice.size, gone))
    }

    fn schedule(&mut self, hash: BlobHash, at: Mono) {
        if let Some(notice) = self.all.get_mut(&hash) {
            notice.record = Record::Due(at);
            self.due.insert((at, hash));
        }
    }

    /// When the next record may be published.
    fn record_at(&self, limits: &WhereaboutsLimits) -> Option<Mono> {
        let (due, _) = self.due.first()?;
        let pace = self.records.at(limits.record_burst, limits.record_pause);
        let full = self.kept.len() >= limits.records_max;
        let room = self.kept.first().filter(|_| full);
        let room = room.map_or(Mono::ZERO, |(since, _)| *since + limits.record_stay);
        Some((*due).max(pace).max(room))
    }

    /// What to say by gossip now: something new, or, without a DHT, something again.
    pub(super) fn next_word(
        &mut self,
        now: Mono,
        dht: bool,
        limits: &WhereaboutsLimits,
    ) -> Option<(BlobHash, u64)> {
        let hash = if self.word_at(limits).is_some_and(|at| at <= now) {
            self.unsaid.pop_front()?.1
        } else if !dht && !self.all.is_empty() && self.round_at <= now {
            self.round_at = now + limits.round_pause;
            let behind = self.round.map_or(Bound::Unbounded, Bound::Excluded);
            let next = self.all.range((behind, Bound::Unbounded)).next();
            let (hash, _) = next.or_else(|| self.all.first_key_value())?;
            self.round = Some(*hash);
            *hash
        } else {
            return None;
        };
        self.words.went(now, limits.word_pause);
        Some((hash, self.all.get(&hash)?.size))
    }

    /// When the next new one may be said.
    fn word_at(&self, limits: &WhereaboutsLimits) -> Option<Mono> {
        let (at, _) = self.unsaid.front()?;
        Some((*at).max(self.words.at(limits.word_burst, limits.word_pause)))
    }

    pub(super) fn deadline(&self, dht: bool, limits: &WhereaboutsLimits) -> Option<Mono> {
        let record = self.record_at(limits).filter(|_| dht);
        let round = (!dht && !self.all.is_empty()).then_some(self.round_at);
        let word = self.word_at(limits);
        record.into_iter().chain(round).chain(word).min()
    }
}

/// The data of a message that announces a blob.
pub(super) fn announcement(hash: BlobHash, size: u64, addresses: &[Address]) -> Vec<u8> {
    codec::encode(&BlobAnnouncement {
        hash,
        size,
        addresses: BoundedVec::truncated(addresses.iter().copied()),
    })
}
