use alloc::vec::Vec;

use repute_protocol::{RecordError, RecordKind};

use crate::Outcome;

/// Counters and sizes. Counters begin with the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Whether this node serves others.
    pub serving: bool,
    /// Contacts in the table.
    pub contacts: usize,
    /// Replacements that wait for a place in the table.
    pub replacements: usize,
    /// Buckets that are not empty: bits shared with this node's id, and contacts.
    pub buckets: Vec<(u8, usize)>,
    /// Links that stand, of any engine.
    pub links: usize,
    /// Lookups under way.
    pub lookups: usize,
    /// Lookups that ended.
    pub lookups_ended: u64,
    /// What the last lookup of the application came to.
    pub last_lookup: Option<Outcome>,
    /// Records kept, of each kind.
    pub records: Vec<(RecordKind, usize)>,
    /// Bytes of all records kept.
    pub record_bytes: usize,
    /// Records of our own that are published again and again.
    pub publications: usize,
    /// Records waiting for their signature check.
    pub verifying: usize,
    /// Requests sent.
    pub requests_sent: u64,
    /// Answers that came in time.
    pub answers: u64,
    /// Answers that came to no request of ours, or too late. Nobody's fault.
    pub answers_late: u64,
    /// Requests without an answer in time.
    pub timeouts: u64,
    /// Peers that were to be linked and were not reached.
    pub unreachable: u64,
    /// Requests that came.
    pub requests_received: u64,
    /// Requests that were told that there is no time for them.
    pub busy: u64,
    /// Requests beyond even that.
    pub over_budget: u64,
    /// Records that others had us store, newly kept.
    pub stored: u64,
    /// Records older than what is kept.
    pub refused_older: u64,
    /// Records for which there was no room.
    pub refused_full: u64,
    /// Records whose signature is forged.
    pub refused_forged: u64,
    /// Records of another network, or no envelopes at all.
    pub refused_foreign: u64,
    /// Advertisements within a minute of the one before.
    pub refused_hasty: u64,
    /// Records refused for each [`RecordError`], in the order of [`RecordError::ALL`].
    pub refused: [u64; RecordError::ALL.len()],
    /// Records put again by us as a holder.
    pub replicated: u64,
    /// Records handed to newcomers.
    pub handed_over: u64,
    /// Records given to holders that had an older one.
    pub repaired: u64,
}

impl Stats {
    /// How often records were refused for this reason.
    pub fn refused_for(&self, error: RecordError) -> u64 {
        let place = RecordError::ALL.iter().position(|one| *one == error);
        place
            .and_then(|place| self.refused.get(place))
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn refuse(&mut self, error: RecordError) {
        let place = RecordError::ALL.iter().position(|one| *one == error);
        if let Some(count) = place.and_then(|place| self.refused.get_mut(place)) {
            *count += 1;
        }
    }
}
