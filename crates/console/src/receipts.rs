//! Receipts, claims and proven faults, as the API shows them.

use axum::{
    Json, Router,
    extract::{Query, State, rejection::QueryRejection},
    routing::{get, post},
};
use repute_base::Wall;
use repute_node::{
    ReceiptBook,
    trust::{ClaimLine, FaultLine, ReceiptEdge, ReceiptLine},
};
use serde::{Deserialize, Serialize};

use crate::{
    Client, Control, Done,
    client::{Result, segment},
    routes::{Answer, query},
    time::rfc3339,
    view::{class_name, shown},
};

/// What peers signed about each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReceiptsView {
    /// The identity class of the peer asked about, or of this node: free, vouched or
    /// anchored.
    pub class: String,
    /// The latest receipt of each pair and service.
    pub receipts: Vec<ReceiptView>,
    /// Complaints, each resting on a session that the accused had agreed to.
    pub claims: Vec<ClaimView>,
    /// Faults that prove themselves.
    pub faults: Vec<FaultView>,
    /// Who served whom, in units of the global graph.
    pub edges: Vec<EdgeView>,
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptView {
    /// What was done: messages, transfer, relay or signing.
    pub service: String,
    /// Who was served.
    pub served: String,
    /// Who served.
    pub by: String,
    /// The number; the greatest of a pair and service replaces the others.
    pub number: u64,
    /// How much so far: messages, bytes, bytes, sessions.
    pub amount: u64,
    /// Since when.
    pub from: String,
    /// Until when.
    pub until: String,
    /// The receipt itself, as on the wire, in hex: whoever has it can check it.
    pub bytes: String,
}

/// A complaint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimView {
    /// In what.
    pub service: String,
    /// Who complains.
    pub claimant: String,
    /// About whom.
    pub accused: String,
    /// Of what: timed-out, disconnected, invalid or aborted.
    pub kind: String,
    /// When.
    pub at: String,
    /// The claim itself, in hex.
    pub bytes: String,
}

/// A proven fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultView {
    /// Whose.
    pub offender: String,
    /// In what.
    pub service: String,
    /// The number that was used for two receipts.
    pub number: u64,
    /// The proof itself, in hex.
    pub bytes: String,
}

/// What one did for another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeView {
    /// Who was served.
    pub from: String,
    /// Who served.
    pub to: String,
    /// At most one for each day.
    pub weight: f64,
}

impl From<ReceiptBook> for ReceiptsView {
    fn from(book: ReceiptBook) -> Self {
        Self {
            class: class_name(book.class).into(),
            receipts: book.receipts.into_iter().map(Into::into).collect(),
            claims: book.claims.into_iter().map(Into::into).collect(),
            faults: book.faults.into_iter().map(Into::into).collect(),
            edges: book.edges.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ReceiptLine> for ReceiptView {
    fn from(line: ReceiptLine) -> Self {
        Self {
            service: line.service.name().into(),
            served: line.served.to_string(),
            by: line.by.to_string(),
            number: line.number,
            amount: line.amount,
            from: moment(line.from_ms),
            until: moment(line.until_ms),
            bytes: hex(&line.bytes),
        }
    }
}

impl From<ClaimLine> for ClaimView {
    fn from(line: ClaimLine) -> Self {
        Self {
            service: line.service.name().into(),
            claimant: line.claimant.to_string(),
            accused: line.accused.to_string(),
            kind: line.kind.into(),
            at: moment(line.at_ms),
            bytes: hex(&line.bytes),
        }
    }
}

impl From<FaultLine> for FaultView {
    fn from(line: FaultLine) -> Self {
        Self {
            offender: line.offender.to_string(),
            service: line.service.name().into(),
            number: line.number,
            bytes: hex(&line.bytes),
        }
    }
}

impl From<ReceiptEdge> for EdgeView {
    fn from(edge: ReceiptEdge) -> Self {
        Self {
            from: edge.from.to_string(),
            to: edge.to.to_string(),
            weight: shown(edge.weight),
        }
    }
}

fn moment(ms: u64) -> String {
    rfc3339(Wall::from_millis(ms))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// About whom.
#[derive(Deserialize)]
struct About {
    id: Option<String>,
}

pub(crate) fn routes<C: Control>() -> Router<C> {
    Router::new()
        .route("/v1/trust/receipts", get(receipts::<C>))
        .route("/v1/trust/credentials", post(show_credentials::<C>))
}

async fn show_credentials<C: Control>(State(control): State<C>) -> Answer<Done> {
    control.show_credentials().await?;
    Ok(Json(Done { done: true }))
}

async fn receipts<C: Control>(
    State(control): State<C>,
    about: std::result::Result<Query<About>, QueryRejection>,
) -> Answer<ReceiptsView> {
    control.receipts(query(about)?.id).await.map(Json)
}

impl Client {
    /// Receipts, claims and proven faults: all, or those in which a peer has a part.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn receipts(&self, about: Option<&str>) -> Result<ReceiptsView> {
        let path = match about {
            Some(id) => format!("/v1/trust/receipts?id={}", segment(id)),
            None => "/v1/trust/receipts".into(),
        };
        self.get(&path).await
    }

    /// Has the node show the stamp and the vouches that were kept since its start.
    ///
    /// # Errors
    /// [`ClientError`](crate::ClientError).
    pub async fn show_credentials(&self) -> Result<Done> {
        self.post("/v1/trust/credentials", &()).await
    }
}
