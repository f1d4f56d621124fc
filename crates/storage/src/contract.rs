//! What every [`Store`] promises, as a suite that any implementation can run.
//!
//! ```
//! use repute_storage::{MemoryStore, contract};
//!
//! contract::run(MemoryStore::new).unwrap();
//! ```

mod items;

use std::sync::mpsc;

use repute_base::Wall;
use repute_identity::NodeId;

use crate::{
    BanRow, Bounds, EventRow, HearsayRow, PeerRow, Prune, SeenRow, Store, StoreError, Write, limits,
};

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store broke its contract: {promise}: {detail}")]
pub struct Broken {
    /// The promise.
    pub promise: &'static str,
    /// What was seen instead.
    pub detail: String,
}

type Kept = Result<(), Broken>;

/// Small bounds under which [`run_bounded`] expects its stores to be opened.
pub const SMALL: Bounds = Bounds {
    peers: 8,
    events: 8,
    hearsay: 8,
    bans: 8,
    seen: 8,
    states: 8,
    items: 8,
};

/// Runs the suite; `fresh` opens a new and empty store each time.
///
/// # Errors
/// The first promise that was broken.
pub fn run<S: Store>(fresh: impl Fn() -> S) -> Kept {
    for promise in [
        rows_come_back as fn(&dyn Store) -> Kept,
        replacing_and_forgetting,
        items::come_back_by_shelf_and_key,
        items::too_large_are_refused,
        a_batch_is_whole_or_nothing,
        the_ledger_takes_a_number_once,
        a_checkpoint_folds_its_subject_alone,
        a_source_is_folded_and_forgotten_alone,
        old_rows_are_pruned,
        limits_are_kept,
        answers_come_in_order,
        a_visitor_may_write,
        a_closed_store_says_so,
    ] {
        promise(&fresh())?;
    }
    Ok(())
}

/// Runs the part about tables that are full; `fresh` opens a new and empty store bounded by
/// [`SMALL`].
///
/// # Errors
/// The first promise that was broken.
pub fn run_bounded<S: Store>(fresh: impl Fn() -> S) -> Kept {
    full_tables_make_room_by_their_rules(&fresh())?;
    full_tables_refuse_by_their_rules(&fresh())?;
    items::a_full_shelf_drops_its_oldest(&fresh())
}

/// Runs the part about durability; `place` makes a new and empty place, and gives what opens a
/// store there, again and again.
///
/// # Errors
/// The first promise that was broken.
pub fn run_durable<S: Store, O: Fn() -> S>(place: impl Fn() -> O) -> Kept {
    const PROMISE: &str = "what was acknowledged is there after reopening";
    let open = place();
    let store = open();
    write(&store, all_kinds())?;
    same(PROMISE, &store.close(), &Ok(()))?;
    drop(store);
    let store = open();
    check_all_kinds(PROMISE, &store)?;
    // Without closing: dropping is enough.
    write(&store, vec![Write::Event(event(9, 9))])?;
    drop(store);
    let store = open();
    same(PROMISE, &numbers(&store)?, &vec![1, 2, 9])
}

fn same<T: PartialEq + std::fmt::Debug>(promise: &'static str, found: &T, expected: &T) -> Kept {
    if found == expected {
        return Ok(());
    }
    Err(Broken {
        promise,
        detail: format!("expected {expected:?}, found {found:?}"),
    })
}

/// Writes a batch and waits for its answer.
fn fate(store: &dyn Store, batch: Vec<Write>) -> Result<Result<(), StoreError>, Broken> {
    let (answer, answered) = mpsc::channel();
    store.write(batch, Box::new(move |result| drop(answer.send(result))));
    let dropped = |_| Broken {
        promise: "every write is answered",
        detail: "its callback was dropped without being called".to_owned(),
    };
    answered.recv().map_err(dropped)
}

fn write(store: &dyn Store, batch: Vec<Write>) -> Kept {
    same("an ordinary write succeeds", &fate(store, batch)?, &Ok(()))
}

fn read<T>(result: Result<T, StoreError>) -> Result<T, Broken> {
    result.map_err(|error| Broken {
        promise: "reading succeeds",
        detail: error.to_string(),
    })
}

fn node(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

fn peer(n: u8, last_seen: u64) -> PeerRow {
    PeerRow {
        id: node(n),
        last_seen: Wall::from_millis(last_seen),
        body: vec![n; usize::from(n)],
    }
}

fn event(number: u64, subject: u8) -> EventRow {
    EventRow {
        number,
        subject: node(subject),
        wall: Wall::from_millis(number % 1_000),
        kind: 700,
        fault: 2,
        context: 3,
        body: vec![subject; 5],
    }
}

fn heard(number: u64, source: u8) -> HearsayRow {
    HearsayRow {
        number,
        source: node(source),
        wall: Wall::from_millis(number % 1_000),
        body: vec![source; 7],
    }
}

fn ban(n: u8, until: Option<u64>) -> BanRow {
    BanRow {
        subject: node(n),
        until: until.map(Wall::from_millis),
        body: vec![n],
    }
}

fn seen(n: u8, start: u64, wall: u64) -> SeenRow {
    let wall = Wall::from_millis(wall);
    SeenRow {
        author: node(n),
        start,
        highest: u64::MAX,
        bitmap: vec![0xA5; 16],
        wall,
    }
}

fn state(key: &str, value: &[u8]) -> Write {
    Write::State {
        key: key.to_owned(),
        value: value.to_vec(),
    }
}

fn numbers(store: &dyn Store) -> Result<Vec<u64>, Broken> {
    let mut numbers = Vec::new();
    read(store.events(&mut |event| numbers.push(event.number)))?;
    Ok(numbers)
}

fn all_kinds() -> Vec<Write> {
    vec![
        Write::Peer(peer(1, 50)),
        Write::Peer(peer(2, 70)),
        Write::Event(event(2, 1)),
        Write::Event(event(1, 2)),
        Write::Heard(heard(2, 1)),
        Write::Heard(heard(1, 2)),
        Write::Ban(ban(2, None)),
        Write::Ban(ban(1, Some(60))),
        Write::Seen(vec![seen(2, u64::MAX, 5), seen(2, 1, 5), seen(1, 7, 9)]),
        state("name", b"value"),
    ]
}

fn check_all_kinds(promise: &'static str, store: &dyn Store) -> Kept {
    same(
        promise,
        &read(store.peers())?,
        &vec![peer(2, 70), peer(1, 50)],
    )?;
    let mut events = Vec::new();
    let report = read(store.events(&mut |event| events.push(event)))?;
    same(promise, &events, &vec![event(1, 2), event(2, 1)])?;
    same(
        promise,
        &(report.events, report.damaged, report.number_max),
        &(2, 0, Some(2)),
    )?;
    same(
        promise,
        &read(store.events_of(node(1), 9))?,
        &vec![event(2, 1)],
    )?;
    same(
        promise,
        &read(store.hearsay())?,
        &vec![heard(1, 2), heard(2, 1)],
    )?;
    same(
        promise,
        &read(store.bans())?,
        &vec![ban(1, Some(60)), ban(2, None)],
    )?;
    let rows = vec![seen(1, 7, 9), seen(2, 1, 5), seen(2, u64::MAX, 5)];
    same(promise, &read(store.seen())?, &rows)?;
    same(
        promise,
        &read(store.state("name"))?,
        &Some(b"value".to_vec()),
    )
}

fn rows_come_back(store: &dyn Store) -> Kept {
    const PROMISE: &str = "rows come back as they were written, in the order of the interface";
    let empty = read(store.events(&mut |_| {}))?;
    same(PROMISE, &(empty.events, empty.number_max), &(0, None))?;
    same(PROMISE, &read(store.state("name"))?, &None)?;
    write(store, all_kinds())?;
    check_all_kinds(PROMISE, store)?;
    same("flushing succeeds", &store.flush(), &Ok(()))?;
    let health = store.health();
    let rows = (
        health.peers,
        health.events,
        health.bans,
        health.seen,
        health.states,
        health.hearsay,
    );
    same("health counts the rows", &rows, &(2, 2, 2, 3, 1, 2))
}

fn replacing_and_forgetting(store: &dyn Store) -> Kept {
    const PROMISE: &str = "a row replaces its predecessor, and is gone once forgotten";
    write(store, all_kinds())?;
    let mut row = seen(1, 7, 11);
    row.bitmap.clear();
    write(
        store,
        vec![
            Write::Peer(peer(1, 90)),
            Write::ForgetPeer(node(2)),
            Write::ForgetPeer(node(77)),
            Write::Ban(ban(1, None)),
            Write::Unban(node(2)),
            Write::Seen(vec![row.clone()]),
            state("name", b""),
        ],
    )?;
    same(PROMISE, &read(store.peers())?, &vec![peer(1, 90)])?;
    same(PROMISE, &read(store.bans())?, &vec![ban(1, None)])?;
    same(PROMISE, &read(store.seen())?.first().cloned(), &Some(row))?;
    same(PROMISE, &read(store.state("name"))?, &Some(Vec::new()))?;
    write(store, vec![Write::ForgetState("name".to_owned())])?;
    same(PROMISE, &read(store.state("name"))?, &None)
}

fn a_batch_is_whole_or_nothing(store: &dyn Store) -> Kept {
    const PROMISE: &str = "a batch is written whole or not at all";
    write(store, all_kinds())?;
    let mut batch = vec![
        Write::ForgetPeer(node(1)),
        Write::Checkpoint {
            subject: node(1),
            up_to: 2,
            row: event(2, 1),
        },
        Write::Unban(node(2)),
        Write::Seen(vec![seen(3, 3, 3)]),
        state("name", b"other"),
        state("more", b""),
    ];
    batch.push(Write::Event(EventRow {
        kind: 1,
        ..event(1, 2)
    }));
    same(
        PROMISE,
        &fate(store, batch)?,
        &Err(StoreError::NumberTaken { number: 1 }),
    )?;
    check_all_kinds(PROMISE, store)?;
    same(PROMISE, &read(store.state("more"))?, &None)
}

fn the_ledger_takes_a_number_once(store: &dyn Store) -> Kept {
    const PROMISE: &str = "a number is taken once, and writing the same row again is nothing";
    write(store, vec![Write::Event(event(5, 1))])?;
    write(
        store,
        vec![Write::Event(event(5, 1)), Write::Event(event(6, 1))],
    )?;
    let other = vec![Write::Event(event(5, 2))];
    same(
        PROMISE,
        &fate(store, other)?,
        &Err(StoreError::NumberTaken { number: 5 }),
    )?;
    same(
        PROMISE,
        &read(store.events_of(node(1), 1))?,
        &vec![event(6, 1)],
    )?;
    same(PROMISE, &numbers(store)?, &vec![5, 6])
}

fn a_checkpoint_folds_its_subject_alone(store: &dyn Store) -> Kept {
    const PROMISE: &str = "a checkpoint takes the place of the events it folds, and of no other";
    let events = [(1, 1), (2, 2), (3, 1), (4, 2), (5, 1)];
    write(
        store,
        events
            .map(|(number, subject)| Write::Event(event(number, subject)))
            .into(),
    )?;
    let row = EventRow {
        kind: 0,
        ..event(3, 1)
    };
    let fold = Write::Checkpoint {
        subject: node(1),
        up_to: 3,
        row: row.clone(),
    };
    write(store, vec![fold.clone()])?;
    write(store, vec![fold])?;
    same(PROMISE, &numbers(store)?, &vec![2, 3, 4, 5])?;
    same(
        PROMISE,
        &read(store.events_of(node(1), 9))?,
        &vec![event(5, 1), row],
    )?;
    let wrong = Write::Checkpoint {
        subject: node(2),
        up_to: 3,
        row: event(3, 1),
    };
    let refused = matches!(fate(store, vec![wrong])?, Err(StoreError::Misuse(_)));
    same(
        "a checkpoint about another subject is misuse",
        &refused,
        &true,
    )
}

fn a_source_is_folded_and_forgotten_alone(store: &dyn Store) -> Kept {
    const PROMISE: &str = "what was heard of one source is folded and forgotten without the others";
    let rows = [(1, 1), (2, 2), (3, 1), (4, 2), (5, 1)];
    let rows = rows.map(|(number, source)| Write::Heard(heard(number, source)));
    write(store, rows.into())?;
    write(store, vec![Write::Heard(heard(5, 1))])?;
    same(
        PROMISE,
        &fate(store, vec![Write::Heard(heard(5, 2))])?,
        &Err(StoreError::NumberTaken { number: 5 }),
    )?;
    let mut row = heard(3, 1);
    row.body.clear();
    let fold = Write::SourceCheckpoint(row.clone());
    write(store, vec![fold.clone()])?;
    write(store, vec![fold])?;
    let left = vec![heard(2, 2), row.clone(), heard(4, 2), heard(5, 1)];
    same(PROMISE, &read(store.hearsay())?, &left)?;
    let batch = vec![
        Write::ForgetSource(node(2)),
        Write::Heard(heard(9, 2)),
        Write::Heard(heard(5, 3)),
    ];
    let taken = Err(StoreError::NumberTaken { number: 5 });
    same(PROMISE, &fate(store, batch)?, &taken)?;
    same(PROMISE, &read(store.hearsay())?, &left)?;
    let forget = vec![
        Write::ForgetSource(node(2)),
        Write::ForgetSource(node(77)),
        Write::ForgetEvents(node(1)),
    ];
    write(store, forget)?;
    same(PROMISE, &read(store.hearsay())?, &vec![row, heard(5, 1)])
}

fn old_rows_are_pruned(store: &dyn Store) -> Kept {
    const PROMISE: &str = "a prune removes what is older than it says, and nothing else";
    write(store, all_kinds())?;
    write(store, vec![Write::Prune(Prune::default())])?;
    check_all_kinds(PROMISE, store)?;
    let before = |ms| Some(Wall::from_millis(ms));
    let prune = Prune {
        seen_before: before(9),
        peers_before: before(70),
        bans_before: before(61),
    };
    write(store, vec![Write::Prune(prune)])?;
    same(PROMISE, &read(store.seen())?, &vec![seen(1, 7, 9)])?;
    same(PROMISE, &read(store.peers())?, &vec![peer(2, 70)])?;
    same(PROMISE, &read(store.bans())?, &vec![ban(2, None)])
}

fn limits_are_kept(store: &dyn Store) -> Kept {
    const PROMISE: &str = "what is larger than its limit is refused, and nothing of it is written";
    let large = |len: usize| vec![0; len + 1];
    for write in [
        Write::Peer(PeerRow {
            body: large(limits::PEER_BODY_MAX),
            ..peer(1, 1)
        }),
        Write::Event(EventRow {
            body: large(limits::EVENT_BODY_MAX),
            ..event(1, 1)
        }),
        Write::Event(EventRow {
            number: limits::NUMBER_MAX + 1,
            ..event(1, 1)
        }),
        Write::Heard(HearsayRow {
            body: large(limits::EVENT_BODY_MAX),
            ..heard(1, 1)
        }),
        Write::Ban(BanRow {
            body: large(limits::BAN_BODY_MAX),
            ..ban(1, None)
        }),
        Write::Seen(vec![SeenRow {
            bitmap: large(limits::SEEN_BITMAP_MAX),
            ..seen(1, 1, 1)
        }]),
        Write::Seen(vec![seen(1, 1, 1); limits::BATCH_ROWS_MAX + 1]),
        state("name", &large(limits::STATE_VALUE_MAX)),
        state(&"n".repeat(limits::STATE_KEY_MAX + 1), b""),
    ] {
        let found = fate(store, vec![state("first", b""), write])?;
        same(
            PROMISE,
            &matches!(found, Err(StoreError::TooLarge { .. })),
            &true,
        )?;
    }
    same(PROMISE, &read(store.state("first"))?, &None)?;
    let whole = EventRow {
        body: large(limits::EVENT_BODY_MAX - 1),
        ..event(limits::NUMBER_MAX, 1)
    };
    write(store, vec![Write::Event(whole.clone())])?;
    same(PROMISE, &read(store.events_of(node(1), 1))?, &vec![whole])?;
    // A time past what a database can hold is the last that it can.
    write(store, vec![Write::Peer(peer(3, u64::MAX))])?;
    let last = read(store.peers())?.first().map(|row| row.last_seen);
    same(PROMISE, &last, &Some(Wall::from_millis(limits::NUMBER_MAX)))
}

fn answers_come_in_order(store: &dyn Store) -> Kept {
    const PROMISE: &str = "batches of one thread are answered in the order of the calls, once each";
    let (answer, answered) = mpsc::channel();
    for number in 0..500u64 {
        let answer = answer.clone();
        let done = Box::new(move |result| drop(answer.send((number, result))));
        // Every tenth is refused, in its turn.
        let kind = u16::from(number % 10 == 9);
        let number = if kind == 1 { number - 1 } else { number };
        store.write(
            vec![Write::Event(EventRow {
                kind,
                ..event(number, 1)
            })],
            done,
        );
    }
    drop(answer);
    let answers: Vec<_> = answered.iter().collect();
    let order: Vec<u64> = answers.iter().map(|answer| answer.0).collect();
    same(PROMISE, &order, &(0..500).collect())?;
    let refused = answers.iter().filter(|answer| answer.1.is_err()).count();
    same(PROMISE, &refused, &50)?;
    same(PROMISE, &numbers(store)?.len(), &450)
}

fn a_visitor_may_write(store: &dyn Store) -> Kept {
    const PROMISE: &str = "a visit shows the ledger as it was at its start, whatever is written";
    write(
        store,
        (1..=3)
            .map(|number| Write::Event(event(number, 1)))
            .collect(),
    )?;
    let mut visited = Vec::new();
    let mut fates = Vec::new();
    read(store.events(&mut |row| {
        visited.push(row.number);
        fates.push(fate(store, vec![Write::Event(event(row.number + 10, 1))]));
    }))?;
    for fate in fates {
        same(PROMISE, &fate?, &Ok(()))?;
    }
    same(PROMISE, &visited, &vec![1, 2, 3])?;
    same(PROMISE, &numbers(store)?, &vec![1, 2, 3, 11, 12, 13])
}

fn a_closed_store_says_so(store: &dyn Store) -> Kept {
    const PROMISE: &str = "a closed store answers everything with Closed, and closes twice";
    write(store, all_kinds())?;
    same(PROMISE, &store.close(), &Ok(()))?;
    same(PROMISE, &store.close(), &Ok(()))?;
    same(
        PROMISE,
        &fate(store, all_kinds())?,
        &Err(StoreError::Closed),
    )?;
    same(PROMISE, &store.peers(), &Err(StoreError::Closed))?;
    same(PROMISE, &store.state("name"), &Err(StoreError::Closed))?;
    same(PROMISE, &store.flush(), &Err(StoreError::Closed))?;
    same(PROMISE, &store.health().closed, &true)
}

fn full_tables_make_room_by_their_rules(store: &dyn Store) -> Kept {
    const PROMISE: &str = "a full table drops the oldest peer, the soonest ban, the oldest record";
    for n in 1..=12u8 {
        let later = u64::from(n);
        let until = (n > 2).then_some(100 - later);
        write(
            store,
            vec![
                Write::Peer(peer(n, later)),
                Write::Ban(ban(n, until)),
                Write::Seen(vec![seen(n, 1, later)]),
            ],
        )?;
    }
    let peers: Vec<_> = read(store.peers())?.iter().map(|row| row.id).collect();
    same(PROMISE, &peers, &(5..=12).rev().map(node).collect())?;
    let authors: Vec<_> = read(store.seen())?.iter().map(|row| row.author).collect();
    same(PROMISE, &authors, &(5..=12).map(node).collect())?;
    let banned: Vec<_> = read(store.bans())?.iter().map(|row| row.subject).collect();
    same(PROMISE, &banned, &(1..=8).map(node).collect())
}

fn full_tables_refuse_by_their_rules(store: &dyn Store) -> Kept {
    const PROMISE: &str = "a full ledger refuses events until a checkpoint, and a full state names";
    for n in 1..=8 {
        write(
            store,
            vec![
                Write::Event(event(n, 1)),
                Write::Heard(heard(n, 1)),
                state(&n.to_string(), b""),
            ],
        )?;
    }
    let full = |table, fate: &Result<(), StoreError>| {
        let found = matches!(fate, Err(StoreError::TableFull { table: t, .. }) if *t == table);
        same(PROMISE, &found, &true)
    };
    full(
        "trust_events",
        &fate(store, vec![Write::Event(event(9, 1))])?,
    )?;
    full("hearsay", &fate(store, vec![Write::Heard(heard(9, 1))])?)?;
    write(store, vec![Write::SourceCheckpoint(heard(7, 1))])?;
    write(store, vec![Write::Heard(heard(9, 1))])?;
    full("network_state", &fate(store, vec![state("9", b"")])?)?;
    write(store, vec![Write::Event(event(8, 1)), state("8", b"new")])?;
    let fold = Write::Checkpoint {
        subject: node(1),
        up_to: 7,
        row: event(7, 1),
    };
    write(store, vec![fold, Write::ForgetState("1".to_owned())])?;
    write(store, vec![Write::Event(event(9, 1)), state("9", b"")])?;
    same(PROMISE, &numbers(store)?, &vec![7, 8, 9])
}
