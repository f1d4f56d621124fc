use std::{
    ffi::OsString,
    fs::{self, File},
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::{binary::Binary, ear::Ear, stage::until, tale::Tale};

/// How long a node may take to start or to stop.
const START: Duration = Duration::from_secs(20);
/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(20);

/// The hook of the binary that stops it in its start.
const STOP_AT: &str = "REPUTE_TEST_STOP_AT";

/// One node of a scenario: a data directory, and the process that runs on it. The process is
/// killed when this is dropped.
pub(super) struct Member {
    binary: &'static Binary,
    around: Vec<OsString>,
    name: String,
    data_dir: PathBuf,
    log: PathBuf,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    process: Option<Child>,
    greeting: Value,
}

impl Member {
    pub(super) fn new(
        binary: &'static Binary,
        around: &[OsString],
        name: &str,
        data_dir: &Path,
        log: PathBuf,
    ) -> Self {
        Self {
            binary,
            around: around.to_vec(),
            name: name.into(),
            data_dir: data_dir.into(),
            log,
            flags: ["--listen", "127.0.0.1:0"].map(Into::into).into(),
            environment: Vec::new(),
            process: None,
            greeting: Value::Null,
        }
    }

    /// Starts with these flags from now on, instead of a free port on loopback.
    pub(super) fn with_flags(mut self, flags: &[&str]) -> Self {
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self
    }

    /// Starts with one flag more from now on.
    pub(super) fn add_flag(&mut self, flag: &str) {
        self.flags.push(flag.to_owned());
    }

    /// Sees this variable from its next start on; `None` takes it away.
    pub(super) fn set_environment(&mut self, name: &str, value: Option<&str>) {
        self.environment.retain(|(known, _)| known != name);
        if let Some(value) = value {
            self.environment.push((name.into(), value.into()));
        }
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn id(&self) -> &str {
        self.said("id")
    }

    pub(super) fn ticket(&self) -> &str {
        self.said("ticket")
    }

    /// Where it listens, as it tells others.
    pub(super) fn address(&self) -> Result<SocketAddr> {
        let first = self.greeting.pointer("/listen/0").and_then(Value::as_str);
        Ok(first.context("it listens nowhere")?.parse()?)
    }

    fn said(&self, what: &str) -> &str {
        let said = self.greeting.get(what).and_then(Value::as_str);
        said.unwrap_or_default()
    }

    /// A command of the binary about this node's data directory.
    pub(super) fn command(&self) -> Command {
        let mut command = self.binary.command(&self.around, &self.data_dir);
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Runs `repute up`, joining through a ticket if there is one, and waits for its greeting.
    pub(super) fn start(&mut self, join: Option<&str>) -> Result<()> {
        self.start_joining(join.as_slice())
    }

    /// Runs `repute up` with these tickets.
    pub(super) fn start_joining(&mut self, tickets: &[&str]) -> Result<()> {
        let mut process = self.spawn(tickets)?;
        let out = process.stdout.take().context("its stdout")?;
        self.process = Some(process);
        let (line_in, line) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            let read = BufReader::new(out).read_line(&mut text);
            // Nobody waits any more if the start took too long.
            let _late = line_in.send(read.map(|_| text));
        });
        let text = line
            .recv_timeout(START)
            .map_err(|_| self.broken("no greeting"))??;
        let greeting = serde_json::from_str(&text);
        self.greeting = greeting.map_err(|_| self.broken("it did not start"))?;
        Ok(())
    }

    fn spawn(&self, tickets: &[&str]) -> Result<Child> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = self.command();
        command.args(["--json", "-vv", "up"]).args(&self.flags);
        for ticket in tickets {
            command.args(["--join", ticket]);
        }
        Ok(command.stdout(Stdio::piped()).stderr(log).spawn()?)
    }

    /// Starts, is stopped at this place of its start, and is killed there with kill -9. Whether
    /// the place was reached.
    pub(super) fn kill_at(&mut self, place: &str) -> Result<bool> {
        let said_before = self.said_so_far().len();
        self.set_environment(STOP_AT, Some(place));
        let spawned = self.spawn(&[]);
        self.set_environment(STOP_AT, None);
        let mut process = spawned?;
        let (told, reached) = (format!("stopped for a test place=\"{place}\""), ());
        let stopped = until("it stops in its start", START, || {
            let said = self.said_so_far();
            let said = said.get(said_before..).unwrap_or_default();
            Ok(said.contains(&told).then_some(reached))
        });
        process.kill()?;
        process.wait()?;
        Ok(stopped.is_ok())
    }

    fn said_so_far(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A line of what the system says about the process, such as `VmRSS`, in its unit.
    pub(super) fn measured(&self, line: &str) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.process_id()?))?;
        let found = text.lines().find_map(|found| found.strip_prefix(line));
        let number = found.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
        Ok(number.with_context(|| format!("no {line}"))?.parse()?)
    }

    /// How many files and sockets the process has open.
    pub(super) fn descriptors(&self) -> Result<u64> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.process_id()?))?;
        Ok(open.count() as u64)
    }

    fn process_id(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("it is not running")?.id())
    }

    fn broken(&self, what: &str) -> anyhow::Error {
        let log = self.said_so_far();
        let last: Vec<&str> = log.lines().rev().take(3).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        anyhow!("{}: {what}; it said: {}", self.name, last.join(" / "))
    }

    /// kill -9.
    pub(super) fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("it is not running")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// `repute down`, and waits until the process is gone.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.ask(&["down"])?;
        let mut process = self.process.take().context("it is not running")?;
        let stopped = until("it has stopped", START, || Ok(process.try_wait()?));
        match stopped {
            Ok((status, _)) if status.success() => Ok(()),
            Ok((status, _)) => bail!("{} ended with {status}", self.name),
            Err(error) => {
                process.kill()?;
                Err(error)
            }
        }
    }

    /// Whether the process has not ended.
    pub(super) fn is_running(&mut self) -> Result<bool> {
        match &mut self.process {
            Some(process) => Ok(process.try_wait()?.is_none()),
            None => Ok(false),
        }
    }

    /// Runs a command about this node, with `--json`, to its end.
    pub(super) fn run(&self, words: &[&str]) -> Result<Output> {
        let mut command = self.command();
        command.arg("--json").args(words);
        bounded(&mut command)
    }

    /// What the node answers; an error if it refuses.
    pub(super) fn ask(&self, words: &[&str]) -> Result<Value> {
        let output = self.run(words)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{}: repute {}: {}", self.name, words.join(" "), said.trim());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// A number of `repute status`.
    pub(super) fn status(&self, what: &str) -> Result<u64> {
        let status = self.ask(&["status"])?;
        let number = status.get(what).and_then(Value::as_u64);
        number.with_context(|| format!("status has no number {what}"))
    }

    /// Spreads a message.
    pub(super) fn publish(&self, topic: &str, text: &str) -> Result<()> {
        self.ask(&["publish", topic, text]).map(drop)
    }

    /// Hears a topic from now on.
    pub(super) fn subscribe(&self, topic: &str) -> Result<Ear> {
        Ear::open(self.command().args(["--json", "subscribe", topic]))
    }

    /// The ids of peers that have an active link.
    pub(super) fn linked(&self) -> Result<Vec<String>> {
        let peers = self.ask(&["peers"])?;
        let peers = peers.get("peers").and_then(Value::as_array);
        let active = peers.into_iter().flatten().filter(|peer| {
            let state = peer.get("state").and_then(Value::as_str);
            state == Some("active")
        });
        let id = |peer: &Value| Some(peer.get("id")?.as_str()?.to_owned());
        Ok(active.filter_map(id).collect())
    }
}

/// Waits until each of these has a link to every other, and says how many seconds that took.
pub(super) fn fully_linked(members: &[Member], limit: Duration) -> Result<f64> {
    let all = || {
        for member in members {
            let linked = member.linked()?;
            let others = members.iter().filter(|other| other.id() != member.id());
            if !others
                .into_iter()
                .all(|other| linked.iter().any(|id| id == other.id()))
            {
                return Ok(None);
            }
        }
        Ok(Some(()))
    };
    let ((), seconds) = until("every node is linked to every other", limit, all)?;
    Ok(seconds)
}

/// Tells that none of these holds anything against another, and that no task has panicked.
pub(super) fn at_peace(tale: &mut Tale, members: &[Member]) -> Result<()> {
    let (mut bans, mut accused, mut panics) = (0, 0, 0);
    for member in members {
        bans += member.status("bans")?;
        panics += member.status("panics")?;
        for other in members.iter().filter(|other| other.id() != member.id()) {
            let why = member.ask(&["explain", other.id()])?;
            let hard = why.get("hard").and_then(Value::as_f64);
            let gate = why.pointer("/standing/gate").and_then(Value::as_str);
            accused += u64::from(hard != Some(0.0) || gate != Some("open"));
        }
    }
    tale.counts("bans", bans, 0);
    tale.counts("honest nodes accused by honest ones", accused, 0);
    tale.counts("panics", panics, 0);
    Ok(())
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ended = process.kill();
            let _waited = process.wait();
        }
    }
}

/// Runs a command whose end must not be long in coming.
fn bounded(command: &mut Command) -> Result<Output> {
    let shown = format!("{command:?}");
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // Output is read beside: a full pipe would keep the child from its end.
    let mut out = child.stdout.take().context("its stdout")?;
    let mut err = child.stderr.take().context("its stderr")?;
    let out = thread::spawn(move || read_all(&mut out));
    let err = thread::spawn(move || read_all(&mut err));
    let ended = until("it has ended", ANSWER, || Ok(child.try_wait()?));
    let Ok((status, _)) = ended else {
        child.kill()?;
        child.wait()?;
        bail!("no end within {} s: {shown}", ANSWER.as_secs());
    };
    let text = |read: thread::JoinHandle<Vec<u8>>| read.join().unwrap_or_default();
    Ok(Output {
        status,
        stdout: text(out),
        stderr: text(err),
    })
}

fn read_all(pipe: &mut impl std::io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What was read before an error is what there is.
    let _read = pipe.read_to_end(&mut bytes);
    bytes
}
