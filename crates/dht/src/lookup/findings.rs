use alloc::collections::{BTreeMap, BTreeSet};

use repute_identity::NodeId;
use repute_protocol::{Envelope, MessageId, Seq};

use crate::{FoundRecord, Want};

/// Whose record, and which.
type Place = (NodeId, u8);
/// How new it is.
type Rank = (Seq, MessageId);

/// The records that a lookup has found so far.
#[derive(Clone, Debug)]
pub(crate) struct Findings {
    pub(crate) token: u64,
    pub(crate) want: Want,
    /// The newest of each author and slot.
    pub(crate) newest: BTreeMap<(NodeId, u8), FoundRecord>,
    /// Who has given a valid record.
    pub(crate) holders: BTreeSet<NodeId>,
    /// The newest that each holder gave of each author and slot, if the newest is wanted; two for
    /// each that was asked, at most.
    given: BTreeMap<(NodeId, Place), Rank>,
    /// Further pages asked of each holder that has more than fits one answer, and from which
    /// author on the last of them.
    pub(crate) pages: BTreeMap<NodeId, (u8, NodeId)>,
    /// Signature checks under way.
    pub(crate) verifying: usize,
}

impl Findings {
    /// Answers asked of one holder of a key with many records: 32 fit one answer.
    pub(crate) const PAGES_MAX: u8 = 16;

    pub(crate) const fn new(token: u64, want: Want) -> Self {
        Self {
            token,
            want,
            newest: BTreeMap::new(),
            holders: BTreeSet::new(),
            given: BTreeMap::new(),
            pages: BTreeMap::new(),
            verifying: 0,
        }
    }

    pub(crate) const fn is_first(&self) -> bool {
        matches!(self.want, Want::First)
    }

    /// A holder gave this record, which is proven.
    pub(crate) fn give(&mut self, from: NodeId, place: Place, envelope: &Envelope) {
        self.holders.insert(from);
        if matches!(self.want, Want::Newest) {
            let given = (envelope.seq(), envelope.id());
            let best = self.given.entry((from, place)).or_insert(given);
            *best = given.max(*best);
        }
    }

    /// Who gave something older than the newest that was found, and that newest.
    pub(crate) fn behind(&self) -> impl Iterator<Item = (NodeId, &FoundRecord)> {
        self.given.iter().filter_map(|((holder, place), given)| {
            let newest = self.newest.get(place)?;
            (*given < rank(newest)).then_some((*holder, newest))
        })
    }

    /// Takes in a record; says whether it is newer than what was there.
    pub(crate) fn take(&mut self, record: FoundRecord) -> bool {
        let place = (record.filed.author, record.filed.record.slot);
        self.give(record.from, place, &record.envelope);
        let room = match self.want {
            Want::All { max } => self.newest.len() < max,
            _ => true,
        };
        match self.newest.get(&place) {
            Some(held) if rank(held) >= rank(&record) => return false,
            None if !room => return false,
            _ => {}
        }
        self.newest.insert(place, record);
        true
    }

    /// Whether this very copy was found already.
    pub(crate) fn has(&self, place: (NodeId, u8), id: &MessageId, authenticator: &[u8]) -> bool {
        let held = self.newest.get(&place);
        held.is_some_and(|held| {
            held.envelope.id() == *id && held.envelope.authenticator() == authenticator
        })
    }

    pub(crate) fn newest(&self) -> Option<&FoundRecord> {
        self.newest.values().max_by_key(|record| rank(record))
    }

    /// Whether nothing more needs to be asked.
    pub(crate) fn is_enough(&self, quorum: usize) -> bool {
        match self.want {
            Want::First => !self.newest.is_empty(),
            Want::Newest => self.holders.len() >= quorum,
            Want::All { max } => self.newest.len() >= max,
        }
    }
}

/// Newest is greatest; of two under one number, which no honest author makes, all choose the same.
fn rank(record: &FoundRecord) -> Rank {
    (record.envelope.seq(), record.envelope.id())
}
