use alloc::vec::Vec;

use repute_base::{BoundedBytes, BoundedString, Fixed, Wall};
use repute_identity::NodeId;
use repute_protocol::limits::RECOMMENDATION_MAX;

use super::{Footing, Hearsay, Opinion, gain};
use crate::{Config, Context};

/// One opinion, and what it does to a prior now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Influence {
    /// Who says it.
    pub source: NodeId,
    /// What.
    pub opinion: Opinion,
    /// Its strength before the bend: 0.1 · |v| · T_i · m_i.
    pub strength: Fixed,
    /// How much the prior would change if its source were withdrawn, with the sign turned: above
    /// zero where it lifts, below where it lowers.
    pub moves: Fixed,
    /// Whether experience is still to judge it.
    pub pending: bool,
    /// The operator's reason, if it is this node's own.
    pub reason: BoundedString<128>,
    /// Whether it is this node's own.
    pub own: bool,
}

/// One source: what it is worth, and whom it moves by how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// Who.
    pub source: NodeId,
    /// Whether it is this node itself.
    pub own: bool,
    /// Whether the operator withdrew it; then there is nothing else.
    pub withdrawn: bool,
    /// Class, rank and cluster.
    pub footing: Footing,
    /// T_i, how far its recommendations are trusted.
    pub trust: Fixed,
    /// m_i, what class, rank and budget make of it.
    pub weight: Fixed,
    /// out_i, how much it says in all.
    pub out: Fixed,
    /// Recommendations that experience found right.
    pub right: u32,
    /// Recommendations that experience found wrong.
    pub wrong: u32,
    /// What it says and what that does, by subject.
    pub influences: Vec<Influence>,
}

impl Hearsay {
    /// What moves the prior of a subject, the strongest first.
    pub(crate) fn influences(
        &self,
        config: &Config,
        about: (NodeId, Context),
        at: Wall,
    ) -> Vec<Influence> {
        let prior = self.prior(config, about, at);
        let holding = self.opinions(about).filter(|(_, _, said)| said.holds(at));
        let mut lines: Vec<Influence> = holding
            .map(|(id, source, said)| Influence {
                source: id,
                opinion: said.opinion(about.0, about.1),
                strength: gain(config, source, said, at),
                moves: prior - self.prior_without(config, about, at, Some(id)),
                pending: said.pending,
                reason: said
                    .own
                    .as_ref()
                    .map(|own| own.reason.clone())
                    .unwrap_or_default(),
                own: source.is_own(),
            })
            .collect();
        lines.sort_by(|a, b| b.strength.cmp(&a.strength).then(a.source.cmp(&b.source)));
        lines
    }

    /// Every source, by id.
    pub(crate) fn views(&self, config: &Config, at: Wall) -> Vec<SourceView> {
        let known = self.sources.iter().map(|(id, source)| {
            let subjects = source.said.iter().filter(|(_, said)| said.holds(at));
            let influences = subjects.map(|((subject, context), said)| {
                let about = (*subject, *context);
                let without = self.prior_without(config, about, at, Some(*id));
                Influence {
                    source: *id,
                    opinion: said.opinion(*subject, *context),
                    strength: gain(config, source, said, at),
                    moves: self.prior(config, about, at) - without,
                    pending: said.pending,
                    reason: said
                        .own
                        .as_ref()
                        .map(|own| own.reason.clone())
                        .unwrap_or_default(),
                    own: source.is_own(),
                }
            });
            SourceView {
                source: *id,
                own: source.is_own(),
                withdrawn: false,
                footing: source.footing,
                trust: source.trust(config, at),
                weight: source.weight(config, at),
                out: source.out(at),
                right: source.right,
                wrong: source.wrong,
                influences: influences.collect(),
            }
        });
        let withdrawn = self.withdrawn.keys().map(|id| SourceView {
            source: *id,
            own: false,
            withdrawn: true,
            footing: Footing::default(),
            trust: Fixed::ZERO,
            weight: Fixed::ZERO,
            out: Fixed::ZERO,
            right: 0,
            wrong: 0,
            influences: Vec::new(),
        });
        let mut views: Vec<SourceView> = known.chain(withdrawn).collect();
        views.sort_by_key(|view| view.source);
        views
    }

    /// This node's own opinions that hold, signed, the newest first.
    pub(crate) fn own(&self, at: Wall) -> Vec<(Opinion, BoundedBytes<RECOMMENDATION_MAX>)> {
        let own = self.sources.values().filter(|source| source.is_own());
        let mut signed: Vec<_> = own
            .flat_map(|source| source.said.iter())
            .filter(|(_, said)| said.holds(at))
            .filter_map(|((subject, context), said)| {
                let own = said.own.as_ref()?;
                Some((said.opinion(*subject, *context), own.signed.clone()))
            })
            .collect();
        signed.sort_by_key(|(opinion, _)| core::cmp::Reverse((opinion.issued, opinion.subject)));
        signed
    }
}
