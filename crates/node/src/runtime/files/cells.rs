//! All transfers.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use repute_protocol::BlobHash;

use super::{
    FilesError, TransferId, TransferView,
    cell::{Cell, Wish},
};

/// Transfers under way or paused. The engine takes as many downloads.
pub(super) const TRANSFERS_MAX: usize = 64;
/// Transfers that have ended and are still shown.
const ENDED_MAX: usize = 32;
/// Dry runs at once.
const DRY_MAX: usize = 4;

/// Transfers under way, and the last that ended.
#[derive(Default)]
pub(super) struct Cells {
    cells: BTreeMap<TransferId, Arc<Cell>>,
    ended: VecDeque<TransferView>,
    next: u64,
}

impl Cells {
    /// A name that was never given.
    pub(super) fn next_id(&mut self) -> TransferId {
        self.next = self.next.max(1);
        let id = TransferId(self.next);
        self.next += 1;
        id
    }

    /// Names below this were given before.
    pub(super) fn given_before(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    /// The first name that was not given.
    pub(super) const fn unused(&self) -> u64 {
        self.next
    }

    /// A place that survives a restart.
    pub(super) fn free_slot(&self) -> Result<usize, FilesError> {
        let taken = |slot: &usize| self.cells.values().any(|cell| cell.slot == Some(*slot));
        let mut slots = 0..TRANSFERS_MAX;
        let slot = slots.find(|slot| !taken(slot));
        slot.ok_or(FilesError::TooMany { max: TRANSFERS_MAX })
    }

    /// Whether one more dry run may begin.
    pub(super) fn may_plan(&self) -> Result<(), FilesError> {
        let dry = self.cells.values().filter(|cell| cell.slot.is_none());
        match dry.count() < DRY_MAX {
            true => Ok(()),
            false => Err(FilesError::TooMany { max: DRY_MAX }),
        }
    }

    pub(super) fn insert(&mut self, cell: &Arc<Cell>) {
        self.cells.insert(cell.id(), Arc::clone(cell));
    }

    pub(super) fn cell(&self, id: TransferId) -> Result<Arc<Cell>, FilesError> {
        let cell = self.cells.get(&id).map(Arc::clone);
        cell.ok_or(FilesError::Unknown(id))
    }

    /// The transfer of a blob, unless it is a dry run.
    pub(super) fn of(&self, hash: &BlobHash) -> Option<Arc<Cell>> {
        let mut all = self.cells.values();
        let found = all.find(|cell| cell.slot.is_some() && cell.order.hash == *hash);
        found.map(Arc::clone)
    }

    /// A transfer has ended; it is shown for a while.
    pub(super) fn ended(&mut self, id: TransferId, view: Option<TransferView>) {
        self.cells.remove(&id);
        self.ended.extend(view);
        while self.ended.len() > ENDED_MAX {
            self.ended.pop_front();
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Cell>> {
        self.cells.values()
    }

    /// How all stand, the oldest first.
    pub(super) fn views(&self) -> Vec<TransferView> {
        let live = self.cells.values().filter(|cell| cell.slot.is_some());
        let live = live.map(|cell| cell.view());
        let mut views: Vec<TransferView> = self.ended.iter().cloned().chain(live).collect();
        views.sort_by_key(|view| view.id);
        views
    }

    /// The node stops.
    pub(super) fn stop(&self) {
        for cell in self.cells.values() {
            cell.set(Wish::Stop);
        }
    }
}
