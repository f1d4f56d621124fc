//! The pace of one author, judged by what it signed alone.

use alloc::collections::BTreeMap;

use repute_base::{Mono, TokenBucket, Wall};
use repute_protocol::Seq;

use super::DirectoryLimits;

/// What is remembered of one author.
#[derive(Debug)]
pub(super) struct Author {
    budget: TokenBucket,
    /// What it said last for each of its keys; at most ten.
    said: BTreeMap<u8, Said>,
}

/// What an author said for one of its keys.
#[derive(Clone, Copy, Debug)]
struct Said {
    /// The newest record that was judged.
    seq: Seq,
    /// When it signed what it says now for the first time that we know of.
    sent: Wall,
    /// What it says now.
    says: [u8; 32],
    /// How often it was hasty since `window`.
    hasty: u8,
    window: Wall,
    /// Records up to this one count no longer: they were taken back, or too many.
    floor: Option<Seq>,
}

impl Author {
    pub(super) fn new(now: Mono) -> Self {
        let burst = DirectoryLimits::AUTHOR_BURST * DirectoryLimits::AUTHOR_SECONDS_EACH;
        Self {
            budget: TokenBucket::new(1, burst, now),
            said: BTreeMap::new(),
        }
    }

    /// Whether another record of this author is looked at.
    pub(super) fn has_time(&mut self, now: Mono) -> bool {
        self.budget.take(now, DirectoryLimits::AUTHOR_SECONDS_EACH)
    }

    /// Whether a record of this number still counts.
    pub(super) fn counts(&self, slot: u8, seq: Seq) -> bool {
        let floor = self.said.get(&slot).and_then(|said| said.floor);
        floor.is_none_or(|floor| seq > floor)
    }

    /// Takes back what was said up to `seq`.
    pub(super) fn withdraw(&mut self, slot: u8, seq: Seq) {
        if let Some(said) = self.said.get_mut(&slot) {
            said.floor = said.floor.max(Some(seq));
        }
    }

    /// Judges an advertisement by its author's own dates: whether it came too soon after the one
    /// before it, too often.
    ///
    /// Who says the same again only renews it. The order in which records come here does not
    /// matter: of an honest author's records, any that are left out leave the others as far apart.
    pub(super) fn judge(
        &mut self,
        slot: u8,
        (seq, sent): (Seq, Wall),
        says: [u8; 32],
        hasty_max: u8,
    ) -> bool {
        let Some(said) = self.said.get_mut(&slot) else {
            let first = Said {
                seq,
                sent,
                says,
                hasty: 0,
                window: sent,
                floor: None,
            };
            self.said.insert(slot, first);
            return true;
        };
        if seq <= said.seq {
            return true;
        }
        said.seq = seq;
        if said.says == says {
            return true;
        }
        if sent.since(said.sent) < DirectoryLimits::PAUSE {
            if sent.since(said.window) > DirectoryLimits::HASTY_WINDOW {
                (said.hasty, said.window) = (0, sent);
            }
            if said.hasty >= hasty_max {
                said.floor = said.floor.max(Some(seq));
                return false;
            }
            said.hasty += 1;
        }
        said.sent = said.sent.max(sent);
        said.says = says;
        true
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn seq(counter: u64) -> Seq {
        Seq { start: 1, counter }
    }

    proptest! {
        #[test]
        fn an_author_that_waits_a_minute_is_never_held_to_flood_whatever_is_lost_or_late(
            pauses in proptest::collection::vec(60_000..400_000u64, 1..40),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 1..80),
        ) {
            let mut at = 0;
            let said: Vec<(Seq, Wall)> = pauses.iter().enumerate().map(|(nth, pause)| {
                at += pause;
                (seq(nth as u64), Wall::from_millis(at))
            }).collect();
            let mut author = Author::new(Mono::ZERO);
            for pick in order {
                let dated = *pick.get(&said);
                let says = [dated.0.counter as u8; 32];
                prop_assert!(author.judge(0, dated, says, 0));
            }
        }
    }

    #[test]
    fn a_few_hasty_ones_are_forgiven_in_an_hour_and_more_are_a_flood() {
        let mut author = Author::new(Mono::ZERO);
        let mut heard = 0;
        for nth in 0..20u64 {
            let dated = (seq(nth), Wall::from_millis(nth * 1_000));
            heard += u64::from(author.judge(3, dated, [nth as u8; 32], 3));
        }
        assert_eq!(heard, 4, "the first, and three more");
        assert!(!author.counts(3, seq(19)) && author.counts(3, seq(20)));
        let later = Wall::from_millis(2 * 3_600_000);
        assert!(author.judge(3, (seq(20), later), [99; 32], 3));
        let soon = Wall::from_millis(2 * 3_600_000 + 1);
        assert!(
            author.judge(3, (seq(21), soon), [100; 32], 3),
            "forgiven again"
        );
    }

    #[test]
    fn saying_the_same_again_is_never_too_often() {
        let mut author = Author::new(Mono::ZERO);
        for nth in 0..100 {
            assert!(author.judge(0, (seq(nth), Wall::from_millis(nth)), [7; 32], 0));
        }
        assert!(!author.judge(0, (seq(100), Wall::from_millis(100)), [8; 32], 0));
    }
}
