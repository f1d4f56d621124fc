use alloc::collections::{BTreeMap, btree_map};

use repute_base::{Fixed, Wall};
use repute_identity::NodeId;

use super::source::Said;
use crate::Context;

/// About whom, and as what.
pub(crate) type About = (NodeId, Context);

/// All that one source said, and how much that is in all.
///
/// The sum is kept, not counted anew: it is asked for with every prior that the source moves.
/// Fixed point adds up to the same in any order, so it is the sum to the last bit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sayings {
    said: BTreeMap<About, Said>,
    /// Sum of |v|, whether it holds or not.
    sum: Fixed,
    /// The same by the moment at which it ends; nothing for what is zero.
    ends: BTreeMap<Wall, Fixed>,
    /// How many are this node's own.
    own: usize,
}

impl Sayings {
    pub(crate) fn insert(&mut self, about: About, said: Said) {
        self.remove(&about);
        let size = said.size();
        self.sum += size;
        if size > Fixed::ZERO {
            *self.ends.entry(said.expires).or_default() += size;
        }
        self.own += usize::from(said.own.is_some());
        self.said.insert(about, said);
    }

    pub(crate) fn remove(&mut self, about: &About) {
        if let Some(said) = self.said.remove(about) {
            self.take_off(&said);
        }
    }

    fn take_off(&mut self, said: &Said) {
        let size = said.size();
        self.sum -= size;
        self.own = self.own.saturating_sub(usize::from(said.own.is_some()));
        if let btree_map::Entry::Occupied(mut end) = self.ends.entry(said.expires) {
            *end.get_mut() -= size;
            if *end.get() <= Fixed::ZERO {
                end.remove();
            }
        }
    }

    /// Removes what `over` says, and gives what it was about.
    pub(crate) fn sweep(&mut self, over: impl Fn(&Said) -> bool) -> alloc::vec::Vec<About> {
        let gone = self.said.iter().filter(|(_, said)| over(said));
        let gone: alloc::vec::Vec<About> = gone.map(|(about, _)| *about).collect();
        for about in &gone {
            self.remove(about);
        }
        gone
    }

    /// Experience needs to judge it no more.
    pub(crate) fn settle(&mut self, about: &About) {
        if let Some(said) = self.said.get_mut(about) {
            said.pending = false;
        }
    }

    /// The sum of |v| over what holds.
    pub(crate) fn sum(&self, at: Wall) -> Fixed {
        let ended = self.ends.range(..=at);
        ended.fold(self.sum, |sum, (_, size)| sum - *size)
    }

    /// Whether any of it is this node's own.
    pub(crate) fn has_own(&self) -> bool {
        self.own > 0
    }

    pub(crate) fn of(&self, about: &About) -> Option<&Said> {
        self.said.get(about)
    }

    pub(crate) fn iter(&self) -> btree_map::Iter<'_, About, Said> {
        self.said.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.said.len()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::Opinion;

    fn said(subject: u8, value: i8, issued: u64, lasts: u64) -> (About, Said) {
        let subject = NodeId::from_bytes([subject; 32]);
        let opinion = Opinion {
            subject,
            context: Context::Network,
            value,
            receipt: None,
            issued: Wall::from_millis(issued),
            expires: Wall::from_millis(issued + lasts),
        };
        let said = Said::new(&opinion, true, Default::default(), Default::default());
        ((subject, Context::Network), said)
    }

    /// As slow as can be, and surely right.
    fn slow(sayings: &Sayings, at: Wall) -> Fixed {
        let holding = sayings.iter().filter(|(_, said)| said.holds(at));
        holding.fold(Fixed::ZERO, |sum, (_, said)| sum + said.size())
    }

    proptest! {
        #[test]
        fn the_sum_that_is_kept_is_the_one_that_is_counted(
            steps in prop::collection::vec(
                (0u8..4, 0u8..12, -100i8..=100, 0u64..50, 0u64..50), 0..200,
            ),
        ) {
            let mut sayings = Sayings::default();
            for (what, subject, value, issued, lasts) in steps {
                let (about, one) = said(subject, value, issued, lasts);
                let at = Wall::from_millis(issued);
                match what {
                    0 => sayings.remove(&about),
                    1 => drop(sayings.sweep(|said| !said.holds(at))),
                    _ => sayings.insert(about, one),
                }
                for ms in 0..100 {
                    let at = Wall::from_millis(ms);
                    prop_assert_eq!(sayings.sum(at), slow(&sayings, at));
                }
                // However it came about, the same is equal.
                let mut afresh = Sayings::default();
                let all: Vec<_> = sayings.iter().map(|(a, s)| (*a, s.clone())).collect();
                all.into_iter().rev().for_each(|(about, said)| afresh.insert(about, said));
                prop_assert_eq!(&afresh, &sayings);
            }
        }
    }
}
