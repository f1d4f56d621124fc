//! Stamps and receipts from the command line.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::{fails, run, running::Running, succeeds};

fn stamp(dir: &TempDir, bits: &str) -> Value {
    let said = succeeds(&run(dir.path(), &["id", "stamp", "--bits", bits, "--json"]));
    serde_json::from_str(&said).unwrap()
}

#[test]
fn a_stamp_is_searched_once_and_kept() {
    let dir = TempDir::new().unwrap();
    let first = stamp(&dir, "8");
    assert!(first["bits"].as_u64().unwrap() >= 8, "{first}");
    assert!(first["tried"].as_u64().unwrap() > 0, "{first}");
    let id = succeeds(&run(dir.path(), &["id"]));
    assert_eq!(first["id"], id.trim());
    assert!(dir.path().join("stamp").is_file());
    // What is good enough is not searched for again.
    let again = stamp(&dir, "4");
    assert_eq!(
        (&again["tried"], &again["nonce"]),
        (&Value::from(0), &first["nonce"])
    );
    let dearer = stamp(&dir, "16");
    assert!(dearer["bits"].as_u64().unwrap() >= 16, "{dearer}");
    fails(&run(dir.path(), &["id", "stamp", "--bits", "65"]), 2, "65");
    fs::write(dir.path().join("stamp"), "nonsense").unwrap();
    fails(
        &run(dir.path(), &["id", "stamp", "--bits", "8"]),
        3,
        "stamp",
    );
}

#[test]
fn a_node_says_what_was_signed_and_of_which_class_it_is() {
    let mut node = Running::alone();
    let dir = node.path().to_owned();
    let class = || {
        let said = succeeds(&run(&dir, &["trust", "receipts", "--json"]));
        serde_json::from_str::<Value>(&said).unwrap()["class"].clone()
    };
    succeeds(&run(&dir, &["down"]));
    node.start_again(&["--set", "receipts.stamp_bits=8"]);
    assert_eq!(class(), "free");
    let shown = succeeds(&run(&dir, &["id", "stamp", "--bits", "8"]));
    assert!(shown.contains("the running node shows it"), "{shown}");
    assert_eq!(class(), "vouched", "without another start");
    succeeds(&run(&dir, &["down"]));
    node.start_again(&["--set", "receipts.stamp_bits=8"]);
    let said = succeeds(&run(&dir, &["trust", "receipts", "--json"]));
    let view: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(view["class"], "vouched");
    for list in ["receipts", "claims", "faults", "edges"] {
        assert_eq!(view[list], Value::Array(Vec::new()), "{list}");
    }
    let said = succeeds(&run(&dir, &["trust", "receipts"]));
    assert!(
        said.contains("vouched") && said.contains("no receipts yet"),
        "{said}"
    );
    fails(&run(&dir, &["trust", "receipts", "nobody"]), 2, "id");
}

#[test]
fn a_word_is_given_for_one_node_and_kept_by_that_one() {
    let (giver, taker) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let id = succeeds(&run(taker.path(), &["id"]));
    let vouch = succeeds(&run(giver.path(), &["id", "vouch", id.trim()]));
    succeeds(&run(taker.path(), &["id", "keep", vouch.trim()]));
    assert!(taker.path().join("vouches").is_file());
    fails(
        &run(giver.path(), &["id", "keep", vouch.trim()]),
        2,
        "a word for",
    );
    let own = succeeds(&run(giver.path(), &["id"]));
    fails(
        &run(giver.path(), &["id", "vouch", own.trim()]),
        2,
        "oneself",
    );
    fails(
        &run(taker.path(), &["id", "keep", "vouchaaaa"]),
        2,
        "copy it again",
    );
    let long = ["id", "vouch", id.trim(), "--number", "5"];
    fails(&run(giver.path(), &long), 2, "5");
}
