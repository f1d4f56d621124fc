//! What the SQLite store promises beside the contract.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use repute_base::Wall;
use repute_identity::NodeId;
use repute_storage::{
    EventRow, Options, PeerRow, Point, Prune, SqliteStore, Store, StoreError, Write, fixture,
    limits,
};
use rusqlite::Connection;

fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(dir, Options::default()).unwrap().0
}

fn answer(store: &SqliteStore, batch: Vec<Write>) -> Result<(), StoreError> {
    let (send, receive) = mpsc::channel();
    store.write(batch, Box::new(move |result| drop(send.send(result))));
    receive.recv().unwrap()
}

fn event(number: u64) -> EventRow {
    EventRow {
        number,
        subject: NodeId::from_bytes([1; 32]),
        wall: Wall::ZERO,
        kind: 0,
        fault: 0,
        context: 0,
        body: vec![0; 10],
    }
}

fn peer(n: u8, len: usize) -> PeerRow {
    let last_seen = Wall::from_millis(n.into());
    PeerRow {
        id: NodeId::from_bytes([n; 32]),
        last_seen,
        body: vec![n; len],
    }
}

/// A hook that holds the first commit until told, and counts the commits.
fn held_store(dir: &Path) -> (SqliteStore, mpsc::Sender<()>, Arc<AtomicUsize>) {
    let (release, released) = mpsc::channel::<()>();
    let (released, commits) = (
        std::sync::Mutex::new(released),
        Arc::new(AtomicUsize::new(0)),
    );
    let mut options = Options::default();
    let counted = commits.clone();
    options.hook = Some(Arc::new(move |point| {
        if point == Point::CommitBegins && counted.fetch_add(1, Ordering::SeqCst) == 0 {
            let _ = released.lock().unwrap().recv();
        }
    }));
    (SqliteStore::open(dir, options).unwrap().0, release, commits)
}

#[test]
fn what_waits_for_a_commit_shares_the_next_one_and_is_answered_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (store, release, commits) = held_store(dir.path());
    let (send, receive) = mpsc::channel();
    store.write(vec![Write::Event(event(0))], Box::new(|_| ()));
    while commits.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    for number in 1..=100 {
        let send = send.clone();
        let done = Box::new(move |result: Result<(), _>| send.send((number, result)).unwrap());
        store.write(vec![Write::Event(event(number))], done);
    }
    assert_eq!(store.health().rows_queued, 100);
    assert!(
        receive.try_recv().is_err(),
        "nothing is acknowledged before it is durable"
    );
    release.send(()).unwrap();
    let order: Vec<_> = receive.iter().take(100).collect();
    assert_eq!(
        order,
        (1..=100).map(|number| (number, Ok(()))).collect::<Vec<_>>()
    );
    assert_eq!(commits.load(Ordering::SeqCst), 2);
}

#[test]
fn a_full_queue_answers_busy_at_once_and_takes_writes_again_later() {
    let dir = tempfile::tempdir().unwrap();
    let (store, release, commits) = held_store(dir.path());
    store.write(vec![Write::Event(event(0))], Box::new(|_| ()));
    while commits.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    let batch = |n: usize| {
        (0..limits::BATCH_ROWS_MAX)
            .map(|i| Write::Event(event(1 + (n * limits::BATCH_ROWS_MAX + i) as u64)))
            .collect::<Vec<_>>()
    };
    let batches = limits::QUEUE_ROWS_MAX / limits::BATCH_ROWS_MAX;
    for n in 0..batches {
        store.write(batch(n), Box::new(|result| result.unwrap()));
    }
    let busy = answer(&store, vec![Write::Event(event(u64::from(u32::MAX)))]);
    let (queued, limit) = (limits::QUEUE_ROWS_MAX, limits::QUEUE_ROWS_MAX);
    assert_eq!(busy, Err(StoreError::Busy { queued, limit }));
    release.send(()).unwrap();
    store.flush().unwrap();
    assert_eq!(
        answer(&store, vec![Write::Event(event(u64::from(u32::MAX)))]),
        Ok(())
    );
    assert_eq!(store.health().events as usize, limits::QUEUE_ROWS_MAX + 2);
}

#[test]
fn a_second_user_of_the_directory_is_told_who_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let refused = SqliteStore::open(dir.path(), Options::default()).unwrap_err();
    let (path, holder) = (dir.path().to_path_buf(), Some(std::process::id()));
    assert_eq!(refused, StoreError::Locked { path, holder });
    drop(store);
    open(dir.path());
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = open(dir.path()).path().to_path_buf();
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let before = fs::read(&path).unwrap();
    let refused = SqliteStore::open(dir.path(), Options::default()).unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::NewerSchema {
                found: 99,
                known: 4,
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_foreign_file_is_refused_and_never_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite3");
    let mut options = Options::default();
    options.on_corrupt = repute_storage::OnCorrupt::SetAside;
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
        .unwrap();
    drop(other);
    let refused = SqliteStore::open(dir.path(), options.clone()).unwrap_err();
    assert!(
        matches!(refused, StoreError::ForeignFile { .. }),
        "{refused}"
    );
    fs::write(&path, "a letter to a friend").unwrap();
    let refused = SqliteStore::open(dir.path(), options).unwrap_err();
    assert!(
        matches!(refused, StoreError::ForeignFile { .. }),
        "{refused}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"a letter to a friend");
}

#[test]
fn a_database_of_version_1_is_migrated_with_all_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let rows = vec![Write::Peer(peer(1, 9)), Write::Event(event(4))];
    fixture::version_1(dir.path(), rows).unwrap();
    let (store, report) = SqliteStore::open(dir.path(), Options::default()).unwrap();
    assert_eq!(report.migrated_from, Some(1));
    assert_eq!(store.peers().unwrap(), [peer(1, 9)]);
    assert_eq!(store.events_of(event(4).subject, 9).unwrap(), [event(4)]);
    drop(store);
    let (_, report) = SqliteStore::open(dir.path(), Options::default()).unwrap();
    assert_eq!(report.migrated_from, None);
}

#[test]
fn a_row_that_fails_its_check_is_counted_set_aside_and_never_served() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let state = Write::State {
        key: "name".to_owned(),
        value: vec![1],
    };
    let rows = vec![
        Write::Event(event(1)),
        Write::Event(event(2)),
        Write::Peer(peer(1, 1)),
        state,
    ];
    answer(&store, rows).unwrap();
    let path = store.path().to_path_buf();
    drop(store);
    let hand = Connection::open(&path).unwrap();
    hand.execute_batch(
        "UPDATE trust_events SET fault = 1 WHERE number = 1;
         UPDATE peers SET last_seen = 7; UPDATE network_state SET value = x'02';",
    )
    .unwrap();
    drop(hand);
    let store = open(dir.path());
    let mut numbers = Vec::new();
    let report = store.events(&mut |row| numbers.push(row.number)).unwrap();
    assert_eq!((numbers, report.damaged), (vec![2], 1));
    assert_eq!(store.peers().unwrap(), []);
    assert!(matches!(
        store.state("name"),
        Err(StoreError::Damaged { .. })
    ));
    store.flush().unwrap();
    assert_eq!(store.state("name"), Ok(None));
    let health = store.health();
    assert_eq!((health.damaged, health.events, health.peers), (3, 1, 0));
    assert_eq!(store.events(&mut |_| ()).unwrap().damaged, 0);
    drop(store);
    let kept: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM damaged", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 3);
}

#[test]
fn a_full_disk_is_a_typed_error_and_writing_resumes_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::default();
    options.file_bytes_max = Some(512 * 1024);
    let (store, _) = SqliteStore::open(dir.path(), options).unwrap();
    let mut stored = 0;
    let full = loop {
        match answer(&store, vec![Write::Peer(peer(stored, 8_000))]) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::StorageFull { .. }), "{full}");
    assert!(store.health().storage_full && stored > 10);
    assert_eq!(
        store.peers().unwrap().len(),
        usize::from(stored),
        "reads go on"
    );
    let half = Wall::from_millis(u64::from(stored / 2));
    let prune = Prune {
        peers_before: Some(half),
        ..Prune::default()
    };
    answer(&store, vec![Write::Prune(prune)]).unwrap();
    answer(&store, vec![Write::Peer(peer(stored, 8_000))]).unwrap();
    assert!(!store.health().storage_full);
}

#[test]
fn a_store_dropped_in_its_own_callback_still_writes_what_was_queued() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()));
    let (send, receive) = mpsc::channel();
    let (last, flushed) = (store.clone(), send.clone());
    store.write(
        vec![Write::Event(event(1))],
        Box::new(move |_| {
            flushed
                .send(matches!(last.flush(), Err(StoreError::Misuse(_))))
                .unwrap();
            drop(last);
        }),
    );
    store.write(
        vec![Write::Event(event(2))],
        Box::new(move |result| send.send(result.is_ok()).unwrap()),
    );
    drop(store);
    assert!(receive.iter().take(2).all(|fine| fine));
    // The lock goes with the writer.
    let reopened = (0..).find_map(|_| SqliteStore::open(dir.path(), Options::default()).ok());
    assert_eq!(reopened.unwrap().0.health().events, 2);
}
