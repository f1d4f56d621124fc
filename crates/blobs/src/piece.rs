use core::ops::Range;

use alloc::vec::Vec;

use repute_protocol::limits::REQUEST_RANGES_MAX;

use crate::{GroupRanges, availability::Availability};

/// Stretches looked at for one piece: more are looked at for the next.
const STRETCHES_MAX: usize = 4_096;

/// What to ask one peer for next, of what is free and the peer has: of the rarest groups, where it
/// goes on from where it was, else from the middle of the longest stretch on which nobody works, so
/// that few holes come to be.
pub(crate) fn pick(
    free: &GroupRanges,
    availability: &Availability,
    cursor: Option<u64>,
    others: &[u64],
    count: u64,
) -> GroupRanges {
    let stretches: Vec<(Range<u64>, u32)> = free
        .ranges()
        .flat_map(|range| availability.cut(range))
        .take(STRETCHES_MAX)
        .collect();
    let Some(rarest) = stretches.iter().map(|(_, count)| *count).min() else {
        return GroupRanges::new();
    };
    let of_class = || {
        let all = stretches.iter().filter(|(_, count)| *count == rarest);
        all.map(|(range, _)| range.clone())
    };
    let start = cursor
        .filter(|at| of_class().any(|range| range.contains(at)))
        .or_else(|| {
            let longest = of_class().max_by_key(|range| (range.end - range.start, range.end))?;
            let middle = longest.start + (longest.end - longest.start) / 2;
            let taken = others.contains(&longest.start);
            Some(if taken { middle } else { longest.start })
        });
    let Some(start) = start else {
        return GroupRanges::new();
    };
    let mut piece = Vec::new();
    let mut left = count.max(1);
    let from_start = of_class().filter(|range| range.end > start);
    for range in from_start {
        let range = range.start.max(start)..range.end;
        let end = range.end.min(range.start.saturating_add(left));
        left -= end - range.start;
        piece.push(range.start..end);
        if left == 0 || piece.len() >= REQUEST_RANGES_MAX {
            break;
        }
    }
    piece.into_iter().collect()
}

/// The highest `count` groups of a set, in few ranges: those that whoever works on it from below
/// reaches last.
pub(crate) fn tail(set: &GroupRanges, count: u64) -> GroupRanges {
    let mut left = count;
    let mut taken = Vec::new();
    for range in set.ranges().rev().take(REQUEST_RANGES_MAX) {
        let start = range.end - left.min(range.end - range.start);
        left -= range.end - start;
        taken.push(start..range.end);
        if left == 0 {
            break;
        }
    }
    taken.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(ranges: &[Range<u64>]) -> GroupRanges {
        ranges.iter().cloned().collect()
    }

    #[test]
    fn the_first_begins_at_the_front_the_next_in_the_middle() {
        let nobody = Availability::default();
        assert_eq!(
            pick(&GroupRanges::of(0..100), &nobody, None, &[], 8),
            GroupRanges::of(0..8)
        );
        let second = pick(&GroupRanges::of(8..100), &nobody, None, &[8], 8);
        assert_eq!(second, GroupRanges::of(54..62));
        let third = pick(&set(&[8..54, 62..100]), &nobody, None, &[8, 62], 8);
        assert_eq!(third, GroupRanges::of(31..39));
    }

    #[test]
    fn who_was_somewhere_goes_on_there() {
        let nobody = Availability::default();
        let free = set(&[8..54, 62..1_000]);
        assert_eq!(
            pick(&free, &nobody, Some(8), &[62], 8),
            GroupRanges::of(8..16)
        );
        assert_eq!(
            pick(&free, &nobody, Some(20), &[62], 8),
            GroupRanges::of(20..28)
        );
    }

    #[test]
    fn what_fewest_have_comes_first() {
        let (common, rare) = (GroupRanges::of(0..50), GroupRanges::of(0..100));
        let counted = Availability::of([&common, &rare].into_iter());
        assert_eq!(
            pick(&GroupRanges::of(0..100), &counted, Some(0), &[], 8),
            GroupRanges::of(50..58)
        );
    }

    #[test]
    fn holes_are_fetched_together() {
        let nobody = Availability::default();
        let free = set(&[1..2, 3..4, 5..9, 20..21]);
        assert_eq!(
            pick(&free, &nobody, Some(1), &[], 5),
            set(&[1..2, 3..4, 5..8])
        );
        assert_eq!(tail(&free, 3), set(&[7..9, 20..21]));
    }

    #[test]
    fn a_blob_of_a_hundred_gib_with_holes_everywhere_costs_a_bounded_look() {
        let holes: GroupRanges = (0..60_000_u64)
            .map(|hole| hole * 100..hole * 100 + 7)
            .collect();
        let piece = pick(&holes, &Availability::default(), Some(0), &[], 4_096);
        assert_eq!(piece.range_count(), REQUEST_RANGES_MAX);
    }

    proptest! {
        #[test]
        fn a_piece_is_of_what_is_free_and_never_more_than_asked_for(
            ranges in prop::collection::vec((0u64..500, 1u64..40), 0..20),
            cursor in prop::option::of(0u64..500),
            others in prop::collection::vec(0u64..500, 0..4),
            count in 1u64..100,
        ) {
            let free: GroupRanges = ranges.into_iter().map(|(start, len)| start..start + len).collect();
            let piece = pick(&free, &Availability::default(), cursor, &others, count);
            prop_assert!(piece.is_subset(&free));
            prop_assert!(piece.len() <= count);
            prop_assert!(piece.range_count() <= REQUEST_RANGES_MAX);
            prop_assert_eq!(piece.is_empty(), free.is_empty());
            let end = tail(&free, count);
            prop_assert!(end.is_subset(&free) && end.len() <= count);
            prop_assert_eq!(end.is_empty(), free.is_empty());
        }
    }
}
