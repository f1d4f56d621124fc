//! The store under power cuts, failures and full disks, at every operation of a workload.

use std::{boxed::Box, path::PathBuf, string::String, vec::Vec};

use repute_base::Rng;
use repute_protocol::BlobHash;

use super::{
    GROUP, all, hash_of, is_whole,
    memory_disk::{Fault, MemoryDisk},
    sample, write,
};
use crate::{GroupRanges, Store, StoreError, StoreLimits, Tag};

fn open(disk: &MemoryDisk) -> Result<Store, StoreError> {
    let root = PathBuf::from("/store");
    Store::open_on(Box::new(disk.clone()), root, StoreLimits::default(), None)
}

/// What the store promised so far.
#[derive(Default)]
struct Promised {
    whole: Vec<Vec<u8>>,
    durable: Vec<(Vec<u8>, GroupRanges)>,
    tags: Vec<(String, Tag)>,
    gone: Vec<BlobHash>,
}

fn tag_of(data: &[u8]) -> Tag {
    Tag {
        hash: hash_of(data),
        collection: false,
    }
}

/// Imports, fetches in four steps, tags, completes, collects garbage; tells what is promised.
fn work(disk: &MemoryDisk, promised: &mut Promised) -> Result<(), StoreError> {
    let large = sample(21 * GROUP + 77, 1);
    let fetched = sample(18 * GROUP + 5, 2);
    let small = sample(300, 3);
    let garbage = sample(3 * GROUP, 4);

    let store = open(disk)?;
    for (name, data) in [("large", &large), ("small", &small)] {
        let imported = store.import_bytes(data)?;
        store.tag(name, tag_of(data))?;
        promised.tags.push((name.into(), tag_of(data)));
        promised.whole.push(data.clone());
        drop(imported);
    }
    store.import_bytes(&garbage)?;

    let hash = hash_of(&fetched);
    store.tag("fetched", tag_of(&fetched))?;
    promised.tags.push(("fetched".into(), tag_of(&fetched)));
    if !is_whole(&store, &fetched) {
        let partial = store.fetch(&hash, fetched.len() as u64)?;
        for step in [15..19, 0..4, 9..12] {
            let step = GroupRanges::of(step).intersection(&partial.missing());
            write(&partial, &fetched, step)?;
            partial.sync()?;
            promised.durable.push((fetched.clone(), partial.durable()));
        }
        let missing = partial.missing();
        write(&partial, &fetched, missing)?;
        drop(partial.complete()?);
    }
    promised.durable.clear();
    promised.whole.push(fetched);
    store.collect_garbage()?;
    promised.gone.push(hash_of(&garbage));
    Ok(())
}

fn check(store: &Store, promised: &Promised, context: &str) {
    for data in &promised.whole {
        assert!(is_whole(store, data), "{context}: a whole blob is gone");
    }
    for (data, groups) in &promised.durable {
        let hash = hash_of(data);
        if is_whole(store, data) {
            continue;
        }
        let partial = store.fetch(&hash, data.len() as u64).unwrap();
        let durable = partial.durable();
        assert!(
            groups.is_subset(&durable),
            "{context}: {durable:?} lacks of {groups:?}"
        );
    }
    for (name, tag) in &promised.tags {
        let tags = store.tags();
        assert!(
            tags.contains(&(name.clone(), *tag)),
            "{context}: tag {name} is gone"
        );
    }
    for hash in &promised.gone {
        assert!(store.state(hash).is_none(), "{context}: garbage came back");
    }
    // Whatever the store says it has, it has.
    for found in store.list(None, usize::MAX) {
        let blob = store.blob(&found.hash).unwrap();
        let sound = blob.check(|_| ()).unwrap();
        assert_eq!(sound, blob.held(), "{context}: {found:?}");
    }
}

fn operations() -> u64 {
    let disk = MemoryDisk::new();
    work(&disk, &mut Promised::default()).unwrap();
    disk.operations()
}

#[test]
fn after_a_power_cut_anywhere_everything_promised_is_there_and_nothing_false() {
    let total = operations();
    assert!(total > 60, "{total} operations");
    std::println!("{total} operations");
    let images = std::env::var("REPUTE_BLOBS_IMAGES").map_or(2, |text| text.parse().unwrap());
    for at in 0..total {
        for image in 0..images {
            let disk = MemoryDisk::new();
            disk.set_fault(Fault::PowerCut { at });
            let mut promised = Promised::default();
            assert!(work(&disk, &mut promised).is_err());
            assert!(disk.struck() > 0);
            let context = std::format!("cut before operation {at}, image {image}");
            let mut rng = Rng::from_u64(at * images + image);
            let disk = disk.after_power_cut(&mut rng);
            let store = open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
            check(&store, &promised, &context);
            drop(store);
            // And once more, cut while it recovers.
            disk.set_fault(Fault::PowerCut { at: rng.below(6) });
            let _ = open(&disk);
            let disk = disk.after_power_cut(&mut rng);
            let store = open(&disk).unwrap_or_else(|error| panic!("{context}, again: {error}"));
            check(&store, &promised, &context);
            drop(store);
            // The work goes on where it was.
            work(&disk, &mut promised).unwrap_or_else(|error| panic!("{context}: {error}"));
            check(&open(&disk).unwrap(), &promised, &context);
        }
    }
}

#[test]
fn a_single_failure_anywhere_is_told_and_the_next_try_succeeds() {
    for at in 0..operations() {
        let disk = MemoryDisk::new();
        disk.set_fault(Fault::Once { at });
        let mut promised = Promised::default();
        let first = work(&disk, &mut promised);
        let context = std::format!("operation {at} fails");
        if disk.struck() == 0 {
            continue;
        }
        // Only removing leftovers may fail unheard.
        check(&open(&disk).unwrap(), &promised, &context);
        if first.is_err() {
            work(&disk, &mut promised).unwrap_or_else(|error| panic!("{context}: {error}"));
        }
        check(&open(&disk).unwrap(), &promised, &context);
    }
}

#[test]
fn a_full_disk_is_told_as_such_and_the_store_goes_on_when_there_is_space() {
    let mut full = 0;
    for room in (0..2_000_000).step_by(40_000) {
        let disk = MemoryDisk::new();
        disk.set_fault(Fault::Full { bytes: room });
        let mut promised = Promised::default();
        match work(&disk, &mut promised) {
            Ok(()) => assert_eq!(disk.struck(), 0),
            Err(StoreError::DiskFull(_)) => full += 1,
            Err(error) => panic!("{room} bytes: {error}"),
        }
        let context = std::format!("{room} bytes");
        disk.set_fault(Fault::None);
        check(&open(&disk).unwrap(), &promised, &context);
        work(&disk, &mut promised).unwrap_or_else(|error| panic!("{context}: {error}"));
        check(&open(&disk).unwrap(), &promised, &context);
    }
    assert!(full > 10, "the disk was full {full} times");
}

#[test]
fn a_full_disk_stops_neither_readers_nor_an_open_fetch() {
    let disk = MemoryDisk::new();
    let data = sample(30 * GROUP, 8);
    let store = open(&disk).unwrap();
    let partial = store.fetch(&hash_of(&data), data.len() as u64).unwrap();
    write(&partial, &data, GroupRanges::of(0..10)).unwrap();
    partial.sync().unwrap();
    disk.set_fault(Fault::Full { bytes: 0 });
    let refused = write(&partial, &data, GroupRanges::of(10..30));
    assert!(matches!(refused, Err(StoreError::DiskFull(_))));
    assert_eq!(partial.written(), GroupRanges::of(0..10));
    assert!(partial.blob().encoder(GroupRanges::of(0..10)).is_ok());
    disk.set_fault(Fault::None);
    write(&partial, &data, partial.missing()).unwrap();
    drop(partial.complete().unwrap());
    assert!(is_whole(&store, &data));
    assert_eq!(
        store.blob(&hash_of(&data)).unwrap().held(),
        all(data.len() as u64)
    );
}

#[test]
fn a_log_that_grows_is_written_anew() {
    let disk = MemoryDisk::new();
    let data = sample(2 * GROUP, 9);
    let store = open(&disk).unwrap();
    let other = sample(4 * GROUP, 10);
    for round in 0..5_000 {
        store
            .tag("again", tag_of(if round % 2 == 0 { &data } else { &other }))
            .unwrap();
    }
    drop(store);
    let store = open(&disk).unwrap();
    assert_eq!(store.tags(), [(String::from("again"), tag_of(&other))]);
}
