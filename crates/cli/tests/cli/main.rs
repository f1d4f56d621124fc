//! The command line as a person or a script meets it: the built binary, its words, its exit codes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test support is no #[test] function, so clippy does not see it as a test"
)]

mod blacklist;
mod codes;
mod directory;
mod documents;
mod files;
mod hearsay;
mod insight;
mod ratings;
mod receipts;
mod running;
mod settings;
mod sharing;
mod terminal;

use std::{path::Path, process::Output};

use assert_cmd::Command;

/// The binary, with nothing of the caller's own settings.
fn repute() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repute"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("REPUTE_") {
            command.env_remove(name);
        }
    }
    command.env_remove("RUST_LOG");
    command
}

/// Runs a command on a data directory.
fn run(data_dir: &Path, words: &[&str]) -> Output {
    let mut command = repute();
    command.arg("--data-dir").arg(data_dir).args(words);
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The command fails with this code and says this, and does not panic.
#[track_caller]
fn fails(output: &Output, code: i32, says: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(says), "{says:?} is not in {said:?}");
    assert!(!said.contains("panicked"), "{said}");
}

/// The command succeeds; what it printed.
#[track_caller]
fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output)
}
