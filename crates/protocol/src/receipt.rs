//! What two peers sign together about what one did for the other.
//!
//! Both signatures are over the same statement, so that whoever holds a receipt can check it
//! without asking anybody: [`Receipt::verify`] is a pure function. `a` is served and numbers the
//! receipts, `b` serves and co-signs. Receipts of a pair and service are cumulative: the latest
//! says all that the earlier ones did.

use alloc::vec::Vec;

use bincode::{Decode, Encode};
use repute_base::codec;
use repute_identity::{Check, Identity, Inception, NodeId, PublicKey, Signature, verify};

use crate::NetworkId;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Service {
    /// New messages were delivered, counted one by one.
    Messages,
    /// Files were sent, counted in bytes.
    Transfer,
    /// Bytes were carried between two others.
    Relay,
    /// Signing sessions were finished, counted one by one.
    Signing,
}

impl Service {
    /// Every service, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Messages, Self::Transfer, Self::Relay, Self::Signing];

    /// The number on the wire and in the store.
    pub const fn number(self) -> u8 {
        match self {
            Self::Messages => 0,
            Self::Transfer => 1,
            Self::Relay => 2,
            Self::Signing => 3,
        }
    }

    /// The service of this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }

    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Transfer => "transfer",
            Self::Relay => "relay",
            Self::Signing => "signing",
        }
    }
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Outcome {
    /// `b` served `a`; both sign.
    Served,
    /// The other did not answer in time; the claimant alone signs, as with all that follow.
    TimedOut,
    /// The other left in the middle.
    Disconnected,
    /// The other sent what was not right.
    Invalid,
    /// The other gave up.
    Aborted,
}

impl Outcome {
    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::TimedOut => "timed-out",
            Self::Disconnected => "disconnected",
            Self::Invalid => "invalid",
            Self::Aborted => "aborted",
        }
    }
}

/// One of the two who sign: the parts of an inception record, as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Party {
    /// The record's key; admitted only when a signature is checked.
    pub key: [u8; 32],
    /// The record's recovery hash.
    pub recovery: [u8; 32],
}

impl Party {
    /// The party that this record names.
    pub const fn of(inception: &Inception) -> Self {
        Self {
            key: *inception.key.as_bytes(),
            recovery: inception.recovery,
        }
    }

    /// Its name.
    pub fn id(&self) -> NodeId {
        Inception::id_of(&self.key, &self.recovery)
    }

    fn signed(&self, statement: &[u8], signature: &Signature) -> bool {
        PublicKey::from_bytes(self.key).is_ok_and(|key| {
            verify(&Check {
                key,
                message: statement,
                signature: *signature,
            })
        })
    }
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Side {
    /// Who is served.
    A,
    /// Who serves.
    B,
}

/// What both agree on before anything of value moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct SessionTerms {
    /// The version of this form.
    pub version: u8,
    /// What is to be done.
    pub service: Service,
    /// Who is to be served.
    pub a: Party,
    /// Who is to serve.
    pub b: Party,
    /// The number that `a` gave the session.
    pub session: u64,
    /// Since when, in ms since the Unix epoch.
    pub t0: u64,
}

/// What both say was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct ReceiptTerms {
    /// The version of this form.
    pub version: u8,
    /// What was done.
    pub service: Service,
    /// Who was served.
    pub a: Party,
    /// Who served.
    pub b: Party,
    /// The session in which the latest part was done.
    pub session: u64,
    /// The number of the receipt: `a` never uses one twice for the same `b` and service, and
    /// persists it before it signs. Zero in a claim.
    pub seq_ab: u64,
    /// How it went.
    pub kind: Outcome,
    /// How much so far, in the unit of the service; never less than in an earlier receipt.
    pub amount: u64,
    /// Since when this is counted, in ms since the Unix epoch.
    pub t0: u64,
    /// Until when, in ms since the Unix epoch.
    pub t1: u64,
}

/// The only version of these forms so far.
pub(crate) const VERSION: u8 = 1;

impl SessionTerms {
    /// The only version so far.
    pub const VERSION: u8 = VERSION;
    const DOMAIN: &'static [u8] = b"repute session 1";

    /// The bytes that both sign.
    pub fn statement(&self, network: NetworkId) -> Vec<u8> {
        statement(Self::DOMAIN, network, self)
    }

    fn is_sound(&self) -> bool {
        self.version == VERSION && self.a.key != self.b.key
    }
}

impl ReceiptTerms {
    /// The only version so far.
    pub const VERSION: u8 = VERSION;
    const DOMAIN: &'static [u8] = b"repute receipt 1";

    /// The bytes that are signed.
    pub fn statement(&self, network: NetworkId) -> Vec<u8> {
        statement(Self::DOMAIN, network, self)
    }

    /// Who is meant.
    pub const fn party(&self, side: Side) -> &Party {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// Whether a signature over this can mean anything: a known version, two parties, no time that
    /// runs backwards, and a number if and only if it is a receipt.
    pub fn is_sound(&self) -> bool {
        self.version == VERSION
            && self.a.key != self.b.key
            && self.t0 <= self.t1
            && (self.seq_ab != 0) == (self.kind == Outcome::Served)
    }
}

fn statement<T: Encode>(domain: &[u8], network: NetworkId, terms: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(domain);
    bytes.extend_from_slice(network.as_bytes());
    codec::encode_into(terms, &mut bytes);
    bytes
}

/// A session that `a` proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct SessionProposal {
    /// What it asks `b` to agree to.
    pub terms: SessionTerms,
    /// That of `a`.
    pub sig_a: Signature,
}

/// A session that both agreed on. Without it there is no claim against either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct SessionOpen {
    /// What they agreed on.
    pub terms: SessionTerms,
    /// That of `a`.
    pub sig_a: Signature,
    /// That of `b`.
    pub sig_b: Signature,
}

/// A receipt that `a` proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct ReceiptProposal {
    /// What it says was done.
    pub terms: ReceiptTerms,
    /// That of `a`.
    pub sig_a: Signature,
}

/// A receipt that both signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Receipt {
    /// What they say was done.
    pub terms: ReceiptTerms,
    /// That of `a`.
    pub sig_a: Signature,
    /// That of `b`.
    pub sig_b: Signature,
}

/// A complaint of one of the two, with the session that the other had agreed to. It shows that
/// the two dealt with each other, and who complains; not that the complaint is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Claim {
    /// What both had agreed on.
    pub open: SessionOpen,
    /// What the claimant says; its number is zero.
    pub terms: ReceiptTerms,
    /// Who claims.
    pub by: Side,
    /// The claimant's.
    pub signature: Signature,
}

/// Two receipts of `a` for one `b` and service under one number: a fault that proves itself.
///
/// An honest node persists a number before it signs and begins each life with numbers above all
/// before, so no crash and no restored backup can make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Equivocation {
    /// One.
    pub first: ReceiptProposal,
    /// The other.
    pub second: ReceiptProposal,
}

impl SessionProposal {
    /// Proposes a session as `identity`, who is its `a`.
    pub fn sign(terms: SessionTerms, network: NetworkId, identity: &Identity) -> Self {
        let sig_a = identity.sign(&terms.statement(network));
        Self { terms, sig_a }
    }

    /// Whether `a` signed it.
    pub fn is_proven(&self, network: NetworkId) -> bool {
        self.terms.is_sound() && {
            let statement = self.terms.statement(network);
            self.terms.a.signed(&statement, &self.sig_a)
        }
    }

    /// The session, with the signature of `b`.
    pub const fn with(self, sig_b: Signature) -> SessionOpen {
        SessionOpen {
            terms: self.terms,
            sig_a: self.sig_a,
            sig_b,
        }
    }
}

impl SessionOpen {
    /// Whether both signed it.
    pub fn is_proven(&self, network: NetworkId) -> bool {
        self.terms.is_sound() && {
            let statement = self.terms.statement(network);
            self.terms.a.signed(&statement, &self.sig_a)
                && self.terms.b.signed(&statement, &self.sig_b)
        }
    }
}

impl ReceiptProposal {
    /// Proposes a receipt as `identity`, who is its `a`.
    pub fn sign(terms: ReceiptTerms, network: NetworkId, identity: &Identity) -> Self {
        let sig_a = identity.sign(&terms.statement(network));
        Self { terms, sig_a }
    }

    /// Whether `a` signed it.
    pub fn is_proven(&self, network: NetworkId) -> bool {
        self.terms.is_sound() && self.terms.kind == Outcome::Served && {
            let statement = self.terms.statement(network);
            self.terms.a.signed(&statement, &self.sig_a)
        }
    }

    /// The receipt, with the signature of `b`.
    pub const fn with(self, sig_b: Signature) -> Receipt {
        Receipt {
            terms: self.terms,
            sig_a: self.sig_a,
            sig_b,
        }
    }
}

impl Receipt {
    /// The part of `a`.
    pub const fn proposal(&self) -> ReceiptProposal {
        ReceiptProposal {
            terms: self.terms,
            sig_a: self.sig_a,
        }
    }

    pub(crate) fn is_proven(&self, network: NetworkId) -> bool {
        self.terms.is_sound() && self.terms.kind == Outcome::Served && {
            let statement = self.terms.statement(network);
            self.terms.a.signed(&statement, &self.sig_a)
                && self.terms.b.signed(&statement, &self.sig_b)
        }
    }
}

impl Claim {
    /// Complains as `identity`, who is `by`.
    pub fn sign(
        open: SessionOpen,
        terms: ReceiptTerms,
        (by, identity): (Side, &Identity),
        network: NetworkId,
    ) -> Self {
        let signature = identity.sign(&terms.statement(network));
        Self {
            open,
            terms,
            by,
            signature,
        }
    }

    /// Who complains.
    pub fn claimant(&self) -> NodeId {
        self.terms.party(self.by).id()
    }

    /// About whom.
    pub fn accused(&self) -> NodeId {
        let other = match self.by {
            Side::A => Side::B,
            Side::B => Side::A,
        };
        self.terms.party(other).id()
    }

    pub(crate) fn is_proven(&self, network: NetworkId) -> bool {
        let (open, terms) = (&self.open.terms, &self.terms);
        let same = (open.service, open.a, open.b, open.session)
            == (terms.service, terms.a, terms.b, terms.session);
        same && terms.is_sound()
            && terms.kind != Outcome::Served
            && terms.t1 >= open.t0
            && self.open.is_proven(network)
            && terms
                .party(self.by)
                .signed(&terms.statement(network), &self.signature)
    }
}

impl Equivocation {
    /// Whose fault it is: who numbered both.
    pub fn offender(&self) -> NodeId {
        self.first.terms.a.id()
    }

    pub(crate) fn is_proven(&self, network: NetworkId) -> bool {
        let key = |terms: &ReceiptTerms| (terms.service, terms.a, terms.b, terms.seq_ab);
        key(&self.first.terms) == key(&self.second.terms)
            && self.first.terms != self.second.terms
            && self.first.is_proven(network)
            && self.second.is_proven(network)
    }
}
