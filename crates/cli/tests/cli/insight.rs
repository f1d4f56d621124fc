//! Metrics, models, selection, past and totals on the command line.

use crate::{fails, run, running::Running};

fn fits(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line:?} is wider than 80");
    }
}

#[test]
fn two_nodes_measure_and_rank_each_other() {
    let (node, other) = Running::pair();
    let mut ear = node.subscribe(&["news", "--json", "--count", "1"]);
    other.text(&["publish", "news", "hello"]);
    assert!(ear.wait().unwrap().success());

    let metrics = node.json(&["trust", "metrics", other.id()]);
    assert_eq!(metrics["id"], other.id());
    assert!(metrics["interactions"].as_u64().unwrap() > 0, "{metrics}");
    assert!(metrics["useful"].as_f64().unwrap() > 0.9, "{metrics}");
    let composite = metrics["composite"].as_f64().unwrap();
    assert!((0.4..0.7).contains(&composite), "{metrics}");
    let all = node.json(&["trust", "metrics"]);
    assert_eq!(all["peers"][0]["id"], other.id());

    for model in ["peer", "transfer", "network", "signing", "relay"] {
        let score = node.json(&["trust", "score", other.id(), "--model", model]);
        assert_eq!(score["model"], model);
        let (found, most) = (
            score["score"].as_f64().unwrap(),
            score["score_max"].as_f64().unwrap(),
        );
        assert!(found > 0.0 && found <= most, "{score}");
        assert!(score["cautious"].as_f64().unwrap() <= found, "{score}");
    }
    let unknown = run(
        node.path(),
        &["trust", "score", other.id(), "--model", "luck"],
    );
    fails(&unknown, 6, "peer, transfer, network, signing, relay");

    let best = node.json(&["trust", "best", "--min", "1"]);
    assert_eq!(best["chosen"][0]["id"], other.id());
    assert_eq!(best["chosen"][0]["place"], 1);
    let few = run(node.path(), &["trust", "best", "--min", "2"]);
    fails(
        &few,
        6,
        "1 of 1 candidates pass the gates and 2 are required",
    );
    node.text(&["ban", other.id(), "--for", "1h"]);
    let none = run(node.path(), &["trust", "best", "--min", "1", other.id()]);
    fails(&none, 6, "0 of 1 candidates pass the gates");

    let history = node.json(&["trust", "history", other.id()]);
    assert_eq!(history["trend"], "steady");
    assert_eq!(history["hours"].as_array().unwrap().len(), 1);
    assert!(!history["interactions"].as_array().unwrap().is_empty());
    let stats = node.json(&["trust", "stats"]);
    assert_eq!(
        (stats["total"].as_u64(), stats["closed"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(stats["levels"]["unknown"], 1);

    for command in [
        &["trust", "metrics"][..],
        &["trust", "metrics", other.id()],
        &["trust", "score", other.id()],
        &["trust", "best", "--min", "0"],
        &["trust", "history", other.id()],
        &["trust", "stats"],
        &["peers", "--sort", "score"],
    ] {
        fits(&node.text(command));
    }
}

#[test]
fn a_list_is_filtered_sorted_and_searched() {
    let (node, other) = Running::pair();
    let count = |words: &[&str]| {
        let mut command = vec!["peers"];
        command.extend(words);
        node.json(&command)["total"].as_u64().unwrap()
    };
    assert_eq!(count(&[]), 1);
    assert_eq!(count(&["--level", "unknown"]), 1);
    assert_eq!(count(&["--level", "trusted,high"]), 0);
    assert_eq!(count(&["--search", &other.id()[..6]]), 1);
    assert_eq!(count(&["--search", "7"]), 0);
    assert_eq!(count(&["--min-uptime", "10%"]), 1);
    assert_eq!(count(&["--min-uptime", "99.9"]), 0);
    assert_eq!(count(&["--no-encryption"]) + count(&["--encrypted"]), 1);
    for sort in ["score", "interactions", "last-seen"] {
        assert_eq!(count(&["--sort", sort]), 1);
    }
    let text = node.text(&["peers", "--level", "trusted"]);
    assert!(text.contains("no known peer is like that"), "{text}");
    fails(
        &run(node.path(), &["peers", "--sort", "luck"]),
        2,
        "last-seen",
    );
    fails(
        &run(node.path(), &["peers", "--min-uptime", "many"]),
        2,
        "from 0 to 100",
    );
    fails(
        &run(node.path(), &["peers", "--level", "great"]),
        2,
        "no level",
    );
}
