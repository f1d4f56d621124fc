//! Exit codes, each with a message that says what to do.

use std::fs;

use tempfile::TempDir;

use crate::{fails, repute, run, running::Running, stderr, stdout, succeeds};

/// An id that no node has.
const NOBODY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn without_arguments_it_explains_itself() {
    let output = repute().output().unwrap();
    let text = succeeds(&output);
    for word in ["repute demo", "repute up", "Exit codes", "subscribe"] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
}

#[test]
fn every_documented_exit_code_is_one_that_these_tests_see() {
    let text = succeeds(&repute().arg("--help").output().unwrap());
    let codes = text.split("Exit codes:").nth(1).unwrap();
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "124 "] {
        assert!(codes.contains(code), "{code} is not in {codes}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_2() {
    let dir = TempDir::new().unwrap();
    fails(&run(dir.path(), &["frobnicate"]), 2, "unrecognized");
    fails(
        &run(dir.path(), &["up", "--listen", "nowhere"]),
        2,
        "nowhere",
    );
    fails(&run(dir.path(), &["--set", "fanout", "up"]), 2, "KEY=VALUE");
    fails(&run(dir.path(), &["demo", "--nodes", "3"]), 2, "4..=64");
    fails(
        &run(dir.path(), &["up", "--profile", "fast"]),
        2,
        "low-resource",
    );
}

#[test]
fn a_refused_configuration_is_3() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("repute.toml");
    fs::write(&file, "[gossip]\nfanuot = 5\n").unwrap();
    fails(&run(dir.path(), &["config", "check"]), 3, "gossip.fanout");
    fails(&run(dir.path(), &["up"]), 3, "gossip.fanout");
    fs::write(&file, "[gossip]\nfanout = 500\n").unwrap();
    fails(&run(dir.path(), &["config", "check"]), 3, "3 to 32");
    fs::write(&file, "gossip = = 1").unwrap();
    fails(&run(dir.path(), &["config", "check"]), 3, "repute.toml");
    let set = ["--set", "gossip.fanuot=5", "config", "show"];
    fs::remove_file(&file).unwrap();
    fails(&run(dir.path(), &set), 3, "did you mean `gossip.fanout`");
    let missing = ["--config", "/nonexistent/repute.toml", "config", "show"];
    fails(&run(dir.path(), &missing), 3, "/nonexistent/repute.toml");
}

#[test]
fn where_no_node_runs_it_is_4_and_says_how_to_start_one() {
    let dir = TempDir::new().unwrap();
    let commands: [&[&str]; 19] = [
        &["status"],
        &["peers"],
        &["peer", NOBODY],
        &["explain", NOBODY],
        &["ticket"],
        &["ban"],
        &["ban", NOBODY],
        &["unban", NOBODY],
        &["publish", "news", "hello"],
        &["subscribe", "news"],
        &["events"],
        &["join", "x"],
        &["down"],
        &["share", "x"],
        &["unshare", NOBODY],
        &["shared"],
        &["get", NOBODY],
        &["verify"],
        &["transfers"],
    ];
    for command in commands {
        fails(&run(dir.path(), command), 4, "repute up");
    }
}

#[test]
fn what_is_not_there_is_5() {
    let node = Running::alone();
    for command in [["peer", NOBODY], ["unban", NOBODY], ["peer", "aaaaaa"]] {
        fails(&run(node.path(), &command), 5, "");
    }
}

#[test]
fn what_the_node_refuses_is_6() {
    let node = Running::alone();
    fails(&run(node.path(), &["join", node.ticket()]), 6, "own ticket");
    fails(&run(node.path(), &["ban", node.id()]), 6, "own id");
    let long = "x".repeat(70_000);
    let output = run(node.path(), &["publish", "news", &long]);
    fails(&output, 6, "64 KiB");
}

#[test]
fn what_takes_too_long_is_124() {
    let node = Running::alone();
    let words = ["subscribe", "silence", "--count", "1", "--timeout", "1"];
    fails(&run(node.path(), &words), 124, "1 s");
}

#[test]
fn bad_words_to_a_running_node_are_2_and_name_what_is_wrong() {
    let node = Running::alone();
    fails(&run(node.path(), &["join", "no-ticket"]), 2, "ticket");
    let mut broken = node.ticket().to_owned();
    let last = broken.pop().unwrap();
    broken.push(if last == 'a' { 'b' } else { 'a' });
    fails(&run(node.path(), &["join", &broken]), 2, "ticket");
    let cut = &node.ticket()[..node.ticket().len() / 2];
    fails(&run(node.path(), &["join", cut]), 2, "ticket");
    let bad_id = "!".repeat(52);
    fails(&run(node.path(), &["peer", &bad_id]), 2, "id");
    fails(
        &run(node.path(), &["ban", NOBODY, "--for", "soon"]),
        2,
        "24h",
    );
    let long = "x".repeat(70_000);
    fails(&run(node.path(), &["publish", &long, "hello"]), 2, "long");
    let reason = "x".repeat(200);
    fails(
        &run(node.path(), &["ban", NOBODY, "--reason", &reason]),
        2,
        "128",
    );
}

#[test]
fn a_broken_ticket_at_the_start_is_refused_before_anything_runs() {
    let dir = TempDir::new().unwrap();
    let output = run(dir.path(), &["up", "--join", "repute-nonsense"]);
    fails(&output, 3, "ticket");
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_second_node_on_the_same_data_directory_is_3() {
    let node = Running::alone();
    let again = ["up", "--listen", "127.0.0.1:0"];
    fails(&run(node.path(), &again), 3, "another node is running");
    assert_eq!(node.json(&["status"])["id"], node.id());
}

#[test]
fn doctor_fails_and_says_what_to_do() {
    let dir = TempDir::new().unwrap();
    let output = run(dir.path(), &["doctor"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).contains("repute up"), "{}", stdout(&output));
}

#[test]
fn down_ends_the_node_in_order_and_takes_its_socket_away() {
    let node = Running::alone();
    assert_eq!(node.text(&["down"]), "stopped\n");
    fails(&run(node.path(), &["status"]), 4, "repute up");
    assert!(node.ends_well());
}
