//! Every bound of the store, with its reason. Lengths are in bytes unless said otherwise.

use core::time::Duration;

use repute_protocol::limits;

/// What an engine says about one peer: its inception record, addresses and link history.
pub const PEER_BODY_MAX: usize = 8 * 1024;
/// What an engine says about one event: room for an envelope kept as evidence, and a note.
pub const EVENT_BODY_MAX: usize = limits::ENVELOPE_MAX + 1024;
/// What an engine says about one ban: reason and the numbers of the events behind it.
pub const BAN_BODY_MAX: usize = 4 * 1024;
/// Bits for 65,536 sequence numbers of one author, far more than it may send in a window.
pub const SEEN_BITMAP_MAX: usize = 8 * 1024;
/// The key of an item: room for three ids.
pub const ITEM_KEY_MAX: usize = 96;
/// What an engine keeps under one key: a record of the DHT takes 11 KiB at most.
pub const ITEM_BODY_MAX: usize = 12 * 1024;
/// A name in `network_state`.
pub const STATE_KEY_MAX: usize = 128;
/// A value in `network_state`: snapshots of small things; large ones belong in a table.
pub const STATE_VALUE_MAX: usize = 1024 * 1024;
/// An event number, start or checkpoint: what a signed 64-bit column of a database can hold.
pub const NUMBER_MAX: u64 = i64::MAX as u64;

/// Rows of `peers`; past it the peers heard of longest ago are forgotten.
pub const PEERS_MAX: u64 = 65_536;
/// Rows of `trust_events`; past it events are refused until a checkpoint folds older ones.
/// Four times the largest ledger that is promised to reopen within two seconds.
pub const EVENTS_MAX: u64 = 4_000_000;
/// Rows of `hearsay`; past it they are refused until a checkpoint or a source that is forgotten.
/// More than the engine writes within its own bounds.
pub const HEARSAY_MAX: u64 = 1_000_000;
/// Rows of `bans`; past it the bans that end soonest are dropped, those without end last.
pub const BANS_MAX: u64 = 65_536;
/// Rows of `messages_seen`; past it the rows written longest ago are dropped.
pub const SEEN_MAX: u64 = 65_536;
/// Rows of `network_state`; past it new names are refused.
pub const STATES_MAX: u64 = 1_024;
/// Rows of one shelf of `items`; past it the rows whose time is longest ago are dropped.
pub const ITEMS_MAX: u64 = 65_536;
/// Rows set aside in `damaged`; past it the oldest are dropped.
pub const DAMAGED_MAX: u64 = 1_024;

/// Rows in one batch: more would hold up everyone else's acknowledgement.
pub const BATCH_ROWS_MAX: usize = 8_192;
/// Rows that wait for the writer at once; past it a batch is answered `Busy`.
pub const QUEUE_ROWS_MAX: usize = 32_768;
/// Bytes that wait for the writer at once; past it a batch is answered `Busy`.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Rows that share one commit: bounds the wait of the first in a group.
pub const GROUP_ROWS_MAX: usize = 8_192;
/// Rows that one `Prune` removes from one table at most; the next one goes on.
pub const PRUNE_ROWS_MAX: usize = 10_000;
/// Events that one question about a subject answers at most.
pub const EVENTS_OF_MAX: usize = 10_000;

/// How long the record of what was seen is kept when messages are kept for `retention`:
/// longer than the window, so that nothing can be replayed at its edge, across restarts.
pub const fn seen_retention(retention: Duration) -> Duration {
    retention.saturating_add(limits::SEEN_MARGIN)
}

/// How many rows each table may hold; the constants of this module unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Rows of `peers`, see [`PEERS_MAX`].
    pub peers: u64,
    /// Rows of `trust_events`, see [`EVENTS_MAX`].
    pub events: u64,
    /// Rows of `hearsay`, see [`HEARSAY_MAX`].
    pub hearsay: u64,
    /// Rows of `bans`, see [`BANS_MAX`].
    pub bans: u64,
    /// Rows of `messages_seen`, see [`SEEN_MAX`].
    pub seen: u64,
    /// Rows of `network_state`, see [`STATES_MAX`].
    pub states: u64,
    /// Rows of each shelf of `items`, see [`ITEMS_MAX`].
    pub items: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            peers: PEERS_MAX,
            events: EVENTS_MAX,
            hearsay: HEARSAY_MAX,
            bans: BANS_MAX,
            seen: SEEN_MAX,
            states: STATES_MAX,
            items: ITEMS_MAX,
        }
    }
}
