//! What the API asks about files, in the node's words.

use std::path::PathBuf;

use repute_identity::NodeId;
use repute_node::{
    Amount, Checked, FetchOrder, FilesError, FilesStatus, Node, ShareOptions, Shared, SharedKind,
    Transfer, TransferEvent as News, TransferId, TransferOutcome, TransferProgress,
    TransferView as Known, VerifyReport, Wanted,
    blobs::{Choice, Grade, Left, PlanRow, Refusal, SeederProgress, StoreError, Stuck},
};
use repute_protocol::{BlobHash, BlobTicket};
use tokio::sync::mpsc;

use crate::{
    ControlError, DamageView, FetchRequest, Files, FilesView, FinishedView, PlanView, Problem,
    ProgressView, ReadView, SeederView, SeedingView, ShareEvent, ShareRequest, ShareView,
    SourceView, Stream, TransferEvent, TransferView, VerifyEvent, VerifyRequest, VerifyView,
    node::parse_id, time::rfc3339, view::shown,
};

type Answer<T> = Result<T, ControlError>;

pub(crate) fn files(status: FilesStatus) -> FilesView {
    let (served, waiting) = status.engine.served;
    FilesView {
        used_bytes: status.used_bytes,
        quota_bytes: status.quota_bytes,
        downloads: status.engine.downloads,
        requests_served: status.engine.requests_served,
        bytes_sent: status.engine.bytes_sent,
        bytes_received: status.engine.bytes_received,
        bytes_duplicate: status.engine.bytes_duplicate,
        groups_corrupt: status.engine.groups_corrupt,
        served,
        waiting,
    }
}

/// Lines that wait for a slow reader at most; the node coalesces what comes meanwhile.
const QUEUE: usize = 16;
/// Progress of reading is told after so many bytes, or after a 256th of all if that is more.
const STEP_MIN: u64 = 4 << 20;

impl Files for Node {
    async fn share(&self, request: ShareRequest) -> Answer<Stream<ShareEvent>> {
        let path = absolute(&request.path)?;
        let how = ShareOptions {
            reference: request.reference,
            name: request.name,
        };
        let (lines, stream) = mpsc::channel(QUEUE);
        let node = self.clone();
        tokio::spawn(async move {
            let progress = in_steps(lines.clone(), ShareEvent::Progress);
            let shared = tokio::select! {
                biased;
                () = lines.closed() => return,
                shared = node.share_with(&path, how, progress) => shared,
            };
            let last = match shared {
                Ok(shared) => ShareEvent::Shared(share_view(shared)),
                Err(error) => {
                    let mut problem = problem(&error);
                    let path = path.display().to_string();
                    if !problem.title.contains(&path) {
                        problem.title = format!("{}: {}", path.escape_debug(), problem.title);
                    }
                    ShareEvent::Failed { problem }
                }
            };
            // A reader that is gone needs no answer.
            let _told = lines.send(last).await;
        });
        Ok(stream)
    }

    async fn shares(&self) -> Answer<Vec<ShareView>> {
        let mut shared = self.shared().await.map_err(refused)?;
        shared.reverse();
        Ok(shared.into_iter().map(share_view).collect())
    }

    async fn unshare(&self, hash: String) -> Answer<()> {
        let was = Self::unshare(self, wanted(&hash)?.hash()).await;
        match was.map_err(refused)? {
            true => Ok(()),
            false => Err(ControlError::NotFound("this is not shared".into())),
        }
    }

    async fn verify(&self, request: VerifyRequest) -> Answer<Stream<VerifyEvent>> {
        let what = request.hash.as_deref().map(wanted).transpose()?;
        let what = what.map(|what| what.hash());
        let (lines, stream) = mpsc::channel(QUEUE);
        let node = self.clone();
        tokio::spawn(async move {
            let progress = in_steps(lines.clone(), VerifyEvent::Progress);
            let verified = tokio::select! {
                biased;
                () = lines.closed() => return,
                verified = Node::verify(&node, what, progress) => verified,
            };
            let last = match verified {
                Ok(report) => VerifyEvent::Verified(verify_view(report)),
                Err(error) => VerifyEvent::Failed {
                    problem: problem(&error),
                },
            };
            let _told = lines.send(last).await;
        });
        Ok(stream)
    }

    async fn fetch(&self, request: FetchRequest) -> Answer<Stream<TransferEvent>> {
        let order = order_of(request)?;
        let dry_run = order.choice.dry_run;
        let transfer = Self::fetch(self, order).await.map_err(refused)?;
        // A dry run is not kept: there is nothing to tell of it but its plan.
        let begun = match dry_run {
            true => None,
            false => transfer_view(self, transfer.id()).await?,
        };
        Ok(follow(begun, transfer))
    }

    async fn watch_transfer(&self, id: u64) -> Answer<Stream<TransferEvent>> {
        let id = TransferId(id);
        let transfer = self.transfer(id).await.map_err(refused)?;
        Ok(follow(transfer_view(self, id).await?, transfer))
    }

    async fn transfers(&self) -> Answer<Vec<TransferView>> {
        let transfers = Self::transfers(self).await.map_err(refused)?;
        Ok(transfers.into_iter().map(known_view).collect())
    }

    async fn pause_transfer(&self, id: u64) -> Answer<()> {
        self.pause(TransferId(id)).await.map_err(refused)
    }

    async fn resume_transfer(&self, id: u64) -> Answer<()> {
        self.resume(TransferId(id)).await.map_err(refused)
    }

    async fn cancel_transfer(&self, id: u64) -> Answer<()> {
        self.cancel(TransferId(id)).await.map_err(refused)
    }
}

/// The node does not know where its client stands.
fn absolute(path: &str) -> Answer<PathBuf> {
    let path = PathBuf::from(path);
    match path.is_absolute() {
        true => Ok(path),
        false => Err(ControlError::BadRequest(format!(
            "`{}` is a relative path: give an absolute one",
            path.display().to_string().escape_debug()
        ))),
    }
}

/// What a ticket or a hash means.
fn wanted(text: &str) -> Answer<Wanted> {
    let text = text.trim();
    if let Ok(hash) = text.parse::<BlobHash>() {
        return Ok(hash.into());
    }
    let begins = text.get(..BlobTicket::PREFIX.len());
    if !begins.is_some_and(|begins| begins.eq_ignore_ascii_case(BlobTicket::PREFIX)) {
        let problem = "neither a ticket for a file, which begins with \"reputeblob\", nor a hash, \
                       which has 52 characters";
        return Err(ControlError::BadRequest(problem.into()));
    }
    let ticket = text.parse::<BlobTicket>();
    let ticket = ticket.map_err(|error| ControlError::BadRequest(error.to_string()))?;
    Ok(ticket.into())
}

fn order_of(request: FetchRequest) -> Answer<FetchOrder> {
    let ids = |texts: Vec<String>| {
        let ids = texts.iter().map(|text| parse_id(text));
        ids.collect::<Answer<Vec<NodeId>>>()
    };
    Ok(FetchOrder {
        what: wanted(&request.what)?,
        output: request.output.as_deref().map(absolute).transpose()?,
        choice: Choice {
            only: ids(request.only)?,
            prefer: ids(request.prefer)?,
            grade_min: request.min_level.as_deref().map(grade_of).transpose()?,
            dry_run: request.dry_run,
        },
        keep: request.keep,
    })
}

const GRADES: [(Grade, &str); 6] = [
    (Grade::Distrusted, "distrusted"),
    (Grade::Unknown, "unknown"),
    (Grade::Low, "low"),
    (Grade::Medium, "medium"),
    (Grade::High, "high"),
    (Grade::Trusted, "trusted"),
];

fn grade_of(name: &str) -> Answer<Grade> {
    let mut grades = GRADES.iter();
    let found = grades.find(|(grade, known)| *known == name && *grade != Grade::Distrusted);
    found.map(|(grade, _)| *grade).ok_or_else(|| {
        ControlError::BadRequest(format!(
            "`{}` is no level to fetch from: use unknown, low, medium, high or trusted",
            name.escape_debug()
        ))
    })
}

fn grade_name(grade: Grade) -> String {
    let mut grades = GRADES.iter();
    let found = grades.find(|(known, _)| *known == grade);
    found.map_or("unknown", |(_, name)| name).into()
}

/// Tells how much was read, so rarely that nobody drowns in it.
fn in_steps<T: Send + 'static>(
    lines: mpsc::Sender<T>,
    event: fn(ReadView) -> T,
) -> impl FnMut(Amount) + Send + 'static {
    let mut next = 0;
    move |amount: Amount| {
        if amount.done < next {
            return;
        }
        next = amount.done.saturating_add(STEP_MIN.max(amount.total / 256));
        let (bytes, total) = (amount.done, amount.total);
        // Who is too slow for this one hears of a later one.
        drop(lines.try_send(event(ReadView { bytes, total })));
    }
}

/// Whose fault it is, in the API's words.
fn refused(error: FilesError) -> ControlError {
    refusal(&error)
}

fn problem(error: &FilesError) -> Problem {
    refusal(error).into()
}

fn refusal(error: &FilesError) -> ControlError {
    let text = error.to_string();
    match error {
        FilesError::Stopped | FilesError::Refused(Refusal::Stopping) => {
            ControlError::Unavailable(text)
        }
        FilesError::Unknown(_) | FilesError::Refused(Refusal::Unknown) => {
            ControlError::NotFound(text)
        }
        FilesError::NotDurable(_) => ControlError::NotDurable(text),
        FilesError::Lost(_) => ControlError::Storage(text),
        FilesError::Store(error) => store_refusal(error, text),
        // The limits of the node, and paths that are taken.
        _ => ControlError::Refused(text),
    }
}

fn store_refusal(error: &StoreError, text: String) -> ControlError {
    match error {
        StoreError::DiskFull(_) | StoreError::Quota { .. } => ControlError::NoRoom(text),
        StoreError::NotHere(_) => ControlError::NotFound(text),
        StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            ControlError::NotFound(text)
        }
        StoreError::Name { .. } => ControlError::BadRequest(text),
        StoreError::Io { .. }
        | StoreError::Damaged { .. }
        | StoreError::SourceChanged { .. }
        | StoreError::Locked(_)
        | StoreError::Foreign(_) => ControlError::Storage(text),
        _ => ControlError::Refused(text),
    }
}

fn kind_name(kind: SharedKind) -> String {
    match kind {
        SharedKind::File => "file",
        SharedKind::Folder => "folder",
    }
    .into()
}

fn share_view(shared: Shared) -> ShareView {
    ShareView {
        ticket: shared.ticket.to_string(),
        hash: shared.hash.to_string(),
        bytes: shared.bytes,
        name: shared.name,
        kind: kind_name(shared.kind),
        files: shared.files,
        reference: shared.reference,
        since: rfc3339(shared.since),
        trouble: shared.trouble,
    }
}

fn verify_view(report: VerifyReport) -> VerifyView {
    let damage = |one: Checked| DamageView {
        hash: one.hash.to_string(),
        bytes: one.bytes,
        wrong: one.wrong,
        problem: one.problem,
    };
    VerifyView {
        sound: report.is_sound(),
        blobs: report.blobs,
        bytes: report.bytes,
        damaged: report.wrong.into_iter().map(damage).collect(),
    }
}

/// How a transfer stands.
async fn transfer_view(node: &Node, id: TransferId) -> Answer<Option<TransferView>> {
    let transfers = Node::transfers(node).await.map_err(refused)?;
    let mut transfers = transfers.into_iter();
    Ok(transfers.find(|known| known.id == id).map(known_view))
}

fn known_view(known: Known) -> TransferView {
    TransferView {
        id: known.id.0,
        hash: known.hash.to_string(),
        name: known.name,
        state: known.state.name().into(),
        problem: known.trouble.as_deref().map(problem),
        output: known.output.map(|path| path.display().to_string()),
        keep: known.keep,
        since: rfc3339(known.since),
        progress: progress_view(known.progress),
    }
}

/// The news of a transfer, behind how it stands. It goes on when nobody reads them any more.
fn follow(begun: Option<TransferView>, mut transfer: Transfer) -> Stream<TransferEvent> {
    let (lines, stream) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        if let Some(begun) = begun
            && lines.send(TransferEvent::Begun(begun)).await.is_err()
        {
            return;
        }
        loop {
            let news = tokio::select! {
                biased;
                () = lines.closed() => return,
                news = transfer.next() => news,
            };
            let Some(news) = news else { return };
            if lines.send(event_of(news)).await.is_err() {
                return;
            }
        }
    });
    stream
}

fn event_of(news: News) -> TransferEvent {
    match news {
        News::Plan { rows } => TransferEvent::Plan(PlanView {
            seeders: rows.iter().map(seeder_view).collect(),
        }),
        News::Listed { files, bytes } => TransferEvent::Listed { files, bytes },
        News::Joined { peer } => TransferEvent::Joined {
            peer: peer.to_string(),
        },
        News::Left { peer, why } => {
            let (why, words) = left(why);
            TransferEvent::Left {
                peer: peer.to_string(),
                why: why.into(),
                words,
            }
        }
        News::Stuck { why } => {
            let (why, words) = stuck(why);
            TransferEvent::Stuck {
                why: why.into(),
                words: words.into(),
            }
        }
        News::Paused { trouble } => TransferEvent::Paused {
            problem: trouble.as_deref().map(problem),
        },
        News::Resumed => TransferEvent::Resumed,
        News::Progress(progress) => TransferEvent::Progress(progress_view(*progress)),
        News::Finishing => TransferEvent::Finishing,
        News::Finished(outcome) => TransferEvent::Finished(finished_view(*outcome)),
        News::Failed { error } => TransferEvent::Failed {
            problem: problem(&error),
        },
        News::Cancelled => TransferEvent::Cancelled,
        News::Stopped => TransferEvent::Stopped,
        _ => TransferEvent::Other,
    }
}

fn seeder_view(row: &PlanRow) -> SeederView {
    SeederView {
        id: row.peer.to_string(),
        place: row.place,
        level: row.grade.map(grade_name),
        score: shown(row.score),
        uncertainty: shown(row.uncertainty),
        groups: row.groups,
        tier: row.tier.name().into(),
        slots_free: row.slots_free,
        chosen: row.verdict.is_chosen(),
        verdict: row.verdict.name().into(),
        why: row.verdict.why().into(),
    }
}

fn left(why: Left) -> (&'static str, String) {
    let (name, words) = match why {
        Left::Corrupt => ("corrupt", "sent what does not match the hash"),
        Left::Stalled => ("stalled", "sent nothing for too long"),
        Left::Lost => ("lost", "its link is gone"),
        Left::Busy => ("busy", "has no time now and calls when it has"),
        Left::Refused(reason) => {
            return ("refused", format!("does not serve: {}", reason.name()));
        }
        Left::NothingNeeded => ("nothing-needed", "has nothing more that is needed"),
        Left::Replaced => ("replaced", "somebody better takes its place"),
        Left::Closed => ("closed", "a gate closed"),
        _ => ("other", "for another reason"),
    };
    (name, words.into())
}

fn stuck(why: Stuck) -> (&'static str, &'static str) {
    match why {
        Stuck::NobodyFound => ("nobody-found", "nobody who has it was found yet"),
        Stuck::NobodyHasTheRest => (
            "nobody-has-the-rest",
            "nobody who may be fetched from has what is missing",
        ),
        _ => ("other", "for another reason"),
    }
}

fn progress_view(progress: TransferProgress) -> ProgressView {
    let seeding = |one: SeederProgress| SeedingView {
        id: one.peer.to_string(),
        bytes: one.bytes,
        rate: one.rate,
        asked: one.asked,
        active: one.active,
        place: one.place,
        slow: one.slow,
    };
    let ms = |left: std::time::Duration| u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    ProgressView {
        bytes: progress.bytes,
        total: progress.total,
        rate: progress.rate,
        left_ms: progress.left.map(ms),
        wasted: progress.wasted,
        files_done: progress.files_done,
        files: progress.files,
        seeders: progress.seeders.into_iter().map(seeding).collect(),
    }
}

fn finished_view(outcome: TransferOutcome) -> FinishedView {
    let source = |(peer, bytes): (NodeId, u64)| SourceView {
        id: peer.to_string(),
        bytes,
    };
    FinishedView {
        hash: outcome.hash.to_string(),
        kind: kind_name(outcome.kind),
        bytes: outcome.bytes,
        files: outcome.files,
        seconds: (outcome.took.as_secs_f64() * 1e3).round() / 1e3,
        wasted: outcome.wasted,
        sources: outcome.seeders.into_iter().map(source).collect(),
        output: outcome.output.map(|path| path.display().to_string()),
    }
}
