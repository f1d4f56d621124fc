use repute_identity::NodeId;

use crate::{
    BanRow, Done, EventRow, HearsayRow, ItemRow, PeerRow, SeenRow, Shelf, StoreError, Write,
};

/// A durable store of what a node must not forget.
///
/// Every implementation passes [`contract::run`](crate::contract::run). All methods may be called
/// from any thread; reading never waits for writing.
pub trait Store: Send + Sync + 'static {
    /// Queues a batch, to be written whole or not at all; `done` is called exactly once, when it
    /// is durable or has failed.
    ///
    /// Batches of one thread are written, and answered, in the order of the calls, except that a
    /// batch which is never queued ([`Busy`](StoreError::Busy), [`Closed`](StoreError::Closed),
    /// [`TooLarge`](StoreError::TooLarge), [`Misuse`](StoreError::Misuse)) is answered before this
    /// returns. Never waits for the disk of a durable store. What was acknowledged is seen by
    /// every read that starts later.
    fn write(&self, batch: Vec<Write>, done: Done);

    /// All peers, the latest active first.
    ///
    /// # Errors
    /// [`Corrupt`](StoreError::Corrupt), [`Io`](StoreError::Io) or [`Closed`](StoreError::Closed),
    /// as every read.
    fn peers(&self) -> Result<Vec<PeerRow>, StoreError>;

    /// Visits the whole ledger, in the order of the numbers, as it was at the start of the call.
    ///
    /// # Errors
    /// As [`peers`](Self::peers); rows visited before an error are true.
    fn events(&self, visit: &mut dyn FnMut(EventRow)) -> Result<LoadReport, StoreError>;

    /// The latest events about `subject`, the newest first, at most `limit` and at most
    /// [`EVENTS_OF_MAX`](crate::limits::EVENTS_OF_MAX).
    ///
    /// # Errors
    /// As [`peers`](Self::peers).
    fn events_of(&self, subject: NodeId, limit: usize) -> Result<Vec<EventRow>, StoreError>;

    /// All that was heard, in the order of the numbers.
    ///
    /// # Errors
    /// As [`peers`](Self::peers).
    fn hearsay(&self) -> Result<Vec<HearsayRow>, StoreError>;

    /// All bans, ended ones included, in the order of the ids.
    ///
    /// # Errors
    /// As [`peers`](Self::peers).
    fn bans(&self) -> Result<Vec<BanRow>, StoreError>;

    /// All records of what was seen, in the order of author and start.
    ///
    /// # Errors
    /// As [`peers`](Self::peers).
    fn seen(&self) -> Result<Vec<SeenRow>, StoreError>;

    /// All items of a shelf, in the order of the keys.
    ///
    /// # Errors
    /// As [`peers`](Self::peers).
    fn items(&self, shelf: Shelf) -> Result<Vec<ItemRow>, StoreError>;

    /// The value last set under `key`.
    ///
    /// # Errors
    /// As [`peers`](Self::peers), and [`Damaged`](StoreError::Damaged) once if the value failed
    /// its check.
    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Waits until everything queued before is durable or has failed. Not to be called from a
    /// [`Done`].
    ///
    /// # Errors
    /// [`Closed`](StoreError::Closed), or [`Misuse`](StoreError::Misuse) from a `Done`. A batch
    /// that fails says so to its own `Done`.
    fn flush(&self) -> Result<(), StoreError>;

    /// Writes what is queued, then lets go of the disk. Later calls answer
    /// [`Closed`](StoreError::Closed); closing twice is nothing.
    ///
    /// # Errors
    /// [`Io`](StoreError::Io) if the last tidying failed; nothing acknowledged is lost by it.
    fn close(&self) -> Result<(), StoreError>;

    /// How the store is, for the operator. Never waits for the disk.
    fn health(&self) -> Health;
}

/// What a visit of the ledger found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Events visited.
    pub events: u64,
    /// Rows that failed their check and were left out.
    pub damaged: u64,
    /// The highest number visited; the next event is numbered above it.
    pub number_max: Option<u64>,
}

/// How a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Rows of `peers`.
    pub peers: u64,
    /// Rows of `trust_events`.
    pub events: u64,
    /// Rows of `bans`.
    pub bans: u64,
    /// Rows of `hearsay`.
    pub hearsay: u64,
    /// Rows of `messages_seen`.
    pub seen: u64,
    /// Rows of `network_state`.
    pub states: u64,
    /// Rows of `items`, over all shelves.
    pub items: u64,
    /// Rows that failed their check since the store was opened, each counted when it was read.
    pub damaged: u64,
    /// Rows that wait for the writer.
    pub rows_queued: usize,
    /// Whether the last write failed for want of space.
    pub storage_full: bool,
    /// Whether the store is closed.
    pub closed: bool,
}
