//! From a write to statements, inside a transaction that the writer holds.

use std::path::Path;

use repute_identity::NodeId;
use rusqlite::{Connection, OptionalExtension as _, Params, params};

use super::{failure::from_sqlite, statements as sql, statements::Table};
use crate::{
    BanRow, Bounds, EventRow, HearsayRow, ItemRow, PeerRow, Prune, SeenRow, Shelf, StoreError,
    Write, check::Checks, limits,
};

/// How many rows each table holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) peers: u64,
    pub(super) events: u64,
    pub(super) hearsay: u64,
    pub(super) bans: u64,
    pub(super) seen: u64,
    pub(super) states: u64,
    /// By shelf, in the order of [`Shelf::ALL`].
    pub(super) items: [u64; Shelf::ALL.len()],
}

impl Counts {
    pub(super) fn load(connection: &Connection) -> Result<Self, rusqlite::Error> {
        let count = |table: Table| {
            let count: i64 = connection.query_row(table.count(), [], |row| row.get(0))?;
            Ok::<_, rusqlite::Error>(count.unsigned_abs())
        };
        Ok(Self {
            peers: count(Table::Peers)?,
            events: count(Table::Events)?,
            hearsay: count(Table::Hearsay)?,
            bans: count(Table::Bans)?,
            seen: count(Table::Seen)?,
            states: count(Table::State)?,
            items: Self::load_items(connection)?,
        })
    }

    fn load_items(connection: &Connection) -> Result<[u64; Shelf::ALL.len()], rusqlite::Error> {
        let mut items = [0; Shelf::ALL.len()];
        for (count, shelf) in items.iter_mut().zip(Shelf::ALL) {
            let params = [shelf.code()];
            let found: i64 = connection.query_row(sql::ITEMS_COUNT, params, |row| row.get(0))?;
            *count = found.unsigned_abs();
        }
        Ok(items)
    }

    fn of_shelf(&mut self, shelf: Shelf) -> Option<&mut u64> {
        let place = Shelf::ALL.iter().position(|other| *other == shelf)?;
        self.items.get_mut(place)
    }

    fn items_less(&mut self, shelf: Shelf, rows: u64) {
        if let Some(count) = self.of_shelf(shelf) {
            *count = count.saturating_sub(rows);
        }
    }

    pub(super) fn less(&mut self, table: Table, rows: u64) {
        let count = match table {
            Table::Peers => &mut self.peers,
            Table::Events => &mut self.events,
            Table::Hearsay => &mut self.hearsay,
            Table::Bans => &mut self.bans,
            Table::Seen => &mut self.seen,
            Table::State => &mut self.states,
            // Counted by shelf.
            Table::Items => return,
        };
        *count = count.saturating_sub(rows);
    }
}

/// An open transaction and what it needs to know.
pub(super) struct Applier<'a> {
    pub(super) connection: &'a Connection,
    pub(super) path: &'a Path,
    pub(super) checks: &'a Checks,
    pub(super) bounds: &'a Bounds,
    pub(super) counts: &'a mut Counts,
}

impl Applier<'_> {
    fn run(&self, sql: &str, params: impl Params) -> Result<u64, StoreError> {
        let rows = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map_err(|error| from_sqlite(self.path, &error))?;
        Ok(rows as u64)
    }

    pub(super) fn apply(&mut self, write: &Write) -> Result<(), StoreError> {
        match write {
            Write::Peer(row) => self.peer(row),
            Write::ForgetPeer(id) => {
                let gone = self.run(sql::PEER_DELETE, [&id.as_bytes()[..]])?;
                self.counts.less(Table::Peers, gone);
                Ok(())
            }
            Write::Event(row) => self.event(row, true),
            Write::Checkpoint {
                subject,
                up_to,
                row,
            } => {
                self.fold(*subject, *up_to)?;
                self.event(row, false)
            }
            Write::ForgetEvents(subject) => self.fold(*subject, limits::NUMBER_MAX),
            Write::Heard(row) => self.hear(row, true),
            Write::SourceCheckpoint(row) => {
                self.unhear(row.source, row.number)?;
                self.hear(row, false)
            }
            Write::ForgetSource(source) => self.unhear(*source, limits::NUMBER_MAX),
            Write::Ban(row) => self.ban(row),
            Write::Unban(id) => {
                let gone = self.run(sql::BAN_DELETE, [&id.as_bytes()[..]])?;
                self.counts.less(Table::Bans, gone);
                Ok(())
            }
            Write::Seen(rows) => rows.iter().try_for_each(|row| self.seen(row)),
            Write::State { key, value } => self.state(key, value),
            Write::ForgetState(key) => {
                let gone = self.run(sql::STATE_DELETE, [key])?;
                self.counts.less(Table::State, gone);
                Ok(())
            }
            Write::Item(row) => self.item(row),
            Write::ForgetItem { shelf, key } => {
                let gone = self.run(sql::ITEM_DELETE, params![shelf.code(), key])?;
                self.counts.items_less(*shelf, gone);
                Ok(())
            }
            Write::Prune(prune) => self.prune(*prune),
        }
    }

    /// Removes the events of `subject` numbered up to and including `up_to`.
    fn fold(&mut self, subject: NodeId, up_to: u64) -> Result<(), StoreError> {
        let folded = self.run(
            sql::EVENTS_FOLD,
            params![&subject.as_bytes()[..], signed(up_to)],
        )?;
        self.counts.less(Table::Events, folded);
        Ok(())
    }

    fn peer(&mut self, row: &PeerRow) -> Result<(), StoreError> {
        let digest = self.checks.peer(row);
        let (id, last_seen) = (&row.id.as_bytes()[..], signed(row.last_seen.as_millis()));
        let values = params![id, last_seen, row.body, &digest[..]];
        if self.run(sql::PEER_UPDATE, values)? == 0 {
            self.counts.peers += self.run(sql::PEER_INSERT, values)?;
        }
        Ok(())
    }

    fn event(&mut self, row: &EventRow, bounded: bool) -> Result<(), StoreError> {
        let digest = self.checks.event(row);
        let full = bounded && self.counts.events >= self.bounds.events;
        if !full {
            let values = params![
                signed(row.number),
                &row.subject.as_bytes()[..],
                signed(row.wall.as_millis()),
                row.kind,
                row.fault,
                row.context,
                row.body,
                &digest[..],
            ];
            if self.run(sql::EVENT_INSERT, values)? == 1 {
                self.counts.events += 1;
                return Ok(());
            }
        }
        match self.digest_of(sql::EVENT_DIGEST, row.number)? {
            Some(found) if found == digest => Ok(()),
            Some(_) => Err(StoreError::NumberTaken { number: row.number }),
            None => Err(StoreError::events_full(self.bounds.events)),
        }
    }

    /// Removes what was heard of `source` numbered up to and including `up_to`.
    fn unhear(&mut self, source: NodeId, up_to: u64) -> Result<(), StoreError> {
        let params = params![&source.as_bytes()[..], signed(up_to)];
        let gone = self.run(sql::HEARSAY_FOLD, params)?;
        self.counts.less(Table::Hearsay, gone);
        Ok(())
    }

    fn hear(&mut self, row: &HearsayRow, bounded: bool) -> Result<(), StoreError> {
        let digest = self.checks.hearsay(row);
        let full = bounded && self.counts.hearsay >= self.bounds.hearsay;
        if !full {
            let (number, wall) = (signed(row.number), signed(row.wall.as_millis()));
            let source = &row.source.as_bytes()[..];
            let values = params![number, source, wall, row.body, &digest[..]];
            if self.run(sql::HEARSAY_INSERT, values)? == 1 {
                self.counts.hearsay += 1;
                return Ok(());
            }
        }
        match self.digest_of(sql::HEARSAY_DIGEST, row.number)? {
            Some(found) if found == digest => Ok(()),
            Some(_) => Err(StoreError::NumberTaken { number: row.number }),
            None => Err(StoreError::hearsay_full(self.bounds.hearsay)),
        }
    }

    /// The check of the row that has this number.
    fn digest_of(&self, sql: &str, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| {
                statement
                    .query_row([signed(number)], |row| row.get(0))
                    .optional()
            })
            .map_err(|error| from_sqlite(self.path, &error))
    }

    fn ban(&mut self, row: &BanRow) -> Result<(), StoreError> {
        let digest = self.checks.ban(row);
        let until = row.until.map(|until| signed(until.as_millis()));
        let values = params![&row.subject.as_bytes()[..], until, row.body, &digest[..]];
        if self.run(sql::BAN_UPDATE, values)? == 0 {
            self.counts.bans += self.run(sql::BAN_INSERT, values)?;
        }
        Ok(())
    }

    fn seen(&mut self, row: &SeenRow) -> Result<(), StoreError> {
        let digest = self.checks.seen(row);
        let values = params![
            &row.author.as_bytes()[..],
            row.start.cast_signed(),
            row.highest.cast_signed(),
            row.bitmap,
            signed(row.wall.as_millis()),
            &digest[..],
        ];
        if self.run(sql::SEEN_UPDATE, values)? == 0 {
            self.counts.seen += self.run(sql::SEEN_INSERT, values)?;
        }
        Ok(())
    }

    fn state(&mut self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let digest = self.checks.state(key, value);
        let values = params![key, value, &digest[..]];
        if self.run(sql::STATE_UPDATE, values)? == 0 {
            if self.counts.states >= self.bounds.states {
                return Err(StoreError::states_full(self.bounds.states));
            }
            self.counts.states += self.run(sql::STATE_INSERT, values)?;
        }
        Ok(())
    }

    fn item(&mut self, row: &ItemRow) -> Result<(), StoreError> {
        let digest = self.checks.item(row);
        let wall = signed(row.wall.as_millis());
        let values = params![row.shelf.code(), row.key, wall, row.body, &digest[..]];
        if self.run(sql::ITEM_UPDATE, values)? == 0 {
            let new = self.run(sql::ITEM_INSERT, values)?;
            if let Some(count) = self.counts.of_shelf(row.shelf) {
                *count += new;
            }
        }
        Ok(())
    }

    fn prune(&mut self, prune: Prune) -> Result<(), StoreError> {
        for (table, before, statement) in [
            (Table::Seen, prune.seen_before, sql::SEEN_PRUNE),
            (Table::Peers, prune.peers_before, sql::PEERS_PRUNE),
            (Table::Bans, prune.bans_before, sql::BANS_PRUNE),
        ] {
            let Some(before) = before else { continue };
            let most = signed(limits::PRUNE_ROWS_MAX as u64);
            let gone = self.run(statement, [signed(before.as_millis()), most])?;
            self.counts.less(table, gone);
        }
        Ok(())
    }

    /// Keeps the tables within their bounds; runs once before every commit.
    pub(super) fn evict(&mut self) -> Result<(), StoreError> {
        let over = self.counts.peers.saturating_sub(self.bounds.peers);
        if over > 0 {
            let gone = self.run(sql::PEERS_EVICT, [signed(over)])?;
            self.counts.less(Table::Peers, gone);
        }
        for statement in [sql::BANS_EVICT, sql::BANS_EVICT_ENDLESS] {
            let over = self.counts.bans.saturating_sub(self.bounds.bans);
            if over > 0 {
                let gone = self.run(statement, [signed(over)])?;
                self.counts.less(Table::Bans, gone);
            }
        }
        let over = self.counts.seen.saturating_sub(self.bounds.seen);
        if over > 0 {
            let gone = self.run(sql::SEEN_EVICT, [signed(over)])?;
            self.counts.less(Table::Seen, gone);
        }
        for shelf in Shelf::ALL {
            let count = self.counts.of_shelf(shelf).map_or(0, |count| *count);
            let over = count.saturating_sub(self.bounds.items);
            if over > 0 {
                let gone = self.run(sql::ITEMS_EVICT, params![shelf.code(), signed(over)])?;
                self.counts.items_less(shelf, gone);
            }
        }
        Ok(())
    }

    /// Moves a row that still fails its check out of the way.
    pub(super) fn set_aside(&mut self, table: Table, row: i64) -> Result<(), StoreError> {
        if self.run(table.set_aside(), [row])? == 0 {
            return Ok(());
        }
        let gone = self.run(table.remove(), [row])?;
        self.counts.less(table, gone);
        if table == Table::Items {
            // The row's own word for its shelf may be what was damaged.
            let counted = Counts::load_items(self.connection);
            self.counts.items = counted.map_err(|error| from_sqlite(self.path, &error))?;
        }
        self.run(sql::DAMAGED_TRIM, [signed(limits::DAMAGED_MAX)])?;
        Ok(())
    }
}

/// Numbers and times were admitted below 2^63.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
