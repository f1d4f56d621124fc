//! kill -9 at each place of a start; then files that are missing or damaged, one by one.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use repute_base::Rng;
use repute_identity::NodeId;

use super::{Row, Scenario, member::Member, stage::Stage, tale::Tale};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "kill-at",
    about: "R01: kill -9 at each place of a start loses nothing; damaged files get a clear answer",
    run: |_| Stage::play(story),
};

/// Places of a first start, in order.
const FIRST: [&str; 12] = [
    "identity",
    "recovery-saved",
    "identity-made",
    "Migrating(1)",
    "Migrating(2)",
    "store-opened",
    "loaded",
    "CommitBegins",
    "CommitInside",
    "CommitEnds",
    "numbered",
    "bound",
];
/// Places of a start on what a killed node left.
const AGAIN: [&str; 10] = [
    "identity",
    "RecoveryBegins",
    "RecoveryInside",
    "RecoveryEnds",
    "store-opened",
    "loaded",
    "CommitBegins",
    "CommitInside",
    "numbered",
    "bound",
];
/// Bans between two kills.
const BANS: u64 = 2;
/// The exit code for a refused configuration or data directory.
const REFUSED: i32 = 3;

fn story(stage: &Stage) -> Result<Vec<Row>> {
    let mut tale = Tale::of("kill-at");
    first_starts(&mut tale, stage)?;
    let member = later_starts(&mut tale, stage)?;
    files(&mut tale, stage, &member)?;
    Ok(tale.end())
}

/// A first start that is cut off anywhere is made up for by the next one.
fn first_starts(tale: &mut Tale, stage: &Stage) -> Result<()> {
    let (mut reached, mut started, mut kept) = (0, 0, 0);
    for place in FIRST {
        let mut member = stage.member(&format!("first-{place}"));
        reached += u64::from(member.kill_at(place)?);
        let before = key(member.data_dir());
        member.start(None)?;
        started += 1;
        let same = before.is_none() || before == key(member.data_dir());
        kept += u64::from(same);
        let mut bans = Bans::default();
        bans.next(&member, BANS)?;
        let id = member.id().to_owned();
        member.kill()?;
        member.start(None)?;
        ensure!(member.id() == id, "{place}: another identity");
        ensure!(bans.are_in(&member)?, "{place}: a ban is lost");
        member.kill()?;
    }
    let places = FIRST.len() as u64;
    tale.counts("first starts killed where they should be", reached, places);
    tale.counts("first starts made up for", started, places);
    tale.counts("keys that stayed once they were made", kept, places);
    Ok(())
}

fn key(dir: &Path) -> Option<Vec<u8>> {
    fs::read(dir.join("identity.key")).ok()
}

/// A node with a past: every start is on what a kill left, and is killed as well.
fn later_starts(tale: &mut Tale, stage: &Stage) -> Result<Member> {
    let mut member = stage.member("veteran");
    member.start(None)?;
    let id = member.id().to_owned();
    let mut bans = Bans::default();
    let (mut reached, mut kept) = (0, 0);
    for place in AGAIN {
        bans.next(&member, BANS)?;
        member.kill()?;
        let log = member.data_dir().join("store.sqlite3-wal");
        ensure!(
            fs::metadata(log).is_ok_and(|log| log.len() > 0),
            "{place}: a kill left no log to take in"
        );
        reached += u64::from(member.kill_at(place)?);
        member.start(None)?;
        kept += u64::from(member.id() == id && bans.are_in(&member)?);
    }
    let places = AGAIN.len() as u64;
    tale.counts("later starts killed where they should be", reached, places);
    tale.counts("later starts with all that was acknowledged", kept, places);
    tale.notes("bans acknowledged", bans.0.len() as f64, "");
    tale.counts("damaged rows", member.status("damaged_rows")?, 0);
    member.stop()?;
    Ok(member)
}

/// Bans of strangers: a write that is acknowledged only when it is durable.
#[derive(Default)]
struct Bans(BTreeSet<String>);

impl Bans {
    fn next(&mut self, member: &Member, count: u64) -> Result<()> {
        for _ in 0..count {
            let mut bytes = [0; 32];
            Rng::from_u64(self.0.len() as u64).fill(&mut bytes);
            let id = NodeId::from_bytes(bytes).to_string();
            member.ask(&["ban", &id, "--reason", "before a kill"])?;
            self.0.insert(id);
        }
        Ok(())
    }

    fn are_in(&self, member: &Member) -> Result<bool> {
        let listed = member.ask(&["ban"])?.to_string();
        Ok(self.0.iter().all(|id| listed.contains(id)))
    }
}

/// What a node does about a file that is not as it left it.
enum Answer {
    /// It refuses, and its message has these words.
    Refuses(&'static [&'static str]),
    /// It starts, as itself.
    Starts,
    /// It starts, as somebody new.
    StartsAnew,
}

struct Case {
    what: &'static str,
    harm: fn(&Path) -> Result<()>,
    answer: Answer,
}

const CASES: &[Case] = &[
    Case {
        what: "the key is gone",
        harm: |dir| Ok(fs::remove_file(dir.join("identity.key"))?),
        answer: Answer::StartsAnew,
    },
    Case {
        what: "the key is damaged",
        harm: |dir| flip(&dir.join("identity.key"), 60),
        answer: Answer::Refuses(&["identity.key"]),
    },
    Case {
        what: "the key is cut off",
        harm: |dir| cut(&dir.join("identity.key"), 40),
        answer: Answer::Refuses(&["identity.key"]),
    },
    Case {
        what: "others may read the key",
        harm: |dir| expose(&dir.join("identity.key")),
        answer: Answer::Refuses(&["identity.key"]),
    },
    Case {
        what: "the recovery key was moved away",
        harm: |dir| Ok(fs::remove_file(dir.join("recovery.key"))?),
        answer: Answer::Starts,
    },
    Case {
        what: "the database is gone",
        harm: |dir| Ok(fs::remove_file(dir.join("store.sqlite3"))?),
        answer: Answer::Starts,
    },
    Case {
        what: "the database is cut off",
        harm: |dir| cut(&dir.join("store.sqlite3"), 6_000),
        answer: Answer::Refuses(&["store.sqlite3", "corrupt", "--set-corrupt-aside"]),
    },
    Case {
        what: "the database is empty",
        harm: |dir| cut(&dir.join("store.sqlite3"), 0),
        answer: Answer::Refuses(&["store.sqlite3", "corrupt", "--set-corrupt-aside"]),
    },
    Case {
        // The end of the first page holds the text of a table.
        what: "the database's tables are damaged",
        harm: |dir| flip(&dir.join("store.sqlite3"), 4_050),
        answer: Answer::Refuses(&["store.sqlite3", "corrupt", "--set-corrupt-aside"]),
    },
    Case {
        what: "the database is of a later version",
        harm: |dir| later(&dir.join("store.sqlite3")),
        answer: Answer::Refuses(&["store.sqlite3", "version 99", "newer program"]),
    },
    Case {
        what: "the database is somebody's letter",
        harm: |dir| {
            Ok(fs::write(
                dir.join("store.sqlite3"),
                "Dear friend, how are you?",
            )?)
        },
        answer: Answer::Refuses(&["store.sqlite3", "not a database of this program"]),
    },
    Case {
        what: "the log is somebody's letter",
        harm: |dir| Ok(fs::write(dir.join("store.sqlite3-wal"), "Dear friend")?),
        answer: Answer::Starts,
    },
    Case {
        what: "the lock is a folder",
        harm: |dir| {
            fs::remove_file(dir.join("store.lock"))?;
            Ok(fs::create_dir(dir.join("store.lock"))?)
        },
        answer: Answer::Refuses(&["store.lock"]),
    },
    Case {
        what: "a file stands for the control socket",
        harm: |dir| Ok(fs::write(dir.join("control.sock"), "")?),
        answer: Answer::Refuses(&["control.sock", "no socket"]),
    },
    Case {
        what: "the configuration is no configuration",
        harm: |dir| Ok(fs::write(dir.join("repute.toml"), "listen = = 1")?),
        answer: Answer::Refuses(&["repute.toml"]),
    },
];

/// One thing at a time is done to a copy of the veteran's files.
fn files(tale: &mut Tale, stage: &Stage, veteran: &Member) -> Result<()> {
    for (nth, case) in CASES.iter().enumerate() {
        let mut member = stage.member(&format!("case-{nth}"));
        copy(veteran.data_dir(), member.data_dir())?;
        (case.harm)(member.data_dir()).with_context(|| case.what.to_owned())?;
        let well = match case.answer {
            Answer::Refuses(words) => {
                let refused = refuses(&member, words)?;
                let heals = words.contains(&"--set-corrupt-aside");
                refused && (!heals || starts_afresh(&mut member, veteran.id())?)
            }
            Answer::Starts => starts_as(&mut member)? == veteran.id(),
            Answer::StartsAnew => starts_as(&mut member)? != veteran.id(),
        };
        tale.holds(case.what, well);
    }
    Ok(())
}

fn refuses(member: &Member, words: &[&str]) -> Result<bool> {
    let output = member.run(&["up", "--listen", "127.0.0.1:0"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    let clear = words.iter().all(|word| said.contains(word)) && !said.contains("panicked");
    let well = output.status.code() == Some(REFUSED) && clear;
    if !well {
        eprintln!("it ended with {} and said: {said}", output.status);
    }
    Ok(well)
}

fn starts_as(member: &mut Member) -> Result<String> {
    member.start(None)?;
    let id = member.id().to_owned();
    ensure!(member.status("panics")? == 0, "a task has panicked");
    member.stop()?;
    Ok(id)
}

/// The remedy that the message names works, and keeps what it set aside.
fn starts_afresh(member: &mut Member, id: &str) -> Result<bool> {
    member.add_flag("--set-corrupt-aside");
    let same = starts_as(member)? == id;
    let aside = |file: PathBuf| file.to_string_lossy().contains(".corrupt-");
    let files = fs::read_dir(member.data_dir())?;
    Ok(same && files.flatten().any(|file| aside(file.path())))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o700))?;
    for file in fs::read_dir(from)? {
        let file = file?;
        if file.file_type()?.is_file() {
            fs::copy(file.path(), to.join(file.file_name()))?;
        }
    }
    Ok(())
}

fn flip(path: &Path, at: usize) -> Result<()> {
    let mut bytes = fs::read(path)?;
    match bytes.get_mut(at) {
        Some(byte) => *byte ^= 0x55,
        None => bail!("{} is too short", path.display()),
    }
    Ok(fs::write(path, bytes)?)
}

fn cut(path: &Path, len: u64) -> Result<()> {
    Ok(fs::OpenOptions::new()
        .write(true)
        .open(path)?
        .set_len(len)?)
}

fn expose(path: &Path) -> Result<()> {
    Ok(fs::set_permissions(
        path,
        fs::Permissions::from_mode(0o644),
    )?)
}

/// Sets the version of the schema, where SQLite keeps it.
fn later(path: &Path) -> Result<()> {
    let mut bytes = fs::read(path)?;
    let version = bytes.get_mut(60..64).context("no header")?;
    version.copy_from_slice(&99_u32.to_be_bytes());
    Ok(fs::write(path, bytes)?)
}
