//! A process that fetches is killed in the middle, again and again. What it had recorded as durable
//! is never fetched again, and what the store says it has verifies.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

use std::{
    env, fs,
    io::{BufRead, BufReader, Write, stdout},
    path::Path,
    process::{Command, Stdio},
};

use repute_base::Rng;
use repute_blobs::{Decoder, Encoder, GroupRanges, Partial, Store, StoreLimits, tree_of};
use repute_protocol::BlobHash;

const FOLDER: &str = "REPUTE_BLOBS_KILL_FOLDER";
const CHILD: &str = "fetches_until_it_is_killed";
const SIZE: usize = 24 * 1024 * 1024 + 77;

fn data() -> Vec<u8> {
    let mut data = vec![0; SIZE];
    blake3::Hasher::new_derive_key("repute test kill")
        .finalize_xof()
        .fill(&mut data);
    data
}

fn open(folder: &Path) -> Store {
    Store::open(folder, StoreLimits::default()).unwrap()
}

fn fetch(partial: &Partial, data: &[u8], tree: &Vec<u8>, wanted: GroupRanges) {
    let (hash, size) = (partial.hash(), partial.size());
    let mut stream = Vec::new();
    Encoder::new(hash, size, wanted.clone(), data, tree)
        .unwrap()
        .fill(&mut stream, usize::MAX)
        .unwrap();
    let mut decoder = Decoder::new(hash, size, wanted).unwrap();
    let mut input = &stream[..];
    while let Some(proven) = decoder.feed(&mut input).unwrap() {
        partial.write(&proven).unwrap();
        decoder.recycle(proven);
    }
}

/// What the killed process does: says which groups it fetches, and which are durable.
#[test]
#[ignore = "it is started by the other test"]
fn fetches_until_it_is_killed() {
    let Ok(folder) = env::var(FOLDER) else {
        return;
    };
    let data = data();
    let (hash, tree) = tree_of(&data);
    let store = open(Path::new(&folder));
    let Ok(partial) = store.fetch(&hash, SIZE as u64) else {
        println!("\nwhole");
        return;
    };
    while !partial.missing().is_empty() {
        let wanted = partial.missing().lowest(23);
        let (first, last) = (wanted.first().unwrap(), wanted.last().unwrap());
        println!("\nfetch {first} {last}");
        fetch(&partial, &data, &tree, wanted);
        for range in partial.sync().unwrap().ranges() {
            println!("\ndurable {} {}", range.start, range.end);
        }
        stdout().flush().unwrap();
    }
    partial.complete().unwrap();
    println!("\nwhole");
}

/// Lets a child work, kills it after `lines` lines, and gives what it said was durable.
fn life(folder: &Path, lines: u64, durable: &mut GroupRanges) -> bool {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([CHILD, "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let before = durable.clone();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (mut line, mut count, mut whole) = (String::new(), 0, false);
    let mut killed = false;
    // After the kill, what it had still said is read to the end.
    while output.read_line(&mut line).unwrap() > 0 {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["fetch", first, last] => {
                let range = first.parse().unwrap()..last.parse::<u64>().unwrap() + 1;
                let again = GroupRanges::of(range).intersection(&before);
                assert!(
                    again.is_empty(),
                    "durable groups are fetched again: {again:?}"
                );
                count += 1;
            }
            ["durable", start, end] => {
                durable
                    .insert(start.parse().unwrap()..end.parse().unwrap())
                    .unwrap();
                count += 1;
            }
            ["whole"] => whole = true,
            _ => {}
        }
        line.clear();
        if count >= lines && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    let status = child.wait().unwrap();
    assert!(killed || status.success(), "{status}");
    whole
}

#[test]
fn what_was_durable_before_a_kill_is_never_fetched_again() {
    let kills: u64 = env::var("REPUTE_BLOBS_KILLS").map_or(20, |text| text.parse().unwrap());
    let data = data();
    let hash: BlobHash = tree_of(&data).0;
    let folder = tempfile::tempdir().unwrap();
    let mut rng = Rng::from_u64(6);
    let (mut killed, mut completed) = (0, 0);
    let mut durable = GroupRanges::new();
    while killed < kills {
        if life(folder.path(), 1 + rng.below(24), &mut durable) {
            let store = open(folder.path());
            assert_eq!(store.blob(&hash).unwrap().read_all(u64::MAX).unwrap(), data);
            drop(store);
            fs::remove_dir_all(folder.path()).unwrap();
            durable = GroupRanges::new();
            completed += 1;
            continue;
        }
        killed += 1;
        let store = open(folder.path());
        let Ok(partial) = store.fetch(&hash, SIZE as u64) else {
            continue;
        };
        assert!(durable.is_subset(&partial.durable()), "kill {killed}");
        let held = partial.written();
        assert_eq!(partial.blob().check(|_| ()).unwrap(), held, "kill {killed}");
        // What only the log says counts from now on as well.
        durable = partial.durable();
    }
    println!("{killed} kills, {completed} files completed");
}
