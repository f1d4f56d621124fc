//! The programs of `xtask/peers`: other implementations, and our node among them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{cargo, root};

/// Their workspace.
fn folder() -> PathBuf {
    root().join("xtask/peers")
}

/// Where what they leave behind goes; in their target folder.
pub(super) fn scratch() -> PathBuf {
    folder().join("target/race")
}

/// A built program.
pub(super) fn program(name: &str) -> PathBuf {
    Path::new(&folder()).join("target/release").join(name)
}

/// Builds all of them, as they are locked.
pub(super) fn build() -> Result<()> {
    eprintln!("building the programs of xtask/peers (about ten minutes the first time) …");
    let mut command = cargo();
    command.current_dir(folder());
    // Wherever this workspace is built, theirs has a folder of its own.
    command.env("CARGO_TARGET_DIR", folder().join("target"));
    // What cargo tells this task about itself, and flags of the caller's shell: build scripts
    // look at them, so that everything would be built again, and differently.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let own = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_ENCODED_",
            "RUSTFLAGS",
        ];
        if own.iter().any(|start| name.starts_with(start)) {
            command.env_remove(name.as_ref());
        }
    }
    // The whole workspace: another set of packages would have other features.
    command.args(["build", "--release", "--workspace", "--locked"]);
    let status = command.status().context("could not start cargo")?;
    if !status.success() {
        bail!(
            "the programs were not built ({status}); see above. If the lock file is out of date \
             after a change of a manifest, run cargo build --workspace in xtask/peers and commit \
             xtask/peers/Cargo.lock; if a download failed, run cargo fetch there first"
        );
    }
    std::fs::create_dir_all(scratch())?;
    Ok(())
}
