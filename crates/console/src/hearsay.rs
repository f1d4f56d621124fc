//! Recommendations, as the API shows and takes them.

use repute_node::trust::{Influence, SourceView};
use serde::{Deserialize, Serialize};

use crate::{time::rfc3339, view::shown};

/// A recommendation of the operator, or a complaint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecommendRequest {
    /// About whom.
    pub id: String,
    /// From −1 (warn) to 1 (recommend).
    pub value: f64,
    /// Why, for people; it stays on this node.
    #[serde(default)]
    pub reason: String,
}

/// One recommendation, and what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecommendationView {
    /// Who says it.
    pub source: String,
    /// About whom.
    pub subject: String,
    /// As what the subject is judged.
    pub context: String,
    /// From −1 to 1.
    pub value: f64,
    /// What it weighs: 0.1 · |value| · trust in the source · weight of the source.
    pub strength: f64,
    /// How much it moves the trust in a stranger; what withdrawing the source takes back.
    pub moves: f64,
    /// When it was given.
    pub issued: String,
    /// Until when it holds.
    pub expires: String,
    /// Whether experience is still to judge it.
    pub pending: bool,
    /// Whether it is this node's own.
    pub own: bool,
    /// The operator's reason, if it is this node's own.
    pub reason: String,
}

impl From<Influence> for RecommendationView {
    fn from(one: Influence) -> Self {
        Self {
            source: one.source.to_string(),
            subject: one.opinion.subject.to_string(),
            context: one.opinion.context.name().into(),
            value: f64::from(one.opinion.value) / 100.0,
            strength: shown(one.strength),
            moves: shown(one.moves),
            issued: rfc3339(one.opinion.issued),
            expires: rfc3339(one.opinion.expires),
            pending: one.pending,
            own: one.own,
            reason: one.reason.as_str().into(),
        }
    }
}

/// One source of recommendations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrustSource {
    /// Who.
    pub id: String,
    /// Whether it is this node itself.
    pub own: bool,
    /// Whether it was withdrawn; then nothing else is known of it.
    pub withdrawn: bool,
    /// Identity class, 0 to 2.
    pub class: u8,
    /// Global rank in averages.
    pub rank: f64,
    /// How far its recommendations are trusted, 0 to 1.
    pub trust: f64,
    /// What class, rank and budget make of its word, 0 to 1.
    pub weight: f64,
    /// How much it says in all.
    pub out: f64,
    /// How often experience found it right.
    pub right: u32,
    /// How often experience found it wrong.
    pub wrong: u32,
    /// What it says, and what that moves.
    pub recommendations: Vec<RecommendationView>,
}

impl From<SourceView> for TrustSource {
    fn from(view: SourceView) -> Self {
        Self {
            id: view.source.to_string(),
            own: view.own,
            withdrawn: view.withdrawn,
            class: view.footing.class,
            rank: shown(view.footing.rank),
            trust: shown(view.trust),
            weight: shown(view.weight),
            out: shown(view.out),
            right: view.right,
            wrong: view.wrong,
            recommendations: view.influences.into_iter().map(Into::into).collect(),
        }
    }
}

/// Every source of recommendations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrustSources {
    /// By id.
    pub sources: Vec<TrustSource>,
}
