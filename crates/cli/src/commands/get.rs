//! `repute get`: fetch from the best of those who have it.

mod place;
mod table;
mod watch;

use std::time::Duration;

use repute_console::{Client, FetchRequest, Lines, PlanView, TransferEvent};
use repute_protocol::BlobTicket;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::Instant,
};
use watch::Watch;

use super::{
    ask::full_id,
    client,
    files::{failed, for_the_node, stopped},
};
use crate::{
    args::{Get, Global},
    exit::{Exit, Failure},
    print::{print, print_json},
    show::{bytes, escaped},
};

type Done = Result<(), Failure>;

/// How long the reason is looked for why nobody is fetched from.
const REASON_MAX: Duration = Duration::from_secs(12);

pub(super) async fn run(global: &Global, args: Get) -> Done {
    let ticket = args.what.parse::<BlobTicket>().ok();
    let size = ticket.as_ref().map(|ticket| ticket.size);
    let request = request(global, &args, ticket.as_ref()).await?;
    let client = client(global)?;
    // Before anything begins: from here on Ctrl-C pauses.
    let interrupt = signal(SignalKind::interrupt())?;
    if args.dry_run {
        return dry_run(global, &client, &request, size, args.timeout).await;
    }
    let lines = client.fetch(&request).await?;
    let following = Following {
        client,
        request,
        size,
        patience: Duration::from_secs(args.timeout),
        watch: Watch::new(global.json, args.quiet),
        idle: Idle::begin(),
        id: None,
        bytes: 0,
    };
    following.run(lines, interrupt, args.quiet).await
}

async fn request(
    global: &Global,
    args: &Get,
    ticket: Option<&BlobTicket>,
) -> Result<FetchRequest, Failure> {
    let output = match args.dry_run {
        true => None,
        false => {
            let place = place::choose(&args.what, ticket, args.output.as_deref())?;
            Some(for_the_node(&place)?)
        }
    };
    let mut request = FetchRequest {
        what: args.what.clone(),
        output,
        min_level: args.min_level.clone(),
        dry_run: args.dry_run,
        keep: !args.no_share,
        ..FetchRequest::default()
    };
    for (given, wanted) in [
        (&args.from, &mut request.only),
        (&args.prefer, &mut request.prefer),
    ] {
        for id in given {
            wanted.push(full_id(global, id).await?);
        }
    }
    Ok(request)
}

async fn dry_run(
    global: &Global,
    client: &Client,
    request: &FetchRequest,
    size: Option<u64>,
    seconds: u64,
) -> Done {
    let plan = plan(client, request, Duration::from_secs(seconds)).await?;
    if global.json {
        print_json(&TransferEvent::Plan(plan.clone()))?;
    } else if !plan.seeders.is_empty() {
        print(&table::text(&plan, size))?;
    }
    match plan.seeders.iter().any(|one| one.chosen) {
        true => Ok(()),
        false => Err(nobody(&plan, seconds)),
    }
}

/// Who would be fetched from; nobody if that was not known in time.
async fn plan(
    client: &Client,
    request: &FetchRequest,
    limit: Duration,
) -> Result<PlanView, Failure> {
    let request = FetchRequest {
        dry_run: true,
        output: None,
        ..request.clone()
    };
    let asked = async {
        let mut lines = client.fetch(&request).await?;
        loop {
            match lines.next().await? {
                Some(TransferEvent::Plan(plan)) => return Ok(plan),
                Some(TransferEvent::Failed { problem }) => return Err(failed(problem)),
                Some(_) => {}
                None => return Err(stopped()),
            }
        }
    };
    let nobody = PlanView {
        seeders: Vec::new(),
    };
    let asked = tokio::time::timeout(limit, asked).await;
    asked.unwrap_or(Ok(nobody))
}

/// Why nobody is fetched from: nobody has it, or nobody may.
fn nobody(plan: &PlanView, seconds: u64) -> Failure {
    const REFUSED: [&str; 5] = ["excluded", "closed", "below-grade", "other-size", "corrupt"];
    let verdict = |one: &repute_console::SeederView| REFUSED.contains(&one.verdict.as_str());
    match plan.seeders.iter().filter(|one| verdict(one)).count() {
        0 => Failure::new(
            Exit::NotFound,
            format!(
                "nobody who has it was found within {seconds} s: try later, or ask for a fresh ticket"
            ),
        ),
        count => Failure::new(
            Exit::Refused,
            format!(
                "none of the {count} who may have it may be fetched from: see --dry-run for why"
            ),
        ),
    }
}

/// Since when nobody is there to fetch from.
struct Idle {
    since: Option<Instant>,
    active: std::collections::BTreeSet<String>,
    /// Who calls when it has time for us.
    busy: std::collections::BTreeSet<String>,
}

impl Idle {
    fn begin() -> Self {
        Self {
            since: Some(Instant::now()),
            active: std::collections::BTreeSet::new(),
            busy: std::collections::BTreeSet::new(),
        }
    }

    fn hear(&mut self, event: &TransferEvent) {
        match event {
            TransferEvent::Joined { peer } => {
                self.busy.remove(peer);
                self.active.insert(peer.clone());
            }
            TransferEvent::Left { peer, why, .. } => {
                self.active.remove(peer);
                if why == "busy" {
                    self.busy.insert(peer.clone());
                }
            }
            TransferEvent::Progress(progress) => {
                let active = progress.seeders.iter().filter(|one| one.active);
                self.active = active.map(|one| one.id.clone()).collect();
            }
            TransferEvent::Stuck { .. } => {
                self.active.clear();
                self.busy.clear();
            }
            TransferEvent::Resumed => self.since = Some(Instant::now()),
            TransferEvent::Paused { .. } | TransferEvent::Finishing => {
                self.since = None;
                return;
            }
            _ => return,
        }
        match self.active.is_empty() && self.busy.is_empty() {
            true => {
                self.since.get_or_insert_with(Instant::now);
            }
            false => self.since = None,
        }
    }
}

/// A transfer that is shown until it ends.
struct Following {
    client: Client,
    request: FetchRequest,
    size: Option<u64>,
    patience: Duration,
    watch: Watch,
    idle: Idle,
    id: Option<u64>,
    /// Bytes that are here.
    bytes: u64,
}

impl Following {
    async fn run(
        mut self,
        mut lines: Lines<TransferEvent>,
        mut interrupt: Signal,
        quiet: bool,
    ) -> Done {
        loop {
            let deadline = self.idle.since.map(|since| since + self.patience);
            let patience = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            let event = tokio::select! {
                biased;
                _ = interrupt.recv() => return self.interrupted().await,
                event = lines.next() => event?,
                () = patience => return self.given_up().await,
            };
            let Some(event) = event else {
                return Err(stopped());
            };
            self.hear(&event)?;
            if let Some(ended) = self.ended(event, quiet) {
                return ended;
            }
        }
    }

    fn hear(&mut self, event: &TransferEvent) -> Done {
        self.idle.hear(event);
        match event {
            TransferEvent::Begun(view) => {
                self.id = Some(view.id);
                self.bytes = view.progress.bytes;
            }
            TransferEvent::Progress(progress) => self.bytes = progress.bytes,
            _ => {}
        }
        self.watch.show(event, self.size)
    }

    /// How the command ends with this event, if it does.
    fn ended(&mut self, event: TransferEvent, quiet: bool) -> Option<Done> {
        let again = "the same command again goes on";
        Some(match event {
            TransferEvent::Finished(view) => {
                self.watch.end();
                let path = view.output.as_deref().unwrap_or_default();
                match (self.watch.is_json(), quiet) {
                    (true, _) => Ok(()),
                    (false, _) => print(&format!("{}\n", escaped(path))),
                }
            }
            TransferEvent::Failed { problem } => {
                self.watch.end();
                Err(failed(problem))
            }
            TransferEvent::Paused {
                problem: Some(problem),
            } => {
                self.watch.end();
                let mut failure = failed(problem);
                failure.message = format!("{}; it is paused: {again}", failure.message);
                Err(failure)
            }
            TransferEvent::Cancelled => {
                self.watch.end();
                Err(Failure::new(Exit::Failure, "it was cancelled"))
            }
            TransferEvent::Stopped => {
                self.watch.end();
                let message = format!("the node stops; it goes on when the node does, and {again}");
                Err(Failure::new(Exit::Failure, message))
            }
            _ => return None,
        })
    }

    /// Ctrl-C: what has come is kept.
    async fn interrupted(mut self) -> Done {
        self.watch.end();
        let said = match self.id {
            Some(id) => {
                self.client.pause_transfer(id).await?;
                let here = bytes(self.bytes);
                format!("paused with {here} here: the same command again goes on")
            }
            None => "interrupted before anything began".into(),
        };
        Err(Failure::new(Exit::Interrupted, said))
    }

    /// Nobody is there to fetch from: says why, as far as that is known.
    async fn given_up(mut self) -> Done {
        self.watch.end();
        let said = match self.id {
            // Nothing would be lost, and a wrong hash would wait forever.
            Some(id) if self.bytes == 0 => {
                self.client.cancel_transfer(id).await?;
                ""
            }
            Some(id) => {
                self.client.pause_transfer(id).await?;
                "; it is paused: the same command again goes on"
            }
            None => "",
        };
        let plan = plan(&self.client, &self.request, REASON_MAX).await?;
        let shown = TransferEvent::Plan(plan.clone());
        self.watch.show(&shown, self.size)?;
        let mut failure = nobody(&plan, self.patience.as_secs());
        failure.message.push_str(said);
        Err(failure)
    }
}
