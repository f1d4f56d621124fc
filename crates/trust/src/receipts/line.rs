use alloc::vec::Vec;

use repute_base::codec;
use repute_identity::NodeId;
use repute_protocol::{Claim, Equivocation, Receipt, Service};

/// A receipt in plain values, with the bytes that prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptLine {
    /// What was done.
    pub service: Service,
    /// Who was served.
    pub served: NodeId,
    /// Who served.
    pub by: NodeId,
    /// The number.
    pub number: u64,
    /// How much so far, in the unit of the service.
    pub amount: u64,
    /// Since when, in ms since the Unix epoch.
    pub from_ms: u64,
    /// Until when, in ms since the Unix epoch.
    pub until_ms: u64,
    /// As on the wire.
    pub bytes: Vec<u8>,
}

/// A claim in plain values, with the bytes that prove who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimLine {
    /// In what.
    pub service: Service,
    /// Who complains.
    pub claimant: NodeId,
    /// About whom.
    pub accused: NodeId,
    /// Of what.
    pub kind: &'static str,
    /// When, in ms since the Unix epoch.
    pub at_ms: u64,
    /// As on the wire.
    pub bytes: Vec<u8>,
}

/// A proven fault in plain values, with the bytes that prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultLine {
    /// Whose.
    pub offender: NodeId,
    /// In what.
    pub service: Service,
    /// The number that was used twice.
    pub number: u64,
    /// As on the wire.
    pub bytes: Vec<u8>,
}

impl ReceiptLine {
    pub(crate) fn of(receipt: &Receipt) -> Self {
        let terms = &receipt.terms;
        Self {
            service: terms.service,
            served: terms.a.id(),
            by: terms.b.id(),
            number: terms.seq_ab,
            amount: terms.amount,
            from_ms: terms.t0,
            until_ms: terms.t1,
            bytes: codec::encode(receipt),
        }
    }
}

impl ClaimLine {
    pub(crate) fn of(claim: &Claim) -> Self {
        Self {
            service: claim.terms.service,
            claimant: claim.claimant(),
            accused: claim.accused(),
            kind: claim.terms.kind.name(),
            at_ms: claim.terms.t1,
            bytes: codec::encode(claim),
        }
    }
}

impl FaultLine {
    pub(crate) fn of(proof: &Equivocation) -> Self {
        Self {
            offender: proof.offender(),
            service: proof.first.terms.service,
            number: proof.first.terms.seq_ab,
            bytes: codec::encode(proof),
        }
    }
}
