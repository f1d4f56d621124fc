//! Metrics, scores by model, selection, past and totals, as the API shows and takes them.

use std::collections::BTreeMap;

use repute_base::{Fixed, Wall};
use repute_node::{
    Scored,
    trust::{
        Assessment, Component, History, Metrics, Ranked, Refused, Resolution, Selection, Summary,
        Tally, composite_score,
    },
};
use serde::{Deserialize, Serialize};

use crate::{time::rfc3339, view::shown};

/// Which peers to list, in which order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PeersQuery {
    /// Levels, with commas between; empty: all.
    #[serde(default)]
    pub level: String,
    /// The least share of probes answered, 0 to 1.
    pub min_uptime: Option<f64>,
    /// Whether encrypted transfers must be supported, or must not be known to be.
    pub encrypted: Option<bool>,
    /// `score`, `interactions` or `last-seen`; empty: active first, then by trust.
    #[serde(default)]
    pub sort: String,
    /// How ids begin.
    #[serde(default)]
    pub search: String,
    /// How many to pass over.
    #[serde(default)]
    pub offset: usize,
    /// How many at most.
    pub limit: Option<usize>,
}

/// Good and bad, as they count today.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TallyView {
    /// What went well.
    pub ok: f64,
    /// What did not.
    pub failed: f64,
}

/// What was observed of a peer, as it counts today.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsView {
    /// Whose.
    pub id: String,
    /// Things done together, ever.
    pub interactions: u64,
    /// When it was first seen, if ever.
    pub first_seen: Option<String>,
    /// When it was last seen, if ever.
    pub last_seen: Option<String>,
    /// Useful messages and answers.
    pub useful: f64,
    /// Broken rules.
    pub invalid: f64,
    /// Answers that did not come.
    pub timeouts: f64,
    /// Transfers.
    pub transfers: TallyView,
    /// Mean latency, in ms; absent without a measurement.
    pub latency_ms: Option<f64>,
    /// Mean bandwidth from the peer, in KiB/s.
    pub download_kib_s: Option<f64>,
    /// Mean bandwidth to the peer, in KiB/s.
    pub upload_kib_s: Option<f64>,
    /// The share of probes answered, with the prior.
    pub uptime: f64,
    /// Probes of the last 30 days.
    pub probes: f64,
    /// Signing: completed, and failures by weight.
    pub signing: TallyView,
    /// Fresh penalties of signing, in points.
    pub penalties: f64,
    /// Circuits through the peer.
    pub circuits: TallyView,
    /// Reservations with the peer.
    pub reservations: TallyView,
    /// MiB relayed, by receipts of both ends.
    pub relayed_mib: f64,
    /// The application's own tallies.
    pub custom: [TallyView; 4],
    /// The standard deviation of trust over the last 30 hours or so.
    pub deviation: f64,
    /// The transfer composite.
    pub composite: f64,
}

/// The metrics of all peers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricsList {
    /// By id.
    pub peers: Vec<MetricsView>,
}

/// One part of a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComponentView {
    /// What it is.
    pub name: String,
    /// What it came to.
    pub value: f64,
    /// The most it contributes.
    pub weight: f64,
}

/// A score by a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreView {
    /// Whose.
    pub id: String,
    /// By which model.
    pub model: String,
    /// The score.
    pub score: f64,
    /// The highest score of the model.
    pub score_max: f64,
    /// The pessimistic score, for high stakes.
    pub cautious: f64,
    /// What the score is made of.
    pub components: Vec<ComponentView>,
}

/// Asks for the best of some candidates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestRequest {
    /// By which model.
    pub model: String,
    /// How many must pass the gates.
    #[serde(default)]
    pub required: usize,
    /// How many are wanted at most.
    pub count: Option<usize>,
    /// Among whom; empty: all known peers.
    #[serde(default)]
    pub ids: Vec<String>,
    /// Pessimistic estimates, and nobody tried out.
    #[serde(default)]
    pub high_stakes: bool,
    /// Only those known to take encrypted transfers.
    #[serde(default)]
    pub encrypted: bool,
    /// Of a hundred places, how many go to unknown peers.
    #[serde(default)]
    pub explore_percent: u8,
    /// Equal seeds choose alike.
    #[serde(default)]
    pub seed: u64,
}

/// Who was chosen, and who was not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionView {
    /// By which model.
    pub model: String,
    /// Best first.
    pub chosen: Vec<RankedView>,
    /// Who passed no gate.
    pub refused: Vec<RefusedView>,
}

/// One of the chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedView {
    /// From 1.
    pub place: usize,
    /// Who.
    pub id: String,
    /// Its score.
    pub score: f64,
    /// Its level.
    pub level: String,
    /// `known`, `unknown` or `explored`.
    pub reason: String,
    /// What the score is made of.
    pub components: Vec<ComponentView>,
}

/// Somebody who passed no gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedView {
    /// Who.
    pub id: String,
    /// `gate`, `distrusted`, `encryption` or `score`.
    pub obstacle: String,
}

/// The past of a peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryView {
    /// Whose.
    pub id: String,
    /// `rising`, `steady` or `falling`, over a week.
    pub trend: String,
    /// By how much.
    pub change: f64,
    /// Trust by the hour, oldest first.
    pub hours: Vec<PointView>,
    /// By the day.
    pub days: Vec<PointView>,
    /// By the week.
    pub weeks: Vec<PointView>,
    /// The last hundred interactions, oldest first.
    pub interactions: Vec<InteractionView>,
    /// The last changes of level, oldest first.
    pub changes: Vec<LevelChangeView>,
}

/// Trust in an hour, a day or a week.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointView {
    /// When it began.
    pub time: String,
    /// Trust at its end.
    pub trust: f64,
    /// The lowest trust in it.
    pub lowest: f64,
}

/// Something done with a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InteractionView {
    /// When.
    pub time: String,
    /// What.
    pub event: String,
    /// Whether it went well.
    pub good: bool,
    /// Whose fault it was, if it did not.
    pub fault: String,
}

/// A change of level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelChangeView {
    /// When.
    pub time: String,
    /// The level before.
    pub from: String,
    /// The level after.
    pub to: String,
}

/// Whoever is known, at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatsView {
    /// Peers in all.
    pub total: usize,
    /// How many of each level.
    pub levels: BTreeMap<String, usize>,
    /// Peers kept out.
    pub closed: usize,
    /// Mean trust of all but the unknown; `null` without any.
    pub mean_known: Option<f64>,
    /// Mean trust of all; `null` without any.
    pub mean: Option<f64>,
    /// Things done together, with all of them.
    pub interactions: u64,
    /// The best of the known.
    pub top: Vec<TopView>,
}

/// A top performer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopView {
    /// Who.
    pub id: String,
    /// How far it is trusted.
    pub trust: f64,
}

impl From<&Tally> for TallyView {
    fn from(tally: &Tally) -> Self {
        Self {
            ok: shown(tally.ok),
            failed: shown(tally.failed),
        }
    }
}

impl MetricsView {
    pub(crate) fn new(id: String, metrics: &Metrics) -> Self {
        let seen = |wall: Wall| (wall > Wall::ZERO).then(|| rfc3339(wall));
        let mean =
            |mean: repute_node::trust::Mean| (mean.count > Fixed::ZERO).then(|| shown(mean.value));
        let signing = Tally {
            ok: metrics.signing.completed,
            failed: metrics.signing.failures(),
        };
        Self {
            id,
            interactions: metrics.interactions,
            first_seen: seen(metrics.first_seen),
            last_seen: seen(metrics.last_seen),
            useful: shown(metrics.useful),
            invalid: shown(metrics.invalid),
            timeouts: shown(metrics.timeouts),
            transfers: (&metrics.transfers).into(),
            latency_ms: mean(metrics.latency),
            download_kib_s: mean(metrics.download),
            upload_kib_s: mean(metrics.upload),
            uptime: shown(metrics.uptime.share()),
            probes: shown(metrics.uptime.tally().all()),
            signing: (&signing).into(),
            penalties: shown(metrics.signing.pool),
            circuits: (&metrics.relay.circuits).into(),
            reservations: (&metrics.relay.reservations).into(),
            relayed_mib: shown(metrics.relay.mib),
            custom: metrics.custom.map(|tally| (&tally).into()),
            deviation: shown(metrics.steadiness.deviation()),
            composite: shown(composite_score(metrics)),
        }
    }
}

fn components(components: &[Component]) -> Vec<ComponentView> {
    let view = |component: &Component| ComponentView {
        name: component.name.into(),
        value: shown(component.value),
        weight: shown(component.weight),
    };
    components.iter().map(view).collect()
}

impl ScoreView {
    pub(crate) fn new(id: String, scored: &Scored) -> Self {
        let Assessment {
            score,
            components: parts,
            ..
        } = &scored.ordinary;
        Self {
            id,
            model: scored.model.into(),
            score: shown(*score),
            score_max: shown(scored.score_max),
            cautious: shown(scored.cautious.score),
            components: components(parts),
        }
    }
}

impl SelectionView {
    pub(crate) fn new(model: String, selection: &Selection) -> Self {
        let ranked = |ranked: &Ranked| RankedView {
            place: ranked.place,
            id: ranked.id.to_string(),
            score: shown(ranked.score),
            level: ranked.level.name().into(),
            reason: ranked.reason.name().into(),
            components: components(&ranked.components),
        };
        let refused = |refused: &Refused| RefusedView {
            id: refused.id.to_string(),
            obstacle: refused.obstacle.name().into(),
        };
        Self {
            model,
            chosen: selection.chosen.iter().map(ranked).collect(),
            refused: selection.refused.iter().map(refused).collect(),
        }
    }
}

impl HistoryView {
    pub(crate) fn new(id: String, history: &History) -> Self {
        let points = |resolution| -> Vec<PointView> {
            let points = history.scores(resolution).map(|point| PointView {
                time: rfc3339(point.wall),
                trust: shown(point.trust),
                lowest: shown(point.lowest),
            });
            points.collect()
        };
        let trend = history.trend();
        Self {
            id,
            trend: trend.direction.name().into(),
            change: shown(trend.change),
            hours: points(Resolution::Hour),
            days: points(Resolution::Day),
            weeks: points(Resolution::Week),
            interactions: history
                .interactions()
                .map(|one| InteractionView {
                    time: rfc3339(one.wall()),
                    event: one.name().into(),
                    good: one.is_good(),
                    fault: one.fault().name().into(),
                })
                .collect(),
            changes: history
                .changes()
                .map(|change| LevelChangeView {
                    time: rfc3339(change.wall),
                    from: change.from.name().into(),
                    to: change.to.name().into(),
                })
                .collect(),
        }
    }
}

impl From<Summary> for StatsView {
    fn from(summary: Summary) -> Self {
        let levels = summary.levels.iter();
        Self {
            total: summary.total,
            levels: levels
                .map(|(level, count)| (level.name().to_owned(), *count))
                .collect(),
            closed: summary.closed,
            mean_known: summary.mean_known.map(shown),
            mean: summary.mean.map(shown),
            interactions: summary.interactions,
            top: summary
                .top
                .iter()
                .map(|(id, trust)| TopView {
                    id: id.to_string(),
                    trust: shown(*trust),
                })
                .collect(),
        }
    }
}
