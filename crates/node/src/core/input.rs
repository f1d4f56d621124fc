use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use repute_base::{Address, BoundedString};
use repute_identity::NodeId;
use repute_peers::{DialFailure, LinkDown};
use repute_protocol::{
    CustomData, Envelope, Frame, FromPeer, Handshake, Misbehaviour, Topic, Verified,
    limits::TEXT_MAX,
};
use repute_trust::Target;

use super::PersistId;

/// What the shell hands in.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// The node begins: dial anchors and bootstrap peers.
    Start,
    /// A deadline has passed.
    Tick,
    /// The node ends: say goodbye.
    Shutdown,
    /// A link whose handshakes have been checked.
    LinkUp {
        /// Who is at the other end.
        peer: NodeId,
        /// What it said of itself.
        handshake: Handshake,
        /// Where it is.
        remote: Address,
        /// Whether it dialled us.
        inbound: bool,
    },
    /// A link is gone.
    LinkDown {
        /// Who was at the other end.
        peer: NodeId,
        /// Why.
        cause: LinkDown,
    },
    /// A dial came to nothing.
    DialFailed {
        /// Whom it was for.
        peer: NodeId,
        /// Why.
        cause: DialFailure,
    },
    /// A frame from an authenticated peer.
    Frame(FromPeer<Frame>),
    /// The link found bytes that no honest peer sends.
    Violation {
        /// Who sent them.
        peer: NodeId,
        /// What was wrong.
        kind: Misbehaviour,
    },
    /// Bytes of earlier sends have left for this peer.
    Drained {
        /// For whom.
        peer: NodeId,
        /// How many.
        bytes: usize,
    },
    /// Answer to [`Output::Verify`](super::Output::Verify): the signature holds.
    Verified {
        /// Who sent the envelope.
        from: NodeId,
        /// The envelope.
        envelope: Verified<Envelope>,
    },
    /// Answer to [`Output::Verify`](super::Output::Verify): the signature does not hold.
    Forged {
        /// Who sent the envelope.
        from: NodeId,
        /// The envelope.
        envelope: Envelope,
    },
    /// Answer to [`Output::Verify`](super::Output::Verify): too much of this sender's waits, and
    /// the signature was not checked. No verdict on anybody.
    Unchecked {
        /// Who sent the envelope.
        from: NodeId,
        /// The envelope.
        envelope: Envelope,
    },
    /// Answer to [`Output::Sign`](super::Output::Sign).
    Signed {
        /// The number of the request.
        token: u64,
        /// The signed envelope.
        envelope: Verified<Envelope>,
    },
    /// Answer to [`Output::Attest`](super::Output::Attest).
    Attested {
        /// The number of the request.
        token: u64,
        /// Ours, over the statement.
        signature: repute_identity::Signature,
    },
    /// Answer to [`Output::Persist`](super::Output::Persist): the writes are durable.
    Persisted(PersistId),
    /// Answer to [`Output::Persist`](super::Output::Persist): the store refused the writes.
    NotPersisted(PersistId),
    /// Where this node listens.
    Listening {
        /// Best first.
        addresses: Vec<Address>,
    },
    /// Files: what the application wants, and what came of streams and of the store. Only
    /// `Download`, `Pause`, `Resume`, `Cancel`, `Answered`, `Received`, `Corrupt`, `Ended`,
    /// `Trouble`, `Share`, `Unshare`, `Asked`, `Sent` and `SentAll` are taken: all else is between
    /// the engines.
    Transfer(repute_blobs::Input),
    /// The application or the operator wants something.
    Command(Command),
}

/// What the application or the operator wants.
#[derive(Debug)]
#[non_exhaustive]
pub enum Command {
    /// Join the network through this peer.
    Join {
        /// Whom the ticket names.
        peer: NodeId,
        /// Where the ticket says it listens.
        addresses: Vec<Address>,
    },
    /// A peer was seen on the local network.
    Found {
        /// Who.
        peer: NodeId,
        /// Where.
        addresses: Vec<Address>,
    },
    /// Spread a message. Answered by [`Event::Published`](super::Event::Published).
    Publish {
        /// The caller's number.
        token: u64,
        /// Where it belongs.
        topic: Topic,
        /// The application's kind; zero for none.
        kind: u16,
        /// Whether it names what this node has seen, for causal order.
        causal: bool,
        /// The application's bytes.
        data: Bytes,
    },
    /// Deliver messages of this topic from now on.
    Subscribe {
        /// Which.
        topic: Topic,
        /// Whether in causal order.
        causal: bool,
    },
    /// Deliver messages of this topic no longer.
    Unsubscribe {
        /// Which.
        topic: Topic,
    },
    /// Send a frame of the application's own to a linked peer.
    SendCustom {
        /// To whom.
        peer: NodeId,
        /// What.
        data: CustomData,
    },
    /// Ban by hand.
    Ban {
        /// The caller's number; answered by [`Event::Done`](super::Event::Done) once durable.
        token: u64,
        /// Whom.
        subject: NodeId,
        /// For how long; `None` for ever.
        duration: Option<Duration>,
        /// Why, for people.
        reason: BoundedString<128>,
    },
    /// Lift a ban by hand.
    Unban {
        /// The caller's number; answered by [`Event::Done`](super::Event::Done) once durable.
        token: u64,
        /// Whose.
        subject: NodeId,
    },
    /// Change the blacklist.
    Blacklist {
        /// The caller's number; answered by [`Event::Done`](super::Event::Done) once all is
        /// durable.
        token: u64,
        /// What to change, in order.
        changes: Vec<Change>,
    },
    /// Ask a peer that turns this node away to think again. Answered by
    /// [`Event::Appeal`](super::Event::Appeal).
    Appeal {
        /// Whom.
        peer: NodeId,
        /// What to say.
        text: BoundedString<TEXT_MAX>,
    },
    /// Forget what a banned peer had to say.
    Dismiss {
        /// The caller's number; answered by [`Event::Done`](super::Event::Done) once durable.
        token: u64,
        /// Whose appeal.
        peer: NodeId,
    },
    /// The application measured something of a peer.
    Sample {
        /// Of whom.
        subject: NodeId,
        /// What.
        sample: repute_trust::Sample,
        /// Whose fault it was, if it is a failure.
        fault: repute_trust::Fault,
    },
    /// Something for the receipts: what a peer did for us or failed in, a session to open, whom to
    /// ask about whom, what makes this node more than a free name.
    Receipts(repute_trust::ReceiptsInput),
    /// Recommend a peer to oneself, and to those with whom recommendations are shared.
    Recommend {
        /// The caller's number; answered by [`Event::Done`](super::Event::Done) once durable, or by
        /// [`Event::NotRecommended`](super::Event::NotRecommended).
        token: u64,
        /// Whom.
        subject: NodeId,
        /// From −100 (warn) to 100 (recommend).
        value: i8,
        /// Why, for people; it stays here.
        reason: BoundedString<128>,
    },
    /// Take a source of recommendations out, as if it had never been heard.
    Withdraw {
        /// The caller's number; answered by [`Event::Done`](super::Event::Done) once durable.
        token: u64,
        /// Whom.
        source: NodeId,
        /// Whether to let it back in instead.
        readmit: bool,
    },
    /// Sign that this node listens there. Answered by
    /// [`Event::RecordSigned`](super::Event::RecordSigned).
    SignRecord {
        /// The caller's number.
        token: u64,
        /// Where; those beyond the limit are left out.
        addresses: Vec<Address>,
    },
    /// Something for the DHT: a lookup, a search, a publication.
    Dht(repute_dht::Input),
    /// Something for the directory: an offer, a search, a watch. An offer that is made or taken
    /// back is also answered by [`Event::Done`](super::Event::Done) once durable.
    Directory(repute_dht::DirectoryInput),
    /// Close the link to a peer.
    Disconnect {
        /// To whom.
        peer: NodeId,
    },
}

/// One change of the blacklist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds an entry, or replaces the one of this target.
    Put {
        /// Whom it names.
        target: Target,
        /// For how long; `None` for ever.
        duration: Option<Duration>,
        /// Why, for people.
        reason: BoundedString<128>,
    },
    /// Changes an entry; nothing if there is none.
    Edit {
        /// Whose.
        target: Target,
        /// The new reason; `None` leaves it.
        reason: Option<BoundedString<128>>,
        /// How long it lasts from now, or for ever; `None` leaves it.
        duration: Option<Option<Duration>>,
    },
    /// Removes an entry; nothing if there is none.
    Remove(Target),
}
