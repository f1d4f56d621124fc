//! What strangers send of a blob, and what lies in the folder of its store.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use repute_blobs::{
    BlobState, Collection, CollectionEntry, Decoder, Encoder, GroupRanges, Store, StoreLimits,
    VerifyError, sanitise, tree_of,
};
use repute_protocol::{BlobHash, groups_of};

use super::reader::Reader;

const GROUP: usize = 16 * 1024;

/// A blob of so many groups and a bit, its hash and its tree.
struct Sample {
    data: Vec<u8>,
    hash: BlobHash,
    tree: Vec<u8>,
}

fn sample(nth: u8) -> &'static Sample {
    static ALL: OnceLock<Vec<Sample>> = OnceLock::new();
    let make = |groups: usize| {
        let len = groups * GROUP + groups % 2 * 77;
        let data: Vec<u8> = (0..len).map(|at| (at * 31 + (at >> 8)) as u8).collect();
        let (hash, tree) = tree_of(&data);
        Sample { data, hash, tree }
    };
    let all = ALL.get_or_init(|| [0, 1, 2, 3, 5, 8].map(make).into());
    &all[usize::from(nth) % all.len()]
}

/// A stream of groups: a sound one with some bytes changed, or any bytes. Whatever is handed on is
/// what the blob is, and how the stream is cut changes nothing.
pub fn stream(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let (how, sample) = (reader.byte(), sample(reader.byte()));
    let size = match how % 8 {
        7 => reader.wide(),
        _ => sample.data.len() as u64,
    };
    let groups = groups_of(sample.data.len() as u64);
    let picks = reader.take(8).iter().map(|pick| {
        let start = u64::from(*pick) % groups;
        start..(start + 1 + u64::from(*pick) / 64).min(groups)
    });
    let wanted: GroupRanges = picks.collect();
    let mut stream = Vec::new();
    if how % 2 == 0 {
        let encoder = Encoder::new(
            sample.hash,
            sample.data.len() as u64,
            wanted.clone(),
            &sample.data,
            &sample.tree,
        );
        encoder.unwrap().fill(&mut stream, usize::MAX).unwrap();
    }
    let cut = usize::from(reader.byte()) * 61 + 1;
    let mut changed = how % 2 == 1 || size != sample.data.len() as u64;
    while !reader.is_empty() {
        let (at, change) = (reader.wide(), reader.byte());
        match stream.len() as u64 {
            0 => stream.push(change),
            len if change == 0 => stream.truncate((at % len) as usize),
            len => stream[(at % len) as usize] ^= change,
        }
        changed = true;
    }
    let whole = decode(sample, size, &wanted, &stream, usize::MAX);
    assert_eq!(whole, decode(sample, size, &wanted, &stream, cut));
    let Some((handed, result)) = whole else {
        return assert!(changed, "a sound request is refused");
    };
    match result {
        Ok(()) => assert_eq!(handed, wanted),
        Err(_) => assert!(changed && handed.is_subset(&wanted)),
    }
}

/// What was handed on, and how it ended; nothing if such groups cannot be asked for.
fn decode(
    sample: &Sample,
    size: u64,
    wanted: &GroupRanges,
    stream: &[u8],
    cut: usize,
) -> Option<(GroupRanges, Result<(), VerifyError>)> {
    let mut decoder = Decoder::new(sample.hash, size, wanted.clone()).ok()?;
    let mut handed = GroupRanges::new();
    // An empty blob has a group of which no byte comes.
    for mut piece in stream.chunks(cut).chain(core::iter::once::<&[u8]>(&[])) {
        loop {
            let fed = decoder.feed(&mut piece);
            let proven = match fed {
                Ok(Some(proven)) => proven,
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.feed(&mut piece).unwrap_err(), error);
                    // What was proven before is right.
                    let Some(proven) = decoder.flush() else {
                        return Some((handed, Err(error)));
                    };
                    proven
                }
            };
            let start = usize::try_from(proven.offset()).unwrap();
            let truth = sample.data.get(start..start + proven.bytes().len());
            assert_eq!(truth, Some(proven.bytes()), "that is not the blob");
            handed.insert(proven.groups()).unwrap();
            decoder.recycle(proven);
        }
    }
    Some((handed, decoder.finish()))
}

/// The list of a folder: what is accepted encodes back to its bytes, and no name leads out.
pub fn collection(bytes: &[u8]) {
    let mut with_head = b"repute folder 1\n".to_vec();
    with_head.extend_from_slice(bytes);
    for bytes in [bytes, &with_head] {
        match Collection::decode(bytes) {
            Ok(collection) => {
                assert_eq!(collection.encode(), bytes, "encode(decode(x)) = x");
                let entries = collection.entries();
                entries.iter().for_each(|entry| stays_within(&entry.name));
                assert_eq!(Collection::new(entries.to_vec()), Ok(collection.clone()));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    // Lines, as names of one folder.
    let names = String::from_utf8_lossy(bytes);
    let entries = names.lines().take(64).map(|name| CollectionEntry {
        name: name.into(),
        hash: BlobHash::from_bytes([1; 32]),
        size: 1,
    });
    if let Ok(collection) = Collection::new(entries.collect()) {
        assert_eq!(Collection::decode(&collection.encode()), Ok(collection));
    }
    for name in names.lines().take(64) {
        if sanitise(name, true).is_ok() {
            stays_within(name);
        }
    }
}

fn stays_within(name: &str) {
    let within = Path::new(name)
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    assert!(within && !name.contains(['\0', '\\']), "{name:?} leads out");
}

/// A folder of its own, gone with this value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let thread = std::thread::current().id();
        let memory = Path::new("/dev/shm");
        let parent = match memory.is_dir() {
            true => memory.to_path_buf(),
            false => std::env::temp_dir(),
        };
        let path = parent.join(format!("repute-fuzz-{}-{thread:?}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Records one after another, checked as the store does it; some of them not.
fn log(reader: &mut Reader<'_>, first: Option<Vec<u8>>, ranges: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let count = reader.byte() % 8;
    let records = (0..count).map(|_| match ranges {
        true => [reader.wide().to_le_bytes(), reader.wide().to_le_bytes()].concat(),
        false => reader.take(60).to_vec(),
    });
    let records: Vec<Vec<u8>> = first.into_iter().chain(records).collect();
    for record in records {
        let mut hasher = blake3::Hasher::new_derive_key("repute 2026-11 blob log v1");
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(&record);
        let check = *hasher.finalize().as_bytes();
        bytes.extend_from_slice(&u16::try_from(record.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(&record);
        bytes.extend_from_slice(&check[..8]);
    }
    // A torn end, or a hole.
    match reader.byte() % 8 {
        6 => bytes.extend_from_slice(reader.take(40)),
        7 => {
            let at = reader.wide() % (bytes.len() as u64).max(1);
            bytes.truncate(at as usize);
        }
        _ => {}
    }
    bytes
}

/// The folder of a store as a crash, a fault or an enemy left it: it opens or says why not, says
/// the same when it is opened again, and gives out nothing that is not the blob.
pub fn store(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let folder = Folder::new();
    let blobs = folder.0.join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(folder.0.join("drafts")).unwrap();
    fs::write(folder.0.join("format"), b"repute blobs 1\n").unwrap();
    fs::write(folder.0.join("drafts/7"), b"left over").unwrap();
    fs::write(blobs.join("somebody's"), b"not the store's").unwrap();
    fs::write(folder.0.join("tags"), log(&mut reader, None, false)).unwrap();
    for _ in 0..1 + reader.byte() % 2 {
        lay(&mut reader, &blobs);
    }
    let first = look(&folder.0);
    assert_eq!(first, look(&folder.0), "opened again it is the same");
    assert!(blobs.join("somebody's").exists());
}

/// Files of one blob, some of them damaged or missing.
fn lay(reader: &mut Reader<'_>, blobs: &Path) {
    let sample = sample(reader.byte());
    let present = reader.byte();
    let write = |suffix: &str, bytes: &[u8]| {
        fs::write(blobs.join(format!("{}.{suffix}", sample.hash)), bytes).unwrap();
    };
    let mut damaged = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        for _ in 0..reader.byte() % 3 {
            let (at, change) = (reader.wide(), reader.byte());
            match bytes.len() as u64 {
                0 => {}
                len if change == 0 => bytes.truncate((at % len) as usize),
                len => bytes[(at % len) as usize] ^= change,
            }
        }
        bytes
    };
    if present & 1 != 0 {
        write("data", &damaged(&sample.data));
    }
    if present & 2 != 0 {
        write("tree", &damaged(&sample.tree));
    }
    if present & 4 != 0 {
        write("part", &damaged(&sample.data));
    }
    if present & 8 != 0 {
        let size = match present & 128 != 0 {
            true => reader.wide(),
            false => sample.data.len() as u64,
        };
        let head = [&b"have"[..], sample.hash.as_bytes(), &size.to_le_bytes()].concat();
        let head = (present & 16 == 0).then_some(head);
        write("have", &log(reader, head, true));
    }
    if present & 32 != 0 {
        let head = [
            &sample.hash.as_bytes()[..],
            &(sample.data.len() as u64).to_le_bytes(),
            &[0; 16],
            b"/dev/null/nowhere",
        ];
        let head = (present & 64 == 0).then_some(head.concat());
        write("ref", &log(reader, head, false));
    }
}

/// What a store says that it has, all of it read.
fn look(folder: &Path) -> Option<Vec<(BlobHash, u64, bool)>> {
    let store = match Store::open(folder, StoreLimits::default()) {
        Ok(store) => store,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return None;
        }
    };
    assert!(store.tags().len() <= 8);
    let mut all = Vec::new();
    for stored in store.list(None, 100) {
        let partial = matches!(stored.state, BlobState::Partial { .. });
        all.push((stored.hash, stored.size, partial));
        if let Ok(blob) = store.blob(&stored.hash) {
            read(&blob);
        }
        if partial && let Ok(partial) = store.fetch(&stored.hash, stored.size) {
            let groups = groups_of(stored.size);
            assert!(partial.durable().last().is_none_or(|last| last < groups));
            assert!(partial.durable().is_subset(&partial.written()));
        }
    }
    Some(all)
}

fn read(blob: &repute_blobs::Blob) {
    let truth = (0..6).map(sample).find(|one| one.hash == blob.hash());
    let held = blob.held();
    let Ok(sound) = blob.check(|_| ()) else {
        return;
    };
    assert!(sound.is_subset(&held));
    let Ok(mut encoder) = blob.encoder(held.lowest(64)) else {
        return;
    };
    let mut bytes = Vec::new();
    loop {
        let start = bytes.len();
        match encoder.next_group(&mut bytes) {
            Ok(Some(group)) => {
                let truth = truth.expect("only blobs that there are verify");
                let at = usize::try_from(group).unwrap() * GROUP;
                let end = (at + GROUP).min(truth.data.len());
                assert_eq!(
                    &bytes[start..],
                    &truth.data[at..end],
                    "that is not the blob"
                );
            }
            Ok(None) => return,
            Err(error) => return assert!(!error.to_string().is_empty()),
        }
    }
}
