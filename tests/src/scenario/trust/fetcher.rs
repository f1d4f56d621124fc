use std::{collections::BTreeMap, time::Duration};

use repute_base::{Fixed, Rng};
use repute_node::trust::{
    Candidate, Choice, Direction, Rank, RankConfig, RankLimits, Sample, Transfer, TransferModel,
    select,
};

use super::{DAY_MS, Observer, peer};

/// A warning holds for seven.
const WARNED_AGAIN_DAYS: u64 = 6;
/// Peers it warns of at a time.
const WARNED_MAX: usize = 30;
/// Its own score of whom it goes on to warn of.
const WARNED_BELOW: Fixed = Fixed::ratio(49, 100);

/// One peer that had a good file of another: they sign for it, once a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deal {
    pub(super) by: usize,
    pub(super) from: usize,
}

/// What one says of another: not to trust it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub(super) by: usize,
    pub(super) about: usize,
    value: i8,
}

impl Said {
    pub(super) const fn warning(by: usize, about: usize) -> Self {
        let value = -100;
        Self { by, about, value }
    }
}

/// An honest peer that chooses whom to fetch from, as a node does: gates, then its own experience,
/// then the rank of those it has none with, and a tenth of its choices to try the unknown.
pub(super) struct Fetcher {
    observer: Observer,
    rank: Rank,
    /// By whom and from whom, and on how many days.
    days: BTreeMap<(usize, usize), (i64, u64)>,
    /// Whom it warns of, and since which day.
    warned: BTreeMap<usize, u64>,
    /// What is known of whom, until there are news of others or own experience.
    known: BTreeMap<usize, Candidate>,
    rng: Rng,
}

impl Fetcher {
    /// The `founders` are known to be honest.
    pub(super) fn new(me: usize, founders: usize, rng: &mut Rng) -> Self {
        let mut rank = Rank::new(peer(me), RankConfig::default(), RankLimits::default())
            .expect("a policy that can be meant");
        let anchors = (0..founders).filter(|one| *one != me).map(peer);
        rank.set_anchors(anchors).expect("few anchors");
        Self {
            observer: Observer::measuring(),
            rank,
            days: BTreeMap::new(),
            warned: BTreeMap::new(),
            known: BTreeMap::new(),
            rng: rng.fork(),
        }
    }

    /// The place of the source to fetch from, if there is one that may be asked.
    pub(super) fn choose(&mut self, at_ms: u64, sources: &[usize]) -> Option<usize> {
        self.observer.wait_until(at_ms);
        let candidates: Vec<Candidate> = sources
            .iter()
            .map(|source| self.candidate(*source))
            .collect();
        let choice = Choice {
            count: 1,
            ..Choice::default()
        };
        let chosen = select(&TransferModel, &candidates, &choice, &mut self.rng)
            .ok()?
            .chosen;
        let id = chosen.first()?.id;
        candidates.iter().position(|candidate| candidate.id == id)
    }

    fn candidate(&mut self, source: usize) -> Candidate {
        let id = peer(source);
        let rank = self.rank.credibility(id, Fixed::ONE, Fixed::ZERO);
        let observer = &self.observer;
        let known = self.known.entry(source);
        known
            .or_insert_with(|| observer.candidate(id, rank))
            .clone()
    }

    /// What came, a file of four MiB, was what it should be, or was not.
    pub(super) fn fetched(&mut self, at_ms: u64, from: usize, good: bool, latency: Duration) {
        let id = peer(from);
        self.known.remove(&from);
        self.observer.sample(
            id,
            Sample::Transfer(Transfer {
                direction: Direction::Down,
                ok: good,
                bytes: 4 << 20,
                took: Duration::from_secs(4),
                latency: Some(latency),
            }),
        );
        if good {
            self.observer.useful(id);
        } else {
            self.observer.bad(id);
            self.warned.insert(from, at_ms / DAY_MS);
            if self.warned.len() > WARNED_MAX {
                // Who warns of more weighs less on each.
                let oldest = self.warned.iter().min_by_key(|(_, day)| **day);
                if let Some(oldest) = oldest.map(|(of, _)| *of) {
                    self.warned.remove(&oldest);
                }
            }
        }
    }

    /// Whom it warns of today: a warning holds for seven days, and is said again before that while
    /// the experience behind it lasts.
    pub(super) fn warns_of(&mut self, day: u64) -> Vec<usize> {
        let due = |said: &u64| day >= said + WARNED_AGAIN_DAYS;
        let due: Vec<usize> = self
            .warned
            .iter()
            .filter_map(|(of, said)| due(said).then_some(*of))
            .collect();
        let mut again = Vec::new();
        for of in due {
            if self.observer.standing(peer(of)).trust < WARNED_BELOW {
                self.warned.insert(of, day);
                again.push(of);
            } else {
                self.warned.remove(&of);
            }
        }
        again
    }

    /// What another says of a third one.
    pub(super) fn hear(&mut self, said: &Said) {
        let source = peer(said.by);
        let rank = self.rank.credibility(source, Fixed::ONE, Fixed::ZERO);
        self.observer
            .hear(source, peer(said.about), said.value, rank);
    }

    /// What others signed for on a day: each pair counts once.
    pub(super) fn learn(&mut self, day: u64, deals: &[Deal]) {
        for deal in deals {
            let (days, last) = self.days.entry((deal.by, deal.from)).or_default();
            if *days > 0 && *last == day {
                continue;
            }
            (*days, *last) = (*days + 1, day);
            self.rank
                .set_edge(peer(deal.by), peer(deal.from), Fixed::from_int(*days));
        }
        self.rank.refresh();
        self.known.clear();
    }
}
