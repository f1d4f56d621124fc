use bincode::{Decode, Encode};
use repute_base::BoundedVec;
use repute_identity::{NodeId, Stamp, Vouch};

use crate::{
    Claim, Equivocation, Receipt, ReceiptProposal, SessionOpen, SessionProposal,
    limits::{CLAIMS_MAX, RECEIPTS_MAX, RECEIPTS_OF_PAIR_MAX, VOUCHES_MAX},
};

/// What makes an identity more than a free name: at most one stamp, and words of others.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Credentials {
    /// Whose.
    pub subject: NodeId,
    /// Its proof of work, if it has one.
    pub stamp: BoundedVec<Stamp, 1>,
    /// Words for it.
    pub vouches: BoundedVec<Vouch, VOUCHES_MAX>,
}

/// What neighbours say to each other about receipts.
///
/// Only what carries signatures proves anything; the rest is a neighbour's word.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ReceiptFrame {
    /// From `a`: let us open this session.
    Open(SessionProposal),
    /// From `b`: agreed.
    Opened(SessionOpen),
    /// From `a`: sign this receipt.
    Propose(ReceiptProposal),
    /// From `b`: signed.
    Cosigned(Receipt),
    /// Which are the latest receipts between the two of us?
    AskLatest,
    /// These, of either direction and each service.
    Latest {
        /// Nothing is missing: fewer mean that there are fewer.
        receipts: BoundedVec<Receipt, RECEIPTS_OF_PAIR_MAX>,
    },
    /// What do you have about this peer?
    AskAbout {
        /// Whom.
        subject: NodeId,
    },
    /// This.
    About {
        /// Whom.
        subject: NodeId,
        /// Latest receipts in which it has a part.
        receipts: BoundedVec<Receipt, RECEIPTS_MAX>,
        /// Claims by or against it.
        claims: BoundedVec<Claim, CLAIMS_MAX>,
    },
    /// Receipts for whoever wants them, unasked.
    Share {
        /// Which.
        receipts: BoundedVec<Receipt, RECEIPTS_MAX>,
    },
    /// A fault that proves itself, for everybody.
    Fault(Equivocation),
    /// Why a peer is more than a free name.
    Credentials(Credentials),
}
