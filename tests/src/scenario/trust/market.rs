//! File sharing in query cycles, as in section 7 of the EigenTrust paper.
//!
//! Sixty peers and three founders ask for files of twenty categories, whose popularity falls by
//! Zipf's law; each is up and asks as often as it likes. Whoever is up and has the file answers,
//! and so does every hostile peer, always. What a peer fetches, and is what it should be, it offers
//! from then on. The paper does not print how many files a peer has; that was chosen so that the
//! random choice of a source comes to what the paper measured.

#![allow(
    clippy::indexing_slicing,
    reason = "peers and files are numbered, and never come or go"
)]

use repute_base::Rng;

const CATEGORIES: usize = 20;
const FILES: usize = 100;
const INTERESTS: usize = 10;
/// Files drawn at the start, some of them twice. Chosen so that the random choice of a source comes
/// within 0.05 of both series that the paper printed for it, which differ by as much: 0.727 and 0.676
/// with 20 % hostile. Over 200 crowds it is 0.490 at 10 %, 0.680 at 20 %, 0.958 at 70 %.
const DRAWN: usize = 275;
/// The first peers: always up, known to be honest.
pub(super) const FOUNDERS: usize = 3;
/// Query cycles in a day: the paper has 30 times 50.
pub(super) const CYCLES_PER_DAY: u64 = 50;

/// Who is there: honest peers first, then hostile ones, then spies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd {
    pub(super) honest: usize,
    pub(super) hostile: usize,
    /// Hostile ones that hand out nothing but what they should, in order to be believed.
    pub(super) spies: usize,
    /// How often, of a hundred, a hostile peer hands out what it should.
    pub(super) camouflage: u64,
    /// How often, of a thousand queries, a spy answers.
    pub(super) spies_answer_permille: u64,
    /// Of a thousand files that an honest peer hands out, so many are not what they should be.
    pub(super) mistakes_permille: u64,
}

impl Crowd {
    pub(super) const fn all(&self) -> usize {
        self.honest + self.hostile + self.spies
    }
}

struct Peer {
    interests: Vec<usize>,
    /// Of a thousand cycles.
    up_permille: u64,
    asks_permille: u64,
}

/// A query that somebody answered.
pub(super) struct Query {
    pub(super) by: usize,
    file: usize,
    /// Who offers the file, in order.
    pub(super) sources: Vec<usize>,
}

/// The peers and what they have. Two markets of one seed see the same peers, and the same queries
/// as long as the same files arrived.
pub(super) struct Market {
    crowd: Crowd,
    peers: Vec<Peer>,
    /// By peer and file.
    has: Vec<Vec<bool>>,
    rng: Rng,
}

impl Market {
    pub(super) fn new(seed: u64, crowd: Crowd) -> Self {
        let mut rng = Rng::from_u64(seed);
        let mut has = Vec::new();
        let mut peers = Vec::new();
        for number in 0..crowd.honest {
            let interests = interests(&mut rng);
            let mut own = vec![false; CATEGORIES * FILES];
            for _ in 0..DRAWN {
                let category = rng.choose(&interests).copied().unwrap_or_default();
                let file = category * FILES + rng.below(FILES as u64) as usize;
                own[file] = true;
            }
            has.push(own);
            let founder = number < FOUNDERS;
            peers.push(Peer {
                interests,
                up_permille: if founder { 1_000 } else { rng.below(1_001) },
                asks_permille: rng.below(501),
            });
        }
        Self {
            crowd,
            peers,
            has,
            rng,
        }
    }

    /// One cycle: every peer that is up and wants something asks once.
    pub(super) fn cycle(&mut self) -> Vec<Query> {
        let up: Vec<bool> = self
            .peers
            .iter()
            .map(|peer| self.rng.chance(peer.up_permille, 1_000))
            .collect();
        let mut queries = Vec::new();
        for by in 0..self.crowd.honest {
            if !up[by] || !self.rng.chance(self.peers[by].asks_permille, 1_000) {
                continue;
            }
            let Some(file) = self.wish(by) else { continue };
            let honest = (0..self.crowd.honest).filter(|peer| up[*peer] && self.has[*peer][file]);
            let mut sources: Vec<usize> = honest.collect();
            sources.extend(self.crowd.honest..self.crowd.honest + self.crowd.hostile);
            for spy in self.crowd.honest + self.crowd.hostile..self.crowd.all() {
                if self.rng.chance(self.crowd.spies_answer_permille, 1_000) {
                    sources.push(spy);
                }
            }
            if !sources.is_empty() {
                queries.push(Query { by, file, sources });
            }
        }
        queries
    }

    /// A file that a peer does not have yet.
    fn wish(&mut self, by: usize) -> Option<usize> {
        let interests = &self.peers[by].interests;
        let weights: Vec<f64> = interests.iter().map(|of| popularity(*of)).collect();
        let category = *interests.get(weighted(&mut self.rng, &weights))?;
        let tries = (0..6).map(|_| category * FILES + self.rng.below(FILES as u64) as usize);
        tries.into_iter().find(|file| !self.has[by][*file])
    }

    /// Fetches the file from one of the sources; whether it was what it should be.
    pub(super) fn fetch(&mut self, query: &Query, from: usize) -> bool {
        let good = if from < self.crowd.honest {
            !self.rng.chance(self.crowd.mistakes_permille, 1_000)
        } else if from < self.crowd.honest + self.crowd.hostile {
            self.rng.chance(self.crowd.camouflage, 100)
        } else {
            true
        };
        if good {
            self.has[query.by][query.file] = true;
        }
        good
    }

    /// One of so many, evenly: for who has no better way to choose.
    pub(super) fn any(&mut self, of: usize) -> usize {
        self.rng.below(of as u64) as usize
    }
}

/// Different categories, the popular ones first to be drawn.
fn interests(rng: &mut Rng) -> Vec<usize> {
    let weights: Vec<f64> = (0..CATEGORIES).map(popularity).collect();
    let mut drawn = std::collections::BTreeSet::new();
    while drawn.len() < INTERESTS {
        drawn.insert(weighted(rng, &weights));
    }
    drawn.into_iter().collect()
}

/// Zipf's law.
fn popularity(category: usize) -> f64 {
    1.0 / (category as f64 + 1.0)
}

fn weighted(rng: &mut Rng, weights: &[f64]) -> usize {
    let all: f64 = weights.iter().sum();
    let mut drawn = rng.below(1 << 53) as f64 / (1_u64 << 53) as f64 * all;
    for (place, weight) in weights.iter().enumerate() {
        drawn -= weight;
        if drawn < 0.0 {
            return place;
        }
    }
    weights.len() - 1
}
