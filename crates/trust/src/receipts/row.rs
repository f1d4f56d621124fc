use alloc::vec::Vec;

use repute_base::{BoundedVec, Fixed, Wall, codec};
use repute_identity::NodeId;
use repute_protocol::{Claim, Credentials, Equivocation, Receipt, Service};

use super::pair::{Account, Pair};
use crate::RecordError;

/// One row of the store, by kind and names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptRow {
    /// Of what kind: 0 a pair, 2 a fault, 3 credentials, from 16 on a claim in a service.
    pub kind: u8,
    /// Who was served; the claimant; the offender; the subject.
    pub a: NodeId,
    /// Who served; the accused; otherwise as `a`.
    pub b: NodeId,
    /// When it was last touched.
    pub wall: Wall,
    /// What it says, in this crate's encoding.
    pub body: Vec<u8>,
}

pub(crate) const PAIR: u8 = 0;
/// The first of the claims; the number of the service is added.
pub(crate) const CLAIM: u8 = 16;
pub(crate) const FAULT: u8 = 2;
pub(crate) const CREDENTIALS: u8 = 3;

/// Version of the stored forms.
const VERSION: u8 = 1;

/// The stored form of a pair: version, settled, day, accounts.
type StoredPair = (u8, i64, u64, BoundedVec<StoredAccount, 4>);

/// Service, highest number, amount at the beginning of the day, latest receipt.
type StoredAccount = (Service, u64, u64, Option<Receipt>);

/// A row, read.
#[derive(Clone, Debug)]
pub(crate) enum Restored {
    Pair((NodeId, NodeId), Pair),
    Claim(Claim),
    Fault(Equivocation),
    Credentials(Credentials),
}

impl ReceiptRow {
    /// Bytes of [`key`](Self::key).
    pub const KEY_LEN: usize = 65;

    /// What names the row in a store: its kind and both ids.
    pub fn key(&self) -> Vec<u8> {
        key(self.kind, self.a, self.b)
    }

    /// What names the row of a pair.
    pub fn key_of_pair(a: NodeId, b: NodeId) -> Vec<u8> {
        key(PAIR, a, b)
    }

    /// The row of this name.
    pub fn from_parts(key: &[u8], wall: Wall, body: Vec<u8>) -> Option<Self> {
        let (kind, names) = key.split_first()?;
        let (a, b) = names.split_first_chunk::<32>()?;
        Some(Self {
            kind: *kind,
            a: NodeId::from_bytes(*a),
            b: NodeId::from_bytes(b.try_into().ok()?),
            wall,
            body,
        })
    }

    pub(crate) fn of_pair((a, b): (NodeId, NodeId), pair: &Pair) -> Self {
        let accounts = pair.accounts().map(|account| {
            let Account {
                service,
                spent,
                base,
                latest,
                ..
            } = account;
            (*service, *spent, *base, *latest)
        });
        let stored: StoredPair = (
            VERSION,
            pair.settled.raw(),
            pair.day,
            BoundedVec::truncated(accounts),
        );
        Self {
            kind: PAIR,
            a,
            b,
            wall: pair.touched,
            body: codec::encode(&stored),
        }
    }

    pub(crate) fn of_claim(claim: &Claim, wall: Wall) -> Self {
        Self {
            kind: CLAIM.saturating_add(claim.terms.service.number()),
            a: claim.claimant(),
            b: claim.accused(),
            wall,
            body: codec::encode(&(VERSION, claim)),
        }
    }

    pub(crate) fn of_fault(proof: &Equivocation, wall: Wall) -> Self {
        let offender = proof.offender();
        Self {
            kind: FAULT,
            a: offender,
            b: offender,
            wall,
            body: codec::encode(&(VERSION, proof)),
        }
    }

    pub(crate) fn of_credentials(credentials: &Credentials, wall: Wall) -> Self {
        let subject = credentials.subject;
        Self {
            kind: CREDENTIALS,
            a: subject,
            b: subject,
            wall,
            body: codec::encode(&(VERSION, credentials)),
        }
    }

    pub(crate) fn read(&self) -> Result<Restored, RecordError> {
        match self.kind {
            PAIR => {
                let (version, settled, day, accounts): StoredPair = codec::decode(&self.body)?;
                known(version)?;
                let mut pair = Pair::new(self.wall);
                (pair.settled, pair.day) = (Fixed::from_raw(settled), day);
                for (service, spent, base, latest) in accounts {
                    let account = pair.account_mut(service);
                    (account.spent, account.base, account.latest) = (spent, base, latest);
                }
                Ok(Restored::Pair((self.a, self.b), pair))
            }
            kind if kind >= CLAIM => {
                let (version, claim): (u8, Claim) = codec::decode(&self.body)?;
                known(version).map(|()| Restored::Claim(claim))
            }
            FAULT => {
                let (version, proof): (u8, Equivocation) = codec::decode(&self.body)?;
                known(version).map(|()| Restored::Fault(proof))
            }
            CREDENTIALS => {
                let (version, shown): (u8, Credentials) = codec::decode(&self.body)?;
                known(version).map(|()| Restored::Credentials(shown))
            }
            _ => Err(RecordError::Unknown {
                field: "kind of receipt row",
            }),
        }
    }
}

fn key(kind: u8, a: NodeId, b: NodeId) -> Vec<u8> {
    let mut key = Vec::with_capacity(ReceiptRow::KEY_LEN);
    key.push(kind);
    key.extend_from_slice(a.as_bytes());
    key.extend_from_slice(b.as_bytes());
    key
}

fn known(version: u8) -> Result<(), RecordError> {
    if version == VERSION {
        return Ok(());
    }
    Err(RecordError::Version {
        version,
        max: VERSION,
    })
}
