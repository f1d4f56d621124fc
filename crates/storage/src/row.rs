use repute_base::Wall;
use repute_identity::NodeId;

/// What is known of one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRow {
    /// The peer.
    pub id: NodeId,
    /// When it was last active, by our clock.
    pub last_seen: Wall,
    /// What the engine says about it, in the engine's encoding; up to
    /// [`PEER_BODY_MAX`](crate::limits::PEER_BODY_MAX) bytes.
    pub body: Vec<u8>,
}

/// One event of the trust ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its place in the ledger: unique, growing; up to
    /// [`NUMBER_MAX`](crate::limits::NUMBER_MAX).
    pub number: u64,
    /// Whom it is about.
    pub subject: NodeId,
    /// When it happened, by our clock.
    pub wall: Wall,
    /// What happened, in the engine's numbering.
    pub kind: u16,
    /// Whose fault it was, in the engine's numbering.
    pub fault: u8,
    /// In which context, in the engine's numbering.
    pub context: u8,
    /// The rest, in the engine's encoding; up to
    /// [`EVENT_BODY_MAX`](crate::limits::EVENT_BODY_MAX) bytes.
    pub body: Vec<u8>,
}

/// One record of what was heard from a source of recommendations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HearsayRow {
    /// Its place in the ledger: unique in its table, growing; up to
    /// [`NUMBER_MAX`](crate::limits::NUMBER_MAX).
    pub number: u64,
    /// From whom.
    pub source: NodeId,
    /// When, by our clock.
    pub wall: Wall,
    /// The rest, in the engine's encoding; up to
    /// [`EVENT_BODY_MAX`](crate::limits::EVENT_BODY_MAX) bytes.
    pub body: Vec<u8>,
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRow {
    /// Who is banned.
    pub subject: NodeId,
    /// When the ban ends; `None` is never.
    pub until: Option<Wall>,
    /// Reason and evidence, in the engine's encoding; up to
    /// [`BAN_BODY_MAX`](crate::limits::BAN_BODY_MAX) bytes.
    pub body: Vec<u8>,
}

/// Something that an engine keeps by a key of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRow {
    /// For which purpose.
    pub shelf: Shelf,
    /// The engine's key; up to [`ITEM_KEY_MAX`](crate::limits::ITEM_KEY_MAX) bytes.
    pub key: Vec<u8>,
    /// When it was last of use, by our clock; a full shelf drops the oldest.
    pub wall: Wall,
    /// What the engine keeps, in its encoding; up to
    /// [`ITEM_BODY_MAX`](crate::limits::ITEM_BODY_MAX) bytes.
    pub body: Vec<u8>,
}

/// A purpose for which items are kept. Each shelf has a bound of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Shelf {
    /// Metrics and history of a peer, by its id.
    Profiles,
    /// What peers signed about each other, by kind and both ids.
    Receipts,
    /// Records of the DHT, by key, author and slot.
    Records,
    /// What this node offers in the directory, by slot.
    Offers,
}

impl Shelf {
    /// Every shelf, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::Profiles, Self::Receipts, Self::Records, Self::Offers];

    /// The stable number in the store.
    pub const fn code(self) -> u8 {
        match self {
            Self::Profiles => 1,
            Self::Receipts => 2,
            Self::Records => 3,
            Self::Offers => 4,
        }
    }

    /// The shelf of this number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|shelf| shelf.code() == code)
    }
}

/// What was seen of one author since one of its starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRow {
    /// The author.
    pub author: NodeId,
    /// The start that its numbers count from, as the author says.
    pub start: u64,
    /// The highest number seen.
    pub highest: u64,
    /// Which of the numbers below it were seen, in the engine's encoding; up to
    /// [`SEEN_BITMAP_MAX`](crate::limits::SEEN_BITMAP_MAX) bytes.
    pub bitmap: Vec<u8>,
    /// When the last one was seen, by our clock; retention counts from here.
    pub wall: Wall,
}
