use alloc::{collections::BTreeSet, vec::Vec};

use repute_base::{BoundedVec, Fixed, RecentMap, Wall};
use repute_identity::{NodeId, Stamp, Vouch};
use repute_protocol::{
    Credentials,
    limits::{FUTURE_MAX, VOUCHES_MAX},
};

/// What an identity cost, and so what dropping it costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityClass {
    /// Class 0: a free name.
    #[default]
    Free,
    /// Class 1: proof of work, or the word of an anchor or of an identity of class 2.
    Vouched,
    /// Class 2: burned, or an anchor that the operator named.
    Burned,
}

impl IdentityClass {
    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Free => 0,
            Self::Vouched => 1,
            Self::Burned => 2,
        }
    }

    /// What its word weighs: 0, 1/4, 1.
    pub const fn weight(self) -> Fixed {
        match self {
            Self::Free => Fixed::ZERO,
            Self::Vouched => Fixed::ratio(1, 4),
            Self::Burned => Fixed::ONE,
        }
    }

    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Vouched => "vouched",
            Self::Burned => "burned",
        }
    }
}

/// What came of credentials that were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// They changed what is known of somebody.
    Taken,
    /// Known already, or worth nothing here: too little work, a voucher that is no anchor.
    Idle,
    /// A word that nobody gave: whoever shows it has not checked it.
    Forged,
}

/// What is known of one identity.
#[derive(Clone, Debug, Default)]
struct Papers {
    stamp: Option<Stamp>,
    vouches: Vec<Vouch>,
}

/// Who is more than a free name: the operator's anchors, proofs of work, words of anchors.
///
/// Every entry cost somebody something, so a stranger fills the table only by paying; beyond
/// `identities` the oldest entry goes. A voucher's word is remembered by its number: two words for
/// different subjects under one number cancel each other.
#[derive(Clone, Debug)]
pub struct Classes {
    stamp_bits: u8,
    anchors: BTreeSet<NodeId>,
    burned: RecentMap<NodeId, ()>,
    papers: RecentMap<NodeId, Papers>,
    /// Who was vouched for, by voucher, year and number; nobody, once it was used twice.
    words: RecentMap<(NodeId, u64, u8), Option<NodeId>>,
}

impl Classes {
    /// A registry of at most `identities` besides the anchors; a stamp counts from `stamp_bits` on.
    pub fn new(
        anchors: impl IntoIterator<Item = NodeId>,
        stamp_bits: u8,
        identities: usize,
    ) -> Self {
        Self {
            stamp_bits,
            anchors: anchors.into_iter().collect(),
            burned: RecentMap::new(identities),
            papers: RecentMap::new(identities),
            words: RecentMap::new(identities),
        }
    }

    /// The class of `id` at `now`.
    pub fn class(&self, id: &NodeId, now: Wall) -> IdentityClass {
        if self.is_top(id) {
            return IdentityClass::Burned;
        }
        let Some(papers) = self.papers.get(id) else {
            return IdentityClass::Free;
        };
        let vouched = papers.vouches.iter().any(|vouch| {
            let word = (vouch.by(), vouch.year(), vouch.number);
            vouch.holds(now, FUTURE_MAX)
                && self.is_top(&word.0)
                && self.words.get(&word) == Some(&Some(*id))
        });
        if papers.stamp.is_some() || vouched {
            IdentityClass::Vouched
        } else {
            IdentityClass::Free
        }
    }

    /// A burn of this identity was proven.
    pub fn burned(&mut self, id: NodeId) {
        self.burned.insert(id, ());
    }

    /// Credentials were shown. What is worth nothing leaves no trace.
    pub fn show(&mut self, shown: &Credentials, now: Wall) -> Shown {
        let id = shown.subject;
        if shown.vouches.iter().any(|vouch| vouch.subject != id) {
            return Shown::Forged;
        }
        let fresh = |vouch: &&Vouch| {
            let known = self.papers.get(&id);
            !known.is_some_and(|papers| papers.vouches.contains(vouch))
        };
        let news: Vec<Vouch> = shown.vouches.iter().filter(fresh).copied().collect();
        if news.iter().any(|vouch| !vouch.verify()) {
            return Shown::Forged;
        }
        let stamp = shown.stamp.first().copied();
        let stamp = stamp.filter(|stamp| stamp.proves(&id, self.stamp_bits));
        let had_stamp = self.papers.get(&id).is_some_and(|one| one.stamp.is_some());
        let mut taken = stamp.is_some() && !had_stamp;
        let mut held: Vec<Vouch> = Vec::new();
        for vouch in news {
            if self.is_top(&vouch.by()) && vouch.holds(now, FUTURE_MAX) {
                self.note_word(&vouch);
                held.push(vouch);
                taken = true;
            }
        }
        if !taken {
            return Shown::Idle;
        }
        let mut papers = self.papers.remove(&id).unwrap_or_default();
        papers.stamp = papers.stamp.or(stamp);
        papers.vouches.retain(|vouch| vouch.holds(now, FUTURE_MAX));
        papers.vouches.extend(held);
        let surplus = papers.vouches.len().saturating_sub(VOUCHES_MAX);
        papers.vouches.drain(..surplus);
        self.papers.insert(id, papers);
        Shown::Taken
    }

    /// What can be shown to others for `id`, if there is anything.
    pub fn credentials(&self, id: &NodeId) -> Option<Credentials> {
        let papers = self.papers.get(id)?;
        Some(Credentials {
            subject: *id,
            stamp: BoundedVec::truncated(papers.stamp),
            vouches: BoundedVec::truncated(papers.vouches.iter().copied()),
        })
    }

    /// Identities with a class of their own, anchors aside.
    pub fn len(&self) -> usize {
        self.papers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.papers.is_empty()
    }

    fn is_top(&self, id: &NodeId) -> bool {
        self.anchors.contains(id) || self.burned.contains(id)
    }

    fn note_word(&mut self, vouch: &Vouch) {
        let word = (vouch.by(), vouch.year(), vouch.number);
        match self.words.get_mut(&word) {
            Some(subject) if *subject == Some(vouch.subject) => {}
            Some(subject) => *subject = None,
            None => {
                self.words.insert(word, Some(vouch.subject));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use repute_identity::{Identity, StampSearch};

    use super::*;

    const NOW: Wall = Wall::from_millis(1_795_219_200_000);
    const BITS: u8 = 8;

    fn id(seed: u64) -> NodeId {
        Identity::from_seed(seed).id()
    }

    fn stamped(subject: NodeId, bits: u8) -> Credentials {
        let stamp = StampSearch::new(subject, bits).run(u64::MAX);
        Credentials {
            subject,
            stamp: BoundedVec::truncated(stamp),
            vouches: BoundedVec::new(),
        }
    }

    fn vouched(by: u64, subject: NodeId, number: u8) -> Credentials {
        let vouch = Vouch::sign(
            &Identity::from_seed(by),
            subject,
            number,
            NOW,
            NOW + Vouch::YEAR,
        );
        Credentials {
            subject,
            stamp: BoundedVec::new(),
            vouches: BoundedVec::truncated([vouch]),
        }
    }

    fn registry(identities: usize) -> Classes {
        Classes::new([id(1)], BITS, identities)
    }

    #[test]
    fn a_class_is_paid_for_by_work_or_by_the_word_of_an_anchor() {
        let mut classes = registry(8);
        assert_eq!(classes.class(&id(1), NOW), IdentityClass::Burned);
        assert_eq!(classes.class(&id(2), NOW), IdentityClass::Free);
        assert_eq!(classes.show(&stamped(id(2), BITS), NOW), Shown::Taken);
        assert_eq!(classes.show(&stamped(id(2), BITS), NOW), Shown::Idle);
        assert_eq!(classes.class(&id(2), NOW), IdentityClass::Vouched);
        assert_eq!(classes.show(&vouched(1, id(3), 0), NOW), Shown::Taken);
        assert_eq!(classes.class(&id(3), NOW), IdentityClass::Vouched);
        let later = NOW + Vouch::YEAR + Duration::from_secs(1);
        assert_eq!(classes.class(&id(3), later), IdentityClass::Free);
        classes.burned(id(4));
        assert_eq!(classes.show(&vouched(4, id(5), 0), NOW), Shown::Taken);
        assert_eq!(classes.class(&id(5), NOW), IdentityClass::Vouched);
        let weights: Vec<_> = [
            IdentityClass::Free,
            IdentityClass::Vouched,
            IdentityClass::Burned,
        ]
        .map(|class| (class.number(), class.weight().to_f64()))
        .to_vec();
        assert_eq!(weights, [(0, 0.0), (1, 0.25), (2, 1.0)]);
    }

    #[test]
    fn too_little_work_and_the_word_of_just_anybody_leave_no_trace() {
        let mut classes = registry(8);
        let weak = Credentials {
            stamp: BoundedVec::truncated([Stamp { nonce: 1 }]),
            ..stamped(id(2), 0)
        };
        assert!(
            !Stamp { nonce: 1 }.proves(&id(2), BITS),
            "another nonce is needed"
        );
        assert_eq!(classes.show(&weak, NOW), Shown::Idle);
        // One of class 1 vouches for nobody.
        classes.show(&stamped(id(3), BITS), NOW);
        assert_eq!(classes.show(&vouched(3, id(2), 0), NOW), Shown::Idle);
        assert_eq!(classes.class(&id(2), NOW), IdentityClass::Free);
        assert_eq!(classes.len(), 1);
    }

    #[test]
    fn a_word_that_nobody_gave_is_told_apart() {
        let mut classes = registry(8);
        let mut moved = vouched(1, id(2), 0);
        moved.subject = id(3);
        assert_eq!(classes.show(&moved, NOW), Shown::Forged);
        let mut bent = vouched(1, id(2), 0).vouches.into_vec();
        bent[0].number = 1;
        let bent = Credentials {
            vouches: BoundedVec::truncated(bent),
            ..vouched(1, id(2), 0)
        };
        assert_eq!(classes.show(&bent, NOW), Shown::Forged);
        assert!(classes.is_empty());
    }

    #[test]
    fn two_words_under_one_number_cancel_each_other() {
        let mut classes = registry(8);
        classes.show(&vouched(1, id(2), 0), NOW);
        classes.show(&vouched(1, id(3), 1), NOW);
        classes.show(&vouched(1, id(4), 0), NOW);
        let of = |seed| classes.class(&id(seed), NOW);
        assert_eq!(
            [of(2), of(3), of(4)],
            [
                IdentityClass::Free,
                IdentityClass::Vouched,
                IdentityClass::Free
            ]
        );
    }

    #[test]
    fn the_registry_is_bounded_and_the_oldest_entry_goes() {
        let mut classes = registry(16);
        for seed in 10..60 {
            classes.show(&stamped(id(seed), BITS), NOW);
            assert!(classes.len() <= 16);
        }
        assert_eq!(classes.class(&id(10), NOW), IdentityClass::Free);
        assert_eq!(classes.class(&id(59), NOW), IdentityClass::Vouched);
        assert_eq!(classes.class(&id(1), NOW), IdentityClass::Burned);
        let shown = classes.credentials(&id(59)).unwrap();
        assert_eq!(registry(1).show(&shown, NOW), Shown::Taken);
    }
}
