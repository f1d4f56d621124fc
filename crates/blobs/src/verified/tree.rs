//! The shape of a blob's tree.

use core::ops::Range;

use repute_protocol::{GROUP_BYTES, groups_of};

/// The largest blob, in bytes: 1 PiB. Its tree has 36 levels, and no sum of offsets overflows.
pub const BLOB_BYTES_MAX: u64 = 1 << 50;

/// Bytes of a parent: the hashes of its left and its right side.
pub(crate) const PARENT_BYTES: usize = 64;
/// The same, as a distance in a file.
pub(crate) const PARENT_LEN: u64 = PARENT_BYTES as u64;
/// Bytes of a whole group.
pub(crate) const GROUP_LEN: usize = GROUP_BYTES as usize;

/// Bytes of the tree file of a blob of `size` bytes.
pub const fn tree_bytes(size: u64) -> u64 {
    (groups_of(size) - 1) * PARENT_LEN
}

/// Where a group lies in a blob of `size` bytes.
pub(crate) fn bytes_of(group: u64, size: u64) -> Range<u64> {
    let start = group.saturating_mul(GROUP_BYTES).min(size);
    start..start.saturating_add(GROUP_BYTES).min(size)
}

/// A node of the tree: the groups below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Span {
    pub(crate) const fn is_group(self) -> bool {
        self.end - self.start == 1
    }

    pub(crate) const fn len(self) -> u64 {
        self.end - self.start
    }

    /// The first group of the right side. The left has the largest power of two that leaves the
    /// right something.
    pub(crate) const fn middle(self) -> u64 {
        self.start + self.len().next_power_of_two() / 2
    }

    /// The place of its parent among all: the last group of the left side. No two parents part the
    /// same two groups, and the place does not depend on the size of the blob.
    pub(crate) const fn slot(self) -> u64 {
        self.middle() - 1
    }
}
