use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

use crate::process::{cargo, root, succeed};

/// The binary that every scenario drives.
pub(super) struct Binary {
    path: PathBuf,
    /// What makes a child die with this process, however that ends, where the system has it.
    tether: Vec<OsString>,
}

impl Binary {
    /// Builds the binary, once for all scenarios.
    pub(super) fn build() -> Result<&'static Self> {
        static BUILT: OnceLock<Binary> = OnceLock::new();
        if let Some(built) = BUILT.get() {
            return Ok(built);
        }
        succeed(cargo().args(["build", "--quiet", "-p", "repute-cli"]))?;
        let metadata = MetadataCommand::new()
            .current_dir(root())
            .no_deps()
            .exec()
            .context("where cargo builds")?;
        let path = metadata.target_directory.join("debug").join("repute");
        let tether = ["setpriv", "--pdeathsig", "KILL", "--"].map(OsString::from);
        let tethered = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "true"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        Ok(BUILT.get_or_init(|| Self {
            path: path.into_std_path_buf(),
            tether: if tethered { tether.into() } else { Vec::new() },
        }))
    }

    /// A command of the binary on one data directory, with nothing of the caller's own settings.
    /// `around` is a program with its arguments that runs it, or nothing.
    pub(super) fn command(&self, around: &[OsString], data_dir: &Path) -> Command {
        let mut words = around.iter().chain(&self.tether);
        let mut command = match words.next() {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(words).arg(&self.path);
                command
            }
            None => Command::new(&self.path),
        };
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("REPUTE_") {
                command.env_remove(name);
            }
        }
        command
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .arg("--data-dir")
            .arg(data_dir);
        command
    }
}
