use alloc::vec::Vec;

use repute_base::{Address, BoundedString, Fixed, Prefix};
use repute_identity::NodeId;
use repute_protocol::{
    Disconnect, DisconnectReason, Envelope, Frame, FromPeer, Handshake, Verified, limits::TEXT_MAX,
};

/// The shell's number for a link, never used twice in one run.
///
/// Two nodes that dial each other at once have two links for a moment; the number tells them
/// apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// How a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkDown {
    /// The peer closed it and said why.
    Closed(Disconnect),
    /// It broke: time-out or reset, nobody's word.
    Lost,
    /// This node closed it.
    Local,
}

/// Why a dial brought no link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DialFailure {
    /// Nobody answered at any address.
    Unreachable,
    /// Somebody else answered.
    WrongIdentity,
    /// The peer answered and declined.
    Refused(Disconnect),
}

/// What the shell hands in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// Begins: anchors are dialled first, then those joined, then the address book.
    Start,
    /// A peer that the operator named: a ticket or an entry of the configuration. Repeats.
    Join {
        /// Who.
        peer: NodeId,
        /// Where.
        addresses: Vec<Address>,
    },
    /// A peer that answered on the local network.
    Found {
        /// Who.
        peer: NodeId,
        /// Where.
        addresses: Vec<Address>,
    },
    /// A link stands: the transport has checked key, network and version. Whether it is admitted
    /// is this engine's decision; no other frame is to be sent on it before.
    LinkUp {
        /// Who is at the other end.
        peer: NodeId,
        /// Which link.
        link: LinkId,
        /// The other end's handshake.
        handshake: Handshake,
        /// Where the other end is seen.
        remote: Address,
        /// Whether the other end dialled.
        inbound: bool,
    },
    /// A link is gone.
    LinkDown {
        /// Who was at the other end.
        peer: NodeId,
        /// Which link.
        link: LinkId,
        /// How it ended.
        cause: LinkDown,
    },
    /// A dial brought no link.
    DialFailed {
        /// Who was dialled.
        peer: NodeId,
        /// Why.
        cause: DialFailure,
    },
    /// A frame of this engine's kinds; any other only shows that the peer lives.
    Frame(FromPeer<Frame>),
    /// Anything at all came from this peer: the cheap form of a frame for another engine.
    Heard {
        /// From whom.
        peer: NodeId,
    },
    /// The signature of an envelope from [`Output::Verify`](crate::Output::Verify) holds.
    RecordVerified(Verified<Envelope>),
    /// The signature of an envelope from [`Output::Verify`](crate::Output::Verify) does not hold.
    RecordForged {
        /// Whose link it came over.
        from: NodeId,
    },
    /// The answer to [`Output::SignRecord`](crate::Output::SignRecord).
    OwnRecord(Verified<Envelope>),
    /// Where this node listens.
    Listening {
        /// Best first.
        addresses: Vec<Address>,
    },
    /// What the trust engine thinks of a peer now.
    Standing {
        /// Who.
        peer: NodeId,
        /// Its trust, 0 to 1.
        trust: Fixed,
        /// False while it is grey-listed or banned: its links close and it is refused however it
        /// comes in.
        gate_open: bool,
        /// Whether it has ever been useful; one that has not is a newcomer.
        useful: bool,
    },
    /// Gossip would like a link to this peer.
    Wanted {
        /// Who.
        peer: NodeId,
    },
    /// A link is needed for a conversation, beyond the slots. If there is one already, nothing
    /// happens; else [`Output::PeerUp`](crate::Output::PeerUp) or
    /// [`Output::VisitFailed`](crate::Output::VisitFailed) follows.
    Visit {
        /// With whom.
        peer: NodeId,
        /// Where it is said to be.
        addresses: Vec<Address>,
    },
    /// The conversation is over. The link stays if something else needs it.
    Leave {
        /// With whom.
        peer: NodeId,
    },
    /// These links carry the broadcast tree: they are not evicted. Replaces the earlier list.
    Protected {
        /// Who.
        peers: Vec<NodeId>,
    },
    /// These addresses get no link, whichever end dials. Replaces the earlier list; at most
    /// [`Limits::BARRED_MAX`](crate::Limits::BARRED_MAX).
    Barred {
        /// Which.
        prefixes: Vec<Prefix>,
    },
    /// The operator asks a peer that turns this node away to think again: the peer is dialled for
    /// that alone. [`Event::Appeal`](crate::Event::Appeal) says what came of it.
    Appeal {
        /// Whom.
        peer: NodeId,
        /// What to say.
        text: BoundedString<TEXT_MAX>,
    },
    /// The operator or another engine wants this peer gone.
    Drop {
        /// Who.
        peer: NodeId,
        /// What to tell it.
        reason: DisconnectReason,
    },
    /// The node stops: every link is closed, anchors are written, nobody is dialled again.
    Shutdown,
    /// The timer.
    Tick,
}
