//! Nodes that are killed while they fetch: what was durable is never fetched again.

use std::{
    fs,
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use repute_base::Rng;
use repute_node::blobs::{Store, StoreLimits};
use repute_protocol::BlobHash;
use serde_json::Value;

use super::{
    super::{
        Row, Size,
        member::Member,
        stage::{Stage, until},
        tale::Tale,
    },
    MIB, number, shown, text, write,
};

/// Bytes of the file: seven seconds at the seeder's rate, which is some syncs.
const FILE_BYTES: usize = 28 * MIB;
/// A group of 16 KiB is what is proven by itself.
const GROUP_BYTES: u64 = 16 << 10;
/// Nodes that fetch at the same time.
const AT_ONCE: u64 = 8;
const BATCHES: u64 = 1;
const BATCHES_FULL: u64 = 25;
const REACHED: Duration = Duration::from_secs(60);
const FETCHED: Duration = Duration::from_secs(60);

const SEEDER: &[&str] = &[
    "--listen",
    "127.0.0.1:0",
    "--set",
    "blobs.upload_peer_kib_s=4096",
];

/// One that is killed when it has so many bytes.
struct Victim {
    member: Member,
    at: u64,
    getting: Option<Child>,
}

/// What came of them.
#[derive(Default)]
struct Count {
    /// Killed when some groups were durable, and not all.
    halfway: u64,
    durable: u64,
    fetched_again: u64,
    /// Bytes asked for twice because nothing came for a while.
    twice: u64,
    whole: u64,
}

pub(super) fn story(stage: &Stage, size: Size) -> Result<Vec<Row>> {
    let mut tale = Tale::of("files");
    let (path, content) = write(stage, "film.bin", FILE_BYTES, size.seed)?;
    let mut seeder = stage.member("seeder").with_flags(SEEDER);
    seeder.start(None)?;
    let shared = seeder.ask(&["share", shown(&path)?])?;
    let (ticket, hash) = (text(&shared, "ticket")?, text(&shared, "hash")?.parse()?);
    let batches = if size.full { BATCHES_FULL } else { BATCHES };
    let mut rng = Rng::from_u64(size.seed);
    let mut count = Count::default();
    for batch in 0..batches {
        let mut victims = Vec::new();
        for nth in 0..AT_ONCE {
            let mut member = stage.member(&format!("g{batch}-{nth}"));
            member.start(Some(seeder.ticket()))?;
            let mut command = member.command();
            command.args(["get", "--quiet", ticket, "-o"]);
            command.arg(member.data_dir().join("got.bin"));
            let at = rng.range(GROUP_BYTES..FILE_BYTES as u64 * 19 / 20);
            let getting = command.stdout(Stdio::null()).stderr(Stdio::null());
            let getting = Some(getting.spawn()?);
            victims.push(Victim {
                member,
                at,
                getting,
            });
        }
        kill_all(&mut victims)?;
        for victim in &mut victims {
            go_on(victim, (hash, &seeder), &mut count)?;
        }
        for victim in &mut victims {
            come_to_an_end(victim, &content, &mut count)?;
        }
    }
    let kills = batches * AT_ONCE;
    tale.counts(
        "fetches killed with -9, and whole in the end",
        count.whole,
        kills,
    );
    tale.at_least(
        "of these, when some groups were durable and not all",
        count.halfway,
        kills / 2,
    );
    tale.counts(
        "groups that were durable and fetched again",
        count.fetched_again,
        0,
    );
    tale.notes("came twice since the restart", count.twice as f64, "bytes");
    let mean = count.durable as f64 / kills as f64;
    tale.notes("durable groups at the kill, mean", mean, "groups");
    Ok(tale.end())
}

/// Kills each when it has come so far.
fn kill_all(victims: &mut [Victim]) -> Result<()> {
    until("all were killed while they fetched", REACHED, || {
        for victim in &mut *victims {
            let Some(getting) = &mut victim.getting else {
                continue;
            };
            let status = victim.member.ask(&["status"])?;
            let files = status.get("files").context("a status without files")?;
            if number(files, "bytes_received") >= victim.at {
                victim.member.kill()?;
                getting.wait()?;
                victim.getting = None;
            }
        }
        let over = victims.iter().all(|victim| victim.getting.is_none());
        Ok(over.then_some(()))
    })?;
    Ok(())
}

/// Looks what is durable, and starts the node again.
fn go_on(victim: &mut Victim, of: (BlobHash, &Member), count: &mut Count) -> Result<()> {
    let (hash, seeder) = of;
    let folder = victim.member.data_dir().join("blobs");
    let store = Store::open(folder, StoreLimits::default())?;
    let partial = store.fetch(&hash, FILE_BYTES as u64)?;
    let durable = partial.durable().len();
    drop((partial, store));
    let all = (FILE_BYTES as u64).div_ceil(GROUP_BYTES);
    count.halfway += u64::from(durable > 0 && durable < all);
    count.durable += durable;
    victim.at = (all - durable) * GROUP_BYTES;
    victim.member.start(Some(seeder.ticket()))
}

/// Waits until it has all of it, and counts what came since.
fn come_to_an_end(victim: &mut Victim, content: &[u8], count: &mut Count) -> Result<()> {
    let member = &mut victim.member;
    until("the fetch goes on by itself and ends", FETCHED, || {
        let all = member.ask(&["transfers"])?;
        let state = all.pointer("/transfers/0/state").and_then(Value::as_str);
        Ok((state == Some("finished")).then_some(()))
    })?;
    let status = member.ask(&["status"])?;
    let files = status.get("files").context("a status without files")?;
    let (new, twice) = (
        number(files, "bytes_received"),
        number(files, "bytes_duplicate"),
    );
    // `at` is what was missing.
    count.fetched_again += new.saturating_sub(victim.at).div_ceil(GROUP_BYTES);
    count.twice += twice;
    let got = fs::read(member.data_dir().join("got.bin"))?;
    let sound = member.ask(&["verify"])?;
    let sound = sound.get("sound") == Some(&Value::Bool(true));
    count.whole += u64::from(sound && got == content);
    member.stop()?;
    fs::remove_dir_all(member.data_dir())?;
    Ok(())
}
