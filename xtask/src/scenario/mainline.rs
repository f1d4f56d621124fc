//! A ticket that is out of date leads to its node through a DHT of BitTorrent on this machine.

use std::{net::UdpSocket, time::Duration};

use anyhow::{Context, Result};
use mainline::Testnet;
use serde_json::Value;

use super::{
    Row, Scenario,
    member::{Member, at_peace, fully_linked},
    stage::{Stage, until},
    tale::Tale,
    talk::Talk,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "mainline",
    about: "a stale ticket with a discovery key finds its node through a local Mainline DHT",
    run: |_| Stage::play(story),
};

/// Nodes of the DHT, as many as hold one item and more.
const DHT_NODES: usize = 10;
const PUBLISHED: Duration = Duration::from_secs(30);
const FOUND: Duration = Duration::from_secs(60);
const HEARD: Duration = Duration::from_secs(20);

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("mainline");
    // The builder binds to loopback alone.
    let net = Testnet::builder(DHT_NODES).build()?;
    let bootstrap = format!("discovery.mainline_bootstrap={}", net.bootstrap.join(","));
    let flags = [
        "--listen",
        "127.0.0.1:0",
        "--set",
        "discovery.mainline=true",
        "--set",
        &bootstrap,
    ];

    let mut moved = stage.member("moved").with_flags(&flags);
    moved.start(None)?;
    let published_s = published(&moved)?;
    tale.takes("published", published_s, PUBLISHED);
    let (first_ticket, mut taken) = (moved.ticket().to_owned(), Vec::new());
    moved = elsewhere(moved, &mut taken)?;
    published(&moved)?;
    tale.holds("the ticket is out of date", moved.ticket() != first_ticket);

    let mut seeker = stage.member("seeker").with_flags(&flags);
    seeker.start_joining(&[&first_ticket])?;
    let mut members = vec![moved, seeker];
    let found_s = fully_linked(&members, FOUND)?;
    tale.takes("found by a ticket from before a restart", found_s, FOUND);
    let seeker = members.last().context("the seeker")?;
    tale.at_least("found on mainline", count(seeker, "found")?, 1);
    tale.counts("refused from mainline", count(seeker, "refused")?, 0);

    // A new key, and a ticket with it; then the node moves once more.
    let mut moved = members.remove(0);
    let old_key = key(&moved, &[])?;
    let new_key = key(&moved, &["--rotate"])?;
    tale.holds("rotation makes another key", old_key != new_key);
    moved = elsewhere(moved, &mut taken)?;
    published(&moved)?;
    let second_ticket = moved.ticket().to_owned();
    moved = elsewhere(moved, &mut taken)?;
    published(&moved)?;
    let mut late = stage.member("late").with_flags(&flags);
    late.start_joining(&[&second_ticket])?;
    members.insert(0, moved);
    members.push(late);
    let found_s = fully_linked(&members, FOUND)?;
    tale.takes("found under the new key", found_s, FOUND);

    // Who did not ask for it publishes nothing, and has no key that could.
    let mut silent = stage.member("silent");
    let any = members.first().map(Member::ticket).unwrap_or_default();
    silent.start_joining(&[any])?;
    members.push(silent);
    fully_linked(&members, FOUND)?;
    let silent = members.last().context("the silent one")?;
    tale.counts(
        "published without being asked",
        count(silent, "published")?,
        0,
    );
    let has_key = silent.data_dir().join("discovery.key").exists();
    tale.holds("no key without being asked", !has_key);

    let mut talk = Talk::among(&members)?;
    talk.round("words", &members, 4)?;
    talk.settle(&mut tale, "words", HEARD)?;
    at_peace(&mut tale, &members)?;
    Ok(tale.end())
}

/// Kills a node and starts it at another port: nobody listens at the former one, and nobody will.
fn elsewhere(mut member: Member, taken: &mut Vec<UdpSocket>) -> Result<Member> {
    let before = member.address()?;
    member.kill()?;
    taken.push(UdpSocket::bind(before)?);
    member.start(None)?;
    anyhow::ensure!(member.address()? != before, "it is where it was");
    Ok(member)
}

/// Waits until a node has been published since its start; how many seconds that took.
fn published(member: &Member) -> Result<f64> {
    let look = || Ok((count(member, "published")? > 0).then_some(()));
    Ok(until("it is published", PUBLISHED, look)?.1)
}

fn count(member: &Member, what: &str) -> Result<u64> {
    let status = member.ask(&["status"])?;
    let count = status.pointer(&format!("/discovery/{what}"));
    count
        .and_then(Value::as_u64)
        .context("a count of discovery")
}

fn key(member: &Member, flags: &[&str]) -> Result<String> {
    let said = member.ask(&[&["id", "discovery-key"], flags].concat())?;
    let key = said.get("discovery_key").and_then(Value::as_str);
    Ok(key.context("a discovery key")?.to_owned())
}
