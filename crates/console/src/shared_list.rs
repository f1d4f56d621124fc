//! Blacklists that people hand to each other: what is in one, and what taking it in would do.
//!
//! A list is somebody's opinion. It is never evidence: no score moves by it, and nothing of it is
//! passed on as this node's own.

use std::collections::BTreeMap;

use repute_base::{Address, Prefix, Wall};
use repute_identity::NodeId;
use repute_node::trust::{AddressBan, Target};
use serde::{Deserialize, Serialize};

use crate::{
    BlacklistView, EntryRequest, EntryView, PeerView,
    time::{parse_rfc3339, rfc3339},
};

/// What every list says of its form.
const SCHEMA: &str = "repute-blacklist/1";
/// What every list says of its worth, and every import repeats.
const NOTICE: &str = "A shared list is its author's opinion, not evidence: look at whom it hits before taking it in.";
/// The longest file that is read, in bytes.
const FILE_MAX: usize = 4 << 20;
/// Entries taken from one file: as many as there is room for of both kinds.
const ENTRIES_MAX: usize = 10_000 + AddressBan::COUNT_MAX;
/// Bytes of a reason.
const REASON_MAX: usize = 128;
/// What an imported reason begins with, so that nobody takes it for one's own.
const IMPORTED: &str = "imported: ";
/// Refused entries that are shown one by one.
const SKIPPED_SHOWN: usize = 100;

/// A list as it is written to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedList {
    /// The form and its version.
    pub schema: String,
    /// What a list is worth.
    #[serde(default)]
    pub notice: String,
    /// When it was written.
    #[serde(default)]
    pub exported: String,
    /// The entries.
    pub entries: Vec<SharedEntry>,
}

/// One entry of a shared list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedEntry {
    /// An id, an address or a prefix.
    pub target: String,
    /// Since when its author lists it.
    #[serde(default)]
    pub since: Option<String>,
    /// Until when; absent or `null` for good.
    #[serde(default)]
    pub until: Option<String>,
    /// `rule` or `operator`, at its author.
    #[serde(default)]
    pub by: Option<String>,
    /// Why, as its author says.
    #[serde(default)]
    pub reason: String,
}

/// Why a file is no list. Nothing was taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// Too long to be one.
    #[error("the file has {len} bytes and a list at most {FILE_MAX}: split it")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// Not the form.
    #[error("the file is no list of this form: {0}")]
    Syntax(String),
    /// Another form, or a newer one.
    #[error("the file says schema `{0}`, and this version reads {SCHEMA}")]
    Schema(String),
    /// More entries than there is room for.
    #[error("the list has {count} entries and at most {ENTRIES_MAX} are taken in: split it")]
    TooMany {
        /// How many.
        count: usize,
    },
}

impl SharedList {
    /// The entries of a node, to be handed to others.
    pub fn of(list: &BlacklistView) -> Self {
        let entry = |entry: &EntryView| SharedEntry {
            target: entry.target.clone(),
            since: Some(entry.since.clone()),
            until: entry.until.clone(),
            by: Some(entry.by.clone()),
            reason: entry.reason.clone(),
        };
        Self {
            schema: SCHEMA.into(),
            notice: NOTICE.into(),
            exported: list.time.clone(),
            entries: list.entries.iter().map(entry).collect(),
        }
    }

    /// Reads a file that a stranger may have written.
    ///
    /// # Errors
    /// [`ListError`]; what single entries lack is told by [`SharedList::preview`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ListError> {
        if bytes.len() > FILE_MAX {
            return Err(ListError::TooLong { len: bytes.len() });
        }
        /// Of a list of any version.
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let syntax = |error: serde_json::Error| ListError::Syntax(shown(&error.to_string()));
        let head: Head = serde_json::from_slice(bytes).map_err(syntax)?;
        if head.schema != SCHEMA {
            return Err(ListError::Schema(shown(&head.schema)));
        }
        let list: Self = serde_json::from_slice(bytes).map_err(syntax)?;
        if list.entries.len() > ENTRIES_MAX {
            let count = list.entries.len();
            return Err(ListError::TooMany { count });
        }
        Ok(list)
    }

    /// What taking the list in would do to `own`, the blacklist of the node `me` (if known), and
    /// whom of `peers` it would hit.
    pub fn preview(&self, own: &BlacklistView, me: Option<&str>, peers: &[PeerView]) -> Preview {
        let now = parse_rfc3339(&own.time).unwrap_or_default();
        let known: BTreeMap<&str, &EntryView> = own
            .entries
            .iter()
            .map(|entry| (entry.target.as_str(), entry))
            .collect();
        let mut preview = Preview {
            warning: NOTICE.into(),
            entries: self.entries.len(),
            ..Preview::default()
        };
        let mut taken: BTreeMap<Target, EntryRequest> = BTreeMap::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let (target, request) = match request(entry, me, now) {
                Ok(found) => found,
                Err(why) => {
                    preview.skip(place, entry, why);
                    continue;
                }
            };
            if taken.contains_key(&target) {
                preview.skip(place, entry, "named twice: the first one counts".into());
                continue;
            }
            match known.get(target.to_string().as_str()) {
                None => preview.new += 1,
                Some(own) if own.until == until(&request, now) && own.reason == request.reason => {
                    preview.unchanged += 1;
                    continue;
                }
                Some(_) => preview.replaced += 1,
            }
            taken.insert(target, request);
        }
        preview.hits = hits(&taken, peers);
        preview.changes = taken.into_values().collect();
        preview
    }
}

/// What taking a list in would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// What a list is worth.
    pub warning: String,
    /// Entries of the list.
    pub entries: usize,
    /// Entries that name somebody who is not on the blacklist.
    pub new: usize,
    /// Entries that take the place of one that is there.
    pub replaced: usize,
    /// Entries that are there already.
    pub unchanged: usize,
    /// Entries that are left out.
    pub skipped: usize,
    /// Why, of the first hundred.
    pub skipped_because: Vec<Skipped>,
    /// Known peers who would be kept out, the most trusted first.
    pub hits: Vec<Hit>,
    /// What would be asked of the node.
    #[serde(skip)]
    pub changes: Vec<EntryRequest>,
}

/// An entry that is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its place in the list, from 0.
    pub place: usize,
    /// Whom it names, cut and escaped.
    pub target: String,
    /// Why.
    pub why: String,
}

/// A known peer who would be kept out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// Who.
    pub id: String,
    /// By which entry.
    pub target: String,
    /// Its level here.
    pub level: String,
    /// Its score here.
    pub trust: f64,
    /// Whether there is a link now.
    pub linked: bool,
}

impl Preview {
    fn skip(&mut self, place: usize, entry: &SharedEntry, why: String) {
        self.skipped += 1;
        if self.skipped_because.len() < SKIPPED_SHOWN {
            let target = shown(&entry.target);
            self.skipped_because.push(Skipped { place, target, why });
        }
    }
}

/// A stranger's text, cut and safe to show.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(80).collect();
    cut.escape_debug().to_string()
}

fn request(
    entry: &SharedEntry,
    me: Option<&str>,
    now: Wall,
) -> Result<(Target, EntryRequest), String> {
    let target: Target = entry
        .target
        .trim()
        .parse()
        .map_err(|error: repute_node::trust::TargetError| error.to_string())?;
    if me.is_some_and(|me| target.to_string() == me) {
        return Err("this is the node's own id".into());
    }
    let seconds = match &entry.until {
        None => None,
        Some(text) => {
            let until = parse_rfc3339(text).ok_or_else(|| {
                format!(
                    "its end `{}` is no time as 2026-11-21T08:00:00Z",
                    shown(text)
                )
            })?;
            let left = until.since(now).as_secs();
            if left == 0 {
                return Err("it is over already".into());
            }
            Some(left)
        }
    };
    let reason = cut(&format!(
        "{IMPORTED}{}",
        entry.reason.trim_start_matches(IMPORTED)
    ));
    let request = EntryRequest {
        target: target.to_string(),
        seconds,
        reason,
    };
    Ok((target, request))
}

/// The first bytes of a text, whole characters.
fn cut(text: &str) -> String {
    let mut end = text.len().min(REASON_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

fn until(request: &EntryRequest, now: Wall) -> Option<String> {
    let left = std::time::Duration::from_secs(request.seconds?);
    Some(rfc3339(now + left))
}

fn hits(taken: &BTreeMap<Target, EntryRequest>, peers: &[PeerView]) -> Vec<Hit> {
    let prefixes: Vec<Prefix> = taken
        .keys()
        .filter_map(|target| match target {
            Target::Addresses(prefix) => Some(*prefix),
            Target::Peer(_) => None,
        })
        .collect();
    let mut hits: Vec<Hit> = peers
        .iter()
        .filter_map(|peer| {
            let target = hit_by(peer, taken, &prefixes)?;
            Some(Hit {
                id: peer.id.clone(),
                target: target.to_string(),
                level: peer.standing.level.clone(),
                trust: peer.standing.trust,
                linked: peer.link.is_some(),
            })
        })
        .collect();
    hits.sort_by(|a, b| b.trust.total_cmp(&a.trust).then_with(|| a.id.cmp(&b.id)));
    hits
}

fn hit_by(
    peer: &PeerView,
    taken: &BTreeMap<Target, EntryRequest>,
    prefixes: &[Prefix],
) -> Option<Target> {
    let by_id = peer.id.parse::<NodeId>().ok().map(Target::Peer);
    if let Some(target) = by_id.filter(|target| taken.contains_key(target)) {
        return Some(target);
    }
    // One that has another address may still be reached there; where its link stands decides.
    let at: Vec<Address> = match &peer.link {
        Some(link) => link.remote.parse().into_iter().collect(),
        None => peer
            .addresses
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect(),
    };
    let barred = |address: &Address| prefixes.iter().find(|prefix| prefix.contains(address.ip()));
    let covering: Vec<Option<&Prefix>> = at.iter().map(barred).collect();
    match covering.first() {
        Some(Some(prefix)) if covering.iter().all(Option::is_some) => {
            Some(Target::Addresses(**prefix))
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]
mod tests {
    use super::*;
    use crate::{LinkView, StandingView};

    fn id(n: u8) -> String {
        NodeId::from_bytes([n; 32]).to_string()
    }

    fn entry(target: &str, until: Option<&str>, reason: &str) -> EntryView {
        EntryView {
            target: target.into(),
            kind: "id".into(),
            since: "2026-11-01T00:00:00.000Z".into(),
            until: until.map(Into::into),
            by: "operator".into(),
            code: "operator".into(),
            reason: reason.into(),
        }
    }

    fn own(entries: Vec<EntryView>) -> BlacklistView {
        BlacklistView {
            mode: "hybrid".into(),
            time: "2026-11-21T00:00:00.000Z".into(),
            total: entries.len(),
            entries,
        }
    }

    fn peer(n: u8, remote: Option<&str>, addresses: &[&str], trust: f64) -> PeerView {
        PeerView {
            id: id(n),
            state: "known".into(),
            standing: StandingView {
                trust,
                belief: 0.0,
                uncertainty: 1.0,
                level: "high".into(),
                gate: "open".into(),
                until: None,
            },
            addresses: addresses.iter().map(|text| (*text).into()).collect(),
            last_seen: String::new(),
            failures: 0,
            encrypted_transfer: "unknown".into(),
            interactions: 0,
            uptime: 0.5,
            link: remote.map(|remote| LinkView {
                remote: remote.into(),
                inbound: true,
                since: String::new(),
                latency_ms: None,
                suspected: false,
                agent: String::new(),
            }),
        }
    }

    #[test]
    fn what_is_exported_comes_back_as_it_was_but_for_whose_word_it_is() {
        let list = own(vec![
            entry(&id(1), Some("2026-12-01T00:00:00.000Z"), "spam"),
            entry("192.0.2.0/24", None, "a crawler"),
        ]);
        let text = serde_json::to_vec(&SharedList::of(&list)).unwrap();
        let back = SharedList::parse(&text).unwrap();
        let preview = back.preview(&own(Vec::new()), None, &[]);
        assert_eq!((preview.new, preview.skipped), (2, 0));
        assert!(preview.warning.contains("opinion"));
        let ten_days = Some(10 * 86_400);
        assert_eq!(preview.changes[0].seconds, ten_days);
        assert_eq!(preview.changes[0].reason, "imported: spam");
        assert_eq!(preview.changes[1].target, "192.0.2.0/24");
        // Taken in once, it is there: no second import grows the reason.
        let taken = preview.changes.iter().map(|change| {
            entry(
                &change.target,
                until(change, Wall::from_millis(0)).as_deref(),
                &change.reason,
            )
        });
        let taken = own(taken.collect());
        let again = SharedList::of(&taken).preview(&own(Vec::new()), None, &[]);
        assert_eq!(again.changes.last().unwrap().reason, "imported: a crawler");
        let mut there = own(vec![entry("192.0.2.0/24", None, "imported: a crawler")]);
        there.entries[0].kind = "prefix".into();
        let again = back.preview(&there, None, &[]);
        assert_eq!((again.new, again.replaced, again.unchanged), (1, 0, 1));
    }

    #[test]
    fn a_preview_names_whom_it_hits_the_most_trusted_first() {
        let text = format!(
            r#"{{"schema":"repute-blacklist/1","entries":[
                {{"target":"{}"}}, {{"target":"198.51.100.0/24","reason":"x"}}]}}"#,
            id(1)
        );
        let list = SharedList::parse(text.as_bytes()).unwrap();
        let peers = [
            peer(1, None, &[], 0.4),
            peer(2, Some("198.51.100.7:1"), &["203.0.113.1:1"], 0.9),
            peer(3, Some("203.0.113.7:1"), &["198.51.100.7:1"], 0.9),
            peer(4, None, &["198.51.100.8:1", "203.0.113.1:1"], 0.9),
            peer(5, None, &["198.51.100.8:1"], 0.2),
        ];
        let hit: Vec<(String, String)> = list
            .preview(&own(Vec::new()), None, &peers)
            .hits
            .into_iter()
            .map(|hit| (hit.id, hit.target))
            .collect();
        let prefix = "198.51.100.0/24".to_owned();
        assert_eq!(
            hit,
            [(id(2), prefix.clone()), (id(1), id(1)), (id(5), prefix)]
        );
    }

    #[test]
    fn hostile_lists_are_refused_or_lose_their_bad_entries() {
        let parse = |text: &str| SharedList::parse(text.as_bytes());
        assert!(matches!(parse("{"), Err(ListError::Syntax(_))));
        assert!(matches!(parse("[]"), Err(ListError::Syntax(_))));
        assert!(matches!(
            parse(&"[".repeat(100_000)),
            Err(ListError::Syntax(_))
        ));
        assert!(matches!(
            parse(r#"{"schema":"repute-blacklist/2","entries":7}"#),
            Err(ListError::Schema(_))
        ));
        assert!(matches!(
            SharedList::parse(&vec![b' '; FILE_MAX + 1]),
            Err(ListError::TooLong { .. })
        ));
        let many = r#"{"target":"x"},"#.repeat(ENTRIES_MAX) + r#"{"target":"x"}"#;
        let many = format!(r#"{{"schema":"repute-blacklist/1","entries":[{many}]}}"#);
        assert!(matches!(parse(&many), Err(ListError::TooMany { .. })));

        let me = id(9);
        let long = "ü".repeat(500);
        let text = format!(
            r#"{{"schema":"repute-blacklist/1","surprise":1,"entries":[
                {{"target":"{me}"}},
                {{"target":"0.0.0.0/0"}},
                {{"target":"\u001b[31m"}},
                {{"target":"192.0.2.1","until":"soon"}},
                {{"target":"192.0.2.1","until":"2020-01-01T00:00:00Z"}},
                {{"target":"::ffff:192.0.2.2","reason":"{long}"}},
                {{"target":"192.0.2.2/32"}}]}}"#
        );
        let preview = parse(&text)
            .unwrap()
            .preview(&own(Vec::new()), Some(&me), &[]);
        assert_eq!((preview.entries, preview.new, preview.skipped), (7, 1, 6));
        let places: Vec<usize> = preview
            .skipped_because
            .iter()
            .map(|skip| skip.place)
            .collect();
        assert_eq!(places, [0, 1, 2, 3, 4, 6]);
        assert!(!preview.skipped_because[2].target.contains('\u{1b}'));
        assert!(preview.changes[0].reason.len() <= REASON_MAX);
    }

    proptest::proptest! {
        #[test]
        fn no_file_makes_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            if let Ok(list) = SharedList::parse(&bytes) {
                list.preview(&own(Vec::new()), None, &[]);
            }
        }

        #[test]
        fn no_entry_makes_it_panic(target in ".{0,60}", until in ".{0,40}", reason in ".{0,200}") {
            let list = SharedList {
                schema: SCHEMA.into(),
                notice: String::new(),
                exported: String::new(),
                entries: vec![SharedEntry {
                    target, since: None, until: Some(until), by: None, reason,
                }],
            };
            list.preview(&own(Vec::new()), None, &[]);
        }
    }
}
