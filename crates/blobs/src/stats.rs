/// Counters and sizes. Counters begin with the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Downloads that are there, paused ones included.
    pub downloads: usize,
    /// Downloads that finished.
    pub finished: u64,
    /// Blobs that this node offers.
    pub held: usize,
    /// Requests of ours under way.
    pub requests: usize,
    /// Requests of ours so far.
    pub requests_sent: u64,
    /// Bytes that arrived and were right and new.
    pub bytes_received: u64,
    /// Bytes that arrived twice, because the end of a download is asked for twice.
    pub bytes_duplicate: u64,
    /// Groups that did not match their hash.
    pub groups_corrupt: u64,
    /// Requests on which nothing came for too long.
    pub stalls: u64,
    /// Of these, how many are held against nobody: everybody was silent.
    pub stalls_excused: u64,
    /// Peers served now, and peers that wait.
    pub served: (usize, usize),
    /// Requests of others that were served.
    pub requests_served: u64,
    /// Requests of others that had to wait.
    pub requests_queued: u64,
    /// Requests of others that were refused.
    pub requests_refused: u64,
    /// Bytes sent to others.
    pub bytes_sent: u64,
    /// Frames beyond the budget of their link, dropped.
    pub frames_dropped: u64,
}
