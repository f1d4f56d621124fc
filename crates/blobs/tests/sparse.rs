//! A file of 100 GiB is shared, streamed and verified in constant memory.
//!
//! `cargo test --release -p repute-blobs --features std --test sparse -- --ignored --nocapture`;
//! `REPUTE_SPARSE_GIB` sets another size.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

use core::ops::ControlFlow;
use std::{
    env, fs,
    io::{Seek, SeekFrom, Write},
};

use repute_blobs::{Decoder, GroupRanges, ImportMode, Store, StoreLimits};
use repute_protocol::groups_of;

/// The most memory this process ever had, in bytes, where the system says.
fn peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn share_verify_and_stream(gib: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse");
    let size = (gib << 30) + 5;
    let mut file = fs::File::create(&path).unwrap();
    file.set_len(size).unwrap();
    for at in [0, size / 3, size / 2, size - 9] {
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(b"not zero").unwrap();
    }
    let before = peak_bytes();
    let store = Store::open(folder.path().join("store"), StoreLimits::default()).unwrap();
    let go_on = &mut |_| ControlFlow::Continue(());
    let imported = store
        .import_file(&path, ImportMode::Reference, go_on)
        .unwrap();
    println!("shared {gib} GiB, peak {:?}", peak_bytes());

    let blob = store.blob(&imported.hash).unwrap();
    let groups = groups_of(size);
    assert_eq!(blob.check(|_| ()).unwrap(), GroupRanges::of(0..groups));
    println!("verified {gib} GiB, peak {:?}", peak_bytes());

    let wanted: GroupRanges = [0..70, groups / 3..groups / 3 + 64, groups - 40..groups]
        .into_iter()
        .collect();
    let mut encoder = blob.encoder(wanted.clone()).unwrap();
    let mut decoder = Decoder::new(imported.hash, size, wanted).unwrap();
    while let Some(piece) = encoder.next_piece().unwrap() {
        let mut piece = &piece[..];
        while let Some(proven) = decoder.feed(&mut piece).unwrap() {
            decoder.recycle(proven);
        }
    }
    decoder.finish().unwrap();
    if let (Some(before), Some(after)) = (before, peak_bytes()) {
        println!("peak before {before}, after {after} bytes");
        assert!(
            after - before < 32 << 20,
            "memory grew by {} bytes",
            after - before
        );
    }
}

#[test]
fn a_sparse_file_is_shared_and_verified_in_constant_memory() {
    share_verify_and_stream(1);
}

#[test]
#[ignore = "reads 200 GiB of zeros, which takes minutes"]
fn a_sparse_file_of_100_gib_is_shared_and_verified_in_constant_memory() {
    let gib = env::var("REPUTE_SPARSE_GIB").map_or(100, |text| text.parse().unwrap());
    share_verify_and_stream(gib);
}
