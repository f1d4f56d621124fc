//! What others do with our crates: take one, outside this workspace, and build on it.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use cargo_metadata::{MetadataCommand, Package, TargetKind};
use clap::Args as ClapArgs;

use crate::{
    process::{cargo, output, root, succeed},
    report::{Count, Report, Row},
};

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Only these crates, such as `repute-gossip`; all libraries if none is named.
    crates: Vec<String>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let metadata = MetadataCommand::new().current_dir(root()).exec()?;
    let folder = metadata.workspace_root.join("crates");
    let mut libraries: Vec<Package> = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| package.manifest_path.starts_with(&folder))
        .filter(|package| {
            package
                .targets
                .iter()
                .any(|t| t.kind.contains(&TargetKind::Lib))
        })
        .cloned()
        .collect();
    libraries.sort_by(|a, b| a.name.cmp(&b.name));
    let outside = Outside::new(&libraries)?;
    let chosen: Vec<_> = libraries
        .iter()
        .filter(|package| args.crates.is_empty() || args.crates.iter().any(|n| package.name == *n))
        .collect();
    if chosen.is_empty() {
        bail!("there is no library crate named {}", args.crates.join(", "));
    }
    let mut rows = Vec::new();
    for package in &chosen {
        for features in [&[][..], &["--no-default-features"]] {
            // Without features to leave out, both are the same.
            if !features.is_empty() && package.features.is_empty() {
                continue;
            }
            let what = format!(
                "{} {}",
                package.name,
                features.first().unwrap_or(&"default")
            );
            eprintln!("== {what}");
            let begun = Instant::now();
            let row = match outside.consume(package, features) {
                Ok(()) => Row::plain(&what, begun.elapsed().as_secs_f64(), "s"),
                Err(error) => {
                    eprintln!("{what}: {error:#}");
                    Row::exactly(&what, 1.0, "failures", 0.0)
                }
            };
            rows.push(row);
        }
    }
    Report::new("consume", Count::Runs(rows.len() as u64), rows).finish(args.json)
}

/// A folder outside the workspace with every library as it would be published.
struct Outside {
    folder: PathBuf,
}

impl Drop for Outside {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

impl Outside {
    fn new(libraries: &[Package]) -> Result<Self> {
        // The same place each time, or everything of ours would pile up in the target folder.
        let outside = Self {
            folder: std::env::temp_dir().join("repute-consume"),
        };
        drop(fs::remove_dir_all(&outside.folder));
        let target = root().join("target");
        let mut package = cargo();
        package.args([
            "package",
            "--no-verify",
            "--allow-dirty",
            "--locked",
            "--quiet",
        ]);
        package.arg("--target-dir").arg(&target);
        for library in libraries {
            package.args(["-p", &library.name]);
        }
        eprintln!("== packaging {} libraries", libraries.len());
        succeed(&mut package)?;
        fs::create_dir_all(outside.folder.join(".cargo"))?;
        let mut config = String::from("[patch.crates-io]\n");
        for library in libraries {
            let file = target.join(format!(
                "package/{}-{}.crate",
                library.name, library.version
            ));
            let mut tar = Command::new("tar");
            // Packages carry one fixed time for all files, which would hide changes from cargo.
            tar.arg("-xzmf").arg(&file).arg("-C").arg(&outside.folder);
            succeed(&mut tar)?;
            let home = outside.home(library);
            // The same versions of foreign crates as in the workspace.
            fs::copy(root().join("Cargo.lock"), home.join("Cargo.lock"))?;
            writeln!(config, "{} = {{ path = {:?} }}", library.name, home)?;
        }
        // As in the workspace, so that the foreign crates built there serve here too.
        config += "\n[profile.dev]\ndebug = \"line-tables-only\"\n";
        config += "\n[profile.dev.package.\"*\"]\nopt-level = 2\n";
        fs::write(outside.folder.join(".cargo/config.toml"), config)
            .context("could not write the configuration of the folder outside")?;
        Ok(outside)
    }

    fn home(&self, package: &Package) -> PathBuf {
        self.folder
            .join(format!("{}-{}", package.name, package.version))
    }

    /// Builds, tests and runs the examples of one library alone.
    fn consume(&self, package: &Package, features: &[&str]) -> Result<()> {
        let home = self.home(package);
        output(self.cargo(&home).args(["test", "--quiet"]).args(features))?;
        for target in package
            .targets
            .iter()
            .filter(|t| t.kind.contains(&TargetKind::Example))
        {
            if !features.is_empty() && !target.required_features.is_empty() {
                continue;
            }
            let mut example = self.cargo(&home);
            example
                .args(["run", "--quiet", "--example", &target.name])
                .args(features);
            output(&mut example)?;
        }
        Ok(())
    }

    fn cargo(&self, home: &Path) -> Command {
        let mut command = cargo();
        command
            .current_dir(home)
            .env("CARGO_TARGET_DIR", root().join("target"));
        // What cargo sets for this task would be taken for the crate's own.
        for (key, _) in std::env::vars() {
            if key.starts_with("CARGO_PKG_") || key.starts_with("CARGO_MANIFEST_") {
                command.env_remove(key);
            }
        }
        command
    }
}
