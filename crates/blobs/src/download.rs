//! One blob on its way here.

mod arrive;
mod assign;
mod report;
mod seat;
mod seek;

use alloc::{collections::BTreeMap, vec::Vec};
use core::{ops::Range, time::Duration};

use repute_base::Mono;
use repute_identity::NodeId;
use repute_protocol::{BlobHash, GROUP_BYTES, groups_of};

use crate::{
    Choice, DownloadId, Event, GroupRanges, Left, Order, Output, RequestId, Trouble,
    availability::Availability,
    candidate::{Candidate, Step},
    desk::Desk,
    throughput::Throughput,
};

/// One request of ours.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) peer: NodeId,
    /// What has not come yet, from whomever.
    pub(crate) remaining: GroupRanges,
    asked: Mono,
    /// Whether anything came.
    begun: bool,
    /// When it stalls.
    due: Mono,
}

/// One blob on its way here.
#[derive(Clone, Debug)]
pub(crate) struct Download {
    pub(crate) id: DownloadId,
    pub(crate) hash: BlobHash,
    /// The size that is believed.
    pub(crate) size: Option<u64>,
    /// Whether the last group was proven, and the size with it.
    pub(crate) size_proven: bool,
    /// What was there at the start, until a size is believed.
    before: GroupRanges,
    /// What is not there yet.
    pub(crate) missing: GroupRanges,
    /// Of this, what nobody is asked for.
    free: GroupRanges,
    choice: Choice,
    pub(crate) running: bool,
    /// Would ask somebody of whom other downloads ask as much as one peer is asked.
    pub(crate) starved: bool,
    /// Nothing more is to be done; to be removed.
    pub(crate) over: bool,
    pub(crate) candidates: BTreeMap<NodeId, Candidate>,
    pub(crate) requests: BTreeMap<RequestId, Request>,
    availability: Option<Availability>,
    begun: Mono,
    find_at: Mono,
    finds: u32,
    ranking: Ranking,
    planned: bool,
    /// Since when nobody is fetched from, and whether that was told.
    idle: Option<(Mono, bool)>,
    review_at: Mono,
    progress_at: Mono,
    speed: Throughput,
    pub(crate) wasted: u64,
    pub(crate) wake: Mono,
}

/// Where the ranking of the candidates stands.
#[derive(Clone, Copy, Debug, Default)]
struct Ranking {
    /// Asked for, and since when.
    asked: Option<Mono>,
    /// Since when somebody is not ranked.
    stale: Option<Mono>,
    /// When it is asked for anew anyhow.
    again: Mono,
    /// There was an answer.
    known: bool,
}

impl Download {
    pub(crate) fn new(desk: &Desk, order: Order) -> Self {
        let now = desk.now;
        let mut download = Self {
            id: order.id,
            hash: order.hash,
            size: None,
            size_proven: false,
            before: order.verified,
            missing: GroupRanges::new(),
            free: GroupRanges::new(),
            choice: order.choice,
            running: true,
            starved: false,
            over: false,
            candidates: BTreeMap::new(),
            requests: BTreeMap::new(),
            availability: None,
            begun: now,
            find_at: now,
            finds: 0,
            ranking: Ranking::default(),
            planned: false,
            idle: None,
            review_at: now,
            progress_at: now,
            speed: Throughput::default(),
            wasted: 0,
            wake: now,
        };
        if let Some(size) = order.size {
            download.believe(size);
        }
        download.add(desk, order.peers);
        download
    }

    /// How many groups there are, as far as is known.
    pub(crate) fn groups(&self) -> u64 {
        self.size.map_or(0, groups_of)
    }

    /// Bytes of these groups.
    pub(crate) fn bytes_of(&self, range: &Range<u64>) -> u64 {
        let size = self.size.unwrap_or_default();
        let at = |group: u64| group.saturating_mul(GROUP_BYTES).min(size);
        at(range.end).saturating_sub(at(range.start))
    }

    pub(crate) fn bytes_in(&self, set: &GroupRanges) -> u64 {
        set.ranges().map(|range| self.bytes_of(&range)).sum()
    }

    /// What is there and proven.
    pub(crate) fn verified(&self) -> GroupRanges {
        GroupRanges::of(0..self.groups()).difference(&self.missing)
    }

    /// Takes a size for true until the last group proves it or nobody stands by it.
    fn believe(&mut self, size: u64) {
        if self.size == Some(size) {
            return;
        }
        let all = GroupRanges::of(0..groups_of(size));
        // What an earlier run proved counts for the size that is believed first.
        let before = core::mem::take(&mut self.before);
        self.missing = all.difference(&before);
        self.free = self.missing.clone();
        self.size = Some(size);
        self.size_proven = before.contains(groups_of(size) - 1);
        for candidate in self.candidates.values_mut() {
            candidate.cursor = None;
        }
    }

    /// Everything that follows from what changed, and when to look again.
    pub(crate) fn settle(&mut self, desk: &mut Desk) {
        if self.over {
            return;
        }
        if !self.running {
            self.wake = Mono::MAX;
            return;
        }
        self.expire(desk);
        self.seek(desk);
        self.settle_size(desk);
        self.rank(desk);
        if self.choice.dry_run {
            self.conclude_plan(desk);
        } else {
            self.seat(desk);
            self.assign(desk);
            self.report(desk);
        }
        self.wake = self.next_wake(desk);
    }

    /// Stops until told otherwise.
    pub(crate) fn pause(&mut self, desk: &mut Desk, trouble: Option<Trouble>) {
        if !self.running {
            return;
        }
        self.running = false;
        self.let_go(desk);
        let id = self.id;
        desk.tell(Event::Paused { id, trouble });
        self.wake = Mono::MAX;
    }

    pub(crate) fn resume(&mut self, desk: &Desk) {
        self.running = true;
        (self.find_at, self.finds) = (desk.now, 0);
        for candidate in self.candidates.values_mut() {
            (candidate.paused, candidate.strikes) = (desk.now, 0);
        }
    }

    /// Ends all that is under way and gives links back.
    pub(crate) fn let_go(&mut self, desk: &mut Desk) {
        let requests: Vec<RequestId> = self.requests.keys().copied().collect();
        for request in requests {
            self.cancel(desk, request);
        }
        let peers: Vec<NodeId> = self.candidates.keys().copied().collect();
        for peer in peers {
            self.close_session(desk, &peer);
            if let Some(candidate) = self.candidates.get_mut(&peer) {
                candidate.seated = None;
                candidate.step = Step::New;
                if core::mem::take(&mut candidate.wants) {
                    desk.unwant(peer);
                }
            }
        }
    }

    /// Ends a request of ours; what it had not brought is free again.
    fn cancel(&mut self, desk: &mut Desk, request: RequestId) {
        if self.drop_request(desk, request).is_some() {
            desk.emit(Output::Cancel { request });
        }
    }

    /// Forgets a request; what it had not brought is free again.
    fn drop_request(&mut self, desk: &mut Desk, request: RequestId) -> Option<Request> {
        let dropped = self.requests.remove(&request)?;
        desk.request_over(request, &dropped.peer);
        // Somebody else may still be asked for the same.
        let mut back = dropped.remaining.intersection(&self.missing);
        for other in self.requests.values() {
            back = back.difference(&other.remaining);
        }
        self.free = self.free.union(&back);
        if !self.asks(&dropped.peer)
            && let Some(candidate) = self.candidates.get_mut(&dropped.peer)
        {
            candidate.speed.end(desk.now);
            if let Some(session) = &mut candidate.session {
                session.end(desk.now);
            }
        }
        if self.requests.is_empty() {
            self.speed.end(desk.now);
        }
        Some(dropped)
    }

    /// Whether anything is asked of a peer.
    fn asks(&self, peer: &NodeId) -> bool {
        self.requests.values().any(|request| request.peer == *peer)
    }

    /// Cancels all that is asked of a peer.
    fn cancel_all_of(&mut self, desk: &mut Desk, peer: &NodeId) {
        let of_peer = self.requests.iter();
        let of_peer: Vec<RequestId> = of_peer
            .filter(|(_, request)| request.peer == *peer)
            .map(|(id, _)| *id)
            .collect();
        for request in of_peer {
            self.cancel(desk, request);
        }
    }

    /// Somebody is no longer fetched from.
    fn unseat(&mut self, desk: &mut Desk, peer: NodeId, why: Left) {
        self.cancel_all_of(desk, &peer);
        self.close_session(desk, &peer);
        let candidate = self.candidates.get_mut(&peer);
        if candidate.is_some_and(|candidate| candidate.seated.take().is_some()) {
            let id = self.id;
            desk.tell(Event::Left { id, peer, why });
        }
    }

    fn next_wake(&self, desk: &Desk) -> Mono {
        let requests = self.requests.values().map(|request| request.due);
        let candidates = self.candidates.values().filter_map(|one| match one.step {
            Step::Asked { until } => Some(until),
            _ if one.paused > desk.now && !one.corrupt => Some(one.paused),
            _ => None,
        });
        let ranking = match (self.ranking.asked, self.ranking.stale) {
            (Some(asked), _) => asked + desk.limits.answer_max,
            (None, Some(stale)) => stale + seek::GATHER,
            (None, None) if self.ranking.known => self.ranking.again,
            (None, None) => Mono::MAX,
        };
        let mut wake = requests.chain(candidates).min().unwrap_or(Mono::MAX);
        wake = wake.min(self.find_at).min(ranking);
        if self.candidates.values().any(|one| one.seated.is_some()) {
            wake = wake.min(self.review_at).min(self.progress_at);
        }
        if self.choice.dry_run {
            wake = wake.min(self.begun + desk.limits.answer_max * 2);
        }
        if let Some((since, false)) = self.idle {
            wake = wake.min(since + desk.limits.answer_max);
        }
        // Never at once: what could be done now is done.
        wake.max(desk.now + Duration::from_millis(1))
    }
}
