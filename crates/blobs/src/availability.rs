use alloc::vec::Vec;
use core::ops::Range;

use crate::GroupRanges;

/// How many peers have each group, as steps. Those that have all are not counted: they change no
/// order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Availability {
    /// From which group on how many have it; before the first step nobody.
    steps: Vec<(u64, u32)>,
}

impl Availability {
    /// Counts these sets.
    pub(crate) fn of<'a>(sets: impl Iterator<Item = &'a GroupRanges>) -> Self {
        let mut edges: Vec<(u64, bool)> = sets
            .flat_map(GroupRanges::ranges)
            .flat_map(|range| [(range.start, true), (range.end, false)])
            .collect();
        edges.sort_unstable();
        let (mut steps, mut count) = (Vec::<(u64, u32)>::new(), 0_u32);
        for (group, begins) in edges {
            count = match begins {
                true => count + 1,
                false => count.saturating_sub(1),
            };
            match steps.last_mut() {
                Some(last) if last.0 == group => last.1 = count,
                _ => steps.push((group, count)),
            }
        }
        Self { steps }
    }

    /// Cuts a range where the count changes.
    pub(crate) fn cut(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, u32)> + '_ {
        let first = self
            .steps
            .partition_point(|(group, _)| *group <= range.start);
        let mut place = first;
        let mut at = range.start;
        core::iter::from_fn(move || {
            if at >= range.end {
                return None;
            }
            let before = place.checked_sub(1).and_then(|step| self.steps.get(step));
            let count = before.map_or(0, |(_, count)| *count);
            let next = self.steps.get(place).map_or(u64::MAX, |(group, _)| *group);
            let end = next.min(range.end);
            let part = at..end;
            (at, place) = (end, place + 1);
            Some((part, count))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nobody_counted_is_one_piece() {
        let none = Availability::default();
        assert_eq!(none.cut(3..9).collect::<Vec<_>>(), vec![(3..9, 0)]);
        assert_eq!(none.cut(3..3).count(), 0);
    }

    proptest! {
        #[test]
        fn every_group_is_counted_as_often_as_it_is_there(
            sets in prop::collection::vec(prop::collection::vec((0u64..60, 1u64..9), 0..6), 0..5),
            (from, len) in (0u64..60, 0u64..30),
        ) {
            let sets: Vec<GroupRanges> = sets.into_iter()
                .map(|ranges| ranges.into_iter().map(|(start, len)| start..start + len).collect())
                .collect();
            let counted = Availability::of(sets.iter());
            let mut at = from;
            for (part, count) in counted.cut(from..from + len) {
                prop_assert_eq!(part.start, at);
                at = part.end;
                for group in part {
                    let really = sets.iter().filter(|set| set.contains(group)).count();
                    prop_assert_eq!(really, count as usize, "group {}", group);
                }
            }
            prop_assert_eq!(at, from + len);
        }
    }
}
