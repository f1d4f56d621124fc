use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// How long subscribing may take.
const OPEN: Duration = Duration::from_secs(20);

/// A running `repute subscribe`, and what it has printed. It is killed when this is dropped.
pub(super) struct Ear {
    process: Child,
    lines: Receiver<String>,
    /// How often each text was heard.
    heard: BTreeMap<String, u64>,
}

impl Ear {
    /// Starts the command; it has subscribed when this returns.
    pub(super) fn open(command: &mut Command) -> Result<Self> {
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let lines = lines_of(process.stdout.take().context("its stdout")?);
        let notices = lines_of(process.stderr.take().context("its stderr")?);
        let ear = Self {
            process,
            lines,
            heard: BTreeMap::new(),
        };
        match notices.recv_timeout(OPEN) {
            Ok(notice) if notice.starts_with("listening on") => Ok(ear),
            Ok(notice) => bail!("it did not subscribe: {notice}"),
            Err(_) => bail!("it did not subscribe within {} s", OPEN.as_secs()),
        }
    }

    /// Listens until all of these were heard, or the time is over; says how many were.
    pub(super) fn hear(&mut self, texts: &[String], limit: Duration) -> Result<usize> {
        let deadline = Instant::now() + limit;
        loop {
            let count = texts.iter().filter(|text| self.has_heard(text)).count();
            if count == texts.len() {
                return Ok(count);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.note(&line)?,
                Err(RecvTimeoutError::Timeout) => return Ok(count),
                Err(RecvTimeoutError::Disconnected) => bail!("the subscription has ended"),
            }
        }
    }

    /// Takes in what has come so far.
    pub(super) fn listen(&mut self) -> Result<()> {
        while let Ok(line) = self.lines.try_recv() {
            self.note(&line)?;
        }
        Ok(())
    }

    /// Whether this text was among what was listened to so far.
    pub(super) fn has_heard(&self, text: &str) -> bool {
        self.heard.contains_key(text)
    }

    /// Texts heard more than once.
    pub(super) fn repeated(&self) -> u64 {
        self.heard.values().map(|times| times - 1).sum()
    }

    fn note(&mut self, line: &str) -> Result<()> {
        let message: Value = serde_json::from_str(line)?;
        let text = message.get("text").and_then(Value::as_str);
        let text = text.context("a message without a text")?;
        *self.heard.entry(text.to_owned()).or_default() += 1;
        Ok(())
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.process.kill();
        let _waited = self.process.wait();
    }
}

fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
