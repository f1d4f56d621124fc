//! What others say: bounded, budgeted opinions that move a prior and nothing else.

mod config;
mod hearing;
mod record;
mod sayings;
pub(crate) mod source;
mod view;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use repute_base::{Fixed, Wall};
use repute_identity::NodeId;

use self::source::{Said, Source};
use crate::{
    Config, Context, Limits,
    limits::{SAID_PER_SUBJECT_MAX, SOURCE_ROWS_SPARE},
    score::interval_of,
};

pub use config::{Circle, HearsayConfig};
pub use hearing::rank_in_averages;
pub use record::{CarriedSource, Footing, HearsayRecord, News, Opinion};
pub use view::{Influence, SourceView};

/// Why an opinion was not taken. Nobody is blamed for any of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
#[non_exhaustive]
pub enum NotHeard {
    /// Nobody recommends itself.
    Itself,
    /// The policy does not listen to such a source, or gives it no weight.
    NotListened,
    /// The operator withdrew the source.
    Withdrawn,
    /// It is over, or from the future.
    NotHolding,
    /// One recommendation a day by one about one.
    TooSoon,
    /// There is one that is as new or newer.
    Older,
    /// Too many, and all others weigh as much.
    Full,
}

impl NotHeard {
    /// The reason, and what to do.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Itself => "an identity cannot recommend itself",
            Self::NotListened => "such a source is not listened to; see hearsay.listen",
            Self::Withdrawn => "this source was withdrawn; readmit it first",
            Self::NotHolding => "the recommendation holds no longer, or not yet",
            Self::TooSoon => "one recommendation a day about a peer; wait until the last is older",
            Self::Older => "a recommendation as new is known; wait a day",
            Self::Full => "as many recommendations of more weight are kept; wait until some end",
        }
    }
}

/// All that was heard, and from whom.
///
/// A fold over [`HearsayRecord`]s, in which no source depends on another: a prior is computed
/// from the sources when it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hearsay {
    sources: BTreeMap<NodeId, Source>,
    /// Who said something about whom.
    about: BTreeSet<(NodeId, Context, NodeId)>,
    /// Whom the operator withdrew, and since which record.
    withdrawn: BTreeMap<NodeId, u64>,
    /// The interval of the last clean-up.
    swept: u64,
}

/// What is to go before a new opinion is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// Nothing.
    Free,
    /// All of this source.
    Source(NodeId),
    /// What this source says about the same subject.
    Opinion(NodeId),
}

impl Hearsay {
    pub(crate) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.sources.keys().copied()
    }

    pub(crate) fn number_of(&self, source: &NodeId) -> Option<u64> {
        let known = self.sources.get(source).map(|source| source.number);
        known.max(self.withdrawn.get(source).copied())
    }

    /// a_j = initial + B⁺ − B⁻: the score of what is not known about `subject`.
    ///
    /// Never below the minimum for a link: hearsay alone excludes nobody.
    pub(crate) fn prior(
        &self,
        config: &Config,
        (subject, context): (NodeId, Context),
        at: Wall,
    ) -> Fixed {
        if self.about.is_empty() {
            return config.initial;
        }
        self.prior_without(config, (subject, context), at, None)
    }

    fn prior_without(
        &self,
        config: &Config,
        about: (NodeId, Context),
        at: Wall,
        without: Option<NodeId>,
    ) -> Fixed {
        let (mut up, mut down) = (Fixed::ZERO, Fixed::ZERO);
        let mut clusters: BTreeMap<u64, (Fixed, Fixed)> = BTreeMap::new();
        for (id, source, said) in self.opinions(about) {
            if Some(id) == without || !said.holds(at) {
                continue;
            }
            let gain = gain(config, source, said, at);
            let (plus, minus) = match said.value > 0 {
                true => (gain, Fixed::ZERO),
                false => (Fixed::ZERO, gain),
            };
            match source.footing.cluster {
                0 => {
                    up += plus;
                    down += minus;
                }
                // Together they count as the strongest of them.
                cluster => {
                    let most = clusters.entry(cluster).or_default();
                    *most = (most.0.max(plus), most.1.max(minus));
                }
            }
        }
        for (plus, minus) in clusters.into_values() {
            up += plus;
            down += minus;
        }
        let reach = config.hearsay.reach;
        (config.initial + bend(reach, up) - bend(reach, down)).max(config.trust_min)
    }

    /// What is said about a subject, by the id of who says it.
    fn opinions(
        &self,
        (subject, context): (NodeId, Context),
    ) -> impl Iterator<Item = (NodeId, &Source, &Said)> {
        self.said_about((subject, context)).filter_map(move |id| {
            let source = self.sources.get(&id)?;
            let said = source.said.of(&(subject, context))?;
            Some((id, source, said))
        })
    }

    fn said_about(
        &self,
        (subject, context): (NodeId, Context),
    ) -> impl Iterator<Item = NodeId> + '_ {
        let first = NodeId::from_bytes([0; 32]);
        let last = NodeId::from_bytes([0xff; 32]);
        let span = (subject, context, first)..=(subject, context, last);
        self.about.range(span).map(|(_, _, source)| *source)
    }

    /// Whose opinion about a subject experience is still to judge, and its value.
    pub(crate) fn pending(&self, about: (NodeId, Context), at: Wall) -> Vec<(NodeId, i8)> {
        if self.about.is_empty() {
            return Vec::new();
        }
        self.opinions(about)
            .filter(|(_, _, said)| said.pending && said.holds(at))
            .map(|(id, _, said)| (id, said.value))
            .collect()
    }

    /// The subjects a source speaks about.
    pub(crate) fn subjects_of(&self, source: &NodeId) -> Vec<(NodeId, Context)> {
        let said = self.sources.get(source).map(|source| source.said.iter());
        said.into_iter()
            .flatten()
            .map(|(about, _)| *about)
            .collect()
    }

    pub(crate) fn footing(&self, source: &NodeId) -> Option<Footing> {
        self.sources.get(source).map(|source| source.footing)
    }

    /// Whether an opinion is new, and allowed by the source's budget.
    pub(crate) fn admits(
        &self,
        config: &HearsayConfig,
        source: &NodeId,
        opinion: &Opinion,
        at: Wall,
    ) -> Result<(), NotHeard> {
        if *source == opinion.subject {
            return Err(NotHeard::Itself);
        }
        if self.withdrawn.contains_key(source) {
            return Err(NotHeard::Withdrawn);
        }
        let ahead = opinion.issued > at + repute_protocol::limits::FUTURE_MAX;
        if ahead || at >= opinion.expires {
            return Err(NotHeard::NotHolding);
        }
        let known = self.sources.get(source);
        let key = (opinion.subject, opinion.context);
        let Some(known) = known.and_then(|known| known.said.of(&key)) else {
            return Ok(());
        };
        if opinion.issued <= known.issued {
            return Err(NotHeard::Older);
        }
        if opinion.issued.since(known.issued) < config.spacing && !known.is_over(config, at) {
            return Err(NotHeard::TooSoon);
        }
        Ok(())
    }

    /// Whether the source says just as much of this subject at this moment.
    fn repeats(&self, source: &NodeId, opinion: &Opinion, at: Wall) -> bool {
        let known = self.sources.get(source);
        let known = known.and_then(|known| known.said.of(&(opinion.subject, opinion.context)));
        known.is_some_and(|said| {
            said.holds(at) && at < opinion.expires && said.value.abs() == opinion.value.abs()
        })
    }

    /// What must go so that `source` can say this. The weaker gives way to the stronger, never
    /// the other way round, so that a flood of newcomers displaces nobody of standing.
    fn room(
        &self,
        config: &Config,
        limits: &Limits,
        (id, standing): (NodeId, Fixed),
        about: (NodeId, Context),
    ) -> Result<Room, NotHeard> {
        if self.about.contains(&(about.0, about.1, id)) {
            return Ok(Room::Free);
        }
        let weaker = |victim: Option<(Fixed, u64, NodeId)>| match victim {
            Some((least, _, victim)) if least < standing => Ok(victim),
            _ => Err(NotHeard::Full),
        };
        let place = |id: NodeId, source: &Source| (source.standing(config), source.number, id);
        if self.said_about(about).count() >= SAID_PER_SUBJECT_MAX {
            let speakers = self.opinions(about).filter(|(_, one, _)| !one.is_own());
            let least = speakers.map(|(id, one, _)| place(id, one)).min();
            return weaker(least).map(Room::Opinion);
        }
        let sources = self.sources.len() >= limits.sources && !self.sources.contains_key(&id);
        if sources || self.about.len() >= limits.recommendations {
            let others = self.sources.iter();
            let others = others.filter(|(other, one)| **other != id && !one.is_own());
            let least = others.map(|(other, one)| place(*other, one)).min();
            return weaker(least).map(Room::Source);
        }
        Ok(Room::Free)
    }

    /// The fold: nothing else changes what a prior is made of. Says what the source's older rows
    /// are to be replaced with, once there are many.
    pub(crate) fn fold(
        &mut self,
        config: &Config,
        record: &HearsayRecord,
    ) -> Option<HearsayRecord> {
        let (id, at) = (record.source, record.wall);
        match &record.news {
            News::Withdrawn => {
                self.forget(&id);
                self.withdrawn.insert(id, record.number);
                return None;
            }
            News::Carried(CarriedSource(source)) => {
                self.forget(&id);
                let spoken = source.said.iter();
                self.about
                    .extend(spoken.map(|((subject, context), _)| (*subject, *context, id)));
                self.sources.insert(id, source.clone());
                return None;
            }
            _ => {}
        }
        let before = self.subjects_of(&id);
        let source = self.sources.entry(id).or_default();
        source.number = record.number;
        source.rows = source.rows.saturating_add(1);
        match &record.news {
            News::Said {
                opinion,
                pending,
                reason,
                signed,
            } => {
                let said = Said::new(opinion, *pending, reason.clone(), signed.clone());
                let key = (opinion.subject, opinion.context);
                source.say(&config.hearsay, key, said, at);
            }
            News::Stands(footing) => source.footing = *footing,
            News::Judged {
                subject,
                context,
                right,
            } => {
                source.said.settle(&(*subject, *context));
                source.judge(config, at, *right);
            }
            News::Dropped { subject, context } => {
                source.said.remove(&(*subject, *context));
            }
            News::Withdrawn | News::Carried(_) => {}
        }
        let spare = SOURCE_ROWS_SPARE.saturating_add(source.said.len().saturating_mul(2));
        let carried = (source.rows as usize > spare).then(|| {
            source.rows = 1;
            HearsayRecord {
                news: News::Carried(CarriedSource(source.clone())),
                ..record.clone()
            }
        });
        self.reindex(id, before);
        carried
    }

    fn reindex(&mut self, id: NodeId, before: Vec<(NodeId, Context)>) {
        for (subject, context) in before {
            self.about.remove(&(subject, context, id));
        }
        for (subject, context) in self.subjects_of(&id) {
            self.about.insert((subject, context, id));
        }
    }

    /// Removes a source as if it had never been heard.
    pub(crate) fn forget(&mut self, id: &NodeId) {
        for (subject, context) in self.subjects_of(id) {
            self.about.remove(&(subject, context, *id));
        }
        self.sources.remove(id);
    }

    pub(crate) fn is_withdrawn(&self, id: &NodeId) -> bool {
        self.withdrawn.contains_key(id)
    }

    /// Listens to a withdrawn source again; false if it was not withdrawn.
    pub(crate) fn readmit(&mut self, id: &NodeId) -> bool {
        self.withdrawn.remove(id).is_some()
    }

    /// The withdrawn source that makes room for another, if there are too many.
    fn oldest_withdrawn(&self, max: usize) -> Option<NodeId> {
        let full = self.withdrawn.len() >= max;
        let oldest = self.withdrawn.iter().min_by_key(|(_, number)| **number);
        oldest.filter(|_| full).map(|(id, _)| *id)
    }

    /// Forgets what is over, once an interval; gives the sources of which nothing is left. No
    /// prior depends on it, so it is not recorded.
    pub(crate) fn sweep(&mut self, config: &Config, at: Wall) -> Vec<NodeId> {
        let interval = interval_of(config, at);
        if interval <= self.swept {
            return Vec::new();
        }
        self.swept = interval;
        let mut over = Vec::new();
        for (id, source) in &mut self.sources {
            let gone = source.said.sweep(|said| said.is_over(&config.hearsay, at));
            let gone = gone.into_iter();
            over.extend(gone.map(|(subject, context)| (subject, context, *id)));
        }
        for gone in over {
            self.about.remove(&gone);
        }
        let faded = self.sources.iter();
        let faded = faded.filter(|(_, source)| source.is_faded(config, at));
        let faded: Vec<NodeId> = faded.map(|(id, _)| *id).collect();
        for id in &faded {
            self.sources.remove(id);
        }
        faded
    }
}

/// g_ij = 0.1 · |v_ij| · T_i · m_i.
fn gain(config: &Config, source: &Source, said: &Said, at: Wall) -> Fixed {
    let hearsay = &config.hearsay;
    if !source.is_own() && !hearsay.listen.holds(source.footing.class) {
        return Fixed::ZERO;
    }
    let by = source.trust(config, at).mul(source.weight(config, at));
    hearsay.step.mul(said.size()).mul(by)
}

/// B = β·(1 − exp(−sum/β)). The exponential is computed by `libm`, in software and so the same on
/// every machine, then rounded to fixed point.
fn bend(reach: Fixed, sum: Fixed) -> Fixed {
    if reach == Fixed::ZERO || sum == Fixed::ZERO {
        return Fixed::ZERO;
    }
    let left = libm::exp(-sum.to_f64() / reach.to_f64());
    Fixed::from_f64(reach.to_f64() * (1.0 - left)).min(reach)
}
