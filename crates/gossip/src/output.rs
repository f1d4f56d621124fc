use alloc::vec::Vec;

use bytes::Bytes;
use repute_base::Address;
use repute_identity::NodeId;
use repute_protocol::{Envelope, Message, MessageId, Misbehaviour, Payload, Verified};

use crate::SeenAuthor;

/// What the shell must do for [`Gossip`](crate::Gossip).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Write a whole frame, header included, to a link. Receivers of one message share the bytes.
    /// Report them with [`Input::LinkQueue`](crate::Input::LinkQueue) once they are written.
    Send {
        /// To whom.
        peer: NodeId,
        /// The encoded frame.
        frame: Bytes,
        /// Small, and to overtake what is not: a request that waits behind thousands of messages
        /// comes when nobody has what it asks for.
        urgent: bool,
    },
    /// Check the signature, in any order or batch, and answer with
    /// [`Input::Verified`](crate::Input::Verified) or [`Input::Forged`](crate::Input::Forged).
    Verify {
        /// Whose link it came over; verification capacity is shared between these.
        from: NodeId,
        /// What to check.
        envelope: Envelope,
    },
    /// Put this payload into an envelope with our next sequence number, sign it, and answer with
    /// [`Input::Signed`](crate::Input::Signed). Tokens may be answered in any order.
    Sign {
        /// As in the publish.
        token: u64,
        /// What to sign.
        payload: Payload,
    },
    /// Hand a message to the application: exactly once, only subscribed topics, never our own.
    Deliver {
        /// The signed original.
        envelope: Verified<Envelope>,
        /// Its payload.
        message: Message,
        /// The neighbour that brought it first.
        from: NodeId,
    },
    /// The active view lacks neighbours and wants a link to this peer.
    Want {
        /// Whom.
        peer: NodeId,
        /// Where it may listen.
        addresses: Vec<Address>,
    },
    /// The active view has changed; links to these peers deserve protection.
    Active {
        /// The whole view, sorted.
        peers: Vec<NodeId>,
    },
    /// Store these rows, replacing those of the same author. Not urgent, coalesced.
    Persist {
        /// At most [`Limits::persist_batch_max`](crate::Limits::persist_batch_max) rows.
        rows: Vec<SeenAuthor>,
    },
    /// Do not read from these links until told otherwise, so that QUIC slows their peers down: what
    /// they bring cannot be passed on as fast. Replaces what was said before; none when empty. To
    /// read on nevertheless loses nothing for good, but costs a second transfer.
    Hold {
        /// Whose links, sorted.
        peers: Vec<NodeId>,
    },
    /// This peer was the first to bring a message that proved valid: evidence of good service.
    Useful {
        /// Who.
        peer: NodeId,
    },
    /// A peer did what no honest peer does.
    Misbehaviour {
        /// Who.
        peer: NodeId,
        /// What.
        kind: Misbehaviour,
    },
    /// Something for the application.
    Event(Event),
}

/// What the application may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Our message is signed and on its way.
    Published {
        /// As in the publish.
        token: u64,
        /// Its name.
        id: MessageId,
    },
    /// The publish was not accepted: too many are waiting. Try again after [`Event::Ready`].
    Refused {
        /// As in the publish.
        token: u64,
    },
    /// After a time of congestion another publish is accepted.
    Ready,
}
