use core::time::Duration;

use repute_base::Mono;

use crate::Limits;

/// How long a peer takes to answer: mean and deviation, as in a retransmission timer (RFC 6298).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtt {
    /// Eighths of a millisecond.
    mean: Option<u64>,
    /// Quarters of a millisecond.
    deviation: u64,
}

impl Rtt {
    pub(crate) fn observe(&mut self, sent: Mono, now: Mono) {
        let took = u64::try_from(now.since(sent).as_millis()).unwrap_or(u64::MAX);
        // An answer that took a minute says nothing more than one that took ten seconds.
        let took = took.min(10_000);
        match self.mean {
            None => {
                self.mean = Some(took * 8);
                self.deviation = took * 2;
            }
            Some(mean) => {
                let off = took.abs_diff(mean / 8);
                self.deviation = self.deviation - self.deviation / 4 + off;
                self.mean = Some(mean - mean / 8 + took);
            }
        }
    }

    /// How long to wait before another is asked.
    pub(crate) fn wait(&self, limits: &Limits) -> Duration {
        let Some(mean) = self.mean else {
            return limits.wait_first;
        };
        Duration::from_millis(mean / 8 + self.deviation).clamp(limits.wait_min, limits.wait_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_follows_the_peer_within_its_bounds() {
        let limits = Limits::default();
        let mut rtt = Rtt::default();
        assert_eq!(rtt.wait(&limits), limits.wait_first);
        let at = Mono::from_millis;
        for _ in 0..50 {
            rtt.observe(at(0), at(1));
        }
        assert_eq!(rtt.wait(&limits), limits.wait_min);
        for _ in 0..50 {
            rtt.observe(at(0), at(600));
        }
        let wait = rtt.wait(&limits);
        assert!((600..1_200).contains(&wait.as_millis()), "{wait:?}");
        rtt.observe(at(0), Mono::MAX);
        assert_eq!(rtt.wait(&limits), limits.wait_max);
    }
}
