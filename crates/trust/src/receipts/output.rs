use alloc::{boxed::Box, vec::Vec};

use repute_identity::NodeId;
use repute_protocol::{Equivocation, Misbehaviour, Receipt, ReceiptFrame, Service, Verified};

use super::row::ReceiptRow;

/// What the shell must do for [`Receipts`](crate::Receipts), in this order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReceiptsOutput {
    /// Send this to a linked peer.
    Send {
        /// To whom.
        peer: NodeId,
        /// What.
        frame: Box<ReceiptFrame>,
    },
    /// Sign this as this node; answered by `Signed`. What has a number is durable already.
    Sign {
        /// The number of the request.
        token: u64,
        /// What to sign, its domain and network included.
        statement: Vec<u8>,
    },
    /// Store this; answered by `Persisted` where there is a token.
    Persist {
        /// The number of the request.
        token: Option<u64>,
        /// What.
        write: ReceiptsWrite,
    },
    /// A linked peer has agreed to serve us in a session.
    Opened {
        /// Who serves.
        peer: NodeId,
        /// With what.
        service: Service,
        /// The number of the session.
        session: u64,
    },
    /// A linked peer broke a rule.
    Misbehaviour {
        /// Who.
        peer: NodeId,
        /// Which.
        kind: Misbehaviour,
    },
    /// Somebody, linked or not, is proven at fault, to everybody.
    Fault {
        /// Who.
        subject: NodeId,
        /// Why.
        proof: Verified<Equivocation>,
    },
    /// A receipt is newer than what was known of its pair and service.
    Receipt(Receipt),
}

/// A change to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptsWrite {
    /// Put this row, replacing the one of its kind and names.
    Put(ReceiptRow),
    /// Remove the row of this pair.
    ForgetPair {
        /// Who was served.
        a: NodeId,
        /// Who served.
        b: NodeId,
    },
}
