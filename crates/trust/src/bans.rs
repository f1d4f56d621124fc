use alloc::collections::{BTreeMap, BTreeSet};

use repute_base::Wall;
use repute_identity::NodeId;

use crate::{Ban, By};

/// The bans in force, found by subject and by end.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    by_subject: BTreeMap<NodeId, Entry>,
    /// Who banned, the end in milliseconds (the largest number for never), whom.
    by_end: BTreeSet<(By, u64, NodeId)>,
}

#[derive(Debug)]
struct Entry {
    ban: Ban,
    /// Whether the store has it, as opposed to found again while restoring records.
    stored: bool,
}

impl Bans {
    pub(crate) fn len(&self) -> usize {
        self.by_subject.len()
    }

    pub(crate) fn of(&self, subject: &NodeId) -> Option<&Ban> {
        self.by_subject.get(subject).map(|entry| &entry.ban)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Ban> {
        self.by_subject.values().map(|entry| &entry.ban)
    }

    pub(crate) fn insert(&mut self, ban: Ban, stored: bool) {
        self.remove(&ban.subject);
        self.by_end.insert(place(&ban));
        self.by_subject.insert(ban.subject, Entry { ban, stored });
    }

    /// Removes a ban; says whether the store has it.
    pub(crate) fn remove(&mut self, subject: &NodeId) -> Option<(Ban, bool)> {
        let Entry { ban, stored } = self.by_subject.remove(subject)?;
        self.by_end.remove(&place(&ban));
        Some((ban, stored))
    }

    /// When the next ban lapses.
    pub(crate) fn next_end(&self) -> Option<Wall> {
        [By::Rule, By::Operator]
            .into_iter()
            .filter_map(|by| self.first(by))
            .filter_map(|ban| ban.until)
            .min()
    }

    /// Whose ban has lapsed at `at`.
    pub(crate) fn lapsed(&self, at: Wall) -> Option<NodeId> {
        [By::Rule, By::Operator]
            .into_iter()
            .filter_map(|by| self.first(by))
            .find(|ban| ban.lapsed(at))
            .map(|ban| ban.subject)
    }

    /// Whose ban goes when there are too many: the one that ends first, the operator's last.
    pub(crate) fn least(&self) -> Option<(By, NodeId)> {
        self.by_end.first().map(|(by, _, subject)| (*by, *subject))
    }

    fn first(&self, by: By) -> Option<&Ban> {
        let lowest = (by, 0, NodeId::from_bytes([0; 32]));
        let (found, _, subject) = self.by_end.range(lowest..).next()?;
        if *found == by { self.of(subject) } else { None }
    }
}

fn place(ban: &Ban) -> (By, u64, NodeId) {
    (
        ban.by,
        ban.until.map_or(u64::MAX, Wall::as_millis),
        ban.subject,
    )
}
