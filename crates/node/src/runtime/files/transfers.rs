//! Transfers, as the application begins and steers them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use repute_base::BoundedVec;
use repute_blobs::{StoreError, Tag};
use repute_protocol::{BlobTicket, Contact};

use super::{
    FetchOrder, FilesError, Transfer, TransferId, Wanted,
    cell::{Cell, Standing, Wish},
    conduct,
    library::Library,
    sharing::FETCH,
    workers::Kind,
};

/// Ids that a person may name for one transfer, for each purpose.
const CHOICE_MAX: usize = 64;

impl Library {
    /// Begins a transfer, or joins the one of the same.
    pub(super) async fn begin(self: &Arc<Self>, order: FetchOrder) -> Result<Transfer, FilesError> {
        self.ready().await?;
        let hash = order.what.hash();
        let output = match order.output {
            Some(output) => Some(free_place(output)?),
            None => None,
        };
        let (size, name, peers) = match order.what {
            Wanted::Ticket(ticket) => (
                Some(ticket.size),
                ticket.name.as_str().to_owned(),
                ticket.peers.into_vec(),
            ),
            Wanted::Hash(_) => (None, String::new(), Vec::new()),
        };
        let mut choice = order.choice;
        choice.only.truncate(CHOICE_MAX);
        choice.prefer.truncate(CHOICE_MAX);
        // Fetching from those that a person names begins with them.
        let named = choice.only.iter().chain(&choice.prefer).copied();
        let peers = with_named(peers, named);
        let order = Standing {
            id: TransferId(0),
            hash,
            size,
            name,
            peers,
            output,
            keep: order.keep,
            choice,
            since: self.clock.wall(),
        };
        let (cell, is_new) = self.admit(order)?;
        // Listens before the first news.
        let transfer = cell.listen();
        if !is_new {
            self.resume(cell.id()).await?;
            return Ok(transfer);
        }
        let slot = cell.slot;
        if let Some(slot) = slot {
            let kept = self.keep(slot, &cell.order, false).await;
            let kept = match kept {
                Ok(()) => self.tag(&cell).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = kept {
                // Best effort: if it stays it begins again at the next start.
                let _ = self.drop_kept(slot).await;
                self.cells().ended(cell.id(), None);
                cell.close();
                return Err(error);
            }
        }
        self.spawn(conduct::run(Arc::clone(self), cell));
        Ok(transfer)
    }

    /// A place for a transfer, or the one of the same that is there; and whether it is new.
    fn admit(&self, order: Standing) -> Result<(Arc<Cell>, bool), FilesError> {
        let mut cells = self.cells();
        let dry_run = order.choice.dry_run;
        if !dry_run && let Some(cell) = cells.of(&order.hash) {
            let place = &cell.order.output;
            if order.output.is_some() && order.output != *place {
                let place = place.clone();
                let place = place.unwrap_or_else(|| PathBuf::from("the store"));
                return Err(FilesError::Elsewhere(place));
            }
            return Ok((cell, false));
        }
        let slot = match dry_run {
            true => cells.may_plan().map(|()| None)?,
            false => Some(cells.free_slot()?),
        };
        let id = cells.next_id();
        let cell = Arc::new(Cell::new(Standing { id, ..order }, slot, false));
        cells.insert(&cell);
        Ok((cell, true))
    }

    /// Keeps what comes of a transfer from the clean-up.
    async fn tag(&self, cell: &Cell) -> Result<(), FilesError> {
        let store = self.store()?;
        let tag = Tag {
            hash: cell.order.hash,
            // It may be a folder.
            collection: true,
        };
        let name = conduct::tag_of(cell.id());
        let tagged = self
            .workers()
            .run(Kind::Short, move || store.tag(&name, tag));
        Ok(tagged.await??)
    }

    pub(super) async fn pause(&self, id: TransferId) -> Result<(), FilesError> {
        self.ready().await?;
        let cell = self.cells().cell(id)?;
        cell.set(Wish::Wait(None));
        self.note_wish(&cell, true).await
    }

    pub(super) async fn resume(&self, id: TransferId) -> Result<(), FilesError> {
        self.ready().await?;
        let cell = self.cells().cell(id)?;
        cell.set(Wish::Go);
        self.note_wish(&cell, false).await
    }

    async fn note_wish(&self, cell: &Cell, paused: bool) -> Result<(), FilesError> {
        match cell.slot {
            Some(slot) => Ok(self.keep(slot, &cell.order, paused).await?),
            None => Ok(()),
        }
    }

    pub(super) async fn cancel(&self, id: TransferId) -> Result<(), FilesError> {
        self.ready().await?;
        let cell = self.cells().cell(id)?;
        let mut ended = cell.listen();
        cell.set(Wish::Cancel);
        while ended.next().await.is_some() {}
        Ok(())
    }

    /// Goes on with what was not finished.
    pub(super) async fn load_transfers(self: &Arc<Self>) {
        let kept = self.kept();
        for (slot, order, paused) in kept {
            let cell = Arc::new(Cell::new(order, Some(slot), paused));
            self.cells().insert(&cell);
            // A crash may have come in between.
            if let Err(error) = self.tag(&cell).await {
                tracing::warn!(%error, "what comes of a transfer is not safe from the clean-up");
            }
            self.spawn(conduct::run(Arc::clone(self), cell));
        }
        self.drop_stray_tags().await;
        self.is_ready();
    }

    /// Removes tags of transfers that are over.
    async fn drop_stray_tags(&self) {
        let Ok(store) = self.store() else { return };
        let live: Vec<String> = {
            let cells = self.cells();
            cells.all().map(|cell| conduct::tag_of(cell.id())).collect()
        };
        let dropped = self.workers().run(Kind::Short, move || {
            for (name, _) in store.tags() {
                if name.starts_with(FETCH) && !live.contains(&name) {
                    store.untag(&name)?;
                }
            }
            Ok::<_, StoreError>(())
        });
        if let Ok(Err(error)) = dropped.await {
            tracing::warn!(%error, "tags of transfers that are over stay");
        }
    }
}

/// A path that can be kept, where nothing is that would be overwritten.
fn free_place(output: PathBuf) -> Result<PathBuf, FilesError> {
    let refused = |path: &Path, reason| FilesError::Path {
        path: path.to_path_buf(),
        reason,
    };
    let output = std::path::absolute(&output)
        .map_err(|_| refused(&output, "it is no path that a file can have"))?;
    if output.to_str().is_none() {
        return Err(refused(&output, "it is not UTF-8: choose another name"));
    }
    let folder = output.parent();
    if !folder.is_some_and(Path::is_dir) {
        return Err(refused(&output, "its folder is not there: make it first"));
    }
    // A folder may go on where it was left.
    if output.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
        return Err(refused(&output, "something is there already"));
    }
    Ok(output)
}

fn with_named(
    mut peers: Vec<Contact>,
    named: impl Iterator<Item = repute_identity::NodeId>,
) -> Vec<Contact> {
    for id in named {
        if !peers.iter().any(|peer| peer.id == id)
            && peers.len() < BlobTicket::PEERS_MAX + CHOICE_MAX
        {
            let addresses = BoundedVec::default();
            peers.push(Contact { id, addresses });
        }
    }
    peers
}
