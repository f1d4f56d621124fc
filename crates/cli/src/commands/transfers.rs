//! `repute transfers`: what is being fetched.

use std::fmt::Write;

use repute_console::{Client, TransferView, TransfersView};
use repute_protocol::BlobTicket;

use super::client;
use crate::{
    args::{Global, TransfersCommand, Which},
    exit::{Exit, Failure},
    print::{print, print_json},
    show::{bytes, escaped, short, span},
};

type Done = Result<(), Failure>;

pub(super) async fn run(global: &Global, command: Option<TransfersCommand>) -> Done {
    let client = client(global)?;
    let (done, said) = match command.unwrap_or(TransfersCommand::List) {
        TransfersCommand::List => {
            let view = client.transfers().await?;
            return match global.json {
                true => print_json(&view),
                false => print(&text(&view)),
            };
        }
        TransfersCommand::Pause(which) => {
            let id = number(&client, which).await?;
            (client.pause_transfer(id).await?, format!("{id} is paused"))
        }
        TransfersCommand::Resume(which) => {
            let id = number(&client, which).await?;
            (client.resume_transfer(id).await?, format!("{id} goes on"))
        }
        TransfersCommand::Cancel(which) => {
            let id = number(&client, which).await?;
            let done = client.cancel_transfer(id).await?;
            (done, format!("{id} is cancelled"))
        }
    };
    match global.json {
        true => print_json(&done),
        false => print(&format!("transfer {said}\n")),
    }
}

/// Whether it has ended.
pub(super) fn is_over(transfer: &TransferView) -> bool {
    matches!(transfer.state.as_str(), "finished" | "failed" | "cancelled")
}

/// Which transfer is meant by its number, ticket, hash, or by nothing at all.
async fn number(client: &Client, which: Which) -> Result<u64, Failure> {
    if let Some(number) = which.id.as_deref().and_then(|text| text.parse().ok()) {
        return Ok(number);
    }
    let all = client.transfers().await?.transfers;
    let mut meant: Vec<&TransferView> = all.iter().filter(|one| !is_over(one)).collect();
    if let Some(text) = &which.id {
        let begin = match text.parse::<BlobTicket>() {
            Ok(ticket) => ticket.hash.to_string(),
            Err(_) => text.to_ascii_lowercase(),
        };
        meant.retain(|one| begin.len() >= 4 && one.hash.starts_with(&begin));
    }
    match meant.as_slice() {
        [one] => Ok(one.id),
        [] => {
            let message = "there is no such transfer under way: see `repute transfers`";
            Err(Failure::new(Exit::NotFound, message))
        }
        _ => {
            let message = "there are several: give a number of `repute transfers`";
            Err(Failure::new(Exit::Usage, message))
        }
    }
}

fn text(view: &TransfersView) -> String {
    if view.transfers.is_empty() {
        return "nothing is being fetched: see `repute get --help`\n".into();
    }
    let mut out = format!(
        "{:>4} {:<9} {:>10} {:>10} {:>12} {:>8} NAME\n",
        "ID", "STATE", "HERE", "OF", "RATE", "LEFT"
    );
    for one in &view.transfers {
        let progress = &one.progress;
        let of = progress.total.map_or_else(|| "?".into(), bytes);
        let name = match one.name.is_empty() {
            true => short(&one.hash).to_owned(),
            false => escaped(&one.name),
        };
        let (rate, left) = match one.state == "fetching" {
            true => (
                format!("{}/s", bytes(progress.rate)),
                progress.left_ms.map_or_else(|| "?".into(), span),
            ),
            false => ("-".into(), "-".into()),
        };
        // Writing to a string cannot fail.
        let _written = writeln!(
            out,
            "{:>4} {:<9} {:>10} {of:>10} {rate:>12} {left:>8} {name}",
            one.id,
            one.state,
            bytes(progress.bytes)
        );
        if let Some(problem) = &one.problem {
            let _written = writeln!(out, "     {}", escaped(&problem.title));
        }
    }
    out
}
