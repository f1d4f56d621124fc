//! What reaches a terminal: no colours where none is, nothing that a peer could steer it with.

use std::io::{BufRead, BufReader, Read};

use tempfile::TempDir;

use crate::{repute, run, running::Running, succeeds};

const ESCAPE: char = '\u{1b}';

#[test]
fn nothing_is_coloured_when_it_is_not_read_on_a_terminal() {
    let (node, other) = Running::pair();
    let commands: [&[&str]; 12] = [
        &[],
        &["--help"],
        &["up", "--help"],
        &["status"],
        &["peers"],
        &["peer", other.id()],
        &["explain", other.id()],
        &["ban"],
        &["doctor"],
        &["config", "show", "--origin"],
        &["nonsense"],
        &["peer", "zzzzzz"],
    ];
    for command in commands {
        let output = run(node.path(), command);
        let all = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(all).unwrap();
        assert!(!text.contains(ESCAPE), "{command:?}: {text:?}");
    }
}

#[test]
fn what_a_peer_says_cannot_steer_the_terminal() {
    let (node, other) = Running::pair();
    let mut ear = node.subscribe(&["news", "--count", "1"]);
    other.text(&["publish", "news", "\u{1b}[31mred\u{7}\u{202e}txet"]);
    let mut line = String::new();
    let mut out = BufReader::new(ear.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert!(ear.wait().unwrap().success());
    assert!(line.contains("\\u{1b}[31mred"), "{line:?}");
    let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!line.contains(steers), "{line:?}");
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn a_reason_is_shown_escaped() {
    let (node, other) = Running::pair();
    node.text(&["ban", other.id(), "--reason", "\u{1b}]0;owned\u{7}"]);
    let bans = node.text(&["ban"]);
    assert!(bans.contains("owned"), "{bans}");
    assert!(!bans.contains([ESCAPE, '\u{7}']), "{bans:?}");
}

#[test]
fn a_wrong_word_is_shown_escaped() {
    let dir = TempDir::new().unwrap();
    let output = run(dir.path(), &["--set", "\u{1b}[31mx=1", "config", "show"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains(ESCAPE), "{said:?}");
}

#[test]
fn completions_and_the_manual_are_there() {
    for shell in ["bash", "zsh", "fish"] {
        let text = succeeds(&repute().args(["completions", shell]).output().unwrap());
        assert!(text.contains("subscribe"), "{shell}");
    }
    let man = succeeds(&repute().arg("man").output().unwrap());
    assert!(man.contains(".TH") && man.contains("subscribe"));
}

#[test]
fn the_version_names_the_wire_protocol() {
    let text = succeeds(&repute().arg("--version").output().unwrap());
    assert!(text.contains("wire protocol 1"), "{text}");
}
