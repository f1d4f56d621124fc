//! The example of the laboratory's page: it does what the page says, and the page shows what runs.

#[path = "../examples/adversary.rs"]
mod adversary;

#[test]
fn the_adversary_of_the_laboratory_acts_and_nobody_misses_anything() {
    adversary::main();
}

#[test]
fn the_page_of_the_laboratory_shows_the_adversary_that_runs() {
    let page = include_str!("../../docs/laboratory.md");
    let example = include_str!("../examples/adversary.rs");
    let shown: Vec<&str> = page
        .split("```rust\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(!shown.is_empty(), "the page shows code");
    for code in shown {
        for part in code.split("\n\n") {
            assert!(example.contains(part.trim()), "not in the example:\n{part}");
        }
    }
}
