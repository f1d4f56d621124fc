use alloc::vec::Vec;
use core::time::Duration;

use repute_base::{Address, BoundedBytes, Fixed};
use repute_identity::NodeId;
use repute_protocol::{
    DhtFrame, Envelope, FromPeer, RecordKey, RecordKind, Verified,
    limits::{RECORD_NAME_MAX, RECORD_VALUE_MAX},
};

/// How much of what there is at a key is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The first valid record: does it exist?
    First,
    /// The newest that a quorum of holders knows.
    Newest,
    /// The newest of every author, slot by slot.
    All {
        /// At most so many.
        max: usize,
    },
}

/// A record of this node's own that is still to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it is for.
    pub kind: RecordKind,
    /// Which of our records of this kind and name, counted from zero.
    pub slot: u8,
    /// What it is about; the key follows from it.
    pub name: BoundedBytes<RECORD_NAME_MAX>,
    /// What it says.
    pub value: BoundedBytes<RECORD_VALUE_MAX>,
    /// How long each signature holds; cut to what the kind allows. Signed anew after a third.
    pub lifetime: Duration,
}

/// What the shell hands to [`Dht`](crate::Dht).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// Begins: looks for this node's own neighbourhood as soon as somebody is linked.
    Start,
    /// The time has come that [`next_deadline`](repute_base::Machine::next_deadline) named.
    Tick,
    /// The node stops: what is not yet stored is handed out, lookups end with what they have.
    Shutdown,
    /// Where this node listens.
    Listening {
        /// Best first.
        addresses: Vec<Address>,
    },
    /// An admitted link begins.
    LinkUp {
        /// Who is at the other end.
        peer: NodeId,
        /// Where the other end is seen.
        remote: Address,
        /// Where it says that it listens, best first.
        listen: Vec<Address>,
        /// Whether it answers requests of the DHT.
        server: bool,
        /// Whether it dialled us.
        inbound: bool,
    },
    /// The link to a peer has ended.
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
        /// From zero to one; breaks ties.
        trust: Fixed,
        /// Whether it is grey-listed or banned: it has no place in the table.
        closed: bool,
    },
    /// A frame from a link.
    Frame(FromPeer<DhtFrame>),
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
    /// Answer to [`Output::Verify`](crate::Output::Verify): there was no room to check it. No
    /// verdict on anybody.
    Unchecked {
        /// As in the request.
        from: NodeId,
        /// The envelope of the request.
        envelope: Envelope,
    },
    /// Answer to [`Output::Sign`](crate::Output::Sign).
    Signed {
        /// As in the request.
        token: u64,
        /// The signed record.
        envelope: Verified<Envelope>,
    },
    /// Look for the nodes closest to a place. [`Event::Finished`](crate::Event::Finished) answers.
    Lookup {
        /// The caller's name for it.
        token: u64,
        /// Where.
        target: RecordKey,
        /// Whether each step comes as [`Event::Trace`](crate::Event::Trace).
        trace: bool,
    },
    /// Look for records. [`Event::Found`](crate::Event::Found) for each, then
    /// [`Event::Finished`](crate::Event::Finished).
    Find {
        /// The caller's name for it.
        token: u64,
        /// Where.
        key: RecordKey,
        /// How much.
        want: Want,
    },
    /// Sign a record, put it to the nodes closest to its key, and again after each third of its
    /// lifetime, until [`Input::Retract`]. Replaces an earlier draft of the same kind, name and
    /// slot. [`Event::Published`](crate::Event::Published) tells of the first time.
    Publish {
        /// The caller's name for it.
        token: u64,
        /// What.
        draft: Draft,
    },
    /// Publish it no longer. Copies out there live until they expire.
    Retract {
        /// As in the draft.
        kind: RecordKind,
        /// As in the draft.
        name: BoundedBytes<RECORD_NAME_MAX>,
        /// As in the draft.
        slot: u8,
    },
    /// Put somebody's signed record to the nodes closest to its key, once.
    /// [`Event::Published`](crate::Event::Published) tells of it.
    Put {
        /// The caller's name for it.
        token: u64,
        /// Which.
        envelope: Verified<Envelope>,
    },
}
