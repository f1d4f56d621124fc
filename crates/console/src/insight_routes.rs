//! The endpoints of metrics, scores by model, selection, past and totals.

use axum::{
    Json, Router,
    extract::{
        Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    routing::{get, post},
};
use serde::Deserialize;

use crate::{
    BestRequest, Control, HistoryView, MetricsList, MetricsView, Peers, PeersQuery, ScoreView,
    SelectionView, StatsView,
    routes::{Answer, Id, body, query, segment},
};

pub(crate) fn routes<C: Control>() -> Router<C> {
    Router::new()
        .route("/v1/peers", get(peers::<C>))
        .route("/v1/peers/{id}/metrics", get(metrics_of::<C>))
        .route("/v1/peers/{id}/score", get(score::<C>))
        .route("/v1/peers/{id}/history", get(history::<C>))
        .route("/v1/trust/metrics", get(metrics::<C>))
        .route("/v1/trust/best", post(best::<C>))
        .route("/v1/trust/stats", get(stats::<C>))
}

type Params<T> = Result<Query<T>, QueryRejection>;

async fn peers<C: Control>(State(control): State<C>, wanted: Params<PeersQuery>) -> Answer<Peers> {
    control.peers_by(query(wanted)?).await.map(Json)
}

async fn metrics<C: Control>(State(control): State<C>) -> Answer<MetricsList> {
    let peers = control.metrics().await?;
    Ok(Json(MetricsList { peers }))
}

async fn metrics_of<C: Control>(State(control): State<C>, id: Id) -> Answer<MetricsView> {
    control.metrics_of(segment(id)?).await.map(Json)
}

#[derive(Deserialize)]
struct Model {
    #[serde(default = "network")]
    model: String,
}

fn network() -> String {
    "network".into()
}

async fn score<C: Control>(
    State(control): State<C>,
    id: Id,
    model: Params<Model>,
) -> Answer<ScoreView> {
    let model = query(model)?.model;
    control.score(segment(id)?, model).await.map(Json)
}

async fn history<C: Control>(State(control): State<C>, id: Id) -> Answer<HistoryView> {
    control.history(segment(id)?).await.map(Json)
}

async fn best<C: Control>(
    State(control): State<C>,
    json: Result<Json<BestRequest>, JsonRejection>,
) -> Answer<SelectionView> {
    control.best(body(json)?).await.map(Json)
}

#[derive(Deserialize)]
struct Top {
    #[serde(default = "ten")]
    top: usize,
}

const fn ten() -> usize {
    10
}

async fn stats<C: Control>(State(control): State<C>, top: Params<Top>) -> Answer<StatsView> {
    let top = query(top)?.top.min(1_000);
    control.stats(top).await.map(Json)
}
