use axum::{
    Json, Router,
    extract::{
        Path, State,
        rejection::{JsonRejection, PathRejection},
    },
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use tokio_stream::{StreamExt, once, wrappers::ReceiverStream};

use crate::{
    Control, ControlError, Done, FetchRequest, ShareRequest, SharesView, Stream, TransfersView,
    VerifyRequest,
    files::Failing,
    routes::{Answer, Id, body, lines, segment},
};

pub(crate) fn routes<C: Control>() -> Router<C> {
    Router::new()
        .route("/v1/shares", get(shares::<C>).post(share::<C>))
        .route("/v1/shares/verify", post(verify::<C>))
        .route("/v1/shares/{hash}", delete(unshare::<C>))
        .route("/v1/transfers", get(transfers::<C>).post(fetch::<C>))
        .route("/v1/transfers/{id}", delete(cancel::<C>))
        .route("/v1/transfers/{id}/events", get(watch::<C>))
        .route("/v1/transfers/{id}/pause", post(pause::<C>))
        .route("/v1/transfers/{id}/resume", post(resume::<C>))
}

type Payload<T> = Result<Json<T>, JsonRejection>;
type Told = Result<Response, ControlError>;

async fn shares<C: Control>(State(control): State<C>) -> Answer<SharesView> {
    let shares = control.shares().await?;
    Ok(Json(SharesView { shares }))
}

async fn share<C: Control>(State(control): State<C>, json: Payload<ShareRequest>) -> Told {
    Ok(told(control.share(body(json)?).await?).await)
}

async fn verify<C: Control>(State(control): State<C>, json: Payload<VerifyRequest>) -> Told {
    Ok(told(control.verify(body(json)?).await?).await)
}

async fn unshare<C: Control>(State(control): State<C>, hash: Id) -> Answer<Done> {
    control.unshare(segment(hash)?).await?;
    Ok(Json(Done { done: true }))
}

async fn fetch<C: Control>(State(control): State<C>, json: Payload<FetchRequest>) -> Told {
    Ok(told(control.fetch(body(json)?).await?).await)
}

async fn transfers<C: Control>(State(control): State<C>) -> Answer<TransfersView> {
    let transfers = control.transfers().await?;
    Ok(Json(TransfersView { transfers }))
}

type Number = Result<Path<u64>, PathRejection>;

fn number(id: Number) -> Result<u64, ControlError> {
    id.map(|Path(id)| id)
        .map_err(|_| ControlError::BadRequest("a transfer has a number: see /v1/transfers".into()))
}

async fn watch<C: Control>(State(control): State<C>, id: Number) -> Told {
    Ok(told(control.watch_transfer(number(id)?).await?).await)
}

async fn pause<C: Control>(State(control): State<C>, id: Number) -> Answer<Done> {
    control.pause_transfer(number(id)?).await?;
    Ok(Json(Done { done: true }))
}

async fn resume<C: Control>(State(control): State<C>, id: Number) -> Answer<Done> {
    control.resume_transfer(number(id)?).await?;
    Ok(Json(Done { done: true }))
}

async fn cancel<C: Control>(State(control): State<C>, id: Number) -> Answer<Done> {
    control.cancel_transfer(number(id)?).await?;
    Ok(Json(Done { done: true }))
}

/// A line each. What fails before anything else was told is a problem document, so that its status
/// is seen by those who read no further.
async fn told<T: Failing>(mut events: Stream<T>) -> Response {
    let first = match events.recv().await.map(Failing::problem) {
        Some(Ok(first)) => first,
        Some(Err(problem)) => return problem.into_response(),
        None => return ControlError::Unavailable("the node is stopping".into()).into_response(),
    };
    lines(once(first).chain(ReceiverStream::new(events)))
}
