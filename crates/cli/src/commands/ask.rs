//! Commands that ask a running node once.

use std::fmt::Write;

use repute_console::{
    BanRequest, ExplainLine, ExplainView, JoinRequest, LayerView, PeerView, PublishRequest,
    RefusalView, StatusView,
};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::client;
use crate::{
    args::Global,
    exit::{Exit, Failure},
    print::{print, print_json},
    show::{bar, bytes, escaped, parse_span, short, span},
};

type Done = Result<(), Failure>;

/// Refusals that `repute status` shows.
const REFUSALS_SHOWN: usize = 5;

pub(super) async fn ticket(global: &Global) -> Done {
    let view = client(global)?.ticket().await?;
    if global.json {
        print_json(&view)
    } else {
        print(&format!("{}\n", view.ticket))
    }
}

pub(super) async fn status(global: &Global, layers: bool) -> Done {
    let client = client(global)?;
    let view = client.status().await?;
    if layers {
        return show_layers(global, &view.layers);
    }
    if global.json {
        return print_json(&view);
    }
    let mut out = status_text(&view);
    let refusals = client.refusals().await?.refusals;
    out.push_str(&refused_text(&refusals));
    print(&out)
}

/// The layers in their order, each with its reasons below it.
fn show_layers(global: &Global, layers: &[LayerView]) -> Done {
    if global.json {
        return print_json(&serde_json::json!({ "layers": layers }));
    }
    let mut out = format!(
        "{:<16}{:>12}{:>12}  looks at\n",
        "layer", "passed", "refused"
    );
    for layer in layers {
        let LayerView {
            layer: name,
            looks_at,
            passed,
            refused,
            reasons,
        } = layer;
        let _written = writeln!(out, "{name:<16}{passed:>12}{refused:>12}  {looks_at}");
        for one in reasons {
            let _written = writeln!(out, "{:<28}{:>12}  {}", "", one.count, one.reason);
        }
    }
    print(&out)
}

/// Who turns this node away, a line each.
fn refused_text(refusals: &[RefusalView]) -> String {
    let mut out = String::new();
    for (place, refusal) in refusals.iter().take(REFUSALS_SHOWN).enumerate() {
        let name = if place == 0 { "refused by" } else { "" };
        let _written = writeln!(
            out,
            "{name:<12}{}: {} ({}); try again at {}",
            short(&refusal.id),
            refusal.reason,
            escaped(&refusal.detail),
            refusal.retry
        );
    }
    if let Some(more) = refusals
        .len()
        .checked_sub(REFUSALS_SHOWN)
        .filter(|more| *more > 0)
    {
        let _written = writeln!(out, "{:<12}and {more} more", "");
    }
    out
}

fn status_text(view: &StatusView) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _written = writeln!(out, "{name:<12}{value}");
    };
    line("id", view.id.clone());
    line("listening", view.listen.join(", "));
    line(
        "running",
        format!("{} (version {})", span(view.uptime_ms), view.version),
    );
    line(
        "links",
        format!(
            "{} active, {} peers known",
            view.peers_active, view.peers_known
        ),
    );
    line(
        "messages",
        format!(
            "{} published, {} received, {} delivered, {} duplicate copies",
            view.published, view.received, view.delivered, view.duplicates
        ),
    );
    line(
        "traffic",
        format!("{} in, {} out", bytes(view.bytes_in), bytes(view.bytes_out)),
    );
    if let Some(files) = &view.files {
        line(
            "files",
            format!(
                "{} sent, {} received, {} kept, {} being fetched",
                bytes(files.bytes_sent),
                bytes(files.bytes_received),
                bytes(files.used_bytes),
                files.downloads
            ),
        );
    }
    line(
        "ledger",
        format!(
            "{} peers, {} events, {} bans",
            view.subjects, view.stored_events, view.bans
        ),
    );
    let mut trouble = Vec::new();
    for (count, what) in [
        (view.forged, "forged copies refused"),
        (view.lost_deliveries, "messages lost to slow subscribers"),
        (view.unsent, "frames that found no link"),
        (view.unchecked, "signature checks refused to floods"),
        (view.failed_writes, "writes refused by the store"),
        (view.damaged_rows, "damaged rows left out"),
        (view.panics, "tasks that panicked (a defect: please report)"),
    ] {
        if count > 0 {
            trouble.push(format!("{count} {what}"));
        }
    }
    if view.storage_full {
        trouble.push("the disk is full".into());
    }
    line(
        "trouble",
        if trouble.is_empty() {
            "none".into()
        } else {
            trouble.join("; ")
        },
    );
    out
}

pub(super) async fn peer(global: &Global, id: &str) -> Done {
    let id = full_id(global, id).await?;
    let view = client(global)?.peer(&id).await?;
    if global.json {
        print_json(&view)
    } else {
        print(&peer_text(&view))
    }
}

fn peer_text(peer: &PeerView) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        let _written = writeln!(out, "{name:<12}{value}");
    };
    let standing = &peer.standing;
    line("id", &peer.id);
    line("state", &peer.state);
    line(
        "trust",
        &format!(
            "{} {:.3} ({})",
            bar(standing.trust, 20),
            standing.trust,
            standing.level
        ),
    );
    line(
        "uncertainty",
        &format!(
            "{} {:.3}",
            bar(standing.uncertainty, 20),
            standing.uncertainty
        ),
    );
    let until = standing
        .until
        .as_ref()
        .map(|until| format!(" until {until}"))
        .unwrap_or_default();
    line("gate", &format!("{}{until}", standing.gate));
    line("addresses", &peer.addresses.join(", "));
    line("last seen", &peer.last_seen);
    line("encryption", &peer.encrypted_transfer);
    if let Some(link) = &peer.link {
        let direction = if link.inbound { "inbound" } else { "outbound" };
        let latency = link
            .latency_ms
            .map(|ms| format!(", {ms} ms"))
            .unwrap_or_default();
        line(
            "link",
            &format!("{direction} {} since {}{latency}", link.remote, link.since),
        );
        line("software", &escaped(&link.agent));
    }
    out
}

pub(super) async fn explain(global: &Global, id: &str) -> Done {
    let id = full_id(global, id).await?;
    let view = client(global)?.explain(&id).await?;
    if global.json {
        print_json(&view)
    } else {
        print(&explain_text(&view))
    }
}

/// What happened; of files, in words that say so.
fn event_words(line: &ExplainLine) -> &str {
    match (line.context.as_str(), line.evidence.as_str()) {
        ("transfer", "useful") => "file served",
        ("transfer", "timeout") => "file stalled",
        (_, evidence) => evidence,
    }
}

fn explain_text(why: &ExplainView) -> String {
    let standing = &why.standing;
    let mut out = format!(
        "{}\ntrust {:.6}, belief {:.6}, uncertainty {:.6}: {}, gate {}\n",
        why.id,
        standing.trust,
        standing.belief,
        standing.uncertainty,
        standing.level,
        standing.gate
    );
    let _written = writeln!(
        out,
        "from {:.3} events of good evidence, {:.3} of hard faults, {:.3} of soft faults\n",
        why.useful, why.hard, why.soft
    );
    if let Some(ban) = &why.ban {
        let until = ban.until.as_deref().unwrap_or("for good");
        let _written = writeln!(
            out,
            "kept out by the {} since {}, until {until}: {}\n",
            ban.by,
            ban.since,
            escaped(&ban.reason)
        );
    }
    if !why.recommendations.is_empty() {
        let _written = writeln!(
            out,
            "what others say makes {:.6} of the unknown part",
            why.prior
        );
    }
    for line in &why.recommendations {
        let by = if line.own { "you" } else { short(&line.source) };
        let reason = match line.reason.is_empty() {
            true => String::new(),
            false => format!(": {}", escaped(&line.reason)),
        };
        let _written = writeln!(
            out,
            "  {:+.2} by {by:<11} moves it by {:+.6}, until {}{reason}",
            line.value, line.moves, line.expires
        );
    }
    if why.events.is_empty() {
        out.push_str("no events: a stranger\n");
    } else {
        let _written = writeln!(
            out,
            "{:<25} {:<18} {:<8} {:>9} {:>9}",
            "TIME", "EVENT", "FAULT", "THEN", "TODAY"
        );
    }
    for line in &why.events {
        let _written = writeln!(
            out,
            "{:<25} {:<18} {:<8} {:>9.3} {:>9.3}",
            line.time,
            event_words(line),
            line.fault,
            line.weight_then,
            line.weight_today
        );
    }
    out.push_str(if why.matches {
        "\nrecomputed from the stored events: equal to the score in use, bit for bit\n"
    } else {
        "\nrecomputed from the stored events: NOT the score in use; some events are not stored\n"
    });
    if let Some(mismatch) = &why.mismatch {
        let _written = writeln!(out, "what differs: {mismatch}");
    }
    out
}

/// The id that begins with `text`, if exactly one known peer has it; else `text` itself.
pub(super) async fn full_id(global: &Global, text: &str) -> Result<String, Failure> {
    if text.len() >= 52 {
        return Ok(text.into());
    }
    let peers = client(global)?.peers(10_000).await?.peers;
    let mut found = peers
        .iter()
        .filter(|peer| peer.id.starts_with(&text.to_ascii_lowercase()));
    match (found.next(), found.next()) {
        (Some(one), None) if text.len() >= 4 => Ok(one.id.clone()),
        (Some(_), Some(_)) => Err(Failure::new(
            Exit::Usage,
            format!("several peers' ids begin with {}: give more", escaped(text)),
        )),
        _ => {
            let text = escaped(text);
            Err(Failure::new(
                Exit::NotFound,
                format!("no known peer's id begins with {text}"),
            ))
        }
    }
}

pub(super) async fn ban(
    global: &Global,
    id: String,
    duration: Option<&str>,
    reason: String,
) -> Done {
    let seconds = duration.map(parse_span).transpose();
    let seconds = seconds.map_err(|error| Failure::new(Exit::Usage, error))?;
    let id = if id.len() < 52 {
        full_id(global, &id).await?
    } else {
        id
    };
    let done = client(global)?
        .ban(&BanRequest {
            id,
            seconds,
            reason,
        })
        .await?;
    if global.json {
        print_json(&done)
    } else {
        print("banned\n")
    }
}

pub(super) async fn bans(global: &Global) -> Done {
    let view = client(global)?.bans().await?;
    if global.json {
        return print_json(&view);
    }
    if view.bans.is_empty() {
        return print("no bans\n");
    }
    let mut out = format!(
        "{:<11} {:<11} {:<9} {:<25} REASON\n",
        "PEER", "RUNG", "BY", "UNTIL"
    );
    for ban in &view.bans {
        let until = ban.until.as_deref().unwrap_or("for good");
        let _written = writeln!(
            out,
            "{:<11} {:<11} {:<9} {until:<25} {}",
            short(&ban.id),
            ban.rung,
            ban.by,
            escaped(&ban.reason)
        );
    }
    print(&out)
}

pub(super) async fn unban(global: &Global, id: &str) -> Done {
    let client = client(global)?;
    // A short form is looked up among the bans: a banned peer may have left the address book.
    let id = if id.len() >= 52 {
        id.to_owned()
    } else {
        let bans = client.bans().await?.bans;
        let mut found = bans
            .iter()
            .filter(|ban| id.len() >= 4 && ban.id.starts_with(id));
        match (found.next(), found.next()) {
            (Some(one), None) => one.id.clone(),
            _ => {
                let message = format!("no single ban is of an id that begins with {}", escaped(id));
                return Err(Failure::new(Exit::NotFound, message));
            }
        }
    };
    let done = client.unban(&id).await?;
    if global.json {
        print_json(&done)
    } else {
        print("ban lifted\n")
    }
}

pub(super) async fn join(global: &Global, ticket: String) -> Done {
    let done = client(global)?.join(&JoinRequest { ticket }).await?;
    if global.json {
        print_json(&done)
    } else {
        print("dialling; see `repute peers`\n")
    }
}

pub(super) async fn publish(global: &Global, topic: String, text: String, kind: u16) -> Done {
    let client = client(global)?;
    if text != "-" {
        let published = client
            .publish(&PublishRequest { topic, text, kind })
            .await?;
        return if global.json {
            print_json(&published)
        } else {
            print(&format!("{}\n", published.id))
        };
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(text) = lines.next_line().await? {
        let request = PublishRequest {
            topic: topic.clone(),
            text,
            kind,
        };
        let published = client.publish(&request).await?;
        if global.json {
            print_json(&published)?
        } else {
            print(&format!("{}\n", published.id))?
        }
    }
    Ok(())
}

pub(super) async fn down(global: &Global) -> Done {
    let client = client(global)?;
    let done = client.stop().await?;
    // The socket goes last: once nobody answers, the node is gone.
    for _ in 0..100 {
        if client.status().await.is_err() {
            return if global.json {
                print_json(&done)
            } else {
                print("stopped\n")
            };
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err(Failure::new(
        Exit::Timeout,
        "the node has not stopped within 10 s",
    ))
}
