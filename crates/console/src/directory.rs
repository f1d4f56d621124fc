//! Services offered and found, as the API shows and takes them.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::{
        Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    response::Response,
    routing::{get, post},
};
use hyper::{Method, body::Bytes};
use serde::{Deserialize, Serialize};

use crate::{
    Client, Control, ControlError, Lines,
    client::{Result, segment},
    routes::{Answer, body, json_lines, query},
};

/// A condition of an advertisement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriterionView {
    /// Which.
    pub name: String,
    /// What it asks for.
    pub value: String,
}

/// A service to be offered until it is retracted, over restarts too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvertiseRequest {
    /// What is offered, such as `relay` or `signer:spend`; at most 8.
    pub services: Vec<String>,
    /// The least amount, in the service's unit.
    #[serde(default)]
    pub min_amount: u64,
    /// The greatest amount; any, unless told otherwise.
    #[serde(default)]
    pub max_amount: Option<u64>,
    /// The key that the service is done with, in hex; empty for the identity's.
    #[serde(default)]
    pub key: String,
    /// What is asked of others, at most 16.
    #[serde(default)]
    pub criteria: Vec<CriterionView>,
    /// Whatever else there is to say, if it is text; at most 4,096 bytes.
    #[serde(default)]
    pub metadata: Option<String>,
    /// The same in hex, if it is not.
    #[serde(default)]
    pub metadata_hex: Option<String>,
    /// How long it stays findable without this node, in seconds; an hour unless told otherwise.
    #[serde(default)]
    pub seconds: Option<u64>,
}

/// What an advertisement says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvertisementView {
    /// What is offered.
    pub services: Vec<String>,
    /// The key that the service is done with, in hex; empty for the identity's.
    pub key: String,
    /// The least amount, in the service's unit.
    pub min_amount: u64,
    /// The greatest amount; none for any.
    pub max_amount: Option<u64>,
    /// Where the node is, best first.
    pub addresses: Vec<String>,
    /// What is asked of others.
    pub criteria: Vec<CriterionView>,
    /// Whatever else it says, if it is text.
    pub metadata: Option<String>,
    /// The same in hex, if it is not.
    pub metadata_hex: Option<String>,
}

/// A service that is offered from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvertisedView {
    /// Under which of the node's ten keys.
    pub slot: u8,
    /// Until when the first signature holds; it is renewed until it is retracted.
    pub expires: String,
}

/// What the node offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnOffersView {
    /// In the order of its keys.
    pub advertisements: Vec<OwnOfferView>,
}

/// One service that the node offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnOfferView {
    /// Under which of its ten keys.
    pub slot: u8,
    /// What it says.
    #[serde(flatten)]
    pub advertisement: AdvertisementView,
    /// How long each signature holds.
    pub seconds: u64,
    /// Until when the newest holds.
    pub expires: Option<String>,
}

/// What is offered no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetractedView {
    /// How many advertisements.
    pub retracted: usize,
}

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FindRequest {
    /// A service (`signer:spend`), a family of them (`signer`), or `all`.
    pub kind: String,
    /// The least amount that is of use.
    #[serde(default)]
    pub min_amount: u64,
    /// The greatest amount that is of use.
    #[serde(default)]
    pub max_amount: Option<u64>,
    /// The least trust in who offers, 0 to 1.
    #[serde(default)]
    pub min_trust: Option<f64>,
    /// The least score of who offers, by model (as in `GET /v1/peers/{id}/score`).
    #[serde(default)]
    pub min_score: BTreeMap<String, f64>,
    /// The least class of its identity: `free`, `vouched` or `anchored`; `free` unless told
    /// otherwise.
    #[serde(default)]
    pub class: Option<String>,
    /// What the advertisement must say, word for word.
    #[serde(default)]
    pub criteria: Vec<CriterionView>,
    /// Only what this one offers.
    #[serde(default)]
    pub author: Option<String>,
    /// How many are enough; 64 unless told otherwise.
    #[serde(default)]
    pub max: Option<usize>,
    /// Whether what the node already knows is enough.
    #[serde(default)]
    pub local: bool,
    /// How long the DHT is asked at most, in seconds; then what is known by then is the answer.
    #[serde(default)]
    pub seconds: Option<u64>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoundView {
    /// The most trusted first.
    pub found: Vec<OfferView>,
    /// Whether the DHT had time to answer, or was not needed.
    pub complete: bool,
}

/// A service that somebody offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferView {
    /// Who: the node and identity that signed it.
    pub id: String,
    /// Under which of its ten keys.
    pub slot: u8,
    /// Trust in it, 0 to 1.
    pub trust: f64,
    /// The level of that trust.
    pub level: String,
    /// The class of its identity, as far as it was shown to this node: `free`, `vouched` or
    /// `anchored`.
    pub class: String,
    /// Its scores by the models that were asked for.
    pub scores: BTreeMap<String, f64>,
    /// What it says.
    #[serde(flatten)]
    pub advertisement: AdvertisementView,
    /// When it was signed.
    pub sent: String,
    /// Until when it holds.
    pub expires: String,
    /// How it came here: offer, gossip or dht.
    pub heard_by: String,
}

/// Sizes and counters of the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryStatsView {
    /// Advertisements of others that are known.
    pub entries: usize,
    /// Bytes of these.
    pub entry_bytes: usize,
    /// Advertisements of this node.
    pub own: usize,
    /// Kept ones of this node that could not be read at the start, and were forgotten.
    #[serde(default)]
    pub unreadable: u64,
    /// Taken in: new ones, changed ones, renewed ones.
    pub taken: u64,
    /// Taken back by their authors.
    pub withdrawn: u64,
    /// Expired here.
    pub expired: u64,
    /// Made room for others.
    pub evicted: u64,
    /// Searches.
    pub searches: u64,
    /// Searches for which the DHT was asked.
    pub lookups: u64,
    /// Not taken, by reason.
    pub refused: BTreeMap<String, u64>,
}

pub(crate) fn routes<C: Control>() -> Router<C> {
    Router::new()
        .route(
            "/v1/directory",
            get(own::<C>).post(advertise::<C>).delete(retract::<C>),
        )
        .route("/v1/directory/find", post(find::<C>))
        .route("/v1/directory/watch", get(watch::<C>))
}

type Params<T> = std::result::Result<Query<T>, QueryRejection>;
type Payload<T> = std::result::Result<Json<T>, JsonRejection>;

async fn own<C: Control>(State(control): State<C>) -> Answer<OwnOffersView> {
    let advertisements = control.offers().await?;
    Ok(Json(OwnOffersView { advertisements }))
}

async fn advertise<C: Control>(
    State(control): State<C>,
    json: Payload<AdvertiseRequest>,
) -> Answer<AdvertisedView> {
    control.advertise(body(json)?).await.map(Json)
}

/// Which key; without it, all.
#[derive(Deserialize)]
struct Key {
    key: Option<String>,
}

async fn retract<C: Control>(State(control): State<C>, key: Params<Key>) -> Answer<RetractedView> {
    let retracted = control.retract(query(key)?.key).await?;
    Ok(Json(RetractedView { retracted }))
}

async fn find<C: Control>(
    State(control): State<C>,
    json: Payload<FindRequest>,
) -> Answer<FoundView> {
    control.find_services(body(json)?).await.map(Json)
}

/// A filter, as JSON.
#[derive(Deserialize)]
struct Watched {
    filter: String,
}

async fn watch<C: Control>(
    State(control): State<C>,
    wanted: Params<Watched>,
) -> std::result::Result<Response, ControlError> {
    let filter = serde_json::from_str(&query(wanted)?.filter);
    let filter = filter.map_err(|error| ControlError::BadRequest(format!("filter: {error}")))?;
    Ok(json_lines(control.watch_services(filter).await?))
}

impl Client {
    /// Offers a service.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError), as every call.
    pub async fn advertise(&self, request: &AdvertiseRequest) -> Result<AdvertisedView> {
        self.post("/v1/directory", request).await
    }

    /// What the node offers.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn offers(&self) -> Result<OwnOffersView> {
        self.get("/v1/directory").await
    }

    /// Offers a service no longer: that of this key, in hex, or all.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn retract(&self, key: Option<&str>) -> Result<RetractedView> {
        let path = match key {
            Some(key) => format!("/v1/directory?key={}", segment(key)),
            None => "/v1/directory".into(),
        };
        self.call(Method::DELETE, &path, Bytes::new()).await
    }

    /// Looks for services.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn find_services(&self, request: &FindRequest) -> Result<FoundView> {
        self.post("/v1/directory/find", request).await
    }

    /// The services that fit, as they become known from now on.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn watch_services(&self, request: &FindRequest) -> Result<Lines<OfferView>> {
        let filter = serde_json::to_string(request)
            .map_err(|error| crate::ClientError::Answer(error.to_string()))?;
        self.lines(&format!("/v1/directory/watch?filter={}", segment(&filter)))
            .await
    }
}
