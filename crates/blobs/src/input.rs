use alloc::{boxed::Box, vec::Vec};
use core::ops::Range;

use repute_base::Fixed;
use repute_identity::NodeId;
use repute_protocol::{
    BlobFrame, BlobHash, Contact, FromPeer, Tier, TransferAnswer, TransferRequest,
};

use crate::GroupRanges;

/// The caller's name for a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DownloadId(pub u64);

/// One request of ours, on a stream of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// One request of somebody else, on a stream of its own; the shell's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What is to be fetched, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The caller's name for it.
    pub id: DownloadId,
    /// Which blob.
    pub hash: BlobHash,
    /// Its size, if somebody told it. Believed until peers prove another.
    pub size: Option<u64>,
    /// Groups that are there already, durable and proven: they are never fetched again.
    pub verified: GroupRanges,
    /// Some who may have it.
    pub peers: Vec<Contact>,
    /// Who may be fetched from.
    pub choice: Choice,
}

/// How a person overrides the choice of seeders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Only from these; empty means from anybody.
    pub only: Vec<NodeId>,
    /// From these before others, if they pass the gates.
    pub prefer: Vec<NodeId>,
    /// Only from peers of at least this standing.
    pub grade_min: Option<Grade>,
    /// Find, ask and rank; tell the plan and fetch nothing.
    pub dry_run: bool,
}

/// How good a peer's standing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Enough is known, and it is bad: never fetched from.
    Distrusted,
    /// Too little is known.
    Unknown,
    /// Known, and little good.
    Low,
    /// Of medium standing.
    Medium,
    /// Of high standing.
    High,
    /// Trusted.
    Trusted,
}

/// Where a candidate stands, by who judges peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// Who.
    pub peer: NodeId,
    /// Its standing.
    pub grade: Grade,
    /// Its score as a seeder, 0 to 1.
    pub score: Fixed,
    /// How little is known, 0 to 1.
    pub uncertainty: Fixed,
    /// Whether it was drawn from the unknown to be tried.
    pub explored: bool,
    /// Whether a gate keeps it out: it is not fetched from.
    pub closed: bool,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// All of it was there.
    Done,
    /// The other end or the network ended it early. Nobody's fault.
    Lost,
    /// This node ended it: its disk, its memory, its owner. Never held against the peer.
    Local,
    /// What came has no meaning: a head or a length that no honest peer sends.
    Malformed,
}

/// What is wrong here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is no room left.
    #[error("the disk is full: make room, then resume")]
    DiskFull,
    /// It cannot be written or read.
    #[error("the store failed: see its error, then resume")]
    Store,
}

/// What the shell hands to [`Blobs`](crate::Blobs).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// The time has come that [`next_deadline`](repute_base::Machine::next_deadline) named.
    Tick,
    /// The node stops: every request and upload is ended, and no new one begins.
    Shutdown,
    /// An admitted link begins.
    LinkUp {
        /// Who is at the other end.
        peer: NodeId,
    },
    /// The link to a peer has ended, and all streams with it.
    LinkDown {
        /// Who was at the other end.
        peer: NodeId,
    },
    /// Answer to [`Output::Link`](crate::Output::Link): there is no link.
    Unreachable {
        /// Who was to be reached.
        peer: NodeId,
    },
    /// What the trust engine thinks of a peer now.
    Standing {
        /// Who.
        peer: NodeId,
        /// How well it is served.
        tier: Tier,
        /// Whether a gate keeps it out: it is neither served nor fetched from.
        closed: bool,
    },
    /// A session of receipts was agreed on: requests to this peer name it from now on.
    Session {
        /// Who serves.
        peer: NodeId,
        /// The number of the session.
        session: u64,
    },
    /// A frame from a link.
    Frame(FromPeer<BlobFrame>),
    /// This node has these groups of a blob and offers them.
    Share {
        /// Which.
        hash: BlobHash,
        /// How many bytes it has, proven.
        size: u64,
        /// Which groups.
        groups: GroupRanges,
    },
    /// Offer it no longer.
    Unshare {
        /// Which.
        hash: BlobHash,
    },
    /// Fetch.
    Download(Box<Order>),
    /// Stop fetching until [`Input::Resume`].
    Pause {
        /// Which.
        id: DownloadId,
    },
    /// Go on.
    Resume {
        /// Which.
        id: DownloadId,
    },
    /// Forget the download. What was fetched is the store's.
    Cancel {
        /// Which.
        id: DownloadId,
    },
    /// Some who say that they have a blob: of the DHT or of an announcement. Asks nothing of
    /// anybody unless a download wants it.
    Providers {
        /// Which.
        hash: BlobHash,
        /// Who, and where.
        contacts: Vec<Contact>,
    },
    /// Answer to [`Output::Rank`](crate::Output::Rank).
    Ranked {
        /// As in the request.
        id: DownloadId,
        /// Best first. Whoever is missing is not fetched from.
        ranked: Vec<Ranked>,
    },
    /// The head of the answer to a request.
    Answered {
        /// Which.
        request: RequestId,
        /// What it says.
        answer: TransferAnswer,
    },
    /// Groups arrived, are proven and are in the store.
    Received {
        /// On which request.
        request: RequestId,
        /// Which.
        groups: Range<u64>,
    },
    /// What arrived does not match the hash. The stream is over.
    Corrupt {
        /// On which request.
        request: RequestId,
    },
    /// The stream of a request has ended.
    Ended {
        /// Which.
        request: RequestId,
        /// How.
        end: StreamEnd,
    },
    /// A download cannot go on for a reason of this node's own: it pauses.
    Trouble {
        /// Which.
        id: DownloadId,
        /// Why.
        kind: Trouble,
    },
    /// Somebody asks for groups on a stream.
    Asked {
        /// Who.
        peer: NodeId,
        /// On which stream.
        stream: StreamId,
        /// For what.
        request: TransferRequest,
    },
    /// So many more bytes went out on a stream.
    Sent {
        /// On which.
        stream: StreamId,
        /// How many.
        bytes: u64,
    },
    /// A stream of somebody else's has ended.
    SentAll {
        /// Which.
        stream: StreamId,
        /// How.
        end: StreamEnd,
    },
}
