//! Shares a file out of one store into another, through the stream that travels, disk to disk.
//!
//! `cargo run --release -p repute-blobs --features std --example store -- [MIB] [FOLDER]`

use core::ops::ControlFlow;
use std::{env, error::Error, fs, io::Write, path::PathBuf, sync::mpsc, thread, time::Instant};

use repute_blobs::{
    Decoder, ExportMode, GroupRanges, ImportMode, Partial, Proven, Store, StoreLimits,
};
use repute_protocol::groups_of;

const ROUNDS: usize = 5;
/// What is made durable together.
const SYNC_BYTES: u64 = 64 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mib: usize = env::args().nth(1).map_or(Ok(256), |text| text.parse())?;
    let folder = env::args().nth(2).map_or_else(env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder)?;
    let source = folder.path().join("source");
    let mut file = fs::File::create(&source)?;
    for number in 0..mib as u64 {
        let block: Vec<u8> = (0..1 << 20_u64)
            .map(|at| (at * 31 + (at >> 9) + number) as u8)
            .collect();
        file.write_all(&block)?;
    }
    file.sync_all()?;
    for round in 0..ROUNDS {
        let path = |name| folder.path().join(format!("{name}{round}"));
        let sharing = Store::open(path("sharing"), StoreLimits::default())?;
        let begun = Instant::now();
        let go_on = &mut |_| ControlFlow::Continue(());
        let imported = sharing.import_file(&source, ImportMode::Reference, go_on)?;
        let referred = mib as f64 / begun.elapsed().as_secs_f64();

        let fetching = Store::open(path("fetching"), StoreLimits::default())?;
        let partial = fetching.fetch(&imported.hash, imported.size)?;
        let begun = Instant::now();
        transfer(&sharing, &partial)?;
        let blob = partial.complete()?;
        let fetched = mib as f64 / begun.elapsed().as_secs_f64();

        let begun = Instant::now();
        assert_eq!(blob.check(|_| ())?.len(), groups_of(blob.size()));
        let checked = mib as f64 / begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        fetching.export(&blob, &path("out"), ExportMode::Copy)?;
        let exported = mib as f64 / begun.elapsed().as_secs_f64();
        println!(
            "MiB/s: share by reference {referred:.0}, fetch disk to disk {fetched:.0}, verify {checked:.0}, export a copy {exported:.0}"
        );
        for name in ["sharing", "fetching"] {
            fs::remove_dir_all(path(name))?;
        }
        fs::remove_file(path("out"))?;
    }
    Ok(())
}

/// One thread reads, proves and makes the stream, one takes it apart, one writes, one makes it
/// durable.
fn transfer(sharing: &Store, partial: &Partial) -> Result<(), Box<dyn Error>> {
    let blob = sharing.blob(&partial.hash())?;
    let all = GroupRanges::of(0..groups_of(partial.size()));
    let mut encoder = blob.encoder(all.clone())?;
    let mut decoder = Decoder::new(partial.hash(), partial.size(), all)?;
    let (send, receive) = mpsc::sync_channel(8);
    let (hand_on, write) = mpsc::sync_channel::<Proven>(8);
    let (give_back, back) = mpsc::channel::<Proven>();
    let (is_due, due) = mpsc::sync_channel::<()>(1);
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            while let Some(piece) = encoder.next_piece()? {
                if send.send(piece).is_err() {
                    break;
                }
            }
            Ok::<_, repute_blobs::StoreError>(())
        });
        let writer = scope.spawn(move || {
            let mut waiting = 0;
            for proven in write {
                partial.write(&proven)?;
                waiting += proven.bytes().len() as u64;
                let _ = give_back.send(proven);
                if waiting >= SYNC_BYTES {
                    // If the disk is still busy with the last, this waits for the next.
                    let _ = is_due.try_send(());
                    waiting = 0;
                }
            }
            Ok::<_, repute_blobs::StoreError>(())
        });
        let syncer = scope.spawn(move || due.iter().try_for_each(|()| partial.sync().map(|_| ())));
        for piece in receive {
            let mut piece = &piece[..];
            while let Some(proven) = decoder.feed(&mut piece)? {
                hand_on.send(proven)?;
                if let Ok(proven) = back.try_recv() {
                    decoder.recycle(proven);
                }
            }
        }
        decoder.finish()?;
        drop(hand_on);
        reader.join().map_err(|_| "the reader panicked")??;
        writer.join().map_err(|_| "the writer panicked")??;
        syncer.join().map_err(|_| "the disk panicked")??;
        Ok(())
    })
}
