use alloc::vec::Vec;
use core::{fmt, ops::Range};

use bincode::{
    de::{BorrowDecode, BorrowDecoder, Decode, Decoder},
    enc::{Encode, Encoder},
    error::{DecodeError, EncodeError},
};

/// A set of groups of a blob, as sorted ranges of group numbers that neither overlap nor touch.
///
/// It holds at most [`Self::RANGES_MAX`] ranges. [`Self::insert`] and [`Self::remove`] refuse what
/// would need more; the operations on two sets keep the lowest ranges, so that their result is
/// smaller, never wrong.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupRanges {
    /// First group, and the one after the last.
    ranges: Vec<(u64, u64)>,
}

/// The groups lie too scattered for one set. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {} separate ranges of groups", GroupRanges::RANGES_MAX)]
pub struct TooManyRanges;

impl GroupRanges {
    /// Ranges of a set at most: 1 MiB of memory, and enough for every other MiB of 128 GiB.
    pub const RANGES_MAX: usize = 65_536;
    /// Ranges of a set on the wire at most: 20 KiB at worst. Of more the lowest are sent.
    pub const WIRE_RANGES_MAX: usize = 1_024;

    /// No groups.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The groups of one range.
    pub fn of(range: Range<u64>) -> Self {
        let mut ranges = Vec::new();
        if range.start < range.end {
            ranges.push((range.start, range.end));
        }
        Self { ranges }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many groups there are.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(start, end)| end - start).sum()
    }

    /// How many separate ranges there are.
    pub const fn range_count(&self) -> usize {
        self.ranges.len()
    }

    /// The lowest group.
    pub fn first(&self) -> Option<u64> {
        self.ranges.first().map(|(start, _)| *start)
    }

    /// The highest group.
    pub fn last(&self) -> Option<u64> {
        self.ranges.last().map(|(_, end)| end - 1)
    }

    /// The ranges, lowest first.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + ExactSizeIterator + '_ {
        self.ranges.iter().map(|(start, end)| *start..*end)
    }

    /// The groups, lowest first.
    pub fn groups(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.ranges().flatten()
    }

    /// Whether this group is among them.
    pub fn contains(&self, group: u64) -> bool {
        group < u64::MAX && self.contains_all(group..group + 1)
    }

    /// Whether every group of `range` is among them.
    pub fn contains_all(&self, range: Range<u64>) -> bool {
        range.is_empty()
            || self
                .ranges
                .get(self.ranges.partition_point(|(_, end)| *end <= range.start))
                .is_some_and(|(start, end)| *start <= range.start && range.end <= *end)
    }

    /// Whether any group of `range` is among them.
    pub fn contains_any(&self, range: Range<u64>) -> bool {
        !range.is_empty()
            && self
                .ranges
                .get(self.ranges.partition_point(|(_, end)| *end <= range.start))
                .is_some_and(|(start, _)| *start < range.end)
    }

    /// Adds the groups of `range`.
    ///
    /// # Errors
    /// [`TooManyRanges`], and nothing has changed.
    pub fn insert(&mut self, range: Range<u64>) -> Result<(), TooManyRanges> {
        if range.is_empty() {
            return Ok(());
        }
        // Neighbours that touch grow together.
        let from = self.ranges.partition_point(|(_, end)| *end < range.start);
        let to = self
            .ranges
            .partition_point(|(start, _)| *start <= range.end);
        let mut grown = (range.start, range.end);
        if from < to {
            let merged = self.ranges.get(from..to).unwrap_or_default();
            grown.0 = merged
                .first()
                .map_or(grown.0, |(start, _)| grown.0.min(*start));
            grown.1 = merged.last().map_or(grown.1, |(_, end)| grown.1.max(*end));
        } else if self.ranges.len() >= Self::RANGES_MAX {
            return Err(TooManyRanges);
        }
        self.ranges.splice(from..to, [grown]);
        Ok(())
    }

    /// Takes the groups of `range` out.
    ///
    /// # Errors
    /// [`TooManyRanges`], and nothing has changed.
    pub fn remove(&mut self, range: Range<u64>) -> Result<(), TooManyRanges> {
        if range.is_empty() {
            return Ok(());
        }
        let from = self.ranges.partition_point(|(_, end)| *end <= range.start);
        let to = self.ranges.partition_point(|(start, _)| *start < range.end);
        let hit = self.ranges.get(from..to).unwrap_or_default();
        let (Some((first, _)), Some((_, last))) = (hit.first(), hit.last()) else {
            return Ok(());
        };
        let below = (*first < range.start).then_some((*first, range.start));
        let above = (range.end < *last).then_some((range.end, *last));
        let splits = hit.len() == 1 && below.is_some() && above.is_some();
        if splits && self.ranges.len() >= Self::RANGES_MAX {
            return Err(TooManyRanges);
        }
        self.ranges.splice(from..to, below.into_iter().chain(above));
        Ok(())
    }

    /// The groups in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a || b)
    }

    /// The groups in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a && b)
    }

    /// The groups that the other does not have.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a && !b)
    }

    /// Whether the other has all of these groups.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.ranges().all(|range| other.contains_all(range))
    }

    /// The groups below `group`, and the rest.
    #[must_use]
    pub fn split_at(&self, group: u64) -> (Self, Self) {
        let cut = self.ranges.partition_point(|(_, end)| *end <= group);
        let (below, above) = self.ranges.split_at_checked(cut).unwrap_or_default();
        let (mut below, mut above) = (below.to_vec(), above.to_vec());
        if let Some((start, _)) = above.first_mut()
            && *start < group
        {
            below.push((*start, group));
            *start = group;
        }
        (Self { ranges: below }, Self { ranges: above })
    }

    /// The lowest `count` groups, or all.
    #[must_use]
    pub fn lowest(&self, count: u64) -> Self {
        let mut left = count;
        let taken = self.ranges.iter().map_while(|(start, end)| {
            let take = left.min(end - start);
            left -= take;
            (take > 0).then(|| (*start, start + take))
        });
        Self {
            ranges: taken.collect(),
        }
    }

    /// The lowest `count` ranges, or all.
    #[must_use]
    pub fn lowest_ranges(&self, count: usize) -> Self {
        Self {
            ranges: self.ranges.iter().copied().take(count).collect(),
        }
    }

    /// Sweeps over both sets at once; `keep` says whether a group belongs to the result, from
    /// whether it is in each. A group in neither never does.
    fn combine(&self, other: &Self, keep: impl Fn(bool, bool) -> bool) -> Self {
        let mut ours = self.ranges.iter().flat_map(|(a, b)| [*a, *b]).peekable();
        let mut theirs = other.ranges.iter().flat_map(|(a, b)| [*a, *b]).peekable();
        let (mut in_ours, mut in_theirs) = (false, false);
        let mut ranges = Vec::new();
        let mut begun = None;
        while ranges.len() < Self::RANGES_MAX {
            let Some(edge) = ours.peek().into_iter().chain(theirs.peek()).min().copied() else {
                break;
            };
            if ours.next_if_eq(&edge).is_some() {
                in_ours = !in_ours;
            }
            if theirs.next_if_eq(&edge).is_some() {
                in_theirs = !in_theirs;
            }
            match (begun, keep(in_ours, in_theirs)) {
                (None, true) => begun = Some(edge),
                (Some(start), false) => {
                    ranges.push((start, edge));
                    begun = None;
                }
                _ => {}
            }
        }
        Self { ranges }
    }
}

impl fmt::Debug for GroupRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ranges()).finish()
    }
}

/// Of more than [`GroupRanges::RANGES_MAX`] separate ranges the first come.
impl FromIterator<Range<u64>> for GroupRanges {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut set = Self::new();
        for range in ranges {
            if set.insert(range).is_err() {
                break;
            }
        }
        set
    }
}

/// The number of ranges, then for each how far it begins behind the end of the last and how long it
/// is, all varints.
impl Encode for GroupRanges {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let count = self.ranges.len().min(Self::WIRE_RANGES_MAX);
        (count as u64).encode(encoder)?;
        let mut behind = 0;
        for (start, end) in self.ranges.iter().take(count) {
            (start - behind).encode(encoder)?;
            (end - start).encode(encoder)?;
            behind = *end;
        }
        Ok(())
    }
}

impl<C> Decode<C> for GroupRanges {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let count = u64::decode(decoder)?;
        if count > Self::WIRE_RANGES_MAX as u64 {
            return Err(DecodeError::Other("too many ranges of groups"));
        }
        let mut ranges = Vec::new();
        let mut behind = 0_u64;
        for number in 0..count {
            let gap = u64::decode(decoder)?;
            let len = u64::decode(decoder)?;
            if (gap == 0 && number > 0) || len == 0 {
                return Err(DecodeError::Other(
                    "ranges of groups that touch or are empty",
                ));
            }
            let start = behind.checked_add(gap);
            let end = start.and_then(|start| start.checked_add(len));
            let (Some(start), Some(end)) = (start, end) else {
                return Err(DecodeError::Other("a range of groups beyond all numbers"));
            };
            ranges.push((start, end));
            behind = end;
        }
        Ok(Self { ranges })
    }
}

impl<'de, C> BorrowDecode<'de, C> for GroupRanges {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeSet, vec, vec::Vec};
    use core::ops::Range;

    use proptest::{collection::vec as vec_of, prelude::*};
    use repute_base::codec;

    use super::{GroupRanges, TooManyRanges};

    type Model = BTreeSet<u64>;

    fn range() -> impl Strategy<Value = Range<u64>> {
        (0..96_u64, 0..12_u64).prop_map(|(start, len)| start..start + len)
    }

    fn both() -> impl Strategy<Value = (GroupRanges, Model)> {
        vec_of((any::<bool>(), range()), 0..24).prop_map(|steps| {
            let (mut set, mut model) = (GroupRanges::new(), Model::new());
            for (add, range) in steps {
                if add {
                    set.insert(range.clone()).unwrap();
                    model.extend(range);
                } else {
                    set.remove(range.clone()).unwrap();
                    model.retain(|group| !range.contains(group));
                }
            }
            (set, model)
        })
    }

    fn is_sound(set: &GroupRanges) -> bool {
        let ranges: Vec<_> = set.ranges().collect();
        ranges.iter().all(|range| range.start < range.end)
            && ranges.windows(2).all(|two| two[0].end < two[1].start)
    }

    fn check(set: &GroupRanges, model: &Model) {
        assert!(is_sound(set), "{set:?}");
        assert!(
            set.groups().eq(model.iter().copied()),
            "{set:?} is not {model:?}"
        );
    }

    proptest! {
        #[test]
        fn a_set_is_what_a_set_of_numbers_is((a, a_model) in both(), (b, b_model) in both(), probe in range(), cut in 0..110_u64) {
            check(&a, &a_model);
            check(&a.union(&b), &(&a_model | &b_model));
            check(&a.intersection(&b), &(&a_model & &b_model));
            check(&a.difference(&b), &(&a_model - &b_model));
            prop_assert_eq!(a.is_subset(&b), a_model.is_subset(&b_model));
            prop_assert_eq!(a.len(), a_model.len() as u64);
            prop_assert_eq!(a.is_empty(), a_model.is_empty());
            prop_assert_eq!(a.first(), a_model.first().copied());
            prop_assert_eq!(a.last(), a_model.last().copied());
            prop_assert_eq!(a.contains(cut), a_model.contains(&cut));
            prop_assert_eq!(a.contains_all(probe.clone()), probe.clone().all(|g| a_model.contains(&g)));
            prop_assert_eq!(a.contains_any(probe.clone()), probe.clone().any(|g| a_model.contains(&g)));
            let (below, above) = a.split_at(cut);
            check(&below, &a_model.range(..cut).copied().collect());
            check(&above, &a_model.range(cut..).copied().collect());
            check(&a.lowest(cut), &a_model.iter().copied().take(cut as usize).collect());
            prop_assert!(is_sound(&a.lowest_ranges(2)) && a.lowest_ranges(2).range_count() <= 2);
            prop_assert_eq!(a.ranges().collect::<GroupRanges>(), a);
        }

        #[test]
        fn the_wire_form_comes_back((set, _) in both()) {
            prop_assert_eq!(codec::decode::<GroupRanges>(&codec::encode(&set)), Ok(set));
        }

        #[test]
        fn hostile_bytes_are_refused_or_make_a_sound_set(bytes in vec_of(any::<u8>(), 0..64)) {
            if let Ok(set) = codec::decode::<GroupRanges>(&bytes) {
                prop_assert!(is_sound(&set));
                prop_assert_eq!(codec::encode(&set), bytes);
            }
        }
    }

    #[test]
    fn ranges_that_touch_are_empty_or_wrap_are_refused() {
        for bytes in [&[2, 0, 1, 0, 1][..], &[1, 0, 0], &[1, 5]] {
            assert!(codec::decode::<GroupRanges>(bytes).is_err(), "{bytes:?}");
        }
        let mut wraps = vec![1, 253];
        wraps.extend_from_slice(&u64::MAX.to_le_bytes());
        wraps.push(1);
        assert!(codec::decode::<GroupRanges>(&wraps).is_err());
        let mut many = Vec::new();
        codec::encode_into(&(GroupRanges::WIRE_RANGES_MAX as u64 + 1), &mut many);
        many.resize(many.len() + 2 * (GroupRanges::WIRE_RANGES_MAX + 1), 1);
        assert!(codec::decode::<GroupRanges>(&many).is_err());
    }

    #[test]
    fn numbers_at_the_very_end_are_groups_like_others() {
        let end = GroupRanges::of(u64::MAX - 2..u64::MAX);
        assert_eq!(end.len(), 2);
        assert!(end.contains(u64::MAX - 1) && !end.contains(u64::MAX));
        assert_eq!(codec::decode::<GroupRanges>(&codec::encode(&end)), Ok(end));
    }

    #[test]
    fn a_full_set_takes_what_touches_and_refuses_what_lies_apart() {
        let every_other = (0..GroupRanges::RANGES_MAX as u64).map(|n| 4 * n..4 * n + 3);
        let mut set: GroupRanges = every_other.collect();
        assert_eq!(set.range_count(), GroupRanges::RANGES_MAX);
        let before = set.clone();
        let far = 4 * GroupRanges::RANGES_MAX as u64 + 8;
        assert_eq!(set.insert(far..far + 1), Err(TooManyRanges));
        assert_eq!(set.remove(1..2), Err(TooManyRanges));
        assert_eq!(set, before);
        assert_eq!(set.insert(3..4), Ok(()));
        assert_eq!(set.insert(far..far + 1), Ok(()));

        let odd: GroupRanges = before
            .ranges()
            .map(|range| range.start + 1..range.end - 1)
            .collect();
        let scattered = before.difference(&odd);
        assert_eq!(scattered.range_count(), GroupRanges::RANGES_MAX);
        assert!(is_sound(&scattered) && scattered.is_subset(&before));

        let sent = codec::decode::<GroupRanges>(&codec::encode(&before)).unwrap();
        assert_eq!(sent, before.lowest_ranges(GroupRanges::WIRE_RANGES_MAX));
    }
}
