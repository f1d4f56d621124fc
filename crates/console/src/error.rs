use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use repute_node::NodeError;
use serde::{Deserialize, Serialize};

/// An error as RFC 9457 has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A short name that stays the same, such as `not-found`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is, in plain words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The request makes no sense; nothing was done.
    #[error("{0}")]
    BadRequest(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The endpoint exists, but does not do this.
    #[error("{0}")]
    NoSuchMethod(String),
    /// The node refused, by its own rules.
    #[error("{0}")]
    Refused(String),
    /// The request is longer than any that makes sense; it was not read.
    #[error("{0}")]
    TooLarge(String),
    /// Done, but a restart would forget it.
    #[error("{0}")]
    NotDurable(String),
    /// There is no room for it; nothing is lost.
    #[error("{0}")]
    NoRoom(String),
    /// The disk, or what is on it, failed.
    #[error("{0}")]
    Storage(String),
    /// The node is stopping.
    #[error("{0}")]
    Unavailable(String),
}

impl ControlError {
    /// The HTTP status and the stable name.
    pub const fn status(&self) -> (u16, &'static str) {
        match self {
            Self::BadRequest(_) => (400, "bad-request"),
            Self::NotFound(_) => (404, "not-found"),
            Self::NoSuchMethod(_) => (405, "no-such-method"),
            Self::Refused(_) => (409, "refused"),
            Self::TooLarge(_) => (413, "too-large"),
            Self::NotDurable(_) => (507, "not-durable"),
            Self::NoRoom(_) => (507, "no-room"),
            Self::Storage(_) => (500, "storage-failed"),
            Self::Unavailable(_) => (503, "unavailable"),
        }
    }
}

impl From<NodeError> for ControlError {
    fn from(error: NodeError) -> Self {
        let text = error.to_string();
        match error {
            NodeError::Stopped => Self::Unavailable(text),
            NodeError::TooLong(_) => Self::BadRequest(text),
            NodeError::NotDurable => Self::NotDurable(text),
            _ => Self::Refused(text),
        }
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let (status, kind) = error.status();
        Self {
            kind: kind.into(),
            title: error.to_string(),
            status,
        }
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (status, kind, Json(self)).into_response()
    }
}
