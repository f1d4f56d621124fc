use core::time::Duration;

use repute_base::Mono;

/// The least time over which a rate is measured: less says more about buffers than about peers.
const WINDOW: Duration = Duration::from_millis(100);

/// Bytes a second, measured while something is asked for: each window moves the mean by a third.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Throughput {
    rate: Option<u64>,
    /// Since when, and how many bytes.
    window: Option<(Mono, u64)>,
}

impl Throughput {
    /// Bytes a second, once measured.
    pub(crate) const fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// Something is asked for: time counts from now on, unless it does already.
    pub(crate) fn begin(&mut self, now: Mono) {
        self.window.get_or_insert((now, 0));
    }

    /// So much came.
    pub(crate) fn add(&mut self, now: Mono, bytes: u64) {
        let (since, sum) = self.window.unwrap_or((now, 0));
        let sum = sum.saturating_add(bytes);
        if now.since(since) < WINDOW {
            self.window = Some((since, sum));
        } else {
            self.sample(now.since(since), sum);
            self.window = Some((now, 0));
        }
    }

    /// Nothing is asked for any longer: waiting is nobody's slowness.
    pub(crate) fn end(&mut self, now: Mono) {
        if let Some((since, bytes)) = self.window.take()
            && bytes > 0
        {
            self.sample(now.since(since).max(Duration::from_millis(10)), bytes);
        }
    }

    /// The rate as of now: what does not come for longer than a window counts, too.
    pub(crate) fn current(&self, now: Mono) -> u64 {
        let Some((since, bytes)) = self.window else {
            return 0;
        };
        let waited = now.since(since);
        let rate = self.rate.unwrap_or_default();
        if waited < WINDOW * 5 {
            return rate;
        }
        rate.min(per_second(waited, bytes))
    }

    fn sample(&mut self, took: Duration, bytes: u64) {
        let measured = per_second(took, bytes);
        self.rate = Some(match self.rate {
            None => measured,
            Some(rate) => rate / 3 * 2 + rate % 3 * 2 / 3 + measured / 3,
        });
    }
}

fn per_second(took: Duration, bytes: u64) -> u64 {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    bytes.saturating_mul(1_000) / ms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::from_millis(ms)
    }

    #[test]
    fn the_rate_follows_what_comes_and_forgets_what_was() {
        let mut rate = Throughput::default();
        rate.begin(at(0));
        for tenth in 1..=20 {
            rate.add(at(tenth * 100), 100_000);
        }
        assert!((990_000..=1_000_000).contains(&rate.rate().unwrap()));
        for tenth in 21..=40 {
            rate.add(at(tenth * 100), 10_000);
        }
        let slow = rate.rate().unwrap();
        assert!((95_000..110_000).contains(&slow), "{slow}");
    }

    #[test]
    fn time_without_a_request_counts_for_nobody() {
        let mut rate = Throughput::default();
        rate.begin(at(0));
        rate.add(at(1_000), 1_000_000);
        rate.end(at(1_000));
        assert_eq!(rate.current(at(90_000)), 0);
        rate.begin(at(100_000));
        rate.add(at(101_000), 1_000_000);
        assert!(rate.rate().unwrap() >= 999_000);
    }

    #[test]
    fn silence_shows_at_once_in_what_people_see() {
        let mut rate = Throughput::default();
        rate.begin(at(0));
        rate.add(at(1_000), 1_000_000);
        assert_eq!(rate.current(at(1_400)), 1_000_000);
        assert_eq!(rate.current(at(3_000)), 0);
        rate.add(at(u64::MAX), u64::MAX);
    }
}
