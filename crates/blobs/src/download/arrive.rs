//! What comes of requests: groups, refusals, silence, lies.

use alloc::vec::Vec;
use core::{ops::Range, time::Duration};

use repute_identity::NodeId;
use repute_protocol::{GROUP_BYTES, Misbehaviour, TransferAnswer, TransferRefusal};

use super::{Download, assign::patience};
use crate::{
    Event, Evidence, GroupRanges, Left, Output, RequestId, StreamEnd,
    candidate::{Holds, Step},
    desk::Desk,
};

/// The shortest and the longest time after which a busy peer is asked again.
const BUSY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

impl Download {
    /// The head of the answer.
    pub(crate) fn answered(&mut self, desk: &mut Desk, id: RequestId, answer: TransferAnswer) {
        let Some(peer) = self.requests.get(&id).map(|request| request.peer) else {
            return;
        };
        match answer {
            TransferAnswer::Serving { size } if Some(size) == self.size => {}
            TransferAnswer::Serving { size } => {
                // One of the two sizes is wrong; which, the last group will prove.
                self.cancel(desk, id);
                self.unseat(desk, peer, Left::NothingNeeded);
                if let Some(candidate) = self.candidates.get_mut(&peer) {
                    candidate.size = size;
                }
            }
            TransferAnswer::NotFound => {
                self.drop_request(desk, id);
                self.gone(desk, peer);
            }
            TransferAnswer::Busy {
                retry_ms, place, ..
            } => {
                self.drop_request(desk, id);
                self.unseat(desk, peer, Left::Busy);
                if let Some(candidate) = self.candidates.get_mut(&peer) {
                    let retry = Duration::from_millis(u64::from(retry_ms)).clamp(BUSY.0, BUSY.1);
                    candidate.paused = desk.now + retry;
                    candidate.place = Some(place);
                    candidate.slots_free = 0;
                }
            }
            TransferAnswer::Refused { reason } => {
                self.drop_request(desk, id);
                self.refused(desk, peer, reason);
            }
        }
    }

    fn refused(&mut self, desk: &mut Desk, peer: NodeId, reason: TransferRefusal) {
        let (shortest, longest) = desk.limits.pause;
        let pause = match reason {
            // Requests of ours that have just ended may still count there.
            TransferRefusal::TooMany => shortest / 2,
            TransferRefusal::QueueFull | TransferRefusal::Unavailable => longest / 2,
            _ => longest,
        };
        if reason != TransferRefusal::TooMany || !self.asks(&peer) {
            self.unseat(desk, peer, Left::Refused(reason));
        }
        if let Some(candidate) = self.candidates.get_mut(&peer)
            && candidate.seated.is_none()
        {
            candidate.paused = desk.now + pause;
        }
    }

    /// Groups came, proven and stored: those that were missing until now.
    pub(crate) fn received(
        &mut self,
        desk: &mut Desk,
        id: RequestId,
        groups: Range<u64>,
    ) -> GroupRanges {
        let now = desk.now;
        let Some(request) = self.requests.get(&id) else {
            return GroupRanges::new();
        };
        let (peer, asked, begun) = (request.peer, request.asked, request.begun);
        let new = GroupRanges::of(groups.clone()).intersection(&self.missing);
        let (bytes, fresh) = (self.bytes_of(&groups), self.bytes_in(&new));
        self.missing = self.missing.difference(&new);
        self.free = self.free.difference(&new);
        self.wasted += bytes - fresh;
        desk.stats.bytes_duplicate += bytes - fresh;
        desk.stats.bytes_received += fresh;
        desk.witness.delivered(peer, now);
        desk.inflow.used(id.0, bytes);
        self.speed.add(now, bytes);
        let mut due = now;
        if let Some(candidate) = self.candidates.get_mut(&peer) {
            candidate.speed.add(now, bytes);
            candidate.bytes += bytes;
            candidate.proven = true;
            if let Some(session) = &mut candidate.session {
                session.bytes += bytes;
                session.opened += bytes;
                if !begun {
                    session.latency.get_or_insert(now.since(asked));
                }
            }
            due = now + patience(desk, candidate);
        }
        let mut lost = Vec::new();
        for (other, request) in &mut self.requests {
            let had_some = !request.remaining.is_empty();
            if request.remaining.contains_any(groups.clone()) {
                request.remaining = request
                    .remaining
                    .difference(&GroupRanges::of(groups.clone()));
            }
            request.begun |= *other == id;
            if request.peer == peer {
                // Whoever sends on one stream may let the other wait.
                request.due = request.due.max(due);
            }
            if *other != id && had_some && request.remaining.is_empty() {
                lost.push(*other);
            }
        }
        // Whoever was slower need not send it any more.
        for request in lost {
            self.cancel(desk, request);
        }
        self.size_proven |= groups.end == self.groups();
        new
    }

    /// What came does not match the hash: proven, and the end of this seeder here.
    pub(crate) fn corrupt(&mut self, desk: &mut Desk, id: RequestId) {
        let Some(request) = self.drop_request(desk, id) else {
            return;
        };
        self.wasted += GROUP_BYTES;
        desk.stats.groups_corrupt += 1;
        self.expel(desk, request.peer, Misbehaviour::CorruptBlob);
    }

    fn expel(&mut self, desk: &mut Desk, peer: NodeId, kind: Misbehaviour) {
        if let Some(candidate) = self.candidates.get_mut(&peer) {
            candidate.corrupt = true;
        }
        desk.emit(Output::Misbehaviour { peer, kind });
        self.unseat(desk, peer, Left::Corrupt);
        self.availability = None;
        if let Some(candidate) = self.candidates.get_mut(&peer) {
            candidate.holds = Holds::Nothing;
            if core::mem::take(&mut candidate.wants) {
                desk.unwant(peer);
            }
        }
    }

    /// The stream of a request is over.
    pub(crate) fn ended(&mut self, desk: &mut Desk, id: RequestId, end: StreamEnd) {
        let Some(request) = self.drop_request(desk, id) else {
            return;
        };
        let peer = request.peer;
        match end {
            StreamEnd::Done if request.remaining.is_empty() => {
                if let Some(candidate) = self.candidates.get_mut(&peer) {
                    candidate.strikes = 0;
                }
            }
            StreamEnd::Malformed => self.expel(desk, peer, Misbehaviour::MalformedFrame),
            // Less than it promised, or nothing: nobody's fault that can be proven.
            StreamEnd::Done | StreamEnd::Lost => {
                self.unseat(desk, peer, Left::Lost);
                if request.begun
                    && let Some(candidate) = self.candidates.get_mut(&peer)
                {
                    // It does bring something.
                    candidate.strikes = 0;
                }
                self.set_aside(desk, peer);
            }
            StreamEnd::Local => {
                if let Some(candidate) = self.candidates.get_mut(&peer) {
                    candidate.paused = desk.now + desk.limits.pause.0;
                }
            }
        }
    }

    /// Judges silence.
    pub(super) fn expire(&mut self, desk: &mut Desk) {
        self.expire_queries(desk);
        let due: Vec<RequestId> = self
            .requests
            .iter()
            .filter(|(_, request)| request.due <= desk.now)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.stalled(desk, id);
        }
    }

    fn stalled(&mut self, desk: &mut Desk, id: RequestId) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let peer = request.peer;
        let Some(candidate) = self.candidates.get(&peer) else {
            return;
        };
        let waited = patience(desk, candidate);
        if desk.inflow.holds_back(id.0) {
            // Our own rate keeps it from sending.
            request.due = desk.now + waited;
            return;
        }
        desk.stats.stalls += 1;
        // While others went on, the network was there.
        let theirs = desk.witness.speaks_against(&peer, desk.now - waited / 2);
        if !theirs {
            desk.stats.stalls_excused += 1;
        }
        self.cancel(desk, id);
        self.charge_stall(desk, peer, theirs);
        self.unseat(desk, peer, Left::Stalled);
        self.set_aside(desk, peer);
        if let Some(candidate) = self.candidates.get_mut(&peer) {
            // Asked anew whether it is there at all.
            candidate.step = Step::New;
        }
    }

    fn charge_stall(&mut self, desk: &mut Desk, peer: NodeId, theirs: bool) {
        let now = desk.now;
        let session = self
            .candidates
            .get_mut(&peer)
            .and_then(|one| one.session.as_mut());
        if let (true, Some(session)) = (theirs, session) {
            let (bytes, took) = session.take(now);
            let evidence = Evidence::Stalled { bytes, took };
            desk.emit(Output::Evidence { peer, evidence });
        }
    }

    /// This node was asleep for so long: nobody was silent for that.
    pub(crate) fn forgive(&mut self, late: Duration) {
        for request in self.requests.values_mut() {
            request.due = request.due + late;
        }
        for candidate in self.candidates.values_mut() {
            if let Step::Asked { until } = &mut candidate.step {
                *until = *until + late;
            }
        }
    }

    /// Ends a download of which nothing is missing.
    pub(crate) fn finish(&mut self, desk: &mut Desk) {
        let Some(size) = self.size else { return };
        self.over = true;
        self.let_go(desk);
        desk.stats.finished += 1;
        let mut seeders: Vec<(NodeId, u64)> = self
            .candidates
            .iter()
            .filter(|(_, one)| one.bytes > 0)
            .map(|(peer, one)| (*peer, one.bytes))
            .collect();
        seeders.sort_unstable_by_key(|(peer, bytes)| (core::cmp::Reverse(*bytes), *peer));
        let (id, took, wasted) = (self.id, desk.now.since(self.begun), self.wasted);
        desk.tell(Event::Finished {
            id,
            size,
            took,
            wasted,
            seeders,
        });
    }
}
