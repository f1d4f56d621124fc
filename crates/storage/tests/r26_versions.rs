//! R26: files of every released version of the schema open, and one of a later version is refused.
//!
//! The files lie in `tests/fixtures`, as the store of their time left them.
//! `UPDATE_FIXTURES=1 cargo test -p repute-storage --test r26_versions` makes those that are
//! missing; one that is there is never changed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use repute_base::Wall;
use repute_identity::NodeId;
use repute_storage::{
    BanRow, EventRow, Options, PeerRow, SeenRow, SqliteStore, Store, StoreError, Write, fixture,
};

/// The version that this program writes.
const NOW: u32 = 4;
const NAMES: [&str; 3] = ["last-start", "anchors", "empty"];

fn fixture_file(version: u32) -> PathBuf {
    let name = format!("tests/fixtures/store-v{version}.sqlite3");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn node(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

fn peers() -> Vec<PeerRow> {
    let peer = |n: u8| PeerRow {
        id: node(n),
        last_seen: Wall::from_millis(2_000 - u64::from(n)),
        body: vec![n; 40],
    };
    (0..5).map(peer).collect()
}

fn events() -> Vec<EventRow> {
    let event = |number: u64| EventRow {
        number,
        subject: node(u8::try_from(number % 3).unwrap()),
        wall: Wall::from_millis(number * 7),
        kind: 0x100 + u16::try_from(number).unwrap(),
        fault: u8::try_from(number % 3).unwrap(),
        context: 1,
        body: vec![u8::try_from(number).unwrap(); usize::try_from(number * 9).unwrap()],
    };
    (1..20).map(event).collect()
}

fn bans() -> Vec<BanRow> {
    let ban = |n: u8| BanRow {
        subject: node(n),
        until: (n != 1).then_some(Wall::from_millis(9_000)),
        body: vec![n; 12],
    };
    (0..3).map(ban).collect()
}

fn seen() -> Vec<SeenRow> {
    let seen = |n: u8| SeenRow {
        author: node(n),
        start: u64::MAX - u64::from(n),
        highest: 77,
        bitmap: vec![0xA5; 32],
        wall: Wall::from_millis(5),
    };
    (0..3).map(seen).collect()
}

fn value(name: &str) -> Vec<u8> {
    name.bytes().filter(|_| name != "empty").collect()
}

fn everything() -> Vec<Write> {
    let mut all: Vec<_> = peers().into_iter().map(Write::Peer).collect();
    all.extend(events().into_iter().map(Write::Event));
    all.extend(bans().into_iter().map(Write::Ban));
    all.push(Write::Seen(seen()));
    all.extend(NAMES.map(|name| Write::State {
        key: name.into(),
        value: value(name),
    }));
    all
}

fn answer(store: &SqliteStore, batch: Vec<Write>) -> Result<(), StoreError> {
    let (send, receive) = std::sync::mpsc::channel();
    store.write(batch, Box::new(move |result| drop(send.send(result))));
    receive.recv().unwrap()
}

fn holds_everything(store: &SqliteStore) {
    assert_eq!(store.peers().unwrap(), peers());
    let mut found = Vec::new();
    let report = store.events(&mut |event| found.push(event)).unwrap();
    assert_eq!((found, report.damaged), (events(), 0));
    assert_eq!(store.bans().unwrap(), bans());
    assert_eq!(store.seen().unwrap(), seen());
    for name in NAMES {
        assert_eq!(store.state(name).unwrap(), Some(value(name)));
    }
}

/// A data directory with the database of a version.
fn directory(version: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(fixture_file(version), dir.path().join("store.sqlite3")).unwrap();
    dir
}

#[test]
fn r26_files_of_every_released_version_open_with_all_they_hold() {
    if env::var("UPDATE_FIXTURES").is_ok() {
        make_missing();
    }
    for version in 1..=NOW {
        let dir = directory(version);
        let (store, report) = SqliteStore::open(dir.path(), Options::default()).unwrap();
        let migrated = (version < NOW).then_some(version);
        assert_eq!((report.migrated_from, report.created), (migrated, false));
        holds_everything(&store);
        let event = EventRow {
            number: 1_000,
            ..events()[0].clone()
        };
        answer(&store, vec![Write::Event(event)]).unwrap();
        store.close().unwrap();
        let (store, report) = SqliteStore::open(dir.path(), Options::default()).unwrap();
        assert_eq!(report.migrated_from, None, "version {version}");
        assert_eq!(store.health().events, 20, "version {version}");
    }
}

#[test]
fn r26_a_file_of_a_later_version_is_refused_in_plain_words_and_left_as_it_is() {
    for later in [NOW + 1, 99, u32::MAX >> 1] {
        let dir = directory(NOW);
        let path = dir.path().join("store.sqlite3");
        let mut bytes = fs::read(&path).unwrap();
        // Where SQLite keeps the version of the schema.
        bytes[60..64].copy_from_slice(&later.to_be_bytes());
        fs::write(&path, &bytes).unwrap();
        let refused = SqliteStore::open(dir.path(), Options::default()).unwrap_err();
        let (found, known) = (i64::from(later), i64::from(NOW));
        let expected = StoreError::NewerSchema {
            path: path.clone(),
            found,
            known,
        };
        assert_eq!(refused, expected);
        let said = refused.to_string();
        assert!(said.contains(&later.to_string()) && said.contains("use a newer program"));
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

/// Makes the files that are not there yet.
fn make_missing() {
    let made = |version: u32, dir: &Path| {
        if version == 1 {
            return fixture::version_1(dir, everything());
        }
        let (store, _) = SqliteStore::open(dir, Options::default())?;
        answer(&store, everything())?;
        store.close()
    };
    for version in 1..=NOW {
        let (to, dir) = (fixture_file(version), tempfile::tempdir().unwrap());
        if !to.exists() {
            made(version, dir.path()).unwrap();
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(dir.path().join("store.sqlite3"), to).unwrap();
        }
    }
}
