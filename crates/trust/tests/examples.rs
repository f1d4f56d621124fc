//! The examples run, and say what they promise.

#[path = "../examples/own_model.rs"]
#[allow(unreachable_pub, reason = "an example is a program")]
mod own_model;

#[test]
fn the_example_of_an_own_model_ranks_as_it_says() {
    own_model::main().unwrap();
}

#[test]
fn a_model_of_ones_own_takes_forty_lines_at_most() {
    let source = include_str!("../examples/own_model.rs");
    let model = source.split("// The model, whole").nth(1).unwrap();
    let model = model.split("/// What the market saw").next().unwrap();
    assert!(model.lines().count() <= 40, "{}", model.lines().count());
}
