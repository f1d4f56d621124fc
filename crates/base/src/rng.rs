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
        let spread = (ms / 100)
            .saturating_mul(percent)
            .saturating_add((ms % 100).saturating_mul(percent) / 100);
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

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    #[test]
    fn a_changed_generator_is_noticed() {
        let mut rng = Rng::from_u64(0);
        let drawn: Vec<u64> = (0..4).map(|_| rng.next_u64()).collect();
        // Computed once from the published xoshiro256++ and SplitMix64 algorithms.
        assert_eq!(drawn, GOLDEN_U64);
        let mut rng = Rng::from_u64(7);
        let drawn: Vec<u64> = (0..8).map(|_| rng.below(1_000)).collect();
        assert_eq!(drawn, GOLDEN_BELOW);
    }

    #[test]
    fn equal_seeds_replay_and_forks_differ() {
        for seed in 0..50 {
            let (mut a, mut b) = (Rng::from_u64(seed), Rng::from_u64(seed));
            let mut fork = a.fork();
            assert_eq!(fork.next_u64(), b.fork().next_u64(), "seed {seed}");
            assert_eq!(a.next_u64(), b.next_u64(), "seed {seed}");
            assert_ne!(a.next_u64(), fork.next_u64(), "seed {seed}");
        }
    }

    #[test]
    fn every_residue_is_equally_likely() {
        for bound in [2u64, 3, 7, 10] {
            let mut rng = Rng::from_u64(bound);
            let mut counts = vec![0u64; bound as usize];
            let draws = 100_000;
            (0..draws).for_each(|_| counts[rng.below(bound) as usize] += 1);
            let expected = draws / bound;
            // Five standard deviations of a binomial count, generously rounded.
            let margin = 5 * (expected as f64).sqrt() as u64;
            assert!(
                counts.iter().all(|c| c.abs_diff(expected) < margin),
                "{bound}: {counts:?}"
            );
        }
    }

    #[test]
    fn a_bound_just_over_half_the_range_is_not_favoured_below() {
        // Without rejection, numbers under 2^62 would come up twice as often here.
        let bound = (1u64 << 63) + (1 << 62);
        let mut rng = Rng::from_u64(1);
        let low = (0..30_000).filter(|_| rng.below(bound) < 1 << 62).count();
        assert!((9_400..10_600).contains(&low), "{low}");
    }

    #[test]
    fn empty_ranges_and_choices_do_not_panic() {
        let mut rng = Rng::from_u64(1);
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
        assert_eq!(rng.range(9..9), 9);
        assert_eq!(rng.range(Range { start: 9, end: 3 }), 9);
        assert_eq!(rng.choose::<u8>(&[]), None);
        assert!(rng.sample::<u8>(&[], 3).is_empty());
        assert!(!rng.chance(0, 10) && rng.chance(10, 10));
        rng.shuffle::<u8>(&mut []);
        rng.below(u64::MAX);
    }

    #[test]
    fn jitter_stays_within_its_percentage_and_saturates() {
        let mut rng = Rng::from_u64(3);
        let base = Duration::from_millis(1_050);
        for _ in 0..1_000 {
            let ms = rng.jitter(base, 20).as_millis();
            assert!((840..=1_260).contains(&ms), "{ms}");
        }
        assert_eq!(rng.jitter(base, 0), base);
        rng.jitter(Duration::MAX, u64::MAX);
        assert_eq!(rng.jitter(Duration::ZERO, 50), Duration::ZERO);
    }

    #[test]
    fn a_shuffle_keeps_the_elements_and_a_sample_repeats_none() {
        let mut rng = Rng::from_u64(5);
        let items: Vec<u32> = (0..40).collect();
        let mut shuffled = items.clone();
        rng.shuffle(&mut shuffled);
        assert_ne!(shuffled, items);
        shuffled.sort_unstable();
        assert_eq!(shuffled, items);
        let mut sample = rng.sample(&items, 10);
        sample.sort_unstable();
        sample.dedup();
        assert_eq!(sample.len(), 10);
        assert_eq!(rng.sample(&items, 100).len(), 40);
    }

    const GOLDEN_U64: [u64; 4] = [
        0x53175d61490b23df,
        0x61da6f3dc380d507,
        0x5c0fdf91ec9a7bfc,
        0x2eebf8c3bbe5e1a,
    ];
    const GOLDEN_BELOW: [u64; 8] = [661, 916, 178, 356, 142, 65, 608, 72];
}
