//! Nodes that run while a test asks them.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{run, succeeds};

/// A running `repute up` on a data directory of its own, killed at the end of the test.
pub(crate) struct Running {
    dir: TempDir,
    process: Child,
    pub(crate) greeting: Value,
}

impl Running {
    pub(crate) fn alone() -> Self {
        Self::start(&[])
    }

    /// Two nodes with a link between them.
    pub(crate) fn pair() -> (Self, Self) {
        let first = Self::alone();
        let second = Self::start(&["--join", first.ticket()]);
        for (node, other) in [(&first, &second), (&second, &first)] {
            let linked = || {
                let peers = node.json(&["peers"]);
                let mut peers = peers["peers"].as_array().unwrap().iter();
                peers.any(|peer| peer["id"] == other.id() && peer["state"] == "active")
            };
            while !linked() {
                std::thread::yield_now();
            }
        }
        (first, second)
    }

    pub(crate) fn start(flags: &[&str]) -> Self {
        let dir = TempDir::with_prefix("repute-").unwrap();
        let (process, greeting) = up(dir.path(), ANYWHERE, flags);
        Self {
            dir,
            process,
            greeting,
        }
    }

    /// Starts once more a node that has stopped.
    pub(crate) fn start_again(&mut self, flags: &[&str]) {
        self.process.wait().unwrap();
        (self.process, self.greeting) = up(self.path(), ANYWHERE, flags);
    }

    /// Kills it as a power failure would, and starts it once more at the same address.
    pub(crate) fn crash_and_start_again(&mut self) {
        let listen = self.greeting["listen"][0].as_str().unwrap().to_owned();
        self.crash();
        (self.process, self.greeting) = up(self.path(), &listen, &[]);
    }

    /// Kills it as a power failure would.
    pub(crate) fn crash(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn id(&self) -> &str {
        self.greeting["id"].as_str().unwrap()
    }

    pub(crate) fn ticket(&self) -> &str {
        self.greeting["ticket"].as_str().unwrap()
    }

    /// What a command prints with `--json`.
    #[track_caller]
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let output = run(self.path(), &[&["--json"], words].concat());
        serde_json::from_str(&succeeds(&output)).unwrap()
    }

    /// What a command prints for people.
    #[track_caller]
    pub(crate) fn text(&self, words: &[&str]) -> String {
        succeeds(&run(self.path(), words))
    }

    /// Starts a `subscribe` with these flags; it has subscribed when this returns.
    pub(crate) fn subscribe(&self, words: &[&str]) -> Child {
        self.listen(&[&["subscribe"], words].concat())
    }

    /// Starts a command that listens; it does when this returns.
    pub(crate) fn listen(&self, words: &[&str]) -> Child {
        let mut process = Command::new(env!("CARGO_BIN_EXE_repute"))
            .arg("--data-dir")
            .arg(self.path())
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut notice = String::new();
        let mut err = BufReader::new(process.stderr.take().unwrap());
        err.read_line(&mut notice).unwrap();
        assert!(notice.starts_with("listening"), "{notice}");
        process
    }

    /// Waits until the process has ended by itself; whether it ended well.
    pub(crate) fn ends_well(mut self) -> bool {
        self.process.wait().unwrap().success()
    }
}

/// A free port.
const ANYWHERE: &str = "127.0.0.1:0";

fn up(data_dir: &Path, listen: &str, flags: &[&str]) -> (Child, Value) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_repute"))
        .args(["up", "--json", "--listen", listen, "--data-dir"])
        .arg(data_dir)
        .args(flags)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let out = process.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    let greeting = serde_json::from_str(&line).unwrap();
    (process, greeting)
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _waited = self.process.wait();
    }
}
