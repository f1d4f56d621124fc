//! What the API asks of the DHT, in the node's words.

use std::{collections::BTreeMap, time::Duration};

use repute_node::{
    DhtStatus, Node, NodeError,
    dht::{DirectoryCounters, DirectoryRefusal, Event, FoundRecord, Outcome, Stats, Step, Want},
};
use repute_protocol::{Contact, RecordError, RecordKey, RecordKind};

use crate::{
    ControlError, DhtBucketView, DhtContactView, DhtGetQuery, DhtLookupQuery, DhtLookupView,
    DhtOutcomeView, DhtPutRequest, DhtPutView, DhtRecordView, DhtRecordsView, DhtStatsView,
    DhtStepView, DirectoryStatsView,
    node::parse_id,
    octets::{from_text_or_hex, text_or_hex},
    time::rfc3339,
};

type Answer<T> = Result<T, ControlError>;

/// Records in one answer.
const RECORDS_MAX: usize = 256;
/// Steps of a lookup that are told; more are not.
const STEPS_MAX: usize = 2_048;

pub(crate) async fn stats(node: &Node) -> Answer<DhtStatsView> {
    let status = node.dht_status().await?;
    let DhtStatus {
        stats, contacts, ..
    } = status.ok_or(NodeError::NoDht)?;
    let counters = node.directory_counters().await?.unwrap_or_default();
    let table = contacts.iter().map(|one| contact(one, true)).collect();
    Ok(stats_view(&stats, table, &counters))
}

fn stats_view(
    stats: &Stats,
    table: Vec<DhtContactView>,
    counters: &DirectoryCounters,
) -> DhtStatsView {
    let bucket = |(bits, contacts): &(u8, usize)| DhtBucketView {
        bits: *bits,
        contacts: *contacts,
    };
    let records = stats.records.iter();
    let mut refused: BTreeMap<String, u64> = RecordError::ALL
        .into_iter()
        .map(|error| (error.name().into(), stats.refused_for(error)))
        .collect();
    for (name, count) in [
        ("older", stats.refused_older),
        ("full", stats.refused_full),
        ("forged", stats.refused_forged),
        ("foreign", stats.refused_foreign),
        ("hasty", stats.refused_hasty),
    ] {
        refused.insert(name.into(), count);
    }
    DhtStatsView {
        serving: stats.serving,
        table,
        replacements: stats.replacements,
        buckets: stats.buckets.iter().map(bucket).collect(),
        lookups: stats.lookups,
        lookups_ended: stats.lookups_ended,
        records: records
            .map(|(kind, count)| (kind.name().into(), *count))
            .collect(),
        record_bytes: stats.record_bytes,
        publications: stats.publications,
        requests_sent: stats.requests_sent,
        answers: stats.answers,
        timeouts: stats.timeouts,
        unreachable: stats.unreachable,
        requests_received: stats.requests_received,
        busy: stats.busy,
        stored: stats.stored,
        refused,
        replicated: stats.replicated,
        handed_over: stats.handed_over,
        repaired: stats.repaired,
        directory: directory_view(counters),
    }
}

fn directory_view(counters: &DirectoryCounters) -> DirectoryStatsView {
    let refused = DirectoryRefusal::ALL.into_iter();
    DirectoryStatsView {
        entries: counters.entries,
        entry_bytes: counters.entry_bytes,
        own: counters.own,
        taken: counters.taken,
        withdrawn: counters.withdrawn,
        expired: counters.expired,
        unreadable: counters.unreadable,
        evicted: counters.evicted,
        searches: counters.searches,
        lookups: counters.lookups,
        refused: refused
            .map(|reason| (reason.name().into(), counters.refused(reason)))
            .collect(),
    }
}

fn contact(contact: &Contact, proven: bool) -> DhtContactView {
    DhtContactView {
        id: contact.id.to_string(),
        addresses: contact.addresses.iter().map(ToString::to_string).collect(),
        proven,
    }
}

pub(crate) async fn put(node: &Node, request: DhtPutRequest) -> Answer<DhtPutView> {
    let value = from_text_or_hex(request.text, request.hex)?;
    let most = RecordKind::Value.lifetime_max();
    let lifetime = request.seconds.map_or(most, Duration::from_secs);
    if lifetime.is_zero() || lifetime > most {
        let hours = most.as_secs() / 3_600;
        let problem = format!("a value is kept for 1 s to {hours} h: choose a time between these");
        return Err(ControlError::BadRequest(problem));
    }
    let (len, value_max) = (value.len(), RecordKind::Value.value_max());
    if len > value_max {
        let problem = format!(
            "the value has {len} bytes, and at most {value_max} are kept: share more as a file"
        );
        return Err(ControlError::BadRequest(problem));
    }
    let put = node.dht_put(request.name.as_bytes(), &value, lifetime);
    let (key, copies) = put.await?;
    Ok(DhtPutView {
        key: key.to_string(),
        author: node.id().to_string(),
        name: request.name,
        copies,
    })
}

pub(crate) async fn get(node: &Node, wanted: DhtGetQuery) -> Answer<DhtRecordsView> {
    let key = match (wanted.key, wanted.name) {
        (Some(key), None) if wanted.author.is_none() => parse_key(&key)?,
        (None, Some(name)) => {
            let author = wanted.author.as_deref().map(parse_id).transpose()?;
            let author = author.unwrap_or_else(|| node.id());
            RecordKey::of(RecordKind::Value, &author, name.as_bytes())
        }
        _ => {
            let problem = "name a key, or an author and a name";
            return Err(ControlError::BadRequest(problem.into()));
        }
    };
    let want = match wanted.want.as_str() {
        "" | "newest" => Want::Newest,
        "first" => Want::First,
        "all" => Want::All { max: RECORDS_MAX },
        other => {
            let problem = format!("`{other}` cannot be wanted: use newest, first or all");
            return Err(ControlError::BadRequest(problem));
        }
    };
    let found = node.dht_find(key, want).await?;
    // Of copies of one record that came while others were asked, the newest is the answer.
    let mut newest = BTreeMap::new();
    for record in &found.records {
        let place = (record.filed.author, record.filed.record.slot);
        let known: &mut &FoundRecord = newest.entry(place).or_insert(record);
        if record.envelope.seq() > known.envelope.seq() {
            *known = record;
        }
    }
    Ok(DhtRecordsView {
        key: key.to_string(),
        records: newest.into_values().map(record_view).collect(),
        lookup: outcome_view(&found.outcome),
    })
}

fn record_view(found: &FoundRecord) -> DhtRecordView {
    let (filed, envelope) = (&found.filed, &found.envelope);
    let (name_text, name_hex) = text_or_hex(&filed.record.name);
    let (text, hex) = text_or_hex(&filed.record.value);
    DhtRecordView {
        author: filed.author.to_string(),
        kind: filed.kind.name().into(),
        slot: filed.record.slot,
        name_text,
        name_hex,
        text,
        hex,
        sent: rfc3339(envelope.sent()),
        expires: rfc3339(filed.expires),
        from: found.from.to_string(),
    }
}

fn outcome_view(outcome: &Outcome) -> DhtOutcomeView {
    DhtOutcomeView {
        requests: outcome.requests,
        answers: outcome.answers,
        hops: outcome.hops,
        holders: outcome.holders,
        quorum: outcome.quorum,
        took_ms: outcome.took_ms,
    }
}

pub(crate) async fn lookup(node: &Node, wanted: DhtLookupQuery) -> Answer<DhtLookupView> {
    let target = parse_key(&wanted.target)?;
    let mut events = node.dht_trace(target, wanted.trace).await?;
    let mut trace = Vec::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::Finished { outcome, .. } => {
                let nodes = outcome.closest.iter().enumerate();
                return Ok(DhtLookupView {
                    target: target.to_string(),
                    closest: nodes
                        .map(|(nth, one)| contact(one, nth < outcome.proven))
                        .collect(),
                    lookup: outcome_view(&outcome),
                    trace,
                });
            }
            Event::Refused { reason, .. } => return Err(NodeError::Dht(reason).into()),
            Event::Trace {
                peer,
                bits,
                hops,
                path,
                step,
                ..
            } if trace.len() < STEPS_MAX => {
                trace.push(step_view(peer.to_string(), (bits, hops, path), step));
            }
            _ => {}
        }
    }
    Err(NodeError::Stopped.into())
}

fn step_view(peer: String, (bits, hops, path): (u32, u32, u8), step: Step) -> DhtStepView {
    let name = match step {
        Step::Asked => "asked",
        Step::Answered { .. } => "answered",
        Step::Slow => "slow",
        Step::Busy => "busy",
        _ => "failed",
    };
    let mut view = DhtStepView {
        peer,
        step: name.into(),
        bits,
        hops,
        path,
        contacts: None,
        closer: None,
        records: None,
        took_ms: None,
    };
    if let Step::Answered {
        contacts,
        closer,
        records,
        took_ms,
    } = step
    {
        view.contacts = Some(contacts);
        view.closer = Some(closer);
        view.records = Some(records);
        view.took_ms = Some(took_ms);
    }
    view
}

fn parse_key(text: &str) -> Answer<RecordKey> {
    let bad = |error| ControlError::BadRequest(format!("not a key or a node's id: {error}"));
    text.parse().map_err(bad)
}
