use std::time::Duration;

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{
        DefaultBodyLimit, Path, Query, State,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde::{Deserialize, Serialize};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

use crate::{
    BanRequest, Bans, Control, ControlError, Done, ExplainView, JoinRequest, PeerView,
    PublishRequest, Published, RecommendRequest, StatusView, Stream, TicketView, TrustSources,
    blacklist_routes, dht, directory, files_routes, insight_routes, receipts,
};

/// The longest request body, in bytes: a message of 64 KiB, escaped as JSON at its worst.
pub(crate) const BODY_MAX: usize = 512 * 1024;

/// The API, version 1.
pub fn router<C: Control>(control: C) -> Router {
    Router::new()
        .route("/v1/status", get(status::<C>))
        .merge(insight_routes::routes::<C>())
        .route("/v1/peers/{id}", get(peer::<C>))
        .route("/v1/peers/{id}/explain", get(explain::<C>))
        .route("/v1/bans", get(bans::<C>).post(ban::<C>))
        .route("/v1/bans/{id}", delete(unban::<C>))
        .route("/v1/trust/recommendations", post(recommend::<C>))
        .route("/v1/trust/sources", get(trust_sources::<C>))
        .route(
            "/v1/trust/sources/{id}",
            post(readmit::<C>).delete(withdraw::<C>),
        )
        .merge(blacklist_routes::routes::<C>())
        .merge(receipts::routes::<C>())
        .merge(dht::routes::<C>())
        .merge(directory::routes::<C>())
        .merge(files_routes::routes::<C>())
        .route("/v1/ticket", get(ticket::<C>))
        .route("/v1/join", post(join::<C>))
        .route("/v1/publish", post(publish::<C>))
        .route("/v1/subscribe", get(subscribe::<C>))
        .route("/v1/events", get(events::<C>))
        .route("/v1/stop", post(stop::<C>))
        .route("/health/live", get(|| async { StatusCode::OK }))
        .route("/health/ready", get(ready::<C>))
        .fallback(|| async { ControlError::NotFound("no such endpoint; see /v1/status".into()) })
        .method_not_allowed_fallback(|method: Method| async move {
            ControlError::NoSuchMethod(format!("this endpoint does not take {method}"))
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(control)
}

pub(crate) type Answer<T> = Result<Json<T>, ControlError>;

async fn status<C: Control>(State(control): State<C>) -> Answer<StatusView> {
    control.status().await.map(Json)
}

pub(crate) type Id = Result<Path<String>, PathRejection>;

async fn peer<C: Control>(State(control): State<C>, id: Id) -> Answer<PeerView> {
    control.peer(segment(id)?).await.map(Json)
}

async fn explain<C: Control>(State(control): State<C>, id: Id) -> Answer<ExplainView> {
    control.explain(segment(id)?).await.map(Json)
}

async fn bans<C: Control>(State(control): State<C>) -> Answer<Bans> {
    Ok(Json(Bans {
        bans: control.bans().await?,
    }))
}

pub(crate) fn body<T>(json: Result<Json<T>, JsonRejection>) -> Result<T, ControlError> {
    json.map(|Json(value)| value).map_err(|error| {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return ControlError::TooLarge(format!(
                "a request has at most {} KiB and a message 64 KiB: share more as a file",
                BODY_MAX / 1024
            ));
        }
        ControlError::BadRequest(error.body_text())
    })
}

pub(crate) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ControlError> {
    query
        .map(|Query(value)| value)
        .map_err(|error| ControlError::BadRequest(error.body_text()))
}

pub(crate) fn segment(id: Id) -> Result<String, ControlError> {
    id.map(|Path(id)| id)
        .map_err(|error| ControlError::BadRequest(error.body_text()))
}

async fn ban<C: Control>(
    State(control): State<C>,
    json: Result<Json<BanRequest>, JsonRejection>,
) -> Answer<Done> {
    let request = body(json)?;
    let duration = request.seconds.map(Duration::from_secs);
    control.ban(request.id, duration, request.reason).await?;
    Ok(Json(Done { done: true }))
}

async fn unban<C: Control>(State(control): State<C>, id: Id) -> Answer<Done> {
    control.unban(segment(id)?).await?;
    Ok(Json(Done { done: true }))
}

async fn recommend<C: Control>(
    State(control): State<C>,
    json: Result<Json<RecommendRequest>, JsonRejection>,
) -> Answer<Done> {
    let request = body(json)?;
    if !(-1.0..=1.0).contains(&request.value) {
        let problem = "the value of a recommendation lies between -1 (warn) and 1 (recommend)";
        return Err(ControlError::BadRequest(problem.into()));
    }
    // Within ±100, as was just checked.
    let hundredths = (request.value * 100.0).round() as i8;
    control
        .recommend(request.id, hundredths, request.reason)
        .await?;
    Ok(Json(Done { done: true }))
}

async fn trust_sources<C: Control>(State(control): State<C>) -> Answer<TrustSources> {
    let sources = control.trust_sources().await?;
    Ok(Json(TrustSources { sources }))
}

async fn withdraw<C: Control>(State(control): State<C>, id: Id) -> Answer<Done> {
    control.withdraw(segment(id)?).await?;
    Ok(Json(Done { done: true }))
}

async fn readmit<C: Control>(State(control): State<C>, id: Id) -> Answer<Done> {
    control.readmit(segment(id)?).await?;
    Ok(Json(Done { done: true }))
}

async fn ticket<C: Control>(State(control): State<C>) -> Answer<TicketView> {
    control.ticket().map(Json)
}

async fn join<C: Control>(
    State(control): State<C>,
    json: Result<Json<JoinRequest>, JsonRejection>,
) -> Answer<Done> {
    control.join(body(json)?.ticket).await?;
    Ok(Json(Done { done: true }))
}

async fn publish<C: Control>(
    State(control): State<C>,
    json: Result<Json<PublishRequest>, JsonRejection>,
) -> Answer<Published> {
    let request = body(json)?;
    let id = control
        .publish(request.topic, request.kind, request.text)
        .await?;
    Ok(Json(Published { id }))
}

#[derive(Deserialize)]
struct Topic {
    topic: String,
}

async fn subscribe<C: Control>(
    State(control): State<C>,
    topic: Result<Query<Topic>, QueryRejection>,
) -> Result<Response, ControlError> {
    Ok(json_lines(control.subscribe(query(topic)?.topic).await?))
}

async fn events<C: Control>(State(control): State<C>) -> Response {
    json_lines(control.events())
}

async fn stop<C: Control>(State(control): State<C>) -> Answer<Done> {
    // The answer leaves before the node does.
    tokio::spawn(async move { control.stop().await });
    Ok(Json(Done { done: true }))
}

async fn ready<C: Control>(State(control): State<C>) -> Result<StatusCode, ControlError> {
    control.status().await.map(|_| StatusCode::OK)
}

/// A body of one JSON document a line, sent as they come.
pub(crate) fn json_lines<T: Serialize + Send + 'static>(stream: Stream<T>) -> Response {
    lines(ReceiverStream::new(stream))
}

pub(crate) fn lines<T: Serialize + Send + 'static>(
    items: impl tokio_stream::Stream<Item = T> + Send + 'static,
) -> Response {
    let lines = items.map(|item| {
        serde_json::to_vec(&item).map(|mut line| {
            line.push(b'\n');
            Bytes::from(line)
        })
    });
    (
        [(header::CONTENT_TYPE, "application/jsonl")],
        Body::from_stream(lines),
    )
        .into_response()
}
