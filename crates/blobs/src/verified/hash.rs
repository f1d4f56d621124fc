//! The two hashes of the tree.

use blake3::{
    Hasher,
    hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root},
};
use repute_protocol::GROUP_BYTES;

use super::tree::PARENT_BYTES;

pub(crate) type Hash = [u8; 32];

/// The hash of a group. A group is hashed as one subtree, so that all lanes of the processor work.
pub(crate) fn of_group(group: u64, bytes: &[u8], is_root: bool) -> Hash {
    if is_root {
        return *blake3::hash(bytes).as_bytes();
    }
    if bytes.is_empty() {
        // Only the root can be empty; this hash is none of any blob.
        return [0; 32];
    }
    let mut hasher = Hasher::new();
    hasher.set_input_offset(group * GROUP_BYTES);
    hasher.update(bytes).finalize_non_root()
}

/// The hash of a parent.
pub(crate) fn of_parent(pair: &[u8; PARENT_BYTES], is_root: bool) -> Hash {
    let (left, right) = halves(pair);
    if is_root {
        *merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()
    } else {
        merge_subtrees_non_root(&left, &right, Mode::Hash)
    }
}

/// The hashes of the left and the right side.
pub(crate) fn halves(pair: &[u8; PARENT_BYTES]) -> (Hash, Hash) {
    let (mut left, mut right) = ([0; 32], [0; 32]);
    let (first, second) = pair.split_at(32);
    left.copy_from_slice(first);
    right.copy_from_slice(second);
    (left, right)
}

/// A parent of these two.
pub(crate) fn pair(left: &Hash, right: &Hash) -> [u8; PARENT_BYTES] {
    let mut pair = [0; PARENT_BYTES];
    let (first, second) = pair.split_at_mut(32);
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    pair
}
