//! The way through the tree, the same for who makes a stream and who takes it apart: from the root,
//! left before right, only where groups are wanted below.

use std::vec::Vec;

use repute_protocol::{BlobHash, groups_of};

use super::{
    BLOB_BYTES_MAX, VerifyError,
    hash::{self, Hash},
    tree::{PARENT_BYTES, Span, bytes_of},
};
use crate::GroupRanges;

/// A node on the way, and what its hash must be.
struct Node {
    span: Span,
    hash: Hash,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Parent(Span),
    Group { group: u64, len: usize },
}

pub(super) struct Walk {
    size: u64,
    groups: u64,
    wanted: GroupRanges,
    /// What is still to be visited, the next on top: at most one node for each level.
    open: Vec<Node>,
}

impl Walk {
    pub(super) fn new(hash: BlobHash, size: u64, wanted: GroupRanges) -> Result<Self, VerifyError> {
        if size > BLOB_BYTES_MAX {
            return Err(VerifyError::TooLarge { size });
        }
        let groups = groups_of(size);
        if let Some(group) = wanted.last().filter(|last| *last >= groups) {
            return Err(VerifyError::Beyond { group, groups });
        }
        let mut open = Vec::with_capacity(64);
        if !wanted.is_empty() {
            let span = Span {
                start: 0,
                end: groups,
            };
            let hash = *hash.as_bytes();
            open.push(Node { span, hash });
        }
        Ok(Self {
            size,
            groups,
            wanted,
            open,
        })
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    pub(super) const fn wanted(&self) -> &GroupRanges {
        &self.wanted
    }

    pub(super) fn next(&self) -> Option<Next> {
        self.open.last().map(|node| {
            if node.span.is_group() {
                let bytes = bytes_of(node.span.start, self.size);
                Next::Group {
                    group: node.span.start,
                    len: (bytes.end - bytes.start) as usize,
                }
            } else {
                Next::Parent(node.span)
            }
        })
    }

    /// The first wanted group that lies ahead.
    pub(super) fn group_ahead(&self) -> Option<u64> {
        let node = self.open.last()?;
        let (_, ahead) = self.wanted.split_at(node.span.start);
        ahead.first()
    }

    const fn is_root(&self, span: Span) -> bool {
        span.end - span.start == self.groups
    }

    /// Takes the parent that comes next, once it is proven or, unless `check`, at its word.
    pub(super) fn descend(
        &mut self,
        pair: &[u8; PARENT_BYTES],
        check: bool,
    ) -> Result<(), VerifyError> {
        let Some(node) = self.open.pop() else {
            return Ok(());
        };
        let Span { start, end } = node.span;
        if check && hash::of_parent(pair, self.is_root(node.span)) != node.hash {
            self.open.push(node);
            return Err(VerifyError::Parent { start, end });
        }
        let middle = node.span.middle();
        let (left, right) = hash::halves(pair);
        // The left one lands on top.
        let sides = [(middle..end, right), (start..middle, left)];
        for (groups, hash) in sides {
            if self.wanted.contains_any(groups.clone()) {
                let span = Span {
                    start: groups.start,
                    end: groups.end,
                };
                self.open.push(Node { span, hash });
            }
        }
        Ok(())
    }

    /// Takes the group that comes next, likewise.
    pub(super) fn take_group(&mut self, bytes: &[u8], check: bool) -> Result<(), VerifyError> {
        let Some(node) = self.open.pop() else {
            return Ok(());
        };
        let group = node.span.start;
        if check && hash::of_group(group, bytes, self.is_root(node.span)) != node.hash {
            self.open.push(node);
            return Err(VerifyError::Group { group });
        }
        Ok(())
    }

    /// Leaves out what comes next, with all below it.
    pub(super) fn skip(&mut self) -> Option<Span> {
        self.open.pop().map(|node| node.span)
    }
}
