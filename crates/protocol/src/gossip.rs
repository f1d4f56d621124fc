use bincode::{Decode, Encode};
use repute_base::{BoundedBytes, BoundedVec};

use crate::{
    MessageId, PeerHint,
    limits::{HINTS_MAX, IDS_MAX, RECONCILE_MAX},
};

/// A message that the sender has and the receiver may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Announced {
    /// The message.
    pub id: MessageId,
    /// How many links it crossed to reach the sender.
    pub hops: u8,
}

/// What gossip neighbours say to each other besides the messages themselves.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum GossipFrame {
    /// HyParView: the sender is new and wants into the receiver's active view.
    Join,
    /// HyParView: a join on its random walk.
    ForwardJoin {
        /// Who joined.
        peer: PeerHint,
        /// Steps left.
        ttl: u8,
    },
    /// HyParView: asks to become an active neighbour.
    Neighbor {
        /// The sender has fewer than half of its neighbours; the receiver should make room.
        urgent: bool,
    },
    /// HyParView: the answer.
    NeighborReply {
        /// Whether the sender is now an active neighbour.
        accepted: bool,
    },
    /// HyParView: exchanges parts of the passive views, on a random walk.
    Shuffle {
        /// Who wants the reply.
        origin: PeerHint,
        /// Steps left.
        ttl: u8,
        /// A part of the origin's views.
        peers: BoundedVec<PeerHint, HINTS_MAX>,
    },
    /// HyParView: the answer to a shuffle.
    ShuffleReply {
        /// A part of the sender's passive view.
        peers: BoundedVec<PeerHint, HINTS_MAX>,
    },
    /// HyParView: the sender drops the receiver from its active view; the link may stay.
    Leave,
    /// Plumtree: messages the sender has.
    Announce {
        /// Which.
        messages: BoundedVec<Announced, IDS_MAX>,
    },
    /// Plumtree: send these, and push to me from now on.
    Graft {
        /// Which; empty to repair the tree only.
        messages: BoundedVec<MessageId, IDS_MAX>,
    },
    /// Plumtree: announce to me instead of pushing.
    Prune,
    /// Anti-entropy: one step of a range-based reconciliation.
    Reconcile {
        /// The initiator's number for this reconciliation.
        session: u64,
        /// Whether the sender initiated it.
        initiator: bool,
        /// The reconciliation message.
        body: BoundedBytes<RECONCILE_MAX>,
    },
    /// Anti-entropy: send these; the tree stays as it is.
    Want {
        /// Which.
        messages: BoundedVec<MessageId, IDS_MAX>,
    },
}
