//! The blacklist, refusals, appeals, replay and lint, on real nodes and without one.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{fails, run, running::Running, succeeds};

fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed().as_secs() < 60, "never: {what}");
        std::thread::yield_now();
    }
}

fn is_linked(node: &Running, other: &Running) -> bool {
    let peers = node.json(&["peers"]);
    let mut peers = peers["peers"].as_array().unwrap().iter();
    peers.any(|peer| peer["id"] == other.id() && peer["state"] == "active")
}

#[test]
fn entries_of_ids_and_addresses_are_added_searched_edited_and_removed() {
    let node = Running::alone();
    let stranger = Running::alone();
    node.text(&[
        "blacklist",
        "add",
        stranger.id(),
        "--reason",
        "spam",
        "--for",
        "2h",
    ]);
    node.text(&[
        "blacklist",
        "add",
        "2001:db8::1/32",
        "--reason",
        "a crawler",
    ]);
    node.text(&["blacklist", "add", "203.0.113.7"]);
    let list = node.json(&["blacklist"]);
    assert_eq!(
        (&list["total"], &list["mode"]),
        (&json!(3), &json!("hybrid"))
    );
    let kinds: Vec<&str> = list["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["id", "address", "prefix"]);
    let found = node.json(&["blacklist", "list", "--search", "CRAWL"]);
    assert_eq!(found["entries"][0]["target"], "2001:db8::/32");
    // The same entries as `repute ban` has.
    assert_eq!(node.json(&["ban"])["bans"][0]["id"], stranger.id());
    node.text(&[
        "blacklist",
        "edit",
        &stranger.id()[..12],
        "--reason",
        "worse",
        "--for-good",
    ]);
    let edited = node.json(&["blacklist", "--search", "worse"]);
    assert_eq!(edited["entries"][0]["until"], Value::Null);
    node.text(&["unban", stranger.id()]);
    node.text(&["blacklist", "remove", "203.0.113.7"]);
    assert_eq!(node.json(&["blacklist"])["total"], 1);

    let bad = |words: &[&str], code, says| fails(&run(node.path(), words), code, says);
    bad(&["blacklist", "add", "0.0.0.0/0"], 2, "8 to 32");
    bad(&["blacklist", "add", "203.0.113.7:80"], 2, "port");
    bad(&["blacklist", "add", node.id()], 6, "own id");
    bad(&["blacklist", "remove", "198.51.100.1"], 5, "no entry");
    bad(
        &["blacklist", "edit", "2001:db8::/32"],
        2,
        "nothing to change",
    );
    bad(&["blacklist", "clear"], 2, "--yes");
    assert_eq!(node.json(&["blacklist", "clear", "--yes"])["changed"], 1);
}

#[test]
fn a_shared_list_is_previewed_and_taken_in_and_survives_a_restart() {
    let (mut first, second) = Running::pair();
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("list.json");
    let list = json!({
        "schema": "repute-blacklist/1",
        "entries": [
            { "target": second.id(), "reason": "they say" },
            { "target": "198.51.100.0/24" },
            { "target": "nonsense" },
            { "target": first.id() },
        ],
    });
    fs::write(&file, list.to_string()).unwrap();
    let path = file.to_str().unwrap();
    let preview = first.json(&["blacklist", "import", path, "--preview"]);
    assert_eq!(
        (&preview["new"], &preview["skipped"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(preview["hits"][0]["id"], second.id());
    assert_eq!(preview["hits"][0]["linked"], true);
    assert!(preview["warning"].as_str().unwrap().contains("opinion"));
    assert_eq!(
        first.json(&["blacklist"])["total"],
        0,
        "a preview changes nothing"
    );
    fails(
        &run(first.path(), &["blacklist", "import", path]),
        2,
        "--yes",
    );
    let before = first.json(&["explain", second.id()]);
    first.text(&["blacklist", "import", path, "--yes"]);
    wait("the link ends", || !is_linked(&first, &second));
    let after = first.json(&["explain", second.id()]);
    assert_eq!(before["hard"], after["hard"], "an opinion is no evidence");
    // The other side knows why, and for how long.
    wait("the other side is told", || {
        second.text(&["status"]).contains("banned: operator")
    });

    first.text(&["down"]);
    // Without a node: the store is read as it is.
    let offline = first.json(&["blacklist"]);
    assert_eq!(offline["total"], 2);
    let exported = first.json(&["blacklist", "export"]);
    assert_eq!(exported["schema"], "repute-blacklist/1");
    let again = first.json(&["blacklist", "import", path, "--preview"]);
    assert_eq!((&again["new"], &again["unchanged"]), (&json!(0), &json!(2)));
    first.start_again(&[]);
    assert_eq!(first.json(&["blacklist"])["entries"], offline["entries"]);
}

#[test]
fn a_barred_address_loses_its_link_and_gets_none() {
    let (first, second) = Running::pair();
    first.text(&[
        "blacklist",
        "add",
        "127.0.0.0/8",
        "--reason",
        "this machine",
    ]);
    wait("the link ends", || !is_linked(&first, &second));
    wait("the other side is told", || {
        second.text(&["status"]).contains("banned: address")
    });
    first.text(&["blacklist", "remove", "127.0.0.0/8"]);
    // The operator names it again: nobody waits for the time that was told.
    second.text(&["join", first.ticket()]);
    wait("there is a link again", || is_linked(&first, &second));
}

#[test]
fn a_banned_nodes_operator_is_heard_by_the_other_and_nothing_follows_by_itself() {
    let (first, second) = Running::pair();
    first.text(&["ban", second.id(), "--reason", "private words"]);
    wait("the other side is told", || {
        second.text(&["status"]).contains("banned: operator")
    });
    assert!(!second.text(&["status"]).contains("private words"));
    second.text(&[
        "appeal",
        first.id(),
        "--text",
        "our disk was full; it is not now",
    ]);
    wait("the appeal is kept", || {
        first.json(&["blacklist", "appeals"])["appeals"][0]["id"] == second.id()
    });
    let appeals = first.json(&["blacklist", "appeals"]);
    assert_eq!(
        appeals["appeals"][0]["text"],
        "our disk was full; it is not now"
    );
    assert_eq!(
        first.json(&["ban"])["bans"][0]["id"],
        second.id(),
        "still banned"
    );
    first.text(&["unban", second.id()]);
    assert_eq!(first.json(&["blacklist", "appeals"])["appeals"], json!([]));
    fails(
        &run(second.path(), &["appeal", second.id(), "--text", "x"]),
        5,
        "known",
    );
}

#[test]
fn a_replay_reads_the_store_with_and_without_a_node_and_refuses_unsound_parameters() {
    let (first, second) = Running::pair();
    first.text(&["ban", second.id()]);
    let dir = TempDir::new().unwrap();
    let other = dir.path().join("other.toml");
    fs::write(&other, "[trust]\nhard_weight = 300.0\n").unwrap();
    let words = ["trust", "replay", "--config", other.to_str().unwrap()];
    let running = first.json(&words);
    assert_eq!(running["banned"], json!([]));
    assert_eq!(running["freed"], json!([]), "the operator's ban stays");
    first.text(&["down"]);
    assert_eq!(first.json(&words)["subjects"], running["subjects"]);
    assert!(first.text(&words).contains("would be banned: 0"));
    fails(&run(first.path(), &["trust", "replay"]), 2, "--config");
    fs::write(&other, "[trust]\nhard_weight = -2.0\n").unwrap();
    fails(&run(first.path(), &words), 3, "merit");
    let empty = TempDir::new().unwrap();
    fails(&run(empty.path(), &words[..2]), 2, "--config");
    fails(
        &run(
            empty.path(),
            &["trust", "replay", "--set", "trust.hard_weight=200"],
        ),
        3,
        "no database",
    );
}

#[test]
fn the_two_public_mistakes_are_refused_with_their_reasons() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("repute.toml");
    // A penalty with its sign turned, and thresholds out of order.
    fs::write(
        &file,
        "[trust]\nhard_weight = -2.0\n[levels]\nlow = 0.4\nmedium = 0.2\n",
    )
    .unwrap();
    let output = run(dir.path(), &["config", "check"]);
    fails(&output, 3, "a fault would be a merit");
    fails(&output, 3, "thresholds out of order");
    fails(&run(dir.path(), &["up"]), 3, "a fault would be a merit");
    fs::write(&file, "[ladder]\ngrey_s = 4000\nban_first_s = 1000\n").unwrap();
    fails(
        &run(dir.path(), &["config", "check"]),
        3,
        "rungs out of order",
    );
    fs::write(&file, "[blacklist]\nmode = \"manual\"\nattempts = 0\n").unwrap();
    succeeds(&run(dir.path(), &["config", "check"]));
}
