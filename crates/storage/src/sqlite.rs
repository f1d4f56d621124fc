//! The SQLite store: one writer thread, readers beside it.

mod failure;
mod files;
pub(crate) mod fixture;
mod opening;
mod options;
mod queue;
mod reading;
mod schema;
mod statements;
mod writer;
mod writing;

use std::{
    fmt,
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle, ThreadId},
};

use repute_identity::NodeId;
use rusqlite::{Connection, Params};

pub use options::{Hook, OnCorrupt, OpenReport, Options, Point};

use self::{
    failure::{from_io, from_sqlite},
    queue::{Answer, Job},
    reading::Parse,
    statements::Table,
    writer::{Shared, Writer},
    writing::Counts,
};
use crate::{
    BanRow, Done, EventRow, Health, HearsayRow, ItemRow, LoadReport, PeerRow, SeenRow, Shelf,
    Store, StoreError, Write,
    check::Checks,
    limits::{DAMAGED_MAX, EVENTS_OF_MAX},
    write::admit,
};

/// Reading connections that are kept for the next reader.
const READERS_IDLE_MAX: usize = 4;

/// The durable store: one SQLite database in a data directory.
///
/// The directory belongs to one process at a time (`store.lock`). The database is
/// `store.sqlite3`, with a write-ahead log beside it while it is open.
pub struct SqliteStore {
    path: PathBuf,
    checks: Checks,
    shared: Arc<Shared>,
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
    writer_id: ThreadId,
    /// Released last, when nothing of this store touches the directory any more.
    lock: Mutex<Option<File>>,
    /// Whether nothing is ever written.
    read_only: bool,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store in the data directory `dir`, and makes both where they are missing.
    ///
    /// # Errors
    /// [`Locked`](StoreError::Locked), [`ForeignFile`](StoreError::ForeignFile),
    /// [`NewerSchema`](StoreError::NewerSchema), [`StorageFull`](StoreError::StorageFull),
    /// [`Io`](StoreError::Io), and [`Corrupt`](StoreError::Corrupt) unless
    /// [`Options::on_corrupt`] says to set the database aside.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, OpenReport), StoreError> {
        files::make_dir(dir)?;
        let lock = files::lock(dir)?;
        let (connection, report) = opening::open(dir, &options)?;
        let path = opening::file(dir);
        let counts = Counts::load(&connection).map_err(|error| from_sqlite(&path, &error))?;
        let checks = Checks::new();
        let shared = Arc::new(Shared::default());
        shared.state(|state| state.counts = counts);
        let writer = Writer {
            connection,
            path: path.clone(),
            checks,
            options,
            counts,
            shared: shared.clone(),
        };
        let writer = thread::Builder::new()
            .name("repute-store".to_owned())
            .spawn(move || writer.work())
            .map_err(|error| from_io(&path, &error))?;
        let store = Self {
            path,
            checks,
            shared,
            readers: Mutex::default(),
            writer_id: writer.thread().id(),
            writer: Mutex::new(Some(writer)),
            lock: Mutex::new(Some(lock)),
            read_only: false,
        };
        Ok((store, report))
    }

    /// Opens the store in the data directory `dir` to be read only, beside the node that may be
    /// running on it: nothing is made, recovered, migrated or set aside. Writes are answered with
    /// [`Misuse`](StoreError::Misuse).
    ///
    /// # Errors
    /// As [`open`](Self::open); [`Io`](StoreError::Io) too when there is no database, or one of an
    /// older version that a node must open first.
    pub fn open_read_only(dir: &Path) -> Result<Self, StoreError> {
        let path = opening::file(dir);
        let counts = opening::look(&path)?;
        let shared = Arc::new(Shared::default());
        shared.state(|state| state.counts = counts);
        Ok(Self {
            path,
            checks: Checks::new(),
            shared,
            readers: Mutex::default(),
            writer: Mutex::new(None),
            writer_id: thread::current().id(),
            lock: Mutex::new(None),
            read_only: true,
        })
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads with a connection of its own, so that a long read holds up nobody.
    fn with_reader<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.shared.queue.is_closed() {
            return Err(StoreError::Closed);
        }
        let idle = held(&self.readers).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => opening::connect_reader(&self.path)?,
        };
        let result = read(&connection);
        let mut idle = held(&self.readers);
        if result.is_ok() && idle.len() < READERS_IDLE_MAX && !self.shared.queue.is_closed() {
            idle.push(connection);
        }
        result
    }

    /// Visits every row of a query whose check holds, and has the others set aside.
    fn load<T>(
        &self,
        (table, sql, parse): (Table, &str, Parse<T>),
        params: impl Params,
        mut visit: impl FnMut(T) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let (mut damaged, mut rows) = (0u64, Vec::new());
        let read = self.with_reader(|connection| {
            let failed = |error| from_sqlite(&self.path, &error);
            let mut statement = connection.prepare_cached(sql).map_err(failed)?;
            let mut found = statement.query(params).map_err(failed)?;
            while let Some(row) = found.next().map_err(failed)? {
                if let Some(row) = parse(row, &self.checks) {
                    visit(row)?;
                } else {
                    damaged += 1;
                    let rowid = row.get(0).map_err(failed)?;
                    if (rows.len() as u64) < DAMAGED_MAX {
                        rows.push(rowid);
                    }
                }
            }
            Ok(())
        });
        if damaged > 0 {
            let name = table.name();
            tracing::warn!(
                table = name,
                damaged,
                "rows failed their check and were left out"
            );
            self.shared
                .state(|state| state.damaged = state.damaged.saturating_add(damaged));
            if !self.read_only {
                // If the queue is closed they are found again next time.
                let _ = self.shared.queue.push(Job::SetAside { table, rows });
            }
        }
        read.map(|()| damaged)
    }

    fn load_all<T>(
        &self,
        query: (Table, &str, Parse<T>),
        params: impl Params,
    ) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        self.load(query, params, |row| {
            all.push(row);
            Ok(())
        })?;
        Ok(all)
    }

    fn corrupt(&self, detail: &str) -> StoreError {
        StoreError::Corrupt {
            path: self.path.clone(),
            detail: detail.to_owned(),
        }
    }
}

impl Store for SqliteStore {
    fn write(&self, mut batch: Vec<Write>, done: Done) {
        let answer = Answer::new(done);
        if self.read_only {
            answer.give(Err(StoreError::Misuse(
                "this store was opened to be read only",
            )));
            return;
        }
        match admit(&mut batch) {
            Err(error) => answer.give(Err(error)),
            Ok(size) => {
                let pushed = self.shared.queue.push(Job::Batch {
                    batch,
                    size,
                    answer,
                });
                if let Err((error, Job::Batch { answer, .. })) = pushed {
                    answer.give(Err(error));
                }
            }
        }
    }

    fn peers(&self) -> Result<Vec<PeerRow>, StoreError> {
        self.load_all((Table::Peers, statements::PEERS_ALL, reading::peer), [])
    }

    fn events(&self, visit: &mut dyn FnMut(EventRow)) -> Result<LoadReport, StoreError> {
        let mut report = LoadReport::default();
        let query: (_, _, Parse<_>) = (Table::Events, statements::EVENTS_ALL, reading::event);
        report.damaged = self.load(query, [], |row| {
            // Pages that changed places would show true rows in a false order, or twice.
            if report.number_max.is_some_and(|last| row.number <= last) {
                return Err(self.corrupt("the ledger is out of order"));
            }
            report.number_max = Some(row.number);
            report.events += 1;
            visit(row);
            Ok(())
        })?;
        Ok(report)
    }

    fn events_of(&self, subject: NodeId, limit: usize) -> Result<Vec<EventRow>, StoreError> {
        let limit = i64::try_from(limit.min(EVENTS_OF_MAX)).unwrap_or(i64::MAX);
        let query: (_, _, Parse<_>) = (Table::Events, statements::EVENTS_OF, reading::event);
        let mut events: Vec<EventRow> =
            self.load_all(query, rusqlite::params![&subject.as_bytes()[..], limit])?;
        // An index may lie where the row does not.
        events.retain(|event| event.subject == subject);
        Ok(events)
    }

    fn hearsay(&self) -> Result<Vec<HearsayRow>, StoreError> {
        let query: (_, _, Parse<_>) = (Table::Hearsay, statements::HEARSAY_ALL, reading::hearsay);
        let mut rows: Vec<HearsayRow> = Vec::new();
        self.load(query, [], |row| {
            if rows.last().is_some_and(|last| row.number <= last.number) {
                return Err(self.corrupt("what was heard is out of order"));
            }
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    fn bans(&self) -> Result<Vec<BanRow>, StoreError> {
        self.load_all((Table::Bans, statements::BANS_ALL, reading::ban), [])
    }

    fn seen(&self) -> Result<Vec<SeenRow>, StoreError> {
        let mut rows: Vec<SeenRow> =
            self.load_all((Table::Seen, statements::SEEN_ALL, reading::seen), [])?;
        // In the file these numbers are signed.
        rows.sort_by_key(|row| (row.author, row.start));
        Ok(rows)
    }

    fn items(&self, shelf: Shelf) -> Result<Vec<ItemRow>, StoreError> {
        let query: (_, _, Parse<_>) = (Table::Items, statements::ITEMS_OF, reading::item);
        let mut items: Vec<ItemRow> = self.load_all(query, [shelf.code()])?;
        // An index may lie where the row does not.
        items.retain(|item| item.shelf == shelf);
        Ok(items)
    }

    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query: (_, _, Parse<_>) = (Table::State, statements::STATE_OF, reading::state);
        let mut value = None;
        let damaged = self.load(query, [key], |(found, bytes)| {
            value = (found == key).then_some(bytes);
            Ok(())
        })?;
        if damaged > 0 {
            let table = Table::State.name();
            return Err(StoreError::Damaged {
                table,
                key: key.to_owned(),
            });
        }
        Ok(value)
    }

    fn flush(&self) -> Result<(), StoreError> {
        if self.read_only {
            return Ok(());
        }
        if thread::current().id() == self.writer_id {
            return Err(StoreError::Misuse(
                "flush would wait for the thread it is called from",
            ));
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let done = Answer::new(Box::new(move |result| {
            let _ = answer.send(result);
        }));
        if let Err((error, job)) = self.shared.queue.push(Job::Flush(done)) {
            drop(job);
            return Err(error);
        }
        // A flush fails with the group it shared, whose batches say so themselves.
        match answered.recv() {
            Ok(Err(StoreError::Closed)) | Err(_) => Err(StoreError::Closed),
            Ok(_) => Ok(()),
        }
    }

    fn close(&self) -> Result<(), StoreError> {
        self.shared.queue.close();
        held(&self.readers).clear();
        // The last user may be a callback, on the writer's own thread, which ends by itself.
        if thread::current().id() == self.writer_id {
            return Ok(());
        }
        let writer = held(&self.writer).take();
        let result = writer.map_or(Ok(()), |writer| {
            writer.join().unwrap_or(Err(StoreError::Misuse(
                "a hook panicked on the writer's thread",
            )))
        });
        held(&self.lock).take();
        result
    }

    fn health(&self) -> Health {
        let state = self.shared.state(|state| *state);
        Health {
            peers: state.counts.peers,
            events: state.counts.events,
            bans: state.counts.bans,
            hearsay: state.counts.hearsay,
            seen: state.counts.seen,
            states: state.counts.states,
            items: state.counts.items.iter().sum(),
            damaged: state.damaged,
            rows_queued: self.shared.queue.rows(),
            storage_full: state.storage_full,
            closed: self.shared.queue.is_closed(),
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the store did not close tidily");
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
