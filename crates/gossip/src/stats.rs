/// Counters since the engine was made, and present sizes. Counters wrap only after centuries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Our own messages sent on their way.
    pub published: u64,
    /// First copies of messages, proven and new.
    pub received: u64,
    /// Messages handed to the application.
    pub delivered: u64,
    /// Payload copies beyond the first.
    pub duplicates: u64,
    /// Copies whose signature was wrong.
    pub forged: u64,
    /// Live pushes older than allowed, passed over without blame.
    pub ignored_stale: u64,
    /// Envelopes from the future, passed over.
    pub ignored_future: u64,
    /// Envelopes of a kind that is not for broadcast, passed over without blame.
    pub ignored_kind: u64,
    /// Messages that the record of an earlier run had already seen.
    pub ignored_replayed: u64,
    /// Pushes turned into announcements because a link was congested.
    pub dropped_by_queue: u64,
    /// Announcements or control frames dropped because a link was congested.
    pub announcements_dropped: u64,
    /// Messages dropped because their author exceeded its budget.
    pub dropped_by_origin: u64,
    /// Frames dropped because their link exceeded its budget.
    pub dropped_by_link: u64,
    /// Messages dropped because too many waited for their signature check.
    pub dropped_by_pending: u64,
    /// Grafts sent.
    pub grafts: u64,
    /// Prunes sent.
    pub prunes: u64,
    /// Announcements sent, in messages.
    pub announced: u64,
    /// Reconciliations begun by this node.
    pub reconciliations: u64,
    /// Messages asked for after a reconciliation.
    pub wanted: u64,
    /// Messages delivered before their causal predecessors, because they had waited too long.
    pub delivered_out_of_order: u64,
    /// Members of the active view.
    pub active: usize,
    /// Active neighbours that are pushed to.
    pub eager: usize,
    /// Members of the passive view.
    pub passive: usize,
    /// Messages kept for others.
    pub retained: usize,
    /// Bytes of these.
    pub retained_bytes: usize,
    /// Message ids remembered.
    pub ids: usize,
    /// Messages waiting for their signature check.
    pub pending: usize,
    /// Announced messages that have not come yet.
    pub missing: usize,
    /// Messages held back for causal order.
    pub held: usize,
}
