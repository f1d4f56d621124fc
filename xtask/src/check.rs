//! All of CI, cheapest first; the tests come last, so that the output ends with their summary.

use std::{process::Command, time::Instant};

use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;

use crate::{
    bench::guard,
    docs, layers,
    process::{cargo, has_cargo, output, root, succeed},
    scenario, tidy,
};

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Stop before the tests.
    #[arg(long)]
    no_tests: bool,
}

/// The half of a pure crate that is not built unless asked for.
const BLOBS_ON_DISK: &str = "repute-blobs/std";

type Step = (&'static str, fn() -> Result<bool>);

const STEPS: &[Step] = &[
    ("format", || run_cargo(&["fmt", "--all", "--check"])),
    ("format of the peers", format_of_the_peers),
    ("tidy", tidy::run),
    ("layers", layers::run),
    ("lints", || {
        let lint = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            BLOBS_ON_DISK,
            "--locked",
            "--",
            "-D",
            "warnings",
        ];
        run_cargo(&lint)
    }),
    ("core without std", || {
        run_cargo(&[
            "check",
            "-p",
            "repute-node",
            "--no-default-features",
            "--locked",
        ])
    }),
    ("identity without files", || {
        run_cargo(&[
            "check",
            "-p",
            "repute-identity",
            "--no-default-features",
            "--locked",
        ])
    }),
    ("storage without SQLite", || {
        run_cargo(&[
            "check",
            "-p",
            "repute-storage",
            "--no-default-features",
            "--locked",
        ])
    }),
    ("blobs without files", || {
        run_cargo(&["check", "-p", "repute-blobs", "--locked"])
    }),
    ("documentation", docs::run),
    ("licences and sources", deny),
    ("instructions", guard::check),
];

const TEST_STEPS: &[Step] = &[
    ("storage faults", scenario::check_storage),
    ("documentation tests", doc_tests),
    ("tests", tests),
];

pub(crate) fn run(args: &Args) -> Result<bool> {
    let begun = Instant::now();
    let tests = if args.no_tests { &[] } else { TEST_STEPS };
    for (name, step) in STEPS.iter().chain(tests) {
        eprintln!("== {name} ({} s so far)", begun.elapsed().as_secs());
        if !step().with_context(|| format!("check stopped at: {name}"))? {
            bail!("check stopped at: {name}");
        }
    }
    Ok(true)
}

fn run_cargo(args: &[&str]) -> Result<bool> {
    succeed(cargo().args(args))?;
    Ok(true)
}

/// By file: cargo would first fetch all that the peers depend on.
fn format_of_the_peers() -> Result<bool> {
    let mut git = Command::new("git");
    git.current_dir(root())
        .args(["ls-files", "xtask/peers/*.rs"]);
    let files = output(&mut git)?;
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.current_dir(root());
    rustfmt.args(["--edition", "2024", "--check"]);
    succeed(rustfmt.args(files.lines()))?;
    Ok(true)
}

fn deny() -> Result<bool> {
    if !has_cargo("deny") {
        eprintln!("skipped: cargo-deny is not installed (cargo install cargo-deny)");
        return Ok(true);
    }
    // Advisories need their database, which not every machine can reach.
    run_cargo(&["deny", "check", "bans", "licenses", "sources"])
}

fn doc_tests() -> Result<bool> {
    run_cargo(&[
        "test",
        "--workspace",
        "--features",
        BLOBS_ON_DISK,
        "--doc",
        "--quiet",
        "--locked",
    ])
}

fn tests() -> Result<bool> {
    if has_cargo("nextest") {
        return run_cargo(&[
            "nextest",
            "run",
            "--workspace",
            "--features",
            BLOBS_ON_DISK,
            "--locked",
            "--no-fail-fast",
        ]);
    }
    run_cargo(&[
        "test",
        "--workspace",
        "--all-targets",
        "--features",
        BLOBS_ON_DISK,
        "--locked",
        "--no-fail-fast",
    ])
}
