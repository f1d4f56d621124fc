use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use repute_base::{Mono, TokenBucket, Wall};
use repute_identity::NodeId;
use repute_protocol::Seq;

use crate::{
    Limits,
    hash::{Keyed, Table},
};

/// Sequence numbers below an author's highest that the record covers.
pub const SEEN_WINDOW: u64 = 1_024;
const WORDS: usize = 16;
const WORD_BITS: u64 = 64;

/// What was seen of one author: the row that outlives a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenAuthor {
    /// Who.
    pub author: NodeId,
    /// The author's start that the counters belong to.
    pub start: u64,
    /// The highest counter seen.
    pub highest: u64,
    /// Bit `i`, from the lowest bit of the first word, stands for counter `highest − i`.
    pub bitmap: [u64; WORDS],
    /// When the row last changed, for clean-up.
    pub updated: Wall,
}

impl SeenAuthor {
    /// Bytes of the bitmap in storage.
    pub const BITMAP_LEN: usize = WORDS * 8;

    /// The bitmap as bytes, words little-endian.
    pub fn bitmap_bytes(&self) -> [u8; Self::BITMAP_LEN] {
        let mut bytes = [0; Self::BITMAP_LEN];
        for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.bitmap) {
            *place = word.to_le_bytes();
        }
        bytes
    }

    /// The bitmap from bytes, as [`SeenAuthor::bitmap_bytes`] wrote it.
    pub fn bitmap_from_bytes(bytes: &[u8; Self::BITMAP_LEN]) -> [u64; WORDS] {
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words
    }

    fn first(author: NodeId, seq: Seq, updated: Wall) -> Self {
        let mut row = Self {
            author,
            start: seq.start,
            highest: seq.counter,
            bitmap: [0; WORDS],
            updated,
        };
        row.set(0);
        row
    }

    fn set(&mut self, back: u64) {
        if let Some(word) = self.bitmap.get_mut((back / WORD_BITS) as usize) {
            *word |= 1 << (back % WORD_BITS);
        }
    }

    /// Whether `counter` of this start was seen; what lies below the window counts as seen.
    fn contains(&self, counter: u64) -> bool {
        let Some(back) = self.highest.checked_sub(counter) else {
            return false;
        };
        self.bitmap
            .get(usize::try_from(back / WORD_BITS).unwrap_or(usize::MAX))
            .is_none_or(|word| word >> (back % WORD_BITS) & 1 == 1)
    }

    fn record(&mut self, seq: Seq, now: Wall) {
        self.updated = now;
        if seq.start > self.start {
            *self = Self::first(self.author, seq, now);
        } else if seq.start == self.start {
            if seq.counter > self.highest {
                self.shift(seq.counter - self.highest);
                self.highest = seq.counter;
            }
            self.set(self.highest - seq.counter);
        }
    }

    fn shift(&mut self, by: u64) {
        let (words, bits) = ((by / WORD_BITS) as usize, by % WORD_BITS);
        let old = self.bitmap;
        for (at, word) in self.bitmap.iter_mut().enumerate() {
            let whole = |back: usize| {
                at.checked_sub(back)
                    .and_then(|from| old.get(from))
                    .copied()
                    .unwrap_or(0)
            };
            if by >= SEEN_WINDOW {
                *word = 0;
            } else if bits == 0 {
                *word = whole(words);
            } else {
                *word = whole(words) << bits | whole(words + 1) >> (WORD_BITS - bits);
            }
        }
    }
}

/// What is kept of one author.
#[derive(Clone, Debug)]
struct Author {
    row: SeenAuthor,
    /// Up to here the ids are not all in memory any more, and the bitmap decides.
    blind: Option<Seq>,
    budget: TokenBucket,
    dirty: bool,
    used: bool,
}

/// The record of what was seen, by author. Bounded; the least recently used author goes first.
#[derive(Clone, Debug)]
pub(crate) struct Authors {
    /// Boxed, because half of the table is empty.
    authors: Table<NodeId, Box<Author>>,
    /// For eviction: second chance in the order of arrival.
    ring: VecDeque<NodeId>,
    dirty: VecDeque<NodeId>,
    max: usize,
    rate: u64,
    burst: u64,
}

/// Authors passed over at most when one must go.
const CHANCES_MAX: usize = 16;

impl Authors {
    pub(crate) fn new(limits: &Limits, keyed: Keyed) -> Self {
        Self {
            authors: Table::with_hasher(keyed),
            ring: VecDeque::new(),
            dirty: VecDeque::new(),
            max: limits.authors_max.max(1),
            rate: limits.origin_bytes_rate,
            burst: limits.origin_bytes_burst,
        }
    }

    /// Takes back a row of an earlier run. All it covers is judged by the bitmap from now on.
    pub(crate) fn restore(&mut self, row: SeenAuthor) {
        let newer = self
            .authors
            .get(&row.author)
            .is_none_or(|known| (known.row.start, known.row.highest) < (row.start, row.highest));
        if newer {
            let author = self.author(row.author, Mono::ZERO, || row);
            author.row = row;
            author.blind = Some(Seq {
                start: row.start,
                counter: row.highest,
            });
        }
    }

    /// Whether the record alone says that this was seen, because its id may be forgotten.
    pub(crate) fn is_replay(&self, id: &NodeId, seq: Seq) -> bool {
        self.authors.get(id).is_some_and(|author| {
            author.blind.is_some_and(|blind| seq <= blind)
                && (seq.start != author.row.start || author.row.contains(seq.counter))
        })
    }

    /// Whether the author's budget has room for `bytes`; takes nothing, for the claim of
    /// authorship may be false.
    pub(crate) fn has_budget(&mut self, id: &NodeId, now: Mono, bytes: u64) -> bool {
        self.authors
            .get_mut(id)
            .is_none_or(|author| author.budget.wait(now, bytes).is_zero())
    }

    /// Records a proven message and charges its author. False if the budget was exceeded.
    pub(crate) fn record(
        &mut self,
        id: NodeId,
        seq: Seq,
        bytes: u64,
        now: Mono,
        wall: Wall,
    ) -> bool {
        let author = self.author(id, now, || SeenAuthor::first(id, seq, wall));
        if !author.budget.take(now, bytes) {
            return false;
        }
        author.row.record(seq, wall);
        author.used = true;
        if !author.dirty {
            author.dirty = true;
            self.dirty.push_back(id);
        }
        true
    }

    /// The id of this message is forgotten: from now on the bitmap decides up to it.
    pub(crate) fn forget_id(&mut self, id: &NodeId, seq: Seq) {
        if let Some(author) = self.authors.get_mut(id) {
            author.blind = author.blind.max(Some(seq));
        }
    }

    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The next rows to store.
    pub(crate) fn take_dirty(&mut self, max: usize) -> Vec<SeenAuthor> {
        let mut rows = Vec::new();
        while rows.len() < max {
            let Some(id) = self.dirty.pop_front() else {
                break;
            };
            if let Some(author) = self.authors.get_mut(&id) {
                author.dirty = false;
                rows.push(author.row);
            }
        }
        rows
    }

    fn author(&mut self, id: NodeId, now: Mono, row: impl FnOnce() -> SeenAuthor) -> &mut Author {
        if !self.authors.contains_key(&id) {
            while self.authors.len() >= self.max {
                self.evict();
            }
            self.ring.push_back(id);
        }
        let (rate, burst) = (self.rate, self.burst);
        self.authors.entry(id).or_insert_with(|| {
            Box::new(Author {
                row: row(),
                blind: None,
                budget: TokenBucket::new(rate, burst, now),
                dirty: false,
                used: false,
            })
        })
    }

    fn evict(&mut self) {
        for chance in 0..=CHANCES_MAX {
            let Some(id) = self.ring.pop_front() else {
                return self.authors.clear();
            };
            if let Some(author) = self.authors.get_mut(&id)
                && (author.used || author.dirty)
                && chance < CHANCES_MAX
            {
                author.used = false;
                self.ring.push_back(id);
                continue;
            }
            self.authors.remove(&id);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_base::Rng;

    fn authors(max: usize) -> Authors {
        let limits = Limits {
            authors_max: max,
            ..Limits::default()
        };
        Authors::new(&limits, Keyed::new(&mut Rng::from_u64(1)))
    }

    fn seq(start: u64, counter: u64) -> Seq {
        Seq { start, counter }
    }

    const A: NodeId = NodeId::from_bytes([1; 32]);

    #[test]
    fn the_bitmap_agrees_with_a_plain_set() {
        let mut rng = Rng::from_u64(5);
        let mut row = SeenAuthor::first(A, seq(1, 0), Wall::ZERO);
        let mut plain = alloc::collections::BTreeSet::from([0u64]);
        for _ in 0..20_000 {
            let counter = row.highest.saturating_sub(rng.below(1_500)) + rng.below(200);
            row.record(seq(1, counter), Wall::ZERO);
            plain.insert(counter);
            let probe = row.highest.saturating_sub(rng.below(1_100));
            let below = row.highest - probe >= SEEN_WINDOW;
            assert_eq!(
                row.contains(probe),
                below || plain.contains(&probe),
                "at {probe}"
            );
        }
        assert_eq!(
            SeenAuthor::bitmap_from_bytes(&row.bitmap_bytes()),
            row.bitmap
        );
    }

    #[test]
    fn a_restored_row_judges_only_what_it_covers() {
        let mut first = authors(8);
        for counter in [0, 1, 3] {
            assert!(first.record(A, seq(7, counter), 1, Mono::ZERO, Wall::ZERO));
        }
        assert!(!first.is_replay(&A, seq(7, 1)), "in memory the id decides");
        let rows = first.take_dirty(9);
        let mut second = authors(8);
        rows.into_iter().for_each(|row| second.restore(row));
        assert!(second.is_replay(&A, seq(7, 1)) && second.is_replay(&A, seq(6, 99)));
        assert!(!second.is_replay(&A, seq(7, 2)) && !second.is_replay(&A, seq(7, 4)));
        assert!(!second.is_replay(&A, seq(8, 0)));
    }

    #[test]
    fn the_record_stays_within_its_bound() {
        let mut authors = authors(100);
        for n in 0..5_000u64 {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&n.to_le_bytes());
            authors.record(NodeId::from_bytes(id), seq(1, 0), 1, Mono::ZERO, Wall::ZERO);
            assert!(authors.authors.len() <= 100 && authors.ring.len() <= 100);
            authors.take_dirty(1);
        }
    }
}
