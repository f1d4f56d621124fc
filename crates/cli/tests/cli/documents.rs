//! `--json`: the fields that scripts rely on, of every command that reads.

use std::io::{BufRead, BufReader};

use serde_json::Value;
use tempfile::TempDir;

use crate::{run, running::Running, stdout, succeeds};

#[track_caller]
fn has(value: &Value, fields: &[&str]) {
    for field in fields {
        assert!(value.get(field).is_some(), "no {field} in {value}");
    }
}

const STANDING: [&str; 6] = ["trust", "belief", "uncertainty", "level", "gate", "until"];

#[test]
fn a_lone_node_answers_every_reading_command() {
    let node = Running::alone();
    has(&node.greeting, &["id", "ticket", "listen"]);
    has(&node.json(&["id"]), &["id", "short", "key", "keystore"]);
    assert_eq!(node.json(&["id"])["id"], node.id());
    has(&node.json(&["ticket"]), &["ticket", "expires"]);
    let status = node.json(&["status"]);
    let fields = [
        "id",
        "listen",
        "version",
        "uptime_ms",
        "time",
        "peers_known",
        "peers_active",
        "subjects",
        "bans",
        "published",
        "received",
        "duplicates",
        "forged",
        "delivered",
        "lost_deliveries",
        "unsent",
        "unchecked",
        "gossip_active",
        "bytes_in",
        "bytes_out",
        "stored_events",
        "damaged_rows",
        "storage_full",
        "failed_writes",
        "panics",
    ];
    has(&status, &fields);
    assert_eq!(status["id"], node.id());
    has(&node.json(&["peers"]), &["peers", "total"]);
    assert_eq!(node.json(&["ban"])["bans"], serde_json::json!([]));
    has(&node.json(&["publish", "news", "hello"]), &["id"]);
    let show = node.json(&["config", "show", "--origin"]);
    has(&show["gossip.fanout"], &["value", "origin"]);
    assert_eq!(node.json(&["config", "check"])["ok"], true);
}

#[test]
fn the_layers_are_listed_in_their_order_with_what_they_refused() {
    let (node, _other) = Running::pair();
    let shown = node.json(&["status", "--layers"]);
    let layers = shown["layers"].as_array().unwrap();
    let names: Vec<_> = layers
        .iter()
        .map(|one| one["layer"].as_str().unwrap())
        .collect();
    let order = [
        "transport",
        "standing",
        "content",
        "link-quota",
        "cryptography",
        "identity-quota",
        "identity",
        "application",
    ];
    assert_eq!(names, order);
    for layer in layers {
        has(
            layer,
            &["layer", "looks_at", "passed", "refused", "reasons"],
        );
    }
    // Two nodes that have just met have exchanged frames, and refused none.
    for layer in &layers[..3] {
        assert!(layer["passed"].as_u64().unwrap() > 0, "{layer}");
        assert_eq!(layer["refused"], 0, "{layer}");
    }
    assert_eq!(
        node.json(&["status"])["layers"].as_array().unwrap().len(),
        8
    );
    let table = node.text(&["status", "--layers"]);
    assert!(
        table.starts_with("layer ") && table.lines().count() >= 9,
        "{table}"
    );
}

#[test]
fn two_nodes_answer_about_each_other() {
    let (node, other) = Running::pair();
    let peers = node.json(&["peers"]);
    let fields = [
        "id",
        "state",
        "standing",
        "addresses",
        "last_seen",
        "failures",
        "encrypted_transfer",
        "link",
    ];
    has(&peers["peers"][0], &fields);
    let peer = node.json(&["peer", other.id()]);
    has(&peer, &fields);
    has(&peer["standing"], &STANDING);
    has(
        &peer["link"],
        &[
            "remote",
            "inbound",
            "since",
            "latency_ms",
            "suspected",
            "agent",
        ],
    );
    // A few characters of an id are enough.
    assert_eq!(node.json(&["peer", &other.id()[..8]])["id"], other.id());

    let mut ear = node.subscribe(&["news", "--json", "--count", "1"]);
    let said = other.json(&["publish", "news", "hello", "--kind", "7"]);
    let mut line = String::new();
    BufReader::new(ear.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let message: Value = serde_json::from_str(&line).unwrap();
    has(
        &message,
        &[
            "id", "topic", "author", "sent", "kind", "text", "hex", "lost",
        ],
    );
    assert_eq!(message["id"], said["id"]);
    assert_eq!(message["author"], other.id());
    assert_eq!(message["text"], "hello");
    assert_eq!(message["kind"], 7);
    assert!(ear.wait().unwrap().success());

    let why = node.json(&["explain", other.id()]);
    has(
        &why,
        &[
            "id", "time", "standing", "matches", "useful", "hard", "soft", "events",
        ],
    );
    assert_eq!(why["matches"], true);
    let event = &why["events"][0];
    has(
        event,
        &[
            "number",
            "time",
            "evidence",
            "fault",
            "context",
            "weight_then",
            "weight_today",
        ],
    );

    let doctor = run(node.path(), &["--json", "doctor"]);
    let doctor: Value = serde_json::from_str(&succeeds(&doctor)).unwrap();
    assert_eq!(doctor["ok"], true);
    has(&doctor["findings"][0], &["what", "ok", "says", "remedy"]);

    assert_eq!(
        node.json(&["ban", other.id(), "--for", "1h", "--reason", "x"])["done"],
        true
    );
    let bans = node.json(&["ban"]);
    has(
        &bans["bans"][0],
        &["id", "rung", "since", "until", "reason", "by"],
    );
    assert_eq!(bans["bans"][0]["by"], "operator");
    assert_eq!(node.json(&["unban", other.id()])["done"], true);
    assert_eq!(node.json(&["ban"])["bans"], serde_json::json!([]));
    assert_eq!(node.json(&["down"])["done"], true);
}

#[test]
fn doctor_prints_its_findings_even_when_it_fails() {
    let dir = TempDir::new().unwrap();
    let output = run(dir.path(), &["--json", "doctor"]);
    let doctor: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(doctor["ok"], false);
    let findings = doctor["findings"].as_array().unwrap();
    let wrong = findings.iter().filter(|finding| finding["ok"] == false);
    assert!(
        wrong
            .into_iter()
            .all(|finding| finding["remedy"].is_string())
    );
}

#[test]
fn lines_from_stdin_become_a_message_each() {
    let (node, other) = Running::pair();
    let mut ear = node.subscribe(&["news", "--json", "--count", "2"]);
    let mut say = crate::repute();
    say.arg("--data-dir")
        .arg(other.path())
        .args(["publish", "news", "-"]);
    let output = say.write_stdin("one\ntwo\n").output().unwrap();
    assert_eq!(succeeds(&output).lines().count(), 2);
    let lines = BufReader::new(ear.stdout.take().unwrap()).lines();
    let texts: Vec<Value> = lines
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()["text"].clone())
        .collect();
    assert_eq!(texts, ["one", "two"]);
    assert!(ear.wait().unwrap().success());
}

#[test]
fn a_running_node_joins_another_and_tells_of_it() {
    let (node, other) = (Running::alone(), Running::alone());
    let mut events = node.listen(&["events", "--json"]);
    let mut lines = BufReader::new(events.stdout.take().unwrap()).lines();
    assert_eq!(node.json(&["join", other.ticket()])["done"], true);
    let connected = lines.any(|line| {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        has(&event, &["event", "peer", "detail"]);
        event["event"] == "connected" && event["peer"] == other.id()
    });
    assert!(connected);
    events.kill().unwrap();
    events.wait().unwrap();
}
