//! A file, some honest seeders, two bad ones, and one who gets it.

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use repute_base::BoundedVec;
use repute_identity::{Identity, NodeId};
use repute_node::{
    FetchOrder, FilesError, Node, ShareOptions, Shared, Transfer, TransferEvent, TransferOutcome,
    TransferProgress,
    blobs::{Left, PlanRow, tree_of},
};
use repute_protocol::NetworkId;
use serde::Serialize;
use tokio::{task::JoinHandle, time::Instant};

use super::seeder::{BadSeeder, Fault, Whole};
use crate::{
    exit::{Exit, Failure},
    show::{bytes, short},
};

/// How large the file is.
const FILE_BYTES: usize = 64 << 20;
/// Honest seeders at most: the two bad ones should be noticed.
const SEEDERS_MAX: usize = 3;

/// How long after the end a judgement may take.
const JUDGED_AFTER: Duration = Duration::from_secs(5);

/// One download, as far as it has come.
pub(super) struct Download {
    content: Bytes,
    output: PathBuf,
    getter: Node,
    bad: Vec<BadSeeder>,
    log: Arc<Mutex<Log>>,
    task: JoinHandle<()>,
}

/// What was heard of it.
#[derive(Default)]
struct Log {
    plan: Vec<PlanRow>,
    progress: Option<TransferProgress>,
    /// Why each was fetched from no longer, the first time.
    left: BTreeMap<NodeId, Left>,
    outcome: Option<(TransferOutcome, Instant)>,
    failed: Option<String>,
}

/// What came of it, for the verdict.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct DownloadVerdict {
    bytes: u64,
    seconds: f64,
    /// Who delivered, most first.
    sources: Vec<Source>,
    corrupt_seeder_banned: bool,
    /// Whether what came is what was shared, byte for byte.
    verified: bool,
    /// Who was found, best first, and why each was chosen or not.
    seeders: Vec<Seeder>,
    /// Bytes that came in vain.
    wasted: u64,
    #[serde(skip)]
    pub(super) ok: bool,
    #[serde(skip)]
    pub(super) over: bool,
    #[serde(skip)]
    failed: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Source {
    id: String,
    bytes: u64,
    level: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Seeder {
    id: String,
    role: &'static str,
    place: Option<usize>,
    level: &'static str,
    score: f64,
    uncertainty: f64,
    verdict: &'static str,
    why: &'static str,
    /// Requests that a bad one took.
    asked: Option<u64>,
    /// Whether it had to go.
    caught: bool,
}

fn failed(error: &FilesError) -> Failure {
    Failure::new(Exit::Failure, error.to_string())
}

/// Bytes that look like chance, and are the same for the same seed.
fn content(seed: u64) -> Bytes {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    let mut bytes = Vec::with_capacity(FILE_BYTES);
    while bytes.len() < FILE_BYTES {
        // Xorshift: nobody has to be surprised by it, but every group is another.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.into()
}

/// Does what waits for the disk or the processor where nothing else waits for it.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)?
}

/// Makes the file.
async fn write(path: PathBuf, seed: u64) -> io::Result<Whole> {
    off_the_runtime(move || {
        let bytes = content(seed);
        fs::write(path, &bytes)?;
        let (hash, tree) = tree_of(&bytes);
        Ok(Whole {
            hash,
            bytes,
            tree: tree.into(),
        })
    })
    .await
}

impl Download {
    /// Shares a file from all nodes but the last, as many as are needed, lets two bad seeders in,
    /// and begins to get it at the last node.
    pub(super) async fn begin(
        nodes: &[&Node],
        bad: [Identity; 2],
        network: NetworkId,
        dir: PathBuf,
        seed: u64,
    ) -> Result<Self, Failure> {
        let Some((getter, others)) = nodes.split_last() else {
            return Err(Failure::new(Exit::Failure, "the demo has no nodes"));
        };
        let file = dir.join("demo.bin");
        let whole = write(file.clone(), seed).await?;
        let mut shared: Vec<Shared> = Vec::new();
        for node in others.iter().take(SEEDERS_MAX) {
            let how = ShareOptions {
                reference: true,
                name: None,
            };
            shared.push(
                node.share(&file, how)
                    .await
                    .map_err(|error| failed(&error))?,
            );
        }
        let mut seeders = Vec::new();
        for (fault, identity) in [Fault::Corrupts, Fault::Stalls].into_iter().zip(&bad) {
            let seeder = BadSeeder::start(fault, identity, network, whole.clone()).await;
            seeders.push(seeder?);
        }
        let Some(mut ticket) = shared.first().map(|shared| shared.ticket.clone()) else {
            return Err(Failure::new(Exit::Failure, "nobody shares the file"));
        };
        // Whoever wrote the ticket praises the bad ones; the honest ones beyond are to be found.
        let praised = seeders.iter().map(BadSeeder::contact);
        ticket.peers = BoundedVec::truncated(praised.chain(ticket.peers.into_vec()));
        let output = dir.join("got.bin");
        let order = FetchOrder::new(ticket).to(&output);
        let transfer = getter.fetch(order).await.map_err(|error| failed(&error))?;
        let log = Arc::new(Mutex::new(Log::default()));
        let task = tokio::spawn(listen(transfer, Arc::clone(&log)));
        Ok(Self {
            content: whole.bytes,
            output,
            getter: (*getter).clone(),
            bad: seeders,
            log,
            task,
        })
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far it is, and how it goes with each seeder.
    pub(super) fn lines(&self) -> Vec<String> {
        let log = self.log();
        let Some(progress) = &log.progress else {
            return vec!["get: looking for seeders".into()];
        };
        let total = progress.total.unwrap_or(FILE_BYTES as u64);
        let mut lines = vec![format!(
            "get: {} of {}, {}/s",
            bytes(progress.bytes),
            bytes(total),
            bytes(progress.rate)
        )];
        let line = |peer: NodeId, came: u64, why: &str| {
            let left = log.left.get(&peer).map_or_else(String::new, |why| {
                format!("; left: {}", format!("{why:?}").to_lowercase())
            });
            let (role, came) = (self.role(peer), bytes(came));
            format!("{:<10} {role:<8} {came:>10}  {why}{left}", peer.short())
        };
        for row in &log.plan {
            let seeding = progress.seeders.iter().find(|one| one.peer == row.peer);
            let came = seeding.map_or(0, |one| one.bytes);
            let why = format!("{}: {}", row.verdict.name(), row.verdict.why());
            lines.push(line(row.peer, came, &why));
        }
        let planned = |peer: NodeId| log.plan.iter().any(|row| row.peer == peer);
        let later = progress.seeders.iter().filter(|one| !planned(one.peer));
        lines.extend(later.map(|one| line(one.peer, one.bytes, "found later")));
        lines
    }

    fn bad(&self, peer: NodeId) -> Option<&BadSeeder> {
        self.bad.iter().find(|one| one.id == peer)
    }

    fn role(&self, peer: NodeId) -> &'static str {
        self.bad(peer).map_or("honest", |one| one.fault.name())
    }

    /// Judges what has happened so far.
    pub(super) async fn verdict(&self) -> Result<DownloadVerdict, Failure> {
        let (plan, left, outcome, gone_wrong) = {
            let log = self.log();
            (
                log.plan.clone(),
                log.left.clone(),
                log.outcome.clone(),
                log.failed.clone(),
            )
        };
        let bans = self.getter.bans().await?;
        let corrupter = self.bad.iter().find(|one| one.fault == Fault::Corrupts);
        let mut verdict = DownloadVerdict {
            corrupt_seeder_banned: corrupter
                .is_some_and(|one| bans.iter().any(|ban| ban.subject == one.id)),
            failed: gone_wrong,
            ..DownloadVerdict::default()
        };
        for row in &plan {
            let level = self.getter.standing(row.peer).await?.level.name();
            verdict.seeders.push(Seeder {
                id: row.peer.to_string(),
                role: self.role(row.peer),
                place: row.place,
                level,
                score: rounded(row.score.to_f64()),
                uncertainty: rounded(row.uncertainty.to_f64()),
                verdict: row.verdict.name(),
                why: row.verdict.why(),
                asked: self.bad(row.peer).map(BadSeeder::asked),
                caught: left
                    .get(&row.peer)
                    .is_some_and(|why| matches!(why, Left::Corrupt | Left::Stalled)),
            });
        }
        let Some((outcome, ended)) = outcome else {
            verdict.over = verdict.failed.is_some();
            return Ok(verdict);
        };
        for (peer, count) in &outcome.seeders {
            verdict.sources.push(Source {
                id: peer.to_string(),
                bytes: *count,
                level: self.getter.standing(*peer).await?.level.name(),
            });
        }
        verdict.bytes = outcome.bytes;
        verdict.seconds = rounded(outcome.took.as_secs_f64());
        verdict.wasted = outcome.wasted;
        verdict.verified = self.is_the_same().await?;
        // A bad one that nobody asked proves nothing.
        let tried = self.bad.iter().all(|one| one.asked() > 0);
        verdict.ok = verdict.verified && verdict.corrupt_seeder_banned && tried;
        // What was found out at the end is judged a moment later.
        verdict.over = verdict.ok || ended.elapsed() >= JUDGED_AFTER;
        Ok(verdict)
    }

    async fn is_the_same(&self) -> Result<bool, Failure> {
        let (output, content) = (self.output.clone(), self.content.clone());
        Ok(off_the_runtime(move || Ok(fs::read(output)? == content)).await?)
    }

    pub(super) fn stop(&self) {
        self.task.abort();
        self.bad.iter().for_each(BadSeeder::stop);
    }
}

/// Six digits are enough for people.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

async fn listen(mut transfer: Transfer, log: Arc<Mutex<Log>>) {
    while let Some(event) = transfer.next().await {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            TransferEvent::Plan { rows } => log.plan = rows,
            TransferEvent::Progress(progress) => log.progress = Some(*progress),
            TransferEvent::Left { peer, why } => {
                log.left.entry(peer).or_insert(why);
            }
            TransferEvent::Finished(outcome) => log.outcome = Some((*outcome, Instant::now())),
            TransferEvent::Failed { error } => log.failed = Some(error.to_string()),
            TransferEvent::Paused {
                trouble: Some(error),
            } => log.failed = Some(error.to_string()),
            _ => {}
        }
    }
}

impl DownloadVerdict {
    /// What holds, and in words.
    pub(super) fn in_words(&self) -> (bool, String) {
        if let Some(failed) = &self.failed {
            return (false, format!("the file did not come: {failed}"));
        }
        let sources = self.sources.iter();
        let sources: Vec<String> = sources
            .map(|one| format!("{} {}", short(&one.id), bytes(one.bytes)))
            .collect();
        let mut text = format!(
            "{} came in {:.1} s, {}, from {}",
            bytes(self.bytes),
            self.seconds,
            match self.verified {
                true => "verified",
                false => "NOT what was shared",
            },
            sources.join(", ")
        );
        for one in &self.seeders {
            let asked = one.asked.map_or_else(String::new, |asked| {
                let caught = if one.caught { ", caught" } else { "" };
                format!("; asked {asked}{caught}")
            });
            text.push_str(&format!(
                "\n    {} {:<8} {:<7}  {}: {}{asked}",
                short(&one.id),
                one.role,
                one.level,
                one.verdict,
                one.why
            ));
        }
        let banned = match self.corrupt_seeder_banned {
            true => "banned",
            false => "NOT banned",
        };
        text.push_str(&format!("\n    the one that corrupts is {banned}"));
        (self.ok, text)
    }
}
