use alloc::vec::Vec;

use repute_base::Mono;
use repute_identity::NodeId;

use crate::{contact::Entry, diversity::Group};

/// The nodes that share a number of bits with this one, and replacements for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    /// Longest known first.
    pub(crate) entries: Vec<Entry>,
    /// Those for whom there is no place.
    pub(crate) replacements: Vec<Entry>,
    /// When something was last looked up here.
    pub(crate) refreshed: Mono,
}

impl Bucket {
    pub(crate) fn find_mut(&mut self, id: &NodeId) -> Option<&mut Entry> {
        let all = self.entries.iter_mut().chain(&mut self.replacements);
        all.into_iter().find(|entry| entry.id == *id)
    }

    pub(crate) fn entries_of(&self, group: &Group) -> usize {
        let same = |entry: &&Entry| entry.group == *group;
        self.entries.iter().filter(same).count()
    }

    /// Keeps an entry for later: at most `max`, of one group at most `group_max`. The one that
    /// deserves it least goes.
    pub(crate) fn keep_for_later(&mut self, entry: Entry, max: usize, group_max: usize) {
        let of_group = self
            .replacements
            .iter()
            .filter(|one| one.group == entry.group)
            .count();
        let crowded = of_group >= group_max;
        if crowded || self.replacements.len() >= max {
            let rivals = self.replacements.iter().enumerate();
            let least = rivals
                .filter(|(_, one)| !crowded || one.group == entry.group)
                .min_by_key(|(_, one)| one.merit());
            match least.map(|(place, one)| (place, one.linked)) {
                Some((place, false)) => drop(self.replacements.swap_remove(place)),
                _ => return,
            }
        }
        self.replacements.push(entry);
    }

    pub(crate) fn remove(&mut self, id: &NodeId) -> Option<Entry> {
        let place = self.entries.iter().position(|entry| entry.id == *id)?;
        Some(self.entries.remove(place))
    }
}
