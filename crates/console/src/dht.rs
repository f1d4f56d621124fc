//! The DHT, as the API shows it and takes from it.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::{
        Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    routing::get,
};
use serde::{Deserialize, Serialize};

use crate::{
    Client, Control, DirectoryStatsView,
    client::{Result, segment},
    routes::{Answer, body, query},
};

/// A value to keep in the DHT under a name of this node's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhtPutRequest {
    /// Under which name, at most 64 bytes.
    pub name: String,
    /// The value, if it is text; at most 1,024 bytes.
    #[serde(default)]
    pub text: Option<String>,
    /// The value in hex, if it is not.
    #[serde(default)]
    pub hex: Option<String>,
    /// How long copies outlive this node, in seconds; 24 hours unless told otherwise.
    #[serde(default)]
    pub seconds: Option<u64>,
}

/// What was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhtPutView {
    /// Where.
    pub key: String,
    /// Whose: this node's id.
    pub author: String,
    /// Under which name.
    pub name: String,
    /// How many nodes keep it.
    pub copies: usize,
}

/// Which records are wanted: those at a key, or those of an author and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhtGetQuery {
    /// Where.
    #[serde(default)]
    pub key: Option<String>,
    /// Whose value; this node's own unless told otherwise.
    #[serde(default)]
    pub author: Option<String>,
    /// Under which name.
    #[serde(default)]
    pub name: Option<String>,
    /// `newest` asks a quorum of holders, `first` takes the first valid one, `all` lists every
    /// author's.
    #[serde(default)]
    pub want: String,
}

/// Records found in the DHT, each signed by its author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhtRecordsView {
    /// Where.
    pub key: String,
    /// What was found; empty if nothing was.
    pub records: Vec<DhtRecordView>,
    /// How it was found.
    pub lookup: DhtOutcomeView,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhtRecordView {
    /// Who signed it.
    pub author: String,
    /// value, provider, identity or advertisement.
    pub kind: String,
    /// Which of the author's of this kind and name.
    pub slot: u8,
    /// What it is about, if that is text.
    pub name_text: Option<String>,
    /// What it is about in hex, if it is not.
    pub name_hex: Option<String>,
    /// What it says, if that is text.
    pub text: Option<String>,
    /// What it says in hex, if it is not.
    pub hex: Option<String>,
    /// When it was signed.
    pub sent: String,
    /// Until when it holds.
    pub expires: String,
    /// Who gave it.
    pub from: String,
}

/// How a lookup went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhtOutcomeView {
    /// Requests sent.
    pub requests: u32,
    /// Answers that came.
    pub answers: u32,
    /// Requests one after another that led to the closest node.
    pub hops: u32,
    /// How many holders agreed on the newest, or gave an older one.
    pub holders: u32,
    /// Whether so many holders answered that a newer one is unlikely.
    pub quorum: bool,
    /// How long it took.
    pub took_ms: u64,
}

/// A place to look for, and whether each step is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhtLookupQuery {
    /// A node's id, or a key.
    pub target: String,
    /// Whether each step is told.
    #[serde(default)]
    pub trace: bool,
}

/// The nodes closest to a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhtLookupView {
    /// Where.
    pub target: String,
    /// Closest first.
    pub closest: Vec<DhtContactView>,
    /// How it went.
    pub lookup: DhtOutcomeView,
    /// Each step, if asked for.
    pub trace: Vec<DhtStepView>,
}

/// A node of the DHT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhtContactView {
    /// Who.
    pub id: String,
    /// Where, best first.
    pub addresses: Vec<String>,
    /// Whether it proved to be there, and is not only named by others.
    pub proven: bool,
}

/// One step of a lookup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhtStepView {
    /// Whom it concerns.
    pub peer: String,
    /// asked, answered, slow, failed or busy.
    pub step: String,
    /// How many bits of its id are those of the target.
    pub bits: u32,
    /// Requests one after another that led there.
    pub hops: u32,
    /// On which of the disjoint paths.
    pub path: u8,
    /// Nodes that it named and that were new, if it answered.
    pub contacts: Option<usize>,
    /// How many of these are closer than itself.
    pub closer: Option<usize>,
    /// Records that it gave.
    pub records: Option<usize>,
    /// How long its answer took.
    pub took_ms: Option<u64>,
}

/// Sizes and counters of the DHT and the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhtStatsView {
    /// Whether this node serves others.
    pub serving: bool,
    /// The nodes of the table, closest first.
    pub table: Vec<DhtContactView>,
    /// Nodes that wait for a place in the table.
    pub replacements: usize,
    /// Buckets that are not empty.
    pub buckets: Vec<DhtBucketView>,
    /// Lookups under way.
    pub lookups: usize,
    /// Lookups that ended.
    pub lookups_ended: u64,
    /// Records kept, by kind.
    pub records: BTreeMap<String, usize>,
    /// Bytes of these.
    pub record_bytes: usize,
    /// Records of this node's own that are published again and again.
    pub publications: usize,
    /// Requests sent.
    pub requests_sent: u64,
    /// Answers in time.
    pub answers: u64,
    /// Requests without an answer in time.
    pub timeouts: u64,
    /// Peers that were not reached.
    pub unreachable: u64,
    /// Requests that came.
    pub requests_received: u64,
    /// Of these, those for which there was no time.
    pub busy: u64,
    /// Records that others had this node keep.
    pub stored: u64,
    /// Records that were refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Records put again as one of their holders.
    pub replicated: u64,
    /// Records handed to newcomers.
    pub handed_over: u64,
    /// Records given to holders that had an older one.
    #[serde(default)]
    pub repaired: u64,
    /// The directory.
    pub directory: DirectoryStatsView,
}

/// One bucket of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhtBucketView {
    /// Bits that its nodes' ids share with this node's.
    pub bits: u8,
    /// How many they are.
    pub contacts: usize,
}

pub(crate) fn routes<C: Control>() -> Router<C> {
    Router::new()
        .route("/v1/dht", get(stats::<C>))
        .route("/v1/dht/records", get(records::<C>).post(put::<C>))
        .route("/v1/dht/lookup", get(lookup::<C>))
}

type Params<T> = std::result::Result<Query<T>, QueryRejection>;

async fn stats<C: Control>(State(control): State<C>) -> Answer<DhtStatsView> {
    control.dht_stats().await.map(Json)
}

async fn records<C: Control>(
    State(control): State<C>,
    wanted: Params<DhtGetQuery>,
) -> Answer<DhtRecordsView> {
    control.dht_get(query(wanted)?).await.map(Json)
}

async fn put<C: Control>(
    State(control): State<C>,
    json: std::result::Result<Json<DhtPutRequest>, JsonRejection>,
) -> Answer<DhtPutView> {
    control.dht_put(body(json)?).await.map(Json)
}

async fn lookup<C: Control>(
    State(control): State<C>,
    wanted: Params<DhtLookupQuery>,
) -> Answer<DhtLookupView> {
    control.dht_lookup(query(wanted)?).await.map(Json)
}

impl Client {
    /// Sizes and counters of the DHT and the directory.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError), as every call.
    pub async fn dht_stats(&self) -> Result<DhtStatsView> {
        self.get("/v1/dht").await
    }

    /// Keeps a value in the DHT, under a name of the node's own.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn dht_put(&self, request: &DhtPutRequest) -> Result<DhtPutView> {
        self.post("/v1/dht/records", request).await
    }

    /// The records at a key, or of an author and name.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn dht_get(&self, wanted: &DhtGetQuery) -> Result<DhtRecordsView> {
        let mut path = format!("/v1/dht/records?want={}", segment(&wanted.want));
        let named = [
            ("key", &wanted.key),
            ("author", &wanted.author),
            ("name", &wanted.name),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", segment(value)));
            }
        }
        self.get(&path).await
    }

    /// The nodes closest to a place.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn dht_lookup(&self, wanted: &DhtLookupQuery) -> Result<DhtLookupView> {
        let (target, trace) = (segment(&wanted.target), wanted.trace);
        self.get(&format!("/v1/dht/lookup?target={target}&trace={trace}"))
            .await
    }
}
