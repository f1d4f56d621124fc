//! How recommendations enter the ledger, and what follows from them.

use alloc::vec::Vec;

use repute_base::{BoundedBytes, BoundedString, Fixed, Wall};
use repute_identity::NodeId;
use repute_protocol::limits::RECOMMENDATION_MAX;

use super::{
    Footing, Hearsay, HearsayRecord, Influence, News, NotHeard, Opinion, Room, SourceView,
    source::Source,
};
use crate::{Context, Event, Ledger, Output, Standing, Write};

/// What only an opinion of this node's own has: the operator's reason, and the signed envelope.
pub(crate) type OwnWords = (BoundedString<128>, BoundedBytes<RECOMMENDATION_MAX>);

impl Ledger {
    /// Folds one stored record of what was heard, oldest first. One that is not newer than the
    /// last of its source is ignored.
    pub fn restore_hearsay(&mut self, record: &HearsayRecord) {
        let known = self.hearsay.number_of(&record.source);
        if known.is_some_and(|known| record.number <= known) {
            return;
        }
        self.number = self.number.max(record.number);
        self.clock.restore(record.wall);
        // What was compacted once more is written at the next change.
        let _compacted = self.hearsay.fold(&self.config, record);
    }

    /// Whether a recommendation would be taken now, and why not. The node asks before it signs
    /// one of its own, and before it checks the signature of another's.
    ///
    /// # Errors
    /// [`NotHeard`], with the reason.
    pub fn would_hear(
        &self,
        source: NodeId,
        opinion: &Opinion,
        footing: Option<Footing>,
        wall: Wall,
    ) -> Result<(), NotHeard> {
        self.admit(self.time(wall), source, opinion, footing)
            .map(drop)
    }

    /// Who moves whom, and by how much: every source of recommendations, by id.
    pub fn sources(&self, wall: Wall) -> Vec<SourceView> {
        self.hearsay.views(&self.config, self.time(wall))
    }

    /// The prior of a subject, folded afresh from stored records, oldest first: what
    /// [`prior_of`](Self::prior_of) says, to the last bit, if all of them are there.
    pub fn recomputed_prior(&self, heard: &[HearsayRecord], subject: NodeId, wall: Wall) -> Fixed {
        let mut fresh = Hearsay::default();
        for record in heard {
            let known = fresh.number_of(&record.source);
            if known.is_none_or(|known| record.number > known) {
                fresh.fold(&self.config, record);
            }
        }
        let about = (subject, Context::Network);
        fresh.prior(&self.config, about, self.time(wall))
    }

    /// Whose recommendations are kept, by id.
    pub fn source_ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.hearsay.ids()
    }

    /// Which recommendations move the prior of a subject, the strongest first.
    pub fn influences(&self, subject: NodeId, context: Context, wall: Wall) -> Vec<Influence> {
        let at = self.time(wall);
        self.hearsay
            .influences(&self.config, (subject, context), at)
    }

    /// The score of what is not known about a subject: `initial`, moved by recommendations.
    pub fn prior_of(&self, subject: NodeId, context: Context, wall: Wall) -> Fixed {
        let at = self.time(wall);
        self.hearsay.prior(&self.config, (subject, context), at)
    }

    /// This node's own recommendations that hold, signed, the newest first.
    pub fn own_recommendations(
        &self,
        wall: Wall,
    ) -> Vec<(Opinion, BoundedBytes<RECOMMENDATION_MAX>)> {
        self.hearsay.own(self.time(wall))
    }

    /// Whether an opinion is taken, and what has to go for it. No footing: it is our own.
    fn admit(
        &self,
        time: Wall,
        source: NodeId,
        opinion: &Opinion,
        footing: Option<Footing>,
    ) -> Result<Room, NotHeard> {
        let config = &self.config.hearsay;
        let probe = Source {
            footing: footing.unwrap_or(OWN),
            ..Source::default()
        };
        if let Some(footing) = footing {
            let weightless = config.class_weight(footing.class) == Fixed::ZERO;
            if !config.listen.holds(footing.class) || weightless {
                return Err(NotHeard::NotListened);
            }
        }
        self.hearsay.admits(config, &source, opinion, time)?;
        let standing = probe.standing(&self.config);
        let about = (opinion.subject, opinion.context);
        self.hearsay
            .room(&self.config, &self.limits, (source, standing), about)
    }

    /// A recommendation whose signature holds. What is not taken changes nothing.
    pub(crate) fn hear(
        &mut self,
        time: Wall,
        source: NodeId,
        mut opinion: Opinion,
        footing: Option<Footing>,
        own: Option<OwnWords>,
    ) {
        let lifetime = self.config.hearsay.lifetime_max;
        opinion.value = opinion.value.clamp(-100, 100);
        opinion.issued = opinion.issued.min(time);
        opinion.expires = opinion.expires.min(opinion.issued + lifetime);
        let Ok(room) = self.admit(time, source, &opinion, footing) else {
            return;
        };
        let subject = opinion.subject;
        let about = (subject, opinion.context);
        let mut touched = match room {
            Room::Source(victim) => self.hearsay.subjects_of(&victim),
            _ => Vec::new(),
        };
        let footing = footing.unwrap_or(OWN);
        let known = self.hearsay.footing(&source);
        // Said again, it changes nothing of how much the source says in all, nor of its weight on
        // the others.
        if known != Some(footing) || !self.hearsay.repeats(&source, &opinion, time) {
            touched.extend(self.hearsay.subjects_of(&source));
        }
        touched.push(about);
        let before = self.standings(&touched, time);
        match room {
            Room::Free => {}
            Room::Source(victim) => self.lose(victim),
            Room::Opinion(victim) => {
                let (subject, context) = about;
                self.log(time, victim, News::Dropped { subject, context });
            }
        }
        if known != Some(footing) {
            self.log(time, source, News::Stands(footing));
        }
        let (reason, signed) = own.unwrap_or_default();
        let pending = self.is_unknown(subject, time);
        let value = opinion.value;
        self.log(
            time,
            source,
            News::Said {
                opinion,
                pending,
                reason,
                signed,
            },
        );
        self.announce_all(before, time);
        self.outputs.push_back(Output::Event(Event::Recommended {
            source,
            subject,
            value,
        }));
    }

    /// What a source is worth changed. Ignored for one that was never heard.
    pub(crate) fn stands(&mut self, time: Wall, source: NodeId, footing: Footing) {
        let known = self.hearsay.footing(&source);
        if known.is_none_or(|known| known == footing) {
            return;
        }
        let before = self.standings(&self.hearsay.subjects_of(&source), time);
        self.log(time, source, News::Stands(footing));
        self.announce_all(before, time);
    }

    /// The operator takes a source out, as if it had never been heard, and keeps it out.
    pub(crate) fn withdraw(&mut self, time: Wall, source: NodeId) {
        if self.hearsay.is_withdrawn(&source) {
            return;
        }
        if let Some(oldest) = self.hearsay.oldest_withdrawn(self.limits.sources) {
            self.readmit(oldest);
        }
        let before = self.standings(&self.hearsay.subjects_of(&source), time);
        self.persist(Write::ForgetSource(source));
        self.log(time, source, News::Withdrawn);
        self.announce_all(before, time);
        self.outputs
            .push_back(Output::Event(Event::SourceWithdrawn { source }));
    }

    /// The operator listens to a withdrawn source again; what it said before stays forgotten.
    pub(crate) fn readmit(&mut self, source: NodeId) {
        if self.hearsay.readmit(&source) {
            self.persist(Write::ForgetSource(source));
        }
    }

    /// Experience with a subject may now judge what was said about it.
    pub(crate) fn judge(&mut self, time: Wall, subject: NodeId, context: Context) {
        let about = (subject, context);
        let pending = self.hearsay.pending(about, time);
        if pending.is_empty() || self.is_unknown(subject, time) {
            return;
        }
        // Without anybody's recommendation, or the loudest would confirm themselves.
        let trust = self.own_estimate(subject, time).trust;
        let seen = trust + trust - Fixed::ONE;
        for (source, value) in pending {
            let said = Fixed::ratio(i64::from(value), 100);
            let right = (said - seen).abs() < self.config.hearsay.tolerance;
            self.log(
                time,
                source,
                News::Judged {
                    subject,
                    context,
                    right,
                },
            );
        }
    }

    /// Forgets what is over.
    pub(crate) fn sweep_hearsay(&mut self, time: Wall) {
        for gone in self.hearsay.sweep(&self.config, time) {
            self.persist(Write::ForgetSource(gone));
        }
    }

    fn lose(&mut self, source: NodeId) {
        self.hearsay.forget(&source);
        self.persist(Write::ForgetSource(source));
    }

    fn is_unknown(&self, subject: NodeId, time: Wall) -> bool {
        self.own_estimate(subject, time).uncertainty >= self.config.hearsay.judged_below
    }

    /// What own experience alone says.
    fn own_estimate(&self, subject: NodeId, time: Wall) -> crate::score::Estimate {
        let interval = crate::score::interval_of(&self.config, time);
        let score = self.state(&subject).score.at(&self.config, interval);
        score.estimate(&self.config, self.config.initial)
    }

    fn log(&mut self, wall: Wall, source: NodeId, news: News) {
        self.number = self.number.saturating_add(1);
        let record = HearsayRecord {
            number: self.number,
            source,
            wall,
            news,
        };
        let carried = self.hearsay.fold(&self.config, &record);
        self.persist(Write::Heard(record));
        if let Some(carried) = carried {
            self.persist(Write::SourceCheckpoint(carried));
        }
    }

    fn standings(&self, touched: &[(NodeId, Context)], time: Wall) -> Vec<(NodeId, Standing)> {
        let subjects = touched.iter().filter(|(_, c)| *c == Context::Network);
        let mut subjects: Vec<NodeId> = subjects.map(|(subject, _)| *subject).collect();
        subjects.sort_unstable();
        subjects.dedup();
        let standing = |subject| (subject, self.standing_at(subject, time));
        subjects.into_iter().map(standing).collect()
    }

    fn announce_all(&mut self, before: Vec<(NodeId, Standing)>, time: Wall) {
        for (subject, before) in before {
            self.announce(subject, time, before, None);
        }
    }
}

/// The operator's own word: as much as one recommender can have, and no more.
const OWN: Footing = Footing {
    class: 2,
    rank: Fixed::ONE,
    cluster: 0,
};

/// A rank of 2⁻⁵² units among so many ranked peers, in averages: N·t.
pub fn rank_in_averages(rank_52: u64, ranked: u64) -> Fixed {
    let wide = (u128::from(rank_52) * u128::from(ranked)) >> (52 - Fixed::FRACTION_BITS);
    Fixed::from_raw(i64::try_from(wide).unwrap_or(i64::MAX))
}
