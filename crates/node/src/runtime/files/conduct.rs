//! A transfer from its order to its end: what is fetched, what is waited for, where it is put.
//!
//! Each transfer has a task, which reads like what it does. Whatever goes wrong here, and not with
//! peers, makes it wait with the reason until it is resumed; then it goes on with what is durable.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use repute_base::BoundedVec;
use repute_blobs::{
    BlobState, Collection, DownloadId, ExportMode, GroupRanges, ImportMode, Input, Order, Progress,
    Refusal, Store, StoreError, Tag,
};
use repute_protocol::{BlobHash, Contact, groups_of};
use tokio::{sync::watch, task::JoinSet};

use super::{
    FilesError, SharedKind, TransferEvent, TransferOutcome, TransferState,
    cell::{Cell, Wish},
    library::Library,
    sink::Sink,
    tap::{Outcome, Tap},
    workers::Kind,
};

/// Files of one folder that are fetched at once: small ones take longer to be asked for than to come.
const FILES_AT_ONCE: usize = 24;

/// Why a transfer ends before all is here.
pub(super) enum Ended {
    Cancelled,
    Stopped,
    Failed(FilesError),
}

/// What a file of a transfer is.
#[derive(Clone)]
struct Wanted {
    hash: BlobHash,
    size: Option<u64>,
    peers: Vec<Contact>,
    /// Whether it is one of the files of a folder.
    is_listed: bool,
}

/// The name under which a transfer's blobs are kept from the clean-up.
pub(super) fn tag_of(id: super::TransferId) -> String {
    format!("{}{id}", super::sharing::FETCH)
}

/// Sees a transfer through to its end.
pub(super) async fn run(library: Arc<Library>, cell: Arc<Cell>) {
    let ended = if cell.order.choice.dry_run {
        library.plan(&cell).await
    } else {
        library.conduct(&cell).await
    };
    let stopped = matches!(ended, Err(Ended::Stopped));
    let (stage, event) = match ended {
        Ok(outcome) => {
            let event = outcome.map(|outcome| TransferEvent::Finished(Box::new(outcome)));
            (TransferState::Finished, event)
        }
        Err(Ended::Cancelled) => (TransferState::Cancelled, Some(TransferEvent::Cancelled)),
        Err(Ended::Stopped) => (TransferState::Paused, Some(TransferEvent::Stopped)),
        Err(Ended::Failed(error)) => {
            let error = Arc::new(error);
            (TransferState::Failed, Some(TransferEvent::Failed { error }))
        }
    };
    if !stopped && let Some(slot) = cell.slot {
        library.let_go(&cell, slot).await;
    }
    let view = event.map(|event| cell.end(stage, &event));
    cell.close();
    let shown = view.filter(|_| cell.slot.is_some());
    library.cells().ended(cell.id(), shown);
    if stage == TransferState::Cancelled || stage == TransferState::Finished && !cell.order.keep {
        library.clean().await;
    }
}

impl Library {
    /// Finds and ranks, and fetches nothing.
    async fn plan(&self, cell: &Arc<Cell>) -> Result<Option<TransferOutcome>, Ended> {
        let store = self.store().map_err(Ended::Failed)?;
        let hash = cell.order.hash;
        let sink = Arc::new(Sink::new(hash, store, Arc::clone(self.workers()), false));
        let id = self.next_download();
        self.listen(&Arc::new(Tap::new(id, Arc::clone(cell), sink)));
        let mut news = cell.listen();
        self.say(Input::Download(Box::new(self.order(cell, id, None))))
            .await;
        let mut wish = cell.watch();
        let ended = loop {
            tokio::select! {
                biased;
                event = news.next() => match event {
                    Some(TransferEvent::Plan { .. }) => break Ok(None),
                    Some(_) => {}
                    None => break Err(Ended::Stopped),
                },
                changed = wish.changed() => {
                    if changed.is_err() || !matches!(*wish.borrow(), Wish::Go) {
                        self.say(Input::Cancel { id }).await;
                        break Err(Ended::Cancelled);
                    }
                }
            }
        };
        self.forget(id);
        ended
    }

    fn order(&self, cell: &Cell, id: DownloadId, wanted: Option<(&Wanted, GroupRanges)>) -> Order {
        let order = &cell.order;
        let (hash, size, peers, verified) = match wanted {
            Some((wanted, verified)) => (wanted.hash, wanted.size, wanted.peers.clone(), verified),
            None => (
                order.hash,
                order.size,
                order.peers.clone(),
                GroupRanges::new(),
            ),
        };
        Order {
            id,
            hash,
            size,
            verified,
            peers,
            choice: order.choice.clone(),
        }
    }

    async fn conduct(self: &Arc<Self>, cell: &Arc<Cell>) -> Result<Option<TransferOutcome>, Ended> {
        let wanted = Wanted {
            hash: cell.order.hash,
            size: cell.order.size,
            peers: cell.order.peers.clone(),
            is_listed: false,
        };
        let size = self.fetch(cell, &wanted).await?;
        let hash = cell.order.hash;
        let listed = self
            .insist(cell, move |store| match store.blob(&hash)?.collection() {
                Ok(collection) => Ok(Some(collection)),
                Err(StoreError::NoCollection { .. }) => Ok(None),
                Err(error) => Err(error),
            })
            .await?;
        match &listed {
            Some(collection) => self.fetch_files(cell, collection).await?,
            None => cell.file_done(size),
        }
        cell.finishing();
        self.place(cell, size, listed.as_ref()).await?;
        Ok(Some(cell.outcome(cell.order.output.clone())))
    }

    /// Fetches what a folder lists, several at once.
    async fn fetch_files(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        collection: &Collection,
    ) -> Result<(), Ended> {
        let count = u32::try_from(collection.entries().len()).unwrap_or(u32::MAX);
        cell.listed(count, collection.total_bytes());
        // Whoever had the list has the files, in all likelihood.
        let mut peers = cell.order.peers.clone();
        for id in cell.seeders() {
            if !peers.iter().any(|peer| peer.id == id) {
                let addresses = BoundedVec::default();
                peers.push(Contact { id, addresses });
            }
        }
        // A file may be there under several names.
        let mut files: BTreeMap<BlobHash, (u64, u32)> = BTreeMap::new();
        for entry in collection.entries() {
            files.entry(entry.hash).or_insert((entry.size, 0)).1 += 1;
        }
        let mut files = files.into_iter();
        let mut under_way = JoinSet::new();
        let mut result = Ok(());
        loop {
            while result.is_ok() && under_way.len() < FILES_AT_ONCE {
                let Some((hash, (size, names))) = files.next() else {
                    break;
                };
                let (library, cell) = (Arc::clone(self), Arc::clone(cell));
                let wanted = Wanted {
                    hash,
                    size: Some(size),
                    peers: peers.clone(),
                    is_listed: true,
                };
                under_way.spawn(async move {
                    library.fetch(&cell, &wanted).await?;
                    (0..names).for_each(|_| cell.file_done(size));
                    Ok(())
                });
            }
            match under_way.join_next().await {
                Some(Ok(Ok(()))) => {}
                // The others see the same wish.
                Some(Ok(Err(ended))) => result = result.and(Err(ended)),
                Some(Err(_)) => {
                    let lost = FilesError::Lost("a task panicked");
                    result = result.and(Err(Ended::Failed(lost)));
                    cell.set(Wish::Cancel);
                }
                None => return result,
            }
        }
    }

    /// Fetches one blob, over pauses and troubles, until it is whole. Gives its size.
    async fn fetch(self: &Arc<Self>, cell: &Arc<Cell>, wanted: &Wanted) -> Result<u64, Ended> {
        if !wanted.is_listed {
            self.survey(cell, wanted).await;
        }
        loop {
            until_go(cell).await?;
            match self.attempt(cell, wanted).await {
                Ok(Some(size)) => return Ok(size),
                Ok(None) => {}
                Err(Ended::Failed(FilesError::Stopped)) => return Err(Ended::Stopped),
                Err(Ended::Failed(error)) if is_trouble(&error) => wait(cell, error),
                Err(ended) => return Err(ended),
            }
        }
    }

    /// Shows how much of a paused transfer is here.
    async fn survey(&self, cell: &Cell, wanted: &Wanted) {
        let Ok(store) = self.store() else { return };
        let hash = wanted.hash;
        let found = move || match store.state(&hash) {
            Some(found) if matches!(found.state, BlobState::Partial { .. }) => {
                let durable = store.fetch(&hash, found.size).ok()?.durable();
                Some((found.size, durable))
            }
            _ => None,
        };
        if let Ok(Some((size, durable))) = self.workers().run(Kind::Short, found).await {
            cell.progress(standing_at(DownloadId(0), hash, size, &durable));
        }
    }

    /// One download of the engine, until it is whole, or somebody or something stops it.
    async fn attempt(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        wanted: &Wanted,
    ) -> Result<Option<u64>, Ended> {
        let mut wish = cell.watch();
        let store = self.store().map_err(Ended::Failed)?;
        let hash = wanted.hash;
        let looks = self.workers().run(Kind::Short, {
            let store = store.clone();
            move || look(&store, &hash)
        });
        let found = looks.await.map_err(Ended::Failed)?;
        let partial = match found.map_err(|error| Ended::Failed(error.into()))? {
            Found::Whole(size) => return Ok(Some(size)),
            Found::Partial(size) => Some(size),
            Found::Nothing => None,
        };
        // As many as the engine takes.
        let _place = tokio::select! {
            biased;
            changed = changed(&mut wish) => return changed.map(|()| None),
            place = self.downloads.acquire() => place,
        };
        let small = wanted.is_listed && partial.is_none();
        let sink = Arc::new(Sink::new(hash, store, Arc::clone(self.workers()), small));
        let mut verified = GroupRanges::new();
        let mut wanted = wanted.clone();
        if let Some(size) = partial {
            verified = sink.reopen(size).await.map_err(Ended::Failed)?;
            if !verified.is_empty() {
                wanted.size = Some(size);
            }
        }
        let id = self.next_download();
        let tap = Arc::new(Tap::new(id, Arc::clone(cell), Arc::clone(&sink)));
        cell.over(DownloadId(0), None);
        if let Some(size) = wanted.size {
            cell.progress(standing_at(id, hash, size, &verified));
        }
        self.listen(&tap);
        let order = self.order(cell, id, Some((&wanted, verified)));
        self.say(Input::Download(Box::new(order))).await;
        let outcome = tokio::select! {
            biased;
            outcome = tap.outcome() => Ok(outcome),
            changed = changed(&mut wish) => Err(changed),
        };
        let finished = matches!(outcome, Ok(Outcome::Finished { .. } | Outcome::Refused(_)));
        if !finished {
            self.say(Input::Cancel { id }).await;
        }
        self.forget(id);
        let result = self.conclude(cell, &sink, id, outcome).await;
        // Whatever came of it, what is written is durable before anybody goes on.
        let closed = sink.close().await;
        match (result, closed) {
            (Ok(size), Ok(())) => Ok(size),
            (Ok(_), Err(error)) => Err(Ended::Failed(error)),
            (Err(ended), _) => Err(ended),
        }
    }

    async fn conclude(
        &self,
        cell: &Cell,
        sink: &Sink,
        id: DownloadId,
        outcome: Result<Outcome, Result<(), Ended>>,
    ) -> Result<Option<u64>, Ended> {
        let sums = match &outcome {
            Ok(Outcome::Finished {
                wasted, seeders, ..
            }) => Some((*wasted, seeders.clone())),
            _ => None,
        };
        let result = match outcome {
            Ok(Outcome::Finished { size, .. }) => {
                let completed = sink.complete(size).await;
                completed.map_err(Ended::Failed).map(|()| Some(size))
            }
            Ok(Outcome::Whole) => Ok(None),
            Ok(Outcome::Trouble(error)) => Err(Ended::Failed(error)),
            Ok(Outcome::Refused(Refusal::Stopping)) => Err(Ended::Stopped),
            Ok(Outcome::Refused(reason)) => Err(Ended::Failed(reason.into())),
            Err(wish) => wish.map(|()| None),
        };
        cell.over(id, sums);
        if let (Ok(None) | Err(_), Some(size)) = (&result, cell.order.size)
            && cell.kind() == SharedKind::File
        {
            // What is there is still shown while nothing is fetched.
            if let Ok(durable) = sink.durable().await {
                cell.progress(standing_at(DownloadId(0), sink.hash(), size, &durable));
            }
        }
        result
    }

    /// Does something with the store until it succeeds: what fails waits to be resumed.
    async fn insist<T: Send + 'static>(
        &self,
        cell: &Cell,
        work: impl Fn(&Store) -> Result<T, StoreError> + Send + Sync + Clone + 'static,
    ) -> Result<T, Ended> {
        loop {
            let store = self.store().map_err(|_| Ended::Stopped)?;
            let work = work.clone();
            let done = self.workers().run(Kind::Long, move || work(&store)).await;
            match done {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) if !is_trouble_of_store(&error) => {
                    return Err(Ended::Failed(error.into()));
                }
                Ok(Err(error)) => wait(cell, error.into()),
                Err(FilesError::Stopped) => return Err(Ended::Stopped),
                Err(error) => wait(cell, error),
            }
            until_go(cell).await?;
        }
    }

    /// Puts what is here where it belongs, and shares it if that is wanted.
    async fn place(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        size: u64,
        listed: Option<&Collection>,
    ) -> Result<(), Ended> {
        let (hash, is_folder) = (cell.order.hash, listed.is_some());
        let is_shared = self.shares.has(&hash);
        if let Some(output) = cell.order.output.clone() {
            // A copy that others rely on stays where it is.
            let mode = match is_shared {
                true => ExportMode::Copy,
                false => ExportMode::Move,
            };
            self.insist(cell, move |store| {
                export(store, &hash, &output, is_folder, mode)
            })
            .await?;
        }
        if cell.order.keep && !is_shared {
            let entry = super::sharing::Entry::fetched(cell, size, listed, self.clock.wall());
            let tag = Tag {
                hash,
                collection: is_folder,
            };
            let name = entry.tag();
            self.insist(cell, move |store| store.tag(&name, tag))
                .await?;
            self.shares.insert(hash, entry);
        }
        let files = listed.map(Collection::entries).unwrap_or_default();
        let files = files.iter().map(|entry| (entry.hash, entry.size));
        let all: Vec<_> = files.chain([(hash, size)]).collect();
        for (hash, size) in all {
            if cell.order.keep || is_shared {
                let groups = GroupRanges::of(0..groups_of(size));
                self.say(Input::Share { hash, size, groups }).await;
            } else if !self.shares.has(&hash) {
                self.say(Input::Unshare { hash }).await;
            }
        }
        Ok(())
    }

    /// A transfer is over: nothing keeps what came of it but what was shared.
    async fn let_go(&self, cell: &Cell, slot: usize) {
        if let Err(error) = self.drop_kept(slot).await {
            tracing::warn!(%error, "an ended transfer will be begun again at the next start");
        }
        let Ok(store) = self.store() else { return };
        let name = tag_of(cell.id());
        let untag = move || store.untag(&name);
        if let Ok(Err(error)) = self.workers().run(Kind::Short, untag).await {
            tracing::warn!(%error, "what an ended transfer left stays until the next start");
        }
    }
}

/// What the store has of a blob.
enum Found {
    Whole(u64),
    Partial(u64),
    Nothing,
}

fn look(store: &Store, hash: &BlobHash) -> Result<Found, StoreError> {
    let Some(found) = store.state(hash) else {
        return Ok(Found::Nothing);
    };
    match found.state {
        BlobState::Partial { .. } => Ok(Found::Partial(found.size)),
        BlobState::Whole => Ok(Found::Whole(found.size)),
        _ => match store.blob(hash) {
            Ok(_) => Ok(Found::Whole(found.size)),
            // The file is no help any more: it is fetched.
            Err(StoreError::SourceChanged { .. }) => {
                store.forget(hash)?;
                Ok(Found::Nothing)
            }
            Err(error) => Err(error),
        },
    }
}

fn export(
    store: &Store,
    hash: &BlobHash,
    output: &Path,
    is_folder: bool,
    mode: ExportMode,
) -> Result<(), StoreError> {
    let blob = store.blob(hash)?;
    if is_folder {
        return store.export_folder(&blob, output, mode).map(drop);
    }
    match store.export(&blob, output, mode) {
        Err(StoreError::Path { .. }) if is_there(store, hash, blob.size(), output) => Ok(()),
        exported => exported,
    }
}

/// Whether a file is what was to be put there, as after a crash in between.
fn is_there(store: &Store, hash: &BlobHash, size: u64, output: &Path) -> bool {
    let same_length = std::fs::metadata(output).is_ok_and(|found| found.len() == size);
    let go_on = &mut |_| std::ops::ControlFlow::Continue(());
    same_length
        && store
            .import_file(output, ImportMode::Reference, go_on)
            .is_ok_and(|found| found.hash == *hash)
}

/// Whether it may be otherwise when somebody has looked after it.
fn is_trouble(error: &FilesError) -> bool {
    match error {
        FilesError::Store(error) => is_trouble_of_store(error),
        FilesError::Refused(_) | FilesError::Stopped => false,
        _ => true,
    }
}

fn is_trouble_of_store(error: &StoreError) -> bool {
    !matches!(
        error,
        StoreError::Name { .. } | StoreError::Misuse(_) | StoreError::OtherBlob(_)
    )
}

fn wait(cell: &Cell, error: FilesError) {
    cell.set(Wish::Wait(Some(Arc::new(error))));
}

/// Waits until it is wished to go on.
async fn until_go(cell: &Cell) -> Result<(), Ended> {
    let mut wish = cell.watch();
    loop {
        let now = wish.borrow_and_update().clone();
        match now {
            Wish::Go => return Ok(()),
            Wish::Cancel => return Err(Ended::Cancelled),
            Wish::Stop => return Err(Ended::Stopped),
            Wish::Wait(_) => {}
        }
        if wish.changed().await.is_err() {
            return Err(Ended::Stopped);
        }
    }
}

/// Waits until something else is wished than to go on.
async fn changed(wish: &mut watch::Receiver<Wish>) -> Result<(), Ended> {
    loop {
        let now = wish.borrow_and_update().clone();
        match now {
            Wish::Go => {}
            Wish::Wait(_) => return Ok(()),
            Wish::Cancel => return Err(Ended::Cancelled),
            Wish::Stop => return Err(Ended::Stopped),
        }
        if wish.changed().await.is_err() {
            return Err(Ended::Stopped);
        }
    }
}

/// How far a download is before the engine says so.
fn standing_at(id: DownloadId, hash: BlobHash, size: u64, there: &GroupRanges) -> Progress {
    let group = repute_protocol::GROUP_BYTES;
    let ranges = there.ranges();
    let bytes = ranges.map(|range| (range.end * group).min(size) - (range.start * group).min(size));
    Progress {
        id,
        hash,
        size: Some(size),
        bytes: bytes.sum(),
        rate: 0,
        left: None,
        wasted: 0,
        seeders: Vec::new(),
    }
}
