use core::time::Duration;

use repute_base::Mono;

/// The wait for the tree stays between these.
const TREE_MS: core::ops::RangeInclusive<u64> = 20..=5_000;
/// The wait for an answer stays between these.
const REPLY_MS: core::ops::RangeInclusive<u64> = 50..=3_000;
/// A window of what was seen lasts so long at least,
const WINDOW: Duration = Duration::from_secs(2);
/// and holds so many messages at least: few say little about how late the tree can be.
const WINDOW_MESSAGES: u32 = 256;
/// but for the first.
const FIRST_MESSAGES: u32 = 32;
/// What each message that is missing at the same time adds: one is lost, many are only late.
const CROWD_MS: u64 = 4;
const CROWD_MS_MAX: u64 = 1_000;
/// Nodes on a message's way that may be as short of time as this one.
const STARVED_NODES: u32 = 4;

/// How long to wait for the tree, and for an answer: learnt from what arrivals took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How late the tree was at most, after the first announcement: in this window, and the last.
    late_ms: [u64; 2],
    began: Mono,
    messages: u32,
    reply_ms: u64,
    reply_deviation_ms: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            // Too short a wait has a young tree changed by messages that are only slow.
            late_ms: [0, 160],
            began: Mono::ZERO,
            messages: WINDOW_MESSAGES - FIRST_MESSAGES,
            reply_ms: 100,
            reply_deviation_ms: 50,
        }
    }
}

impl Patience {
    /// The tree brought a message so long after it was first announced; at once, if before.
    pub(crate) fn tree_took(&mut self, now: Mono, late: Duration) {
        if self.messages >= WINDOW_MESSAGES && now.since(self.began) >= WINDOW {
            self.late_ms = [0, self.late_ms[0]];
            (self.began, self.messages) = (now, 0);
        }
        self.messages = self.messages.saturating_add(1);
        self.late_ms[0] = self.late_ms[0].max(millis(late));
    }

    /// A timer of ours fired so late: this node gets too little time, and others may as well.
    pub(crate) fn woke_late(&mut self, late: Duration) {
        let late = millis(late.saturating_mul(STARVED_NODES));
        self.late_ms[0] = self.late_ms[0].max(late);
    }

    /// A neighbour sent what it was asked for so long after it was asked.
    pub(crate) fn answer_took(&mut self, reply: Duration) {
        let sample = millis(reply).min(10_000);
        self.reply_deviation_ms =
            (3 * self.reply_deviation_ms + self.reply_ms.abs_diff(sample)).div_ceil(4);
        self.reply_ms = (7 * self.reply_ms + sample).div_ceil(8);
    }

    /// How long after an announcement the message itself may still come over the tree, while so
    /// many are missing.
    pub(crate) fn with_tree(self, missing: usize) -> Duration {
        let [this, last] = self.late_ms;
        let late = this.max(last).min(*TREE_MS.end());
        let crowd = CROWD_MS.saturating_mul(missing as u64).min(CROWD_MS_MAX);
        let wait = (late + late / 4).max(crowd);
        Duration::from_millis(wait.clamp(*TREE_MS.start(), *TREE_MS.end()))
    }

    /// How long after an announcement it may come when the tree is known to be torn.
    pub(crate) const fn with_torn_tree(self) -> Duration {
        Duration::from_millis(*TREE_MS.start())
    }

    /// How long a neighbour may take to send what it was asked for.
    pub(crate) fn with_reply(self) -> Duration {
        let bound = self.reply_ms + 4 * self.reply_deviation_ms;
        Duration::from_millis(bound.clamp(*REPLY_MS.start(), *REPLY_MS.end()))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_for_the_tree_follows_its_slow_end_and_returns_when_it_is_fast() {
        let mut patience = Patience::default();
        for n in 0..400 {
            let late = Duration::from_millis(if n % 10 == 0 { 300 } else { 30 });
            patience.tree_took(Mono::from_millis(n * 100), late);
        }
        let slow = patience.with_tree(1);
        assert_eq!(slow, Duration::from_millis(375));
        for n in 400..1_000 {
            patience.tree_took(Mono::from_millis(n * 100), Duration::ZERO);
        }
        assert_eq!(patience.with_tree(1), Duration::from_millis(20));
    }

    #[test]
    fn many_missing_at_once_are_waited_for_longer_than_one() {
        let mut patience = Patience::default();
        for n in 0..600 {
            patience.tree_took(Mono::from_millis(n * 100), Duration::ZERO);
        }
        assert!(patience.with_tree(1) < patience.with_tree(50));
        assert!(patience.with_tree(usize::MAX) <= Duration::from_millis(CROWD_MS_MAX));
    }

    #[test]
    fn a_node_short_of_time_is_patient_for_a_while() {
        let mut patience = Patience::default();
        patience.woke_late(Duration::from_millis(100));
        assert_eq!(patience.with_tree(1), Duration::from_millis(500));
        patience.woke_late(Duration::MAX);
        assert_eq!(patience.with_tree(1), Duration::from_secs(5));
        for n in 0..600 {
            patience.tree_took(Mono::from_millis(n * 100), Duration::ZERO);
        }
        assert_eq!(patience.with_tree(1), Duration::from_millis(20));
    }

    #[test]
    fn every_wait_is_bounded_whatever_arrivals_take() {
        let mut patience = Patience::default();
        for n in 0..1_000 {
            patience.tree_took(Mono::from_millis(n), Duration::MAX);
            patience.answer_took(Duration::MAX);
        }
        assert_eq!(patience.with_tree(usize::MAX), Duration::from_secs(5));
        assert_eq!(patience.with_reply(), Duration::from_secs(3));
        for n in 1_000..6_000 {
            patience.tree_took(Mono::from_millis(n * 10), Duration::ZERO);
            patience.answer_took(Duration::ZERO);
        }
        assert_eq!(patience.with_tree(1), Duration::from_millis(20));
        assert_eq!(patience.with_reply(), Duration::from_millis(50));
    }
}
