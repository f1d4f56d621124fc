use repute_base::Address;
use repute_identity::NodeId;
use repute_protocol::{Disconnect, Frame, FromPeer, Handshake, Misbehaviour};

/// What happened on the endpoint, in order for each peer: first [`Event::LinkUp`], then frames,
/// then [`Event::LinkDown`], and nothing of that link after it. Heartbeats travel apart where they
/// can, and may overtake frames.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Both handshakes were exchanged and checked: the other end is `peer`.
    LinkUp {
        /// Who is at the other end.
        peer: NodeId,
        /// What it said about itself.
        handshake: Handshake,
        /// Where its packets come from.
        remote: Address,
        /// Whether it dialled us.
        inbound: bool,
    },
    /// The link is gone.
    LinkDown {
        /// Who was at the other end.
        peer: NodeId,
        /// Why.
        cause: LinkDown,
    },
    /// A dial came to nothing. A dial that succeeds is answered by [`Event::LinkUp`].
    DialFailed {
        /// Whom we dialled.
        peer: NodeId,
        /// Why.
        cause: DialFailure,
    },
    /// Frames that arrived together, in order. Never a handshake or a disconnect: the transport
    /// answers those itself.
    Frames {
        /// Who sent them.
        peer: NodeId,
        /// At least one.
        frames: Vec<FromPeer<Frame>>,
    },
    /// An authenticated peer broke the protocol below the engines.
    Violation {
        /// Who did.
        peer: NodeId,
        /// How.
        kind: Misbehaviour,
    },
    /// So many bytes given to `send` went to QUIC since the last such event.
    Drained {
        /// For whom they were.
        peer: NodeId,
        /// How many, frame headers included.
        bytes: usize,
    },
    /// A task of this link panicked: a defect of this program. The link ended, the rest lives.
    TaskPanicked {
        /// Whose link it was.
        peer: NodeId,
    },
}

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkDown {
    /// The other end said goodbye.
    Closed(Disconnect),
    /// The connection failed; why, in plain words that need no escaping.
    Lost(String),
    /// This end closed it.
    Local,
}

/// Why a dial came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DialFailure {
    /// No address led anywhere.
    Unreachable,
    /// Somebody else answered.
    WrongIdentity,
    /// One of the two ends refused the other before the link was up, and this is what it said.
    Refused(Disconnect),
    /// Nobody answered in time.
    Timeout,
    /// Too many dials are under way; the limit is [`Config::dials_max`](crate::Config::dials_max).
    Busy,
}
