use bincode::{Decode, Encode};

use crate::NodeId;

/// Proof that somebody spent computing time on one identity: a number found by trial.
///
/// The hash of the number, keyed with the id, begins with as many zero bits as are asked for. Each
/// bit doubles the price; checking costs one hash. What makes it worth having is that it cannot
/// be moved to another identity: who drops a bad name pays again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Stamp {
    /// The number that was found.
    pub nonce: u64,
}

impl Stamp {
    /// Zero bits that make a stamp of class 1: some 268 million tries, about a minute of one core
    /// today.
    pub const BITS: u8 = 28;
    /// The most zero bits that can be asked for; 2⁶⁴ tries are out of everybody's reach.
    pub const BITS_MAX: u8 = 64;
    const CONTEXT: &'static str = "repute 2026-11 proof of work over node id v1";

    /// How many zero bits this stamp has for `id`.
    pub fn bits(&self, id: &NodeId) -> u8 {
        zero_bits(&key(id), self.nonce)
    }

    /// Whether this stamp is worth at least `bits` for `id`.
    pub fn proves(&self, id: &NodeId, bits: u8) -> bool {
        self.bits(id) >= bits
    }
}

/// A search for a [`Stamp`] that can be interrupted, looked at and gone on with.
///
/// ```
/// use repute_identity::{Identity, StampSearch};
///
/// let id = Identity::from_seed(1).id();
/// let mut search = StampSearch::new(id, 8);
/// let stamp = loop {
///     if let Some(stamp) = search.run(100) {
///         break stamp;
///     }
///     // Here a person can be shown `search.tried()`, or give up.
/// };
/// assert!(stamp.proves(&id, 8));
/// ```
#[derive(Clone, Debug)]
pub struct StampSearch {
    key: [u8; 32],
    bits: u8,
    next: u64,
    step: u64,
    tried: u64,
}

impl StampSearch {
    /// A search from zero on; more than [`Stamp::BITS_MAX`] bits are read as that.
    pub fn new(id: NodeId, bits: u8) -> Self {
        Self::part(id, bits, 0, 1)
    }

    /// The part of a search that tries every `of`-th number from `nth` on, so that several threads
    /// share one. `of` is read as at least 1.
    pub fn part(id: NodeId, bits: u8, nth: u64, of: u64) -> Self {
        Self {
            key: key(&id),
            bits: bits.min(Stamp::BITS_MAX),
            next: nth,
            step: of.max(1),
            tried: 0,
        }
    }

    /// Tries at most `tries` numbers more.
    pub fn run(&mut self, tries: u64) -> Option<Stamp> {
        for _ in 0..tries {
            let nonce = self.next;
            self.next = self.next.wrapping_add(self.step);
            self.tried = self.tried.saturating_add(1);
            if zero_bits(&self.key, nonce) >= self.bits {
                return Some(Stamp { nonce });
            }
        }
        None
    }

    /// Numbers tried so far.
    pub const fn tried(&self) -> u64 {
        self.tried
    }

    /// Numbers that have to be tried on average.
    pub const fn expected(&self) -> u64 {
        match 1u64.checked_shl(self.bits as u32) {
            Some(tries) => tries,
            None => u64::MAX,
        }
    }
}

fn key(id: &NodeId) -> [u8; 32] {
    blake3::derive_key(Stamp::CONTEXT, id.as_bytes())
}

fn zero_bits(key: &[u8; 32], nonce: u64) -> u8 {
    let hash = blake3::keyed_hash(key, &nonce.to_le_bytes());
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    // 64 at most, which fits.
    u64::from_be_bytes([a, b, c, d, e, f, g, h]).leading_zeros() as u8
}

#[cfg(test)]
mod tests {
    use repute_base::codec;

    use super::*;
    use crate::Identity;

    fn find(id: NodeId, bits: u8) -> Stamp {
        StampSearch::new(id, bits).run(u64::MAX).unwrap()
    }

    #[test]
    fn a_stamp_proves_what_was_paid_and_no_more() {
        let id = Identity::from_seed(1).id();
        let stamp = find(id, 10);
        let bits = stamp.bits(&id);
        assert!((10..64).contains(&bits), "{bits}");
        assert!(stamp.proves(&id, bits) && !stamp.proves(&id, bits + 1));
        assert!(stamp.proves(&id, 0));
    }

    #[test]
    fn a_stamp_cannot_be_moved_to_another_identity() {
        let stamp = find(Identity::from_seed(1).id(), 12);
        let moved = (2..202)
            .filter(|seed| stamp.proves(&Identity::from_seed(*seed).id(), 12))
            .count();
        assert!(moved <= 2, "{moved} of 200 where 0.05 are by chance");
    }

    #[test]
    fn a_search_goes_on_where_it_was_interrupted() {
        let id = Identity::from_seed(3).id();
        let (whole, mut parts) = (find(id, 9), StampSearch::new(id, 9));
        let mut rounds = 0u64;
        let found = loop {
            assert_eq!(parts.tried(), rounds * 7);
            if let Some(stamp) = parts.run(7) {
                break stamp;
            }
            rounds += 1;
        };
        assert_eq!(found, whole);
        assert_eq!(parts.tried(), whole.nonce + 1);
        assert_eq!(parts.expected(), 512);
        assert_eq!(StampSearch::new(id, 255).expected(), u64::MAX);
    }

    #[test]
    fn several_parts_try_every_number_once() {
        let id = Identity::from_seed(4).id();
        let whole = find(id, 9);
        let found = (0..4).filter_map(|nth| {
            let mut part = StampSearch::part(id, 9, nth, 4);
            part.run(whole.nonce / 4 + 1)
        });
        assert_eq!(found.min(), Some(whole));
    }

    #[test]
    fn a_stamp_survives_its_bytes() {
        let stamp = Stamp { nonce: 70_000 };
        assert_eq!(codec::decode(&codec::encode(&stamp)), Ok(stamp));
    }
}
