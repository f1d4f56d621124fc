use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use repute_base::{Address, BoundedBytes, Fixed};
use repute_identity::NodeId;
use repute_protocol::{Advertisement, Envelope, RecordList, Verified, limits::SERVICE_KEY_MAX};

use super::Filter;

/// What the shell hands to [`Directory`](crate::Directory).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DirectoryInput {
    /// Begins: what an earlier run offered is offered again.
    Start,
    /// Where this node listens: what offers say that name no addresses of their own, once a minute
    /// has passed since they were signed. Before [`Start`](Self::Start), or what is restored is
    /// offered without.
    Listening {
        /// Best first.
        addresses: Vec<Address>,
    },
    /// Offer something, until it is retracted. What was offered for the same key is replaced.
    /// [`Advertised`](crate::DirectoryEvent::Advertised) or
    /// [`Refused`](crate::DirectoryEvent::Refused) answers.
    Advertise {
        /// The caller's name for it.
        token: u64,
        /// What; without addresses, those where this node listens are put there.
        advertisement: Advertisement,
        /// How long each signature holds; renewed after a third.
        lifetime: Duration,
    },
    /// Offer it no longer. [`Retracted`](crate::DirectoryEvent::Retracted) or
    /// [`Refused`](crate::DirectoryEvent::Refused) answers.
    Retract {
        /// The caller's name for it.
        token: u64,
        /// The key of the service; nothing for all of them.
        key: Option<BoundedBytes<SERVICE_KEY_MAX>>,
    },
    /// Answer to [`Sign`](crate::DirectoryOutput::Sign).
    Signed {
        /// As in the request.
        token: u64,
        /// The signed record.
        envelope: Verified<Envelope>,
    },
    /// An admitted link to a peer that speaks the directory's frames begins.
    LinkUp {
        /// Who.
        peer: NodeId,
        /// Where it is seen.
        remote: Address,
    },
    /// A link has ended.
    LinkDown {
        /// Whose.
        peer: NodeId,
    },
    /// What the trust engine thinks of a peer now.
    Standing {
        /// Who.
        peer: NodeId,
        /// From zero to one: who is worth least goes first when room is short.
        trust: Fixed,
        /// Whether it is grey-listed or banned: what it offers is forgotten and not heard.
        closed: bool,
    },
    /// A linked peer offers ([`DhtFrame::Offer`](repute_protocol::DhtFrame)).
    Offered {
        /// Who.
        peer: NodeId,
        /// What it says.
        records: RecordList,
    },
    /// A message on [`Directory::TOPIC`](crate::Directory::TOPIC).
    Gossiped {
        /// Who signed the message.
        author: NodeId,
        /// Its data.
        data: Bytes,
    },
    /// Answer to [`Verify`](crate::DirectoryOutput::Verify): the signature holds.
    Verified {
        /// The envelope of the request, now proven.
        envelope: Verified<Envelope>,
    },
    /// Answer to [`Verify`](crate::DirectoryOutput::Verify): it does not hold.
    Forged {
        /// The envelope of the request.
        envelope: Envelope,
    },
    /// Answer to [`Verify`](crate::DirectoryOutput::Verify): it was not checked. No verdict.
    Unchecked {
        /// The envelope of the request.
        envelope: Envelope,
    },
    /// Look for advertisements: here, and in the DHT if there are not enough.
    /// [`Found`](crate::DirectoryEvent::Found) or [`Refused`](crate::DirectoryEvent::Refused)
    /// answers.
    Find {
        /// The caller's name for it.
        token: u64,
        /// For what.
        filter: Filter,
        /// Whether what is known here is enough.
        local: bool,
    },
    /// A record that a [`Lookup`](crate::DirectoryOutput::Lookup) found.
    LookedUp {
        /// As in the request.
        token: u64,
        /// The record, proven.
        envelope: Verified<Envelope>,
    },
    /// A [`Lookup`](crate::DirectoryOutput::Lookup) has ended, or was refused.
    LookupEnded {
        /// As in the request.
        token: u64,
    },
    /// Tell of each advertisement that fits, from now on.
    Watch {
        /// The caller's name for it; replaces the watch of that name.
        token: u64,
        /// Which.
        filter: Filter,
    },
    /// Tell of them no longer.
    Unwatch {
        /// As in the request.
        token: u64,
    },
    /// Time passed.
    Tick,
}
