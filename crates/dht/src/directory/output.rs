use alloc::{sync::Arc, vec::Vec};

use bytes::Bytes;
use repute_base::{BoundedBytes, Wall};
use repute_identity::NodeId;
use repute_protocol::{
    Envelope, Misbehaviour, Record, RecordKey, RecordList, Verified, limits::RECORD_NAME_MAX,
};

use super::{DirectoryError, Entry, Filter};
use crate::Draft;

/// What the shell must do for [`Directory`](crate::Directory), in this order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DirectoryOutput {
    /// Publish this in the DHT, again and again.
    Publish(Draft),
    /// Publish this advertisement in the DHT no longer.
    Retract {
        /// Which of this node's keys.
        slot: u8,
        /// Under which name.
        name: BoundedBytes<RECORD_NAME_MAX>,
    },
    /// Put this record into the DHT, once.
    Put(Verified<Envelope>),
    /// Sign this record as this node, dated now; answered by
    /// [`Signed`](crate::DirectoryInput::Signed).
    Sign {
        /// To be given back.
        token: u64,
        /// What to sign.
        record: Record,
    },
    /// Publish this as a message on [`Directory::TOPIC`](crate::Directory::TOPIC).
    Gossip {
        /// The data of the message.
        data: Bytes,
    },
    /// Send this to a linked peer, as [`DhtFrame::Offer`](repute_protocol::DhtFrame).
    Offer {
        /// To whom.
        peer: NodeId,
        /// What.
        records: RecordList,
    },
    /// Check the signature; answered by [`Verified`](crate::DirectoryInput::Verified),
    /// [`Forged`](crate::DirectoryInput::Forged) or [`Unchecked`](crate::DirectoryInput::Unchecked).
    Verify {
        /// Who said it: the linked peer, or who signed the message it came in.
        from: NodeId,
        /// What to check.
        envelope: Envelope,
    },
    /// Look for all records at this key; each comes as
    /// [`LookedUp`](crate::DirectoryInput::LookedUp), and
    /// [`LookupEnded`](crate::DirectoryInput::LookupEnded) is the last.
    Lookup {
        /// To be given back.
        token: u64,
        /// Where.
        key: RecordKey,
        /// How many are enough.
        max: usize,
    },
    /// Somebody, linked or not, did what no honest node does; it signed, or its link carried, what
    /// proves it.
    Misbehaviour {
        /// Who.
        peer: NodeId,
        /// What.
        kind: Misbehaviour,
    },
    /// Keep or forget this in the store.
    Persist(DirectoryWrite),
    /// For the application.
    Event(DirectoryEvent),
}

/// What the store must keep of this node's own offers: one row for each of its ten keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectoryWrite {
    /// This is offered, in place of what was under this key.
    Offer {
        /// Which of this node's keys.
        slot: u8,
        /// When it was signed last.
        said: Wall,
        /// For [`Directory::restore`](crate::Directory::restore).
        bytes: Vec<u8>,
    },
    /// Nothing is, any longer.
    Forget {
        /// Which of this node's keys.
        slot: u8,
    },
}

/// For the application.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DirectoryEvent {
    /// It is signed and on its way to neighbours and by gossip.
    Advertised {
        /// As in the request.
        token: u64,
        /// Under which of this node's keys.
        slot: u8,
        /// Until when this signature holds.
        expires: Wall,
    },
    /// It is offered no longer.
    Retracted {
        /// As in the request.
        token: u64,
        /// How many were.
        count: usize,
    },
    /// It was not done.
    Refused {
        /// As in the request.
        token: u64,
        /// Why.
        reason: DirectoryError,
    },
    /// A search has ended: [`Directory::find`](crate::Directory::find) has what there is.
    Found {
        /// As in the request.
        token: u64,
        /// As in the request.
        filter: Filter,
        /// Whether the DHT was asked and had time to answer, or was not needed.
        complete: bool,
    },
    /// Somebody offers something new that is watched for.
    Discovered {
        /// The names of the watches that it fits.
        watches: Vec<u64>,
        /// What.
        entry: Arc<Entry>,
    },
}
