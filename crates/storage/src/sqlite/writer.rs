//! The one thread that writes: takes what waits, commits it as a group, then answers.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;

use super::{
    Options, Point,
    failure::from_sqlite,
    opening::checkpoint,
    queue::{Answer, Job, Queue},
    reading,
    statements::Table,
    writing::{Applier, Counts},
};
use crate::{StoreError, Write, check::Checks};

/// What the writer tells the rest.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) state: Mutex<State>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct State {
    pub(super) counts: Counts,
    pub(super) storage_full: bool,
    pub(super) damaged: u64,
}

impl Shared {
    pub(super) fn state<T>(&self, touch: impl FnOnce(&mut State) -> T) -> T {
        touch(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) checks: Checks,
    pub(super) options: Options,
    pub(super) counts: Counts,
    pub(super) shared: Arc<Shared>,
}

/// However the writer ends, nobody waits for it in vain.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        drop(self.0.queue.drain());
    }
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(super) fn work(mut self) -> Result<(), StoreError> {
        let _farewell = Farewell(self.shared.clone());
        if let Some(hook) = self.options.hook.clone() {
            let hook = move || {
                hook(Point::CommitInside);
                false
            };
            self.connection
                .commit_hook(Some(hook))
                .map_err(|error| from_sqlite(&self.path, &error))?;
        }
        while let Some(jobs) = self.shared.queue.take_group() {
            self.group(jobs);
        }
        checkpoint(&self.connection).map_err(|error| from_sqlite(&self.path, &error))
    }

    /// One transaction for all batches of the group; the answers follow its commit, in order.
    fn group(&mut self, jobs: Vec<Job>) {
        let before = self.counts;
        let mut answers: Vec<(Answer, Result<(), StoreError>)> = Vec::with_capacity(jobs.len());
        let mut damage = Vec::new();
        let mut group: Result<(), StoreError> = Ok(());
        let mut open = false;
        for job in jobs {
            match job {
                Job::Flush(answer) => answers.push((answer, Ok(()))),
                Job::SetAside { table, rows } => damage.push((table, rows)),
                Job::Batch { batch, answer, .. } => {
                    let mut verdict = Ok(());
                    if group.is_ok() && !open {
                        group = self.execute("BEGIN IMMEDIATE");
                        open = group.is_ok();
                    }
                    if group.is_ok() {
                        match self.batch(&batch) {
                            Err(error) if is_of_batch(&error) => verdict = Err(error),
                            other => group = other,
                        }
                    }
                    answers.push((answer, verdict));
                }
            }
        }
        if open {
            if group.is_ok() {
                group = self.commit();
            }
            if group.is_err() {
                self.roll_back();
                self.counts = before;
            }
        }
        let full = matches!(group, Err(StoreError::StorageFull { .. }));
        self.shared.state(|state| {
            state.counts = self.counts;
            // Only a write can tell.
            state.storage_full = if open { full } else { state.storage_full };
        });
        if let Err(error) = &group {
            tracing::warn!(%error, "a group of writes failed");
        }
        // Before the answers, so that a flush finds it done.
        for (table, rows) in damage {
            self.set_aside(table, &rows);
        }
        for (answer, verdict) in answers {
            answer.give(verdict.and(group.clone()));
        }
    }

    /// Applies one batch whole, or leaves the transaction as it was before it.
    fn batch(&mut self, batch: &[Write]) -> Result<(), StoreError> {
        // A single row that is refused has changed nothing.
        let alone = matches!(
            batch,
            [Write::Event(_) | Write::State { .. } | Write::Peer(_)]
        );
        if alone {
            return self.applier().apply_all(batch);
        }
        let before = self.counts;
        self.execute("SAVEPOINT batch")?;
        let applied = self.applier().apply_all(batch);
        if matches!(&applied, Err(error) if is_of_batch(error)) {
            self.counts = before;
            self.execute("ROLLBACK TO batch")?;
        } else if applied.is_err() {
            return applied;
        }
        self.execute("RELEASE batch")?;
        applied
    }

    fn applier(&mut self) -> Applier<'_> {
        Applier {
            connection: &self.connection,
            path: &self.path,
            checks: &self.checks,
            bounds: &self.options.bounds,
            counts: &mut self.counts,
        }
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.applier().evict()?;
        self.options.pass(Point::CommitBegins);
        self.execute("COMMIT")?;
        self.options.pass(Point::CommitEnds);
        Ok(())
    }

    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        let mut statement = self
            .connection
            .prepare_cached(sql)
            .map_err(|error| from_sqlite(&self.path, &error))?;
        statement
            .execute([])
            .map(|_| ())
            .map_err(|error| from_sqlite(&self.path, &error))
    }

    /// SQLite may have rolled back on its own already.
    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(%error, "a failed group could not be rolled back");
        }
    }

    /// Moves rows that failed their check into `damaged`. Best effort: what stays is left out of
    /// every read all the same.
    fn set_aside(&mut self, table: Table, rows: &[i64]) {
        let mut result = self.try_set_aside(table, rows);
        if matches!(result, Err(StoreError::Corrupt { .. })) {
            // The row no longer agrees with its index entry: make the index anew.
            result = self
                .execute(table.reindex())
                .and_then(|()| self.try_set_aside(table, rows));
        }
        match result {
            Ok(()) => tracing::warn!(table = table.name(), rows = rows.len(), "rows set aside"),
            Err(error) => tracing::warn!(%error, "damaged rows could not be set aside"),
        }
        self.shared.state(|state| state.counts = self.counts);
    }

    fn try_set_aside(&mut self, table: Table, rows: &[i64]) -> Result<(), StoreError> {
        let before = self.counts;
        self.execute("BEGIN IMMEDIATE")?;
        let moved = rows.iter().try_for_each(|row| {
            // It may have been written again since.
            if self.still_damaged(table, *row)? {
                self.applier().set_aside(table, *row)
            } else {
                Ok(())
            }
        });
        let moved = moved.and_then(|()| self.execute("COMMIT"));
        if moved.is_err() {
            self.roll_back();
            self.counts = before;
        }
        moved
    }

    fn still_damaged(&self, table: Table, rowid: i64) -> Result<bool, StoreError> {
        let failed = |error| from_sqlite(&self.path, &error);
        let mut statement = self
            .connection
            .prepare_cached(table.row())
            .map_err(failed)?;
        let mut rows = statement.query([rowid]).map_err(failed)?;
        let Some(row) = rows.next().map_err(failed)? else {
            return Ok(false);
        };
        Ok(match table {
            Table::Peers => reading::peer(row, &self.checks).is_none(),
            Table::Events => reading::event(row, &self.checks).is_none(),
            Table::Hearsay => reading::hearsay(row, &self.checks).is_none(),
            Table::Bans => reading::ban(row, &self.checks).is_none(),
            Table::Seen => reading::seen(row, &self.checks).is_none(),
            Table::State => reading::state(row, &self.checks).is_none(),
            Table::Items => reading::item(row, &self.checks).is_none(),
        })
    }
}

impl Applier<'_> {
    fn apply_all(&mut self, batch: &[Write]) -> Result<(), StoreError> {
        batch.iter().try_for_each(|write| self.apply(write))
    }
}

/// Whether an error is the fault of one batch, not of the disk.
fn is_of_batch(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::NumberTaken { .. } | StoreError::TableFull { .. }
    )
}
