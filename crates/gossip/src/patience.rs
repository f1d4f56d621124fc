use core::time::Duration;

/// The wait for the tree stays between these.
const LEAD_MS: core::ops::RangeInclusive<u64> = 20..=1_000;
/// The wait for an answer stays between these.
const REPLY_MS: core::ops::RangeInclusive<u64> = 50..=3_000;

/// How long to wait for the tree, and for an answer: learnt from what arrivals took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// What the tree needs after the first announcement at most, but for a few in a hundred.
    lead_us: u64,
    /// Messages in a row that the tree brought before they were announced, or soon after.
    prompt: u64,
    reply_ms: u64,
    reply_deviation_ms: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            // Too short a wait has a young tree changed by messages that are only slow.
            lead_us: 200_000,
            prompt: 0,
            reply_ms: 100,
            reply_deviation_ms: 50,
        }
    }
}

impl Patience {
    /// The tree brought a message so long after it was first announced. Follows the upper end of
    /// what it sees, since senders differ: a mean would be too short for the farthest.
    pub(crate) fn tree_took(&mut self, lead: Duration) {
        let sample_us = u64::try_from(lead.as_micros())
            .unwrap_or(u64::MAX)
            .min(LEAD_MS.end() * 1_000);
        if sample_us > self.lead_us / 2 {
            self.prompt = 0;
        }
        if sample_us > self.lead_us {
            self.lead_us = sample_us;
        } else {
            self.lead_us -= self.lead_us / 512;
        }
    }

    /// The tree brought a message before it was announced. The longer it has been prompt, the
    /// faster the wait shrinks: up to a 64th a message.
    pub(crate) fn tree_was_first(&mut self) {
        self.prompt = (self.prompt + 1).min(1_024);
        self.lead_us -= self.lead_us * (1 + self.prompt / 16).min(64) / 4_096;
    }

    /// A neighbour sent what it was asked for so long after it was asked.
    pub(crate) fn answer_took(&mut self, reply: Duration) {
        let sample = u64::try_from(reply.as_millis())
            .unwrap_or(u64::MAX)
            .min(10_000);
        self.reply_deviation_ms =
            (3 * self.reply_deviation_ms + self.reply_ms.abs_diff(sample)).div_ceil(4);
        self.reply_ms = (7 * self.reply_ms + sample).div_ceil(8);
    }

    /// How long after an announcement the message itself may still come over the tree.
    pub(crate) fn with_tree(self) -> Duration {
        let bound = self.lead_us + self.lead_us / 4;
        Duration::from_micros(bound.clamp(LEAD_MS.start() * 1_000, LEAD_MS.end() * 1_000))
    }

    /// How long after an announcement it may come when the tree is known to be torn.
    pub(crate) const fn with_torn_tree(self) -> Duration {
        Duration::from_millis(*LEAD_MS.start())
    }

    /// How long a neighbour may take to send what it was asked for.
    pub(crate) fn with_reply(self) -> Duration {
        let bound = self.reply_ms + 4 * self.reply_deviation_ms;
        Duration::from_millis(bound.clamp(*REPLY_MS.start(), *REPLY_MS.end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_for_the_tree_follows_its_slow_end_and_returns_when_it_is_fast() {
        let mut patience = Patience::default();
        for n in 0..400 {
            patience.tree_took(Duration::from_millis(if n % 10 == 0 { 300 } else { 30 }));
        }
        let slow = patience.with_tree();
        assert!(slow > Duration::from_millis(150), "{slow:?}");
        (0..1_000).for_each(|_| patience.tree_was_first());
        assert_eq!(patience.with_tree(), Duration::from_millis(20));
    }

    #[test]
    fn every_wait_is_bounded_whatever_arrivals_take() {
        let mut patience = Patience::default();
        for _ in 0..1_000 {
            patience.tree_took(Duration::MAX);
            patience.answer_took(Duration::MAX);
        }
        assert!(patience.with_tree() <= Duration::from_secs(1));
        assert_eq!(patience.with_reply(), Duration::from_secs(3));
        for _ in 0..5_000 {
            patience.tree_took(Duration::ZERO);
            patience.answer_took(Duration::ZERO);
        }
        assert_eq!(patience.with_tree(), Duration::from_millis(20));
        assert_eq!(patience.with_reply(), Duration::from_millis(50));
    }
}
