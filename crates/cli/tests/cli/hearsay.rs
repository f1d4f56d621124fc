//! Recommendations on the command line.

use crate::{fails, run, running::Running};

const SOMEBODY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn a_complaint_survives_a_restart_and_is_withdrawn_without_a_trace() {
    let mut node = Running::alone();
    let empty = node.text(&["trust", "sources"]);
    assert!(empty.contains("no recommendations"), "{empty}");
    let noted = node.text(&["report", SOMEBODY, "--reason", "sells \u{1b}[31mnothing"]);
    assert!(noted.contains("hearsay.share"), "{noted}");
    node.text(&["down"]);
    node.start_again(&[]);

    let sources = node.json(&["trust", "sources"]);
    let said = &sources["sources"][0]["recommendations"][0];
    assert_eq!(said["subject"], SOMEBODY);
    assert!(said["moves"].as_f64().unwrap() < -0.04, "{said}");
    let shown = node.text(&["trust", "sources"]);
    assert!(shown.contains("you") && shown.contains("sells \\u{1b}[31mnothing"));
    let why = node.text(&["explain", SOMEBODY]);
    assert!(why.contains("-1.00 by you"), "{why}");
    assert!(why.contains("bit for bit"), "{why}");

    let again = run(node.path(), &["trust", "recommend", SOMEBODY, "1"]);
    fails(&again, 6, "one recommendation a day");
    let beyond = run(node.path(), &["trust", "recommend", SOMEBODY, "-1.5"]);
    fails(&beyond, 2, "from -1 (warn) to 1 (recommend)");
    fails(
        &run(node.path(), &["trust", "withdraw", "zzzz"]),
        5,
        "no source",
    );

    let id = node.id().to_owned();
    node.text(&["trust", "withdraw", &id]);
    let why = node.json(&["explain", SOMEBODY]);
    assert_eq!(why["prior"], 0.5);
    assert!(node.text(&["trust", "sources"]).contains("withdrawn"));
    node.text(&["trust", "withdraw", &id, "--undo"]);
    node.text(&["trust", "recommend", SOMEBODY, "0.5"]);
    let prior = node.json(&["explain", SOMEBODY])["prior"].as_f64().unwrap();
    assert!(prior > 0.52 && prior < 0.53, "{prior}");
}
