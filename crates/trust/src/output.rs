use repute_identity::NodeId;
use repute_protocol::Misbehaviour;

use crate::{Ban, HearsayRecord, Level, Record, Standing};

/// What the shell must do, in this order: what is to be stored comes before what depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Store this.
    Persist(Write),
    /// A peer's standing changed.
    Standing {
        /// Whose.
        subject: NodeId,
        /// What it is now.
        standing: Standing,
    },
    /// For the application.
    Event(Event),
}

/// A change to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Write {
    /// Append this record.
    Record(Record),
    /// Put this ban, replacing the subject's.
    Ban(Ban),
    /// Remove the subject's ban.
    Unban(NodeId),
    /// In one transaction: remove the subject's records numbered up to and including `up_to`,
    /// then put `record`, which bears that number and carries all they came to.
    Checkpoint {
        /// Whose.
        subject: NodeId,
        /// The newest record to go.
        up_to: u64,
        /// What takes their place; its evidence is [`Evidence::Carried`](crate::Evidence).
        record: Record,
    },
    /// Append this record of what was heard.
    Heard(HearsayRecord),
    /// In one transaction: remove what was heard of the record's source up to and including its
    /// number, then put this, which carries all it came to.
    SourceCheckpoint(HearsayRecord),
    /// Remove all that was heard of this source.
    ForgetSource(NodeId),
    /// Remove all records of the subject: it was evicted, or nothing is left of them.
    Forget(NodeId),
}

/// What happened, for the application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Evidence moved a peer to another level.
    LevelChanged {
        /// Whom.
        subject: NodeId,
        /// The level before.
        from: Level,
        /// The level now.
        to: Level,
    },
    /// A peer broke a rule for the first time in a while.
    Warned {
        /// Who.
        subject: NodeId,
        /// Which rule.
        kind: Misbehaviour,
    },
    /// A peer's gate closed.
    Banned(Ban),
    /// A peer's gate opened again.
    Unbanned {
        /// Whose.
        subject: NodeId,
    },
    /// A recommendation was taken in.
    Recommended {
        /// Who gave it.
        source: NodeId,
        /// About whom.
        subject: NodeId,
        /// From −100 to 100.
        value: i8,
    },
    /// The operator withdrew a source of recommendations.
    SourceWithdrawn {
        /// Which.
        source: NodeId,
    },
}
