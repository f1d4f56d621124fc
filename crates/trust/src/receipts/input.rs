use alloc::boxed::Box;

use repute_identity::{Inception, NodeId, Signature};
use repute_protocol::{Credentials, FromPeer, Outcome, ReceiptFrame, Service};

/// What the shell hands to [`Receipts`](crate::Receipts).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReceiptsInput {
    /// A peer is linked and admitted.
    LinkUp {
        /// Its record, whose key the link authenticated.
        inception: Inception,
    },
    /// A link is gone.
    LinkDown {
        /// Whose.
        peer: NodeId,
    },
    /// A frame of an authenticated peer.
    Frame(FromPeer<Box<ReceiptFrame>>),
    /// A peer served us.
    Served {
        /// Who.
        peer: NodeId,
        /// With what.
        service: Service,
        /// How much more, in the unit of the service. Counts only within an open session. Never
        /// has an output, so it may come thick and fast.
        amount: u64,
    },
    /// Open a session with a linked peer now, before value moves.
    Open {
        /// Who is to serve us.
        peer: NodeId,
        /// With what.
        service: Service,
    },
    /// No more value moves for now: sign soon for what was received, without waiting for the
    /// interval. The link may go after that.
    Settle {
        /// Who served us.
        peer: NodeId,
    },
    /// A peer failed us. Comes to a claim only where it had agreed to a session.
    Failed {
        /// Who.
        peer: NodeId,
        /// In what.
        service: Service,
        /// How.
        kind: Outcome,
    },
    /// Ask a linked peer what it has about another.
    Ask {
        /// Whom to ask.
        peer: NodeId,
        /// About whom.
        subject: NodeId,
    },
    /// What makes this node more than a free name.
    Own(Credentials),
    /// Answer to [`ReceiptsOutput::Sign`](crate::ReceiptsOutput).
    Signed {
        /// The number of the request.
        token: u64,
        /// Ours, over the statement.
        signature: Signature,
    },
    /// Answer to [`ReceiptsOutput::Persist`](crate::ReceiptsOutput) with a token: it is durable.
    Persisted {
        /// The number of the request.
        token: u64,
    },
    /// The same: the store refused. What waited is given up; its number stays spent.
    NotPersisted {
        /// The number of the request.
        token: u64,
    },
    /// Time passed.
    Tick,
}
