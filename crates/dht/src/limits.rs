use core::time::Duration;

/// Bounds: what keeps a hostile network from growing this engine. Not policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lookups under way at once, of the application and our own; further ones are refused.
    pub lookups_max: usize,
    /// Requests under way to one peer: what an answer of [`Busy`](repute_protocol::DhtAnswer::Busy)
    /// can hit at once.
    pub requests_per_peer_max: usize,
    /// Links asked for and not yet there, to spare sockets and NAT tables.
    pub dials_max: usize,
    /// Requests of one lookup: many times what the longest honest one needs.
    pub requests_per_lookup_max: usize,
    /// How long a lookup may take; then it ends with what it has.
    pub lookup_max: Duration,
    /// Nodes that one lookup remembers; the furthest goes first.
    pub candidates_max: usize,
    /// Nodes that one answer may add to a lookup: its k closest are all an honest one has.
    pub told_max: usize,
    /// Named nodes that were not there, and that nothing named beside them made good, before the
    /// rest of what the same peer named is asked last.
    pub invented_max: u32,
    /// The least wait for an answer before another is asked: a busy machine is no dead one.
    pub wait_min: Duration,
    /// The wait for the first answer of a peer before another is asked.
    pub wait_first: Duration,
    /// The longest wait for an answer before another is asked.
    pub wait_max: Duration,
    /// The wait for an answer after which there will be none.
    pub answer_max: Duration,
    /// The wait for a link after which there will be none: longer than the shell's own.
    pub dial_max: Duration,
    /// Records kept for others.
    pub records_max: usize,
    /// Bytes of records kept for others.
    pub record_bytes_max: usize,
    /// Records of one author, so that one identity cannot fill the store.
    pub author_records_max: usize,
    /// Bytes of the records of one author.
    pub author_bytes_max: usize,
    /// Records of one key, where many authors share it.
    pub key_records_max: usize,
    /// Records of one key that came from one address prefix.
    pub key_group_max: usize,
    /// Records that one peer brought: a quarter of all, since holders also hand over for others.
    pub sender_records_max: usize,
    /// Records waiting for their signature check; further ones are turned away.
    pub verifying_max: usize,
    /// The same for one peer's link.
    pub verifying_per_peer_max: usize,
    /// Records of our own that are published again and again.
    pub publications_max: usize,
    /// Records handed to one newcomer.
    pub handover_max: usize,
    /// Records that are put again by us as a holder at once.
    pub replications_max: usize,
    /// Peers whose standing is remembered; the one told longest ago goes first.
    pub standings_max: usize,
    /// Requests of one link for each second that are served; beyond, the answer is busy.
    pub serve_per_second: u64,
    /// Requests of one link that are served beyond the rate.
    pub serve_burst: u64,
    /// Requests of one link for each second that are told to be too many: an honest node waits a
    /// second when told so, and never gets there.
    pub busy_per_second: u64,
    /// The same, beyond the rate.
    pub busy_burst: u64,
    /// Advertisements of one author and slot, each within a minute of the one before, that are not
    /// held against it in an hour: clocks are set back, nodes restart.
    pub hasty_max: u8,
    /// Contacts handed to the store.
    pub contacts_stored_max: usize,
    /// Rows handed to the store at once.
    pub persist_batch_max: usize,
}

impl Limits {
    /// An advertisement may be replaced after this long.
    pub const ADVERTISEMENT_PAUSE: Duration = Duration::from_secs(60);
    /// A peer heard on its link this lately needs no further proof that it is there.
    pub const FRESH: Duration = Duration::from_secs(60);
    /// A contact that failed this many times in a row is dropped.
    pub const FAILURES_MAX: u8 = 2;
    /// How long a peer that was busy is left alone.
    pub const BUSY_PAUSE: Duration = Duration::from_secs(1);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lookups_max: 256,
            requests_per_peer_max: 128,
            dials_max: 64,
            requests_per_lookup_max: 128,
            lookup_max: Duration::from_secs(60),
            candidates_max: 256,
            told_max: 20,
            invented_max: 3,
            wait_min: Duration::from_millis(250),
            wait_first: Duration::from_secs(1),
            wait_max: Duration::from_secs(3),
            answer_max: Duration::from_secs(5),
            dial_max: Duration::from_secs(15),
            records_max: 16_384,
            record_bytes_max: 32 << 20,
            author_records_max: 512,
            author_bytes_max: 1 << 20,
            key_records_max: 256,
            key_group_max: 64,
            sender_records_max: 4_096,
            verifying_max: 1_024,
            verifying_per_peer_max: 128,
            publications_max: 256,
            handover_max: 256,
            replications_max: 4,
            standings_max: 4_096,
            serve_per_second: 2_000,
            serve_burst: 4_000,
            busy_per_second: 2_000,
            busy_burst: 20_000,
            hasty_max: 3,
            contacts_stored_max: 128,
            persist_batch_max: 256,
        }
    }
}
