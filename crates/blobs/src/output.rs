use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use repute_base::{Address, Fixed};
use repute_identity::NodeId;
use repute_protocol::{
    BlobFrame, BlobHash, Misbehaviour, Tier, TransferAnswer, TransferRefusal, TransferRequest,
};

use crate::{DownloadId, Grade, GroupRanges, RequestId, StreamId, Trouble};

/// What was measured of a peer, for the trust engine. Never anything that this node's own disk or
/// network can have caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// It served: all that it sent was right.
    Served {
        /// How many bytes.
        bytes: u64,
        /// While so long something was asked of it.
        took: Duration,
        /// How long the first bytes took.
        latency: Option<Duration>,
    },
    /// It stopped in the middle, while others went on.
    Stalled {
        /// How many bytes it had sent since it was last spoken of.
        bytes: u64,
        /// While so long something was asked of it.
        took: Duration,
    },
    /// It was served by this node.
    Took {
        /// How many bytes.
        bytes: u64,
        /// In so long.
        took: Duration,
    },
}

/// One row of the table of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanRow {
    /// Who.
    pub peer: NodeId,
    /// Its place in the ranking, from 1; none if it was not ranked.
    pub place: Option<usize>,
    /// Its standing.
    pub grade: Option<Grade>,
    /// Its score as a seeder, 0 to 1.
    pub score: Fixed,
    /// How little is known, 0 to 1.
    pub uncertainty: Fixed,
    /// How many groups it has.
    pub groups: u64,
    /// How well it serves this node.
    pub tier: Tier,
    /// How many more it could serve.
    pub slots_free: u8,
    /// Whether it is fetched from, and why or why not.
    pub verdict: Verdict,
}

/// Why somebody is fetched from, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Known, and best by score.
    Chosen,
    /// A person prefers it.
    Preferred,
    /// Unknown: it gets small requests until it has delivered.
    Explored,
    /// Waits to take the place of somebody worse.
    Standby,
    /// A person wants others only.
    Excluded,
    /// A gate keeps it out.
    Closed,
    /// Its standing is below what was asked for.
    BelowGrade,
    /// It has nothing that is needed.
    NothingNeeded,
    /// It claims another size than the others.
    OtherSize,
    /// It is left alone for a while: it failed, was busy, or refused.
    Paused,
    /// It sent what does not match the hash.
    Corrupt,
    /// It has not answered.
    Silent,
}

impl Verdict {
    /// A stable name for people and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Preferred => "preferred",
            Self::Explored => "explored",
            Self::Standby => "standby",
            Self::Excluded => "excluded",
            Self::Closed => "closed",
            Self::BelowGrade => "below-grade",
            Self::NothingNeeded => "nothing-needed",
            Self::OtherSize => "other-size",
            Self::Paused => "paused",
            Self::Corrupt => "corrupt",
            Self::Silent => "silent",
        }
    }

    /// The same in words, short enough for a table.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Chosen => "best by score",
            Self::Preferred => "you prefer it",
            Self::Explored => "new, tried a little",
            Self::Standby => "others are better",
            Self::Excluded => "you named others",
            Self::Closed => "a gate keeps it out",
            Self::BelowGrade => "level too low",
            Self::NothingNeeded => "lacks the rest",
            Self::OtherSize => "claims another size",
            Self::Paused => "failed or was busy",
            Self::Corrupt => "sent what is wrong",
            Self::Silent => "has not answered",
        }
    }

    /// Whether it is fetched from.
    pub const fn is_chosen(self) -> bool {
        matches!(self, Self::Chosen | Self::Preferred | Self::Explored)
    }
}

/// How far a download is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which.
    pub id: DownloadId,
    /// Which blob.
    pub hash: BlobHash,
    /// Its size, if known; proven once the last group is there.
    pub size: Option<u64>,
    /// Bytes there and proven.
    pub bytes: u64,
    /// Bytes a second lately.
    pub rate: u64,
    /// How long the rest takes at this rate.
    pub left: Option<Duration>,
    /// Bytes that came in vain: not the right ones, or twice.
    pub wasted: u64,
    /// Everybody who is fetched from, or delivered something.
    pub seeders: Vec<SeederProgress>,
}

/// How far one seeder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeederProgress {
    /// Who.
    pub peer: NodeId,
    /// Bytes that came from it.
    pub bytes: u64,
    /// Bytes a second lately.
    pub rate: u64,
    /// Bytes asked for and not yet there.
    pub asked: u64,
    /// Whether it is one of those fetched from now.
    pub active: bool,
    /// Its place in that peer's queue, if it waits there.
    pub place: Option<u16>,
    /// Whether it is far slower than the others.
    pub slow: bool,
}

/// Why somebody is no longer fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Left {
    /// Sent what does not match the hash.
    Corrupt,
    /// Sent nothing for too long.
    Stalled,
    /// Its link is gone.
    Lost,
    /// Has no time; it tells when it has.
    Busy,
    /// Does not serve.
    Refused(TransferRefusal),
    /// Has nothing that is needed.
    NothingNeeded,
    /// Somebody faster or better takes its place.
    Replaced,
    /// A gate closed.
    Closed,
}

/// Why a download waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stuck {
    /// Nobody who has it was found.
    NobodyFound,
    /// Nobody who may be fetched from has what is missing.
    NobodyHasTheRest,
}

/// Why something asked for was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// As many downloads as fit are there.
    #[error("as many downloads are there as fit: try again when one of them has ended")]
    TooMany,
    /// There is a download of this name.
    #[error("there is a download of this name already")]
    Taken,
    /// There is no download of this name.
    #[error("there is no download of this name: it has ended, or was never begun")]
    Unknown,
    /// The blob is larger than any that is fetched.
    #[error("the file is larger than this node fetches: raise the limit, or check the ticket")]
    TooLarge,
    /// The node stops.
    #[error("the node stops")]
    Stopping,
}

/// For the application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Who was found, and who is fetched from. Told when a download has first chosen; of a dry run
    /// it is the end.
    Plan {
        /// Which.
        id: DownloadId,
        /// Best first.
        rows: Vec<PlanRow>,
    },
    /// How far it is.
    Progress(Box<Progress>),
    /// Somebody is fetched from, from now on.
    Joined {
        /// Which download.
        id: DownloadId,
        /// Who.
        peer: NodeId,
    },
    /// Somebody is no longer fetched from.
    Left {
        /// Which download.
        id: DownloadId,
        /// Who.
        peer: NodeId,
        /// Why.
        why: Left,
    },
    /// A download goes on as soon as somebody is found; it need not be asked for again.
    Stuck {
        /// Which.
        id: DownloadId,
        /// Why.
        why: Stuck,
    },
    /// A download does not go on before [`Input::Resume`](crate::Input::Resume).
    Paused {
        /// Which.
        id: DownloadId,
        /// What is wrong here; none if it was asked for.
        trouble: Option<Trouble>,
    },
    /// Every group is there and proven.
    Finished {
        /// Which.
        id: DownloadId,
        /// Bytes of the blob.
        size: u64,
        /// How long it took, pauses included.
        took: Duration,
        /// Bytes that came in vain.
        wasted: u64,
        /// Who delivered how many bytes, most first.
        seeders: Vec<(NodeId, u64)>,
    },
    /// What was asked for is not done.
    Refused {
        /// Which download.
        id: DownloadId,
        /// Why.
        reason: Refusal,
    },
    /// A blob is not offered, because as many are as fit.
    NotShared {
        /// Which.
        hash: BlobHash,
    },
}

/// What the shell must do for [`Blobs`](crate::Blobs).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Look for those who have a blob; [`Input::Providers`](crate::Input::Providers) answers.
    Find {
        /// Which.
        hash: BlobHash,
    },
    /// Let others find that this node has a blob, until [`Output::Withdraw`].
    Announce {
        /// Which.
        hash: BlobHash,
        /// How many bytes it has.
        size: u64,
    },
    /// No longer.
    Withdraw {
        /// Which.
        hash: BlobHash,
    },
    /// Make a link to this peer; [`Input::LinkUp`](crate::Input::LinkUp) or
    /// [`Input::Unreachable`](crate::Input::Unreachable) answers.
    Link {
        /// Whom to expect there.
        peer: NodeId,
        /// Where, best first.
        addresses: Vec<Address>,
    },
    /// No download needs the link to this peer any longer, whether [`Output::Link`] made it or not.
    Unlink {
        /// Who.
        peer: NodeId,
    },
    /// Send on the peer's link.
    Send {
        /// To whom.
        peer: NodeId,
        /// What.
        frame: BlobFrame,
    },
    /// Who of these should be fetched from? [`Input::Ranked`](crate::Input::Ranked) answers.
    Rank {
        /// For which download.
        id: DownloadId,
        /// All that have something of it.
        peers: Vec<NodeId>,
    },
    /// Value is about to move: agree on a session of receipts with who serves.
    Open {
        /// Who serves.
        peer: NodeId,
    },
    /// No more value moves for now.
    Close {
        /// Who served.
        peer: NodeId,
        /// How many bytes came since [`Output::Open`].
        bytes: u64,
    },
    /// Open a stream to a linked peer, write the head, and check what comes against the hash.
    Request {
        /// The engine's name for it.
        request: RequestId,
        /// For which download.
        id: DownloadId,
        /// Whom to ask.
        peer: NodeId,
        /// The head.
        transfer: TransferRequest,
        /// Bytes of the blob; an answer that says otherwise is not read.
        size: u64,
        /// Whether only so much may be read as [`Output::Receive`] allows.
        paced: bool,
    },
    /// So many more bytes may be read.
    Receive {
        /// On which request.
        request: RequestId,
        /// How many.
        bytes: u64,
    },
    /// Stop the stream of a request. What was proven is kept; nothing more is told of it.
    Cancel {
        /// Which.
        request: RequestId,
    },
    /// Write this head on a stream. Unless it serves, the stream ends with it.
    Answer {
        /// On which.
        stream: StreamId,
        /// What.
        answer: TransferAnswer,
    },
    /// After the head, send these groups.
    Serve {
        /// On which stream.
        stream: StreamId,
        /// Of which blob.
        hash: BlobHash,
        /// Which.
        groups: GroupRanges,
        /// Whether only so much may be sent as [`Output::Transmit`] allows.
        paced: bool,
    },
    /// So many more bytes may be sent.
    Transmit {
        /// On which stream.
        stream: StreamId,
        /// How many.
        bytes: u64,
    },
    /// End a stream of somebody else's. Nothing more is told of it.
    Stop {
        /// Which.
        stream: StreamId,
    },
    /// A peer did what no honest peer does.
    Misbehaviour {
        /// Who.
        peer: NodeId,
        /// What.
        kind: Misbehaviour,
    },
    /// Quality of service, for the trust engine.
    Evidence {
        /// Who.
        peer: NodeId,
        /// What was measured.
        evidence: Evidence,
    },
    /// For the application.
    Event(Event),
}
