use core::time::Duration;

use repute_base::BoundedString;
use repute_identity::NodeId;

use crate::{Context, Evidence, Fault};

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
    /// The operator lifts a ban and forgets the strikes. The score stays.
    Unban {
        /// Whose.
        subject: NodeId,
    },
    /// Time passed ([`Machine::next_deadline`](repute_base::Machine::next_deadline)).
    Tick,
}
