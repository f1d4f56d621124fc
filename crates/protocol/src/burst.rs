//! One signature for a burst of envelopes: the Merkle tree over their ids, and the way from one
//! envelope to its root.
//!
//! A lone envelope is a burst of one: its id is the root, and its path is empty.

use alloc::vec::Vec;

use repute_identity::{Identity, Signature};

use crate::{DecodeError, MessageId, limits::BURST_MAX};

/// What an author signs begins with this, so that it is nothing else that a key ever signs.
const DOMAIN: &[u8; 14] = b"repute burst 1";
/// The key of inner nodes. Ids are hashes without a key, so no id can pass for an inner node.
const INNER_NODE: &[u8; 32] = b"repute 2026-11 burst inner nodes";
/// Bytes of a signature.
const SIGNATURE_LEN: usize = 64;

/// What is signed: domain, place of the last leaf, root.
pub(crate) type Statement = [u8; DOMAIN.len() + 1 + 32];

type Node = [u8; 32];

fn statement(last: u8, root: &Node) -> Statement {
    let mut bytes = [0; DOMAIN.len() + 1 + 32];
    let parts = DOMAIN.iter().chain(core::iter::once(&last)).chain(root);
    for (place, byte) in bytes.iter_mut().zip(parts) {
        *place = *byte;
    }
    bytes
}

fn parent(left: &[u8], right: &[u8]) -> Node {
    let mut children = [0; 64];
    let (first, second) = children.split_at_mut(32);
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    *blake3::keyed_hash(INNER_NODE, &children).as_bytes()
}

/// Where a node stands beside its sibling; one that has none moves up as it is.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
    Alone,
}

/// The places of a leaf and of the nodes above it, from the bottom up to below the root.
fn climb(index: u8, last: u8) -> impl Iterator<Item = Side> {
    let mut level = (index, last);
    core::iter::from_fn(move || {
        let (index, last) = level;
        level = (index / 2, last / 2);
        match (index % 2 == 0, index == last) {
            _ if last == 0 => None,
            (true, true) => Some(Side::Alone),
            (true, false) => Some(Side::Left),
            (false, _) => Some(Side::Right),
        }
    })
}

/// How many nodes the path of a leaf has.
fn path_nodes(index: u8, last: u8) -> usize {
    climb(index, last)
        .filter(|side| !matches!(side, Side::Alone))
        .count()
}

/// The authenticator of an envelope, as it came: the place of the leaf, the path and its length,
/// none of which a lone leaf has, then the place of the last leaf and the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    index: u8,
    last: u8,
    signature: Signature,
}

impl Seal {
    /// Reads the end of an envelope; also gives the length of what is before the authenticator.
    pub(crate) fn parse(wire: &[u8]) -> Result<(Self, usize), DecodeError> {
        let malformed = DecodeError::Malformed;
        let (rest, signature) = wire.split_last_chunk::<SIGNATURE_LEN>().ok_or(malformed)?;
        let (last, rest) = rest.split_last().ok_or(malformed)?;
        if usize::from(*last) >= BURST_MAX {
            return Err(DecodeError::Invalid("unknown authenticator"));
        }
        let (index, signed_len) = match last {
            0 => (0, rest.len()),
            _ => {
                let (nodes, rest) = rest.split_last().ok_or(malformed)?;
                let path_len = usize::from(*nodes) * 32;
                let place_at = rest.len().checked_sub(path_len + 1).ok_or(malformed)?;
                let index = rest.get(place_at).copied().ok_or(malformed)?;
                if index > *last {
                    return Err(DecodeError::Invalid("a place behind the end of its burst"));
                }
                if usize::from(*nodes) != path_nodes(index, *last) {
                    return Err(DecodeError::Invalid("a path that its place does not have"));
                }
                (index, place_at)
            }
        };
        let seal = Self {
            index,
            last: *last,
            signature: Signature::from_bytes(*signature),
        };
        Ok((seal, signed_len))
    }

    /// What must have been signed, if this is the authenticator's `bytes`.
    pub(crate) fn statement(&self, leaf: &MessageId, bytes: &[u8]) -> Statement {
        let (path, _) = bytes.get(1..).unwrap_or_default().as_chunks::<32>();
        let mut path = path.iter();
        let mut node = *leaf.as_bytes();
        for side in climb(self.index, self.last) {
            let sibling = match side {
                Side::Alone => continue,
                Side::Left | Side::Right => path.next().copied().unwrap_or_default(),
            };
            node = match side {
                Side::Left => parent(&node, &sibling),
                _ => parent(&sibling, &node),
            };
        }
        statement(self.last, &node)
    }

    pub(crate) const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// How many envelopes share the signature.
    pub(crate) fn leaves(&self) -> usize {
        usize::from(self.last) + 1
    }

    fn append(&self, path: impl Iterator<Item = Node>, wire: &mut Vec<u8>) {
        if self.last > 0 {
            wire.push(self.index);
            let mut nodes = 0;
            for node in path {
                wire.extend_from_slice(&node);
                nodes += 1;
            }
            wire.push(nodes);
        }
        wire.push(self.last);
        wire.extend_from_slice(self.signature.as_bytes());
    }
}

/// The most bytes that an authenticator takes.
pub(crate) const SEAL_LEN_MAX: usize = 6 * 32 + 3 + SIGNATURE_LEN;

/// A signed burst: at most [`BURST_MAX`] leaves.
pub(crate) struct Burst {
    /// The leaves first, the root last.
    levels: Vec<Vec<Node>>,
    last: u8,
    signature: Signature,
}

impl Burst {
    /// Signs these leaves as `identity`; what is beyond [`BURST_MAX`] is not signed.
    pub(crate) fn sign(identity: &Identity, leaves: impl Iterator<Item = MessageId>) -> Self {
        let mut level: Vec<Node> = leaves.take(BURST_MAX).map(|id| *id.as_bytes()).collect();
        let last = u8::try_from(level.len().saturating_sub(1)).unwrap_or_default();
        let mut levels = Vec::new();
        while level.len() > 1 {
            let above = level.chunks(2).map(|pair| match pair {
                [left, right] => parent(left, right),
                [alone, ..] => *alone,
                [] => Node::default(),
            });
            let above = above.collect();
            levels.push(core::mem::replace(&mut level, above));
        }
        let root = level.first().copied().unwrap_or_default();
        Self {
            levels,
            last,
            signature: identity.sign(&statement(last, &root)),
        }
    }

    /// Puts the authenticator of the leaf at `index` behind its signed bytes.
    pub(crate) fn seal(&self, index: usize, wire: &mut Vec<u8>) -> Seal {
        let seal = Seal {
            index: u8::try_from(index).unwrap_or_default(),
            last: self.last,
            signature: self.signature,
        };
        let siblings = self.levels.iter().enumerate();
        let path = siblings
            .filter_map(|(height, level)| level.get((index >> height) ^ 1))
            .copied();
        seal.append(path, wire);
        seal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_as_many_nodes_as_the_leaf_has_ancestors_with_two_children() {
        for last in 0..BURST_MAX as u8 {
            let identity = Identity::from_seed(3);
            let ids = (0..=last).map(|byte| MessageId::from_bytes([byte; 32]));
            let burst = Burst::sign(&identity, ids.clone());
            for (index, id) in ids.enumerate() {
                let mut wire = Vec::from(&b"signed"[..]);
                let seal = burst.seal(index, &mut wire);
                assert!(wire.len() <= 6 + SEAL_LEN_MAX);
                let (read, signed_len) = Seal::parse(&wire).unwrap();
                assert_eq!((read, signed_len), (seal, 6), "{index} of {last}");
                let root = burst
                    .levels
                    .last()
                    .map_or(*id.as_bytes(), |top| match &top[..] {
                        [left, right] => parent(left, right),
                        _ => unreachable!(),
                    });
                assert_eq!(read.statement(&id, &wire[6..]), statement(last, &root));
            }
        }
    }

    #[test]
    fn each_level_above_64_leaves_is_worth_one_node() {
        assert_eq!(path_nodes(0, 0), 0);
        assert_eq!(path_nodes(63, 63), 6);
        // The third of three leaves stands alone until it meets the pair before it.
        assert_eq!((path_nodes(2, 2), path_nodes(1, 2)), (1, 2));
    }
}
