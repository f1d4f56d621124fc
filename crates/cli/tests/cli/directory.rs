//! The DHT and the directory on the command line.

use std::fs;

use serde_json::Value;

use crate::{fails, run, running::Running, succeeds};

#[test]
fn a_service_is_offered_found_by_what_it_says_and_taken_back() {
    let (asker, offerer) = Running::pair();
    let metadata = offerer.path().join("metadata");
    fs::write(&metadata, "beware \u{1b}[31mred").unwrap();
    let offered = offerer.json(&[
        "advertise",
        "signer:spend",
        "relay",
        "--min",
        "100",
        "--max",
        "5000",
        "--key",
        "02AB",
        "--criterion",
        "network=\u{1b}[32mmain",
        "--metadata",
        metadata.to_str().unwrap(),
    ]);
    assert_eq!(offered["slot"], 0);
    let own = offerer.json(&["advertise", "--list"]);
    assert_eq!(own["advertisements"][0]["key"], "02ab");
    assert!(
        offerer
            .text(&["advertise", "--list"])
            .contains("signer:spend relay")
    );

    let found = asker.json(&["find", "signer"]);
    let one = &found["found"][0];
    assert_eq!(one["id"], offerer.id());
    assert_eq!(
        one["services"],
        serde_json::json!(["signer:spend", "relay"])
    );
    assert_eq!(
        (&one["min_amount"], &one["max_amount"]),
        (&100.into(), &5_000.into())
    );
    assert_eq!(one["metadata"], "beware \u{1b}[31mred");
    assert_eq!(one["addresses"][0], offerer.greeting["listen"][0]);
    assert!(one["trust"].as_f64().unwrap() >= 0.5);
    let shown = asker.text(&["find", "all"]);
    assert!(shown.contains("amounts from 100 to 5000"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert!(shown.contains("asks network=\\u{1b}[32mmain"), "{shown}");
    assert!(shown.contains("says beware \\u{1b}[31mred"), "{shown}");

    for fitting in [
        &["find", "signer:spend", "--min-amount", "5000"][..],
        &["find", "relay", "--max-amount", "100"],
        &["find", "all", "--criterion", "network=\u{1b}[32mmain"],
        &["find", "all", "--author", offerer.id()],
        &["find", "all", "--min-trust", "0.5", "--local"],
    ] {
        let found = asker.json(fitting);
        assert_eq!(found["found"].as_array().unwrap().len(), 1, "{fitting:?}");
    }
    for unfitting in [
        &["find", "signer:swap", "--local"][..],
        &["find", "all", "--local", "--min-amount", "5001"],
        &["find", "all", "--local", "--max-amount", "99"],
        &["find", "all", "--local", "--criterion", "network=test"],
        &["find", "all", "--local", "--author", asker.id()],
        &["find", "all", "--local", "--min-trust", "0.99"],
    ] {
        fails(&run(asker.path(), unfitting), 5, "that fits");
    }

    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );

    let taken = offerer.text(&["advertise", "--retract", "--key", "02ab"]);
    assert_eq!(taken, "one advertisement taken back\n");
    let gone = || run(asker.path(), &["find", "relay", "--local"]);
    while gone().status.code() != Some(5) {
        std::thread::yield_now();
    }
    let again = run(offerer.path(), &["advertise", "--retract"]);
    fails(&again, 5, "nothing is advertised");
    let none = offerer.text(&["advertise", "--list"]);
    assert!(none.contains("nothing is advertised"), "{none}");
}

#[test]
fn what_is_offered_outlives_a_crash_until_it_is_retracted() {
    let (asker, mut offerer) = Running::pair();
    let said = offerer.text(&["advertise", "relay"]);
    assert!(said.contains("until you retract it"), "{said}");
    let sent = || {
        let found = run(asker.path(), &["--json", "find", "relay", "--local"]);
        let found: Value = serde_json::from_slice(&found.stdout).unwrap();
        found["found"][0]["sent"].as_str().map(str::to_owned)
    };
    let first = loop {
        if let Some(first) = sent() {
            break first;
        }
        std::thread::yield_now();
    };
    offerer.crash_and_start_again();
    let own = offerer.json(&["advertise", "--list"]);
    assert_eq!(own["advertisements"][0]["services"][0], "relay");
    while sent().unwrap() <= first {
        std::thread::yield_now();
    }
    offerer.text(&["advertise", "--retract"]);
    offerer.crash_and_start_again();
    let none = offerer.text(&["advertise", "--list"]);
    assert!(none.contains("nothing is advertised"), "{none}");
}

#[test]
fn who_offers_is_chosen_by_score_and_by_class() {
    let offerer = Running::alone();
    let anchors = format!("trust.anchors=[\"{}\"]", offerer.id());
    let asker = Running::start(&["--join", offerer.ticket(), "--set", &anchors]);
    let find = |words: &[&str]| run(asker.path(), &[&["find", "relay"], words].concat());
    let watched = ["--watch", "--timeout", "3", "--json", "--class", "anchored"];
    let mut ear =
        asker.listen(&[&["find", "relay", "--min-score", "peer=0.01"], &watched[..]].concat());
    offerer.text(&["advertise", "relay"]);
    let mut said = String::new();
    let out = ear.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut said).unwrap();
    let offer: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&offer["id"], &offer["class"]),
        (&offerer.id().into(), &"anchored".into())
    );
    assert!(offer["scores"]["peer"].as_f64().unwrap() > 0.01, "{offer}");
    assert!(ear.wait().unwrap().success());

    // A newcomer's half of a hundred, and no more.
    let fitting = [
        "--class",
        "vouched",
        "--min-score",
        "signing=50",
        "--min-score",
        "transfer=0.1",
    ];
    let shown = succeeds(&find(&fitting));
    assert!(shown.contains("anchored identity, heard by"), "{shown}");
    assert!(
        shown.contains("scores: signing 50.000, transfer 0."),
        "{shown}"
    );
    fails(
        &find(&["--local", "--min-score", "signing=50.1"]),
        5,
        "that fits",
    );
    let says = |words: &[&str], says| fails(&find(words), 2, says);
    says(
        &["--min-score", "speed=1"],
        "peer, transfer, network, signing, relay",
    );
    says(&["--min-score", "peer=1.5"], "between 0 and 1");
    says(&["--min-score", "signing=-1"], "between 0 and 100");
    says(&["--min-score", "peer"], "expected MODEL=VALUE");
    says(&["--min-score", "peer=high"], "expected MODEL=VALUE");
    says(&["--min-score", "peer=0", "--min-score", "peer=1"], "twice");
    says(&["--class", "burned"], "free, vouched, anchored");
}

#[test]
fn a_watch_prints_what_becomes_known() {
    let (asker, offerer) = Running::pair();
    let mut ear = asker.listen(&["find", "seeder", "--watch", "--timeout", "3", "--json"]);
    offerer.text(&["advertise", "seeder"]);
    let mut said = String::new();
    let out = ear.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut said).unwrap();
    let offer: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(offer["id"], offerer.id());
    assert!(ear.wait().unwrap().success(), "it found something in time");
}

#[test]
fn what_cannot_be_offered_or_found_says_what_to_do() {
    let node = Running::alone();
    let says = |words: &[&str], code, remedy| fails(&run(node.path(), words), code, remedy);
    says(&["advertise"], 2, "<SERVICES>");
    says(&["advertise", "Relay"], 2, "lower-case");
    says(&["advertise", "all"], 2, "not `all`");
    says(
        &["advertise", "relay", "--min", "2", "--max", "1"],
        2,
        "swap",
    );
    says(&["advertise", "relay", "--key", "xyz"], 2, "not hex");
    says(&["advertise", "relay", "--criterion", "x"], 2, "NAME=VALUE");
    says(
        &["advertise", "relay", "--lifetime", "5m"],
        2,
        "10 to 360 minutes",
    );
    says(
        &["advertise", "relay", "--lifetime", "often"],
        2,
        "is no time",
    );
    says(
        &["advertise", "relay", "--metadata", "/nowhere"],
        2,
        "/nowhere",
    );
    says(&["find", "Relay"], 2, "a family such as");
    says(&["find", "relay", "--min-trust", "2"], 2, "between 0 and 1");
    says(
        &["find", "relay", "--min-amount", "2", "--max-amount", "1"],
        2,
        "swap",
    );
    says(&["find", "relay"], 5, "try a wider filter");
    succeeds(&run(node.path(), &["advertise", "relay"]));
    says(&["advertise", "seeder"], 6, "try again in");
    for key in 1..10 {
        let key = format!("{key:02x}");
        succeeds(&run(node.path(), &["advertise", "relay", "--key", &key]));
    }
    says(&["advertise", "relay", "--key", "0a"], 6, "retract one");
    let dir = tempfile::TempDir::new().unwrap();
    fails(&run(dir.path(), &["find", "relay"]), 4, "repute up");
    fails(&run(dir.path(), &["dht", "stats"]), 4, "repute up");
}

#[test]
fn a_value_is_put_and_got_by_name_and_key_and_the_newest_wins() {
    let (reader, writer) = Running::pair();
    let put = writer.json(&["dht", "put", "greeting", "hello\u{7}"]);
    assert_eq!(put["author"], writer.id());
    let key = put["key"].as_str().unwrap();
    assert_eq!(put["copies"], 2);
    assert_eq!(reader.text(&["dht", "get", key]), "hello\\u{7}\n");
    let named = ["dht", "get", "--author", writer.id(), "--name", "greeting"];
    assert_eq!(reader.json(&named)["records"][0]["text"], "hello\u{7}");
    assert_eq!(
        writer.text(&["dht", "get", "--name", "greeting"]),
        "hello\\u{7}\n"
    );

    let file = writer.path().join("value");
    fs::write(&file, [0xff, 0x00]).unwrap();
    writer.text(&["dht", "put", "greeting", "--file", file.to_str().unwrap()]);
    assert_eq!(reader.text(&["dht", "get", key]), "0xff00\n");
    let records = reader.json(&["dht", "get", key, "--all"]);
    assert_eq!(records["records"][0]["kind"], "value");
    assert_eq!(records["records"][0]["name_text"], "greeting");

    let fails_with = |words: &[&str], code, says| fails(&run(reader.path(), words), code, says);
    fails_with(
        &["dht", "get", "--name", "nothing"],
        5,
        "nothing is kept there",
    );
    fails_with(&["dht", "get"], 2, "<KEY>");
    fails_with(&["dht", "get", "short"], 2, "not a key");
    fails_with(&["dht", "put", "name"], 2, "--file");
    fails_with(
        &["dht", "put", "name", &"x".repeat(1_025)],
        2,
        "share more as a file",
    );
    fails_with(&["dht", "put", &"n".repeat(65), "x"], 2, "too long");
    fails_with(&["dht", "put", "n", "x", "--lifetime", "25h"], 2, "24 h");
}

#[test]
fn a_lookup_tells_its_steps_and_the_stats_what_is_kept() {
    let (asker, other) = Running::pair();
    let found = asker.json(&["dht", "lookup", other.id(), "--trace"]);
    assert_eq!(found["closest"][0]["id"], other.id());
    assert_eq!(found["closest"][0]["proven"], true);
    let steps = found["trace"].as_array().unwrap();
    assert!(
        steps.iter().any(|step| step["step"] == "answered"),
        "{steps:?}"
    );
    let shown = asker.text(&["dht", "lookup", other.id(), "--trace"]);
    assert!(
        shown.contains("PATH") && shown.contains(other.id()),
        "{shown}"
    );
    other.text(&["dht", "put", "name", "value"]);
    let stats = asker.json(&["dht", "stats"]);
    assert_eq!(stats["table"][0]["id"], other.id());
    assert_eq!(stats["records"]["value"], 1);
    assert_eq!(stats["refused"]["forged"], 0);
    let shown = asker.text(&["dht", "stats"]);
    assert!(
        shown.contains("1 value") && shown.contains("directory"),
        "{shown}"
    );
    let alone = Running::alone();
    fails(
        &run(alone.path(), &["dht", "lookup", other.id()]),
        5,
        "repute join",
    );
}
