//! `repute trust import-ratings`, which needs no node and no data directory.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use crate::{fails, repute, run, stderr, succeeds};

const SMALL: &str = "SOURCE,TARGET,RATING,TIME\n1,2,8,10\n2,1,5,11\n2,eve,-10,12\n\
                     eve,2,-10,13\n1,3,1,14\n3,eve,-5,15.5\n";

fn import(file: &Path, words: &[&str]) -> std::process::Output {
    let mut command = repute();
    command
        .args(["trust", "import-ratings"])
        .arg(file)
        .args(words);
    command.output().unwrap()
}

fn written(dir: &TempDir, text: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = dir.path().join("ratings.csv");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn every_subject_of_a_file_is_judged_and_nothing_is_left_behind() {
    let dir = TempDir::new().unwrap();
    let file = written(&dir, SMALL);
    let data = dir.path().join("data");
    let words = [
        "trust",
        "import-ratings",
        file.to_str().unwrap(),
        "--anchors",
        "1",
        "--json",
    ];
    let output = run(&data, &words);
    let view: Value = serde_json::from_str(&succeeds(&output)).unwrap();
    assert!(!data.exists(), "no node and no data directory");
    let subjects = view["subjects"].as_array().unwrap();
    let ids: Vec<&str> = subjects
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["2", "1", "3", "eve"]);
    let keys: BTreeSet<&str> = subjects[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = ["id", "level", "rank", "ratings", "trust", "uncertainty"];
    assert_eq!(keys, BTreeSet::from(expected));
    let eve = &subjects[3];
    assert_eq!(
        (eve["rank"].as_u64(), eve["ratings"].as_u64()),
        (Some(4), Some(2))
    );
    assert!(eve["trust"].as_f64().unwrap() < 0.4, "{eve}");
    for one in subjects {
        for field in ["trust", "uncertainty"] {
            assert!((0.0..=1.0).contains(&one[field].as_f64().unwrap()), "{one}");
        }
    }
    // Named anchors need no excuse.
    assert!(!stderr(&output).contains("exploration"));
}

#[test]
fn without_anchors_the_view_says_that_it_is_for_exploration_only() {
    let dir = TempDir::new().unwrap();
    let output = import(&written(&dir, SMALL), &[]);
    let table = succeeds(&output);
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(table.contains("RANK"), "{table}");
    assert!(
        stderr(&output).contains("exploration only"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn stdin_is_read_too() {
    let output = repute()
        .args(["trust", "import-ratings", "-", "--json", "--anchors", "2,1"])
        .write_stdin(SMALL)
        .output()
        .unwrap();
    let view: Value = serde_json::from_str(&succeeds(&output)).unwrap();
    assert_eq!(view["subjects"].as_array().unwrap().len(), 4);
}

#[test]
fn a_row_that_cannot_be_read_is_named_and_the_exit_code_says_it() {
    let dir = TempDir::new().unwrap();
    for (text, says) in [
        ("1,2,3,4\n1,2,30,4\n", "line 2: the rating"),
        ("1,2,3,4\n\n1,2\n", "line 3: it has 2 fields"),
        ("1,2,3,soon\n", "line 1: the time"),
    ] {
        fails(&import(&written(&dir, text), &["--json"]), 1, says);
    }
    fails(
        &import(&written(&dir, b"1,\xff\xfe,1,1\n"), &[]),
        1,
        "line 1",
    );
    fails(
        &import(&written(&dir, vec![b'x'; 10_000_000]), &[]),
        1,
        "4096 bytes",
    );
    fails(
        &import(&written(&dir, vec![0; 10_000_000]), &[]),
        1,
        "line 1",
    );
    fails(&import(&dir.path().join("none.csv"), &[]), 5, "none.csv");
    fails(&import(dir.path(), &[]), 1, "cannot read");
    fails(
        &import(&written(&dir, SMALL), &["--anchors", "1,nobody"]),
        5,
        "nobody",
    );
    fails(
        &repute().args(["trust", "import-ratings"]).output().unwrap(),
        2,
        "FILE",
    );
}

#[test]
fn a_file_without_ratings_has_no_subjects() {
    let dir = TempDir::new().unwrap();
    for text in ["", "SOURCE,TARGET,RATING,TIME\n", "1,1,10,1\n"] {
        let output = import(&written(&dir, text), &["--json"]);
        assert_eq!(succeeds(&output).trim(), r#"{"subjects":[]}"#, "{text:?}");
    }
}

#[test]
fn names_cannot_steer_the_terminal() {
    let dir = TempDir::new().unwrap();
    let text = "1,\u{202e}evil,3,4\n1,\"a \"\"b\"\", c\",5,6\n";
    let table = succeeds(&import(&written(&dir, text), &["--anchors", "1"]));
    assert!(table.contains("\\u{202e}evil"), "{table}");
    assert!(table.contains("a \"b\", c"), "{table}");
}

#[test]
fn a_thousand_free_names_change_nobodys_line() {
    let dir = TempDir::new().unwrap();
    let words = ["--anchors", "1", "--json"];
    let view = |text: &str| -> Value {
        serde_json::from_str(&succeeds(&import(&written(&dir, text), &words))).unwrap()
    };
    let mut attacked = String::from(SMALL);
    for fake in 0..1_000 {
        let next = (fake + 1) % 1_000;
        write!(
            attacked,
            "f{fake},f{next},10,20\nf{fake},eve,10,21\nf{fake},2,-10,22\n"
        )
        .unwrap();
    }
    let key = |one: &Value| (one["id"].clone(), one["rank"].clone(), one["trust"].clone());
    let known = |view: &Value| -> Vec<_> {
        let subjects = view["subjects"].as_array().unwrap().iter().map(key);
        subjects
            .filter(|(id, _, _)| !id.as_str().unwrap().starts_with('f'))
            .collect()
    };
    let attacked = view(&attacked);
    assert_eq!(attacked["subjects"].as_array().unwrap().len(), 1_004);
    assert_eq!(known(&attacked), known(&view(SMALL)));
}
