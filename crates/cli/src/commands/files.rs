//! `repute share`, `unshare`, `shared`, `verify`.

use std::{fmt::Write, path::Path};

use indicatif::{ProgressBar, ProgressStyle};
use repute_console::{
    Client, ClientError, Problem, ReadView, ShareEvent, ShareRequest, ShareView, SharesView,
    VerifyEvent, VerifyRequest, VerifyView,
};

use super::client;
use crate::{
    args::{Global, Share, Verify},
    exit::{Exit, Failure},
    print::{print, print_json},
    show::{bytes, count, escaped, short},
};

type Done = Result<(), Failure>;

/// Files from this size on show how far they are.
const WORTH_A_BAR: u64 = 64 << 20;

pub(super) async fn share(global: &Global, args: Share) -> Done {
    let request = ShareRequest {
        path: for_the_node(&args.path)?,
        reference: args.reference,
        name: args.name,
    };
    let mut lines = client(global)?.share(&request).await?;
    let mut bar = None;
    let share = loop {
        match lines.next().await? {
            Some(ShareEvent::Progress(read)) => show_reading(&mut bar, "shared", read),
            Some(ShareEvent::Shared(share)) => break share,
            Some(ShareEvent::Failed { problem }) => return Err(failed(problem)),
            None => return Err(stopped()),
            Some(_) => {}
        }
    };
    drop(bar);
    if global.json {
        return print_json(&share);
    }
    anstream::eprintln!(
        "sharing {}, {}; others type: repute get TICKET",
        escaped(&share.name),
        extent(&share)
    );
    print(&format!("{}\n", share.ticket))
}

/// A path as the node, which runs elsewhere, understands it.
pub(super) fn for_the_node(path: &Path) -> Result<String, Failure> {
    let absolute = std::path::absolute(path)?;
    absolute.to_str().map(Into::into).ok_or_else(|| {
        let shown = absolute.display().to_string();
        let message = format!("{}: not a path of UTF-8: rename it", escaped(&shown));
        Failure::new(Exit::Usage, message)
    })
}

/// On stderr, on a terminal, and only where there is time to look at it.
fn show_reading(bar: &mut Option<ProgressBar>, done: &str, read: ReadView) {
    if read.total < WORTH_A_BAR {
        return;
    }
    let bar = bar.get_or_insert_with(|| {
        let bar = ProgressBar::new(read.total);
        let style =
            format!("{{bar:30}} {{percent:>3}} % {done}, {{binary_bytes_per_sec}}, {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&style) {
            bar.set_style(style);
        }
        bar
    });
    bar.set_length(read.total);
    bar.set_position(read.bytes);
    if read.bytes >= read.total {
        bar.finish_and_clear();
    }
}

/// What the node says that came of it.
pub(super) fn failed(problem: Problem) -> Failure {
    ClientError::Problem(problem).into()
}

pub(super) fn stopped() -> Failure {
    Failure::new(Exit::Failure, "the node has stopped")
}

fn extent(share: &ShareView) -> String {
    match share.kind.as_str() {
        "folder" => format!("{}, {}", count(share.files, "file"), bytes(share.bytes)),
        _ => bytes(share.bytes),
    }
}

pub(super) async fn shared(global: &Global) -> Done {
    let view = client(global)?.shares().await?;
    if global.json {
        return print_json(&view);
    }
    print(&shared_text(&view))
}

fn shared_text(view: &SharesView) -> String {
    if view.shares.is_empty() {
        return "nothing is shared: see `repute share --help`\n".into();
    }
    let mut out = format!(
        "{:<10} {:>10} {:<6} {:>5} {:<10} NAME\n",
        "HASH", "BYTES", "KIND", "FILES", "SINCE"
    );
    for share in &view.shares {
        // Writing to a string cannot fail.
        let _written = writeln!(
            out,
            "{} {:>10} {:<6} {:>5} {:<10} {}{}",
            short(&share.hash),
            bytes(share.bytes),
            share.kind,
            share.files,
            share.since.get(..10).unwrap_or_default(),
            escaped(&share.name),
            if share.reference { " (reference)" } else { "" }
        );
        if let Some(trouble) = &share.trouble {
            let _written = writeln!(out, "  not served: {}", escaped(trouble));
        }
    }
    out.push_str("`repute shared --json` has the tickets\n");
    out
}

pub(super) async fn unshare(global: &Global, what: &str) -> Done {
    let client = client(global)?;
    let hash = share_of(&client, what).await?;
    let done = client.unshare(&hash).await?;
    if global.json {
        print_json(&done)
    } else {
        print("shared no longer\n")
    }
}

/// The hash of the one share whose hash begins so; else `text` itself, for the node to judge.
async fn share_of(client: &Client, text: &str) -> Result<String, Failure> {
    if text.len() >= 52 {
        return Ok(text.into());
    }
    let shares = client.shares().await?.shares;
    let begin = text.to_ascii_lowercase();
    let mut found = shares.iter().filter(|share| share.hash.starts_with(&begin));
    match (found.next(), found.next()) {
        (Some(one), None) if text.len() >= 4 => Ok(one.hash.clone()),
        (Some(_), Some(_)) => {
            let message = format!("several hashes begin with {}: give more", escaped(text));
            Err(Failure::new(Exit::Usage, message))
        }
        _ => {
            let message = format!("no share's hash begins with {}", escaped(text));
            Err(Failure::new(Exit::NotFound, message))
        }
    }
}

pub(super) async fn verify(global: &Global, args: Verify) -> Done {
    let client = client(global)?;
    let hash = match &args.what {
        Some(what) => Some(share_of(&client, what).await?),
        None => None,
    };
    let mut lines = client.verify(&VerifyRequest { hash }).await?;
    let mut bar = None;
    let view = loop {
        match lines.next().await? {
            Some(VerifyEvent::Progress(read)) => show_reading(&mut bar, "verified", read),
            Some(VerifyEvent::Verified(view)) => break view,
            Some(VerifyEvent::Failed { problem }) => return Err(failed(problem)),
            None => return Err(stopped()),
            Some(_) => {}
        }
    };
    drop(bar);
    if global.json {
        print_json(&view)?;
    } else {
        print(&verify_text(&view))?;
    }
    match view.sound {
        true => Ok(()),
        false => {
            let message = "some of it is not what it was; none of that is served: share it again, \
                           or get it again";
            Err(Failure::new(Exit::Failure, message))
        }
    }
}

fn verify_text(view: &VerifyView) -> String {
    let mut out = String::new();
    for one in &view.damaged {
        let problem = one.problem.as_deref().unwrap_or("damaged");
        let _written = writeln!(
            out,
            "{}  {} of {} wrong: {}",
            short(&one.hash),
            bytes(one.wrong),
            bytes(one.bytes),
            escaped(problem)
        );
    }
    let (blobs, read) = (count(view.blobs, "file"), bytes(view.bytes));
    let damaged = view.damaged.len();
    let _written = match damaged {
        0 => writeln!(out, "{blobs}, {read}: all as it was shared"),
        damaged => writeln!(out, "{blobs}, {read}: {damaged} damaged"),
    };
    out
}
