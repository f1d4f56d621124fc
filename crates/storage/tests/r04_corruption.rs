//! R04: whatever happens to the file, the store serves what was written or refuses.
//!
//! `REPUTE_R04_MUTATIONS` sets how many mutations are tried.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

use std::{collections::BTreeMap, env, fs, path::Path};

use repute_base::{Rng, Wall};
use repute_identity::NodeId;
use repute_storage::{
    BanRow, EventRow, OnCorrupt, Options, PeerRow, SeenRow, SqliteStore, Store, StoreError, Write,
};

fn node(n: u64) -> NodeId {
    let mut bytes = [0xC3; 32];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    NodeId::from_bytes(bytes)
}

fn peer(n: u64) -> PeerRow {
    PeerRow {
        id: node(n),
        last_seen: Wall::from_millis(n * 3),
        body: vec![1; 200],
    }
}

fn event(number: u64) -> EventRow {
    EventRow {
        number,
        subject: node(number % 7),
        wall: Wall::from_millis(number * 11),
        kind: 4,
        fault: 1,
        context: 2,
        body: vec![u8::try_from(number % 251).unwrap(); 60],
    }
}

fn ban(n: u64) -> BanRow {
    let until = n.is_multiple_of(2).then_some(Wall::from_millis(n));
    BanRow {
        subject: node(n),
        until,
        body: vec![9; 30],
    }
}

fn seen(n: u64) -> SeenRow {
    SeenRow {
        author: node(n),
        start: n * 5,
        highest: n,
        bitmap: vec![0xF0; 100],
        wall: Wall::from_millis(n),
    }
}

fn value(n: u64) -> Vec<u8> {
    vec![u8::try_from(n).unwrap(); 500]
}

fn answer(store: &SqliteStore, batch: Vec<Write>) -> Result<(), StoreError> {
    let (send, receive) = std::sync::mpsc::channel();
    store.write(batch, Box::new(move |result| drop(send.send(result))));
    receive.recv().unwrap()
}

/// Files as a node leaves them: closed tidily, and killed with its log beside.
struct Originals {
    closed: Vec<u8>,
    open: Vec<u8>,
    log: Vec<u8>,
}

fn originals() -> Originals {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = SqliteStore::open(dir.path(), Options::default()).unwrap();
    let mut batch: Vec<_> = (0..40).map(|n| Write::Peer(peer(n))).collect();
    batch.extend((0..300).map(|n| Write::Event(event(n))));
    answer(&store, batch).unwrap();
    store.close().unwrap();
    drop(store);
    let (store, _) = SqliteStore::open(dir.path(), Options::default()).unwrap();
    let mut batch: Vec<_> = (0..40).map(|n| Write::Ban(ban(n))).collect();
    batch.extend((300..500).map(|n| Write::Event(event(n))));
    batch.push(Write::Seen((0..40).map(seen).collect()));
    batch.extend((0..9).map(|n| Write::State {
        key: n.to_string(),
        value: value(n),
    }));
    answer(&store, batch).unwrap();
    let read = |suffix: &str| fs::read(dir.path().join(format!("store.sqlite3{suffix}"))).unwrap();
    let (open, log) = (read(""), read("-wal"));
    store.close().unwrap();
    Originals {
        closed: read(""),
        open,
        log,
    }
}

fn flip(bytes: &mut [u8], rng: &mut Rng) {
    for _ in 0..=rng.below(64) {
        let at = usize::try_from(rng.below(bytes.len() as u64)).unwrap();
        bytes[at] ^= 1 << rng.below(8);
    }
}

/// Damages a copy of the files; gives a name for the failure message.
fn mutate(dir: &Path, originals: &Originals, rng: &mut Rng, kind: u64) -> &'static str {
    let (mut file, mut log) = (originals.closed.clone(), None);
    let pages = file.len() / 4096;
    let page = |rng: &mut Rng| usize::try_from(rng.below(pages as u64)).unwrap() * 4096;
    let name = match kind {
        0..4 => {
            flip(&mut file, rng);
            "flipped bits"
        }
        4 => {
            file.truncate(usize::try_from(rng.below(file.len() as u64)).unwrap());
            "truncated"
        }
        5 => {
            file[..100].fill(0);
            "zeroed header"
        }
        6 => {
            let (a, b) = (page(rng), page(rng));
            let (first, second) = (file[a..a + 4096].to_vec(), file[b..b + 4096].to_vec());
            file[a..a + 4096].copy_from_slice(&second);
            file[b..b + 4096].copy_from_slice(&first);
            "swapped pages"
        }
        7 => {
            // Says it is of version 1, but has the tables of the present one.
            file[60..64].copy_from_slice(&1u32.to_be_bytes());
            "old version"
        }
        8 => {
            file = (0..20_000)
                .map(|_| u8::try_from(rng.below(256)).unwrap())
                .collect();
            "someone else's file"
        }
        9 => {
            let at = page(rng);
            file[at..at + 4096].fill(0);
            "zeroed page"
        }
        10 => {
            (file, log) = (originals.open.clone(), Some(originals.log.clone()));
            flip(log.as_mut().unwrap(), rng);
            "flipped bits in the log"
        }
        _ => {
            (file, log) = (originals.open.clone(), Some(originals.log.clone()));
            flip(&mut file, rng);
            "flipped bits under a log"
        }
    };
    fs::write(dir.join("store.sqlite3"), file).unwrap();
    if let Some(log) = log {
        fs::write(dir.join("store.sqlite3-wal"), log).unwrap();
    }
    name
}

/// Reads everything, and compares every row with what was written.
fn everything_served_is_true(store: &SqliteStore, context: &str) {
    let check = |error: StoreError| {
        let refused = matches!(
            error,
            StoreError::Corrupt { .. } | StoreError::Damaged { .. }
        );
        assert!(refused, "{context}: {error:?}");
    };
    let known: BTreeMap<NodeId, u64> = (0..40).map(|n| (node(n), n)).collect();
    let mut last = None;
    let visited = store.events(&mut |row| {
        assert_eq!(row, event(row.number), "{context}");
        assert!(last < Some(row.number), "{context}: out of order");
        last = Some(row.number);
    });
    visited.map(drop).unwrap_or_else(check);
    for n in 0..7 {
        let events = store
            .events_of(node(n), 1_000)
            .map_err(check)
            .unwrap_or_default();
        assert!(
            events
                .iter()
                .all(|row| *row == event(row.number) && row.number % 7 == n)
        );
    }
    for row in store.peers().map_err(check).unwrap_or_default() {
        assert_eq!(row, peer(known[&row.id]), "{context}");
    }
    for row in store.bans().map_err(check).unwrap_or_default() {
        assert_eq!(row, ban(known[&row.subject]), "{context}");
    }
    for row in store.seen().map_err(check).unwrap_or_default() {
        assert_eq!(row, seen(known[&row.author]), "{context}");
    }
    for n in 0..9 {
        if let Some(found) = store
            .state(&n.to_string())
            .map_err(check)
            .unwrap_or_default()
        {
            assert_eq!(found, value(n), "{context}");
        }
    }
}

#[test]
fn r04_a_damaged_file_serves_the_truth_or_nothing() {
    let mutations: u64 = env::var("REPUTE_R04_MUTATIONS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(120);
    let originals = originals();
    let (mut opened, mut corrupt, mut foreign, mut newer) = (0, 0, 0, 0);
    for seed in 0..mutations {
        let mut rng = Rng::from_u64(seed);
        let dir = tempfile::tempdir().unwrap();
        let name = mutate(dir.path(), &originals, &mut rng, seed % 12);
        let context = format!("seed {seed}, {name}");
        match SqliteStore::open(dir.path(), Options::default()) {
            Ok((store, _)) => {
                opened += 1;
                everything_served_is_true(&store, &context);
                // What is damaged is set aside by now; writing answers, whatever it answers.
                let _ = answer(&store, vec![Write::Event(event(501)), Write::Peer(peer(3))]);
                everything_served_is_true(&store, &context);
                let _ = store.close();
            }
            Err(StoreError::Corrupt { .. }) => {
                corrupt += 1;
                let mut options = Options::default();
                options.on_corrupt = OnCorrupt::SetAside;
                let (store, report) = SqliteStore::open(dir.path(), options).unwrap();
                assert!(report.created && report.corruption.is_some(), "{context}");
                assert!(
                    report.set_aside.iter().all(|path| path.exists()),
                    "{context}"
                );
                assert_eq!(store.health().events, 0, "{context}");
                answer(&store, vec![Write::Event(event(1))]).unwrap();
            }
            Err(StoreError::ForeignFile { .. }) => foreign += 1,
            Err(StoreError::NewerSchema { .. }) => newer += 1,
            Err(error) => panic!("{context}: {error:?}"),
        }
    }
    eprintln!(
        "R04: {mutations} mutations: {opened} opened, {corrupt} corrupt, {foreign} foreign, \
         {newer} newer; 0 false records"
    );
    assert!(mutations < 100 || (opened > 0 && corrupt > 0 && foreign > 0));
}
