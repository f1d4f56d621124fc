use core::time::Duration;

use repute_base::Wall;
use repute_identity::NodeId;

use crate::{BanRow, EventRow, HearsayRow, ItemRow, PeerRow, SeenRow, Shelf, StoreError, limits};

/// Called exactly once with the fate of a batch: `Ok` means durable.
///
/// Runs on the store's writer thread, or on the caller's before `write` returns; it must be short
/// and must not wait for the store.
pub type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// One change. A batch of them is written whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Write {
    /// Adds a peer or replaces what is known of it.
    Peer(PeerRow),
    /// Forgets a peer; nothing if it is unknown.
    ForgetPeer(NodeId),
    /// Appends to the trust ledger. Writing the same row again changes nothing, so that a batch
    /// of unknown fate can be repeated; another row under a taken number is refused.
    Event(EventRow),
    /// Folds the events of `subject` numbered up to and including `up_to` into one row.
    Checkpoint {
        /// Whose events are folded; the row must be about the same.
        subject: NodeId,
        /// The number of the last event folded.
        up_to: u64,
        /// What takes their place. Numbered `up_to`, it keeps their place in the order.
        row: EventRow,
    },
    /// Removes all events of a subject; nothing if there are none.
    ForgetEvents(NodeId),
    /// Appends what was heard, by the rules of [`Event`](Self::Event).
    Heard(HearsayRow),
    /// Folds what was heard of the row's source, up to and including its number, into the row.
    SourceCheckpoint(HearsayRow),
    /// Removes all that was heard of a source; nothing if there is none.
    ForgetSource(NodeId),
    /// Bans, or replaces the ban.
    Ban(BanRow),
    /// Lifts a ban; nothing if there is none.
    Unban(NodeId),
    /// Records what was seen, one row per author and start, replacing the last such record.
    Seen(Vec<SeenRow>),
    /// Sets a named value.
    State {
        /// The name, up to [`STATE_KEY_MAX`](crate::limits::STATE_KEY_MAX) bytes.
        key: String,
        /// The value, up to [`STATE_VALUE_MAX`](crate::limits::STATE_VALUE_MAX) bytes.
        value: Vec<u8>,
    },
    /// Removes a named value; nothing if there is none.
    ForgetState(String),
    /// Keeps an item, or replaces the one of its shelf and key.
    Item(ItemRow),
    /// Removes an item; nothing if there is none.
    ForgetItem {
        /// From which shelf.
        shelf: Shelf,
        /// Its key.
        key: Vec<u8>,
    },
    /// Removes what is too old.
    Prune(Prune),
}

/// What to remove as too old; `None` leaves a table alone.
///
/// One prune removes at most [`PRUNE_ROWS_MAX`](crate::limits::PRUNE_ROWS_MAX) rows of a table,
/// oldest first; repeat it from time to time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// Records of what was seen, last written before this.
    pub seen_before: Option<Wall>,
    /// Peers last active before this.
    pub peers_before: Option<Wall>,
    /// Bans that ended before this.
    pub bans_before: Option<Wall>,
}

impl Prune {
    /// What a node removes from time to time: the record of what was seen once it is older than
    /// the message `retention` and its margin. Bans are kept, for the ladder remembers them.
    pub fn seen(now: Wall, retention: Duration) -> Self {
        Self {
            seen_before: Some(now - limits::seen_retention(retention)),
            ..Self::default()
        }
    }
}

/// Rows and bytes of a change, for the bounds of batch and queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

/// What a row costs beside its body, roughly.
const ROW_BYTES: usize = 128;

/// Checks a batch against every limit and cuts times to what a database can hold.
pub(crate) fn admit(batch: &mut [Write]) -> Result<Size, StoreError> {
    let mut size = Size::default();
    for write in batch {
        let (rows, bytes) = admit_one(write)?;
        size.rows = size.rows.saturating_add(rows);
        size.bytes = size.bytes.saturating_add(bytes + rows * ROW_BYTES);
    }
    fits(
        "the number of rows in a batch",
        size.rows,
        limits::BATCH_ROWS_MAX,
    )?;
    Ok(size)
}

fn admit_one(write: &mut Write) -> Result<(usize, usize), StoreError> {
    Ok(match write {
        Write::Peer(row) => {
            cut(&mut row.last_seen);
            fits(
                "the body of a peer, in bytes,",
                row.body.len(),
                limits::PEER_BODY_MAX,
            )?;
            (1, row.body.len())
        }
        Write::Event(row) => (1, admit_event(row)?),
        Write::Checkpoint {
            subject,
            up_to,
            row,
        } => {
            if row.subject != *subject {
                return Err(StoreError::Misuse(
                    "a checkpoint is about another subject than its row",
                ));
            }
            number(*up_to)?;
            (1, admit_event(row)?)
        }
        Write::Heard(row) | Write::SourceCheckpoint(row) => {
            cut(&mut row.wall);
            number(row.number)?;
            fits(
                "the body of what was heard, in bytes,",
                row.body.len(),
                limits::EVENT_BODY_MAX,
            )?;
            (1, row.body.len())
        }
        Write::Ban(row) => {
            row.until.as_mut().map(cut);
            fits(
                "the body of a ban, in bytes,",
                row.body.len(),
                limits::BAN_BODY_MAX,
            )?;
            (1, row.body.len())
        }
        Write::Seen(rows) => {
            let mut bytes = 0usize;
            for row in rows.iter_mut() {
                cut(&mut row.wall);
                fits(
                    "a seen bitmap, in bytes,",
                    row.bitmap.len(),
                    limits::SEEN_BITMAP_MAX,
                )?;
                bytes = bytes.saturating_add(row.bitmap.len());
            }
            (rows.len(), bytes)
        }
        Write::State { key, value } => {
            fits(
                "the name of a state, in bytes,",
                key.len(),
                limits::STATE_KEY_MAX,
            )?;
            fits(
                "the value of a state, in bytes,",
                value.len(),
                limits::STATE_VALUE_MAX,
            )?;
            (1, key.len() + value.len())
        }
        Write::ForgetState(key) => {
            fits(
                "the name of a state, in bytes,",
                key.len(),
                limits::STATE_KEY_MAX,
            )?;
            (1, key.len())
        }
        Write::Item(row) => (1, admit_item(row)?),
        Write::ForgetItem { key, .. } => {
            item_key(key)?;
            (1, key.len())
        }
        Write::Prune(prune) => {
            for before in [
                &mut prune.seen_before,
                &mut prune.peers_before,
                &mut prune.bans_before,
            ] {
                before.as_mut().map(cut);
            }
            (1, 0)
        }
        Write::ForgetPeer(_)
        | Write::ForgetEvents(_)
        | Write::ForgetSource(_)
        | Write::Unban(_) => (1, 0),
    })
}

fn admit_item(row: &mut ItemRow) -> Result<usize, StoreError> {
    cut(&mut row.wall);
    item_key(&row.key)?;
    fits(
        "the body of an item, in bytes,",
        row.body.len(),
        limits::ITEM_BODY_MAX,
    )?;
    Ok(row.key.len() + row.body.len())
}

fn item_key(key: &[u8]) -> Result<(), StoreError> {
    fits(
        "the key of an item, in bytes,",
        key.len(),
        limits::ITEM_KEY_MAX,
    )
}

fn admit_event(row: &mut EventRow) -> Result<usize, StoreError> {
    cut(&mut row.wall);
    number(row.number)?;
    fits(
        "the body of an event, in bytes,",
        row.body.len(),
        limits::EVENT_BODY_MAX,
    )?;
    Ok(row.body.len())
}

fn number(number: u64) -> Result<(), StoreError> {
    if number > limits::NUMBER_MAX {
        let (what, limit) = ("an event number", limits::NUMBER_MAX);
        return Err(StoreError::TooLarge {
            what,
            value: number,
            limit,
        });
    }
    Ok(())
}

fn fits(what: &'static str, len: usize, max: usize) -> Result<(), StoreError> {
    if len > max {
        return Err(StoreError::TooLarge {
            what,
            value: len as u64,
            limit: max as u64,
        });
    }
    Ok(())
}

/// A moment that no database can hold is far enough in the future to be the last one it can.
fn cut(wall: &mut Wall) {
    *wall = (*wall).min(Wall::from_millis(limits::NUMBER_MAX));
}
