use alloc::vec::Vec;

use repute_base::{Address, BoundedBytes, Fixed};
use repute_identity::NodeId;
use repute_protocol::{Envelope, Frame, FromPeer, Topic, Verified, limits::MESSAGE_DATA_MAX};

/// What the shell hands to [`Gossip`](crate::Gossip).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// An admitted link to a peer begins.
    PeerUp {
        /// Who is at the other end.
        peer: NodeId,
        /// Where it listens, as far as known; passed on to others as hints.
        addresses: Vec<Address>,
    },
    /// This node dialled the link to a peer itself. Who dials us is not for us to choose, whom we
    /// dial is: so a few such neighbours are never displaced by others.
    Dialled {
        /// Who is at the other end.
        peer: NodeId,
    },
    /// The link to a peer has ended.
    PeerDown {
        /// Who was at the other end.
        peer: NodeId,
    },
    /// A dial to a peer led nowhere: who is only known by hearsay is forgotten.
    Unreachable {
        /// Who was dialled.
        peer: NodeId,
    },
    /// A frame from a link. Only broadcast and gossip frames matter here; others are ignored.
    Frame(FromPeer<Frame>),
    /// Answer to [`Output::Verify`](crate::Output::Verify): the signature holds.
    Verified {
        /// As in the request.
        from: NodeId,
        /// The envelope of the request, now proven.
        envelope: Verified<Envelope>,
    },
    /// Answer to [`Output::Verify`](crate::Output::Verify): the signature does not hold.
    Forged {
        /// As in the request.
        from: NodeId,
        /// The envelope of the request.
        envelope: Envelope,
    },
    /// Answer to [`Output::Verify`](crate::Output::Verify): the shell had no room to check it. No
    /// verdict on anybody; the message can be had from another neighbour.
    Unchecked {
        /// As in the request.
        from: NodeId,
        /// The envelope of the request.
        envelope: Envelope,
    },
    /// The application publishes. Answered by [`Output::Sign`](crate::Output::Sign), or by
    /// [`Event::Refused`](crate::Event::Refused) when the engine is not ready.
    Publish {
        /// Where it belongs.
        topic: Topic,
        /// The application's own kind; zero when it has none.
        kind: u16,
        /// The application's bytes.
        data: BoundedBytes<MESSAGE_DATA_MAX>,
        /// Whether the message names what this node has seen on the topic.
        causal: bool,
        /// The caller's name for this publish, given back with the outcome.
        token: u64,
    },
    /// Answer to [`Output::Sign`](crate::Output::Sign): our own message, ready to spread. It is
    /// not delivered to our own application.
    Signed {
        /// The signed message.
        envelope: Verified<Envelope>,
        /// As in the request.
        token: u64,
    },
    /// The application wants messages of a topic. Repeating it changes only `causal`.
    Subscribe {
        /// Which.
        topic: Topic,
        /// Whether to hold messages back until what their author had seen is delivered.
        causal: bool,
    },
    /// The application no longer wants a topic. Messages held back for it are dropped.
    Unsubscribe {
        /// Which.
        topic: Topic,
    },
    /// The trust of a linked peer, for the link score.
    Trust {
        /// Who.
        peer: NodeId,
        /// From zero to one.
        trust: Fixed,
        /// Whether the peer's level is the lowest.
        distrusted: bool,
    },
    /// Bytes of this engine's frames that left the shell's queue for a link (were written to the
    /// socket's buffers) since the last report: credit for further frames.
    LinkQueue {
        /// Which link.
        peer: NodeId,
        /// How many bytes, counted as the length of [`Output::Send`](crate::Output::Send) frames.
        bytes: usize,
    },
    /// The node stops: what was seen is handed out to be stored, without waiting for its time.
    Shutdown,
    /// The time has come that [`next_deadline`](repute_base::Machine::next_deadline) named.
    Tick,
}
