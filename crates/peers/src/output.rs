use alloc::vec::Vec;

use repute_base::{Address, BoundedString};
use repute_identity::{Inception, NodeId};
use repute_protocol::{
    AddressRecord, Capability, Disconnect, DisconnectReason, Envelope, Frame, Misbehaviour,
    limits::TEXT_MAX,
};

use crate::{DialFailure, LinkId, Refusal, Stored};

/// Something for the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Write {
    /// Insert or replace this peer.
    Peer(Stored),
    /// Remove this peer.
    Forget(NodeId),
    /// These peers are dialled first after a restart. Replaces the earlier list.
    Anchors(Vec<NodeId>),
}

/// What a peer did, for the trust engine: quality of service, never an accusation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PeerEvidence {
    /// It fell silent while others answered, and no other peer reached it either.
    Timeout,
    /// It answered a request of ours with something new.
    AnsweredRequest,
}

/// For the application and the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A peer became active.
    Connected {
        /// Who.
        peer: NodeId,
        /// Whether it dialled us.
        inbound: bool,
    },
    /// An active peer is no longer.
    Disconnected {
        /// Who.
        peer: NodeId,
        /// The reason given by whichever side closed; `None` when the link just broke.
        reason: Option<DisconnectReason>,
    },
    /// A link was turned away.
    Refused {
        /// Who.
        peer: NodeId,
        /// Why.
        reason: DisconnectReason,
    },
    /// A peer turned this node away, or ended the link with a reason that matters.
    RefusedBy(Refusal),
    /// What came of an appeal of ours.
    Appeal {
        /// To whom.
        peer: NodeId,
        /// Whether it was handed over; whether it is read, nobody knows.
        sent: bool,
    },
    /// A banned peer's operator asks ours to think again. Nothing follows by itself.
    Appealed {
        /// Who.
        peer: NodeId,
        /// What it says; escape before showing.
        text: BoundedString<TEXT_MAX>,
    },
    /// A dial failed.
    DialFailed {
        /// Who.
        peer: NodeId,
        /// Why.
        cause: DialFailure,
    },
    /// A peer was heard of for the first time.
    Discovered {
        /// Who.
        peer: NodeId,
        /// From whom; `None` when from the operator or the local network.
        by: Option<NodeId>,
    },
    /// A peer missed a probe and its indirect probes.
    Suspected {
        /// Who.
        peer: NodeId,
    },
    /// A suspected peer was heard again.
    Recovered {
        /// Who.
        peer: NodeId,
    },
    /// A suspected peer stayed silent and was closed.
    Silent {
        /// Who.
        peer: NodeId,
        /// Whether the silence is put down to the peer. False when this node or the network is
        /// the likelier cause; then it is no evidence.
        blamed: bool,
    },
    /// A peer was dropped from the address book.
    Forgotten {
        /// Who.
        peer: NodeId,
    },
    /// A peer says where it sees this node.
    Observed {
        /// Who says so.
        by: NodeId,
        /// Where.
        address: Address,
    },
}

/// What the shell must do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Try to reach this peer; exactly one `LinkUp` or `DialFailed` answers.
    Dial {
        /// Whom to expect there.
        peer: NodeId,
        /// Where, best first.
        addresses: Vec<Address>,
    },
    /// Send on the peer's admitted link, the one whose `LinkUp` came last and was not closed.
    Send {
        /// To whom.
        peer: NodeId,
        /// What.
        frame: Frame,
    },
    /// Send this as the last frame of the link, flush, and close it.
    Close {
        /// Who is at the other end.
        peer: NodeId,
        /// Which link.
        link: LinkId,
        /// The last frame.
        disconnect: Disconnect,
    },
    /// From now on our handshakes say that we come to appeal, or no longer.
    Appealing(bool),
    /// The peer is active: both ends admitted the link.
    PeerUp {
        /// Who.
        peer: NodeId,
        /// Where it can be dialled, best first.
        addresses: Vec<Address>,
        /// Whether it dialled us.
        inbound: bool,
        /// Its identity record.
        inception: Inception,
        /// What it can do.
        capabilities: Vec<Capability>,
    },
    /// The peer is no longer active.
    PeerDown {
        /// Who.
        peer: NodeId,
    },
    /// No link came of [`Input::Visit`](crate::Input::Visit).
    VisitFailed {
        /// To whom.
        peer: NodeId,
    },
    /// Check the signature of an address record; `RecordVerified` or `RecordForged` answers.
    Verify {
        /// Whose link it came over.
        from: NodeId,
        /// What to check.
        envelope: Envelope,
    },
    /// Sign this as our address record; `OwnRecord` answers.
    SignRecord(AddressRecord),
    /// Write this to the store. Nothing waits for it.
    Persist(Write),
    /// Quality of service, for the trust engine.
    Evidence {
        /// Who.
        peer: NodeId,
        /// What it did.
        evidence: PeerEvidence,
    },
    /// A broken rule, for the trust engine.
    Misbehaviour {
        /// Who.
        peer: NodeId,
        /// Which rule.
        kind: Misbehaviour,
    },
    /// For the application.
    Event(Event),
}
