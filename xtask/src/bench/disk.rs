//! Where stores are measured: on a disk, and which.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::report::Row;

/// A folder on a disk, removed when dropped.
pub(super) struct Folder {
    dir: TempDir,
    file_system: String,
}

impl Folder {
    pub(super) fn new(parent: &Path) -> Result<Self> {
        std::fs::create_dir_all(parent)
            .with_context(|| format!("could not make {}", parent.display()))?;
        let dir = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(parent)
            .with_context(|| format!("could not make a folder in {}", parent.display()))?;
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let file_system = file_system_of(&dir.path().canonicalize()?, &mounts);
        if matches!(file_system.as_str(), "tmpfs" | "ramfs") {
            bail!(
                "{} is on {file_system}, where nothing is durable: name a folder on a disk with --dir",
                parent.display()
            );
        }
        Ok(Self { dir, file_system })
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// What the figures were measured on.
    pub(super) fn row(&self) -> Row {
        let what = format!("stores on file system {}", self.file_system);
        Row::plain(&what, 1.0, "disk")
    }
}

/// The type of the mount that holds `path`: the longest that is above it, the last of equals.
fn file_system_of(path: &Path, mounts: &str) -> String {
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (_, at, kind) = (words.next()?, words.next()?, words.next()?);
            path.starts_with(at)
                .then(|| (Path::new(at).components().count(), kind))
        })
        .max_by_key(|(depth, _)| *depth)
        .map_or_else(|| "unknown".into(), |(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_names_the_file_system() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/disk xfs rw 0 0\n";
        let of = |path: &str| file_system_of(Path::new(path), mounts);
        assert_eq!(of("/home/x"), "ext4");
        assert_eq!(of("/tmp/x"), "tmpfs");
        assert_eq!(of("/tmpx"), "ext4");
        assert_eq!(of("/tmp/disk/x"), "xfs");
        assert_eq!(file_system_of(Path::new("/x"), ""), "unknown");
    }
}
