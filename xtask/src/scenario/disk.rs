//! A node whose data directory lies on a disk of 4 MiB, which fills up and is freed again.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{BufRead, BufReader, ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use repute_base::Rng;
use repute_identity::NodeId;
use serde_json::Value;

use super::{
    Row, Scenario,
    member::{Member, at_peace, fully_linked},
    stage::{Stage, until},
    tale::Tale,
    talk::Talk,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "disk-full",
    about: "R03: a full disk stops no gossip and loses nothing acknowledged; freed, writing resumes",
    run: |_| Stage::play(story),
};

const SIZE: &str = "size=4m,mode=700";
const LINKED: Duration = Duration::from_secs(60);
const HEARD: Duration = Duration::from_secs(20);
/// What R03 gives the return to writing.
const RESUMED: Duration = Duration::from_secs(5);
/// Bans tried until the disk is found full; the space that the database holds takes a few.
const BANS_MAX: u64 = 200;

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("disk-full");
    let dir = stage.path("small");
    fs::create_dir(&dir)?;
    let disk = match SmallDisk::mount(&dir) {
        Ok(disk) => disk,
        Err(error) => {
            eprintln!("disk-full: skipped: {error:#}");
            tale.notes("skipped, this system lets nobody mount a tmpfs", 1.0, "");
            return Ok(tale.end());
        }
    };
    let mut members = vec![
        stage.member_within(&disk.around(), "n0", &dir.join("n0")),
        stage.member("n1"),
    ];
    let (small, other) = pair(&mut members)?;
    small.start(None)?;
    other.start(Some(small.ticket()))?;
    fully_linked(&members, LINKED)?;
    let mut talk = Talk::among(&members)?;
    talk.round("before", &members, 5)?;
    talk.settle(&mut tale, "before", HEARD)?;

    let mut bans = Bans::default();
    let (small, _) = pair(&mut members)?;
    ensure!(bans.next(small)?, "a ban was refused on an empty disk");
    let ballast = disk.fill()?;
    while bans.next(small)? {
        ensure!(
            bans.tried <= BANS_MAX,
            "bans are still durable on a full disk"
        );
    }
    tale.holds("a ban that is not durable is refused", true);
    tale.holds("status says that the disk is full", is_full(small)?);
    tale.holds("the node lives on", small.is_running()?);
    talk.round("full", &members, 5)?;
    talk.settle(&mut tale, "full", HEARD)?;
    let (small, other) = pair(&mut members)?;
    small.ask(&["explain", other.id()])?;
    tale.holds("what was acknowledged is read", bans.are_in(small)?);

    fs::remove_file(ballast)?;
    let resumed = || Ok(bans.next(small)?.then_some(()));
    let ((), resumed_s) = until("a ban is durable again", RESUMED * 4, resumed)?;
    tale.takes("writing resumed after", resumed_s, RESUMED);
    tale.holds("status says that the disk has space", !is_full(small)?);
    small.kill()?;
    small.start(None)?;
    tale.holds(
        "after kill -9, what was acknowledged is there",
        bans.are_in(small)?,
    );
    talk.listen_again(0, small)?;
    fully_linked(&members, LINKED)?;
    talk.round("after", &members, 5)?;
    talk.settle(&mut tale, "after", HEARD)?;
    let (small, other) = pair(&mut members)?;
    let why = small.ask(&["explain", other.id()])?;
    let matches = why.get("matches") == Some(&Value::Bool(true));
    tale.holds("scores recomputed to the bit", matches);
    at_peace(&mut tale, members.get(1..).unwrap_or_default())?;
    Ok(tale.end())
}

fn pair(members: &mut [Member]) -> Result<(&mut Member, &mut Member)> {
    match members {
        [small, other] => Ok((small, other)),
        _ => bail!("this story has two nodes"),
    }
}

fn is_full(member: &Member) -> Result<bool> {
    let status = member.ask(&["status"])?;
    let full = status.get("storage_full").and_then(Value::as_bool);
    full.context("status does not say whether the disk is full")
}

/// Bans of strangers: a write that is acknowledged only when it is durable.
#[derive(Default)]
struct Bans {
    tried: u64,
    acknowledged: Vec<String>,
}

impl Bans {
    /// Bans one more; whether the node said that it is durable.
    fn next(&mut self, member: &Member) -> Result<bool> {
        self.tried += 1;
        let mut bytes = [0; 32];
        Rng::from_u64(self.tried).fill(&mut bytes);
        let id = NodeId::from_bytes(bytes).to_string();
        let output = member.run(&["ban", &id, "--reason", "fills the disk"])?;
        if output.status.success() {
            self.acknowledged.push(id);
            return Ok(true);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(said.contains("disk"), "refused for another reason: {said}");
        Ok(false)
    }

    /// Whether everything acknowledged is in force.
    fn are_in(&self, member: &Member) -> Result<bool> {
        let listed = member.ask(&["ban"])?.to_string();
        Ok(self.acknowledged.iter().all(|id| listed.contains(id)))
    }
}

/// A tmpfs of fixed size, mounted where only processes inside its namespaces see it.
struct SmallDisk {
    /// Keeps the namespaces while its stdin is open.
    keeper: Child,
    dir: PathBuf,
}

impl SmallDisk {
    fn mount(dir: &Path) -> Result<Self> {
        let script = "mount -t tmpfs -o \"$0\" repute \"$1\" && echo mounted && exec cat";
        let mut keeper = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", script, SIZE])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("unshare")?;
        let mut line = String::new();
        let out = keeper.stdout.take().context("its stdout")?;
        let disk = Self {
            keeper,
            dir: dir.into(),
        };
        BufReader::new(out).read_line(&mut line)?;
        ensure!(
            line.trim() == "mounted",
            "no tmpfs in a namespace of one's own"
        );
        Ok(disk)
    }

    /// What runs a program where the disk is seen.
    fn around(&self) -> Vec<OsString> {
        let keeper = self.keeper.id().to_string();
        let words = [
            "nsenter",
            "--target",
            &keeper,
            "--user",
            "--mount",
            "--preserve-credentials",
        ];
        words.map(OsString::from).into()
    }

    /// Fills the disk to the last byte; the file to remove to free it.
    fn fill(&self) -> Result<PathBuf> {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        let path = root.join(self.dir.strip_prefix("/")?).join("ballast");
        let mut file = File::create(&path)?;
        let block = [0; 4_096];
        loop {
            match file.write(&block) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(path),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ended = self.keeper.kill();
        let _waited = self.keeper.wait();
    }
}
