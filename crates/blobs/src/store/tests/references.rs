use core::ops::ControlFlow;
use std::{
    fs::{self, FileTimes, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
    vec::Vec,
};

use super::{GROUP, all, is_whole, read, sample};
use crate::{
    BlobState, ExportMode, ImportMode, Imported, Store, StoreError, StoreLimits, Tag, tree_bytes,
};

fn refer(store: &Store, path: &Path) -> Imported {
    store
        .import_file(path, ImportMode::Reference, &mut |_| {
            ControlFlow::Continue(())
        })
        .unwrap()
}

fn open(folder: &Path) -> Store {
    Store::open(folder.join("store"), StoreLimits::default()).unwrap()
}

#[test]
fn a_reference_takes_no_space_but_its_tree_and_survives() {
    let folder = tempfile::tempdir().unwrap();
    let (path, data) = (folder.path().join("film"), sample(30 * GROUP + 1, 1));
    fs::write(&path, &data).unwrap();
    let store = open(folder.path());
    let imported = refer(&store, &path);
    assert_eq!(store.used_bytes(), tree_bytes(data.len() as u64));
    assert!(is_whole(&store, &data));
    drop((imported, store));
    let store = open(folder.path());
    assert!(is_whole(&store, &data));
    assert_eq!(store.list(None, 9)[0].state, BlobState::Reference);
    assert_eq!(store.collect_garbage().unwrap().blobs, 1);
    assert_eq!(fs::read(&path).unwrap(), data, "only forgotten");
}

#[test]
fn a_changed_file_is_never_served_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (path, data) = (folder.path().join("film"), sample(30 * GROUP, 1));
    fs::write(&path, &data).unwrap();
    let store = open(folder.path());
    let hash = refer(&store, &path).hash;
    let changed = |result: Result<Vec<u8>, StoreError>| {
        assert!(
            matches!(result, Err(StoreError::SourceChanged { .. })),
            "{result:?}"
        );
    };
    let read_all = || store.blob(&hash).and_then(|blob| blob.read_all(u64::MAX));
    let modified = fs::metadata(&path).unwrap().modified().unwrap();

    // Changed behind its back, with the old time and length, while it is open.
    let blob = store.blob(&hash).unwrap();
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(20 * GROUP as u64)).unwrap();
    file.write_all(b"another").unwrap();
    file.set_times(FileTimes::new().set_modified(modified))
        .unwrap();
    let mut out = Vec::new();
    let mut encoder = blob.encoder(all(data.len() as u64)).unwrap();
    let error = encoder.fill(&mut out, usize::MAX).unwrap_err();
    assert!(matches!(error, StoreError::SourceChanged { .. }), "{error}");
    assert!(
        out.len() < 20 * GROUP + 64 * 30,
        "all before the change, nothing of it"
    );
    assert_eq!(blob.check(|_| ()).unwrap().len(), 29);
    drop((blob, encoder));
    changed(read_all());

    // With a new time.
    fs::write(&path, &data).unwrap();
    changed(read_all());
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_times(FileTimes::new().set_modified(modified))
        .unwrap();
    assert_eq!(read_all().unwrap(), data, "the same bytes as of then");

    // Shorter, longer, gone, no file.
    file.set_len(10).unwrap();
    changed(read_all());
    file.set_len(data.len() as u64 + 1).unwrap();
    changed(read_all());
    fs::remove_file(&path).unwrap();
    changed(read_all());
    fs::create_dir(&path).unwrap();
    assert!(read_all().is_err());
}

#[test]
fn a_copy_takes_the_place_of_a_reference_and_not_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let (path, data) = (folder.path().join("film"), sample(5 * GROUP, 1));
    fs::write(&path, &data).unwrap();
    let store = open(folder.path());
    let hash = refer(&store, &path).hash;
    store.import_bytes(&data).unwrap();
    assert_eq!(store.state(&hash).unwrap().state, BlobState::Whole);
    refer(&store, &path);
    assert_eq!(store.state(&hash).unwrap().state, BlobState::Whole);
    fs::remove_file(&path).unwrap();
    assert!(is_whole(&store, &data));
    assert_eq!(
        store.used_bytes(),
        data.len() as u64 + tree_bytes(data.len() as u64)
    );
}

#[test]
fn what_is_no_file_or_the_stores_own_is_not_imported() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let import =
        |path: &Path| store.import_file(path, ImportMode::Copy, &mut |_| ControlFlow::Continue(()));
    assert!(import(folder.path()).is_err());
    #[cfg(unix)]
    {
        // Opening a pipe that nobody writes to would wait for ever.
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.is_ok_and(|status| status.success()));
        assert!(import(&pipe).is_err());
    }
    assert!(import(&folder.path().join("store/format")).is_err());
    assert!(import(&folder.path().join("absent")).is_err());
}

#[test]
fn an_export_is_where_the_caller_says_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = sample(70 * GROUP + 3, 1);
    let store = open(folder.path());
    let hash = store.import_bytes(&data).unwrap().hash;
    store
        .tag(
            "it",
            Tag {
                hash,
                collection: false,
            },
        )
        .unwrap();
    let blob = store.blob(&hash).unwrap();
    let target = folder.path().join("out");
    store.export(&blob, &target, ExportMode::Copy).unwrap();
    assert_eq!(fs::read(&target).unwrap(), data);
    let again = store.export(&blob, &target, ExportMode::Copy);
    assert!(matches!(again, Err(StoreError::Path { .. })));
    assert!(
        store
            .export(&blob, &folder.path().join("store/x"), ExportMode::Copy)
            .is_err()
    );
    assert!(
        store
            .export(&blob, &folder.path().join("no/x"), ExportMode::Copy)
            .is_err()
    );
    assert!(
        store
            .export(&blob, Path::new("/"), ExportMode::Copy)
            .is_err()
    );

    let moved = folder.path().join("moved");
    store.export(&blob, &moved, ExportMode::Move).unwrap();
    assert_eq!(fs::read(&moved).unwrap(), data);
    assert_eq!(store.state(&hash).unwrap().state, BlobState::Reference);
    assert_eq!(read(&blob), data, "still readable where it was open");
    drop(blob);
    assert!(is_whole(&store, &data));
    assert_eq!(store.used_bytes(), tree_bytes(data.len() as u64));
    drop(store);
    let store = open(folder.path());
    assert!(is_whole(&store, &data));
    // What is a reference already is copied, and refers to the copy.
    let third = folder.path().join("third");
    store
        .export(&store.blob(&hash).unwrap(), &third, ExportMode::Move)
        .unwrap();
    fs::remove_file(&moved).unwrap();
    assert!(is_whole(&store, &data));
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 3, "out, third, store");
}

#[test]
fn a_damaged_blob_is_not_exported() {
    let folder = tempfile::tempdir().unwrap();
    let data = sample(9 * GROUP, 1);
    let store = open(folder.path());
    let hash = store.import_bytes(&data).unwrap().hash;
    let path = folder.path().join(std::format!("store/blobs/{hash}.data"));
    let mut rotten = data;
    rotten[3] ^= 1;
    fs::write(path, rotten).unwrap();
    let target = folder.path().join("out");
    let blob = store.blob(&hash).unwrap();
    let result = store.export(&blob, &target, ExportMode::Copy);
    assert!(matches!(result, Err(StoreError::Damaged { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
