use alloc::vec::Vec;

use bytes::Bytes;
use repute_base::{Address, BoundedString, Prefix, Wall};
use repute_gossip::SeenAuthor;
use repute_identity::NodeId;
use repute_peers::{Refusal, Stored};
use repute_protocol::{
    Contact, CustomData, Disconnect, DisconnectReason, Envelope, FromPeer, Message, MessageId,
    Misbehaviour, RecordKey, Unsigned, Verified, limits::TEXT_MAX,
};
use repute_trust::{AddressBan, Ban, HearsayRecord, Level, NotHeard, Record};

/// The number of a batch of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersistId(pub(super) u64);

/// Which frames go first on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Small and urgent: probes, repair, goodbyes.
    Control,
    /// Messages.
    Bulk,
}

/// What the store must keep.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Write {
    /// An entry of the address book.
    Peer(Stored),
    /// An entry to drop.
    ForgetPeer(NodeId),
    /// The peers to dial first after a restart.
    Anchors(Vec<NodeId>),
    /// One event of the ledger.
    Record(Record),
    /// One event that replaces all of its subject's up to a number.
    Checkpoint {
        /// The last number that is replaced.
        up_to: u64,
        /// What replaces them.
        record: Record,
    },
    /// All events of a subject that the ledger forgot.
    ForgetRecords(NodeId),
    /// A ban in force.
    Ban(Ban),
    /// A ban lifted or lapsed.
    Unban(NodeId),
    /// The entries of the blacklist that name addresses, all of them.
    AddressBans(Vec<AddressBan>),
    /// What banned peers had to say, all of it, in the form that it is stored in.
    Appeals(Vec<u8>),
    /// Metrics and past of a peer.
    Profile {
        /// Whose.
        subject: NodeId,
        /// When it was last seen.
        last_seen: Wall,
        /// The stored form.
        bytes: Vec<u8>,
    },
    /// A profile to drop.
    ForgetProfile(NodeId),
    /// What peers signed about each other.
    Receipts(repute_trust::ReceiptsWrite),
    /// Something heard from a source of recommendations.
    Heard(HearsayRecord),
    /// What replaces all that was heard of its source up to its number.
    SourceCheckpoint(HearsayRecord),
    /// All that was heard of a source.
    ForgetSource(NodeId),
    /// A record of the DHT, kept for others.
    DhtRecord {
        /// Its key, author and slot.
        place: (RecordKey, NodeId, u8),
        /// Until when it holds.
        expires: Wall,
        /// The encoded envelope.
        wire: Bytes,
    },
    /// A record of the DHT to drop.
    ForgetDhtRecord {
        /// Its key, author and slot.
        place: (RecordKey, NodeId, u8),
    },
    /// What this node offers in the directory, under one of its keys.
    Offer {
        /// Which.
        slot: u8,
        /// When it was signed last.
        said: Wall,
        /// The stored form.
        bytes: Vec<u8>,
    },
    /// An offer that was taken back.
    ForgetOffer {
        /// Of which key.
        slot: u8,
    },
    /// The nodes of the DHT to begin with after a restart. Replaces the earlier list.
    Contacts(Vec<Contact>),
    /// What has been seen of some authors.
    Seen(Vec<SeenAuthor>),
}

/// What the shell must do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Dial this peer; answered by a link or a failure.
    Dial {
        /// Whom to expect.
        peer: NodeId,
        /// Where to try, best first.
        addresses: Vec<Address>,
    },
    /// Send an encoded frame.
    Send {
        /// To whom.
        peer: NodeId,
        /// The frame; shared between receivers.
        frame: Bytes,
        /// Which go first.
        priority: Priority,
    },
    /// From now on our handshakes say that we come to appeal, or no longer.
    Appealing(bool),
    /// From now on our handshakes say that we answer requests of the DHT, or no longer.
    Serving(bool),
    /// From now on nothing of this peer is decoded but its goodbye, or everything again.
    ShutOut {
        /// Whose gate closed or opened.
        peer: NodeId,
        /// Whether it is closed.
        shut_out: bool,
    },
    /// From now on connections from these prefixes, and no others, are refused at the door.
    Bar {
        /// All that are barred.
        prefixes: Vec<Prefix>,
    },
    /// Send this goodbye, flush, and close the link.
    Close {
        /// Whose link.
        peer: NodeId,
        /// What to say.
        disconnect: Disconnect,
    },
    /// Read nothing from these links until told otherwise; replaces what was said before.
    Hold {
        /// Whose links, sorted; none when empty.
        peers: Vec<NodeId>,
    },
    /// Check a signature; answered by `Verified` or `Forged`.
    Verify {
        /// Who sent the envelope.
        from: NodeId,
        /// The envelope.
        envelope: Envelope,
    },
    /// Sign as this node; answered by `Signed`.
    Sign {
        /// The number of the request.
        token: u64,
        /// What to sign.
        unsigned: Unsigned,
    },
    /// Sign this statement as this node; answered by `Attested`. It carries its domain and network.
    Attest {
        /// The number of the request.
        token: u64,
        /// The bytes to sign.
        statement: Vec<u8>,
    },
    /// Make these writes durable, in order; answered by `Persisted`.
    Persist {
        /// The number of the batch.
        id: PersistId,
        /// What to write.
        writes: Vec<Write>,
    },
    /// Files: what to do with streams and the store. Only `Request`, `Receive`, `Cancel`, `Answer`,
    /// `Serve`, `Transmit` and `Stop`; the core does the rest.
    Transfer(repute_blobs::Output),
    /// Tell the application.
    Event(Event),
}

/// What the application learns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A message arrived on a subscribed topic: exactly once each.
    Message {
        /// The proof.
        envelope: Verified<Envelope>,
        /// What it says.
        message: Message,
    },
    /// A neighbour sent a frame of the application's own.
    Custom(FromPeer<CustomData>),
    /// A message of this node is on its way.
    Published {
        /// The number of the command.
        token: u64,
        /// Its name.
        id: MessageId,
    },
    /// A message of this node was refused.
    PublishRefused {
        /// The number of the command.
        token: u64,
        /// Why.
        reason: &'static str,
    },
    /// This node's word where it listens, for others to keep.
    RecordSigned {
        /// The number of the command.
        token: u64,
        /// The proof.
        envelope: Verified<Envelope>,
    },
    /// What the DHT answers to its commands.
    Dht(repute_dht::Event),
    /// What the directory answers to its commands, and news of it.
    Directory(repute_dht::DirectoryEvent),
    /// How files on their way here fare.
    Blobs(repute_blobs::Event),
    /// Publishing is possible again.
    PublishReady,
    /// What a command asked for is durable.
    Done {
        /// The number of the command.
        token: u64,
    },
    /// What a command asked for holds now, but the store could not keep it.
    NotDurable {
        /// The number of the command.
        token: u64,
    },
    /// A link is admitted by both ends.
    Connected {
        /// To whom.
        peer: NodeId,
    },
    /// An admitted link is gone.
    Disconnected {
        /// To whom.
        peer: NodeId,
        /// What was said, if anything.
        reason: Option<DisconnectReason>,
    },
    /// A peer turned this node away: why, and when to try again.
    Refused(Refusal),
    /// What came of an appeal of this node's operator.
    Appeal {
        /// To whom.
        peer: NodeId,
        /// Whether it was handed over.
        sent: bool,
    },
    /// A banned peer's operator asks to think again.
    Appealed {
        /// Who.
        peer: NodeId,
        /// What it says; escape before showing.
        text: BoundedString<TEXT_MAX>,
    },
    /// A peer became known.
    Discovered {
        /// Who.
        peer: NodeId,
    },
    /// A peer stopped answering and was closed.
    Silent {
        /// Who.
        peer: NodeId,
    },
    /// A peer broke a rule; the evidence is in the ledger.
    Misbehaved {
        /// Who.
        peer: NodeId,
        /// Which rule.
        kind: Misbehaviour,
    },
    /// A peer is proven at fault, to everybody: it numbered two receipts alike.
    ProvenFault {
        /// Who.
        peer: NodeId,
    },
    /// A peer's level changed.
    LevelChanged {
        /// Whose.
        peer: NodeId,
        /// Before.
        from: Level,
        /// Now.
        to: Level,
    },
    /// A peer is on the first rung of the ladder.
    Warned {
        /// Who.
        peer: NodeId,
        /// For what.
        kind: Misbehaviour,
    },
    /// A recommendation moves what is thought of a peer that is not known well.
    Recommended {
        /// Who gave it; this node itself for its operator's own.
        by: NodeId,
        /// About whom.
        peer: NodeId,
        /// From −100 (warn) to 100 (recommend).
        value: i8,
    },
    /// The operator took a source of recommendations out.
    SourceWithdrawn {
        /// Which.
        source: NodeId,
    },
    /// The operator's recommendation was not taken.
    NotRecommended {
        /// The number of the command.
        token: u64,
        /// Why.
        reason: NotHeard,
    },
    /// A peer is kept out.
    Banned(Ban),
    /// A peer may come back.
    Unbanned {
        /// Who.
        peer: NodeId,
        /// Since when.
        at: Wall,
    },
}
