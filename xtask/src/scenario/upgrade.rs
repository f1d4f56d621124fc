//! A data directory as the first version of the schema left it.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use repute_storage::{Options, SqliteStore, Store, Write, fixture};
use serde_json::Value;

use super::{
    Row, Scenario,
    member::{Member, fully_linked},
    relay::free_port,
    stage::Stage,
    tale::Tale,
    talk::Talk,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "upgrade",
    about: "a database of an older schema opens, and keeps peers, bans, events and what was seen",
    run: |_| Stage::play(story),
};

const LINKED: Duration = Duration::from_secs(60);
const HEARD: Duration = Duration::from_secs(20);
/// Where a SQLite file keeps the version of its schema.
const USER_VERSION: std::ops::Range<usize> = 60..64;

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("upgrade");
    let address = free_port()?.to_string();
    let mut old = stage.member("old");
    let mut peer = stage.member("peer").with_flags(&["--listen", &address]);
    peer.start(None)?;
    old.start(Some(peer.ticket()))?;
    let mut members = vec![old, peer];
    fully_linked(&members, LINKED)?;
    let mut talk = Talk::among(&members)?;
    talk.round("before", &members, 5)?;
    talk.settle(&mut tale, "before", HEARD)?;
    let stranger = stage.member("stranger").ask(&["id"])?;
    let stranger = stranger
        .get("id")
        .and_then(Value::as_str)
        .context("an id")?;
    let (old, peer) = pair(&mut members)?;
    old.ask(&["ban", stranger, "--reason", "spam"])?;
    let before = Known::of(old, peer)?;
    old.stop()?;

    let now = schema(old.data_dir())?;
    downgrade(old.data_dir())?;
    let first = schema(old.data_dir())?;
    tale.counts("schema of the old database", first.into(), 1);
    old.start(None)?;
    let after = Known::of(old, peer)?;
    tale.holds("identity kept", before.id == after.id);
    tale.holds("peers kept", after.peers.contains(&peer.id().to_owned()));
    tale.holds("bans kept", before.bans == after.bans);
    tale.holds(
        "events kept",
        !before.events.is_empty() && after.begins_with(&before),
    );
    tale.holds("scores recomputed to the bit", after.matches);
    tale.counts("damaged rows", old.status("damaged_rows")?, 0);
    let linked_s = fully_linked(&members, LINKED)?;
    tale.takes("linked to its peer again", linked_s, LINKED);
    talk.listen_again(0, members.first().context("a node")?)?;
    talk.round("after", &members, 5)?;
    talk.settle(&mut tale, "after", HEARD)?;
    let (old, _) = pair(&mut members)?;
    old.stop()?;
    let last = schema(old.data_dir())?;
    tale.counts("schema after the upgrade", last.into(), now.into());
    Ok(tale.end())
}

fn pair(members: &mut [Member]) -> Result<(&mut Member, &Member)> {
    match members {
        [old, peer] => Ok((old, peer)),
        _ => anyhow::bail!("this story has two nodes"),
    }
}

/// What a node knows.
struct Known {
    id: String,
    peers: Vec<String>,
    bans: Value,
    events: Vec<Value>,
    matches: bool,
}

impl Known {
    fn of(member: &Member, peer: &Member) -> Result<Self> {
        let peers = member.ask(&["peers"])?;
        let peers = peers.get("peers").and_then(Value::as_array);
        let id = |peer: &Value| Some(peer.get("id")?.as_str()?.to_owned());
        let why = member.ask(&["explain", peer.id()])?;
        let events = why.get("events").and_then(Value::as_array);
        Ok(Self {
            id: member.id().to_owned(),
            peers: peers.into_iter().flatten().filter_map(id).collect(),
            bans: member.ask(&["ban"])?,
            events: events.context("no events")?.clone(),
            matches: why.get("matches") == Some(&Value::Bool(true)),
        })
    }

    /// Whether all events of an earlier look are there, at the same places with the same weights.
    fn begins_with(&self, earlier: &Self) -> bool {
        let bare = |event: &Value| {
            let field = |name| event.get(name).cloned();
            (
                field("number"),
                field("time"),
                field("evidence"),
                field("weight_then"),
            )
        };
        let known: Vec<_> = self.events.iter().map(bare).collect();
        earlier
            .events
            .iter()
            .all(|event| known.contains(&bare(event)))
    }
}

/// Writes everything in a database again as the first version of the schema had it.
fn downgrade(dir: &Path) -> Result<()> {
    let (store, _) = SqliteStore::open(dir, Options::default())?;
    let mut rows: Vec<Write> = store.peers()?.into_iter().map(Write::Peer).collect();
    store.events(&mut |event| rows.push(Write::Event(event)))?;
    rows.extend(store.bans()?.into_iter().map(Write::Ban));
    rows.push(Write::Seen(store.seen()?));
    for key in ["anchors", "last-start"] {
        if let Some(value) = store.state(key)? {
            let key = key.into();
            rows.push(Write::State { key, value });
        }
    }
    store.close()?;
    drop(store);
    for file in fs::read_dir(dir)? {
        let file = file?;
        if file.file_name().to_string_lossy().contains("sqlite3") {
            fs::remove_file(file.path())?;
        }
    }
    Ok(fixture::version_1(dir, rows)?)
}

/// The version of the schema, from the head of the file; the node must have stopped in order.
fn schema(dir: &Path) -> Result<u32> {
    let bytes = fs::read(dir.join("store.sqlite3"))?;
    let version = bytes
        .get(USER_VERSION)
        .context("too short for a database")?;
    let version: [u8; 4] = version.try_into()?;
    let version = u32::from_be_bytes(version);
    ensure!(version > 0, "no schema");
    Ok(version)
}
