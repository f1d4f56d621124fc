use core::time::Duration;

use repute_protocol::{RecordKind, limits::FUTURE_MAX};

/// Policy of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryConfig {
    /// How long a search waits for the DHT before it answers with what there is.
    pub lookup_timeout: Duration,
    /// Whether loopback and private addresses count by prefix too. Otherwise each address and port
    /// of theirs is a place of its own, for nodes that are linked over such addresses.
    pub loopback_strict: bool,
}

impl Default for DirectoryConfig {
    fn default() -> Self {
        Self {
            lookup_timeout: Duration::from_secs(30),
            loopback_strict: false,
        }
    }
}

/// Bounds of what the directory holds, whatever comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryLimits {
    /// Advertisements of others. Beyond it the one of the least trusted author goes, and of equals
    /// the one that expires first.
    pub entries_max: usize,
    /// Bytes of these: a few hundred for most, so 4,096 of them fit; a flood of the longest does
    /// not grow beyond this.
    pub entry_bytes_max: usize,
    /// Advertisements that name, or came from, addresses of one prefix: as many as the DHT keeps at
    /// a key. Whoever owns a prefix takes places from nobody else.
    pub group_max: usize,
    /// Authors whose pace is remembered, some 800 bytes each; the one heard longest ago goes first.
    pub authors_max: usize,
    /// Peers whose standing is remembered; the one told longest ago goes first.
    pub standings_max: usize,
    /// Linked peers.
    pub links_max: usize,
    /// Records at the signature check; more are passed over, and come again when they are renewed.
    pub checks_max: usize,
    /// Searches that wait for the DHT.
    pub searches_max: usize,
    /// Filters that are watched.
    pub watches_max: usize,
    /// Entries in one answer.
    pub found_max: usize,
    /// Advertisements of one author, each within a minute of the one before it, that are not held
    /// against it in an hour: nodes restart.
    pub hasty_max: u8,
}

impl Default for DirectoryLimits {
    fn default() -> Self {
        Self {
            entries_max: 4_096,
            entry_bytes_max: 16 << 20,
            group_max: 64,
            authors_max: 4_096,
            standings_max: 4_096,
            links_max: 1_024,
            checks_max: 256,
            searches_max: 256,
            watches_max: 64,
            found_max: 256,
            hasty_max: 3,
        }
    }
}

impl DirectoryLimits {
    /// Between two advertisements of one key.
    pub const PAUSE: Duration = Duration::from_secs(60);
    /// The shortest time that an advertisement can be signed for: it is renewed after a third.
    pub const LIFETIME_MIN: Duration = Duration::from_secs(600);
    /// The longest.
    pub const LIFETIME_MAX: Duration = RecordKind::Advertisement.lifetime_max();
    /// A record signed for no longer than this takes back what its author offered before.
    pub const FAREWELL: Duration = Duration::from_secs(60);
    /// In how long [`hasty_max`](Self::hasty_max) is forgiven.
    pub(crate) const HASTY_WINDOW: Duration = Duration::from_secs(3_600);
    /// Records of one author that are looked at: all of its keys, twice ...
    pub(crate) const AUTHOR_BURST: u64 = 20;
    /// ... and then one in this many seconds: each key once a minute.
    pub(crate) const AUTHOR_SECONDS_EACH: u64 = 6;
    /// Signatures of our own under way: farewells of all keys under all names.
    pub(crate) const SIGNING_MAX: usize = 256;
    /// A clock set back by more was so far ahead that others refused what it dated.
    pub(crate) const CLOCK_BACK_MAX: Duration = FUTURE_MAX.saturating_mul(2);
}
