use alloc::boxed::Box;

use repute_base::{BoundedBytes, BoundedString, Fixed, Wall};
use repute_identity::NodeId;
use repute_protocol::limits::RECOMMENDATION_MAX;

use super::{Footing, HearsayConfig, Opinion, sayings::Sayings};
use crate::{
    Config, Context,
    limits::SAID_PER_SOURCE_MAX,
    score::{Score, interval_of},
};

/// The texts that only an opinion of this node's own has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpinionOf {
    pub(crate) reason: BoundedString<128>,
    pub(crate) signed: BoundedBytes<RECOMMENDATION_MAX>,
}

/// An opinion, as its source keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) value: i8,
    pub(crate) receipt: Option<[u8; 32]>,
    pub(crate) issued: Wall,
    pub(crate) expires: Wall,
    /// Whether experience is still to judge it.
    pub(crate) pending: bool,
    pub(crate) own: Option<Box<OpinionOf>>,
}

impl Said {
    pub(crate) fn new(
        opinion: &Opinion,
        pending: bool,
        reason: BoundedString<128>,
        signed: BoundedBytes<RECOMMENDATION_MAX>,
    ) -> Self {
        let own = OpinionOf { reason, signed };
        Self {
            value: opinion.value,
            receipt: opinion.receipt,
            issued: opinion.issued,
            expires: opinion.expires,
            pending,
            own: (own != OpinionOf::default()).then(|| Box::new(own)),
        }
    }

    pub(crate) fn opinion(&self, subject: NodeId, context: Context) -> Opinion {
        Opinion {
            subject,
            context,
            value: self.value,
            receipt: self.receipt,
            issued: self.issued,
            expires: self.expires,
        }
    }

    pub(crate) fn holds(&self, at: Wall) -> bool {
        at < self.expires
    }

    /// Whether nothing depends on it any more: it expired, and the next may come.
    pub(crate) fn is_over(&self, config: &HearsayConfig, at: Wall) -> bool {
        !self.holds(at) && at >= self.issued + config.spacing
    }

    /// |v|, from 0 to 1.
    pub(crate) fn size(&self) -> Fixed {
        Fixed::ratio(i64::from(self.value).abs(), 100)
    }
}

/// One recommender: how often it was right, what it is worth, and what it said.
///
/// Nothing in here depends on another source, so that removing one leaves the others as if it had
/// never been heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// Its score in the context Recommend: `useful` of what was right, `hard` of what was wrong.
    pub(crate) score: Score,
    pub(crate) footing: Footing,
    pub(crate) said: Sayings,
    pub(crate) right: u32,
    pub(crate) wrong: u32,
    /// The number of the last record.
    pub(crate) number: u64,
    /// Records in the store.
    pub(crate) rows: u32,
}

impl Source {
    /// Whether it is this node itself.
    pub(crate) fn is_own(&self) -> bool {
        self.said.has_own()
    }

    /// T_i = b + 0.5·u in the context Recommend.
    pub(crate) fn trust(&self, config: &Config, at: Wall) -> Fixed {
        let score = self.score.at(config, interval_of(config, at));
        score.estimate(config, Fixed::HALF).trust
    }

    /// out_i: the sum of |v| over what holds.
    pub(crate) fn out(&self, at: Wall) -> Fixed {
        self.said.sum(at)
    }

    /// m_i = κ_i · min(1, N·t_i · min(1, 5/out_i)).
    pub(crate) fn weight(&self, config: &Config, at: Wall) -> Fixed {
        let full = Fixed::from_int(i64::from(config.hearsay.subjects_full));
        let out = self.out(at);
        let share = match out > full {
            true => full.div(out),
            false => Fixed::ONE,
        };
        let rank = self.footing.rank.max(Fixed::ZERO);
        let kappa = config.hearsay.class_weight(self.footing.class);
        kappa.mul(rank.mul(share).min(Fixed::ONE))
    }

    /// What orders sources when there are too many: class and rank alone, which no amount of
    /// talking changes.
    pub(crate) fn standing(&self, config: &Config) -> Fixed {
        let rank = self.footing.rank.clamp(Fixed::ZERO, Fixed::ONE);
        config.hearsay.class_weight(self.footing.class).mul(rank)
    }

    /// Experience judged one opinion.
    pub(crate) fn judge(&mut self, config: &Config, at: Wall, right: bool) {
        self.score = self.score.at(config, interval_of(config, at));
        if right {
            self.right = self.right.saturating_add(1);
            self.score.useful += Fixed::ONE;
        } else {
            self.wrong = self.wrong.saturating_add(1);
            self.score.hard += config.hearsay.wrong_weight;
        }
    }

    /// Takes an opinion in. Gives the subject that had to go for it, if there were too many.
    pub(crate) fn say(
        &mut self,
        config: &HearsayConfig,
        key: (NodeId, Context),
        said: Said,
        at: Wall,
    ) -> Option<(NodeId, Context)> {
        self.said.sweep(|said| said.is_over(config, at));
        let full = self.said.len() >= SAID_PER_SOURCE_MAX && self.said.of(&key).is_none();
        let oldest = self
            .said
            .iter()
            .min_by_key(|(key, said)| (said.issued, **key));
        let gone = oldest.filter(|_| full).map(|(key, _)| *key);
        if let Some(gone) = gone {
            self.said.remove(&gone);
        }
        self.said.insert(key, said);
        gone
    }

    /// Whether nothing is left of it: what it said is over, and what was right or wrong faded.
    pub(crate) fn is_faded(&self, config: &Config, at: Wall) -> bool {
        let score = self.score.at(config, interval_of(config, at));
        score.useful < Fixed::ONE
            && score.hard < Fixed::ONE
            && self
                .said
                .iter()
                .all(|(_, said)| said.is_over(&config.hearsay, at))
    }
}
