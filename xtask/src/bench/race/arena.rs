//! Where programs run: alone, each in a network of its own, on a machine as quiet as it gets.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::bench::cost::Moment;

/// Cores that other programs may use when one is started.
const QUIET_CORES: f64 = 0.25;
/// How long the machine is watched to find out.
const WATCH: Duration = Duration::from_secs(2);
/// A program that runs longer has stalled.
const RUN_MAX: Duration = Duration::from_secs(900);
/// Brings the loopback interface of a new network namespace up, and becomes the program.
const SCRIPT: &str = "ip link set lo up && exec \"$@\"";

/// How a program gets a network of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Network {
    /// `unshare` with these arguments.
    Own(&'static [&'static str]),
    /// It does not: bytes of others are counted as well.
    Shared,
}

impl Network {
    /// The best this machine allows; says on stderr when there is none.
    pub(in crate::bench) fn find() -> Self {
        const WAYS: [&[&str]; 2] = [&["--map-root-user", "--net"], &["--net"]];
        let works = |way: &&&[&str]| {
            let mut probe = Command::new("unshare");
            probe.args(**way).args(["sh", "-c", SCRIPT, "sh", "true"]);
            probe.stdout(Stdio::null()).stderr(Stdio::null());
            probe.status().is_ok_and(|status| status.success())
        };
        if let Some(way) = WAYS.iter().find(works) {
            return Self::Own(way);
        }
        eprintln!(
            "no network namespace of its own for each program: bytes on loopback include those of \
             other programs. Needed are `unshare` and `ip`, and user namespaces \
             (sysctl kernel.unprivileged_userns_clone=1, or run as the administrator)"
        );
        Self::Shared
    }

    fn command(self, program: &Path) -> Command {
        match self {
            Self::Own(way) => {
                let mut command = Command::new("unshare");
                command.args(way).args(["sh", "-c", SCRIPT, "sh"]);
                command.arg(program);
                command
            }
            Self::Shared => Command::new(program),
        }
    }

    /// Runs a program to its end and gives what it printed.
    pub(in crate::bench) fn run(self, program: &Path, args: &[String]) -> Result<String> {
        let mut command = self.command(program);
        command.args(args).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("could not start {}", program.display()))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let talk = std::thread::spawn(move || read_all(stderr));
        let text = std::thread::spawn(move || read_all(stdout));
        let ended = wait(&mut child)?;
        let text = text.join().unwrap_or_default();
        let talk = talk.join().unwrap_or_default();
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let line = format!("{name} {}", args.join(" "));
        match ended {
            Some(status) if status.success() => Ok(text),
            Some(status) => bail!("{line} failed ({status}): {}", last_lines(&talk)),
            None => bail!(
                "{line} was stopped after {} s; it had printed:\n{text}{}",
                RUN_MAX.as_secs(),
                last_lines(&talk)
            ),
        }
    }
}

fn read_all(from: Option<impl Read>) -> String {
    let mut text = String::new();
    if let Some(mut from) = from {
        // What is no text is no figure either.
        let _ = from.read_to_string(&mut text);
    }
    text
}

/// The child's end; `None` when it had to be killed.
fn wait(child: &mut Child) -> Result<Option<std::process::ExitStatus>> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() > RUN_MAX {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        sleep(Duration::from_millis(50));
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(5);
    lines.get(from..).unwrap_or_default().join("\n")
}

/// Waits until other programs leave the machine alone, at most `patience`; how many cores they
/// used in the end.
pub(in crate::bench) fn quiet(patience: Duration) -> f64 {
    let begun = Instant::now();
    loop {
        let before = Moment::now();
        sleep(WATCH);
        let busy = before.others_until(Moment::now());
        if busy < QUIET_CORES || begun.elapsed() >= patience {
            return busy;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<String> {
        Network::Shared.run(Path::new("sh"), &["-c".to_owned(), script.to_owned()])
    }

    #[test]
    fn a_program_gives_what_it_printed_and_a_failure_what_it_said() {
        assert_eq!(shell("echo RESULT a=1").unwrap(), "RESULT a=1\n");
        let said = shell("echo no room >&2; exit 3").unwrap_err().to_string();
        assert!(said.contains("no room") && said.contains('3'), "{said}");
    }
}
