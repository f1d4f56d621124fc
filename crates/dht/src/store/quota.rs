use alloc::collections::BTreeMap;

use repute_identity::NodeId;
use repute_protocol::RecordKind;

use crate::{Limits, store::Held};

/// How much of the store each author and each sender has. Only proven records are counted, so
/// nobody's quota is spent by what it did not sign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quotas {
    bytes: usize,
    /// Records and bytes.
    authors: BTreeMap<NodeId, (usize, usize)>,
    senders: BTreeMap<NodeId, usize>,
    kinds: BTreeMap<RecordKind, usize>,
}

impl Quotas {
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn of_kind(&self, kind: RecordKind) -> usize {
        self.kinds.get(&kind).copied().unwrap_or(0)
    }

    pub(crate) fn author_has_room(
        &self,
        author: &NodeId,
        records: usize,
        bytes: usize,
        limits: &Limits,
    ) -> bool {
        let (count, size) = self.authors.get(author).copied().unwrap_or_default();
        count + records <= limits.author_records_max && size + bytes <= limits.author_bytes_max
    }

    pub(crate) fn sender_has_room(&self, sender: &NodeId, records: usize, limits: &Limits) -> bool {
        let count = self.senders.get(sender).copied().unwrap_or(0);
        count + records <= limits.sender_records_max
    }

    pub(crate) fn add(&mut self, held: &Held) {
        self.bytes += held.len();
        let (count, size) = self.authors.entry(held.author).or_default();
        *count += 1;
        *size += held.len();
        *self.senders.entry(held.sender).or_default() += 1;
        *self.kinds.entry(held.kind).or_default() += 1;
    }

    pub(crate) fn remove(&mut self, held: &Held) {
        self.bytes = self.bytes.saturating_sub(held.len());
        if let Some((count, size)) = self.authors.get_mut(&held.author) {
            *count -= 1;
            *size = size.saturating_sub(held.len());
            if *count == 0 {
                self.authors.remove(&held.author);
            }
        }
        if let Some(count) = self.senders.get_mut(&held.sender) {
            *count -= 1;
            if *count == 0 {
                self.senders.remove(&held.sender);
            }
        }
        if let Some(count) = self.kinds.get_mut(&held.kind) {
            *count -= 1;
            if *count == 0 {
                self.kinds.remove(&held.kind);
            }
        }
    }
}
