//! `repute blacklist` and `repute appeal`.

use std::{fmt::Write, fs, io::Read, path::Path};

use repute_console::{
    AddRequest, AppealRequest, BlacklistView, ClientError, EditRequest, EntryRequest, PeerView,
    Preview, SharedList,
};
use repute_identity::keystore;
use repute_node::{Archive, NodeConfig, trust::Target};

use super::{ask::full_id, client, data_dir, settings};
use crate::{
    args::{BlacklistCommand, Global},
    exit::{Exit, Failure},
    print::{print, print_json},
    show::{escaped, parse_span, short},
};

type Done = Result<(), Failure>;

/// Peers that a preview looks at.
const PEERS_MAX: usize = 10_000;
/// The longest list that is read, and one byte.
const FILE_MAX: u64 = (4 << 20) + 1;
/// Lines of a preview of each kind.
const SHOWN: usize = 20;

pub(super) async fn run(
    global: &Global,
    command: Option<BlacklistCommand>,
    search: Option<&str>,
) -> Done {
    match command {
        None => list(global, search).await,
        Some(BlacklistCommand::List { search: text }) => {
            list(global, text.as_deref().or(search)).await
        }
        Some(BlacklistCommand::Add {
            target,
            reason,
            duration,
        }) => add(global, &target, reason, duration.as_deref()).await,
        Some(BlacklistCommand::Edit {
            target,
            reason,
            duration,
            for_good,
        }) => {
            let target = listed(global, &target).await?;
            let seconds = seconds(duration.as_deref())?;
            let request = EditRequest {
                target,
                reason,
                seconds,
                for_good,
            };
            let done = client(global)?.blacklist_edit(&request).await?;
            told(global, &done, "changed\n")
        }
        Some(BlacklistCommand::Remove { target }) => {
            let target = listed(global, &target).await?;
            let done = client(global)?.blacklist_remove(&target).await?;
            told(global, &done, "removed\n")
        }
        Some(BlacklistCommand::Clear { yes }) => clear(global, yes).await,
        Some(BlacklistCommand::Import { file, preview, yes }) => {
            import(global, &file, preview, yes).await
        }
        Some(BlacklistCommand::Export { file }) => export(global, file.as_deref()).await,
        Some(BlacklistCommand::Appeals { dismiss }) => appeals(global, dismiss).await,
    }
}

fn told(global: &Global, json: &impl serde::Serialize, text: &str) -> Done {
    if global.json {
        print_json(json)
    } else {
        print(text)
    }
}

fn seconds(duration: Option<&str>) -> Result<Option<u64>, Failure> {
    let seconds = duration.map(parse_span).transpose();
    seconds.map_err(|error| Failure::new(Exit::Usage, error))
}

/// The blacklist and known peers: of the running node, or of its store when none runs.
async fn known(global: &Global) -> Result<(BlacklistView, Vec<PeerView>, Option<String>), Failure> {
    let client = client(global)?;
    match client.blacklist(None).await {
        Ok(list) => {
            let peers = client.peers(PEERS_MAX).await?.peers;
            let me = client.status().await?.id;
            Ok((list, peers, Some(me)))
        }
        Err(ClientError::NotRunning { .. }) => {
            let dir = data_dir(global)?;
            let settings = settings(global, Vec::new())?;
            let config = NodeConfig::from_settings(&settings, dir.path())?;
            let (list, peers) = Archive::open(&dir)?.into_view(config.core)?;
            let peers = peers.into_iter().map(Into::into).collect();
            // Behind a passphrase the id is not worth asking for.
            let me = match keystore::is_encrypted(&dir.identity()) {
                Ok(false) => keystore::load(&dir.identity(), None).ok(),
                _ => None,
            };
            Ok((list.into(), peers, me.map(|me| me.id().to_string())))
        }
        Err(error) => Err(error.into()),
    }
}

async fn list(global: &Global, search: Option<&str>) -> Done {
    let (list, _, _) = known(global).await?;
    let list = list.matching(search.unwrap_or_default());
    if global.json {
        return print_json(&list);
    }
    if list.entries.is_empty() {
        let text = match list.total {
            0 => "the blacklist is empty\n".to_owned(),
            total => format!("none of {total} entries matches\n"),
        };
        return print(&text);
    }
    let mut out = format!(
        "{:<19} {:<8} {:<9} {:<25} {:<25} REASON\n",
        "TARGET", "KIND", "BY", "SINCE", "UNTIL"
    );
    for entry in &list.entries {
        let target = match entry.kind.as_str() {
            "id" => short(&entry.target),
            _ => &entry.target,
        };
        let until = entry.until.as_deref().unwrap_or("for good");
        let _written = writeln!(
            out,
            "{target:<19} {:<8} {:<9} {:<25} {until:<25} {}",
            entry.kind,
            entry.by,
            entry.since,
            escaped(&entry.reason)
        );
    }
    print(&out)
}

async fn add(global: &Global, target: &str, reason: String, duration: Option<&str>) -> Done {
    let seconds = seconds(duration)?;
    let target = match target.parse::<Target>() {
        Ok(target) => target.to_string(),
        // The beginning of a known peer's id, or nothing that makes sense.
        Err(error) if target.contains(['.', ':', '/']) => {
            return Err(Failure::new(Exit::Usage, error.to_string()));
        }
        Err(_) => full_id(global, target).await?,
    };
    let entry = EntryRequest {
        target,
        seconds,
        reason,
    };
    let request = AddRequest {
        entries: vec![entry],
    };
    let done = client(global)?.blacklist_add(request).await?;
    told(global, &done, "added\n")
}

/// The target of the one entry that is named so, or begins so.
async fn listed(global: &Global, text: &str) -> Result<String, Failure> {
    if let Ok(target) = text.parse::<Target>() {
        return Ok(target.to_string());
    }
    let list = client(global)?.blacklist(None).await?;
    let mut found = list
        .entries
        .iter()
        .filter(|entry| text.len() >= 4 && entry.target.starts_with(text));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.target.clone()),
        _ => Err(Failure::new(
            Exit::NotFound,
            format!("no single entry names {}", escaped(text)),
        )),
    }
}

async fn clear(global: &Global, yes: bool) -> Done {
    let client = client(global)?;
    if !yes {
        let total = client.blacklist(None).await?.total;
        return Err(Failure::new(
            Exit::Usage,
            format!("this would remove {total} entries: say --yes"),
        ));
    }
    let done = client.blacklist_clear().await?;
    let text = format!("{} entries removed\n", done.changed);
    told(global, &done, &text)
}

async fn import(global: &Global, file: &Path, preview: bool, yes: bool) -> Done {
    let mut bytes = Vec::new();
    let refused = |error: String| {
        Failure::new(
            Exit::Usage,
            format!("{}: {error}", escaped(&file.display().to_string())),
        )
    };
    fs::File::open(file)
        .and_then(|opened| opened.take(FILE_MAX).read_to_end(&mut bytes))
        .map_err(|error| refused(error.to_string()))?;
    let list = SharedList::parse(&bytes).map_err(|error| refused(error.to_string()))?;
    let (own, peers, me) = known(global).await?;
    let found = list.preview(&own, me.as_deref(), &peers);
    if preview || !yes {
        told(global, &found, &preview_text(&found))?;
        return if preview {
            Ok(())
        } else {
            let message = "nothing was taken in: look at the preview, then say --yes";
            Err(Failure::new(Exit::Usage, message))
        };
    }
    let request = AddRequest {
        entries: found.changes.clone(),
    };
    let done = client(global)?.blacklist_add(request).await?;
    if global.json {
        return print_json(&serde_json::json!({ "changed": done.changed, "preview": found }));
    }
    anstream::eprintln!("{}", found.warning);
    print(&format!(
        "{} entries taken in: {} new, {} replaced; {} left out\n",
        done.changed, found.new, found.replaced, found.skipped
    ))
}

fn preview_text(preview: &Preview) -> String {
    let mut out = format!(
        "{}\n\n{} entries: {} new, {} replaced, {} there already, {} left out\n",
        preview.warning,
        preview.entries,
        preview.new,
        preview.replaced,
        preview.unchanged,
        preview.skipped
    );
    for skip in preview.skipped_because.iter().take(SHOWN) {
        let _written = writeln!(out, "  entry {}: {}: {}", skip.place, skip.target, skip.why);
    }
    let _written = writeln!(
        out,
        "\nknown peers it would keep out: {}",
        preview.hits.len()
    );
    for hit in preview.hits.iter().take(SHOWN) {
        let linked = if hit.linked { ", linked now" } else { "" };
        let _written = writeln!(
            out,
            "  {:<11} {:.3} {:<11} by {}{linked}",
            short(&hit.id),
            hit.trust,
            hit.level,
            if hit.target == hit.id {
                "its id"
            } else {
                &hit.target
            }
        );
    }
    if preview.hits.len() > SHOWN {
        let _written = writeln!(out, "  and {} more", preview.hits.len() - SHOWN);
    }
    out
}

async fn export(global: &Global, file: Option<&Path>) -> Done {
    let (list, _, _) = known(global).await?;
    let shared = SharedList::of(&list);
    let Some(file) = file else {
        return print_json(&shared);
    };
    let failed = |error: String| Failure::new(Exit::Failure, error);
    let mut text =
        serde_json::to_string_pretty(&shared).map_err(|error| failed(error.to_string()))?;
    text.push('\n');
    fs::write(file, text).map_err(|error| failed(format!("{}: {error}", file.display())))?;
    let count = shared.entries.len();
    told(
        global,
        &serde_json::json!({ "exported": count }),
        &format!("{count} entries written; {}\n", shared.notice),
    )
}

async fn appeals(global: &Global, dismiss: Option<String>) -> Done {
    let client = client(global)?;
    let view = client.appeals().await?;
    if let Some(text) = dismiss {
        let mut found = view
            .appeals
            .iter()
            .filter(|appeal| text.len() >= 4 && appeal.id.starts_with(&text));
        let (Some(one), None) = (found.next(), found.next()) else {
            let message = format!("no single appeal is of {}", escaped(&text));
            return Err(Failure::new(Exit::NotFound, message));
        };
        let done = client.dismiss_appeal(&one.id).await?;
        return told(global, &done, "forgotten\n");
    }
    if global.json {
        return print_json(&view);
    }
    if view.appeals.is_empty() {
        return print("no appeals\n");
    }
    let mut out = format!("{:<11} {:<25} WHAT ITS OPERATOR SAYS\n", "PEER", "TIME");
    for appeal in &view.appeals {
        let _written = writeln!(
            out,
            "{:<11} {:<25} {}",
            short(&appeal.id),
            appeal.time,
            escaped(&appeal.text)
        );
    }
    out.push_str("\nNothing follows by itself: `repute unban ID` lets one back in.\n");
    print(&out)
}

pub(super) async fn appeal(global: &Global, peer: &str, text: String) -> Done {
    let id = full_id(global, peer).await?;
    let done = client(global)?.appeal(&AppealRequest { id, text }).await?;
    if done.sent {
        return told(
            global,
            &done,
            "handed over; whether it is read is up to them\n",
        );
    }
    Err(Failure::new(
        Exit::Failure,
        "it could not be handed over: the peer did not answer, or is busy; try again later",
    ))
}
