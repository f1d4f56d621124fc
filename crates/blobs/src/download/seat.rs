//! Who is fetched from.

use alloc::vec::Vec;
use core::time::Duration;

use repute_identity::NodeId;

use super::Download;
use crate::{
    Event, Evidence, Grade, Left, Output, PlanRow, Verdict,
    candidate::{Candidate, Holds, Session, Step},
    desk::Desk,
};

/// How often the slowest is compared with the others.
const REVIEW_PAUSE: Duration = Duration::from_secs(10);
/// Who is this many times slower than the median gives its place to somebody who waits.
const SLOW_FACTOR: u64 = 4;
/// How long who was replaced waits.
const REPLACED_PAUSE: Duration = Duration::from_secs(60);

impl Download {
    /// Whether somebody may be fetched from now; [`Verdict::Standby`] if so.
    fn judge(&self, desk: &Desk, peer: &NodeId, one: &Candidate) -> Verdict {
        let (Step::Known, Some((_, rank))) = (one.step, one.rank) else {
            return match (one.corrupt, self.allows(peer)) {
                (true, _) => Verdict::Corrupt,
                (_, false) => Verdict::Excluded,
                _ => Verdict::Silent,
            };
        };
        if one.corrupt {
            Verdict::Corrupt
        } else if !self.allows(peer) {
            Verdict::Excluded
        } else if rank.closed || rank.grade == Grade::Distrusted || desk.is_closed(peer) {
            Verdict::Closed
        } else if self
            .choice
            .grade_min
            .is_some_and(|least| rank.grade < least)
        {
            Verdict::BelowGrade
        } else if self.size.is_some_and(|size| size != one.size) {
            Verdict::OtherSize
        } else if !desk.is_linked(peer) {
            Verdict::Silent
        } else if one.paused > desk.now {
            Verdict::Paused
        } else if !one.holds.any_of(&self.missing) {
            Verdict::NothingNeeded
        } else {
            Verdict::Standby
        }
    }

    /// An unknown one that has not delivered.
    fn explores(one: &Candidate) -> bool {
        let unknown = |grade: Grade| grade <= Grade::Unknown;
        !one.proven && one.rank.is_none_or(|(_, rank)| unknown(rank.grade))
    }

    /// Those who may be fetched from and are not, best first: whom a person prefers, then by rank.
    fn standby(&self, desk: &Desk) -> Vec<NodeId> {
        let mut fit: Vec<(bool, usize, NodeId)> = self
            .candidates
            .iter()
            .filter(|(peer, one)| {
                one.seated.is_none() && self.judge(desk, peer, one) == Verdict::Standby
            })
            .map(|(peer, one)| {
                let place = one.rank.map_or(usize::MAX, |(place, _)| place);
                (!self.choice.prefer.contains(peer), place, *peer)
            })
            .collect();
        fit.sort_unstable();
        fit.into_iter().map(|(_, _, peer)| peer).collect()
    }

    pub(super) fn seat(&mut self, desk: &mut Desk) {
        if !self.ranking.known {
            return;
        }
        self.unseat_unfit(desk);
        let mut standby = self.standby(desk);
        if desk.now >= self.review_at {
            self.review_at = desk.now + REVIEW_PAUSE;
            let full = self.seated().count() >= desk.config.seeders;
            if full && !standby.is_empty() {
                self.replace_slowest(desk);
            }
        }
        let known = |one: &Candidate| !Self::explores(one);
        let mut any_known = self.seated().any(|(_, one)| known(one));
        any_known |= standby
            .iter()
            .filter_map(|peer| self.candidates.get(peer))
            .any(known);
        let mut seats = desk.config.seeders.saturating_sub(self.seated().count());
        let explorers = self.seated().filter(|(_, one)| !known(one)).count();
        let mut trials = match any_known {
            true => desk.config.explorers.saturating_sub(explorers),
            false => seats,
        };
        standby.retain(|peer| {
            let explores = self.candidates.get(peer).is_some_and(|one| !known(one));
            let fits = seats > 0 && (!explores || trials > 0);
            seats -= usize::from(fits);
            trials -= usize::from(fits && explores);
            fits
        });
        for peer in standby {
            self.sit(desk, peer);
        }
        if !self.planned && self.seated().next().is_some() {
            self.planned = true;
            let (id, rows) = (self.id, self.plan(desk));
            desk.tell(Event::Plan { id, rows });
        }
    }

    pub(super) fn seated(&self) -> impl Iterator<Item = (&NodeId, &Candidate)> {
        let all = self.candidates.iter();
        all.filter(|(_, one)| one.seated.is_some())
    }

    fn unseat_unfit(&mut self, desk: &mut Desk) {
        let unfit: Vec<(NodeId, Left)> = self
            .seated()
            .filter_map(|(peer, one)| {
                let why = match self.judge(desk, peer, one) {
                    Verdict::Standby => return None,
                    Verdict::Corrupt => Left::Corrupt,
                    Verdict::Silent => Left::Lost,
                    Verdict::Paused => Left::Busy,
                    Verdict::NothingNeeded | Verdict::OtherSize => Left::NothingNeeded,
                    _ => Left::Closed,
                };
                Some((*peer, why))
            })
            .collect();
        for (peer, why) in unfit {
            self.unseat(desk, peer, why);
        }
    }

    fn sit(&mut self, desk: &mut Desk, peer: NodeId) {
        if let Some(candidate) = self.candidates.get_mut(&peer) {
            candidate.seated = Some(desk.now);
            candidate.place = None;
            candidate.session = Some(Session::opened_at(desk.now));
            self.idle = None;
            desk.emit(Output::Open { peer });
            let id = self.id;
            desk.tell(Event::Joined { id, peer });
        }
    }

    /// Says what came of a seeder, if all that it sent was right.
    pub(super) fn give_evidence(&mut self, desk: &mut Desk, peer: &NodeId) {
        let Some(candidate) = self.candidates.get_mut(peer) else {
            return;
        };
        if let Some(session) = &mut candidate.session
            && session.bytes > 0
            && !candidate.corrupt
        {
            let latency = session.latency;
            let (bytes, took) = session.take(desk.now);
            let evidence = Evidence::Served {
                bytes,
                took,
                latency,
            };
            let peer = *peer;
            desk.emit(Output::Evidence { peer, evidence });
        }
    }

    pub(super) fn close_session(&mut self, desk: &mut Desk, peer: &NodeId) {
        self.give_evidence(desk, peer);
        let candidate = self.candidates.get_mut(peer);
        if let Some(session) = candidate.and_then(|one| one.session.take()) {
            let (peer, bytes) = (*peer, session.opened);
            desk.emit(Output::Close { peer, bytes });
        }
    }

    /// Gives the place of one that is far slower than the others to somebody who waits.
    fn replace_slowest(&mut self, desk: &mut Desk) {
        let mut rates: Vec<(u64, NodeId)> = self
            .seated()
            .filter(|(_, one)| {
                let since = one.seated.unwrap_or_default();
                desk.now.since(since) >= REVIEW_PAUSE
            })
            .filter_map(|(peer, one)| Some((one.speed.rate()?, *peer)))
            .collect();
        rates.sort_unstable();
        let median = rates.get(rates.len() / 2).map_or(0, |(rate, _)| *rate);
        if let Some((rate, peer)) = rates.first().copied()
            && rate.saturating_mul(SLOW_FACTOR) < median
            && !self.choice.prefer.contains(&peer)
        {
            self.unseat(desk, peer, Left::Replaced);
            if let Some(candidate) = self.candidates.get_mut(&peer) {
                candidate.paused = desk.now + REPLACED_PAUSE;
            }
        }
    }

    /// The table of the choice, best first.
    pub(super) fn plan(&self, desk: &Desk) -> Vec<PlanRow> {
        let chosen = match self.choice.dry_run {
            // Whom it would fetch from.
            true => self.would_sit(desk),
            false => self.seated().map(|(peer, _)| *peer).collect(),
        };
        let mut rows: Vec<PlanRow> = self
            .candidates
            .iter()
            .map(|(peer, one)| {
                let verdict = match chosen.contains(peer) {
                    true if self.choice.prefer.contains(peer) => Verdict::Preferred,
                    true if Self::explores(one) => Verdict::Explored,
                    true => Verdict::Chosen,
                    false => self.judge(desk, peer, one),
                };
                let rank = one.rank.map(|(_, rank)| rank);
                PlanRow {
                    peer: *peer,
                    place: one.rank.map(|(place, _)| place),
                    grade: rank.map(|rank| rank.grade),
                    score: rank.map_or(repute_base::Fixed::ZERO, |rank| rank.score),
                    uncertainty: rank.map_or(repute_base::Fixed::ONE, |rank| rank.uncertainty),
                    groups: match &one.holds {
                        Holds::Nothing => 0,
                        Holds::All => repute_protocol::groups_of(one.size),
                        Holds::Part(groups) => groups.len(),
                    },
                    tier: one.tier,
                    slots_free: one.slots_free,
                    verdict,
                }
            })
            .collect();
        rows.sort_by_key(|row| {
            let place = row.place.unwrap_or(usize::MAX);
            (!row.verdict.is_chosen(), place, row.peer)
        });
        rows
    }

    fn would_sit(&self, desk: &Desk) -> Vec<NodeId> {
        let mut standby = self.standby(desk);
        standby.truncate(desk.config.seeders);
        standby
    }

    /// A dry run ends with its table.
    pub(super) fn conclude_plan(&mut self, desk: &mut Desk) {
        let waited = desk.now.since(self.begun);
        let waiting = self
            .candidates
            .values()
            .any(|one| matches!(one.step, Step::Asked { .. } | Step::Dialling));
        let asked = self.ranking.asked.is_some() || self.ranking.stale.is_some();
        let enough = self.ranking.known && !asked && !waiting;
        if enough || waited >= desk.limits.answer_max * 2 {
            let (id, rows) = (self.id, self.plan(desk));
            desk.tell(Event::Plan { id, rows });
            self.let_go(desk);
            self.over = true;
        }
    }
}
