//! The blacklist as the API shows and takes it.

use repute_node::{Blacklist, BlacklistEntry, peers::Refusal, trust::Appeal};
use serde::{Deserialize, Serialize};

use crate::time::rfc3339;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryView {
    /// An id, an address or a prefix.
    pub target: String,
    /// Which of them: `id`, `address` or `prefix`.
    pub kind: String,
    /// Since when.
    pub since: String,
    /// Until when; `null` for good.
    pub until: Option<String>,
    /// `rule` or `operator`.
    pub by: String,
    /// Why, in a word for machines: the kind of a fault, a criterion, or `operator`.
    pub code: String,
    /// Why, in words.
    pub reason: String,
}

impl From<BlacklistEntry> for EntryView {
    fn from(entry: BlacklistEntry) -> Self {
        Self {
            target: entry.target.to_string(),
            kind: entry.target.kind().into(),
            since: rfc3339(entry.since),
            until: entry.until.map(rfc3339),
            by: entry.by.name().into(),
            code: entry.code.into(),
            reason: entry.reason,
        }
    }
}

impl EntryView {
    /// Whether `text` occurs in whom it names, why, or by whom, whatever the case.
    pub fn mentions(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        [&self.target, &self.kind, &self.by, &self.code, &self.reason]
            .into_iter()
            .any(|field| field.to_lowercase().contains(&text))
    }
}

/// The blacklist.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlacklistView {
    /// `manual`, `automatic` or `hybrid`.
    pub mode: String,
    /// The time that the entries are in.
    pub time: String,
    /// Entries in all; a search shows fewer.
    pub total: usize,
    /// The entries.
    pub entries: Vec<EntryView>,
}

impl From<Blacklist> for BlacklistView {
    fn from(list: Blacklist) -> Self {
        Self {
            mode: list.mode.name().into(),
            time: rfc3339(list.time),
            total: list.entries.len(),
            entries: list.entries.into_iter().map(Into::into).collect(),
        }
    }
}

impl BlacklistView {
    /// The entries that mention `text`.
    #[must_use]
    pub fn matching(mut self, text: &str) -> Self {
        self.entries.retain(|entry| entry.mentions(text));
        self
    }
}

/// One entry to be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryRequest {
    /// An id, an address or a prefix.
    pub target: String,
    /// For how many seconds; `null` for good.
    #[serde(default)]
    pub seconds: Option<u64>,
    /// Why, at most 128 bytes.
    #[serde(default)]
    pub reason: String,
}

/// Asks for entries to be added, each replacing the one of its target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddRequest {
    /// At most 1,000.
    pub entries: Vec<EntryRequest>,
}

impl AddRequest {
    /// Entries in one request.
    pub const ENTRIES_MAX: usize = 1_000;
}

/// Asks for an entry to be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditRequest {
    /// Whose.
    pub target: String,
    /// The new reason; `null` leaves it.
    #[serde(default)]
    pub reason: Option<String>,
    /// Seconds that it lasts from now; `null` leaves its end.
    #[serde(default)]
    pub seconds: Option<u64>,
    /// Whether it lasts for good from now on.
    #[serde(default)]
    pub for_good: bool,
}

/// How many entries were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// So many.
    pub changed: usize,
}

/// Asks a peer that turns this node away to think again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppealRequest {
    /// Whom.
    pub id: String,
    /// What to say, at most 128 bytes.
    pub text: String,
}

/// What came of an appeal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppealSent {
    /// Whether it was handed over; whether it is read, nobody knows.
    pub sent: bool,
}

/// What a banned peer's operator had to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppealView {
    /// Which peer.
    pub id: String,
    /// When.
    pub time: String,
    /// What; it was written by a stranger.
    pub text: String,
}

impl From<Appeal> for AppealView {
    fn from(appeal: Appeal) -> Self {
        Self {
            id: appeal.peer.to_string(),
            time: rfc3339(appeal.at),
            text: appeal.text.escaped().to_string(),
        }
    }
}

/// All appeals that wait to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppealsView {
    /// Oldest first.
    pub appeals: Vec<AppealView>,
}

/// A peer that turns this node away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalView {
    /// Who.
    pub id: String,
    /// Why, for machines.
    pub reason: String,
    /// More, as the peer says; escaped.
    pub detail: String,
    /// When it said so.
    pub time: String,
    /// When trying again makes sense.
    pub retry: String,
}

impl From<Refusal> for RefusalView {
    fn from(refusal: Refusal) -> Self {
        Self {
            id: refusal.peer.to_string(),
            reason: refusal.reason.name().into(),
            detail: refusal.detail.escaped().to_string(),
            time: rfc3339(refusal.at),
            retry: rfc3339(refusal.retry_at),
        }
    }
}

/// Who turns this node away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalsView {
    /// The peers that have not taken this node in since.
    pub refusals: Vec<RefusalView>,
}
