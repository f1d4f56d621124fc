//! A file that outlives who shared it, fetched beside who corrupts it and who stalls; and fetches
//! that are killed.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use repute_base::{BoundedVec, Rng};
use repute_identity::Identity;
use repute_node::blobs::tree_of;
use repute_protocol::{BlobTicket, NetworkId};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{
    Row, Scenario, Size,
    member::{Member, fully_linked},
    stage::Stage,
    tale::Tale,
};

mod killed;
// The same as the demo's: they speak the protocol over sockets of their own.
#[path = "../../../crates/cli/src/demo/seeder.rs"]
mod seeder;

use seeder::{BadSeeder, Fault, Whole};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "files",
    about: "a file outlives who shared it, a corrupter is caught, fetches are killed",
    run: |size| {
        let mut rows = Stage::play(|stage| story(stage, size))?;
        rows.extend(Stage::play(|stage| killed::story(stage, size))?);
        Ok(rows)
    },
};

const MIB: usize = 1 << 20;
const LINKED: Duration = Duration::from_secs(30);
/// The network that nodes belong to unless told otherwise.
const NETWORK: &str = "repute";
/// What the identities of bad seeders are made of, from here on.
const BAD: u64 = 66;
/// So slow that a file comes from everybody who has it.
const SLOW: &[&str] = &[
    "--listen",
    "127.0.0.1:0",
    "--set",
    "blobs.upload_kib_s=8192",
];

fn story(stage: &Stage, size: Size) -> Result<Vec<Row>> {
    let mut tale = Tale::of("files");
    let file_mib = if size.full { 256 } else { 32 };
    let (path, content) = write(stage, "film.bin", file_mib * MIB, size.seed)?;
    let mut first = stage.member("a");
    first.start(None)?;
    let mut holders = Vec::new();
    for name in ["b", "c"] {
        let mut holder = stage.member(name).with_flags(SLOW);
        holder.start(Some(first.ticket()))?;
        holders.push(holder);
    }
    let [second, third] = holders.try_into().ok().context("two holders")?;
    let mut members = [first, second, third];
    fully_linked(&members, LINKED)?;
    let [first, second, third] = &mut members;
    let shared = first.ask(&["share", shown(&path)?, "--reference"])?;
    tale.counts(
        "bytes shared",
        number(&shared, "bytes"),
        content.len() as u64,
    );
    let ticket = text(&shared, "ticket")?;
    for holder in [&*second, &*third] {
        let output = holder.data_dir().join("got.bin");
        get(holder, ticket, &output)?;
        tale.holds(
            &format!("{} has it", holder.name()),
            fs::read(&output)? == content,
        );
        why(&mut tale, holder, ("a", first.id()), "useful", "open")?;
    }
    first.kill()?;

    let around = Runtime::new()?;
    let bad = around.block_on(seed_badly(&content))?;
    // The ticket praises the bad ones alone: the others are to be found.
    let mut praising: BlobTicket = ticket.parse()?;
    praising.peers = BoundedVec::truncated(bad.iter().map(BadSeeder::contact));
    let mut fourth = stage.member("d");
    fourth.start(Some(second.ticket()))?;
    let output = stage.path("d.bin");
    let got = get(&fourth, &praising.to_string(), &output)?;
    tale.holds(
        "d has it, though a was killed",
        fs::read(&output)? == content,
    );
    for holder in [&*second, &*third] {
        let from = source(&got, holder.id());
        tale.at_least(&format!("bytes from {}", holder.name()), from, MIB as u64);
        why(
            &mut tale,
            &fourth,
            (holder.name(), holder.id()),
            "useful",
            "open",
        )?;
    }
    for one in &bad {
        let (id, does) = (one.id.to_string(), one.fault.name());
        tale.at_least(&format!("requests to one who {does}"), one.asked(), 1);
        tale.counts(&format!("bytes from one who {does}"), source(&got, &id), 0);
        if one.fault == Fault::Corrupts {
            why(
                &mut tale,
                &fourth,
                ("who corrupts", &id),
                "corrupt-blob",
                "banned",
            )?;
        }
        one.stop();
    }
    tale.notes(
        "took",
        got.get("seconds")
            .and_then(Value::as_f64)
            .unwrap_or(f64::NAN),
        "s",
    );
    let sound = fourth.ask(&["verify"])?;
    tale.holds(
        "d verifies it",
        sound.get("sound") == Some(&Value::Bool(true)),
    );
    for member in [&*second, &*third, &fourth] {
        tale.counts(
            &format!("panics of {}", member.name()),
            member.status("panics")?,
            0,
        );
    }
    Ok(tale.end())
}

/// Bytes that look like chance, in a file.
fn write(stage: &Stage, name: &str, len: usize, seed: u64) -> Result<(PathBuf, Vec<u8>)> {
    let mut content = vec![0; len];
    Rng::from_u64(seed).fill(&mut content);
    let path = stage.path(name);
    fs::write(&path, &content)?;
    Ok((path, content))
}

/// One that corrupts, and one that stalls.
async fn seed_badly(content: &[u8]) -> Result<Vec<BadSeeder>> {
    let (hash, tree) = tree_of(content);
    let (bytes, tree) = (content.to_vec().into(), tree.into());
    let whole = Whole { hash, bytes, tree };
    let network = NetworkId::from_name(NETWORK);
    let mut all = Vec::new();
    for (seed, fault) in (BAD..).zip([Fault::Corrupts, Fault::Stalls]) {
        let identity = Identity::from_seed(seed);
        all.push(BadSeeder::start(fault, &identity, network, whole.clone()).await?);
    }
    Ok(all)
}

/// Fetches to the end; gives how it ended.
fn get(member: &Member, ticket: &str, output: &Path) -> Result<Value> {
    let done = member.run(&["get", ticket, "-o", shown(output)?])?;
    let lines = String::from_utf8_lossy(&done.stdout);
    let last = lines.lines().last().unwrap_or_default();
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        bail!("get ended with {}: {last} {}", done.status, said.trim());
    }
    let last: Value = serde_json::from_str(last)?;
    ensure!(
        last.get("event").and_then(Value::as_str) == Some("finished"),
        "the last event is {last}"
    );
    Ok(last)
}

/// How many bytes came from a peer.
fn source(finished: &Value, id: &str) -> u64 {
    let sources = finished.get("sources").and_then(Value::as_array);
    let by = |one: &&Value| one.get("id").and_then(Value::as_str) == Some(id);
    let found = sources.into_iter().flatten().find(by);
    found.map_or(0, |one| number(one, "bytes"))
}

/// A node says of another what it did, and whether its gate is open.
fn why(
    tale: &mut Tale,
    member: &Member,
    (name, about): (&str, &str),
    did: &str,
    gate: &str,
) -> Result<()> {
    let why = member.ask(&["explain", about])?;
    let events = why.get("events").and_then(Value::as_array);
    let told = events.into_iter().flatten().any(|event| {
        let evidence = event.get("evidence").and_then(Value::as_str);
        evidence.is_some_and(|evidence| evidence.contains(did))
    });
    let stands = why.pointer("/standing/gate").and_then(Value::as_str) == Some(gate);
    let what = format!("{} explains {name}: {did}, gate {gate}", member.name());
    tale.holds(&what, told && stands);
    Ok(())
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    let found = value.get(name).and_then(Value::as_str);
    found.with_context(|| format!("no {name} in {value}"))
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn shown(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}
