//! R01: a process is killed while it writes, commits and recovers; nothing acknowledged is lost.
//!
//! The test runs itself again as the child that is killed. `REPUTE_R01_KILLS` sets how many kills.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Read, Write as _},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use repute_base::{Rng, Wall};
use repute_identity::NodeId;
use repute_storage::{EventRow, Options, Point, SqliteStore, Store, Write};

const DIR: &str = "REPUTE_R01_DIR";
const POINT: &str = "REPUTE_R01_POINT";

/// The only event there can be under a number.
fn event(number: u64) -> EventRow {
    let mut rng = Rng::from_u64(number);
    let mut subject = [0; 32];
    subject.fill(u8::try_from(rng.below(5)).unwrap());
    EventRow {
        number,
        subject: NodeId::from_bytes(subject),
        wall: Wall::from_millis(rng.below(1 << 40)),
        kind: 1,
        fault: 2,
        context: 3,
        body: vec![7; usize::try_from(rng.below(3_000)).unwrap()],
    }
}

/// The child: appends pairs of events as fast as it can and says which were acknowledged.
#[test]
fn r01_child_that_is_killed() {
    let Ok(dir) = env::var(DIR) else { return };
    let mut options = Options::default();
    if let Ok(target) = env::var(POINT) {
        let (name, (after, delay_us)) = target
            .split_once(':')
            .map(|(name, rest)| (name.to_owned(), rest.split_once(':').unwrap()))
            .unwrap();
        let (after, delay_us): (u32, u64) = (after.parse().unwrap(), delay_us.parse().unwrap());
        let passed = AtomicU32::new(0);
        options.hook = Some(Arc::new(move |point: Point| {
            if format!("{point:?}") == name && passed.fetch_add(1, Ordering::SeqCst) == after {
                say(&format!("at {point:?}"));
                if delay_us == 0 {
                    std::process::abort();
                }
                // Lands a moment later, while SQLite writes or syncs.
                thread::spawn(move || {
                    thread::sleep(Duration::from_micros(delay_us));
                    std::process::abort();
                });
            }
        }));
    }
    let (store, _) = SqliteStore::open(Path::new(&dir), options).unwrap();
    let next = store
        .events(&mut |_| {})
        .unwrap()
        .number_max
        .map_or(0, |max| max + 1);
    // At most 64 batches are under way, so that groups of all sizes are committed.
    let (slot, slots) = mpsc::channel();
    (0..64).for_each(|_| slot.send(()).unwrap());
    for number in (next..).step_by(2) {
        slots.recv().unwrap();
        let slot = slot.clone();
        store.write(
            vec![Write::Event(event(number)), Write::Event(event(number + 1))],
            Box::new(move |result| {
                result.unwrap();
                say(&format!("ack {number}"));
                let _ = slot.send(());
            }),
        );
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("{line}\n").as_bytes());
    let _ = out.flush();
}

/// A child under way, and what it has said.
struct Victim {
    child: Child,
    lines: mpsc::Receiver<String>,
}

fn start(dir: &Path, point: Option<&str>) -> Victim {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([
        "--exact",
        "r01_child_that_is_killed",
        "--nocapture",
        "--test-threads=1",
    ]);
    command
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(point) = point {
        command.env(POINT, point);
    }
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let (line, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        while out.by_ref().read_line(&mut text).unwrap_or(0) > 0 {
            // A line that was cut off says nothing.
            if text.ends_with('\n') {
                let _ = line.send(text.trim().to_owned());
            }
            text.clear();
        }
    });
    Victim { child, lines }
}

impl Victim {
    /// Waits for the end; the numbers acknowledged, whether the kill point was reached, and the
    /// signal.
    fn end(mut self, acknowledged: &mut Vec<u64>) -> (bool, Option<i32>) {
        let status = self.child.wait().unwrap();
        let mut reached = false;
        for line in self.lines {
            // The first line may follow words of the test harness.
            if let Some((_, number)) = line.rsplit_once("ack ") {
                acknowledged.push(number.parse().unwrap());
            }
            reached |= line.contains("at Commit") || line.contains("at Recovery");
        }
        (reached, status.signal())
    }
}

/// Opens what the dead left and compares every record with the only one there can be.
fn verify(dir: &Path, acknowledged: &[u64], context: &str) -> bool {
    let (store, report) = SqliteStore::open(dir, Options::default()).unwrap();
    assert!(!report.created, "{context}: the database is gone");
    let mut found = BTreeMap::new();
    let load = store
        .events(&mut |row| drop(found.insert(row.number, row)))
        .unwrap();
    assert_eq!(load.damaged, 0, "{context}");
    for (number, row) in &found {
        assert_eq!(*row, event(*number), "{context}");
        assert!(
            found.contains_key(&(number ^ 1)),
            "{context}: half of batch {number} is visible"
        );
    }
    for number in acknowledged {
        assert!(
            found.contains_key(number),
            "{context}: acknowledged {number} is lost"
        );
    }
    report.recovered
}

#[test]
fn r01_every_acknowledged_record_survives_a_kill_anywhere() {
    let kills: u64 = env::var("REPUTE_R01_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(50);
    let mut rng = Rng::from_u64(0x0001);
    let (mut in_commit, mut in_recovery, mut recovered) = (0, 0, 0);
    let mut acknowledged = Vec::new();
    let mut dir = tempfile::tempdir().unwrap();
    for kill in 0..kills {
        if kill % 50 == 49 {
            // Small ledgers keep many kills fast.
            dir = tempfile::tempdir().unwrap();
            acknowledged.clear();
        }
        let context = format!("kill {kill}");
        if kill % 5 == 4 {
            // Inside a commit: exactly there, or while its pages are written and synced.
            let delay_us = if kill % 10 == 4 {
                0
            } else {
                1 + rng.below(1_500)
            };
            let point = format!("CommitInside:{}:{delay_us}", 1 + rng.below(20));
            let (reached, signal) = start(dir.path(), Some(&point)).end(&mut acknowledged);
            assert_eq!(signal, Some(6), "{context}");
            in_commit += u64::from(reached);
        } else {
            let mut victim = start(dir.path(), None);
            // The clock of the kill starts with the first acknowledgement.
            let first = victim.lines.iter().find(|line| line.contains("ack "));
            let (_, number) = first
                .as_ref()
                .and_then(|line| line.rsplit_once("ack "))
                .unwrap();
            acknowledged.push(number.parse().unwrap());
            thread::sleep(Duration::from_millis(1 + rng.below(40)));
            victim.child.kill().unwrap();
            assert_eq!(victim.end(&mut acknowledged).1, Some(9), "{context}");
        }
        if kill % 5 == 3 {
            // The next process takes in the log, and is killed in the middle of that.
            let delay_us = if kill % 10 == 3 {
                0
            } else {
                1 + rng.below(500)
            };
            let point = format!("RecoveryInside:0:{delay_us}");
            let (reached, signal) = start(dir.path(), Some(&point)).end(&mut acknowledged);
            assert_eq!(signal, Some(6), "{context}");
            in_recovery += u64::from(reached);
        }
        recovered += u64::from(verify(dir.path(), &acknowledged, &context));
    }
    assert!(in_commit > 0, "no kill fell inside a commit");
    assert!(in_recovery > 0, "no kill fell inside a recovery");
    assert!(recovered > 0, "no log was ever taken in");
    eprintln!(
        "R01: {kills} kills, {in_commit} in a commit, {in_recovery} in a recovery, {recovered} \
         logs taken in, 0 lost"
    );
}
