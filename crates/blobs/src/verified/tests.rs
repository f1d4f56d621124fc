use std::{format, fs::File, string::String, vec, vec::Vec};

use bao_tree::{
    BlockSize, ChunkNum, ChunkRanges,
    io::{
        outboard::{EmptyOutboard, PreOrderMemOutboard},
        sync::{decode_ranges, encode_ranges_validated},
    },
};
use bytes::Bytes;
use proptest::{collection::vec as vec_of, prelude::*};
use repute_protocol::{BlobHash, GROUP_BYTES, groups_of};

use super::{
    BLOB_BYTES_MAX, Decoder, EncodeError, Encoder, TreeBuilder, VerifyError, proven_groups,
    tree_bytes, tree_of,
};
use crate::GroupRanges;

const GROUP: usize = GROUP_BYTES as usize;

/// Lengths around the boundaries of chunks, groups and subtrees.
const LENGTHS: &[usize] = &[
    0,
    1,
    63,
    1_023,
    1_024,
    1_025,
    GROUP - 1,
    GROUP,
    GROUP + 1,
    2 * GROUP - 1,
    2 * GROUP,
    2 * GROUP + 1,
    3 * GROUP,
    4 * GROUP + 1_023,
    5 * GROUP + 1,
    8 * GROUP,
    8 * GROUP + 1,
    63 * GROUP + 5,
    64 * GROUP,
    65 * GROUP + 1,
    129 * GROUP + 7,
    3 << 20,
];

fn sample(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at % 251) as u8 ^ (at / 65_536) as u8)
        .collect()
}

fn all(len: usize) -> GroupRanges {
    GroupRanges::of(0..groups_of(len as u64))
}

fn encode(data: &[u8], wanted: &GroupRanges) -> (BlobHash, Vec<u8>) {
    let (hash, tree) = tree_of(data);
    let mut stream = Vec::new();
    let mut encoder = Encoder::new(
        hash,
        data.len() as u64,
        wanted.clone(),
        data,
        tree.as_slice(),
    )
    .unwrap();
    assert!(!encoder.fill(&mut stream, usize::MAX).unwrap());
    (hash, stream)
}

/// Feeds `stream` in pieces, and holds all that is handed on against the truth. Gives what was.
fn decode(
    hash: BlobHash,
    size: u64,
    wanted: &GroupRanges,
    stream: &[u8],
    piece: usize,
    truth: &[u8],
) -> (GroupRanges, Result<(), VerifyError>) {
    let mut decoder = Decoder::new(hash, size, wanted.clone()).unwrap();
    let mut handed = GroupRanges::new();
    let mut hold = |proven: super::Proven| {
        let start = proven.offset() as usize;
        assert_eq!(proven.bytes(), &truth[start..start + proven.bytes().len()]);
        assert!(!handed.contains_any(proven.groups()), "handed on twice");
        handed.insert(proven.groups()).unwrap();
        proven
    };
    let mut result = Ok(());
    // An empty stream is one empty piece.
    let pieces = stream.chunks(piece.max(1)).chain([&[][..]]);
    'stream: for mut piece in pieces {
        loop {
            match decoder.feed(&mut piece) {
                Ok(Some(proven)) => {
                    let proven = hold(proven);
                    decoder.recycle(proven);
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.feed(&mut piece).unwrap_err(), error);
                    result = Err(error);
                    break 'stream;
                }
            }
        }
    }
    if let Some(proven) = decoder.flush() {
        hold(proven);
    }
    (handed, decoder.finish().and(result))
}

fn chunks(groups: &GroupRanges) -> ChunkRanges {
    let mut chunks = ChunkRanges::empty();
    for range in groups.ranges() {
        chunks |= ChunkRanges::from(ChunkNum(range.start * 16)..ChunkNum(range.end * 16));
    }
    chunks
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn hashes_are_those_of_the_official_vectors() {
    // BLAKE3's test_vectors.json: bytes 0, 1, ... 250, again and again.
    let vectors = [
        (
            0,
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        ),
        (
            1,
            "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
        ),
        (
            1_023,
            "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11",
        ),
        (
            1_024,
            "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
        ),
        (
            1_025,
            "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
        ),
        (
            16_384,
            "f875d6646de28985646f34ee13be9a576fd515f76b5b0a26bb324735041ddde4",
        ),
        (
            31_744,
            "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47",
        ),
        (
            102_400,
            "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
        ),
    ];
    for (len, expected) in vectors {
        let data: Vec<u8> = (0..len).map(|at: usize| (at % 251) as u8).collect();
        assert_eq!(hex(tree_of(&data).0.as_bytes()), expected, "{len} bytes");
    }
}

#[test]
fn every_length_is_hashed_streamed_and_proven() {
    for len in LENGTHS.iter().copied() {
        let data = sample(len);
        let (hash, tree) = tree_of(&data);
        assert_eq!(
            hash.as_bytes(),
            blake3::hash(&data).as_bytes(),
            "{len} bytes"
        );
        assert_eq!(tree.len() as u64, tree_bytes(len as u64), "{len} bytes");
        let (_, stream) = encode(&data, &all(len));
        assert_eq!(stream.len(), len + tree.len(), "{len} bytes");
        for piece in [1_452, 100_000, usize::MAX] {
            let (handed, result) = decode(hash, len as u64, &all(len), &stream, piece, &data);
            assert_eq!((handed, result), (all(len), Ok(())), "{len} bytes");
        }
        let held = proven_groups(hash, len as u64, &all(len), &data, &tree, |_| ()).unwrap();
        assert_eq!(held, all(len), "{len} bytes");
    }
}

#[test]
fn the_tree_does_not_depend_on_how_the_bytes_come() {
    let data = sample(40 * GROUP + 77);
    let expected = tree_of(&data);
    for piece in [97, 1_000, GROUP - 1, GROUP, 5 * GROUP + 1] {
        let mut tree = Vec::new();
        let mut builder = TreeBuilder::new(&mut tree);
        for bytes in data.chunks(piece) {
            builder.push(bytes).unwrap();
        }
        let (hash, size) = builder.finish().unwrap();
        assert_eq!((hash, size), (expected.0, data.len() as u64));
        assert_eq!(tree, expected.1, "in pieces of {piece}");
    }
}

#[test]
fn a_tree_larger_than_its_window_is_written_whole() {
    // 12,289 groups: three windows, and parents that are written behind the window.
    let data = vec![5; 12_288 * GROUP + 9];
    let (hash, tree) = tree_of(&data);
    assert_eq!(hash.as_bytes(), blake3::hash(&data).as_bytes());
    assert_eq!(tree.len() as u64, tree_bytes(data.len() as u64));
    let held = proven_groups(
        hash,
        data.len() as u64,
        &all(data.len()),
        &data,
        &tree,
        |_| (),
    );
    assert_eq!(held.unwrap(), all(data.len()));
}

#[test]
fn streams_are_those_of_bao_with_groups_of_sixteen_chunks() {
    for len in LENGTHS.iter().copied().filter(|len| *len > 0) {
        let data = sample(len);
        let oracle = PreOrderMemOutboard::create(&data, BlockSize::from_chunk_log(4));
        let groups = groups_of(len as u64);
        let some: GroupRanges = [0..1, groups / 3..groups / 2, groups - 1..groups]
            .into_iter()
            .collect();
        for wanted in [all(len), some] {
            let mut expected = Vec::new();
            encode_ranges_validated(data.as_slice(), &oracle, &chunks(&wanted), &mut expected)
                .unwrap();
            let (hash, stream) = encode(&data, &wanted);
            assert_eq!(hash.as_bytes(), oracle.root.as_bytes());
            assert!(stream == expected, "{len} bytes, {wanted:?}");

            let mut decoded = vec![0; len];
            let sink = EmptyOutboard {
                tree: oracle.tree,
                root: oracle.root,
            };
            decode_ranges(stream.as_slice(), &chunks(&wanted), &mut decoded, sink).unwrap();
            for range in wanted.ranges() {
                let bytes = range.start as usize * GROUP..(range.end as usize * GROUP).min(len);
                assert!(decoded[bytes.clone()] == data[bytes]);
            }
        }
    }
}

#[test]
fn shared_memory_and_files_make_the_same_stream() {
    for len in [0, 1, GROUP, 70 * GROUP + 3] {
        let data = Bytes::from(sample(len));
        let (hash, tree) = tree_of(&data);
        let (_, expected) = encode(&data, &all(len));
        for check in [true, false] {
            let encoder = Encoder::new(hash, len as u64, all(len), data.clone(), &tree).unwrap();
            let mut encoder = if check {
                encoder
            } else {
                encoder.without_check()
            };
            let mut stream = Vec::new();
            while let Some(piece) = encoder.next_piece().unwrap() {
                assert!(!piece.is_empty());
                stream.extend_from_slice(&piece);
            }
            assert!(encoder.is_done() && stream == expected);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        std::fs::write(&path, &data).unwrap();
        let file = File::open(&path).unwrap();
        let mut encoder = Encoder::new(hash, len as u64, all(len), &file, &tree).unwrap();
        let mut stream = Vec::new();
        while let Some(piece) = encoder.next_piece().unwrap() {
            stream.extend_from_slice(&piece);
        }
        assert!(stream == expected);
    }
}

#[test]
fn a_run_of_one_byte_gives_each_group_by_itself() {
    let data = sample(5 * GROUP);
    let (hash, stream) = encode(&data, &all(data.len()));
    let mut decoder = Decoder::new(hash, data.len() as u64, all(data.len()))
        .unwrap()
        .with_run_bytes(1);
    let mut input = stream.as_slice();
    for group in 0..5 {
        let proven = decoder.feed(&mut input).unwrap().unwrap();
        assert_eq!(proven.groups(), group..group + 1);
    }
    assert!(decoder.is_done());
    // A piece that ends within a group leaves what came before it to `flush`.
    let mut decoder = Decoder::new(hash, data.len() as u64, all(data.len())).unwrap();
    let mut input = &stream[..3 * GROUP];
    assert!(decoder.feed(&mut input).unwrap().is_none());
    let (proven, ahead) = (decoder.flush().unwrap(), decoder.group_ahead());
    assert_eq!((proven.groups(), ahead), (0..2, Some(2)));
    let mut input = &stream[3 * GROUP..];
    let proven = decoder.feed(&mut input).unwrap().unwrap();
    assert_eq!(proven.groups(), 2..5);
    assert_eq!(proven.bytes(), &data[2 * GROUP..]);
}

#[test]
fn parents_that_are_handed_on_make_the_tree_file() {
    use super::WriteAt;
    let data = sample(77 * GROUP + 5);
    let (hash, tree) = tree_of(&data);
    let (_, stream) = encode(&data, &all(data.len()));
    let mut decoder = Decoder::new(hash, data.len() as u64, all(data.len())).unwrap();
    let mut rebuilt = Vec::new();
    let mut input = stream.as_slice();
    while let Some(proven) = decoder.feed(&mut input).unwrap() {
        for parent in proven.parents() {
            rebuilt.write_at(parent.slot * 64, &parent.pair).unwrap();
        }
    }
    assert!(rebuilt == tree);
}

#[test]
fn a_stream_that_goes_on_is_refused_and_what_was_asked_for_is_kept() {
    let data = sample(3 * GROUP);
    let (hash, mut stream) = encode(&data, &GroupRanges::of(1..2));
    stream.push(0);
    let (handed, result) = decode(
        hash,
        data.len() as u64,
        &GroupRanges::of(1..2),
        &stream,
        1_000,
        &data,
    );
    assert_eq!(handed, GroupRanges::of(1..2));
    assert_eq!(result, Err(VerifyError::Trailing { group: 1 }));
}

#[test]
fn a_wrong_size_never_verifies_to_its_end() {
    for len in [1, GROUP, GROUP + 1, 5 * GROUP + 1_000, 64 * GROUP] {
        let data = sample(len);
        let (hash, stream) = encode(&data, &all(len));
        let lies = [
            0,
            1,
            len as u64 - 1,
            len as u64 + 1,
            2 * len as u64,
            BLOB_BYTES_MAX,
        ];
        for lie in lies.into_iter().filter(|lie| *lie != len as u64) {
            let wanted = GroupRanges::of(0..groups_of(lie));
            let (handed, result) = decode(hash, lie, &wanted, &stream, 1_452, &data);
            assert!(result.is_err(), "{len} bytes taken for {lie}");
            assert!(
                !handed.contains(groups_of(lie) - 1),
                "{len} bytes taken for {lie}"
            );
        }
    }
    let hash = BlobHash::from_bytes([0; 32]);
    assert_eq!(
        Decoder::new(hash, BLOB_BYTES_MAX + 1, GroupRanges::new()).err(),
        Some(VerifyError::TooLarge {
            size: BLOB_BYTES_MAX + 1
        })
    );
    assert_eq!(
        Decoder::new(hash, 1, GroupRanges::of(0..2)).err(),
        Some(VerifyError::Beyond {
            group: 1,
            groups: 1
        })
    );
}

#[test]
fn what_changed_under_the_encoder_is_not_given_out() {
    let data = sample(20 * GROUP);
    let (hash, tree) = tree_of(&data);
    let (_, right) = encode(&data, &all(data.len()));
    let mut rotten = data.clone();
    rotten[7 * GROUP + 100] ^= 4;
    let mut out = Vec::new();
    let mut encoder = Encoder::new(hash, data.len() as u64, all(data.len()), &rotten, &tree);
    let error = encoder.as_mut().unwrap().fill(&mut out, usize::MAX);
    let is_seven = |error: &EncodeError| {
        matches!(error, EncodeError::Changed(VerifyError::Group { group: 7 }))
    };
    assert!(is_seven(&error.unwrap_err()));
    assert!(right.starts_with(&out) && out.len() > 7 * GROUP);
    // Shorter than it was.
    let short = &data[..12 * GROUP];
    let mut out = Vec::new();
    let encoder = Encoder::new(hash, data.len() as u64, all(data.len()), short, &tree);
    let error = encoder.unwrap().fill(&mut out, usize::MAX).unwrap_err();
    assert!(
        matches!(error, EncodeError::Read { group: 12, .. }),
        "{error}"
    );
    assert!(right.starts_with(&out));
    // A lying tree file.
    for at in (0..tree.len()).step_by(17) {
        let mut lying = tree.clone();
        lying[at] ^= 1;
        let mut out = Vec::new();
        let encoder = Encoder::new(hash, data.len() as u64, all(data.len()), &data, &lying);
        assert!(encoder.unwrap().fill(&mut out, usize::MAX).is_err());
        assert!(right.starts_with(&out));
        let held = proven_groups(
            hash,
            data.len() as u64,
            &all(data.len()),
            &data,
            &lying,
            |_| (),
        );
        assert!(held.unwrap().len() < 20);
    }
    let held = proven_groups(
        hash,
        data.len() as u64,
        &all(data.len()),
        &rotten,
        &tree,
        |_| (),
    );
    let mut but_seven = all(data.len());
    but_seven.remove(7..8).unwrap();
    assert_eq!(held.unwrap(), but_seven);
}

/// Groups of a blob of `len` bytes, from arbitrary numbers.
fn groups(len: usize, picks: &[(u64, u64)]) -> GroupRanges {
    let groups = groups_of(len as u64);
    let ranges = picks.iter().map(|(start, span)| {
        let start = start % groups;
        start..(start + 1 + span % 9).min(groups)
    });
    ranges.collect()
}

fn blob() -> impl Strategy<Value = (usize, Vec<(u64, u64)>)> {
    let len = prop_oneof![0..40 * GROUP, proptest::sample::select(LENGTHS)];
    (len, vec_of((any::<u64>(), any::<u64>()), 0..6))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_groups_come_back_in_any_pieces((len, picks) in blob(), piece in 1..40_000_usize) {
        let data = sample(len);
        let wanted = groups(len, &picks);
        let (hash, stream) = encode(&data, &wanted);
        let (handed, result) = decode(hash, len as u64, &wanted, &stream, piece, &data);
        prop_assert_eq!((handed, result), (wanted, Ok(())));
    }

    #[test]
    fn any_flipped_bit_is_found_before_its_group_is_handed_on((len, picks) in blob(), at in any::<u64>(), bit in 0..8_u8) {
        let data = sample(len);
        let wanted = groups(len, &picks);
        let (hash, mut stream) = encode(&data, &wanted);
        prop_assume!(!stream.is_empty());
        let at = (at % stream.len() as u64) as usize;
        stream[at] ^= 1 << bit;
        // `decode` holds everything that is handed on against the truth.
        let (handed, result) = decode(hash, len as u64, &wanted, &stream, 1_452, &data);
        let error = result.unwrap_err();
        let bad = error.group().unwrap();
        prop_assert!(handed.last().is_none_or(|last| last < bad || !wanted.contains(bad)));
        prop_assert!(handed != wanted);
    }

    #[test]
    fn any_truncation_is_found_and_says_what_is_missing((len, picks) in blob(), at in any::<u64>()) {
        let data = sample(len);
        let wanted = groups(len, &picks);
        let (hash, stream) = encode(&data, &wanted);
        prop_assume!(!stream.is_empty());
        let kept = (at % stream.len() as u64) as usize;
        let (handed, result) = decode(hash, len as u64, &wanted, &stream[..kept], 1_452, &data);
        let missing = wanted.difference(&handed).first().unwrap();
        prop_assert_eq!(result, Err(VerifyError::Truncated { group: missing }));
        prop_assert!(handed.is_subset(&wanted));
    }

    #[test]
    fn bytes_of_strangers_are_refused(stream in vec_of(any::<u8>(), 1..500), size in 0..BLOB_BYTES_MAX, piece in 1..200_usize) {
        let wanted = GroupRanges::of(0..groups_of(size).min(3));
        let hash = BlobHash::from_bytes([9; 32]);
        let (handed, result) = decode(hash, size, &wanted, &stream, piece, &[]);
        prop_assert!(handed.is_empty() && result.is_err());
    }
}
