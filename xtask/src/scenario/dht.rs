//! Values kept by a network of processes, half of which are killed.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result};
use repute_identity::NodeId;
use serde_json::Value;

use super::{
    Row, Scenario,
    member::{Member, at_peace},
    stage::{Stage, until},
    tale::Tale,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "dht",
    about: "values are found by all, the newest wins, also when half the network was killed",
    run: |_| Stage::play(story),
};

const NODES: usize = 8;
const LINKED: Duration = Duration::from_secs(30);
const FOUND: Duration = Duration::from_secs(30);

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("dht");
    let mut members = stage.network(NODES)?;
    let ((), seconds) = until("every table has all the others", LINKED, || {
        for member in &members {
            let stats = member.ask(&["dht", "stats"])?;
            let table = stats.get("table").and_then(Value::as_array).map(Vec::len);
            if table != Some(NODES - 1) {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })?;
    tale.takes("every table has all the others", seconds, LINKED);

    let mut keys = Vec::new();
    for (place, member) in members.iter().enumerate() {
        let value = format!("value of {place}");
        let put = member.ask(&["dht", "put", "greeting", &value])?;
        let key = put.get("key").and_then(Value::as_str).context("no key")?;
        let copies = put.get("copies").and_then(Value::as_u64);
        tale.counts(
            &format!("copies of {value}"),
            copies.unwrap_or(0),
            NODES as u64,
        );
        keys.push((key.to_owned(), value));
    }
    tale.counts(
        "values found by all",
        found(&members, &keys)?,
        (NODES * NODES) as u64,
    );
    closest(&mut tale, &members)?;

    // A new value replaces the old one, wherever it is read.
    let first = members.first().context("no node")?;
    first.ask(&["dht", "put", "greeting", "newer"])?;
    if let Some((_, value)) = keys.first_mut() {
        *value = "newer".into();
    }
    let ((), seconds) = until("all read the newer value", FOUND, || {
        Ok((found(&members, &keys)? == (NODES * NODES) as u64).then_some(()))
    })?;
    tale.takes("all read the newer value", seconds, FOUND);
    let unknown = members
        .last()
        .context("no node")?
        .run(&["dht", "get", "--name", "nothing"])?;
    tale.holds("nothing is not found", unknown.status.code() == Some(5));

    let mut killed = members.split_off(NODES / 2);
    for member in &mut killed {
        member.kill()?;
    }
    let all = (members.len() * keys.len()) as u64;
    let ((), seconds) = until("the rest read all values", FOUND, || {
        Ok((found(&members, &keys)? == all).then_some(()))
    })?;
    tale.counts(
        "nodes killed",
        killed.len() as u64,
        (NODES - NODES / 2) as u64,
    );
    tale.takes("half was killed, the rest read all values", seconds, FOUND);

    // A store that is read again after kill -9.
    for member in &mut members {
        member.kill()?;
        member.start(None)?;
    }
    let ((), seconds) = until("all values are read after a restart", FOUND, || {
        Ok((found(&members, &keys)? == all).then_some(()))
    })?;
    tale.takes(
        "the rest was killed and restarted, and reads all values",
        seconds,
        FOUND,
    );
    at_peace(&mut tale, &members)?;
    Ok(tale.end())
}

/// How many of these values are read, by all of these together.
fn found(members: &[Member], keys: &[(String, String)]) -> Result<u64> {
    let mut count = 0;
    for member in members {
        for (key, value) in keys {
            let output = member.run(&["dht", "get", key])?;
            let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let text = said.pointer("/records/0/text").and_then(Value::as_str);
            count += u64::from(text == Some(value));
        }
    }
    Ok(count)
}

/// Each lookup names the nodes in the order of their distance.
fn closest(tale: &mut Tale, members: &[Member]) -> Result<()> {
    let ids: Result<Vec<NodeId>> = members.iter().map(|one| Ok(one.id().parse()?)).collect();
    let ids = ids?;
    let mut right = 0;
    for (member, me) in members.iter().zip(&ids) {
        for target in &ids {
            let view = member.ask(&["dht", "lookup", &target.to_string()])?;
            let said = view.get("closest").and_then(Value::as_array);
            let said = said.context("no nodes")?.iter();
            let said = said.filter_map(|one| one.get("id")?.as_str()?.parse().ok());
            let said: Vec<NodeId> = said.collect();
            let mut others: BTreeSet<([u8; 32], NodeId)> = BTreeSet::new();
            others.extend(ids.iter().map(|id| (distance(id, target), *id)));
            others.remove(&(distance(me, target), *me));
            let others = others.into_iter().map(|(_, id)| id);
            let said = said.into_iter().filter(|id| id != me);
            right += u64::from(said.eq(others));
        }
    }
    tale.counts(
        "lookups that name all in order",
        right,
        (NODES * NODES) as u64,
    );
    Ok(())
}

fn distance(a: &NodeId, b: &NodeId) -> [u8; 32] {
    let mut distance = *a.as_bytes();
    for (byte, other) in distance.iter_mut().zip(b.as_bytes()) {
        *byte ^= other;
    }
    distance
}
