//! Services offered by one node, found by others: also by those who come when it is gone.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{
    Row, Scenario, Size,
    member::{Member, at_peace, fully_linked},
    relay::free_port,
    stage::{Stage, until},
    tale::Tale,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "directory",
    about: "a service is found with filters by a node that came when its offerer was killed",
    run: |size| {
        let mut rows = Stage::play(story)?;
        rows.extend(Stage::play(|stage| seen(stage, size))?);
        Ok(rows)
    },
};

const DAY_MS: u128 = 24 * 3_600_000;
const LINKED: Duration = Duration::from_secs(30);
const FOUND: Duration = Duration::from_secs(20);
/// Exit code of a search that found nothing.
const NOTHING: i32 = 5;

/// What the second node offers.
const OFFER: &[&str] = &[
    "advertise",
    "signer:spend",
    "signer:swap",
    "--min",
    "100",
    "--max",
    "5000",
    "--key",
    "02ab",
    "--criterion",
    "network=main",
    "--lifetime",
    "6h",
];
/// What finds it, and what does not.
const FITTING: &[&[&str]] = &[
    &["find", "signer"],
    &["find", "signer:swap", "--min-amount", "5000"],
    &["find", "signer:spend", "--max-amount", "100"],
    &[
        "find",
        "all",
        "--criterion",
        "network=main",
        "--min-trust",
        "0.4",
    ],
];
const UNFITTING: &[&[&str]] = &[
    &["find", "relay"],
    &["find", "signer", "--min-amount", "5001"],
    &["find", "signer", "--max-amount", "99"],
    &["find", "signer", "--criterion", "network=test"],
    &["find", "signer", "--min-trust", "0.9"],
];

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("directory");
    let mut first = settled(stage, "first")?;
    first.start(None)?;
    let mut second = settled(stage, "second")?;
    second.start(Some(first.ticket()))?;
    let members = [first, second];
    fully_linked(&members, LINKED)?;
    let [mut first, mut second] = members;
    second.ask(OFFER)?;
    let ((), seconds) = until("a neighbour knows of it", FOUND, || {
        Ok(finds(&first, &["find", "signer", "--local"], second.id())?.then_some(()))
    })?;
    tale.takes("a neighbour knows of it", seconds, FOUND);
    let offerer = second.id().to_owned();
    second.kill()?;

    let mut third = settled(stage, "third")?;
    third.start(Some(first.ticket()))?;
    let ((), seconds) = until("the third finds it", FOUND, || {
        Ok(finds(&third, &["find", "signer:spend"], &offerer)?.then_some(()))
    })?;
    tale.takes("found after its offerer was killed", seconds, FOUND);
    filtered(&mut tale, "then", &third, &offerer)?;

    third.kill()?;
    third.start(None)?;
    let ((), seconds) = until("it is found after a restart", FOUND, || {
        Ok(finds(&third, &["find", "signer:spend"], &offerer)?.then_some(()))
    })?;
    tale.takes(
        "found after kill -9 and restart of the finder",
        seconds,
        FOUND,
    );
    first.kill()?;
    first.start(None)?;
    let ((), seconds) = until("it is found where it was kept", FOUND, || {
        Ok(finds(&first, &["find", "signer:spend"], &offerer)?.then_some(()))
    })?;
    tale.takes(
        "found after kill -9 and restart of its keeper",
        seconds,
        FOUND,
    );
    filtered(&mut tale, "after restarts", &first, &offerer)?;

    // Back again, the offerer may change its mind.
    second.start(None)?;
    let members = [first, second, third];
    fully_linked(&members, LINKED)?;
    let [first, second, third] = members;
    second.ask(OFFER)?;
    second.ask(&["advertise", "--retract"])?;
    let gone = |node: &Member| finds(node, &["find", "signer", "--local"], &offerer);
    let ((), seconds) = until("it is forgotten", FOUND, || {
        Ok((!gone(&first)? && !gone(&third)?).then_some(()))
    })?;
    tale.takes("taken back, and forgotten by all", seconds, FOUND);
    at_peace(&mut tale, &[first, second, third])?;
    Ok(tale.end())
}

/// A node that listens at the same place after a restart.
fn settled(stage: &Stage, name: &str) -> Result<Member> {
    let address = free_port()?.to_string();
    Ok(stage.member(name).with_flags(&["--listen", &address]))
}

/// Whether a search brings the offer of this node.
fn finds(member: &Member, words: &[&str], offerer: &str) -> Result<bool> {
    let output = member.run(words)?;
    match output.status.code() {
        Some(NOTHING) => return Ok(false),
        Some(0) => {}
        _ => bail!("{}", String::from_utf8_lossy(&output.stderr).trim()),
    }
    let found: Value = serde_json::from_slice(&output.stdout)?;
    let found = found.get("found").and_then(Value::as_array);
    let by = |one: &Value| one.get("id").and_then(Value::as_str) == Some(offerer);
    Ok(found.context("no list of what was found")?.iter().any(by))
}

fn filtered(tale: &mut Tale, when: &str, member: &Member, offerer: &str) -> Result<()> {
    let mut counts = [0, 0];
    for (count, filters) in counts.iter_mut().zip([FITTING, UNFITTING]) {
        for filter in filters {
            *count += u64::from(finds(member, filter, offerer)?);
        }
    }
    let [fitting, unfitting] = counts;
    let what = format!("{when}, filters that fit and find");
    tale.counts(&what, fitting, FITTING.len() as u64);
    tale.counts(
        &format!("{when}, filters that do not and find"),
        unfitting,
        0,
    );
    Ok(())
}

/// How soon watchers on a whole network see an advertisement; and somebody who comes later.
fn seen(stage: &Stage, size: Size) -> Result<Vec<Row>> {
    let mut tale = Tale::of("directory");
    let (count, each) = if size.full { (16, 6) } else { (6, 3) };
    let members = stage.network(count)?;
    until("all are in the network", LINKED, || {
        let linked = members.iter().map(|one| Ok(one.linked()?.len()));
        let least = linked.collect::<Result<Vec<usize>>>()?.into_iter().min();
        Ok((least >= Some(3)).then_some(()))
    })?;
    let mut watchers = members
        .iter()
        .map(Watcher::open)
        .collect::<Result<Vec<_>>>()?;
    let mut delays_ms = Vec::new();
    for round in 0..each {
        for (place, member) in members.iter().enumerate() {
            let key = format!("{round:02x}");
            member.ask(&["advertise", "seeder", "--key", &key])?;
            for (nth, watcher) in watchers.iter_mut().enumerate() {
                if nth != place {
                    delays_ms.push(watcher.sees(member.id())?);
                }
            }
        }
    }
    let sightings = members.len() * (members.len() - 1) * each;
    let what = format!("advertisements seen by watchers on {count} nodes");
    tale.counts(&what, delays_ms.len() as u64, sightings as u64);
    delays_ms.sort_by(f64::total_cmp);
    let p99 = delays_ms.get(delays_ms.len() * 99 / 100).copied();
    tale.at_most(
        "p99 from signed to seen",
        p99.unwrap_or(f64::NAN),
        "ms",
        100.0,
    );
    let mut late = stage.member("late");
    late.start(members.first().map(Member::ticket))?;
    let ((), seconds) = until("who came later finds all", FOUND, || {
        let found = late.run(&["find", "seeder", "--limit", "256"])?;
        if !found.status.success() {
            return Ok(None);
        }
        let found: Value = serde_json::from_slice(&found.stdout)?;
        let found = found
            .get("found")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        Ok((found == members.len() * each).then_some(()))
    })?;
    tale.takes("who came later finds all", seconds, FOUND);
    Ok(tale.end())
}

/// A running `repute find --watch`. It is killed when this is dropped.
struct Watcher {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Watcher {
    fn open(member: &Member) -> Result<Self> {
        let mut command = member.command();
        command.args(["--json", "find", "seeder", "--watch"]);
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut notice = String::new();
        let err = process.stderr.take().context("its stderr")?;
        BufReader::new(err).read_line(&mut notice)?;
        let lines = BufReader::new(process.stdout.take().context("its stdout")?);
        let watcher = Self { process, lines };
        if !notice.starts_with("listening for") {
            bail!("it does not watch: {notice}");
        }
        Ok(watcher)
    }

    /// Waits for an advertisement of this author; how many ms after it was signed it was read here,
    /// by the one clock that all processes share.
    fn sees(&mut self, author: &str) -> Result<f64> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line)? == 0 {
                bail!("the watch has ended");
            }
            let offer: Value = serde_json::from_str(&line)?;
            if offer.get("id").and_then(Value::as_str) == Some(author) {
                let sent = offer.get("sent").and_then(Value::as_str);
                let sent = sent.and_then(ms_of_day).context("when was it signed?")?;
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() % DAY_MS;
                return Ok(((now + DAY_MS - sent) % DAY_MS) as f64);
            }
        }
    }
}

/// The ms since midnight in a time such as 2026-11-22T08:00:00.000Z.
fn ms_of_day(time: &str) -> Option<u128> {
    let (_, clock) = time.trim_end_matches('Z').split_once('T')?;
    let (clock, ms) = clock.split_once('.')?;
    let mut parts = clock.split(':').map(str::parse::<u128>);
    let mut part = || parts.next()?.ok();
    let (hours, minutes, seconds) = (part()?, part()?, part()?);
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000 + ms.parse::<u128>().ok()?)
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.process.kill();
        let _waited = self.process.wait();
    }
}
