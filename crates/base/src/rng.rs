use alloc::vec::Vec;
use core::{ops::Range, time::Duration};

use rand_core::{Rng as _, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A seeded generator for choices that must replay: who to pick, when to back off.
///
/// Never for secrets: keys and nonces come from the operating system, through the shell.
#[derive(Clone, Debug)]
pub struct Rng(Xoshiro256PlusPlus);

impl Rng {
    /// A generator from a full seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(Xoshiro256PlusPlus::from_seed(seed))
    }

    /// A generator from a short seed, expanded by SplitMix64.
    pub fn from_u64(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Any 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`, without bias; zero when `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // Rejection from the top keeps every residue equally likely.
        let zone = u64::MAX - (u64::MAX % bound + 1) % bound;
        loop {
            let drawn = self.next_u64();
            if drawn <= zone {
                return drawn % bound;
            }
        }
    }

    /// A number in `range`; its start when the range is empty.
    pub fn range(&mut self, range: Range<u64>) -> u64 {
        range
            .start
            .saturating_add(self.below(range.end.saturating_sub(range.start)))
    }

    /// True in `numerator` of `denominator` cases.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// A duration drawn evenly from `base` minus to plus `percent` of itself.
    pub fn jitter(&mut self, base: Duration, percent: u64) -> Duration {
        let ms = u64::try_from(base.as_millis()).unwrap_or(u64::MAX);
        let spread = ms / 100 * percent + ms % 100 * percent / 100;
        let low = ms.saturating_sub(spread);
        Duration::from_millis(self.range(low..ms.saturating_add(spread).saturating_add(1)))
    }

    /// Puts `items` into a random order (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }

    /// One of `items`, or `None` when there are none.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }

    /// At most `count` distinct elements of `items`, in random order.
    pub fn sample<T: Clone>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut all = items.to_vec();
        self.shuffle(&mut all);
        all.truncate(count);
        all
    }

    /// An independent generator, so that one part's draws do not shift another's.
    pub fn fork(&mut self) -> Self {
        Self::from_u64(self.next_u64())
    }

    /// Fills `bytes` with random bits (for ids that need no secrecy).
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}
