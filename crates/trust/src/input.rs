use core::time::Duration;

use repute_base::{BoundedBytes, BoundedString};
use repute_identity::NodeId;

use crate::{Context, Evidence, Fault, Footing, Opinion};

/// What the shell hands in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// Something happened with a peer. Ignored while its gate is closed: what still trickles in
    /// was sent before.
    Observe {
        /// With whom.
        subject: NodeId,
        /// As what it is judged.
        context: Context,
        /// What happened.
        evidence: Evidence,
        /// Whose fault it was.
        fault: Fault,
    },
    /// The operator bans. Replaces a ban that is there.
    Ban {
        /// Whom.
        subject: NodeId,
        /// For how long; `None`: for good.
        duration: Option<Duration>,
        /// Why.
        reason: BoundedString<128>,
    },
    /// The operator changes why or until when a peer is banned; the ban is the operator's from then
    /// on. Nothing without a ban.
    EditBan {
        /// Whose.
        subject: NodeId,
        /// The new reason; `None` leaves it.
        reason: Option<BoundedString<128>>,
        /// How long it lasts from now, or for good; `None` leaves it.
        duration: Option<Option<Duration>>,
    },
    /// The operator lifts a ban and forgets the strikes. The score stays.
    Unban {
        /// Whose.
        subject: NodeId,
    },
    /// A recommendation whose signature holds. What the policy does not take changes nothing.
    Recommended {
        /// Who signed it.
        source: NodeId,
        /// What it says.
        opinion: Opinion,
        /// What the source is worth.
        footing: Footing,
    },
    /// This node recommends, or complains. Ask [`Ledger::would_hear`](crate::Ledger::would_hear)
    /// first.
    Recommend {
        /// This node.
        me: NodeId,
        /// What it says.
        opinion: Opinion,
        /// Why, for people; kept here alone.
        reason: BoundedString<128>,
        /// The signed envelope, for others.
        signed: BoundedBytes<{ repute_protocol::limits::RECOMMENDATION_MAX }>,
    },
    /// What a source of recommendations is worth. Ignored for one that was never heard.
    Footing {
        /// Whose.
        source: NodeId,
        /// What it is worth from now on.
        footing: Footing,
    },
    /// The operator takes a source out, as if it had never been heard, and keeps it out.
    Withdraw {
        /// Whom.
        source: NodeId,
    },
    /// The operator listens to a withdrawn source again.
    Readmit {
        /// To whom.
        source: NodeId,
    },
    /// Time passed ([`Machine::next_deadline`](repute_base::Machine::next_deadline)).
    Tick,
}
