use alloc::{format, string::ToString};
use core::{fmt, time::Duration};

use repute_protocol::{Misbehaviour, Severity};

use crate::{ConfigError, Context, Evidence, Fault, Level, Record};

/// Who may put entries on the blacklist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// The operator alone: no criterion bans. The ladder still answers broken rules.
    Manual,
    /// The criteria alone: what is added by hand is refused; removing is always possible.
    Automatic,
    /// Both.
    #[default]
    Hybrid,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Manual, Self::Automatic, Self::Hybrid];

    /// A stable name for the configuration and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automatic => "automatic",
            Self::Hybrid => "hybrid",
        }
    }

    /// The mode of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// What puts a peer on the blacklist by itself, when it happens too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Criterion {
    /// A transfer or another service failed by the peer's fault: a timeout in any context but
    /// that of a neighbour, whose silence closes no gate.
    FailedTransfers,
    /// Bytes that are no encoding of what they claim to be.
    MalformedData,
    /// Any other broken rule, proven to us.
    Violations,
    /// More connections, messages or requests than allowed.
    Attempts,
    /// A broken rule by a peer that had earned more than a low level: it builds up trust to
    /// spend it.
    Betrayals,
}

impl Criterion {
    /// Every criterion, in the order of their codes.
    pub const ALL: [Self; 5] = [
        Self::FailedTransfers,
        Self::MalformedData,
        Self::Violations,
        Self::Attempts,
        Self::Betrayals,
    ];

    /// A stable name for the configuration, storage and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FailedTransfers => "failed-transfers",
            Self::MalformedData => "malformed-data",
            Self::Violations => "violations",
            Self::Attempts => "attempts",
            Self::Betrayals => "betrayals",
        }
    }

    /// The criterion of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether `record`, about a peer that stood at `level` before it, counts towards it.
    pub(crate) fn meets(self, record: &Record, level: Level) -> bool {
        if record.fault != Fault::Theirs {
            return false;
        }
        let Evidence::Invalid(kind) = record.evidence else {
            return self == Self::FailedTransfers
                && record.evidence == Evidence::Timeout
                && record.context != Context::Network;
        };
        let hard = kind.severity() == Severity::Hard;
        let malformed = matches!(
            kind,
            Misbehaviour::MalformedFrame
                | Misbehaviour::OversizedFrame
                | Misbehaviour::MalformedPayload
                | Misbehaviour::MalformedReconcile
        );
        match self {
            Self::FailedTransfers => false,
            Self::MalformedData => malformed,
            Self::Violations => hard && !malformed,
            // A wrong clock is no attack.
            Self::Attempts => !hard && kind != Misbehaviour::FromTheFuture,
            Self::Betrayals => hard && level > Level::Low,
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How often is too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// So many events ban; 0 turns the criterion off. At most [`Threshold::COUNT_MAX`].
    pub count: u32,
    /// Within this time, sliding.
    pub window: Duration,
}

impl Threshold {
    /// The most events that a criterion counts: each is remembered with its time.
    pub const COUNT_MAX: u32 = 100;

    /// `count` events within `hours`.
    pub const fn new(count: u32, hours: u64) -> Self {
        Self {
            count,
            window: Duration::from_secs(hours * 3_600),
        }
    }
}

/// The blacklist: who may add to it, and what adds to it by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlacklistConfig {
    /// Who may put entries on it.
    pub mode: Mode,
    /// See [`Criterion::FailedTransfers`].
    pub failed_transfers: Threshold,
    /// See [`Criterion::MalformedData`].
    pub malformed_data: Threshold,
    /// See [`Criterion::Violations`].
    pub violations: Threshold,
    /// See [`Criterion::Attempts`].
    pub attempts: Threshold,
    /// See [`Criterion::Betrayals`].
    pub betrayals: Threshold,
    /// How long an entry of a criterion lasts.
    pub lasts: Duration,
}

impl Default for BlacklistConfig {
    fn default() -> Self {
        const WEEK_H: u64 = 7 * 24;
        Self {
            mode: Mode::Hybrid,
            failed_transfers: Threshold::new(20, 24),
            malformed_data: Threshold::new(5, 24),
            violations: Threshold::new(20, WEEK_H),
            attempts: Threshold::new(30, 24),
            betrayals: Threshold::new(5, 4 * WEEK_H),
            lasts: Duration::from_secs(24 * 3_600),
        }
    }
}

impl BlacklistConfig {
    /// The threshold of one criterion.
    pub const fn threshold(&self, criterion: Criterion) -> Threshold {
        match criterion {
            Criterion::FailedTransfers => self.failed_transfers,
            Criterion::MalformedData => self.malformed_data,
            Criterion::Violations => self.violations,
            Criterion::Attempts => self.attempts,
            Criterion::Betrayals => self.betrayals,
        }
    }

    /// Whether the criteria ban.
    pub fn is_automatic(&self) -> bool {
        self.mode != Mode::Manual
    }

    /// `grey` is the shortest time that a gate closes for: an entry lasts no less.
    pub(crate) fn check(&self, grey: Duration) -> Result<(), ConfigError> {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);
        let refuse = |field, value, limit, remedy| {
            Err(ConfigError {
                field,
                value,
                limit,
                remedy,
            })
        };
        let seconds = |time: Duration| format!("{} s", time.as_secs_f64());
        for criterion in Criterion::ALL {
            let (count, window) = fields(criterion);
            let threshold = self.threshold(criterion);
            if threshold.count == 1 {
                let limit = "one event is an accident: at least 2 ban, and 0 turns it off".into();
                return refuse(count, threshold.count.to_string(), limit, "raise it");
            }
            if threshold.count > Threshold::COUNT_MAX {
                let limit = format!("the most is {}", Threshold::COUNT_MAX);
                return refuse(count, threshold.count.to_string(), limit, "lower it");
            }
            if threshold.window < Duration::from_secs(1) {
                let limit = "the least is 1 s".into();
                return refuse(window, seconds(threshold.window), limit, "raise it");
            }
            if threshold.window > YEAR {
                let limit = format!("the most is {}", seconds(YEAR));
                return refuse(window, seconds(threshold.window), limit, "lower it");
            }
        }
        if self.lasts < grey {
            let limit = format!(
                "the mildest gate, ladder.grey, closes for {}",
                seconds(grey)
            );
            let remedy = "raise it: an entry is worse than the mildest rung";
            return refuse("blacklist.lasts", seconds(self.lasts), limit, remedy);
        }
        if self.lasts > YEAR {
            let limit = "no rule bans for good, nor for longer than a year".into();
            return refuse("blacklist.lasts", seconds(self.lasts), limit, "lower it");
        }
        Ok(())
    }
}

/// The names of a criterion's two parameters.
const fn fields(criterion: Criterion) -> (&'static str, &'static str) {
    match criterion {
        Criterion::FailedTransfers => (
            "blacklist.failed_transfers.count",
            "blacklist.failed_transfers.window",
        ),
        Criterion::MalformedData => (
            "blacklist.malformed_data.count",
            "blacklist.malformed_data.window",
        ),
        Criterion::Violations => ("blacklist.violations.count", "blacklist.violations.window"),
        Criterion::Attempts => ("blacklist.attempts.count", "blacklist.attempts.window"),
        Criterion::Betrayals => ("blacklist.betrayals.count", "blacklist.betrayals.window"),
    }
}
