use core::time::Duration;

use repute_identity::NodeId;

/// What this node measured of a peer. Never what anybody says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sample {
    /// A probe at a time the peer could not choose: whether it was there. One an hour counts.
    Probe {
        /// Whether it answered.
        answered: bool,
    },
    /// How long an answer took; at most a minute counts.
    Latency(Duration),
    /// A transfer ended.
    Transfer(Transfer),
    /// A circuit through the peer was opened, or failed.
    Circuit {
        /// Whether it stood.
        ok: bool,
    },
    /// A reservation was asked of the peer.
    Reservation {
        /// Whether it was granted.
        ok: bool,
    },
    /// The peer relayed bytes, by receipts that *both* ends have signed. A pair counts for at
    /// most one GiB a day, and only so many pairs a day, so that relaying one's own is bounded.
    Relayed {
        /// The two ends.
        ends: [NodeId; 2],
        /// How many bytes.
        bytes: u64,
    },
    /// A signing session with the peer ended.
    Signing {
        /// How.
        outcome: SigningOutcome,
        /// How long the peer took.
        took: Duration,
    },
    /// An event of the application's own.
    Custom {
        /// Which of its tallies: 0 to 3; others are ignored.
        slot: u8,
        /// Whether it was good.
        ok: bool,
    },
}

/// One transfer, as this node saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Whether all of it arrived and was right.
    pub ok: bool,
    /// Which way it went.
    pub direction: Direction,
    /// How many bytes went.
    pub bytes: u64,
    /// How long that took. Under 16 KiB it says nothing about bandwidth.
    pub took: Duration,
    /// How long the first byte took, if that was measured.
    pub latency: Option<Duration>,
}

/// Which way a transfer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the peer to this node.
    Down,
    /// From this node to the peer.
    Up,
}

/// How a signing session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SigningOutcome {
    /// The peer did its part.
    Completed,
    /// It did not answer in time.
    TimedOut,
    /// It left in the middle.
    Disconnected,
    /// Its part was wrong.
    Invalid,
    /// It called the session off.
    Aborted,
}

impl SigningOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [
        Self::Completed,
        Self::TimedOut,
        Self::Disconnected,
        Self::Invalid,
        Self::Aborted,
    ];
}

impl Sample {
    /// Whether this tells of something done together, rather than of a measurement alone.
    pub const fn is_interaction(&self) -> bool {
        !matches!(self, Self::Probe { .. } | Self::Latency(_))
    }

    /// Whether it speaks for the peer; `None` when it judges nothing.
    pub const fn is_good(&self) -> Option<bool> {
        match self {
            Self::Probe { answered: ok }
            | Self::Circuit { ok }
            | Self::Reservation { ok }
            | Self::Custom { ok, .. } => Some(*ok),
            Self::Transfer(transfer) => Some(transfer.ok),
            Self::Signing { outcome, .. } => Some(matches!(outcome, SigningOutcome::Completed)),
            Self::Relayed { .. } => Some(true),
            Self::Latency(_) => None,
        }
    }

    /// A stable name for logs and JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Probe { .. } => "probe",
            Self::Latency(_) => "latency",
            Self::Transfer(_) => "transfer",
            Self::Circuit { .. } => "circuit",
            Self::Reservation { .. } => "reservation",
            Self::Relayed { .. } => "relayed",
            Self::Signing { .. } => "signing",
            Self::Custom { .. } => "custom",
        }
    }
}
