//! Whoever is known, at a glance: filters, sorts, totals.

use alloc::{string::String, string::ToString, vec::Vec};
use core::cmp::Ordering;

use repute_base::{Fixed, Wall};
use repute_identity::NodeId;

use crate::{Level, Metrics, Standing};

/// One peer in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who.
    pub id: NodeId,
    /// Where it stands.
    pub standing: Standing,
    /// Things done together, ever.
    pub interactions: u64,
    /// When it was last seen; zero for never.
    pub last_seen: Wall,
    /// The share of probes it answered, 0 to 1.
    pub uptime: Fixed,
    /// Whether it takes encrypted transfers, if that is known.
    pub encrypted: Option<bool>,
}

impl Entry {
    /// An entry from a standing and metrics.
    pub fn new(id: NodeId, standing: Standing, metrics: &Metrics, encrypted: Option<bool>) -> Self {
        Self {
            id,
            standing,
            interactions: metrics.interactions,
            last_seen: metrics.last_seen,
            uptime: metrics.uptime.share(),
            encrypted,
        }
    }

    /// Better is greater: who may have a link, then who is known, then by trust.
    fn merit(&self) -> (bool, bool, Fixed) {
        let known = self.standing.level != Level::Unknown;
        // The distrusted are known, and come last all the same.
        let fit = !self.standing.gate.is_closed() && self.standing.level != Level::Distrusted;
        (fit, known, self.standing.trust)
    }
}

/// Which peers to list; everything that is not set lets all pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these levels; none: all.
    pub levels: Vec<Level>,
    /// Only those that take encrypted transfers, or only those not known to.
    pub encrypted: Option<bool>,
    /// Only those that answered at least this share of probes.
    pub uptime_min: Option<Fixed>,
    /// Only ids that begin so.
    pub search: String,
}

impl Filter {
    /// Whether an entry passes.
    pub fn admits(&self, entry: &Entry) -> bool {
        (self.levels.is_empty() || self.levels.contains(&entry.standing.level))
            && self
                .encrypted
                .is_none_or(|wanted| (entry.encrypted == Some(true)) == wanted)
            && self.uptime_min.is_none_or(|least| entry.uptime >= least)
            && (self.search.is_empty()
                || entry
                    .id
                    .to_string()
                    .starts_with(&self.search.to_ascii_lowercase()))
    }
}

/// In which order to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// The best score first; the unknown after the known, those kept out last.
    #[default]
    Score,
    /// The most interactions first.
    Interactions,
    /// The latest seen first.
    LastSeen,
}

impl Sort {
    /// Puts entries in order.
    pub fn apply(self, entries: &mut [Entry]) {
        entries.sort_by(|a, b| self.compare(a, b));
    }

    /// Who comes first; the id settles what is equal.
    pub fn compare(self, a: &Entry, b: &Entry) -> Ordering {
        let order = match self {
            Self::Score => b.merit().cmp(&a.merit()),
            Self::Interactions => b.interactions.cmp(&a.interactions),
            Self::LastSeen => b.last_seen.cmp(&a.last_seen),
        };
        order.then_with(|| a.id.cmp(&b.id))
    }
}

/// The whole at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Peers in all.
    pub total: usize,
    /// How many of each level, worst first.
    pub levels: [(Level, usize); 6],
    /// Peers whose gate is closed.
    pub closed: usize,
    /// Mean trust of all but the unknown; none without any.
    pub mean_known: Option<Fixed>,
    /// Mean trust of all; none without any.
    pub mean: Option<Fixed>,
    /// Things done together, with all of them.
    pub interactions: u64,
    /// The best of the known, best first.
    pub top: Vec<(NodeId, Fixed)>,
}

impl Summary {
    /// Of these entries, with at most `top` performers.
    pub fn of(entries: &[Entry], top: usize) -> Self {
        let known = |entry: &&Entry| entry.standing.level != Level::Unknown;
        let mut best: Vec<Entry> = entries
            .iter()
            .filter(|entry| entry.merit() > (true, true, Fixed::ZERO))
            .cloned()
            .collect();
        Sort::Score.apply(&mut best);
        Self {
            total: entries.len(),
            levels: Level::ALL.map(|level| {
                let of_level = |entry: &&Entry| entry.standing.level == level;
                (level, entries.iter().filter(of_level).count())
            }),
            closed: entries
                .iter()
                .filter(|entry| entry.standing.gate.is_closed())
                .count(),
            mean_known: mean(entries.iter().filter(known)),
            mean: mean(entries.iter()),
            interactions: entries
                .iter()
                .fold(0, |sum, entry| entry.interactions.saturating_add(sum)),
            top: best
                .iter()
                .take(top)
                .map(|entry| (entry.id, entry.standing.trust))
                .collect(),
        }
    }
}

/// None of nobody: zero would say that they are as bad as can be.
fn mean<'a>(entries: impl Iterator<Item = &'a Entry>) -> Option<Fixed> {
    let mut count = 0;
    let sum = entries.fold(Fixed::ZERO, |sum, entry| {
        count += 1;
        sum + entry.standing.trust
    });
    (count > 0).then(|| sum.div(Fixed::from_int(count)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gate;

    fn entry(n: u8, percent: i64, level: Level) -> Entry {
        Entry {
            id: NodeId::from_bytes([n; 32]),
            standing: Standing {
                trust: Fixed::ratio(percent, 100),
                belief: Fixed::ZERO,
                uncertainty: Fixed::ZERO,
                level,
                gate: Gate::Open,
            },
            interactions: u64::from(n) % 3,
            last_seen: Wall::from_millis(100 - u64::from(n)),
            uptime: Fixed::ratio(percent, 100),
            encrypted: (n > 2).then_some(n % 2 == 1),
        }
    }

    fn entries() -> Vec<Entry> {
        let mut all = alloc::vec![
            entry(1, 50, Level::Unknown),
            entry(2, 85, Level::Trusted),
            entry(3, 10, Level::Distrusted),
            entry(4, 45, Level::Medium),
            entry(5, 90, Level::Trusted),
        ];
        if let Some(last) = all.last_mut() {
            last.standing.gate = Gate::Banned { until: None };
        }
        all
    }

    fn order(sort: Sort) -> Vec<u8> {
        let mut entries = entries();
        sort.apply(&mut entries);
        entries.iter().map(|entry| entry.id.as_bytes()[0]).collect()
    }

    fn passing(filter: Filter) -> Vec<u8> {
        let passing = entries().into_iter().filter(|entry| filter.admits(entry));
        passing.map(|entry| entry.id.as_bytes()[0]).collect()
    }

    #[test]
    fn lists_are_sorted_by_score_interactions_and_last_seen() {
        assert_eq!(order(Sort::Score), [2, 4, 1, 5, 3]);
        assert_eq!(order(Sort::Interactions), [2, 5, 1, 4, 3]);
        assert_eq!(order(Sort::LastSeen), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn filters_pass_what_they_name() {
        let with = |edit: fn(&mut Filter)| {
            let mut filter = Filter::default();
            edit(&mut filter);
            passing(filter)
        };
        assert_eq!(with(|_| {}), [1, 2, 3, 4, 5]);
        assert_eq!(with(|f| f.levels = alloc::vec![Level::Trusted]), [2, 5]);
        assert_eq!(with(|f| f.encrypted = Some(true)), [3, 5]);
        assert_eq!(with(|f| f.encrypted = Some(false)), [1, 2, 4]);
        assert_eq!(with(|f| f.uptime_min = Some(Fixed::HALF)), [1, 2, 5]);
        let id = NodeId::from_bytes([4; 32]).to_string();
        let filter = Filter {
            search: id[..6].to_uppercase(),
            ..Filter::default()
        };
        assert_eq!(passing(filter), [4]);
    }

    #[test]
    fn a_summary_counts_and_ranks() {
        let summary = Summary::of(&entries(), 5);
        assert_eq!(
            (summary.total, summary.closed, summary.interactions),
            (5, 1, 6)
        );
        assert_eq!(summary.levels[5], (Level::Trusted, 2));
        let shown = |mean: Option<Fixed>| alloc::format!("{:.3}", mean.unwrap_or_default());
        assert_eq!(shown(summary.mean), "0.560");
        assert_eq!(shown(summary.mean_known), "0.575");
        let top: Vec<u8> = summary.top.iter().map(|(id, _)| id.as_bytes()[0]).collect();
        assert_eq!(top, [2, 4], "no one unknown, distrusted or kept out");
    }

    #[test]
    fn the_mean_of_nobody_is_none() {
        let nobody = Summary::of(&[], 5);
        assert_eq!((nobody.mean, nobody.mean_known), (None, None));
        let stranger = Summary::of(&[entry(1, 50, Level::Unknown)], 5);
        assert_eq!(stranger.mean, Some(Fixed::HALF));
        assert_eq!(stranger.mean_known, None);
    }
}
