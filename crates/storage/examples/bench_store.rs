//! How fast the store appends durably, and how fast a large ledger is reopened.
//!
//! `cargo run --release -p repute-storage --example bench_store -- [--json] [--events N] [DIR]`

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc,
    time::Instant,
};

use repute_base::Wall;
use repute_identity::NodeId;
use repute_storage::{EventRow, Options, SqliteStore, Store, StoreError, Write};

/// Batches under way at once, as from many peers.
const UNDER_WAY: usize = 1_024;
/// Appends measured, one event a batch.
const APPENDS: u64 = 50_000;
/// Whom the events are about.
const SUBJECTS: u64 = 1_000;

fn event(number: u64) -> Write {
    let mut subject = [0; 32];
    // Like the hashes that ids are, spread over the index.
    let spread = (number % SUBJECTS)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .to_be_bytes();
    subject
        .iter_mut()
        .zip(spread.iter().cycle())
        .for_each(|(to, from)| *to = *from);
    Write::Event(EventRow {
        number,
        subject: NodeId::from_bytes(subject),
        wall: Wall::from_millis(1_700_000_000_000 + number),
        kind: 1,
        fault: 0,
        context: 0,
        body: vec![7; 24],
    })
}

/// Writes the batches with a bounded number under way; the time until the last is durable.
fn write_all(
    store: &SqliteStore,
    batches: impl Iterator<Item = Vec<Write>>,
    under_way: usize,
) -> Result<f64, StoreError> {
    let (send, receive) = mpsc::channel();
    let start = Instant::now();
    let mut waiting = 0usize;
    for batch in batches {
        if waiting == under_way {
            receive.recv().unwrap_or(Err(StoreError::Closed))?;
            waiting -= 1;
        }
        let send = send.clone();
        store.write(batch, Box::new(move |result| drop(send.send(result))));
        waiting += 1;
    }
    for _ in 0..waiting {
        receive.recv().unwrap_or(Err(StoreError::Closed))?;
    }
    Ok(start.elapsed().as_secs_f64())
}

fn run(dir: &Path, events: u64) -> Result<(f64, f64, u64), StoreError> {
    let (store, _) = SqliteStore::open(dir, Options::default())?;
    let seconds = write_all(&store, (1..=APPENDS).map(|n| vec![event(n)]), UNDER_WAY)?;
    let rest: Vec<u64> = (APPENDS + 1..=events).collect();
    write_all(
        &store,
        rest.chunks(4_096)
            .map(|some| some.iter().map(|n| event(*n)).collect()),
        4,
    )?;
    store.close()?;
    drop(store);
    let start = Instant::now();
    let (store, _) = SqliteStore::open(dir, Options::default())?;
    let mut sum = 0u64;
    let report = store.events(&mut |row| sum = sum.wrapping_add(row.number))?;
    let reopen_ms = start.elapsed().as_secs_f64() * 1_000.0;
    Ok((APPENDS as f64 / seconds, reopen_ms, report.events))
}

fn main() -> ExitCode {
    let (mut json, mut events, mut dir) = (false, 1_000_000u64, None::<PathBuf>);
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => json = true,
            "--events" => events = words.next().and_then(|n| n.parse().ok()).unwrap_or(events),
            path => dir = Some(path.into()),
        }
    }
    let name = format!("repute-bench-store-{}", std::process::id());
    let dir = dir.unwrap_or_else(env::temp_dir).join(name);
    let result = run(&dir, events);
    let _ = fs::remove_dir_all(&dir);
    match result {
        Ok((appends_per_s, reopen_ms, found)) if json => println!(
            "{{\"appends_per_s\": {appends_per_s:.0}, \"reopen_ms_for_1m\": {reopen_ms:.0}, \
             \"events\": {found}}}"
        ),
        Ok((appends_per_s, reopen_ms, found)) => println!(
            "durable appends: {appends_per_s:.0} a second, {UNDER_WAY} under way\n\
             reopened {found} events in {reopen_ms:.0} ms"
        ),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
