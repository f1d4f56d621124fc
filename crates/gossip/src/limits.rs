/// Bounds: what keeps memory and work finite whatever peers do. Each has its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linked peers that the engine tracks; the peers engine keeps far fewer.
    pub links_max: usize,
    /// Memory of the envelopes kept for others: minutes of modest traffic, a second of a flood of
    /// thousands a second. Repair asks within two seconds, mostly much sooner; what a node has
    /// missed for longer, a node that has missed less can hand on.
    pub retained_bytes_max: usize,
    /// Envelopes kept for others, so that tiny messages cannot fill memory with their tables.
    pub retained_count_max: usize,
    /// Message ids remembered, about 75 bytes each. Beyond it the record by author and sequence
    /// decides, so it must only outlast what is still under way.
    pub ids_max: usize,
    /// Authors in the record of what was seen.
    pub authors_max: usize,
    /// Rows in one [`Output::Persist`](crate::Output::Persist): one small transaction.
    pub persist_batch_max: usize,
    /// Messages waiting for their signature check, all links together.
    pub pending_max: usize,
    /// Bytes of these.
    pub pending_bytes_max: usize,
    /// Messages waiting for their signature check that one link brought first.
    pub pending_per_link_max: usize,
    /// Copies with different signatures kept of one message while the first is checked.
    pub candidates_max: usize,
    /// Announced messages that have not come yet.
    pub missing_max: usize,
    /// Neighbours remembered as holders of one missing message.
    pub holders_max: usize,
    /// Bytes handed to the shell for one link and not yet reported as written.
    pub link_credit_bytes: usize,
    /// Bytes queued in the engine for one link beyond its credit; what comes then is announced
    /// instead of pushed.
    pub link_queue_bytes_max: usize,
    /// Announcements waiting for one link; the oldest are dropped, anti-entropy repairs.
    pub announcements_max: usize,
    /// Our own messages given out for signing and not yet back.
    pub signing_max: usize,
    /// Broadcast frames a second that one link may bring, sustained.
    pub link_frames_rate: u64,
    /// Broadcast frames that one link may bring at once.
    pub link_frames_burst: u64,
    /// Control frames a second that one link may bring, sustained.
    pub link_control_rate: u64,
    /// Control frames that one link may bring at once: more than fit into the credit and queue
    /// of an honest sender whose link was stalled.
    pub link_control_burst: u64,
    /// Payload bytes a second accepted from one author, sustained.
    pub origin_bytes_rate: u64,
    /// Payload bytes accepted from one author at once.
    pub origin_bytes_burst: u64,
    /// Topics that the application may subscribe to or publish on; each has a version vector.
    pub topics_max: usize,
    /// Authors in the version vector of one topic.
    pub topic_authors_max: usize,
    /// Messages held back for causal order, all topics together.
    pub held_max: usize,
    /// Ids asked for after one reconciliation step.
    pub wanted_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            links_max: 1_024,
            retained_bytes_max: 3 << 20,
            retained_count_max: 16_384,
            ids_max: 16_384,
            authors_max: 8_192,
            persist_batch_max: 256,
            pending_max: 8_192,
            pending_bytes_max: 32 << 20,
            pending_per_link_max: 2_048,
            candidates_max: 4,
            missing_max: 16_384,
            holders_max: 8,
            link_credit_bytes: 64 << 10,
            link_queue_bytes_max: 512 << 10,
            announcements_max: 4_096,
            signing_max: 64,
            link_frames_rate: 200_000,
            link_frames_burst: 400_000,
            link_control_rate: 2_000,
            link_control_burst: 131_072,
            origin_bytes_rate: 256 << 20,
            origin_bytes_burst: 512 << 20,
            topics_max: 1_024,
            topic_authors_max: 1_024,
            held_max: 4_096,
            wanted_max: 4_096,
        }
    }
}
