use alloc::vec::Vec;

use repute_base::{Fixed, Wall};
use repute_identity::NodeId;

use crate::{
    Ban, Carried, Config, Context, Evidence, Fault, Gate, Influence, Record, Standing,
    score::{Class, class, interval_of},
};

/// Where a standing comes from: recomputed from stored records, line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whose.
    pub subject: NodeId,
    /// Ledger time of the explanation.
    pub at: Wall,
    /// What the records come to.
    pub standing: Standing,
    /// Whether that equals, to the last bit, the score kept in memory. False when records are
    /// missing from what was handed in.
    pub matches: bool,
    /// What differs, when it does not match.
    pub mismatch: Option<Mismatch>,
    /// Why the gate is as it is, when it is not open.
    pub ban: Option<Ban>,
    /// Good evidence today, in events.
    pub useful: Fixed,
    /// Evidence of hard faults today, in events.
    pub hard: Fixed,
    /// Evidence of soft faults today, in events.
    pub soft: Fixed,
    /// The score of what is not known: `initial`, moved by recommendations.
    pub prior: Fixed,
    /// What moves it, the strongest first.
    pub influences: Vec<Influence>,
    /// One line a record, oldest first.
    pub lines: Vec<Line>,
    /// The fold as the last record left it.
    recomputed: Carried,
}

/// One record, and what it weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Place in the ledger.
    pub number: u64,
    /// Ledger time of the event.
    pub wall: Wall,
    /// As what the peer was judged.
    pub context: Context,
    /// What happened.
    pub evidence: Evidence,
    /// Whose fault it was.
    pub fault: Fault,
    /// What it added when it happened, in events; negative for faults.
    pub weight_then: Fixed,
    /// What is left of that today, after decay and forgetting; rounded, for people.
    pub weight_today: Fixed,
}

/// What of a score in use the stored records do not come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Which part of it.
    pub what: &'static str,
    /// What the stored records come to, in events; zero for what is no sum.
    pub recomputed: Fixed,
    /// What is in use, in events; zero for what is no sum.
    pub used: Fixed,
}

impl Mismatch {
    const fn bare(what: &'static str) -> Self {
        Self {
            what,
            recomputed: Fixed::ZERO,
            used: Fixed::ZERO,
        }
    }
}

impl Explanation {
    /// Folds `records`, as stored, up to ledger time `at`.
    pub(crate) fn new(
        config: &Config,
        subject: NodeId,
        records: &[Record],
        (prior, influences): (Fixed, Vec<Influence>),
        at: Wall,
    ) -> Self {
        let mut state = Carried::default();
        let mut lines: Vec<Line> = Vec::new();
        let mut last = 0;
        for record in records.iter().filter(|record| record.subject == subject) {
            if !lines.is_empty() && record.number <= last {
                continue;
            }
            last = record.number;
            let folded = state.fold(config, record);
            let weight = match record.evidence {
                Evidence::Carried(carried) => {
                    // All before it is in it, should older records be there as well.
                    lines.clear();
                    carried.score.useful - carried.score.hard - carried.score.soft
                }
                _ => folded.weight,
            };
            lines.push(Line {
                number: record.number,
                wall: record.wall,
                context: record.context,
                evidence: record.evidence,
                fault: record.fault,
                weight_then: weight,
                weight_today: Fixed::ZERO,
            });
        }
        age(config, &mut lines, at);
        let score = state.score.at(config, interval_of(config, at));
        Self {
            subject,
            at,
            standing: state.standing(config, prior, at, Gate::Open),
            prior,
            influences,
            matches: true,
            mismatch: None,
            ban: None,
            useful: score.useful,
            hard: score.hard,
            soft: score.soft,
            recomputed: state,
            lines,
        }
    }

    /// Compares with the fold kept in memory.
    pub(crate) fn compare(&mut self, config: &Config, kept: Carried) {
        let interval = interval_of(config, self.at);
        let recomputed = self.recomputed.score.at(config, interval);
        let used = kept.score.at(config, interval);
        let parts = [
            ("good evidence", recomputed.useful, used.useful),
            ("hard faults", recomputed.hard, used.hard),
            ("soft faults", recomputed.soft, used.soft),
        ];
        let part = parts.into_iter().find(|(_, stored, used)| stored != used);
        self.mismatch = match part {
            Some((what, recomputed, used)) => Some(Mismatch {
                what,
                recomputed,
                used,
            }),
            None if recomputed != used => Some(Mismatch::bare("counts of the interval")),
            None if self.recomputed.ladder != kept.ladder => Some(Mismatch::bare("strikes")),
            None => None,
        };
        self.matches = self.mismatch.is_none();
    }
}

/// Fills in what is left of each weight: decay since, and forgetting by each later hard fault.
fn age(config: &Config, lines: &mut [Line], at: Wall) {
    let today = interval_of(config, at);
    let mut hard_later = 0u32;
    for line in lines.iter_mut().rev() {
        let then = match line.evidence {
            Evidence::Carried(carried) => carried.score.interval,
            _ => interval_of(config, line.wall),
        };
        let left = |value: Fixed, rate: Fixed, forgotten: u32| {
            let fade = libm::pow(rate.to_f64(), today.saturating_sub(then) as f64);
            let kept = libm::pow(config.forgetting.to_f64(), f64::from(forgotten));
            Fixed::from_f64(value.to_f64() * fade * kept)
        };
        line.weight_today = match (class(&line.evidence, line.fault), line.evidence) {
            (_, Evidence::Carried(Carried { score, .. })) => {
                left(score.useful, config.useful_decay, hard_later)
                    - left(score.hard, config.hard_decay, 0)
                    - left(score.soft, config.soft_decay, 0)
            }
            (Class::Useful, _) => left(line.weight_then, config.useful_decay, hard_later),
            (Class::Hard, _) => left(line.weight_then, config.hard_decay, 0),
            (Class::Soft, _) => left(line.weight_then, config.soft_decay, 0),
            (Class::Neutral, _) => Fixed::ZERO,
        };
        if class(&line.evidence, line.fault) == Class::Hard {
            hard_later = hard_later.saturating_add(1);
        }
    }
}
