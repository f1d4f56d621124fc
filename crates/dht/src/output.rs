use alloc::vec::Vec;

use bytes::Bytes;
use repute_base::{Address, Wall};
use repute_identity::NodeId;
use repute_protocol::{Contact, DhtFrame, Envelope, Filed, Misbehaviour, RecordKey, Verified};

/// Something for the store. Nothing waits for it: an answer that a record is kept is no promise
/// that it outlives a crash, which k copies are for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Write {
    /// Insert or replace this record.
    Record {
        /// Where it belongs.
        key: RecordKey,
        /// Whose it is.
        author: NodeId,
        /// Which of the author's at this key.
        slot: u8,
        /// Until when it holds.
        expires: Wall,
        /// The encoded envelope.
        wire: Bytes,
    },
    /// Remove this record.
    Forget {
        /// Where it belonged.
        key: RecordKey,
        /// Whose it was.
        author: NodeId,
        /// Which of the author's at this key.
        slot: u8,
    },
    /// Contacts to begin with after a restart, best first. Replaces the earlier list.
    Contacts(Vec<Contact>),
}

/// A record that was looked for, proven and filed.
#[derive(Clone, Debug)]
pub struct FoundRecord {
    /// What it says.
    pub filed: Filed,
    /// The envelope that proves it.
    pub envelope: Verified<Envelope>,
    /// Who gave it; this node's own id if it was here.
    pub from: NodeId,
}

/// What a lookup came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The closest nodes that proved to be there, closest first, at most k; then, if there were
    /// fewer, those that others named.
    pub closest: Vec<Contact>,
    /// How many of these proved to be there.
    pub proven: usize,
    /// Records found.
    pub records: usize,
    /// Requests sent.
    pub requests: u32,
    /// Answers that came.
    pub answers: u32,
    /// Requests one after another that led to the closest node.
    pub hops: u32,
    /// How many holders agreed on the newest, or gave an older one.
    pub holders: u32,
    /// Whether so many holders answered that a newer one is unlikely.
    pub quorum: bool,
    /// How long it took.
    pub took_ms: u64,
}

/// One step of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// It was asked.
    Asked,
    /// It answered.
    Answered {
        /// Nodes that it named and that were not known to this lookup.
        contacts: usize,
        /// How many of them are closer than itself.
        closer: usize,
        /// Records that it gave.
        records: usize,
        /// How long it took, dialling included.
        took_ms: u64,
    },
    /// It is slow; another is asked meanwhile.
    Slow,
    /// It was not reached, or did not answer.
    Failed,
    /// It had no time for us.
    Busy,
}

/// Why something asked for was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// As many as allowed are under way.
    #[error("as many are under way as fit: try again when one of them has ended")]
    TooMany,
    /// The draft breaks a rule of its kind.
    #[error("the record breaks a rule of its kind: {0}")]
    Invalid(#[from] repute_protocol::RecordError),
    /// The node stops.
    #[error("the node stops")]
    Stopping,
}

/// For the application.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A record that was looked for.
    Found {
        /// As in the request.
        token: u64,
        /// The record.
        record: FoundRecord,
    },
    /// A lookup has ended.
    Finished {
        /// As in the request.
        token: u64,
        /// What it came to.
        outcome: Outcome,
    },
    /// A step of a lookup that is traced.
    Trace {
        /// As in the request.
        token: u64,
        /// Whom it concerns.
        peer: NodeId,
        /// How many bits of its id are those of the target.
        bits: u32,
        /// Requests one after another that led there, itself included.
        hops: u32,
        /// On which of the disjoint paths.
        path: u8,
        /// What happened.
        step: Step,
    },
    /// A record was put to the nodes closest to its key.
    Published {
        /// As in the request.
        token: u64,
        /// Where.
        key: RecordKey,
        /// How many nodes keep it, this one included if it does.
        copies: usize,
    },
    /// What was asked for is not begun.
    Refused {
        /// As in the request.
        token: u64,
        /// Why.
        reason: Refusal,
    },
    /// A record that others may ask for is kept now.
    Stored {
        /// Where.
        key: RecordKey,
        /// Whose.
        author: NodeId,
        /// Which of the author's at this key.
        slot: u8,
        /// Who brought it.
        from: NodeId,
    },
    /// Whether this node serves others has changed: its handshakes should say so.
    Serving(bool),
}

/// What the shell must do for [`Dht`](crate::Dht).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Make a link to this peer; one [`Input::LinkUp`](crate::Input::LinkUp) or
    /// [`Input::Unreachable`](crate::Input::Unreachable) answers.
    Link {
        /// Whom to expect there.
        peer: NodeId,
        /// Where, best first.
        addresses: Vec<Address>,
    },
    /// The link to this peer, asked for with [`Output::Link`], is needed no longer.
    Unlink {
        /// Who.
        peer: NodeId,
    },
    /// Send on the peer's link.
    Send {
        /// To whom.
        peer: NodeId,
        /// What.
        frame: DhtFrame,
    },
    /// Check the signature, in any order or batch, and answer with
    /// [`Input::Verified`](crate::Input::Verified), [`Input::Forged`](crate::Input::Forged) or
    /// [`Input::Unchecked`](crate::Input::Unchecked).
    Verify {
        /// Whose link it came over.
        from: NodeId,
        /// What to check.
        envelope: Envelope,
    },
    /// Put this payload into an envelope of kind record with our next number, sign it, and answer
    /// with [`Input::Signed`](crate::Input::Signed).
    Sign {
        /// To be given back.
        token: u64,
        /// What to sign.
        payload: Vec<u8>,
    },
    /// Write this to the store.
    Persist(Write),
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
        /// Whether it answered a request of ours, or kept us waiting on a link that stands.
        answered: bool,
    },
    /// For the application.
    Event(Event),
}
