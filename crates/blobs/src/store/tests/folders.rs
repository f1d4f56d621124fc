use core::ops::ControlFlow;
use std::{fs, path::Path, string::ToString, vec, vec::Vec};

use super::sample;
use crate::{
    Collection, CollectionEntry, ExportMode, ImportMode, Store, StoreError, StoreLimits, Tag,
};

fn open(folder: &Path) -> Store {
    Store::open(folder.join("store"), StoreLimits::default()).unwrap()
}

fn plant(root: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let files = vec![
        ("a.txt", sample(10, 1)),
        ("empty", Vec::new()),
        ("sub/b.bin", sample(100_000, 2)),
        ("sub/deeper/c", sample(20_000, 3)),
        ("sub/same", sample(10, 1)),
    ];
    for (name, bytes) in &files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    files
}

#[test]
fn a_folder_goes_in_and_comes_out() {
    let folder = tempfile::tempdir().unwrap();
    let files = plant(&folder.path().join("in"));
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("in/link")).unwrap();
    let store = open(folder.path());
    let imported = store
        .import_folder(&folder.path().join("in"), ImportMode::Copy, &mut |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(imported.skipped, u64::from(cfg!(unix)));
    let names: Vec<_> = imported
        .collection
        .entries()
        .iter()
        .map(|e| e.name.as_str())
        .collect();
    assert_eq!(
        names,
        files.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    );
    assert_eq!(imported.collection.total_bytes(), 120_020);

    // A tag on the collection keeps its files.
    let hash = imported.imported.hash;
    store
        .tag(
            "folder",
            Tag {
                hash,
                collection: true,
            },
        )
        .unwrap();
    drop(imported);
    assert_eq!(store.collect_garbage().unwrap().blobs, 0);

    let out = folder.path().join("out");
    let collection = store.blob(&hash).unwrap();
    assert_eq!(
        store
            .export_folder(&collection, &out, ExportMode::Copy)
            .unwrap(),
        5
    );
    for (name, bytes) in &files {
        assert_eq!(&fs::read(out.join(name)).unwrap(), bytes, "{name}");
    }
    // Again, with one missing: only that one is written.
    fs::remove_file(out.join("sub/b.bin")).unwrap();
    assert_eq!(
        store
            .export_folder(&collection, &out, ExportMode::Copy)
            .unwrap(),
        1
    );
    fs::write(out.join("a.txt"), "mine, and longer").unwrap();
    let refused = store.export_folder(&collection, &out, ExportMode::Copy);
    assert!(matches!(refused, Err(StoreError::Path { .. })));
    assert_eq!(fs::read(out.join("a.txt")).unwrap(), b"mine, and longer");

    drop(collection);
    store
        .tag(
            "folder",
            Tag {
                hash,
                collection: false,
            },
        )
        .unwrap();
    assert_eq!(
        store.collect_garbage().unwrap().blobs,
        4,
        "a.txt and sub/same are one blob"
    );
}

#[test]
fn no_collection_of_a_peer_writes_outside_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let file = store.import_bytes(b"evil").unwrap();
    // The bytes of a hostile collection, which no honest one has.
    let honest = Collection::new(vec![CollectionEntry {
        name: "eleven-long".to_string(),
        hash: file.hash,
        size: 4,
    }]);
    let honest = honest.unwrap().encode();
    let names = [
        "../../../ab",
        "/etc/passwd",
        "..\\..\\..\\x",
        "a/../../../b",
        "con",
        "a\0bcdefghij",
    ];
    for name in names {
        let mut bytes = honest[..20].to_vec();
        bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&honest[33..]);
        let hash = store.import_bytes(&bytes).unwrap().hash;
        let blob = store.blob(&hash).unwrap();
        let out = folder.path().join("deep/deep/out");
        let result = store.export_folder(&blob, &out, ExportMode::Copy);
        assert!(
            matches!(result, Err(StoreError::Name { .. })),
            "{name:?}: {result:?}"
        );
        assert!(!out.exists());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn no_link_leads_an_export_out_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    plant(&folder.path().join("in"));
    let imported = store
        .import_folder(
            &folder.path().join("in"),
            ImportMode::Reference,
            &mut |_| ControlFlow::Continue(()),
        )
        .unwrap();
    let (out, elsewhere) = (folder.path().join("out"), folder.path().join("elsewhere"));
    fs::create_dir_all(&out).unwrap();
    fs::create_dir_all(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, out.join("sub")).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("x"), out.join("empty")).unwrap();
    let blob = store.blob(&imported.imported.hash).unwrap();
    let result = store.export_folder(&blob, &out, ExportMode::Copy);
    assert!(matches!(result, Err(StoreError::Path { .. })), "{result:?}");
    fs::remove_file(out.join("empty")).unwrap();
    let result = store.export_folder(&blob, &out, ExportMode::Copy);
    assert!(matches!(result, Err(StoreError::Path { .. })), "{result:?}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn what_is_no_collection_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for bytes in [&b"hello"[..], b"", b"repute folder 1\n"] {
        let hash = store.import_bytes(bytes).unwrap().hash;
        let result = store.blob(&hash).unwrap().collection();
        assert!(matches!(result, Err(StoreError::NoCollection { .. })));
    }
    let large = vec![0; Collection::BYTES_MAX + 1];
    let hash = store.import_bytes(&large).unwrap().hash;
    let result = store.blob(&hash).unwrap().collection();
    assert!(matches!(result, Err(StoreError::NoCollection { .. })));
}
