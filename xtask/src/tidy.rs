//! Habits that no lint holds. Each finding says what to do.

use std::{collections::BTreeSet, process::Command};

use anyhow::Result;

use crate::process::{output, root};

mod rules;

/// One text file of the tree.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// From the root of the tree, with forward slashes.
    path: String,
    text: String,
}

/// The tree: every text file that is, or could be, committed.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: Vec<File>,
    /// Every path, of binary files as well.
    paths: BTreeSet<String>,
}

impl Tree {
    fn read() -> Result<Self> {
        let mut git = Command::new("git");
        git.current_dir(root());
        git.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
        let mut tree = Self::default();
        for path in output(&mut git)?.lines() {
            let full = root().join(path);
            if !full.is_file() {
                continue;
            }
            tree.paths.insert(path.to_owned());
            if let Ok(text) = std::fs::read_to_string(full) {
                tree.files.push(File {
                    path: path.to_owned(),
                    text,
                });
            }
        }
        Ok(tree)
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Self {
            files: files.iter().map(file).collect(),
            paths: files.iter().map(|(path, _)| (*path).to_owned()).collect(),
        }
    }

    fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.files
            .iter()
            .find(|file| file.path == path)
            .map(|file| file.text.as_str())
    }

    /// The names of the folders under `crates/`.
    fn crates(&self) -> BTreeSet<&str> {
        self.paths
            .iter()
            .filter_map(|path| path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml"))
            .collect()
    }
}

pub(crate) fn run() -> Result<bool> {
    let tree = Tree::read()?;
    for note in rules::long_files(&tree, rules::LINES_WANTED) {
        eprintln!("tidy (note): {note}");
    }
    let findings: Vec<_> = rules::ALL.iter().flat_map(|rule| rule(&tree)).collect();
    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    Ok(findings.is_empty())
}
