//! Values and nodes in the DHT.

use std::{fmt::Write, io::Read, path::Path};

use repute_console::{
    DhtGetQuery, DhtLookupQuery, DhtLookupView, DhtOutcomeView, DhtPutRequest, DhtRecordView,
    DhtStatsView, DhtStepView,
};

use super::{ask::full_id, client};
use crate::{
    args::{DhtCommand, Global},
    exit::{Exit, Failure},
    print::{print, print_json},
    show::{bytes, count, escaped, parse_span, short, span},
};

type Done = Result<(), Failure>;

pub(super) async fn run(global: &Global, command: DhtCommand) -> Done {
    match command {
        DhtCommand::Put {
            name,
            value,
            file,
            lifetime,
        } => {
            let value = match (value, file) {
                (Some(value), _) => value.into_bytes(),
                (None, file) => read(&file.unwrap_or_else(|| "-".into()))?,
            };
            put(global, name, value, &lifetime).await
        }
        DhtCommand::Get {
            key,
            author,
            name,
            first,
            all,
        } => {
            let want = match (first, all) {
                (true, _) => "first",
                (_, true) => "all",
                _ => "newest",
            };
            get(global, (key, author, name), want).await
        }
        DhtCommand::Stats => stats(global).await,
        DhtCommand::Lookup { target, trace } => lookup(global, &target, trace).await,
    }
}

/// The bytes of a file, or of stdin.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    // More than any command takes is not read.
    const MOST: u64 = 1 << 20;
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(MOST).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut bytes))
    };
    let shown = path.display();
    read.map_err(|error| Failure::new(Exit::Usage, format!("{shown} cannot be read: {error}")))?;
    Ok(bytes)
}

/// Bytes as the API takes them: text, or hex.
pub(super) fn text_or_hex(bytes: Vec<u8>) -> (Option<String>, Option<String>) {
    match String::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(error) => {
            let hex = error.as_bytes().iter().map(|byte| format!("{byte:02x}"));
            (None, Some(hex.collect()))
        }
    }
}

async fn put(global: &Global, name: String, value: Vec<u8>, lifetime: &str) -> Done {
    let seconds = parse_span(lifetime).map_err(|error| Failure::new(Exit::Usage, error))?;
    let (text, hex) = text_or_hex(value);
    let request = DhtPutRequest {
        name,
        text,
        hex,
        seconds: Some(seconds),
    };
    let view = client(global)?.dht_put(&request).await?;
    if global.json {
        return print_json(&view);
    }
    print(&format!("{}\n", view.key))?;
    match view.copies {
        0 => anstream::eprintln!("no node keeps it yet: it is put again when there are others"),
        1 => anstream::eprintln!("one node keeps it"),
        copies => anstream::eprintln!("{copies} nodes keep it"),
    }
    Ok(())
}

async fn get(
    global: &Global,
    (key, author, name): (Option<String>, Option<String>, Option<String>),
    want: &str,
) -> Done {
    let author = match author {
        Some(author) => Some(full_id(global, &author).await?),
        None => None,
    };
    let wanted = DhtGetQuery {
        key,
        author,
        name,
        want: want.into(),
    };
    let view = client(global)?.dht_get(&wanted).await?;
    if global.json {
        print_json(&view)?;
    } else if let ([one], false) = (&view.records[..], want == "all") {
        print(&format!("{}\n", value_text(one)))?;
    } else {
        view.records
            .iter()
            .try_for_each(|record| print(&record_text(record)))?;
    }
    if view.records.is_empty() {
        let outcome = &view.lookup;
        let problem = format!(
            "nothing is kept there: {} of {} answered",
            outcome.answers,
            count(outcome.requests, "node")
        );
        return Err(Failure::new(Exit::NotFound, problem));
    }
    Ok(())
}

fn value_text(record: &DhtRecordView) -> String {
    match (&record.text, &record.hex) {
        (Some(text), _) => escaped(text),
        (None, Some(hex)) => format!("0x{hex}"),
        (None, None) => String::new(),
    }
}

fn record_text(record: &DhtRecordView) -> String {
    let name = match (&record.name_text, &record.name_hex) {
        (Some(text), _) => escaped(text),
        (None, hex) => format!("0x{}", hex.as_deref().unwrap_or_default()),
    };
    format!(
        "{:<11} {:<13} {name:<20} until {}  {}\n",
        short(&record.author),
        record.kind,
        record.expires,
        value_text(record)
    )
}

async fn lookup(global: &Global, target: &str, trace: bool) -> Done {
    let target = full_id(global, target).await?;
    let wanted = DhtLookupQuery { target, trace };
    let view = client(global)?.dht_lookup(&wanted).await?;
    if global.json {
        print_json(&view)?;
    } else {
        print(&lookup_text(&view))?;
    }
    if view.closest.is_empty() {
        let problem = "no node of the DHT was reached: join the network with `repute join`";
        return Err(Failure::new(Exit::NotFound, problem));
    }
    Ok(())
}

fn lookup_text(view: &DhtLookupView) -> String {
    let mut out = String::new();
    if !view.trace.is_empty() {
        let _written = writeln!(
            out,
            "{:<4} {:<4} {:<11} {:>4}  STEP",
            "PATH", "HOPS", "PEER", "BITS"
        );
    }
    view.trace.iter().for_each(|step| step_text(&mut out, step));
    if !view.trace.is_empty() {
        out.push('\n');
    }
    for node in &view.closest {
        let named = if node.proven {
            ""
        } else {
            "  (named by others)"
        };
        let _written = writeln!(out, "{}  {}{named}", node.id, node.addresses.join(", "));
    }
    let _written = writeln!(out, "{}", outcome_text(&view.lookup));
    out
}

fn step_text(out: &mut String, step: &DhtStepView) {
    let answer = match (step.contacts, step.closer, step.took_ms) {
        (Some(contacts), Some(closer), Some(took_ms)) => {
            format!(" in {}: {contacts} new, {closer} closer", span(took_ms))
        }
        _ => String::new(),
    };
    // Writing to a string cannot fail.
    let _written = writeln!(
        out,
        "{:<4} {:<4} {:<11} {:>4}  {}{answer}",
        step.path,
        step.hops,
        short(&step.peer),
        step.bits,
        step.step
    );
}

fn outcome_text(outcome: &DhtOutcomeView) -> String {
    format!(
        "{}, {}, {}, {}",
        count(outcome.requests, "request"),
        count(outcome.answers, "answer"),
        count(outcome.hops, "hop"),
        span(outcome.took_ms)
    )
}

async fn stats(global: &Global) -> Done {
    let view = client(global)?.dht_stats().await?;
    if global.json {
        print_json(&view)
    } else {
        print(&stats_text(&view))
    }
}

fn stats_text(view: &DhtStatsView) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        let _written = writeln!(out, "{name:<12}{value}");
    };
    let serves = if view.serving {
        "serves others"
    } else {
        "only asks"
    };
    line("role", serves.into());
    let buckets = view.buckets.iter();
    let buckets: Vec<String> = buckets
        .map(|bucket| format!("{}:{}", bucket.bits, bucket.contacts))
        .collect();
    line(
        "table",
        format!(
            "{}, {} waiting; shared bits: {}",
            count(view.table.len() as u64, "node"),
            view.replacements,
            buckets.join(" ")
        ),
    );
    let records = view.records.iter().filter(|(_, count)| **count > 0);
    let records: Vec<String> = records
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    line(
        "keeps",
        format!(
            "{} ({}); {} of its own published",
            bytes(view.record_bytes as u64),
            records.join(", "),
            view.publications
        ),
    );
    line(
        "asked",
        format!(
            "{}, {}, {} too late, {} not reached; {}",
            count(view.requests_sent, "request"),
            count(view.answers, "answer"),
            view.timeouts,
            view.unreachable,
            count(view.lookups_ended, "lookup")
        ),
    );
    line(
        "was asked",
        format!(
            "{}, busy for {}; kept {}, handed on {}, put again {}, repaired {}",
            count(view.requests_received, "request"),
            view.busy,
            view.stored,
            view.handed_over,
            view.replicated,
            view.repaired
        ),
    );
    line("refused", reasons(view.refused.iter()));
    let directory = &view.directory;
    line(
        "directory",
        format!(
            "{} known ({}), {} of its own; {}, {} in the DHT",
            directory.entries,
            bytes(directory.entry_bytes as u64),
            directory.own,
            search(directory.searches),
            directory.lookups
        ),
    );
    line(
        "",
        format!(
            "took {}, withdrawn {}, expired {}, made room {}; refused {}",
            directory.taken,
            directory.withdrawn,
            directory.expired,
            directory.evicted,
            reasons(directory.refused.iter())
        ),
    );
    out
}

fn search(count: u64) -> String {
    match count {
        1 => "1 search".into(),
        many => format!("{many} searches"),
    }
}

/// Counts that are not zero, by reason.
fn reasons<'a>(counts: impl Iterator<Item = (&'a String, &'a u64)>) -> String {
    let counts = counts.filter(|(_, count)| **count > 0);
    let counts: Vec<String> = counts
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    match counts.is_empty() {
        true => "none".into(),
        false => counts.join(", "),
    }
}
