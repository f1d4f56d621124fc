//! Recommendations: giving them, seeing whose count, taking a source out.

use std::fmt::Write;

use repute_console::{RecommendRequest, TrustSource};

use super::{ask::full_id, client};
use crate::{
    args::Global,
    exit::{Exit, Failure},
    print::{print, print_json},
    show::{escaped, short},
};

type Done = Result<(), Failure>;

pub(super) async fn recommend(global: &Global, id: &str, value: f64, reason: String) -> Done {
    if !(-1.0..=1.0).contains(&value) {
        let problem = format!("{value} is no value: use a number from -1 (warn) to 1 (recommend)");
        return Err(Failure::new(Exit::Usage, problem));
    }
    let id = full_id(global, id).await?;
    let request = RecommendRequest { id, value, reason };
    let done = client(global)?.recommend(&request).await?;
    if global.json {
        print_json(&done)
    } else if value < 0.0 {
        print("noted; it is told to others only where hearsay.share says so\n")
    } else {
        print("recommended; it is told to others only where hearsay.share says so\n")
    }
}

pub(super) async fn sources(global: &Global) -> Done {
    let view = client(global)?.trust_sources().await?;
    if global.json {
        return print_json(&view);
    }
    if view.sources.is_empty() {
        return print("no recommendations: trust rests on this node's own experience alone\n");
    }
    let mut out = format!(
        "{:<11} {:>5} {:>6} {:>6} {:>6} {:>6} {:>6}  SAYS\n",
        "SOURCE", "CLASS", "RANK", "TRUST", "WEIGHT", "RIGHT", "WRONG"
    );
    view.sources.iter().for_each(|one| source(&mut out, one));
    print(&out)
}

fn source(out: &mut String, one: &TrustSource) {
    let name = if one.own { "you" } else { short(&one.id) };
    // Writing to a string cannot fail.
    if one.withdrawn {
        let _written = writeln!(out, "{name:<11} withdrawn");
        return;
    }
    let _written = writeln!(
        out,
        "{name:<11} {:>5} {:>6.2} {:>6.3} {:>6.3} {:>6} {:>6}  {} in all",
        one.class, one.rank, one.trust, one.weight, one.right, one.wrong, one.out
    );
    for said in &one.recommendations {
        let reason = match said.reason.is_empty() {
            true => String::new(),
            false => format!(": {}", escaped(&said.reason)),
        };
        let _written = writeln!(
            out,
            "{:<11} {:+.2} about {}, moves it by {:+.4}, until {}{reason}",
            "",
            said.value,
            short(&said.subject),
            said.moves,
            said.expires
        );
    }
}

pub(super) async fn withdraw(global: &Global, source: &str, undo: bool) -> Done {
    let client = client(global)?;
    let sources = client.trust_sources().await?.sources;
    let text = source.to_ascii_lowercase();
    let mut found = sources.iter().filter(|one| one.id.starts_with(&text));
    let id = match (found.next(), found.next()) {
        (Some(one), None) => one.id.clone(),
        (Some(_), Some(_)) => {
            let problem = format!("several sources begin with {}: give more", escaped(source));
            return Err(Failure::new(Exit::Usage, problem));
        }
        // Somebody may be kept out before it says anything.
        _ if source.len() >= 52 => source.into(),
        _ => {
            let problem = format!("no source begins with {}", escaped(source));
            return Err(Failure::new(Exit::NotFound, problem));
        }
    };
    let done = match undo {
        true => client.readmit(&id).await?,
        false => client.withdraw(&id).await?,
    };
    if global.json {
        print_json(&done)
    } else if undo {
        print("listened to again from now on\n")
    } else {
        print("withdrawn: every score is as if it had never been heard\n")
    }
}
