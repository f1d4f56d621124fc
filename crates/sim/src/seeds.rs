use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

/// Runs `check` once for each of `count` seeds, and when one fails, prints the one command that
/// replays it.
///
/// `name` is what selects the test on the command line: its function name. The environment
/// variable `REPUTE_SEED` runs that seed alone, `REPUTE_SEEDS` another number of them.
///
/// ```
/// repute_sim::for_each_seed("the_sum_is_even", 20, |seed| {
///     assert_eq!((seed + seed) % 2, 0);
/// });
/// ```
pub fn for_each_seed(name: &str, count: u64, mut check: impl FnMut(u64)) {
    let read = |key: &str| env::var(key).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match read("REPUTE_SEED") {
        Some(seed) => seed..seed.saturating_add(1),
        None => 0..read("REPUTE_SEEDS").unwrap_or(count),
    };
    for seed in seeds {
        if let Err(failure) = catch_unwind(AssertUnwindSafe(|| check(seed))) {
            eprintln!(
                "seed {seed} failed; replay it with\n  {}",
                replay_command(name, seed)
            );
            resume_unwind(failure);
        }
    }
}

/// The command that replays `seed` of the test `name` of the package under test.
pub fn replay_command(name: &str, seed: u64) -> String {
    let package = env::var("CARGO_PKG_NAME").unwrap_or_else(|_| "repute-tests".into());
    format!("REPUTE_SEED={seed} cargo test -p {package} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_that_replays_it() {
        assert_eq!(
            replay_command("a_failure_names", 17),
            "REPUTE_SEED=17 cargo test -p repute-sim a_failure_names"
        );
    }

    #[test]
    fn the_failure_itself_is_passed_on() {
        let outcome = catch_unwind(|| for_each_seed("x", 3, |seed| assert!(seed < 2, "too large")));
        let message = *outcome.unwrap_err().downcast::<&str>().unwrap();
        assert_eq!(message, "too large");
    }
}
