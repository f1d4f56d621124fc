//! Files shared on one node and got on another.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{fails, repute, run, running::Running, stderr, stdout, succeeds};

/// Bytes that no two groups of have in common.
fn content(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(byte).take(len).collect()
}

fn file(node: &Running, name: &str, len: usize) -> PathBuf {
    let path = node.path().join(name);
    fs::write(&path, content(len)).unwrap();
    path
}

fn share(node: &Running, path: &Path, flags: &[&str]) -> Value {
    node.json(&[&["share", path.to_str().unwrap()], flags].concat())
}

fn ticket(share: &Value) -> &str {
    share["ticket"].as_str().unwrap()
}

/// A command of a node's, typed in another folder.
fn typed_in(folder: &Path, node: &Running, words: &[&str]) -> std::process::Output {
    let mut command = repute();
    command.current_dir(folder).arg("--data-dir");
    command.arg(node.path()).args(words).output().unwrap()
}

#[test]
fn a_file_is_shared_got_by_its_name_and_shared_on() {
    let (seeder, getter) = Running::pair();
    let shared = share(&seeder, &file(&seeder, "hello.bin", 300_000), &[]);
    assert_eq!(shared["bytes"], 300_000);
    assert_eq!(shared["kind"], "file");
    let here = TempDir::new().unwrap();
    let got = typed_in(here.path(), &getter, &["get", ticket(&shared)]);
    let place = here.path().join("hello.bin");
    assert_eq!(succeeds(&got).trim(), place.to_str().unwrap());
    assert_eq!(fs::read(&place).unwrap(), content(300_000));
    let said = stderr(&got);
    let short = seeder.id().get(..10).unwrap();
    assert!(said.contains("VERDICT") && said.contains(short), "{said}");
    assert!(said.contains("verified"), "{said}");
    assert!(
        said.lines().all(|line| line.chars().count() <= 80),
        "{said}"
    );
    // Both are seeders now.
    let kept = getter.json(&["shared"]);
    assert_eq!(kept["shares"][0]["hash"], shared["hash"]);
    assert!(seeder.text(&["shared"]).contains("hello.bin"));
    for node in [&seeder, &getter] {
        assert_eq!(node.json(&["verify"])["sound"], true);
    }
    let done = getter.json(&["transfers"]);
    assert_eq!(done["transfers"][0]["state"], "finished");
    let hash = shared["hash"].as_str().unwrap();
    seeder.text(&["unshare", &hash[..8]]);
    assert_eq!(seeder.json(&["shared"])["shares"], Value::Array(vec![]));
    fails(&run(seeder.path(), &["unshare", hash]), 5, "not shared");
}

#[test]
fn nothing_is_overwritten_and_quiet_says_only_where_it_is() {
    let (seeder, getter) = Running::pair();
    let shared = share(
        &seeder,
        &file(&seeder, "x.bin", 40_000),
        &["--name", "y.bin"],
    );
    let here = TempDir::new().unwrap();
    fs::write(here.path().join("y.bin"), "mine").unwrap();
    let words = ["get", ticket(&shared), "--quiet", "-o"];
    for place in [".", "y.bin"] {
        let refused = typed_in(here.path(), &getter, &[&words[..], &[place]].concat());
        fails(&refused, 6, "-o PATH");
    }
    assert_eq!(fs::read(here.path().join("y.bin")).unwrap(), b"mine");
    let nowhere = typed_in(here.path(), &getter, &[&words[..], &["no/z"]].concat());
    fails(&nowhere, 5, "no such folder");
    let got = typed_in(here.path(), &getter, &[&words[..], &["z.bin"]].concat());
    let place = here.path().join("z.bin");
    assert_eq!(succeeds(&got).trim(), place.to_str().unwrap());
    assert_eq!(stderr(&got), "");
    assert_eq!(fs::read(place).unwrap(), content(40_000));
}

#[test]
fn a_folder_comes_with_all_its_files_and_by_its_hash_alone() {
    let (seeder, getter) = Running::pair();
    let folder = seeder.path().join("photos");
    fs::create_dir_all(folder.join("summer")).unwrap();
    fs::write(folder.join("a.jpg"), content(70_000)).unwrap();
    fs::write(folder.join("summer/b.jpg"), content(20_000)).unwrap();
    fs::write(folder.join("empty"), "").unwrap();
    let shared = share(&seeder, &folder, &["--reference"]);
    assert_eq!(shared["kind"], "folder");
    assert_eq!(
        (&shared["files"], &shared["bytes"]),
        (&3.into(), &90_000.into())
    );
    let here = TempDir::new().unwrap();
    let hash = shared["hash"].as_str().unwrap();
    let got = typed_in(here.path(), &getter, &["get", hash, "--json"]);
    let events = lines(&succeeds(&got));
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["files"]),
        (&"finished".into(), &3.into())
    );
    // Without a ticket the hash is the name.
    let place = here.path().join(hash);
    assert_eq!(fs::read(place.join("a.jpg")).unwrap(), content(70_000));
    assert_eq!(
        fs::read(place.join("summer/b.jpg")).unwrap(),
        content(20_000)
    );
    assert_eq!(fs::read(place.join("empty")).unwrap(), b"");
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_dry_run_tells_who_is_chosen_and_why_and_fetches_nothing() {
    let (seeder, getter) = Running::pair();
    let shared = share(&seeder, &file(&seeder, "x.bin", 40_000), &[]);
    let here = TempDir::new().unwrap();
    let words = ["get", ticket(&shared), "--dry-run"];
    let plan = typed_in(here.path(), &getter, &[&words[..], &["--json"]].concat());
    let events = lines(&succeeds(&plan));
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["event"], "plan");
    let one = &events[0]["seeders"][0];
    assert_eq!(
        (&one["id"], &one["chosen"]),
        (&seeder.id().into(), &true.into())
    );
    assert_eq!((&one["place"], &one["groups"]), (&1.into(), &3.into()));
    assert!(["chosen", "explored"].contains(&one["verdict"].as_str().unwrap()));
    let table = succeeds(&typed_in(here.path(), &getter, &words));
    assert!(table.contains("39.1 KiB"), "{table}");
    // Only from somebody who is never found: nobody may be fetched from.
    let only = [&words[..], &["--from", getter.id()]].concat();
    fails(
        &typed_in(here.path(), &getter, &only),
        6,
        "may be fetched from",
    );
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
    assert_eq!(getter.json(&["shared"])["shares"], Value::Array(vec![]));
}

#[test]
fn what_is_no_ticket_is_2_and_what_nobody_has_is_5() {
    let node = Running::alone();
    let shared = share(&node, &file(&node, "x.bin", 10), &[]);
    let here = TempDir::new().unwrap();
    let get = |words: &[&str]| typed_in(here.path(), &node, &[&["get"], words].concat());
    fails(&get(&["nonsense"]), 2, "52 characters");
    fails(&get(&[node.ticket()]), 2, "reputeblob");
    let mut broken = ticket(&shared).to_owned();
    let last = broken.pop().unwrap();
    broken.push(if last == 'a' { 'b' } else { 'a' });
    fails(&get(&[&broken]), 2, "copy it again");
    fails(
        &get(&[ticket(&shared), "--min-level", "best"]),
        2,
        "trusted",
    );
    fails(&get(&[ticket(&shared), "--from", "zzzz"]), 5, "zzzz");
    let nobody = "a".repeat(52);
    fails(&get(&[&nobody, "--timeout", "1"]), 5, "nobody who has it");
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
    let gone = node.path().join("no-such-file");
    let output = run(node.path(), &["share", gone.to_str().unwrap()]);
    fails(&output, 5, "no-such-file");
}

#[test]
fn a_reference_that_changed_is_found_and_not_served() {
    let node = Running::alone();
    let path = file(&node, "x.bin", 40_000);
    share(&node, &path, &["--reference"]);
    let mut changed = content(40_000);
    changed[20_000] ^= 1;
    fs::write(&path, changed).unwrap();
    let output = run(node.path(), &["verify", "--all"]);
    fails(&output, 1, "share it again");
    assert!(stdout(&output).contains("damaged"), "{}", stdout(&output));
}

#[test]
fn a_file_outlives_who_shared_it_first_and_everybody_can_say_why() {
    let mut first = Running::alone();
    let second = Running::start(&["--join", first.ticket()]);
    let third = Running::start(&["--join", first.ticket(), "--join", second.ticket()]);
    let shared = share(&first, &file(&first, "x.bin", 1_000_000), &[]);
    let here = TempDir::new().unwrap();
    for (node, place) in [(&second, "second"), (&third, "third")] {
        let words = ["get", ticket(&shared), "-o", place];
        succeeds(&typed_in(here.path(), node, &words));
    }
    first.crash();
    // It has never spoken with who wrote the ticket, and the ticket names nobody else.
    let last = Running::start(&["--join", second.ticket()]);
    let words = ["get", ticket(&shared), "-o", "last", "--json"];
    let events = lines(&succeeds(&typed_in(here.path(), &last, &words)));
    assert_eq!(
        fs::read(here.path().join("last")).unwrap(),
        content(1_000_000)
    );
    let sources = events.last().unwrap()["sources"].as_array().unwrap();
    assert!(!sources.is_empty());
    for source in sources {
        let id = source["id"].as_str().unwrap();
        assert!([second.id(), third.id()].contains(&id), "{id}");
        let why = last.json(&["explain", id]);
        assert!(why["useful"].as_f64() > Some(0.0), "{why}");
        assert_eq!(why["matches"], true, "{why}");
    }
    assert_eq!(second.json(&["explain", first.id()])["matches"], true);
}

#[test]
fn the_demo_gets_its_file_from_the_honest_and_bans_who_corrupts_it() {
    let mut demo = repute();
    demo.args(["demo", "--once", "--json", "--nodes", "5"]);
    let verdict: Value = serde_json::from_str(&succeeds(&demo.output().unwrap())).unwrap();
    let transfer = &verdict["transfer"];
    assert_eq!(transfer["bytes"], 64 << 20);
    assert_eq!(transfer["verified"], true);
    assert_eq!(transfer["corrupt_seeder_banned"], true);
    let roles = transfer["seeders"].as_array().unwrap().iter();
    let role = |id: &Value| {
        let mut roles = roles.clone();
        roles.find(|one| one["id"] == *id).map(|one| &one["role"])
    };
    let sources = transfer["sources"].as_array().unwrap();
    assert!(sources.iter().all(|one| one["bytes"].as_u64() > Some(0)));
    for source in sources {
        let role = role(&source["id"]);
        assert!(role.is_none_or(|role| role == "honest"), "{transfer}");
    }
}

/// A `get --json` under way.
struct Getting {
    process: Child,
    news: BufReader<ChildStdout>,
}

impl Getting {
    fn begin(folder: &Path, node: &Running, words: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_repute"))
            .current_dir(folder)
            .arg("--data-dir")
            .arg(node.path())
            .args(["--json", "get"])
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let news = BufReader::new(process.stdout.take().unwrap());
        Self { process, news }
    }

    /// Reads on up to an event that is like that.
    fn until(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            let mut line = String::new();
            self.news.read_line(&mut line).unwrap();
            assert_ne!(line, "", "it ended before");
            let event = serde_json::from_str(&line).unwrap();
            if is(&event) {
                return event;
            }
        }
    }

    fn some_came(&mut self) -> Value {
        self.until(|event| event["event"] == "progress" && event["bytes"].as_u64() > Some(0))
    }

    fn interrupt(&self) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
    }

    /// How it ended: exit code, and what it said.
    fn end(mut self) -> (Option<i32>, String) {
        let (mut rest, mut said) = (String::new(), String::new());
        self.news.read_to_string(&mut rest).unwrap();
        let err = self.process.stderr.take().unwrap();
        BufReader::new(err).read_to_string(&mut said).unwrap();
        (self.process.wait().unwrap().code(), said)
    }
}

/// Two nodes, of which the first serves so slowly that there is time to do something meanwhile.
fn slow_pair() -> (Running, Running) {
    let first = Running::start(&["--set", "blobs.upload_kib_s=400"]);
    let second = Running::start(&["--join", first.ticket()]);
    (first, second)
}

#[test]
fn ctrl_c_pauses_and_the_same_command_goes_on() {
    let (seeder, getter) = slow_pair();
    let shared = share(&seeder, &file(&seeder, "x.bin", 2_000_000), &[]);
    let here = TempDir::new().unwrap();
    let mut getting = Getting::begin(here.path(), &getter, &[ticket(&shared)]);
    let came = getting.some_came()["bytes"].as_u64().unwrap();
    getting.interrupt();
    let (code, said) = getting.end();
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("goes on"), "{said}");
    let paused = getter.json(&["transfers"]);
    assert_eq!(paused["transfers"][0]["state"], "paused");
    assert!(!here.path().join("x.bin").exists());
    let mut again = Getting::begin(here.path(), &getter, &[ticket(&shared)]);
    let begun = again.until(|event| event["event"] == "begun");
    assert!(
        begun["bytes"].as_u64() >= Some(came),
        "{begun} after {came}"
    );
    let end = again.until(|event| event["event"] == "finished");
    assert_eq!(end["bytes"], 2_000_000);
    assert_eq!(again.end().0, Some(0));
    assert_eq!(
        fs::read(here.path().join("x.bin")).unwrap(),
        content(2_000_000)
    );
}

#[test]
fn transfers_are_paused_resumed_and_cancelled_by_others() {
    let (seeder, getter) = slow_pair();
    let shared = share(&seeder, &file(&seeder, "x.bin", 4_000_000), &[]);
    let here = TempDir::new().unwrap();
    let mut getting = Getting::begin(here.path(), &getter, &[ticket(&shared)]);
    getting.some_came();
    assert!(getter.text(&["transfers"]).contains("fetching"));
    getter.text(&["transfers", "pause"]);
    getting.until(|event| event["event"] == "paused");
    assert!(getter.text(&["transfers", "list"]).contains("paused"));
    getter.text(&["transfers", "resume", ticket(&shared)]);
    getting.until(|event| event["event"] == "resumed");
    let id = getter.json(&["transfers"])["transfers"][0]["id"].to_string();
    getter.text(&["transfers", "cancel", &id]);
    getting.until(|event| event["event"] == "cancelled");
    let (code, said) = getting.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cancelled"), "{said}");
    fails(
        &run(getter.path(), &["transfers", "pause"]),
        5,
        "no such transfer",
    );
    fails(&run(getter.path(), &["transfers", "resume", "99"]), 5, "99");
    assert!(!here.path().join("x.bin").exists());
}
