//! What the API shows and takes. The schema is stable: fields are added, never renamed.

use repute_base::{Fixed, Layer, Layers};
use repute_node::{
    PeerStatus, Status,
    trust::{Ban, Explanation, Gate, IdentityClass, Standing},
};
use repute_protocol::{Capability, Support};
use serde::{Deserialize, Serialize};

use crate::{FilesView, RecommendationView, time::rfc3339};

/// How a node is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    /// Its id.
    pub id: String,
    /// Where it listens.
    pub listen: Vec<String>,
    /// The version of the program.
    pub version: String,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// Its clock.
    pub time: String,
    /// Peers in the address book.
    pub peers_known: usize,
    /// Links admitted by both ends.
    pub peers_active: usize,
    /// Subjects in the ledger.
    pub subjects: usize,
    /// Gates that are closed.
    pub bans: usize,
    /// Messages of its own that it sent on their way.
    pub published: u64,
    /// Messages that it received, each counted once.
    pub received: u64,
    /// Copies beyond the first.
    pub duplicates: u64,
    /// Copies with a wrong signature.
    pub forged: u64,
    /// Messages handed to the application.
    pub delivered: u64,
    /// Messages that slow subscribers lost.
    pub lost_deliveries: u64,
    /// Frames that found no link or a full queue.
    pub unsent: u64,
    /// Signature checks put off because their sender had too many waiting.
    pub unchecked: u64,
    /// Active gossip neighbours.
    pub gossip_active: usize,
    /// What each of the eight layers let through and refused, in the order in which they stand.
    #[serde(default)]
    pub layers: Vec<LayerView>,
    /// What became of discovery beyond the neighbours.
    #[serde(default)]
    pub discovery: DiscoveryView,
    /// Files shared and fetched; nothing of a node that does neither.
    #[serde(default)]
    pub files: Option<FilesView>,
    /// Bytes received on links.
    pub bytes_in: u64,
    /// Bytes written to links.
    pub bytes_out: u64,
    /// Events in the stored ledger.
    pub stored_events: u64,
    /// Rows of the store that failed their check.
    pub damaged_rows: u64,
    /// Whether the disk is full.
    pub storage_full: bool,
    /// Writes that the store refused.
    pub failed_writes: u64,
    /// Tasks that panicked; zero unless the program has a defect.
    pub panics: u64,
}

impl From<Status> for StatusView {
    fn from(status: Status) -> Self {
        Self {
            id: status.id.to_string(),
            listen: status.listen.iter().map(ToString::to_string).collect(),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_ms: status.uptime_ms,
            time: rfc3339(status.wall),
            peers_known: status.peers_known,
            peers_active: status.peers_active,
            subjects: status.subjects,
            bans: status.bans,
            published: status.gossip.published,
            received: status.gossip.received,
            duplicates: status.gossip.duplicates,
            forged: status.gossip.forged,
            delivered: status.gossip.delivered,
            lost_deliveries: status.lost_deliveries,
            unsent: status.unsent,
            unchecked: status.unchecked,
            gossip_active: status.gossip.active,
            layers: layers(&status.layers),
            discovery: status.discovery.into(),
            files: None,
            bytes_in: status.transport.bytes_in,
            bytes_out: status.transport.bytes_out,
            stored_events: status.store.events,
            damaged_rows: status.store.damaged,
            storage_full: status.store.storage_full,
            failed_writes: status.failed_writes,
            panics: status.panics,
        }
    }
}

/// One layer of the way in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerView {
    /// Its name.
    pub layer: String,
    /// What it looks at.
    pub looks_at: String,
    /// What it let through.
    pub passed: u64,
    /// What it refused.
    pub refused: u64,
    /// The same by reason, the most frequent first.
    pub reasons: Vec<ReasonView>,
}

/// How often something was refused for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonView {
    /// Why.
    pub reason: String,
    /// How often.
    pub count: u64,
}

fn layers(layers: &Layers) -> Vec<LayerView> {
    let one = |layer: Layer| {
        let refused = |(reason, count): (&str, u64)| ReasonView {
            reason: reason.into(),
            count,
        };
        let mut reasons: Vec<_> = layers.reasons(layer).map(refused).collect();
        reasons.sort_by_key(|one| std::cmp::Reverse(one.count));
        LayerView {
            layer: layer.name().into(),
            looks_at: layer.looks_at().into(),
            passed: layers.passed(layer),
            refused: layers.refused(layer),
            reasons,
        }
    };
    Layer::ALL.map(one).into()
}

/// What became of discovery since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryView {
    /// Times that the node was published.
    pub published: u64,
    /// Times that it could not be published.
    pub not_published: u64,
    /// Times that addresses of a sought peer were found.
    pub found: u64,
    /// Times that what was found was no proven word of the peer.
    pub refused: u64,
}

impl From<repute_node::DiscoveryStats> for DiscoveryView {
    fn from(stats: repute_node::DiscoveryStats) -> Self {
        Self {
            published: stats.published,
            not_published: stats.not_published,
            found: stats.found,
            refused: stats.refused,
        }
    }
}

/// What is thought of a peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StandingView {
    /// The score for ranking, 0 to 1.
    pub trust: f64,
    /// The pessimistic score, 0 to 1.
    pub belief: f64,
    /// How much is not known, 0 to 1.
    pub uncertainty: f64,
    /// The score in one word.
    pub level: String,
    /// `open`, `warned`, `grey` or `banned`.
    pub gate: String,
    /// When a closed gate opens again; `null` if open, or closed for good.
    pub until: Option<String>,
}

/// Six digits are what people compare; the ledger keeps twenty bits.
pub(crate) fn shown(value: Fixed) -> f64 {
    (value.to_f64() * 1e6).round() / 1e6
}

/// Every class of identity, the cheapest first.
pub(crate) const CLASSES: [IdentityClass; 3] = [
    IdentityClass::Free,
    IdentityClass::Vouched,
    IdentityClass::Burned,
];

/// The word for a class. Nobody can burn yet: all of the highest are anchors.
pub(crate) const fn class_name(class: IdentityClass) -> &'static str {
    match class {
        IdentityClass::Free => "free",
        IdentityClass::Vouched => "vouched",
        IdentityClass::Burned => "anchored",
    }
}

impl From<Standing> for StandingView {
    fn from(standing: Standing) -> Self {
        let until = match standing.gate {
            Gate::Grey { until } => Some(until),
            Gate::Banned { until } => until,
            Gate::Open | Gate::Warned => None,
        };
        Self {
            trust: shown(standing.trust),
            belief: shown(standing.belief),
            uncertainty: shown(standing.uncertainty),
            level: standing.level.name().into(),
            gate: standing.gate.name().into(),
            until: until.map(rfc3339),
        }
    }
}

/// A link to a peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkView {
    /// Where the other end is.
    pub remote: String,
    /// Whether the other end dialled.
    pub inbound: bool,
    /// Since when.
    pub since: String,
    /// The last round trip, in ms.
    pub latency_ms: Option<u64>,
    /// Whether it missed probes and has not been heard since.
    pub suspected: bool,
    /// The other end's software, escaped.
    pub agent: String,
}

/// A known peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerView {
    /// Its id.
    pub id: String,
    /// `known`, `connecting` or `active`.
    pub state: String,
    /// What is thought of it.
    pub standing: StandingView,
    /// Where to dial it.
    pub addresses: Vec<String>,
    /// When there was last a sign of life.
    pub last_seen: String,
    /// Failed attempts since then.
    pub failures: u16,
    /// `supported`, `not-supported` or `unknown`.
    pub encrypted_transfer: String,
    /// Things done together, ever.
    #[serde(default)]
    pub interactions: u64,
    /// The share of probes answered, with the prior.
    #[serde(default)]
    pub uptime: f64,
    /// The link, if there is one.
    pub link: Option<LinkView>,
}

impl From<PeerStatus> for PeerView {
    fn from(peer: PeerStatus) -> Self {
        let PeerStatus {
            view,
            standing,
            entry,
            ..
        } = peer;
        let support = match view.support(Capability::ENCRYPTED_TRANSFER) {
            Support::Supported => "supported",
            Support::NotSupported => "not-supported",
            Support::Unknown => "unknown",
        };
        let state = match view.state {
            repute_node::peers::PeerState::Known => "known",
            repute_node::peers::PeerState::Connecting => "connecting",
            repute_node::peers::PeerState::Active => "active",
        };
        Self {
            id: view.id.to_string(),
            state: state.into(),
            standing: standing.into(),
            addresses: view.addresses.iter().map(ToString::to_string).collect(),
            last_seen: rfc3339(view.last_seen),
            failures: view.failures,
            encrypted_transfer: support.into(),
            interactions: entry.interactions,
            uptime: shown(entry.uptime),
            link: view.link.map(|link| LinkView {
                remote: link.remote.to_string(),
                inbound: link.inbound,
                since: rfc3339(link.since),
                latency_ms: link.latency_ms,
                suspected: link.suspected,
                agent: link.agent.escaped().to_string(),
            }),
        }
    }
}

/// Known peers, best first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peers {
    /// At most as many as were asked for.
    pub peers: Vec<PeerView>,
    /// How many there are in all.
    pub total: usize,
}

/// One event of a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainLine {
    /// Its place in the ledger.
    pub number: u64,
    /// When.
    pub time: String,
    /// What happened.
    pub evidence: String,
    /// Whose fault it was.
    pub fault: String,
    /// As what the peer was judged.
    pub context: String,
    /// What it weighed then, in events; negative for faults.
    pub weight_then: f64,
    /// What is left of that today.
    pub weight_today: f64,
}

/// Why a peer stands where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainView {
    /// Whose score.
    pub id: String,
    /// When it was recomputed.
    pub time: String,
    /// What the events come to.
    pub standing: StandingView,
    /// Whether that is, to the last bit, the score in use.
    pub matches: bool,
    /// What is not, when it is not.
    #[serde(default)]
    pub mismatch: Option<String>,
    /// The rule behind a gate that is closed.
    #[serde(default)]
    pub ban: Option<BanView>,
    /// Good evidence today, in events.
    pub useful: f64,
    /// Evidence of hard faults today, in events.
    pub hard: f64,
    /// Evidence of soft faults today, in events.
    pub soft: f64,
    /// The score of what is not known: what a stranger has, moved by recommendations.
    pub prior: f64,
    /// What moves it, the strongest first.
    pub recommendations: Vec<RecommendationView>,
    /// The events, oldest first.
    pub events: Vec<ExplainLine>,
}

impl From<Explanation> for ExplainView {
    fn from(why: Explanation) -> Self {
        let line = |line: &repute_node::trust::Line| ExplainLine {
            number: line.number,
            time: rfc3339(line.wall),
            evidence: line.evidence.name().into(),
            fault: line.fault.name().into(),
            context: line.context.name().into(),
            weight_then: shown(line.weight_then),
            weight_today: shown(line.weight_today),
        };
        Self {
            id: why.subject.to_string(),
            time: rfc3339(why.at),
            standing: why.standing.into(),
            matches: why.matches,
            mismatch: why.mismatch.map(|part| {
                format!(
                    "{}: the stored events come to {}, in use is {}",
                    part.what, part.recomputed, part.used
                )
            }),
            ban: why.ban.map(Into::into),
            useful: shown(why.useful),
            hard: shown(why.hard),
            soft: shown(why.soft),
            prior: shown(why.prior),
            recommendations: why.influences.into_iter().map(Into::into).collect(),
            events: why.lines.iter().map(line).collect(),
        }
    }
}

/// A closed gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanView {
    /// Whose.
    pub id: String,
    /// How far up the ladder.
    pub rung: String,
    /// Since when.
    pub since: String,
    /// Until when; `null` for good.
    pub until: Option<String>,
    /// Why.
    pub reason: String,
    /// `rule` or `operator`.
    pub by: String,
}

impl From<Ban> for BanView {
    fn from(ban: Ban) -> Self {
        Self {
            id: ban.subject.to_string(),
            rung: ban.rung.name().into(),
            since: rfc3339(ban.since),
            until: ban.until.map(rfc3339),
            reason: ban.reason.to_string(),
            by: ban.by.name().into(),
        }
    }
}

/// The bans in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bans {
    /// One for each closed gate.
    pub bans: Vec<BanView>,
}

/// Asks for a ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BanRequest {
    /// Whom.
    pub id: String,
    /// For how many seconds; `null` for good.
    #[serde(default)]
    pub seconds: Option<u64>,
    /// Why, at most 128 bytes.
    #[serde(default)]
    pub reason: String,
}

/// Asks for a message to be spread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// Where it belongs.
    pub topic: String,
    /// What it says, as text.
    pub text: String,
    /// The application's kind.
    #[serde(default)]
    pub kind: u16,
}

/// A message is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Its name.
    pub id: String,
}

/// Asks to join through a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// That node's ticket, or its id: then the DHT says where it is.
    pub ticket: String,
}

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketView {
    /// To be given to others.
    pub ticket: String,
    /// Until when it is worth dialling.
    pub expires: String,
}

/// It was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Always true; an error is a problem document.
    pub done: bool,
}

/// A message of a subscription, one JSON line each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageView {
    /// Its name.
    pub id: String,
    /// Where it belongs.
    pub topic: String,
    /// Who wrote and signed it.
    pub author: String,
    /// When, by the author's clock.
    pub sent: String,
    /// The application's kind.
    pub kind: u16,
    /// What it says, if it is UTF-8.
    pub text: Option<String>,
    /// What it says, in hex, if it is not.
    pub hex: Option<String>,
    /// Messages lost before this one because the reader was too slow.
    pub lost: u64,
}

/// Something that happened, one JSON line each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// What, such as `connected`, `banned`, `misbehaved`.
    pub event: String,
    /// With whom.
    pub peer: String,
    /// More, in plain words.
    pub detail: String,
}
