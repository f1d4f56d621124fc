//! What is wrong, in plain words, and what to do.

use std::{net::UdpSocket, time::UNIX_EPOCH};

use repute_identity::keystore;
use repute_node::NodeConfig;
use serde::Serialize;

use super::{client, data_dir, settings};
use crate::{
    args::Global,
    exit::{Exit, Failure},
    print::{print, print_json},
    show::{escaped, short},
};

/// A clock before this (2026-11-01, when this was written) is certainly wrong.
const CLOCK_MIN_S: u64 = 1_793_491_200;

#[derive(Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    says: String,
    remedy: Option<String>,
}

impl Finding {
    fn good(what: &'static str, says: impl Into<String>) -> Self {
        Self {
            what,
            ok: true,
            says: says.into(),
            remedy: None,
        }
    }

    fn bad(what: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what,
            ok: false,
            says: says.into(),
            remedy: Some(remedy.into()),
        }
    }
}

/// Looks at everything a node needs. Fails if anything is wrong.
pub(super) async fn run(global: &Global) -> Result<(), Failure> {
    let mut findings = vec![
        clock(),
        udp(),
        configuration(global),
        directory(global)?,
        key(global)?,
    ];
    findings.extend(running(global).await?);
    let wrong = findings.iter().filter(|finding| !finding.ok).count();
    if global.json {
        print_json(&serde_json::json!({ "ok": wrong == 0, "findings": findings }))?;
    } else {
        for finding in &findings {
            let mark = if finding.ok { "ok " } else { "NO " };
            print(&format!("{mark} {:<14}{}\n", finding.what, finding.says))?;
            if let Some(remedy) = &finding.remedy {
                print(&format!("   {:<14}-> {remedy}\n", ""))?;
            }
        }
    }
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::new(Exit::Failure, "one thing is wrong")),
        _ => Err(Failure::new(
            Exit::Failure,
            format!("{wrong} things are wrong"),
        )),
    }
}

fn clock() -> Finding {
    let since = std::time::SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    if since.as_secs() < CLOCK_MIN_S {
        return Finding::bad(
            "clock",
            "the clock stands before this program was written",
            "set the clock (NTP): messages from a wrong clock are refused by others",
        );
    }
    Finding::good(
        "clock",
        "plausible; a difference of up to five minutes is accepted",
    )
}

fn udp() -> Finding {
    match UdpSocket::bind(("0.0.0.0", 0)) {
        Ok(_) => Finding::good("network", "UDP sockets can be opened"),
        Err(error) => Finding::bad(
            "network",
            format!("no UDP socket can be opened: {error}"),
            "allow this program to use UDP (firewall, sandbox)",
        ),
    }
}

fn configuration(global: &Global) -> Finding {
    let checked = settings(global, Vec::new()).and_then(|settings| {
        let dir = data_dir(global)?;
        NodeConfig::from_settings(&settings, dir.path()).map_err(Into::into)
    });
    match checked {
        Ok(_) => Finding::good("configuration", "sound"),
        Err(failure) => Finding::bad(
            "configuration",
            failure.message,
            "correct it; `repute config template` explains every key",
        ),
    }
}

fn directory(global: &Global) -> Result<Finding, Failure> {
    let dir = data_dir(global)?;
    let path = dir.path().display();
    if !dir.path().exists() {
        return Ok(Finding::good(
            "data",
            format!("{path} will be made by `repute up`"),
        ));
    }
    let probe = dir.path().join(".doctor");
    let written = std::fs::write(&probe, b"x").and_then(|()| std::fs::remove_file(&probe));
    Ok(match written {
        Ok(()) => Finding::good("data", format!("{path} can be written")),
        Err(error) => Finding::bad(
            "data",
            format!("{path} cannot be written: {error}"),
            "free some disk space, or correct the owner and mode of the directory",
        ),
    })
}

fn key(global: &Global) -> Result<Finding, Failure> {
    let dir = data_dir(global)?;
    let path = dir.identity();
    if !path.exists() {
        return Ok(Finding::good("key", "none yet; `repute up` makes one"));
    }
    Ok(match keystore::is_encrypted(&path) {
        Ok(true) => Finding::good("key", format!("{} (with a passphrase)", path.display())),
        Ok(false) => Finding::good("key", path.display().to_string()),
        Err(error) => Finding::bad(
            "key",
            error.to_string(),
            "see above; restore it from a backup",
        ),
    })
}

/// Who turns this node away, why, and when to try again.
async fn refused(global: &Global, links: usize) -> Result<Vec<Finding>, Failure> {
    let refusals = client(global)?.refusals().await?.refusals;
    let Some(first) = refusals.first() else {
        return Ok(Vec::new());
    };
    let says = format!(
        "{} peers turn this node away; {} says {} ({}), and to try again at {}",
        refusals.len(),
        short(&first.id),
        first.reason,
        escaped(&first.detail),
        first.retry
    );
    // Full peers and bans by single ones are everyday's; without any link they are the reason.
    if links > 0 {
        return Ok(vec![Finding::good("refusals", says)]);
    }
    let remedy = match first.reason.as_str() {
        "banned" => {
            "nothing hammers at a closed door: the node tries again at that time by itself; \
             `repute appeal ID --text ...` asks its operator to think again"
        }
        "wrong-network" => "set `network` to the name that the others use",
        "wrong-version" => "update the older of the two programs",
        "wrong-identity" => "ask for a new ticket: somebody else answers at that address",
        _ => "the node tries again at that time by itself",
    };
    Ok(vec![Finding::bad("refusals", says, remedy)])
}

/// What the running node says of itself.
async fn running(global: &Global) -> Result<Vec<Finding>, Failure> {
    let status = match client(global)?.status().await {
        Ok(status) => status,
        Err(error) => {
            let remedy = "start it with `repute up`";
            return Ok(vec![Finding::bad("node", error.to_string(), remedy)]);
        }
    };
    let mut findings = vec![Finding::good(
        "node",
        format!("listening on {}", status.listen.join(", ")),
    )];
    findings.push(if status.peers_active > 0 {
        Finding::good(
            "links",
            format!(
                "{} of {} known peers",
                status.peers_active, status.peers_known
            ),
        )
    } else {
        Finding::bad(
            "links",
            "no peer is linked",
            "join one with `repute join TICKET`; if that brings none, let UDP through to the \
             address above",
        )
    });
    findings.extend(refused(global, status.peers_active).await?);
    if status.storage_full {
        findings.push(Finding::bad(
            "disk",
            "full: what happens now is not remembered",
            "free some space; writing goes on by itself",
        ));
    }
    if status.damaged_rows > 0 {
        findings.push(Finding::bad(
            "store",
            format!("{} damaged rows were left out", status.damaged_rows),
            "check the disk; the rest of the store is sound",
        ));
    }
    if status.panics > 0 {
        findings.push(Finding::bad(
            "program",
            format!("{} tasks panicked", status.panics),
            "please report it with the log (`repute -vv up`)",
        ));
    }
    Ok(findings)
}
