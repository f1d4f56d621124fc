use core::fmt;

/// Valid bytes, broken rule; or bytes that no honest node sends. Each variant is a unit of
/// evidence for the trust engine.
///
/// Only what an honest peer cannot cause under any network fault is listed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// An envelope on this link whose signature does not verify. Honest nodes check before they
    /// forward, so the link's peer is to blame.
    ForgedEnvelope,
    /// A frame that is no encoding of its kind.
    MalformedFrame,
    /// A frame longer than its kind allows.
    OversizedFrame,
    /// A payload, inside a proven envelope, that is no encoding of its kind; its author's fault.
    MalformedPayload,
    /// An envelope from so far ahead that no two honest clocks can explain it. Being refused as
    /// [`Freshness::FromTheFuture`](crate::Freshness) is not enough: an honest relay in between may
    /// have a clock ahead of the receiver's.
    FromTheFuture,
    /// An envelope of another network.
    WrongNetwork,
    /// An address record that its subject did not sign.
    ForeignRecord,
    /// A frame that the state of the link does not allow, such as a second handshake.
    UnexpectedFrame,
    /// A reconciliation message that does not parse.
    MalformedReconcile,
    /// More messages, bytes or requests than the budget of the link allows.
    BudgetExceeded,
    /// More connection attempts than allowed.
    ConnectionFlood,
    /// A receipt, session, claim or proof of a fault on this link that does not verify, or a word
    /// for an identity that nobody gave. Honest nodes check before they pass it on.
    ForgedReceipt,
    /// Two receipts under one number, both signed: see [`Equivocation`](crate::Equivocation).
    Equivocation,
    /// A record of the DHT on this link that breaks a rule of its own kind, or is not where it
    /// belongs: see [`RecordError::proves_itself`](crate::RecordError::proves_itself). Honest nodes
    /// check before they store and before they serve.
    InvalidRecord,
    /// More advertisements than one a minute, or of more keys than ten; the author's fault.
    AdvertisementFlood,
    /// Bytes for a blob that do not match its hash, on a stream of this peer's own. Proven to
    /// whoever fetches, and to nobody else.
    CorruptBlob,
}

/// How much a misbehaviour weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A soft fault; the ban ladder only when repeated.
    Soft,
    /// A hard fault, proven to the observer.
    Hard,
}

impl Misbehaviour {
    /// Every kind, in the order of their codes.
    pub const ALL: [Self; 16] = [
        Self::ForgedEnvelope,
        Self::MalformedFrame,
        Self::OversizedFrame,
        Self::MalformedPayload,
        Self::FromTheFuture,
        Self::WrongNetwork,
        Self::ForeignRecord,
        Self::UnexpectedFrame,
        Self::MalformedReconcile,
        Self::BudgetExceeded,
        Self::ConnectionFlood,
        Self::ForgedReceipt,
        Self::Equivocation,
        Self::InvalidRecord,
        Self::AdvertisementFlood,
        Self::CorruptBlob,
    ];

    /// How much it weighs.
    pub const fn severity(self) -> Severity {
        match self {
            Self::BudgetExceeded
            | Self::ConnectionFlood
            | Self::FromTheFuture
            | Self::AdvertisementFlood => Severity::Soft,
            _ => Severity::Hard,
        }
    }

    /// A stable name for logs, storage and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForgedEnvelope => "forged-envelope",
            Self::MalformedFrame => "malformed-frame",
            Self::OversizedFrame => "oversized-frame",
            Self::MalformedPayload => "malformed-payload",
            Self::FromTheFuture => "from-the-future",
            Self::WrongNetwork => "wrong-network",
            Self::ForeignRecord => "foreign-record",
            Self::UnexpectedFrame => "unexpected-frame",
            Self::MalformedReconcile => "malformed-reconcile",
            Self::BudgetExceeded => "budget-exceeded",
            Self::ConnectionFlood => "connection-flood",
            Self::ForgedReceipt => "forged-receipt",
            Self::Equivocation => "equivocation",
            Self::InvalidRecord => "invalid-record",
            Self::AdvertisementFlood => "advertisement-flood",
            Self::CorruptBlob => "corrupt-blob",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
