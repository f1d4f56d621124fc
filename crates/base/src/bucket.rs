use core::time::Duration;

use crate::Mono;

/// A token bucket on the caller's clock: `rate` tokens a second, `burst` at most.
///
/// A clock that goes backwards refills nothing and takes nothing away.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    rate: u64,
    /// Thousandths of a token, so that slow rates still refill each millisecond.
    burst_milli: u64,
    level_milli: u64,
    filled: Mono,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(rate: u64, burst: u64, now: Mono) -> Self {
        let burst_milli = burst.saturating_mul(1_000);
        Self {
            rate,
            burst_milli,
            level_milli: burst_milli,
            filled: now,
        }
    }

    /// Takes `tokens` if there are as many; otherwise takes none.
    pub fn take(&mut self, now: Mono, tokens: u64) -> bool {
        self.refill(now);
        let cost = tokens.saturating_mul(1_000);
        if self.level_milli < cost {
            return false;
        }
        self.level_milli -= cost;
        true
    }

    /// How long until `tokens` are there, if nothing is taken meanwhile; [`Duration::MAX`] when
    /// they never will be, because they are more than the burst or the rate is zero.
    pub fn wait(&mut self, now: Mono, tokens: u64) -> Duration {
        self.refill(now);
        let cost = tokens.saturating_mul(1_000);
        let missing = cost.saturating_sub(self.level_milli);
        if missing == 0 {
            Duration::ZERO
        } else if cost > self.burst_milli || self.rate == 0 {
            Duration::MAX
        } else {
            // One token a second is one thousandth a millisecond.
            Duration::from_millis(missing.div_ceil(self.rate))
        }
    }

    fn refill(&mut self, now: Mono) {
        let elapsed = u64::try_from(now.since(self.filled).as_millis()).unwrap_or(u64::MAX);
        self.filled = self.filled.max(now);
        let gained = elapsed.saturating_mul(self.rate);
        self.level_milli = self
            .level_milli
            .saturating_add(gained)
            .min(self.burst_milli);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::from_millis(ms)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_governs() {
        let mut bucket = TokenBucket::new(10, 5, at(0));
        assert!((0..5).all(|_| bucket.take(at(0), 1)));
        assert!(!bucket.take(at(0), 1));
        assert_eq!(bucket.wait(at(0), 1), Duration::from_millis(100));
        assert!(!bucket.take(at(99), 1));
        assert!(bucket.take(at(100), 1));
    }

    #[test]
    fn a_slow_rate_still_refills_each_millisecond() {
        let mut bucket = TokenBucket::new(1, 1, at(0));
        assert!(bucket.take(at(0), 1));
        assert!((1..1_000).all(|ms| !bucket.take(at(ms), 1)));
        assert!(bucket.take(at(1_000), 1));
    }

    #[test]
    fn a_clock_that_goes_backwards_gains_nothing() {
        let mut bucket = TokenBucket::new(1_000, 1, at(5_000));
        assert!(bucket.take(at(5_000), 1));
        assert!(!bucket.take(at(0), 1));
        assert!(!bucket.take(at(5_000), 1));
        assert!(bucket.take(at(5_001), 1));
    }

    #[test]
    fn what_never_comes_is_waited_for_forever_and_extremes_saturate() {
        assert_eq!(TokenBucket::new(5, 2, at(0)).wait(at(0), 3), Duration::MAX);
        let mut still = TokenBucket::new(0, 2, at(0));
        assert!(still.take(at(0), 2));
        assert_eq!(still.wait(Mono::MAX, 1), Duration::MAX);
        assert_eq!(still.wait(Mono::MAX, 0), Duration::ZERO);
        let mut vast = TokenBucket::new(u64::MAX, u64::MAX, at(0));
        assert!(vast.take(Mono::MAX, u64::MAX));
    }

    proptest::proptest! {
        #[test]
        fn no_more_than_burst_and_rate_ever_passes(
            rate in 0u64..1_000,
            burst in 0u64..1_000,
            steps in proptest::collection::vec((0u64..500, 0u64..50), 0..200),
        ) {
            let (mut bucket, mut now, mut passed) = (TokenBucket::new(rate, burst, at(0)), 0, 0);
            for (pause, tokens) in steps {
                now += pause;
                let wait = bucket.wait(at(now), tokens);
                let took = bucket.take(at(now), tokens);
                assert_eq!(took, wait.is_zero());
                passed += if took { tokens } else { 0 };
                assert!(passed * 1_000 <= burst * 1_000 + rate * now);
                if !took && wait < Duration::MAX {
                    let mut later = bucket.clone();
                    assert!(later.take(at(now) + wait, tokens), "after the wait there is enough");
                }
            }
        }
    }
}
