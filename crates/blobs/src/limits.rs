use core::time::Duration;

/// Bounds: what keeps a hostile network from growing this engine. Not policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Downloads at once, paused ones included; further ones are refused.
    pub downloads_max: usize,
    /// Peers that one download remembers, named in tickets, records or announcements; further ones
    /// take the place of such as were given up, or are passed over.
    pub candidates_max: usize,
    /// Separate ranges of groups that are remembered of one peer; the highest are forgotten.
    pub holdings_ranges_max: usize,
    /// The largest blob that is fetched, in bytes: what somebody claims costs nothing to claim.
    pub size_max: u64,
    /// Blobs that this node offers; further ones are refused.
    pub held_max: usize,
    /// Peers that are told of what a blob gains; the one that asked longest ago goes first.
    pub watchers_max: usize,
    /// Links asked for and not yet there, to spare sockets and NAT tables.
    pub dials_max: usize,
    /// Groups of one request, so that no turn is endless: 64 MiB.
    pub request_groups_max: u64,
    /// Requests of one peer that are served at once, and that are under way to one peer.
    pub requests_per_peer_max: usize,
    /// Peers that wait for their turn. Of more, the last of the least tier goes.
    pub queue_max: usize,
    /// Peers whose standing is remembered; the one told longest ago goes first.
    pub standings_max: usize,
    /// Frames of one link for each second that are looked at; beyond, they are dropped.
    pub frames_per_second: u64,
    /// Frames of one link that are looked at beyond the rate.
    pub frames_burst: u64,
    /// How long an answer to a query, a ranking or a turn is waited for.
    pub answer_max: Duration,
    /// A peer from which nothing came for this long on a request stalls.
    pub stall_min: Duration,
    /// The same for one that was slow all along.
    pub stall_max: Duration,
    /// The shortest and the longest time for which a peer that failed is left alone.
    pub pause: (Duration, Duration),
}

impl Limits {
    /// How often what a blob gained is told at most.
    pub const UPDATE_PAUSE: Duration = Duration::from_secs(2);
    /// How long a turn is kept for who waited.
    pub const TURN_WAIT: Duration = Duration::from_secs(10);
    /// How often progress is told.
    pub const PROGRESS_PAUSE: Duration = Duration::from_millis(500);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            downloads_max: 64,
            candidates_max: 64,
            holdings_ranges_max: 256,
            size_max: 1 << 44,
            held_max: 65_536,
            watchers_max: 64,
            dials_max: 16,
            request_groups_max: 4_096,
            requests_per_peer_max: 8,
            queue_max: 256,
            standings_max: 4_096,
            frames_per_second: 50,
            frames_burst: 500,
            answer_max: Duration::from_secs(5),
            stall_min: Duration::from_secs(5),
            stall_max: Duration::from_secs(15),
            pause: (Duration::from_secs(2), Duration::from_secs(60)),
        }
    }
}
