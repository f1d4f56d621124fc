use core::time::Duration;

use crate::Mono;

/// A token bucket on the caller's clock: `rate` tokens a second, `burst` at most.
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

    /// How long until `tokens` are there, if nothing is taken meanwhile.
    pub fn wait(&mut self, now: Mono, tokens: u64) -> Duration {
        self.refill(now);
        let missing = tokens
            .saturating_mul(1_000)
            .saturating_sub(self.level_milli);
        // One token a second is one thousandth a millisecond.
        Duration::from_millis(missing.div_ceil(self.rate.max(1)))
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
