use core::fmt;

use repute_protocol::Misbehaviour;

use crate::Carried;

/// What a peer is judged as. What it does as a neighbour and as a seeder makes one score, and the
/// context of a record says which it was; as a recommender it has a score of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Context {
    /// As a neighbour in the network: its messages, answers and links.
    #[default]
    Network,
    /// As one who serves files, or is served.
    Transfer,
    /// As a recommender of others. Learned by the ledger itself, from how its recommendations
    /// compare with experience; ignored as an observation.
    Recommend,
}

impl Context {
    /// Every context, in the order of their codes.
    pub const ALL: [Self; 3] = [Self::Network, Self::Recommend, Self::Transfer];

    /// The stable number in stored records.
    pub const fn code(self) -> u8 {
        match self {
            Self::Network => 0,
            Self::Recommend => 1,
            Self::Transfer => 2,
        }
    }

    /// The context of this number.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Network),
            1 => Some(Self::Recommend),
            2 => Some(Self::Transfer),
            _ => None,
        }
    }

    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Recommend => "recommend",
            Self::Transfer => "transfer",
        }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// The first delivery of something new, or the answer to a request of ours. Copies of what
    /// was known already are no evidence at all.
    Useful,
    /// A rule was broken, proven to us. Kinds of [`Severity::Soft`](repute_protocol::Severity)
    /// weigh like a timeout.
    Invalid(Misbehaviour),
    /// No answer in time.
    Timeout,
    /// The operator lifted a ban: the ladder starts anew, the score stays. As an observation it
    /// is the same as [`Input::Unban`](crate::Input::Unban).
    Pardon,
    /// All that older records came to, after they were compacted. Written by the ledger alone;
    /// ignored as an observation.
    Carried(Carried),
}

impl Evidence {
    /// A stable name for logs and JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Useful => "useful",
            Self::Invalid(kind) => kind.name(),
            Self::Timeout => "timeout",
            Self::Pardon => "pardon",
            Self::Carried(_) => "carried",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whose fault it was. Only [`Fault::Theirs`] moves a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The peer's.
    Theirs,
    /// Ours: a failing disk, a full queue, a shutdown.
    Ours,
    /// The network's: all peers fell silent at once, the link was lost.
    Network,
}

impl Fault {
    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Theirs => "theirs",
            Self::Ours => "ours",
            Self::Network => "network",
        }
    }

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Theirs => 0,
            Self::Ours => 1,
            Self::Network => 2,
        }
    }

    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Theirs),
            1 => Some(Self::Ours),
            2 => Some(Self::Network),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
