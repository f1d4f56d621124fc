//! What to ask whom for.

use alloc::vec::Vec;
use core::time::Duration;

use repute_identity::NodeId;
use repute_protocol::{GROUP_BYTES, GroupList, TransferRequest};

use super::{Download, Request};
use crate::{
    Grade, GroupRanges, Output, RequestId,
    availability::Availability,
    candidate::{Candidate, Holds},
    desk::Desk,
    piece,
};

/// Groups in the first request to somebody known: a MiB.
const FIRST_GROUPS: u64 = 64;
/// A request is this many times larger than the largest before, at most: the first bytes come out
/// of buffers and promise too much.
const GROWTH: u64 = 4;
/// The least that is asked for at once, unless less is left: smaller is all overhead.
const PIECE_MIN: u64 = 16;
/// What ends this much sooner by somebody else is asked for twice.
const SOONER: u64 = 2;
/// What is done so soon is not worth asking twice.
const SOON: Duration = Duration::from_millis(100);

impl Download {
    pub(super) fn assign(&mut self, desk: &mut Desk) {
        if self.size.is_none() || self.missing.is_empty() {
            return;
        }
        let mut seated: Vec<(usize, NodeId)> = self
            .seated()
            .filter_map(|(peer, one)| Some((one.rank?.0, *peer)))
            .collect();
        seated.sort_unstable();
        self.starved = false;
        for round in 0..desk.config.requests_per_seeder {
            for (_, peer) in &seated {
                let under_way = self.requests.values();
                let under_way = under_way.filter(|request| request.peer == *peer).count();
                if under_way > round {
                    continue;
                }
                match desk.may_ask(peer) {
                    true => self.ask_for_more(desk, *peer, under_way),
                    false => self.starved |= under_way == 0,
                }
            }
        }
    }

    fn ask_for_more(&mut self, desk: &mut Desk, peer: NodeId, under_way: usize) {
        let Some(candidate) = self.candidates.get(&peer) else {
            return;
        };
        let last = self.groups().saturating_sub(1);
        // The last group first: it proves the size.
        let prove = !self.size_proven && self.free.contains(last) && candidate.holds.has(last);
        let groups = match prove {
            true => GroupRanges::of(last..last + 1),
            false => self.next_piece(desk, peer),
        };
        if !groups.is_empty() {
            self.request(desk, peer, groups);
        } else if under_way == 0 {
            self.ask_twice(desk, peer);
        }
    }

    fn next_piece(&mut self, desk: &Desk, peer: NodeId) -> GroupRanges {
        let Some(candidate) = self.candidates.get(&peer) else {
            return GroupRanges::new();
        };
        let available = candidate.holds.of(&self.free);
        let count = self.piece_size(desk, candidate);
        let others: Vec<u64> = self
            .seated()
            .filter(|(other, _)| **other != peer)
            .filter_map(|(_, one)| one.cursor)
            .collect();
        let cursor = candidate.cursor;
        let availability = self.availability.get_or_insert_with(|| {
            let partial = self.candidates.values().filter_map(|one| match &one.holds {
                Holds::Part(groups) => Some(groups),
                _ => None,
            });
            Availability::of(partial)
        });
        piece::pick(&available, availability, cursor, &others, count)
    }

    /// So many groups that what is asked of a seeder at once takes about as long as it should,
    /// and towards the end so few that all end together.
    fn piece_size(&self, desk: &Desk, candidate: &Candidate) -> u64 {
        let config = &desk.config;
        let grade = candidate
            .rank
            .map_or(Grade::Unknown, |(_, rank)| rank.grade);
        let first = match grade <= Grade::Unknown {
            true => config.explore_groups,
            false => FIRST_GROUPS,
        };
        let Some(rate) = candidate.speed.rate().filter(|_| candidate.proven) else {
            return first;
        };
        let parallel = config.requests_per_seeder.max(1) as u64;
        let target = u64::try_from(config.request_target.as_millis()).unwrap_or(1_000) / parallel;
        let by_time = (rate / GROUP_BYTES + 1).saturating_mul(target) / 1_000;
        let all: u64 = self.seated().filter_map(|(_, one)| one.speed.rate()).sum();
        let left = u128::from(self.free.len());
        let share = left * u128::from(rate) / u128::from(all.max(1)) / 2 / u128::from(parallel);
        let share = u64::try_from(share).unwrap_or(u64::MAX).max(PIECE_MIN);
        let grown = candidate.piece.max(first).saturating_mul(GROWTH);
        by_time
            .min(grown)
            .min(share)
            .clamp(1, desk.limits.request_groups_max)
    }

    fn request(&mut self, desk: &mut Desk, peer: NodeId, groups: GroupRanges) {
        let (Some(size), Some(candidate)) = (self.size, self.candidates.get_mut(&peer)) else {
            return;
        };
        let now = desk.now;
        let request = desk.new_request(peer);
        self.free = self.free.difference(&groups);
        // The rest of a scattered set may lie anywhere; where a stretch ends, the next begins.
        candidate.cursor = groups.last().map(|last| last + 1);
        candidate.piece = candidate.piece.max(groups.len());
        candidate.speed.begin(now);
        if let Some(session) = &mut candidate.session {
            session.begin(now);
        }
        self.speed.begin(now);
        let due = now + patience(desk, candidate);
        let transfer = TransferRequest {
            version: TransferRequest::VERSION,
            hash: self.hash,
            groups: GroupList::truncated(groups.ranges()),
            session: desk.links.get(&peer).map_or(0, |link| link.session),
        };
        self.requests.insert(
            request,
            Request {
                peer,
                remaining: groups,
                asked: now,
                begun: false,
                due,
            },
        );
        let rate = desk.config.download_peer_rate;
        let paced = desk.inflow.paces(rate);
        if paced {
            desk.inflow.open(now, request.0, peer, 1, rate);
        }
        let id = self.id;
        desk.emit(Output::Request {
            request,
            id,
            peer,
            transfer,
            size,
            paced,
        });
    }

    /// Everything is asked for, and this one has nothing to do: it takes the end of what ends last
    /// by others, if it is sooner there.
    fn ask_twice(&mut self, desk: &mut Desk, peer: NodeId) {
        let Some(own) = self.candidates.get(&peer) else {
            return;
        };
        let rate = own.speed.rate().unwrap_or(GROUP_BYTES).max(1);
        let mut best: Option<(Duration, GroupRanges)> = None;
        for (id, request) in &self.requests {
            if request.peer == peer || self.is_asked_twice(id, request) {
                continue;
            }
            let common = own.holds.of(&request.remaining);
            if common.is_empty() {
                continue;
            }
            let (other, ends_in) = self.ends_in(desk, request);
            let share = u128::from(common.len()) * u128::from(rate);
            // Rounded up: the last group is better off with the faster one.
            let share = share.div_ceil(u128::from(rate + other));
            let count = u64::try_from(share).unwrap_or(u64::MAX).max(1);
            let tail = piece::tail(&common, count);
            let takes = in_time(self.bytes_in(&tail), rate);
            let sooner = takes.as_millis() * u128::from(SOONER) < ends_in.as_millis();
            let worth = ends_in >= SOON && sooner;
            if worth && best.as_ref().is_none_or(|(longest, _)| ends_in > *longest) {
                best = Some((ends_in, tail));
            }
        }
        if let Some((_, tail)) = best {
            let limit = desk.limits.request_groups_max;
            self.request(desk, peer, piece::tail(&tail, limit));
        }
    }

    /// Whether somebody else is asked for a part of what a request has not brought.
    fn is_asked_twice(&self, id: &RequestId, request: &Request) -> bool {
        let mut others = self.requests.iter().filter(|(other, _)| *other != id);
        others.any(|(_, other)| {
            let mut ranges = other.remaining.ranges();
            ranges.any(|range| request.remaining.contains_any(range))
        })
    }

    /// How fast a request's peer is now, and when the request ends at this rate. Requests to one
    /// peer share its rate; one that has fallen silent has none.
    fn ends_in(&self, desk: &Desk, request: &Request) -> (u64, Duration) {
        let speed = self.candidates.get(&request.peer).map(|one| one.speed);
        let rate = speed.map_or(GROUP_BYTES, |speed| match speed.rate() {
            None => GROUP_BYTES,
            Some(_) => speed.current(desk.now),
        });
        let of_peer = self
            .requests
            .values()
            .filter(|one| one.peer == request.peer);
        let rate = rate / (of_peer.count().max(1) as u64);
        (rate, in_time(self.bytes_in(&request.remaining), rate))
    }
}

/// How long nothing may come on a request before it stalls: some groups' time of a slow one.
pub(super) fn patience(desk: &Desk, candidate: &Candidate) -> Duration {
    let limits = &desk.limits;
    let group = candidate
        .speed
        .rate()
        .map_or(Duration::ZERO, |rate| in_time(GROUP_BYTES, rate));
    (group * 8).clamp(limits.stall_min, limits.stall_max)
}

fn in_time(bytes: u64, rate: u64) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1_000) / rate.max(1))
}
