use repute_base::{Address, Mono, Rng, Timestamp};
use repute_identity::NodeId;
use repute_protocol::Misbehaviour;

/// One simulated node: an engine, or a whole composition of them, with the little shell that
/// turns events into its inputs and its outputs into entries of the [`Outbox`].
pub trait Host {
    /// What nodes send each other.
    type Packet: Clone;

    /// Handles one event. Everything to do goes into `out`; nothing else has an effect.
    fn handle(
        &mut self,
        now: Timestamp,
        event: HostEvent<Self::Packet>,
        out: &mut Outbox<Self::Packet>,
    );

    /// When the host wants [`HostEvent::Tick`] next, on its own monotonic clock. A moment that has
    /// passed means at once, and after a tick, one millisecond later.
    fn next_deadline(&self) -> Option<Mono>;

    /// What must hold after each event and does not, in words. The world asks after every step
    /// and keeps the answers for [`World::violations`](crate::World::violations).
    fn broken_invariant(&self) -> Option<String> {
        None
    }

    /// The size of a packet on the wire, in bytes; goes into the trace and the byte counts.
    fn size(packet: &Self::Packet) -> usize;
}

/// What happens to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostEvent<P> {
    /// The node was started. Always the first event of a life.
    Start,
    /// The deadline of [`Host::next_deadline`] has come.
    Tick,
    /// A link to `peer` is up. Followed by exactly one [`HostEvent::LinkDown`], unless this host
    /// crashes before.
    LinkUp {
        /// The peer, authenticated.
        peer: NodeId,
        /// Where the peer is reached.
        address: Address,
        /// Whether this side dialled.
        dialled: bool,
    },
    /// The link to `peer` is gone.
    LinkDown {
        /// The peer.
        peer: NodeId,
        /// Why.
        end: LinkEnd,
    },
    /// A dial did not become a link.
    DialFailed {
        /// What was dialled.
        address: Address,
        /// Why.
        error: DialError,
    },
    /// A packet came over the link with `from`.
    Packet {
        /// The peer that sent it.
        from: NodeId,
        /// The packet.
        packet: P,
    },
    /// A datagram came, with or without a link.
    Datagram {
        /// The node that sent it.
        from: NodeId,
        /// The packet.
        packet: P,
    },
}

/// Why a link went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// This side closed it.
    Here,
    /// The other side closed it; all it had sent before has arrived.
    There,
    /// Nothing came through any more, or the other side has lost its state.
    Lost,
}

/// Why a dial failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialError {
    /// Nobody has that address.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// Somebody else answered than was expected.
    WrongIdentity,
    /// There is a link with that peer, or the other side's dial came first.
    AlreadyLinked,
    /// The address is the node's own.
    Oneself,
}

/// Where a host may put what it wants done.
#[derive(Debug)]
pub struct Outbox<P> {
    pub(crate) acts: Vec<Act<P>>,
}

#[derive(Debug)]
pub(crate) enum Act<P> {
    Send {
        to: NodeId,
        packet: P,
    },
    Datagram {
        to: NodeId,
        packet: P,
    },
    Dial {
        address: Address,
        expected: Option<NodeId>,
    },
    Close {
        peer: NodeId,
    },
    Accuse {
        peer: NodeId,
        kind: Misbehaviour,
    },
}

impl<P> Outbox<P> {
    pub(crate) const fn new() -> Self {
        Self { acts: Vec::new() }
    }

    /// Sends over the link with `to`; counted as dropped when there is none.
    pub fn send(&mut self, to: NodeId, packet: P) {
        self.acts.push(Act::Send { to, packet });
    }

    /// Sends without link or guarantee: it may be lost, come twice or out of order.
    pub fn datagram(&mut self, to: NodeId, packet: P) {
        self.acts.push(Act::Datagram { to, packet });
    }

    /// Opens a link to whoever has `address`; if `expected` is given, to nobody else. Ends in one
    /// [`HostEvent::LinkUp`] or one [`HostEvent::DialFailed`].
    pub fn dial(&mut self, address: Address, expected: Option<NodeId>) {
        self.acts.push(Act::Dial { address, expected });
    }

    /// Closes the link with `peer`, after what was sent before.
    pub fn close(&mut self, peer: NodeId) {
        self.acts.push(Act::Close { peer });
    }

    /// Says that `peer` broke a rule: what the engine put out as misbehaviour. The world keeps it
    /// for [`World::false_accusations`](crate::World::false_accusations).
    pub fn accuse(&mut self, peer: NodeId, kind: Misbehaviour) {
        self.acts.push(Act::Accuse { peer, kind });
    }
}

/// One accusation that a host raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accusation {
    /// When, on the world's clock.
    pub at: Mono,
    /// Who accused.
    pub by: NodeId,
    /// Who was accused.
    pub of: NodeId,
    /// Of what.
    pub kind: Misbehaviour,
}

/// One rule that did not hold after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When, on the world's clock.
    pub at: Mono,
    /// Which node.
    pub node: usize,
    /// Which rule, in the host's words.
    pub rule: String,
}

/// What a host is built from: its place in the world.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The index of the node in its world.
    pub index: usize,
    /// Who the node is.
    pub id: NodeId,
    /// Where it is reached.
    pub address: Address,
    /// When this life starts, on the world's clock.
    pub at: Mono,
    /// The clocks at the start of this life.
    pub now: Timestamp,
    /// A generator of its own, another one in each life.
    pub rng: Rng,
}
