//! Who has it: finding, linking, asking, ranking.

use alloc::vec::Vec;
use core::time::Duration;

use repute_identity::NodeId;
use repute_protocol::{BlobFrame, BlobHave, Contact, Holdings};

use super::Download;
use crate::{
    GroupRanges, Left, Output, Ranked,
    candidate::{Candidate, Holds, Step},
    desk::Desk,
};

/// How long the first to answer wait for others to be ranked with.
pub(super) const GATHER: Duration = Duration::from_millis(200);
/// How often candidates are ranked anew.
const RANK_PAUSE: Duration = Duration::from_secs(30);
/// How often more are looked for: at first, and at most.
const FIND_PAUSE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

impl Download {
    /// Some who may have it.
    pub(crate) fn add(&mut self, desk: &Desk, contacts: Vec<Contact>) {
        for contact in contacts {
            let addresses = contact.addresses.into_vec();
            if let Some(known) = self.candidates.get_mut(&contact.id) {
                if !addresses.is_empty() {
                    known.addresses = addresses;
                }
                continue;
            }
            if self.candidates.len() >= desk.limits.candidates_max && !self.make_room() {
                continue;
            }
            let candidate = Candidate {
                addresses,
                ..Candidate::default()
            };
            self.candidates.insert(contact.id, candidate);
        }
    }

    /// Forgets one that has failed most, and is of no use now.
    fn make_room(&mut self) -> bool {
        let of_no_use = |one: &Candidate| one.seated.is_none() && !one.wants;
        let worst = self
            .candidates
            .iter()
            // Who was caught stays, or it would be fetched from again.
            .filter(|(_, one)| of_no_use(one) && !one.corrupt && one.strikes > 0)
            .max_by_key(|(_, one)| one.strikes)
            .map(|(peer, _)| *peer);
        worst.is_some_and(|peer| self.candidates.remove(&peer).is_some())
    }

    /// Whether a person allows this one.
    pub(super) fn allows(&self, peer: &NodeId) -> bool {
        self.choice.only.is_empty() || self.choice.only.contains(peer)
    }

    pub(super) fn seek(&mut self, desk: &mut Desk) {
        if desk.now >= self.find_at {
            let hash = self.hash;
            desk.emit(Output::Find { hash });
            let (first, most) = FIND_PAUSE;
            let pause = first.saturating_mul(1 << self.finds.min(16)).min(most);
            self.finds += 1;
            self.find_at = desk.now + desk.rng.jitter(pause, 10);
        }
        let new: Vec<NodeId> = self
            .candidates
            .iter()
            .filter(|(_, one)| one.step == Step::New && one.paused <= desk.now && !one.corrupt)
            .map(|(peer, _)| *peer)
            .filter(|peer| self.allows(peer) && !desk.is_closed(peer))
            .collect();
        for peer in new {
            self.approach(desk, peer);
        }
    }

    /// Asks a linked one what it has, and links another.
    fn approach(&mut self, desk: &mut Desk, peer: NodeId) {
        let hash = self.hash;
        let Some(candidate) = self.candidates.get_mut(&peer) else {
            return;
        };
        if !candidate.wants {
            candidate.wants = desk.want(peer, &candidate.addresses);
        }
        if desk.is_linked(&peer) {
            let until = desk.now + desk.limits.answer_max;
            candidate.step = Step::Asked { until };
            desk.send(peer, BlobFrame::Query { hash, from: 0 });
        } else if candidate.wants {
            candidate.step = Step::Dialling;
        }
    }

    pub(crate) fn link_up(&mut self, peer: NodeId) {
        if let Some(candidate) = self.candidates.get_mut(&peer)
            && candidate.step == Step::Dialling
        {
            candidate.step = Step::New;
        }
    }

    /// There is no link, or no longer; its streams are gone with it.
    pub(crate) fn link_down(&mut self, desk: &mut Desk, peer: NodeId) {
        if !self.candidates.contains_key(&peer) {
            return;
        }
        let all = self.requests.iter();
        let lost: Vec<_> = all
            .filter(|(_, request)| request.peer == peer)
            .map(|(id, _)| *id)
            .collect();
        for request in lost {
            self.drop_request(desk, request);
        }
        self.unseat(desk, peer, Left::Lost);
        self.set_aside(desk, peer);
        if let Some(candidate) = self.candidates.get_mut(&peer) {
            candidate.step = Step::New;
            candidate.place = None;
            if core::mem::take(&mut candidate.wants) {
                desk.unwant(peer);
            }
        }
    }

    /// Leaves a peer alone for a while, longer each time.
    pub(super) fn set_aside(&mut self, desk: &mut Desk, peer: NodeId) {
        if let Some(candidate) = self.candidates.get_mut(&peer) {
            candidate.strikes = candidate.strikes.saturating_add(1);
            candidate.paused = desk.pause_after(candidate.strikes);
        }
    }

    /// Who was asked and says nothing is asked again later.
    pub(super) fn expire_queries(&mut self, desk: &mut Desk) {
        let silent =
            |one: &Candidate| matches!(one.step, Step::Asked { until } if until <= desk.now);
        let silent: Vec<NodeId> = self
            .candidates
            .iter()
            .filter(|(_, one)| silent(one))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in silent {
            self.set_aside(desk, peer);
            if let Some(candidate) = self.candidates.get_mut(&peer) {
                candidate.step = Step::New;
            }
        }
    }

    /// A candidate says what it has. Others are not listened to.
    pub(crate) fn have(&mut self, desk: &mut Desk, peer: NodeId, have: &BlobHave) {
        let hash = self.hash;
        let Some(candidate) = self.candidates.get_mut(&peer) else {
            return;
        };
        let asked = matches!(candidate.step, Step::Asked { .. });
        if candidate.corrupt || have.size > desk.limits.size_max {
            return;
        }
        // The continuation of what it said before, or a word of its own.
        let more = !asked && candidate.size == have.size;
        candidate.has(have, more, &desk.limits);
        if let (Holds::Part(known), Holdings::Part { groups, until }) =
            (&candidate.holds, &have.holdings)
            && *until < repute_protocol::groups_of(have.size)
            && groups.end() > 0
            && known.range_count() < desk.limits.holdings_ranges_max
        {
            desk.send(peer, BlobFrame::Query { hash, from: *until });
        }
        self.availability = None;
        if candidate.rank.is_none() {
            self.ranking.stale.get_or_insert(desk.now);
        }
    }

    pub(crate) fn gained(&mut self, desk: &Desk, peer: NodeId, gained: &GroupRanges) {
        if let Some(candidate) = self.candidates.get_mut(&peer) {
            candidate.gained(gained, &desk.limits);
            self.availability = None;
        }
    }

    /// A candidate has nothing of it.
    pub(crate) fn gone(&mut self, desk: &mut Desk, peer: NodeId) {
        if !self.candidates.contains_key(&peer) {
            return;
        }
        self.unseat(desk, peer, Left::NothingNeeded);
        self.set_aside(desk, peer);
        if let Some(candidate) = self.candidates.get_mut(&peer) {
            candidate.holds = Holds::Nothing;
            candidate.step = Step::New;
            self.availability = None;
            // Its link is of no use until it is asked again.
            if core::mem::take(&mut candidate.wants) {
                desk.unwant(peer);
            }
        }
    }

    /// Its place in the queue has come.
    pub(crate) fn turn(&mut self, desk: &Desk, peer: &NodeId) {
        if let Some(candidate) = self.candidates.get_mut(peer)
            && candidate.place.take().is_some()
        {
            candidate.paused = desk.now;
        }
    }

    /// Asks for a ranking when somebody is not ranked, and now and then.
    pub(super) fn rank(&mut self, desk: &mut Desk) {
        let now = desk.now;
        if let Some(asked) = self.ranking.asked {
            if now.since(asked) < desk.limits.answer_max {
                return;
            }
            self.ranking.asked = None;
            self.ranking.stale = Some(asked);
        }
        let waiting = self
            .candidates
            .values()
            .any(|one| matches!(one.step, Step::Asked { .. } | Step::Dialling));
        let due = match self.ranking.stale {
            Some(since) => !waiting || now.since(since) >= GATHER,
            None => self.ranking.known && now >= self.ranking.again,
        };
        if !due {
            return;
        }
        let peers: Vec<NodeId> = self
            .candidates
            .iter()
            .filter(|(_, one)| one.step == Step::Known && !one.corrupt)
            .map(|(peer, _)| *peer)
            .collect();
        self.ranking.stale = None;
        self.ranking.again = now + RANK_PAUSE;
        if !peers.is_empty() {
            self.ranking.asked = Some(now);
            let id = self.id;
            desk.emit(Output::Rank { id, peers });
        }
    }

    /// Who is to be fetched from, best first.
    pub(crate) fn ranked(&mut self, ranked: &[Ranked]) {
        self.ranking.asked = None;
        self.ranking.known = true;
        for candidate in self.candidates.values_mut() {
            candidate.rank = None;
        }
        for (place, one) in ranked.iter().enumerate() {
            if let Some(candidate) = self.candidates.get_mut(&one.peer) {
                candidate.rank.get_or_insert((place + 1, *one));
            }
        }
    }

    /// Which size is believed: that of the best, once nobody stands by the one believed so far.
    pub(super) fn settle_size(&mut self, desk: &mut Desk) {
        if self.size_proven || !self.ranking.known {
            return;
        }
        // What came under a size speaks for it even while those who claim it are away.
        let came = self.size.is_some() && self.missing.len() < self.groups();
        let mut sound = self.candidates.values().filter(|one| !one.corrupt);
        if sound.any(|one| Some(one.size) == self.size && (came || one.step == Step::Known)) {
            return;
        }
        let known = self.candidates.values();
        let best = known
            .filter(|one| one.step == Step::Known && !one.corrupt)
            .filter_map(|one| one.rank.map(|(place, _)| (place, one.size)))
            .min();
        if let Some((_, size)) = best {
            let requests: Vec<_> = self.requests.keys().copied().collect();
            requests.into_iter().for_each(|one| self.cancel(desk, one));
            self.believe(size);
        }
    }
}
