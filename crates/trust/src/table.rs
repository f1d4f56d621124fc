use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
};
use core::ops::Bound;

use repute_base::Fixed;
use repute_identity::NodeId;

use crate::{
    Config, Limits, Record, bans::Bans, limits::EVICTION_SAMPLE, score::interval_of,
    subject::Folded, subject::Subject,
};

/// The subjects in memory, and who goes when there are too many.
///
/// First goes a subject of which nothing is left, then a newcomer (one with events in a single
/// interval only), and only when there are neither the least informative of the others; a banned
/// one last of all. So a flood of new identities displaces itself.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Boxed, because a third of the tree's places is empty.
    subjects: BTreeMap<NodeId, Box<Subject>>,
    /// First record and id of those that are not established, oldest first.
    newcomers: BTreeSet<(u64, NodeId)>,
    /// Where the search for the faded goes on.
    hand: Option<NodeId>,
}

impl Table {
    pub(crate) fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    pub(crate) fn of(&self, subject: &NodeId) -> Option<&Subject> {
        self.subjects.get(subject).map(AsRef::as_ref)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.subjects.keys().copied()
    }

    /// Folds `record` into its subject, which is made if need be. Says what came of it, and what
    /// is to replace older records.
    pub(crate) fn fold(
        &mut self,
        config: &Config,
        limits: &Limits,
        record: &Record,
    ) -> (Folded, Option<Record>) {
        let subject = self
            .subjects
            .entry(record.subject)
            .or_insert_with(|| Box::new(Subject::new(config, record)));
        let folded = subject.fold(config, record, limits.recent);
        let compacted = subject.compact(record, limits.records);
        let place = (subject.first_number, record.subject);
        if subject.established {
            self.newcomers.remove(&place);
        } else {
            self.newcomers.insert(place);
        }
        (folded, compacted)
    }

    /// Makes room for the subject of `record` if it is new and the table is full; says who went.
    pub(crate) fn make_room(
        &mut self,
        config: &Config,
        limits: &Limits,
        bans: &Bans,
        record: &Record,
    ) -> Option<NodeId> {
        if self.subjects.len() < limits.subjects || self.subjects.contains_key(&record.subject) {
            return None;
        }
        let interval = interval_of(config, record.wall);
        let victim = self.victim(config, bans, interval)?;
        if let Some(gone) = self.subjects.remove(&victim) {
            self.newcomers.remove(&(gone.first_number, victim));
        }
        Some(victim)
    }

    fn victim(&mut self, config: &Config, bans: &Bans, interval: u64) -> Option<NodeId> {
        let start = self.hand.map_or(Bound::Unbounded, Bound::Excluded);
        let mut least: Option<(bool, Fixed, u64, NodeId)> = None;
        let around = self
            .subjects
            .range((start, Bound::Unbounded))
            .chain(self.subjects.iter());
        for (id, subject) in around.take(EVICTION_SAMPLE) {
            self.hand = Some(*id);
            let left = subject.state.score.at(config, interval).information();
            let banned = bans.of(id).is_some();
            if left < Fixed::ONE && subject.established && !banned {
                return Some(*id);
            }
            let place = (banned, left, subject.number, *id);
            least = Some(least.map_or(place, |least| least.min(place)));
        }
        let newcomer = |(_, id): &(u64, NodeId)| {
            let subject = self.subjects.get(id).filter(|_| bans.of(id).is_none())?;
            Some((subject.state.score.information(), subject.number, *id))
        };
        let newest = self
            .newcomers
            .iter()
            .take(EVICTION_SAMPLE)
            .filter_map(newcomer)
            .min();
        newest
            .map(|(_, _, id)| id)
            .or(least.map(|(_, _, _, id)| id))
    }
}
