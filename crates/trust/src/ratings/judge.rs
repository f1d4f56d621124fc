use alloc::{sync::Arc, vec, vec::Vec};
use core::cmp::Reverse;

use repute_base::Fixed;

use super::{Ratings, UnknownAnchor, VALUE_ONE};
use crate::{
    Bands, Level, RankConfig, Share,
    rank::{Flow, credibility, ranked},
};

/// How a rating network is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RatingsConfig {
    /// The rank that makes raters credible. The observer has no part in it: anchors have all.
    pub rank: RankConfig,
    /// How much evidence the prior is worth. Far less than among peers, who meet more often than
    /// people rate.
    pub prior_weight: Fixed,
    /// Where the levels begin.
    pub bands: Bands,
    /// Uncertainty above which a subject is unknown.
    pub unknown_above: Fixed,
    /// How many of the most active raters are anchors where none are named.
    pub anchors_by_activity: usize,
}

impl Default for RatingsConfig {
    fn default() -> Self {
        Self {
            rank: RankConfig::default(),
            prior_weight: Fixed::from_int(2),
            bands: Bands::default(),
            unknown_above: Fixed::ratio(8, 10),
            anchors_by_activity: 5,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whose view it is.
    pub anchors: Vec<Arc<str>>,
    /// Whether nobody named the anchors. Activity is no merit: such a view is for exploration.
    pub anchors_by_activity: bool,
    /// Everybody who was rated, best first.
    pub subjects: Vec<RatedSubject>,
    /// How many raters weigh anything.
    pub credible: u64,
}

/// One who was rated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatedSubject {
    /// The name in the file.
    pub id: Arc<str>,
    /// T = (r + W/2)/(W + r + h).
    pub trust: Share,
    /// u = W/(W + r + h).
    pub uncertainty: Share,
    /// The band of trust, or unknown.
    pub level: Level,
    /// One more than there are better ones about whom something credible is known; 1 is best.
    pub rank: u64,
    /// How many rated it, credible or not.
    pub ratings: u64,
}

/// Evidence about one subject, in units of 2⁻⁵².
#[derive(Clone, Copy, Default)]
struct Evidence {
    good: u128,
    bad: u128,
    ratings: u64,
}

impl Ratings {
    /// Judges everybody who was rated, as seen from `anchors`; with none, from the most active
    /// raters.
    ///
    /// # Errors
    /// [`UnknownAnchor`] when one of them is not in the file.
    pub fn judge(
        &self,
        anchors: &[&str],
        config: &RatingsConfig,
    ) -> Result<Judgement, UnknownAnchor> {
        let by_activity = anchors.is_empty();
        let mut places = if by_activity {
            self.most_active(config.anchors_by_activity)
        } else {
            self.named(anchors)?
        };
        places.sort_unstable();
        places.dedup();
        let weights = self.weigh(&places, &config.rank);
        let evidence = self.evidence(&weights);
        Ok(Judgement {
            anchors: places.iter().map(|at| self.name(*at as usize)).collect(),
            anchors_by_activity: by_activity,
            credible: weights
                .iter()
                .filter(|weight| **weight > Share::ZERO)
                .count() as u64,
            subjects: self.rank(config, &evidence),
        })
    }

    fn named(&self, anchors: &[&str]) -> Result<Vec<u32>, UnknownAnchor> {
        let place = |name: &&str| {
            let name = *name;
            self.place(name)
                .ok_or_else(|| UnknownAnchor { name: name.into() })
        };
        anchors.iter().map(place).collect()
    }

    fn most_active(&self, count: usize) -> Vec<u32> {
        let mut given = vec![0_u64; self.names.len()];
        for row in &self.rows {
            if let Some(given) = given.get_mut(row.from as usize) {
                *given += 1;
            }
        }
        let mut raters: Vec<(Reverse<u64>, &Arc<str>, u32)> = (0..)
            .zip(given)
            .zip(&self.names)
            .filter(|((_, given), _)| *given > 0)
            .map(|((place, given), name)| (Reverse(given), name, place))
            .collect();
        raters.sort_unstable();
        raters.truncate(count);
        raters.into_iter().map(|(_, _, place)| place).collect()
    }

    /// How much each rater weighs.
    fn weigh(&self, anchors: &[u32], config: &RankConfig) -> Vec<Share> {
        let each = Share::of(1, anchors.len() as u64);
        let sources: Vec<(u32, Share)> = anchors.iter().map(|at| (*at, each)).collect();
        let mut flow = Flow::with_capacity(self.names.len(), self.rows.len());
        let mut spent = Vec::with_capacity(self.names.len());
        let mut rows = self.rows.as_slice();
        for rater in 0..self.names.len() {
            let of_rater = |row: &super::Rating| row.from as usize == rater;
            let (own, others) = rows.split_at(rows.partition_point(of_rater));
            rows = others;
            let good = own.iter().filter(|row| row.value > 0);
            flow.push_row(good.map(|row| (row.to, row.value.unsigned_abs())));
            spent.push(
                own.iter()
                    .map(|row| u64::from(row.value.unsigned_abs()))
                    .sum(),
            );
        }
        let mut ranks = flow.cold(&sources);
        flow.settle(config, &sources, &mut ranks);
        let all = ranked(&ranks);
        let budget = u64::try_from(config.budget.raw()).unwrap_or(0);
        let budget = budget.saturating_mul(VALUE_ONE) >> Fixed::FRACTION_BITS;
        let weigh = |(rank, spent): (&Share, u64)| credibility(all, *rank, spent, budget);
        ranks.iter().zip(spent).map(weigh).collect()
    }

    fn evidence(&self, weights: &[Share]) -> Vec<Evidence> {
        let mut evidence = vec![Evidence::default(); self.names.len()];
        for row in &self.rows {
            let weight = weights
                .get(row.from as usize)
                .map_or(0, |share| share.raw());
            let Some(of) = evidence.get_mut(row.to as usize) else {
                continue;
            };
            let strength = u128::from(row.value.unsigned_abs());
            let weighed = strength * u128::from(weight) / u128::from(VALUE_ONE);
            match row.value > 0 {
                true => of.good += weighed,
                false => of.bad += weighed,
            }
            of.ratings += 1;
        }
        evidence
    }

    fn rank(&self, config: &RatingsConfig, evidence: &[Evidence]) -> Vec<RatedSubject> {
        let rated = evidence.iter().zip(&self.names);
        let rated = rated.filter(|(evidence, _)| evidence.ratings > 0);
        let mut known = Vec::new();
        let mut subjects: Vec<RatedSubject> = rated
            .map(|(evidence, name)| {
                let subject = evidence.subject(config, name);
                if evidence.good + evidence.bad > 0 {
                    known.push(subject.trust);
                }
                subject
            })
            .collect();
        // Only those of whom something is known take a place: names that nobody credible has
        // rated are free, and any number of them must move nobody.
        known.sort_unstable_by_key(|trust| Reverse(*trust));
        for subject in &mut subjects {
            subject.rank = known.partition_point(|trust| *trust > subject.trust) as u64 + 1;
        }
        subjects.sort_unstable_by(|a, b| (a.rank, &a.id).cmp(&(b.rank, &b.id)));
        subjects
    }
}

impl Evidence {
    fn subject(&self, config: &RatingsConfig, name: &Arc<str>) -> RatedSubject {
        let fine = |value: Fixed| {
            let raw = u128::try_from(value.raw()).unwrap_or(0);
            raw << (Share::FRACTION_BITS - Fixed::FRACTION_BITS)
        };
        let prior = fine(config.prior_weight);
        let all = prior + self.good + self.bad;
        let trust = part(self.good + prior / 2, all);
        let uncertainty = part(prior, all);
        RatedSubject {
            id: Arc::clone(name),
            trust,
            uncertainty,
            level: self.level(config, trust, uncertainty, prior),
            rank: 0,
            ratings: self.ratings,
        }
    }

    /// The levels of peers, with the evidence asked for above low in proportion to the prior.
    fn level(
        &self,
        config: &RatingsConfig,
        trust: Share,
        uncertainty: Share,
        prior: u128,
    ) -> Level {
        let (trust, bands) = (trust.to_fixed(), &config.bands);
        if uncertainty.to_fixed() > config.unknown_above {
            Level::Unknown
        } else if trust < bands.low {
            Level::Distrusted
        } else if trust < bands.medium || self.good < prior / 4 {
            Level::Low
        } else if trust < bands.high {
            Level::Medium
        } else if trust < bands.trusted {
            Level::High
        } else {
            Level::Trusted
        }
    }
}

/// `part` of `whole`, rounded down, in two steps, so that nothing overflows below 2¹⁰².
fn part(part: u128, whole: u128) -> Share {
    const HALF: u32 = Share::FRACTION_BITS / 2;
    let Some(high) = (part << HALF).checked_div(whole) else {
        return Share::ZERO;
    };
    let low = (((part << HALF) % whole) << HALF) / whole;
    Share::from_raw(u64::try_from((high << HALF) + low).unwrap_or(u64::MAX))
}
