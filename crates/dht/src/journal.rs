//! What the store is still to be told: lazily, together, each row once.

use alloc::{collections::BTreeMap, vec::Vec};

use repute_identity::NodeId;
use repute_protocol::RecordKey;

/// A row of the store: where, whose, which.
pub(crate) type Row = (RecordKey, NodeId, u8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Wrote,
    Forgot,
}

/// Bounded by the records kept, and those that made room for them since.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal(BTreeMap<Row, Change>);

impl Journal {
    pub(crate) fn wrote(&mut self, key: RecordKey, author: NodeId, slot: u8) {
        self.0.insert((key, author, slot), Change::Wrote);
    }

    pub(crate) fn forget(&mut self, key: RecordKey, author: NodeId, slot: u8) {
        self.0.insert((key, author, slot), Change::Forgot);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, max: usize) -> Vec<(Row, Change)> {
        core::iter::from_fn(|| self.0.pop_first())
            .take(max)
            .collect()
    }
}
