//! One lookup: whom it knows, whom to ask next, and when it has seen enough.

use alloc::{collections::BTreeMap, vec::Vec};

use repute_base::{Address, BoundedVec, Mono};
use repute_identity::NodeId;
use repute_protocol::{Contact, RecordKey, ShortId};

use crate::{
    Limits,
    contact::Entry,
    distance::Distance,
    diversity::Group,
    lookup::{
        candidate::{Candidate, State},
        findings::Findings,
    },
};

pub(crate) mod candidate;
mod conclude;
pub(crate) mod drive;
pub(crate) mod findings;
mod reply;

/// What a lookup is for.
#[derive(Clone, Debug)]
pub(crate) enum Aim {
    /// The application wants to know who is closest.
    Nodes { token: u64 },
    /// The application wants records.
    Records(Findings),
    /// Records are to be put to the closest.
    Put { round: u64 },
    /// The table is to be filled.
    Refresh,
}

/// How a lookup goes about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) paths: usize,
    /// Requests under way at once, on all paths together.
    pub(crate) width: usize,
    /// How many of the closest must have answered.
    pub(crate) need: usize,
    /// Whether it begins far out, and passes over nobody whose teller named many that are not there:
    /// where many have died at once, those close by name mostly the dead.
    pub(crate) thorough: bool,
}

/// What became of the nodes that one peer named.
#[derive(Clone, Copy, Debug, Default)]
struct Teller {
    told: usize,
    proven: u32,
    failed: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    pub(crate) target: RecordKey,
    pub(crate) aim: Aim,
    pub(crate) manner: Manner,
    /// The application's name for it, if it wants to see each step.
    pub(crate) trace: Option<u64>,
    pub(crate) started: Mono,
    /// Of one group, only so many of the closest count: who has a network of addresses could have
    /// ids around any place.
    pub(crate) prefix_max: usize,
    /// Closest first.
    pub(crate) candidates: Vec<Candidate>,
    tellers: BTreeMap<NodeId, Teller>,
    /// How many named nodes of each group are among the candidates.
    groups: BTreeMap<Group, usize>,
    pub(crate) requests: u32,
    pub(crate) answers: u32,
}

impl Lookup {
    pub(crate) fn new(target: RecordKey, aim: Aim, manner: Manner, started: Mono) -> Self {
        Self {
            target,
            aim,
            manner,
            trace: None,
            started,
            prefix_max: usize::MAX,
            candidates: Vec::new(),
            tellers: BTreeMap::new(),
            groups: BTreeMap::new(),
            requests: 0,
            answers: 0,
        }
    }

    /// Begins with nodes of the table, closest first; the paths take turns.
    pub(crate) fn seed<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry>, now: Mono) {
        for (place, entry) in entries.into_iter().enumerate() {
            self.candidates.push(Candidate {
                id: entry.id,
                distance: self.distance(&entry.id),
                addresses: entry.addresses.clone(),
                path: u8::try_from(place % self.manner.paths).unwrap_or(0),
                hops: 1,
                known: true,
                proven: entry.is_fresh(now),
                state: State::Waiting,
                teller: None,
                group: entry.group,
            });
        }
    }

    pub(crate) fn distance(&self, id: &NodeId) -> Distance {
        Distance::between(id.as_bytes(), self.target.as_bytes())
    }

    pub(crate) fn find(&self, id: &NodeId) -> Option<&Candidate> {
        self.candidates.iter().find(|one| one.id == *id)
    }

    pub(crate) fn find_mut(&mut self, id: &NodeId) -> Option<&mut Candidate> {
        self.candidates.iter_mut().find(|one| one.id == *id)
    }

    /// A peer names nodes. Each stays on the path where it was named first. Gives how many were
    /// new, and how many of them are closer than the peer.
    pub(crate) fn told(
        &mut self,
        me: &NodeId,
        teller: &NodeId,
        contacts: &[(Contact, Group)],
        limits: &Limits,
        group_max: usize,
    ) -> (usize, usize) {
        let Some(by) = self.find(teller) else {
            return (0, 0);
        };
        let (path, hops, distance) = (by.path, by.hops.saturating_add(1), by.distance);
        let (mut new, mut closer) = (0, 0);
        for (contact, group) in contacts {
            let account = self.tellers.entry(*teller).or_default();
            if account.told >= limits.told_max {
                break;
            }
            account.told += 1;
            if contact.id == *me {
                continue;
            }
            if let Some(known) = self.find_mut(&contact.id) {
                known.hops = known.hops.min(hops);
                continue;
            }
            let of_group = self.groups.get(group).copied().unwrap_or(0);
            if of_group >= group_max {
                continue;
            }
            let named = Candidate {
                id: contact.id,
                distance: self.distance(&contact.id),
                addresses: contact.addresses.iter().copied().collect(),
                path,
                hops,
                known: false,
                proven: false,
                state: State::Waiting,
                teller: Some(*teller),
                group: *group,
            };
            let nearer = named.distance < distance;
            if self.insert(named, limits.candidates_max) {
                new += 1;
                closer += usize::from(nearer);
            }
        }
        (new, closer)
    }

    /// The furthest of those that were only named goes first; never one that proved to be there.
    fn insert(&mut self, named: Candidate, max: usize) -> bool {
        if self.candidates.len() >= max {
            let furthest = self
                .candidates
                .iter()
                .rposition(|one| !one.known && one.state == State::Waiting);
            let Some(place) = furthest else {
                return false;
            };
            let rival = self.candidates.get(place).map(|one| one.distance);
            if rival.is_none_or(|rival| rival <= named.distance) {
                return false;
            }
            let left = self.candidates.remove(place);
            if let Some(count) = self.groups.get_mut(&left.group) {
                *count = count.saturating_sub(1);
            }
        }
        *self.groups.entry(named.group).or_default() += 1;
        let place = self
            .candidates
            .partition_point(|one| one.distance < named.distance);
        self.candidates.insert(place, named);
        true
    }

    /// It answered, or did not: also a verdict on whoever named it.
    pub(crate) fn settle(&mut self, id: &NodeId, state: State) {
        let Some(candidate) = self.find_mut(id) else {
            return;
        };
        let before = core::mem::replace(&mut candidate.state, state);
        if state == State::Answered {
            candidate.proven = true;
            candidate.known = true;
        }
        if state == State::Failed {
            candidate.proven = false;
        }
        let Some(account) = candidate.teller.filter(|_| before != state) else {
            return;
        };
        let account = self.tellers.entry(account).or_default();
        match state {
            State::Answered => account.proven += 1,
            State::Failed => account.failed += 1,
            _ => {}
        }
    }

    /// Whether what named it is likely to have made it up.
    fn is_doubted(&self, candidate: &Candidate, limits: &Limits) -> bool {
        !self.manner.thorough
            && candidate.state == State::Waiting
            && self.is_hearsay_of_liars(candidate, limits)
    }

    fn is_hearsay_of_liars(&self, candidate: &Candidate, limits: &Limits) -> bool {
        let account = candidate
            .teller
            .and_then(|teller| self.tellers.get(&teller));
        account.is_some_and(|account| {
            account.failed >= limits.invented_max && account.failed > 2 * account.proven
        })
    }

    /// Whoever named many that are not there may be a liar, or told of holders that have just died:
    /// who has found no record asks the rest, as far as they are among the closest.
    fn next_doubted(&self, limits: &Limits) -> Option<NodeId> {
        let empty =
            matches!(&self.aim, Aim::Records(one) if one.newest.is_empty() && one.verifying == 0);
        let asked = |one: &&Candidate| one.state == State::Asked;
        let mut asked = self.candidates.iter().filter(asked);
        if !empty || !asked.all(|one| self.is_hearsay_of_liars(one, limits)) {
            return None;
        }
        let mut answered = 0;
        for one in &self.candidates {
            if self.is_doubted(one, limits) {
                return Some(one.id);
            }
            answered += usize::from(one.state == State::Answered);
            if answered >= self.manner.need {
                break;
            }
        }
        None
    }

    /// Candidates that count, closest first.
    pub(crate) fn live<'a>(&'a self, limits: &'a Limits) -> impl Iterator<Item = &'a Candidate> {
        let mut of_group: BTreeMap<Group, usize> = BTreeMap::new();
        let counts = move |one: &&Candidate| {
            if one.state == State::Failed || self.is_doubted(one, limits) {
                return false;
            }
            let count = of_group.entry(one.group).or_default();
            *count += 1;
            *count <= self.prefix_max
        };
        self.candidates.iter().filter(counts)
    }

    /// Whom to ask next, if anybody and if there is room.
    pub(crate) fn next(&self, limits: &Limits) -> Option<NodeId> {
        let asked = |one: &&Candidate| one.state == State::Asked;
        if self.candidates.iter().filter(asked).count() >= self.width() {
            return None;
        }
        let each = self.manner.width.div_ceil(self.manner.paths).max(1);
        let mut paths = [Path::default(); crate::Config::PATHS_MAX];
        for one in self.candidates.iter().filter(asked) {
            if let Some(path) = paths.get_mut(usize::from(one.path)) {
                path.asked += 1;
            }
        }
        let mut rank = 0;
        for one in self.live(limits) {
            let Some(path) = paths.get_mut(usize::from(one.path)) else {
                continue;
            };
            match one.state {
                State::Waiting => {
                    let leads = !path.answered && path.ahead < each;
                    if (leads || rank < self.manner.need) && path.asked < each {
                        return Some(one.id);
                    }
                    path.ahead += 1;
                    rank += 1;
                }
                State::Asked => {
                    path.ahead += 1;
                    rank += 1;
                }
                State::Answered => {
                    path.answered = true;
                    rank += 1;
                }
                // It may still answer; meanwhile it is as if it were not there.
                State::Slow | State::Failed => {}
            }
        }
        // What is doubted is asked when nothing else is left.
        let nobody = self.answers == 0 && !self.candidates.iter().any(|one| one.is_under_way());
        let waiting = |one: &&Candidate| one.state == State::Waiting;
        nobody
            .then(|| self.candidates.iter().find(waiting).map(|one| one.id))
            .flatten()
            .or_else(|| self.next_doubted(limits))
    }

    /// Whoever looks for one record asks one holder first, and more with each that has none.
    fn width(&self) -> usize {
        let full = self.manner.width.max(self.manner.paths);
        match &self.aim {
            Aim::Records(findings) if findings.is_first() && findings.verifying > 0 => 0,
            Aim::Records(findings) if findings.is_first() => full.min(1 + self.answers as usize),
            _ => full,
        }
    }

    /// Whether all is asked that needs to be, and answered. Call when there is no
    /// [`next`](Self::next).
    pub(crate) fn is_settled(&self) -> bool {
        let under_way = |state| self.candidates.iter().any(|one| one.state == state);
        !under_way(State::Asked) && (self.answers > 0 || !under_way(State::Slow))
    }

    /// Those that need not be told: the closest of whom this node knows where they are.
    pub(crate) fn known<const MAX: usize>(&self, asked: &NodeId) -> BoundedVec<ShortId, MAX> {
        let all = self.candidates.iter();
        let known = all.filter(|one| one.known && one.state != State::Failed && one.id != *asked);
        BoundedVec::truncated(known.map(|one| ShortId::of(&one.id)))
    }

    pub(crate) fn addresses(&self, id: &NodeId) -> Vec<Address> {
        self.find(id)
            .map(|one| one.addresses.clone())
            .unwrap_or_default()
    }
}

#[derive(Clone, Copy, Default)]
struct Path {
    /// Requests under way.
    asked: usize,
    /// Candidates passed that are not settled.
    ahead: usize,
    /// Whether a closer one has answered.
    answered: bool,
}

#[cfg(test)]
mod tests;
