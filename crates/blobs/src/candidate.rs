use alloc::vec::Vec;
use core::time::Duration;

use repute_base::{Address, Mono};
use repute_protocol::{BlobHave, Holdings, Tier};

use crate::{GroupRanges, Limits, Ranked, throughput::Throughput};

/// Somebody who may have a blob, as one download knows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidate {
    pub(crate) addresses: Vec<Address>,
    pub(crate) step: Step,
    /// Whether the desk keeps a link for this one.
    pub(crate) wants: bool,
    pub(crate) holds: Holds,
    /// The size that it claims.
    pub(crate) size: u64,
    pub(crate) tier: Tier,
    pub(crate) slots_free: u8,
    /// Its place and standing.
    pub(crate) rank: Option<(usize, Ranked)>,
    /// Since when it is fetched from.
    pub(crate) seated: Option<Mono>,
    /// It delivered something that was right.
    pub(crate) proven: bool,
    /// It sent what no honest peer sends.
    pub(crate) corrupt: bool,
    /// Until when it is left alone.
    pub(crate) paused: Mono,
    /// Failures in a row.
    pub(crate) strikes: u32,
    /// Its place in that peer's queue.
    pub(crate) place: Option<u16>,
    pub(crate) speed: Throughput,
    /// Where its last piece ended.
    pub(crate) cursor: Option<u64>,
    /// Groups of its largest piece so far.
    pub(crate) piece: u64,
    /// Bytes that came from it.
    pub(crate) bytes: u64,
    pub(crate) session: Option<Session>,
}

/// What is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    #[default]
    New,
    /// A link to it is being made.
    Dialling,
    /// It was asked what it has.
    Asked { until: Mono },
    /// It answered.
    Known,
}

/// Which groups it has.
#[derive(Clone, Debug, Default)]
pub(crate) enum Holds {
    #[default]
    Nothing,
    All,
    Part(GroupRanges),
}

impl Holds {
    /// Those of `set` that it has.
    pub(crate) fn of(&self, set: &GroupRanges) -> GroupRanges {
        match self {
            Self::Nothing => GroupRanges::new(),
            Self::All => set.clone(),
            Self::Part(groups) => groups.intersection(set),
        }
    }

    /// Whether it has any of `set`.
    pub(crate) fn any_of(&self, set: &GroupRanges) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => !set.is_empty(),
            Self::Part(groups) => match groups.range_count() < set.range_count() {
                true => groups.ranges().any(|range| set.contains_any(range)),
                false => set.ranges().any(|range| groups.contains_any(range)),
            },
        }
    }

    pub(crate) fn has(&self, group: u64) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Part(groups) => groups.contains(group),
        }
    }
}

/// What was done with a seeder since it was last spoken of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Session {
    /// Bytes since the session was opened.
    pub(crate) opened: u64,
    /// Bytes since the last evidence.
    pub(crate) bytes: u64,
    /// Since when something is asked of it.
    asked: Option<Mono>,
    /// For how long something was asked of it before that, since the last evidence.
    active: Duration,
    pub(crate) latency: Option<Duration>,
    /// When evidence was last given.
    pub(crate) told: Mono,
}

impl Session {
    pub(crate) fn opened_at(now: Mono) -> Self {
        Self {
            told: now,
            ..Self::default()
        }
    }

    pub(crate) fn begin(&mut self, now: Mono) {
        self.asked.get_or_insert(now);
    }

    pub(crate) fn end(&mut self, now: Mono) {
        if let Some(since) = self.asked.take() {
            self.active += now.since(since);
        }
    }

    /// Bytes and time since the last evidence; they begin anew.
    pub(crate) fn take(&mut self, now: Mono) -> (u64, Duration) {
        let asked = self.asked;
        self.end(now);
        let taken = (self.bytes, self.active);
        self.asked = asked.map(|_| now);
        (self.bytes, self.active, self.told) = (0, Duration::ZERO, now);
        taken
    }
}

impl Candidate {
    /// It says what it has; the first of several words that follow one another, or a later one.
    pub(crate) fn has(&mut self, have: &BlobHave, more: bool, limits: &Limits) {
        self.step = Step::Known;
        (self.tier, self.slots_free) = (have.tier, have.slots_free);
        self.size = have.size;
        self.holds = match &have.holdings {
            Holdings::All => Holds::All,
            Holdings::Part { groups, .. } => {
                let told: GroupRanges = groups.ranges().collect();
                let known = match (&self.holds, more) {
                    (Holds::Part(known), true) => known.union(&told),
                    _ => told,
                };
                match known.is_empty() {
                    true => Holds::Nothing,
                    false => Holds::Part(known.lowest_ranges(limits.holdings_ranges_max)),
                }
            }
        };
    }

    /// It has these as well.
    pub(crate) fn gained(&mut self, gained: &GroupRanges, limits: &Limits) {
        if let Holds::Part(known) = &mut self.holds {
            *known = known
                .union(gained)
                .lowest_ranges(limits.holdings_ranges_max);
        }
    }
}
