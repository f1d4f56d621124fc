use alloc::vec::Vec;

use repute_base::{Fixed, Rng};
use repute_identity::NodeId;

use crate::{
    Component, Dossier, IdentityClass, Level, ScoringModel, Stakes, model::estimate::expected,
};

/// Somebody who might be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub id: NodeId,
    /// What its identity cost.
    pub class: IdentityClass,
    /// N·t, its rank in averages ([`rank_in_averages`](crate::rank_in_averages)): 1 is average, 0
    /// somebody for whom nobody of rank vouches.
    pub rank: Fixed,
    /// Whether it takes encrypted transfers, if that is known.
    pub encrypted: Option<bool>,
    /// What is known of it.
    pub dossier: Dossier,
}

/// How to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// How many are wanted at most.
    pub count: usize,
    /// How many must pass the gates; fewer are an error.
    pub required: usize,
    /// What depends on it.
    pub stakes: Stakes,
    /// Only those that are known to take encrypted transfers.
    pub encrypted: bool,
    /// The least score, in the model's own range.
    pub score_min: Fixed,
    /// Of a hundred places, how many go to unknown peers of class 1 and above, so that newcomers
    /// can prove themselves. None with high stakes.
    pub explore_percent: u8,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            count: usize::MAX,
            required: 0,
            stakes: Stakes::Ordinary,
            encrypted: false,
            score_min: Fixed::ZERO,
            explore_percent: 10,
        }
    }
}

/// Whoever was chosen, and whoever was not, each with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The chosen, best first but for those explored.
    pub chosen: Vec<Ranked>,
    /// Those that passed no gate, by id.
    pub refused: Vec<Refused>,
}

/// One of the chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// Who.
    pub id: NodeId,
    /// Its place among the chosen, from 1.
    pub place: usize,
    /// Why it is there.
    pub reason: Reason,
    /// Its score by the model, for the stakes asked for.
    pub score: Fixed,
    /// What the score is made of.
    pub components: Vec<Component>,
    /// Its level in the ledger.
    pub level: Level,
}

/// Why somebody has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The best score of the known.
    Known,
    /// Too little good is known: behind all that are known, by what it showed.
    Unknown,
    /// Drawn from the unknown of class 1 and above, to give newcomers a chance.
    Explored,
}

impl Reason {
    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Unknown => "unknown",
            Self::Explored => "explored",
        }
    }
}

/// Somebody who may not be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who.
    pub id: NodeId,
    /// Which gate it did not pass.
    pub obstacle: Obstacle,
}

/// A gate, in the order they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Obstacle {
    /// It broke rules: grey or banned.
    Gate,
    /// Enough is known, and it is bad.
    Distrusted,
    /// It is not known to take encrypted transfers.
    Encryption,
    /// Its score is below the least that was asked for.
    Score,
}

impl Obstacle {
    /// A stable name for logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Distrusted => "distrusted",
            Self::Encryption => "encryption",
            Self::Score => "score",
        }
    }
}

/// Too few candidates pass the gates. Nothing was chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{passed} of {candidates} candidates pass the gates and {required} are required; ask for fewer, or find more candidates"
)]
pub struct TooFew {
    /// How many passed.
    pub passed: usize,
    /// Of how many.
    pub candidates: usize,
    /// How many are required.
    pub required: usize,
    /// Who did not pass, and why.
    pub refused: Vec<Refused>,
}

/// Ranks candidates by a model: gates first, then the known by score, then the unknown.
///
/// Gates first, because no speed makes up for a lie. The unknown come after all that are known to
/// be good, so that a fresh identity never beats an old honest one; and a first fault makes nobody
/// known. Among themselves they stand by what they showed and by who vouches for them, so that
/// those who served once come before strangers, and strangers before those who failed. A tenth of
/// the places is theirs all the same: half of it goes to those for whom nobody vouches yet. Two
/// candidates of one id count once; the order of the candidates does not matter; equal seeds choose
/// alike.
///
/// # Errors
/// [`TooFew`] when fewer than required pass.
pub fn select(
    model: &dyn ScoringModel,
    candidates: &[Candidate],
    choice: &Choice,
    rng: &mut Rng,
) -> Result<Selection, TooFew> {
    let mut sorted: Vec<&Candidate> = candidates.iter().collect();
    sorted.sort_by_key(|candidate| candidate.id);
    sorted.dedup_by_key(|candidate| candidate.id);
    let total = sorted.len();
    let mut refused = Vec::new();
    let mut passed = Vec::new();
    for candidate in sorted {
        match admit(model, candidate, choice) {
            Ok(entry) => passed.push(entry),
            Err(obstacle) => refused.push(Refused {
                id: candidate.id,
                obstacle,
            }),
        }
    }
    if passed.len() < choice.required {
        return Err(TooFew {
            passed: passed.len(),
            candidates: total,
            required: choice.required,
            refused,
        });
    }
    // Equals stand in a drawn order, or the lowest id would serve everybody.
    rng.shuffle(&mut passed);
    passed.sort_by_key(|entry| core::cmp::Reverse(entry.order));
    let chosen = places(passed, choice, rng);
    Ok(Selection { chosen, refused })
}

/// The best of `candidates` by a model, of which at least `required` must pass the gates: the
/// known before the unknown, each by score; no exploration.
///
/// # Errors
/// [`TooFew`].
pub fn best_peers(
    model: &dyn ScoringModel,
    candidates: &[Candidate],
    required: usize,
) -> Result<Vec<Ranked>, TooFew> {
    let choice = Choice {
        required,
        explore_percent: 0,
        ..Choice::default()
    };
    // One seed: asked twice, the same comes out.
    let selection = select(model, candidates, &choice, &mut Rng::from_u64(0))?;
    Ok(selection.chosen)
}

/// Known before unknown. The known by score, then rank; the unknown by what they showed, then
/// rank, then their pessimistic score.
type Order = (bool, Fixed, Fixed, Fixed);

/// A candidate that passed.
struct Passed {
    order: Order,
    /// Whether nobody of rank vouches for it.
    unvouched: bool,
    /// Whether it may be tried, although too little is known.
    newcomer: bool,
    ranked: Ranked,
}

fn admit(
    model: &dyn ScoringModel,
    candidate: &Candidate,
    choice: &Choice,
) -> Result<Passed, Obstacle> {
    let standing = &candidate.dossier.standing;
    if standing.gate.is_closed() {
        return Err(Obstacle::Gate);
    }
    if standing.level == Level::Distrusted {
        return Err(Obstacle::Distrusted);
    }
    if choice.encrypted && candidate.encrypted != Some(true) {
        return Err(Obstacle::Encryption);
    }
    let assessment = model.assess(&candidate.dossier, choice.stakes);
    if assessment.score < choice.score_min {
        return Err(Obstacle::Score);
    }
    let known = standing.is_proven();
    let (order, newcomer) = if known {
        let order = (true, assessment.score, candidate.rank, Fixed::ZERO);
        (order, false)
    } else {
        let shown = shown(model, candidate);
        let cautious = model.assess(&candidate.dossier, Stakes::High).score;
        let paid = candidate.class > IdentityClass::Free;
        let order = (false, shown, candidate.rank, cautious);
        (order, paid && shown >= Fixed::HALF)
    };
    Ok(Passed {
        order,
        unvouched: candidate.rank <= Fixed::ZERO,
        newcomer,
        ranked: Ranked {
            id: candidate.id,
            place: 0,
            reason: if known {
                Reason::Known
            } else {
                Reason::Unknown
            },
            score: assessment.score,
            components: assessment.components,
            level: standing.level,
        },
    })
}

/// What somebody showed of whom too little is known: the mean of a Beta distribution that begins
/// with two events at the prior, and with up to one good event more if peers of rank vouch for it.
/// A stranger is one half; who failed at first is less, who served once is more.
fn shown(model: &dyn ScoringModel, candidate: &Candidate) -> Fixed {
    let outcomes = model.outcomes(&candidate.dossier.metrics);
    let prior = candidate.dossier.standing.prior();
    let vouched = candidate.rank.clamp(Fixed::ZERO, Fixed::ONE);
    expected(
        outcomes.ok,
        outcomes.failed,
        prior + prior + vouched,
        (Fixed::ONE - prior) + (Fixed::ONE - prior),
    )
}

/// Fills the places: the next best, or now and then somebody unknown.
fn places(passed: Vec<Passed>, choice: &Choice, rng: &mut Rng) -> Vec<Ranked> {
    let count = choice.count.min(passed.len());
    let explore = match choice.stakes {
        Stakes::Ordinary => u64::from(choice.explore_percent.min(100)),
        Stakes::High => 0,
    };
    let (mut drawn, rest): (Vec<Passed>, Vec<Passed>) = passed
        .into_iter()
        .partition(|entry| explore > 0 && entry.newcomer);
    // Who is not drawn waits in its own place, by score.
    let mut best = rest.into_iter().peekable();
    let mut chosen = Vec::with_capacity(count);
    for place in 1..=count {
        let draw = !drawn.is_empty() && rng.chance(explore, 100);
        let newcomer_first = |drawn: &[Passed], best: Option<&Passed>| {
            let first = drawn.first().map(|entry| entry.order);
            first > best.map(|entry| entry.order)
        };
        let entry = if draw {
            let mut entry = drawn.remove(newcomer(&drawn, rng));
            entry.ranked.reason = Reason::Explored;
            Some(entry)
        } else if newcomer_first(&drawn, best.peek()) {
            Some(drawn.remove(0))
        } else {
            best.next()
        };
        chosen.extend(entry.map(|entry| Ranked {
            place,
            ..entry.ranked
        }));
    }
    chosen
}

/// Who is tried: now somebody for whom others vouch, now somebody for whom nobody does. Drawn from
/// all alike, whoever brings the most names would take all trials.
fn newcomer(drawn: &[Passed], rng: &mut Rng) -> usize {
    let places = |unvouched: bool| -> Vec<usize> {
        let all = drawn.iter().enumerate();
        all.filter(|(_, entry)| entry.unvouched == unvouched)
            .map(|(place, _)| place)
            .collect()
    };
    let first = rng.chance(1, 2);
    let place = rng.choose(&places(first)).copied();
    let place = place.or_else(|| rng.choose(&places(!first)).copied());
    place.unwrap_or_default()
}
