use repute_base::Fixed;

/// Weights and caps of the link score, in whole points. Seconds-scale: it decides which links
/// stay in the active view, never what trust a peer has.
const FIRST_CAP: i64 = 50;
const BROKEN_WEIGHT: i64 = 5;
const INVALID_WEIGHT: i64 = 100;
/// Points that full trust adds, and none takes.
const TRUST_SPAN: i64 = 200;
/// Seconds with traffic in which a link brought nothing, after which it cannot score above zero.
const SILENT_SECONDS: u32 = 60;
/// The same, while messages are missed: after which another link takes its place.
const SILENT_SECONDS_MISSED: u32 = 3;
/// At this score a link leaves the active view.
const LEAVE_AT: i64 = -100;
/// In thousandths, so that decay by a sixteenth a second does not stop at small counts.
const MILLI: i64 = 1_000;

/// How well one link has served in the last seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    first: i64,
    broken: i64,
    invalid: i64,
    silent: u32,
    brought: bool,
    trust_term: i64,
}

impl Score {
    /// It brought a proven message first.
    pub(crate) fn first_delivery(&mut self) {
        self.first = (self.first + MILLI).min(FIRST_CAP * MILLI);
        self.brought = true;
    }

    /// It pushed, announced or served something, even if not first.
    pub(crate) fn brought(&mut self) {
        self.brought = true;
    }

    /// It announced a message and did not deliver it when asked.
    pub(crate) fn broken_promise(&mut self) {
        self.broken = (self.broken + MILLI).min(100 * MILLI);
    }

    /// Whether it lately announced what it did not deliver.
    pub(crate) const fn breaks_promises(&self) -> bool {
        self.broken >= MILLI / 2
    }

    /// It sent something invalid.
    pub(crate) fn invalid(&mut self) {
        self.invalid = (self.invalid + MILLI).min(100 * MILLI);
    }

    /// P5 = 200·(T − 0.5).
    pub(crate) fn set_trust(&mut self, trust: Fixed) {
        let centred = trust.clamp(Fixed::ZERO, Fixed::ONE) - Fixed::HALF;
        self.trust_term = centred.mul(Fixed::from_int(TRUST_SPAN * MILLI)).raw() >> 20;
    }

    /// One second has passed; `traffic` tells whether anyone brought anything in it.
    pub(crate) fn second(&mut self, traffic: bool) {
        self.first -= self.first / 16;
        self.broken -= self.broken / 32;
        self.invalid -= self.invalid / 256;
        if self.brought {
            self.silent = 0;
        } else if traffic {
            self.silent = (self.silent + 1).min(SILENT_SECONDS);
        }
        self.brought = false;
    }

    /// Whether another second without traffic changes nothing.
    pub(crate) const fn is_settled(&self) -> bool {
        self.first < 16 && self.broken < 32 && self.invalid < 256 && !self.brought
    }

    /// The score in thousandths of a point.
    pub(crate) fn total(&self) -> i64 {
        let total = self.first + self.trust_term
            - self.broken * BROKEN_WEIGHT
            - self.invalid * INVALID_WEIGHT;
        // Neither trust nor old merit makes up for a link that brings nothing.
        if self.silent >= SILENT_SECONDS {
            total.min(-MILLI)
        } else {
            total
        }
    }

    /// Whether it brought nothing lately, while others did. Of a neighbour that we feed, no sign of
    /// ill will: it matters only where messages are missed.
    pub(crate) const fn is_silent(&self) -> bool {
        self.silent >= SILENT_SECONDS_MISSED
    }

    /// Whether the link must leave the active view.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.total() <= LEAVE_AT * MILLI
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_never_forwards_ends_below_zero_whatever_its_trust() {
        for trust in 0..=10 {
            let mut score = Score::default();
            score.set_trust(Fixed::ratio(trust, 10));
            (0..50).for_each(|_| score.first_delivery());
            (0..100).for_each(|_| score.second(true));
            assert!(score.total() < 0, "at trust {trust}/10");
        }
    }

    #[test]
    fn silence_without_traffic_is_no_fault() {
        let mut score = Score::default();
        (0..1_000).for_each(|_| score.second(false));
        assert_eq!(score.total(), 0);
    }

    #[test]
    fn a_score_settles_once_nothing_happens_any_more() {
        let mut score = Score::default();
        score.first_delivery();
        score.broken_promise();
        score.invalid();
        assert!(!score.is_settled());
        (0..5_000).for_each(|_| score.second(false));
        let total = score.total();
        assert!(score.is_settled());
        score.second(false);
        assert_eq!(score.total(), total);
    }

    #[test]
    fn trust_adds_its_published_term() {
        let mut score = Score::default();
        for (trust, points) in [(0, -100), (1, -50), (2, 0), (3, 50), (4, 100)] {
            score.set_trust(Fixed::ratio(trust, 4));
            assert_eq!(score.total(), points * MILLI);
        }
    }

    #[test]
    fn two_forgeries_make_the_best_link_hopeless() {
        let mut score = Score::default();
        (0..50).for_each(|_| score.first_delivery());
        score.invalid();
        score.invalid();
        assert!(score.is_hopeless());
    }
}
