//! The endpoints of the blacklist, of refusals and of appeals.

use axum::{
    Json, Router,
    extract::{
        Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    routing::{delete, get, post},
};
use serde::Deserialize;

use crate::{
    AddRequest, AppealRequest, AppealSent, AppealsView, BlacklistView, Changed, Control,
    ControlError, Done, EditRequest, RefusalsView,
    routes::{Answer, Id, body, query, segment},
};

pub(crate) fn routes<C: Control>() -> Router<C> {
    Router::new()
        .route(
            "/v1/blacklist",
            get(list::<C>)
                .post(add::<C>)
                .patch(edit::<C>)
                .delete(remove::<C>),
        )
        .route("/v1/blacklist/clear", post(clear::<C>))
        .route("/v1/appeals", get(appeals::<C>).post(appeal::<C>))
        .route("/v1/appeals/{id}", delete(dismiss::<C>))
        .route("/v1/refusals", get(refusals::<C>))
}

type Params<T> = Result<Query<T>, QueryRejection>;
type Sent<T> = Result<Json<T>, JsonRejection>;

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    search: String,
}

async fn list<C: Control>(
    State(control): State<C>,
    search: Params<Search>,
) -> Answer<BlacklistView> {
    let text = query(search)?.search;
    Ok(Json(control.blacklist().await?.matching(&text)))
}

async fn add<C: Control>(State(control): State<C>, json: Sent<AddRequest>) -> Answer<Changed> {
    let request = body(json)?;
    let changed = request.entries.len();
    control.blacklist_add(request).await?;
    Ok(Json(Changed { changed }))
}

async fn edit<C: Control>(State(control): State<C>, json: Sent<EditRequest>) -> Answer<Changed> {
    control.blacklist_edit(body(json)?).await?;
    Ok(Json(Changed { changed: 1 }))
}

#[derive(Deserialize)]
struct Named {
    target: String,
}

async fn remove<C: Control>(State(control): State<C>, named: Params<Named>) -> Answer<Changed> {
    let target = query(named)?.target;
    let changed = control.blacklist_remove(Some(target)).await?;
    Ok(Json(Changed { changed }))
}

async fn clear<C: Control>(State(control): State<C>) -> Answer<Changed> {
    let changed = control.blacklist_remove(None).await?;
    Ok(Json(Changed { changed }))
}

async fn appeals<C: Control>(State(control): State<C>) -> Answer<AppealsView> {
    let appeals = control.appeals().await?;
    Ok(Json(AppealsView { appeals }))
}

async fn appeal<C: Control>(
    State(control): State<C>,
    json: Sent<AppealRequest>,
) -> Answer<AppealSent> {
    let AppealRequest { id, text } = body(json)?;
    let sent = control.appeal(id, text).await?;
    Ok(Json(AppealSent { sent }))
}

async fn dismiss<C: Control>(State(control): State<C>, id: Id) -> Answer<Done> {
    control.dismiss_appeal(segment(id)?).await?;
    Ok(Json(Done { done: true }))
}

async fn refusals<C: Control>(
    State(control): State<C>,
) -> Result<Json<RefusalsView>, ControlError> {
    let refusals = control.refusals().await?;
    Ok(Json(RefusalsView { refusals }))
}
