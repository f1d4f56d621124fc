use alloc::{string::String, vec::Vec};
use core::fmt;

use repute_base::{BoundedString, Wall, codec};
use repute_identity::NodeId;
use repute_protocol::Misbehaviour;

use crate::{Criterion, Gate, RecordError};

/// A rung of the ban ladder, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// A first fault: told to the application, nothing else.
    Warned,
    /// No link for an hour.
    Grey,
    /// No link for a day.
    Banned24h,
    /// No link for thirty days.
    Banned30d,
    /// No link until the operator says so; only the operator puts a peer here.
    Permanent,
}

impl Rung {
    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warned => "warned",
            Self::Grey => "grey",
            Self::Banned24h => "banned-24h",
            Self::Banned30d => "banned-30d",
            Self::Permanent => "permanent",
        }
    }

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Warned => 1,
            Self::Grey => 2,
            Self::Banned24h => 3,
            Self::Banned30d => 4,
            Self::Permanent => 5,
        }
    }

    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Warned),
            2 => Some(Self::Grey),
            3 => Some(Self::Banned24h),
            4 => Some(Self::Banned30d),
            5 => Some(Self::Permanent),
            _ => None,
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a peer is banned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BanReason {
    /// It broke a rule too often.
    Rule {
        /// The kind of the fault that filled the measure.
        kind: Misbehaviour,
        /// Strikes counted by then.
        strikes: u32,
    },
    /// A criterion of the blacklist was met.
    Criterion {
        /// Which.
        criterion: Criterion,
        /// How many events filled its window.
        count: u32,
    },
    /// The operator's words.
    Operator(BoundedString<128>),
}

impl BanReason {
    /// A stable name for machines: the kind of the fault, the criterion, or `operator`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Rule { kind, .. } => kind.name(),
            Self::Criterion { criterion, .. } => criterion.name(),
            Self::Operator(_) => "operator",
        }
    }
}

impl fmt::Display for BanReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { kind, strikes } => write!(f, "{strikes} strikes, the last for {kind}"),
            Self::Criterion { criterion, count } => {
                write!(
                    f,
                    "{criterion}: {count} within the window of this criterion"
                )
            }
            Self::Operator(text) => write!(f, "by the operator: {}", text.escaped()),
        }
    }
}

/// Who banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// The ladder.
    Rule,
    /// The operator.
    Operator,
}

impl By {
    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A closed gate: who, how far up the ladder, since and until when, and why. Local only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who is banned.
    pub subject: NodeId,
    /// How far up the ladder.
    pub rung: Rung,
    /// Ledger time of the ban.
    pub since: Wall,
    /// Ledger time at which it lapses; `None`: never by itself.
    pub until: Option<Wall>,
    /// Why.
    pub reason: BanReason,
    /// Who banned.
    pub by: By,
}

/// Version of the stored form.
const VERSION: u8 = 1;
/// The same form, of an entry that a criterion made; its name is in the place of the kind's.
const VERSION_CRITERION: u8 = 2;

/// The stored form: version, subject, rung, since, until, operator's?, kind's name or words,
/// strikes.
type Stored = (u8, [u8; 32], u8, u64, Option<u64>, bool, String, u32);

impl Ban {
    /// Whether it has lapsed at ledger time `at`.
    pub fn lapsed(&self, at: Wall) -> bool {
        self.until.is_some_and(|until| until <= at)
    }

    /// What it means for a link.
    pub fn gate(&self) -> Gate {
        match (self.rung, self.until) {
            (Rung::Warned, _) => Gate::Warned,
            (Rung::Grey, Some(until)) => Gate::Grey { until },
            (_, until) => Gate::Banned { until },
        }
    }

    /// The stored form, stable over versions of this crate.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (version, operator, text, strikes) = match &self.reason {
            BanReason::Rule { kind, strikes } => {
                (VERSION, false, String::from(kind.name()), *strikes)
            }
            BanReason::Criterion { criterion, count } => (
                VERSION_CRITERION,
                false,
                String::from(criterion.name()),
                *count,
            ),
            BanReason::Operator(text) => (VERSION, true, String::from(text.as_str()), 0),
        };
        let stored: Stored = (
            version,
            *self.subject.as_bytes(),
            self.rung.code(),
            self.since.as_millis(),
            self.until.map(Wall::as_millis),
            operator,
            text,
            strikes,
        );
        codec::encode(&stored)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`RecordError`] when the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let (version, subject, rung, since, until, operator, text, strikes): Stored =
            codec::decode(bytes)?;
        if version != VERSION && version != VERSION_CRITERION {
            return Err(RecordError::Version {
                version,
                max: VERSION_CRITERION,
            });
        }
        let rung = Rung::from_code(rung).ok_or(RecordError::Unknown { field: "rung" })?;
        if rung != Rung::Permanent && until.is_none() {
            return Err(RecordError::Unknown {
                field: "end of a ban that is not permanent",
            });
        }
        let (reason, by) = if version == VERSION_CRITERION {
            let criterion = Criterion::from_name(&text).filter(|_| !operator);
            let criterion = criterion.ok_or(RecordError::Unknown { field: "criterion" })?;
            let count = strikes;
            (BanReason::Criterion { criterion, count }, By::Rule)
        } else if operator {
            let text = BoundedString::new(text).map_err(|_| RecordError::Unknown {
                field: "reason longer than 128 bytes",
            })?;
            (BanReason::Operator(text), By::Operator)
        } else {
            let kind = Misbehaviour::from_name(&text).ok_or(RecordError::Unknown {
                field: "kind of misbehaviour",
            })?;
            (BanReason::Rule { kind, strikes }, By::Rule)
        };
        Ok(Self {
            subject: NodeId::from_bytes(subject),
            rung,
            since: Wall::from_millis(since),
            until: until.map(Wall::from_millis),
            reason,
            by,
        })
    }
}
