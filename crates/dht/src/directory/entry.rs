use repute_base::Wall;
use repute_identity::NodeId;
use repute_protocol::{Advertisement, Seq};

/// How an advertisement came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HeardBy {
    /// Its author, linked to this node, offered it.
    Offer,
    /// Gossip brought it.
    Gossip,
    /// The DHT had it.
    Lookup,
}

impl HeardBy {
    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Gossip => "gossip",
            Self::Lookup => "dht",
        }
    }
}

/// An advertisement of somebody else, whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who offers.
    pub author: NodeId,
    /// Which of the author's keys it is for.
    pub slot: u8,
    /// What is offered; escape its text before showing.
    pub advertisement: Advertisement,
    /// The author's number for it.
    pub seq: Seq,
    /// When it was signed.
    pub sent: Wall,
    /// Until when it holds.
    pub expires: Wall,
    /// How it came here.
    pub heard_by: HeardBy,
}

/// An advertisement of this node.
#[derive(Clone, Copy, Debug)]
pub struct OwnAdvertisement<'a> {
    /// For which of its keys.
    pub slot: u8,
    /// What is offered.
    pub advertisement: &'a Advertisement,
    /// How long each signature holds.
    pub lifetime: core::time::Duration,
    /// Until when the newest holds; nothing before the first one is made.
    pub expires: Option<Wall>,
}
