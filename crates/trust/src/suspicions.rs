use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use repute_base::Wall;
use repute_identity::NodeId;

use crate::{BlacklistConfig, Criterion, Level, Record, limits::SUSPECTS_MAX};

/// What counts towards the criteria, of each peer of which anything does: a function of the
/// records, as the score is, so that a replay comes to the same entries.
#[derive(Debug, Default)]
pub(crate) struct Suspicions {
    by_subject: BTreeMap<NodeId, Suspect>,
    /// By the time of the last event: who goes when there are too many.
    by_time: BTreeSet<(Wall, NodeId)>,
}

#[derive(Debug, Default)]
struct Suspect {
    last: Wall,
    /// The times of the events that count, oldest first, of each criterion that any does.
    counted: BTreeMap<Criterion, VecDeque<Wall>>,
}

impl Suspicions {
    /// Counts `record`, about a peer that stood at `level` before it. The first criterion whose
    /// measure it fills, and its count; counting then begins anew.
    pub(crate) fn note(
        &mut self,
        config: &BlacklistConfig,
        record: &Record,
        level: Level,
    ) -> Option<(Criterion, u32)> {
        if !config.is_automatic() {
            return None;
        }
        let mut filled = None;
        for criterion in Criterion::ALL {
            let threshold = config.threshold(criterion);
            if threshold.count == 0 || !criterion.meets(record, level) {
                continue;
            }
            let times = self.times(criterion, record);
            let since = record.wall - threshold.window;
            while times.front().is_some_and(|first| *first < since) {
                times.pop_front();
            }
            times.push_back(record.wall);
            let count = u32::try_from(times.len()).unwrap_or(u32::MAX);
            if filled.is_none() && count >= threshold.count {
                filled = Some((criterion, count));
            }
        }
        if filled.is_some() {
            self.forget(&record.subject);
        }
        filled
    }

    /// Whether anything counts against this peer.
    pub(crate) fn is_suspect(&self, subject: &NodeId) -> bool {
        self.by_subject.contains_key(subject)
    }

    pub(crate) fn forget(&mut self, subject: &NodeId) {
        if let Some(gone) = self.by_subject.remove(subject) {
            self.by_time.remove(&(gone.last, *subject));
        }
    }

    /// The times of one criterion, of a subject that is entered if need be; the subject of which
    /// nothing came for longest goes when there are too many.
    fn times(&mut self, criterion: Criterion, record: &Record) -> &mut VecDeque<Wall> {
        if !self.by_subject.contains_key(&record.subject)
            && self.by_subject.len() >= SUSPECTS_MAX
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.by_subject.remove(&oldest);
        }
        let suspect = self.by_subject.entry(record.subject).or_default();
        self.by_time.remove(&(suspect.last, record.subject));
        suspect.last = record.wall;
        self.by_time.insert((record.wall, record.subject));
        suspect.counted.entry(criterion).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Evidence, Fault, Threshold};
    use repute_protocol::Misbehaviour;

    fn record(n: u32, wall: u64) -> Record {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&n.to_be_bytes());
        Record {
            number: wall,
            subject: NodeId::from_bytes(id),
            context: Context::Network,
            evidence: Evidence::Invalid(Misbehaviour::WrongNetwork),
            fault: Fault::Theirs,
            wall: Wall::from_millis(wall),
        }
    }

    fn config() -> BlacklistConfig {
        BlacklistConfig {
            violations: Threshold::new(3, 1),
            ..BlacklistConfig::default()
        }
    }

    #[test]
    fn only_what_lies_within_the_window_counts() {
        const HOUR: u64 = 3_600_000;
        let mut suspicions = Suspicions::default();
        let mut note = |wall| suspicions.note(&config(), &record(1, wall), Level::Unknown);
        assert_eq!(note(0), None);
        assert_eq!(note(HOUR / 2), None);
        // The first is just out.
        assert_eq!(note(HOUR + 1), None);
        assert_eq!(note(HOUR + 2), Some((Criterion::Violations, 3)));
        assert_eq!(note(HOUR + 3), None, "counting begins anew");
    }

    #[test]
    fn those_suspected_longest_ago_are_forgotten_first() {
        let mut suspicions = Suspicions::default();
        for n in 0..3 * SUSPECTS_MAX as u32 {
            suspicions.note(&config(), &record(n, u64::from(n)), Level::Unknown);
            assert!(suspicions.by_subject.len() <= SUSPECTS_MAX);
            assert_eq!(suspicions.by_subject.len(), suspicions.by_time.len());
        }
        assert!(!suspicions.is_suspect(&record(0, 0).subject));
        assert!(suspicions.is_suspect(&record(3 * SUSPECTS_MAX as u32 - 1, 0).subject));
    }
}
