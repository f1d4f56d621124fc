use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use repute_base::{Fixed, Wall};
use repute_identity::NodeId;
use repute_protocol::Severity;

use crate::{
    Carried, Config, Context, Evidence, Fault, Gate, Record, Standing,
    ladder::{Ladder, Step},
    record::{code_of, evidence_of},
    score::{Estimate, interval_of},
};

/// What a record did when it was folded in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folded {
    pub(crate) weight: Fixed,
    pub(crate) step: Step,
}

impl Carried {
    /// The fold: one record after the other, nothing else changes a score or a ladder.
    pub(crate) fn fold(&mut self, config: &Config, record: &Record) -> Folded {
        let mut folded = Folded {
            weight: Fixed::ZERO,
            step: Step::Stays,
        };
        if let Evidence::Carried(carried) = record.evidence {
            *self = carried;
            return folded;
        }
        self.score = self.score.at(config, interval_of(config, record.wall));
        match record.evidence {
            Evidence::Pardon => self.ladder = Ladder::default(),
            Evidence::Invalid(kind) if record.fault == Fault::Theirs => {
                folded.step = self.ladder.strike(&config.ladder, kind, record.wall);
            }
            _ => {}
        }
        folded.weight = self.score.add(config, &record.evidence, record.fault);
        if self.is_cut_off(config, record) && !matches!(folded.step, Step::Closed { .. }) {
            folded.step = self.ladder.ban(&config.ladder, record.wall);
        }
        folded
    }

    /// Whether this hard fault leaves the score, without anybody's recommendation, below the
    /// minimum.
    fn is_cut_off(&self, config: &Config, record: &Record) -> bool {
        let hard = matches!(
            record.evidence,
            Evidence::Invalid(kind) if kind.severity() == Severity::Hard
        );
        hard && record.fault == Fault::Theirs
            && config.ladder.hard_below_min
            && self.score.estimate(config, config.initial).trust < config.trust_min
    }

    /// Where a peer with this fold stands at ledger time `at`.
    pub(crate) fn standing(&self, config: &Config, prior: Fixed, at: Wall, gate: Gate) -> Standing {
        let score = self.score.at(config, interval_of(config, at));
        let estimate = score.estimate(config, prior);
        let Estimate {
            trust,
            belief,
            uncertainty,
        } = estimate;
        Standing {
            trust,
            belief,
            uncertainty,
            level: score.level_at(config, estimate),
            gate,
        }
    }
}

/// All that is kept in memory about one peer.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) state: Carried,
    /// The number of the last record.
    pub(crate) number: u64,
    /// The number of the first record since the subject came into memory.
    pub(crate) first_number: u64,
    /// The interval of that record.
    first_interval: u64,
    /// Whether there were events in more than one interval.
    pub(crate) established: bool,
    /// Records in the store.
    stored: u32,
    /// Where the next compaction ends.
    older: Option<Box<Older>>,
    recent: VecDeque<Recent>,
}

/// The fold up to a record, kept until all up to there is compacted.
#[derive(Debug)]
struct Older {
    state: Carried,
    number: u64,
    wall: Wall,
    context: Context,
    count: u32,
}

/// A record without its subject, packed.
#[derive(Clone, Copy, Debug)]
struct Recent {
    number: u64,
    wall: Wall,
    context: Context,
    fault: Fault,
    evidence: (u8, u8),
}

impl Subject {
    /// Nothing known yet; `first` is about to be folded in.
    pub(crate) fn new(config: &Config, first: &Record) -> Self {
        Self {
            state: Carried::default(),
            number: 0,
            first_number: first.number,
            first_interval: interval_of(config, first.wall),
            established: false,
            stored: 0,
            older: None,
            recent: VecDeque::new(),
        }
    }

    /// Folds `record` in and keeps it among the last `recent_max`.
    pub(crate) fn fold(&mut self, config: &Config, record: &Record, recent_max: usize) -> Folded {
        let folded = self.state.fold(config, record);
        self.number = record.number;
        self.established |= self.state.score.interval > self.first_interval
            || matches!(record.evidence, Evidence::Carried(_));
        self.stored = self.stored.saturating_add(1);
        self.remember(record, recent_max);
        folded
    }

    fn remember(&mut self, record: &Record, recent_max: usize) {
        if recent_max == 0 || matches!(record.evidence, Evidence::Carried(_)) {
            return;
        }
        while self.recent.len() >= recent_max {
            self.recent.pop_front();
        }
        if self.recent.len() == self.recent.capacity() {
            // A few at a time: most subjects are met briefly.
            self.recent
                .reserve_exact(2.min(recent_max - self.recent.len()));
        }
        self.recent.push_back(Recent {
            number: record.number,
            wall: record.wall,
            context: record.context,
            fault: record.fault,
            evidence: code_of(&record.evidence),
        });
    }

    /// The last records, oldest first.
    pub(crate) fn recent(&self, subject: NodeId) -> Vec<Record> {
        let record = |recent: &Recent| {
            Some(Record {
                number: recent.number,
                subject,
                context: recent.context,
                evidence: evidence_of(recent.evidence.0, recent.evidence.1)?,
                fault: recent.fault,
                wall: recent.wall,
            })
        };
        self.recent.iter().filter_map(record).collect()
    }

    /// After `last` was folded in: what is to replace the older half of the stored records, once
    /// there are `records_max`.
    pub(crate) fn compact(&mut self, last: &Record, records_max: u32) -> Option<Record> {
        let half = (records_max / 2).max(1);
        let due = if self.stored >= records_max {
            self.older.take()
        } else {
            None
        };
        if let Some(older) = &due {
            self.stored = self.stored.saturating_sub(older.count).saturating_add(1);
        }
        if self.older.is_none() && self.stored >= half {
            let Record {
                number,
                wall,
                context,
                ..
            } = *last;
            let (state, count) = (self.state, self.stored);
            self.older = Some(Box::new(Older {
                state,
                number,
                wall,
                context,
                count,
            }));
        }
        due.map(|older| Record {
            number: older.number,
            subject: last.subject,
            context: older.context,
            evidence: Evidence::Carried(older.state),
            fault: Fault::Ours,
            wall: older.wall,
        })
    }

    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.recent.capacity() * size_of::<Recent>()
            + self.older.as_ref().map_or(0, |_| size_of::<Older>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn a_busy_peer_takes_less_than_512_bytes() {
        let (config, limits) = (Config::default(), Limits::default());
        let mut record = Record {
            number: 1,
            subject: NodeId::from_bytes([0; 32]),
            context: Context::Network,
            evidence: Evidence::Useful,
            fault: Fault::Theirs,
            wall: Wall::ZERO,
        };
        let mut subject = Subject::new(&config, &record);
        for number in 1..2_000 {
            record.number = number;
            subject.fold(&config, &record, limits.recent);
            subject.compact(&record, limits.records);
            // Its id is held by the table, and by the newcomers with the first number.
            let held = size_of::<Subject>() + subject.heap_bytes() + 32 + 40;
            assert!(held < 512, "{held} bytes");
        }
    }
}
