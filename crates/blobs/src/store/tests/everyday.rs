use core::ops::ControlFlow;
use std::{fs, io::Write, vec::Vec};

use repute_protocol::BlobHash;

use super::{GROUP, all, hash_of, is_whole, proven, read, sample, write};
use crate::{
    BLOB_BYTES_MAX, BlobState, GroupRanges, ImportMode, Store, StoreError, StoreLimits, Tag,
    tree_bytes,
};

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("blobs"), StoreLimits::default()).unwrap();
    (folder, store)
}

fn limited(limits: StoreLimits) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("blobs"), limits).unwrap();
    (folder, store)
}

#[test]
fn what_is_imported_is_there_after_opening_again() {
    let (folder, store) = store();
    let lengths = [0, 1, GROUP - 1, GROUP, GROUP + 1, (1 << 20) + 3, 3 << 20];
    for (seed, len) in lengths.into_iter().enumerate() {
        let data = sample(len, seed as u64);
        let imported = store.import_bytes(&data).unwrap();
        assert_eq!((imported.hash, imported.size), (hash_of(&data), len as u64));
    }
    let used = store.used_bytes();
    let expected: u64 = lengths
        .iter()
        .map(|len| *len as u64 + tree_bytes(*len as u64))
        .sum();
    assert_eq!(used, expected);
    drop(store);
    let store = Store::open(folder.path().join("blobs"), StoreLimits::default()).unwrap();
    assert_eq!(store.used_bytes(), used);
    for (seed, len) in lengths.into_iter().enumerate() {
        assert!(is_whole(&store, &sample(len, seed as u64)), "{len} bytes");
    }
    let first = store.list(None, 3);
    let second = store.list(Some(&first[2].hash), 100);
    assert_eq!((first.len(), second.len()), (3, 4));
    assert!(first[2].hash < second[0].hash);
}

#[test]
fn nobody_opens_the_store_twice_nor_takes_a_strangers_folder_for_one() {
    let (folder, store) = store();
    let path = folder.path().join("blobs");
    let again = Store::open(&path, StoreLimits::default());
    assert!(matches!(again, Err(StoreError::Locked(_))));
    drop(store);
    assert!(Store::open(&path, StoreLimits::default()).is_ok());
    fs::write(path.join("format"), "repute blobs 9\n").unwrap();
    let newer = Store::open(&path, StoreLimits::default());
    assert!(matches!(newer, Err(StoreError::Foreign(_))));
    let strange = folder.path().join("home");
    fs::create_dir_all(strange.join("drafts")).unwrap();
    fs::write(strange.join("drafts/novel.txt"), "Chapter one").unwrap();
    let foreign = Store::open(&strange, StoreLimits::default());
    assert!(matches!(foreign, Err(StoreError::Foreign(_))));
    assert!(strange.join("drafts/novel.txt").exists());
}

#[test]
fn a_fetch_goes_on_after_opening_again_and_serves_what_it_has() {
    let (folder, store) = store();
    let data = sample(50 * GROUP + 9, 1);
    let (hash, size) = (hash_of(&data), data.len() as u64);
    let partial = store.fetch(&hash, size).unwrap();
    write(&partial, &data, GroupRanges::of(10..30)).unwrap();
    assert!(partial.durable().is_empty() && !partial.is_size_proven());
    assert_eq!(partial.sync().unwrap(), GroupRanges::of(10..30));
    assert!(partial.sync().unwrap().is_empty());
    write(&partial, &data, GroupRanges::of(40..45)).unwrap();

    let blob = store.blob(&hash).unwrap();
    assert_eq!(blob.held(), [10..30, 40..45].into_iter().collect());
    let mut stream = Vec::new();
    let wanted: GroupRanges = [11..12, 42..44].into_iter().collect();
    blob.encoder(wanted)
        .unwrap()
        .fill(&mut stream, usize::MAX)
        .unwrap();
    assert!(stream.len() > 3 * GROUP);
    let absent = blob.encoder(GroupRanges::of(29..31));
    assert!(matches!(absent, Err(StoreError::NotHere(_))));
    let beyond = blob.encoder(GroupRanges::of(50..52));
    assert!(matches!(beyond, Err(StoreError::Misuse(_))));
    assert!(matches!(partial.complete(), Err(StoreError::NotHere(_))));
    drop((blob, partial, store));

    let store = Store::open(folder.path().join("blobs"), StoreLimits::default()).unwrap();
    assert_eq!(
        store.state(&hash).unwrap().state,
        BlobState::Partial { held: None }
    );
    let wrong_size = store.fetch(&hash, size + 1);
    assert!(matches!(wrong_size, Err(StoreError::SizeDiffers { .. })));
    let partial = store.fetch(&hash, size).unwrap();
    // Completing tried to make everything durable.
    assert_eq!(partial.durable(), [10..30, 40..45].into_iter().collect());
    write(&partial, &data, partial.missing()).unwrap();
    assert!(partial.is_size_proven());
    let blob = partial.complete().unwrap();
    assert_eq!(read(&blob), data);
    assert_eq!(read(&partial.complete().unwrap()), data);
    assert!(matches!(
        store.fetch(&hash, size),
        Err(StoreError::Whole(_))
    ));
    assert_eq!(store.state(&hash).unwrap().state, BlobState::Whole);
    drop((blob, partial, store));
    let store = Store::open(folder.path().join("blobs"), StoreLimits::default()).unwrap();
    assert!(is_whole(&store, &data));
}

#[test]
fn blobs_of_every_length_are_fetched() {
    let (folder, mut store) = store();
    for (seed, len) in [0, 1, GROUP - 1, GROUP, GROUP + 1, 7 * GROUP + 5]
        .into_iter()
        .enumerate()
    {
        let data = sample(len, seed as u64);
        let (hash, size) = (hash_of(&data), len as u64);
        let partial = store.fetch(&hash, size).unwrap();
        write(&partial, &data, partial.missing()).unwrap();
        partial.sync().unwrap();
        drop((partial, store));
        store = Store::open(folder.path().join("blobs"), StoreLimits::default()).unwrap();
        let partial = store.fetch(&hash, size).unwrap();
        assert_eq!(partial.durable(), all(size), "{len} bytes");
        assert_eq!(read(&partial.complete().unwrap()), data);
    }
}

#[test]
fn a_fetch_takes_no_groups_of_other_blobs() {
    let (_folder, store) = store();
    let (data, other) = (sample(5 * GROUP, 1), sample(5 * GROUP, 2));
    let partial = store.fetch(&hash_of(&data), data.len() as u64).unwrap();
    let refused = write(&partial, &other, GroupRanges::of(0..2));
    assert!(matches!(refused, Err(StoreError::OtherBlob(_))));
    let lie = store.fetch(&hash_of(&other), 6 * GROUP as u64).unwrap();
    let refused = write(&lie, &other, GroupRanges::of(0..2));
    assert!(matches!(refused, Err(StoreError::OtherBlob(_))));
    // A size that turned out a lie is thrown away.
    assert!(matches!(
        store.discard(&hash_of(&other)),
        Err(StoreError::InUse(_))
    ));
    drop(lie);
    store.discard(&hash_of(&other)).unwrap();
    assert!(store.fetch(&hash_of(&other), 5 * GROUP as u64).is_ok());
}

#[test]
fn many_write_one_fetch_at_once() {
    let (_folder, store) = store();
    let data = sample(64 * GROUP, 1);
    let partial = store.fetch(&hash_of(&data), data.len() as u64).unwrap();
    std::thread::scope(|scope| {
        for part in 0..4 {
            let (partial, data) = (partial.clone(), &data);
            scope.spawn(move || {
                write(&partial, data, GroupRanges::of(part * 16..part * 16 + 16)).unwrap();
                partial.sync().unwrap();
            });
        }
    });
    assert_eq!(partial.durable(), all(data.len() as u64));
    assert_eq!(read(&partial.complete().unwrap()), data);
}

#[test]
fn the_quota_is_kept_and_garbage_gives_it_back() {
    let group = GROUP as u64;
    let (_folder, store) = limited(StoreLimits {
        quota_bytes: 10 * group,
        ..StoreLimits::default()
    });
    let first = store.import_bytes(&sample(4 * GROUP, 1)).unwrap();
    let tag = Tag {
        hash: first.hash,
        collection: false,
    };
    store.tag("first", tag).unwrap();
    let second = store.import_bytes(&sample(4 * GROUP, 2)).unwrap();
    let third = store.import_bytes(&sample(2 * GROUP, 3));
    let expected = 2 * group + 64;
    assert!(matches!(third, Err(StoreError::Quota { needed, .. }) if needed == expected));
    let hostile = BlobHash::from_bytes([7; 32]);
    let claim = store.fetch(&hostile, BLOB_BYTES_MAX);
    assert!(matches!(claim, Err(StoreError::Quota { .. })));
    assert!(matches!(
        store.fetch(&hostile, BLOB_BYTES_MAX + 1),
        Err(StoreError::Misuse(_))
    ));
    assert!(store.state(&hostile).is_none());
    // What is held is not collected.
    assert_eq!(store.collect_garbage().unwrap().blobs, 0);
    drop((first, second));
    let garbage = store.collect_garbage().unwrap();
    assert_eq!((garbage.blobs, garbage.bytes), (1, 4 * group + 3 * 64));
    assert!(is_whole(&store, &sample(4 * GROUP, 1)));
    assert!(store.import_bytes(&sample(2 * GROUP, 3)).is_ok());
    assert_eq!(store.untag("first").unwrap(), Some(tag));
    assert_eq!(store.untag("first").unwrap(), None);
    assert_eq!(store.collect_garbage().unwrap().blobs, 2);
    assert_eq!(store.used_bytes(), 0);
}

#[test]
fn blobs_tags_and_open_files_are_bounded() {
    let (_folder, store) = limited(StoreLimits {
        blobs_max: 3,
        open_max: 2,
        tags_max: 1,
        ..StoreLimits::default()
    });
    let hashes: Vec<_> = (0..3)
        .map(|seed| store.import_bytes(&sample(10, seed)).unwrap())
        .collect();
    let fourth = store.import_bytes(&sample(10, 4));
    assert!(matches!(
        fourth,
        Err(StoreError::TooMany { what: "blobs", .. })
    ));
    let open = [
        store.blob(&hashes[0].hash).unwrap(),
        store.blob(&hashes[1].hash).unwrap(),
    ];
    assert!(store.blob(&hashes[0].hash).is_ok(), "open already");
    let third = store.blob(&hashes[2].hash);
    assert!(matches!(
        third,
        Err(StoreError::TooMany {
            what: "open blobs",
            ..
        })
    ));
    drop(open);
    assert!(store.blob(&hashes[2].hash).is_ok());
    let tag = Tag {
        hash: hashes[0].hash,
        collection: false,
    };
    store.tag("a", tag).unwrap();
    assert!(matches!(
        store.tag("b", tag),
        Err(StoreError::TooMany { what: "tags", .. })
    ));
    store
        .tag(
            "a",
            Tag {
                collection: true,
                ..tag
            },
        )
        .unwrap();
    assert!(store.tag(&"x".repeat(257), tag).is_err());
}

#[test]
fn a_damaged_blob_serves_nothing_wrong_and_is_mended_by_fetching() {
    let (folder, store) = store();
    let data = sample(40 * GROUP, 1);
    let hash = store.import_bytes(&data).unwrap().hash;
    let path = folder.path().join(std::format!("blobs/blobs/{hash}.data"));
    let mut rotten = data.clone();
    rotten[17 * GROUP + 5] ^= 1;
    fs::write(&path, &rotten).unwrap();

    let blob = store.blob(&hash).unwrap();
    let mut out = Vec::new();
    let mut encoder = blob.encoder(all(data.len() as u64)).unwrap();
    let error = encoder.fill(&mut out, usize::MAX).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(out.len() < 18 * GROUP + 40 * 64);
    drop((blob, encoder));

    let sound = store.mend(&hash, |_| ()).unwrap();
    assert_eq!(sound.len(), 39);
    let partial = store.fetch(&hash, data.len() as u64).unwrap();
    assert_eq!(partial.missing(), GroupRanges::of(17..18));
    write(&partial, &data, partial.missing()).unwrap();
    assert_eq!(read(&partial.complete().unwrap()), data);
    drop(partial);
    assert_eq!(store.mend(&hash, |_| ()).unwrap(), all(data.len() as u64));

    // Shortened, and without its tree.
    fs::write(&path, &data[..10 * GROUP]).unwrap();
    let blob = store.blob(&hash).unwrap();
    assert!(matches!(
        blob.read_all(u64::MAX),
        Err(StoreError::Damaged { .. })
    ));
    assert_eq!(blob.check(|_| ()).unwrap(), GroupRanges::of(0..10));
    fs::write(
        folder.path().join(std::format!("blobs/blobs/{hash}.tree")),
        [],
    )
    .unwrap();
    assert!(blob.check(|_| ()).unwrap().is_empty());
    assert!(matches!(
        blob.read_all(u64::MAX),
        Err(StoreError::Damaged { .. })
    ));
}

#[test]
fn what_somebody_took_from_a_fetch_is_fetched_again() {
    let (folder, store) = store();
    let data = sample(20 * GROUP + 1, 1);
    let (hash, size) = (hash_of(&data), data.len() as u64);
    let partial = store.fetch(&hash, size).unwrap();
    write(&partial, &data, GroupRanges::of(0..15)).unwrap();
    partial.sync().unwrap();
    drop((partial, store));
    let path = folder.path().join(std::format!("blobs/blobs/{hash}.part"));
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(7 * GROUP as u64 + 3).unwrap();
    let store = Store::open(folder.path().join("blobs"), StoreLimits::default()).unwrap();
    let partial = store.fetch(&hash, size).unwrap();
    assert_eq!(partial.durable(), GroupRanges::of(0..7));
    write(&partial, &data, partial.missing()).unwrap();
    assert_eq!(read(&partial.complete().unwrap()), data);
}

#[test]
fn leftovers_go_and_strangers_files_stay() {
    let (folder, store) = store();
    drop(store);
    let root = folder.path().join("blobs");
    let hash = hash_of(b"nothing");
    for name in ["tree", "part"] {
        fs::write(root.join(std::format!("blobs/{hash}.{name}")), b"left").unwrap();
    }
    fs::write(root.join("drafts/12"), b"left").unwrap();
    fs::write(root.join("blobs/README.txt"), b"mine").unwrap();
    fs::write(root.join(std::format!("blobs/{hash}.have")), b"torn").unwrap();
    let store = Store::open(&root, StoreLimits::default()).unwrap();
    assert!(store.list(None, 10).is_empty());
    let left: Vec<_> = fs::read_dir(root.join("blobs"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["README.txt"]);
    assert_eq!(fs::read_dir(root.join("drafts")).unwrap().count(), 0);
}

#[test]
fn an_import_can_be_cancelled_and_leaves_nothing() {
    let (folder, store) = store();
    let path = folder.path().join("file");
    fs::write(&path, sample(5 << 20, 1)).unwrap();
    let mut calls = 0;
    let result = store.import_file(&path, ImportMode::Copy, &mut |_| {
        calls += 1;
        if calls == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(matches!(result, Err(StoreError::Cancelled)));
    assert_eq!(store.used_bytes(), 0);
    assert_eq!(
        fs::read_dir(folder.path().join("blobs/drafts"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn holes_stay_holes_when_a_file_is_copied() {
    let (folder, store) = store();
    let path = folder.path().join("sparse");
    let mut file = fs::File::create(&path).unwrap();
    file.set_len(64 << 20).unwrap();
    file.write_all(b"only this").unwrap();
    let imported = store
        .import_file(&path, ImportMode::Copy, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    let blob = store.blob(&imported.hash).unwrap();
    assert_eq!(blob.check(|_| ()).unwrap(), all(64 << 20));
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let kept = folder
            .path()
            .join(std::format!("blobs/blobs/{}.data", imported.hash));
        let metadata = fs::metadata(kept).unwrap();
        assert_eq!(metadata.len(), 64 << 20);
        assert!(
            metadata.blocks() * 512 < 8 << 20,
            "{} blocks",
            metadata.blocks()
        );
    }
    assert_eq!(proven(b"", GroupRanges::of(0..1)).len(), 1);
}
