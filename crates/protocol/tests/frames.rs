//! Limits, round trips and hostile bytes (R22).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]

mod checks;
mod samples;

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;
use repute_protocol::{
    Broadcast, Frame, FrameError, FrameHeader, FrameKind, Misbehaviour, Payload, limits,
};

/// What every target is fed with in the property tests below: legal bytes to damage.
fn legal(target: &str) -> Vec<Vec<u8>> {
    let frames = samples::frames();
    let bodies = |kind: FrameKind| -> Vec<Vec<u8>> {
        let of_kind = frames.iter().filter(|(_, frame)| frame.kind() == kind);
        of_kind
            .map(|(_, frame)| frame.encode()[FrameHeader::LEN..].to_vec())
            .collect()
    };
    let payloads = |name: &str| -> Vec<Vec<u8>> {
        let of_name = samples::payloads()
            .into_iter()
            .filter(|(known, _)| *known == name);
        of_name.map(|(_, payload)| payload.encode()).collect()
    };
    let author = repute_identity::Identity::from_seed(1);
    match target {
        "frame_stream" => {
            let all = frames
                .iter()
                .map(|(_, frame)| frame.encode())
                .collect::<Vec<_>>()
                .concat();
            let mut packer = repute_protocol::Packer::new();
            let mut packed = vec![9];
            for envelope in samples::burst(&author, 6) {
                let broadcast = Broadcast {
                    hops: 1,
                    ttl: 8,
                    requested: false,
                    envelope: envelope.into_inner(),
                };
                packer.pack(&Frame::Broadcast(broadcast).encode(), &mut packed);
            }
            vec![[&[5], &all[..]].concat(), packed]
        }
        "envelope" => {
            let seal = |(_, payload)| samples::seal(&author, &payload).wire().to_vec();
            let mut all: Vec<_> = samples::payloads().into_iter().map(seal).collect();
            let burst = samples::burst(&author, 5);
            all.extend(burst.iter().map(|one| one.wire().to_vec()));
            all
        }
        "envelope_batch" => {
            let alone = samples::payloads().into_iter();
            let alone = alone.map(|(_, payload)| samples::seal(&author, &payload));
            let wires = alone.chain(samples::burst(&author, 3)).map(|envelope| {
                let wire = envelope.wire().to_vec();
                [&u16::try_from(wire.len()).unwrap().to_le_bytes(), &wire[..]].concat()
            });
            vec![wires.collect::<Vec<_>>().concat()]
        }
        "payload_message" => payloads("message"),
        "payload_address_record" => payloads("address-record"),
        "payload_recommendation" => payloads("recommendation"),
        "payload_record" => {
            let records = samples::records().into_iter();
            records.map(|(_, record)| record.encode()).collect()
        }
        "ticket" => {
            let ticket = repute_identity::Ticket {
                inception: *author.inception(),
                addresses: vec![samples::v4(), samples::v6()].try_into().unwrap(),
                expires: samples::SENT,
                discovery: None,
            };
            vec![ticket.to_string().into_bytes()]
        }
        "blob_ticket" => {
            let tickets = samples::blob_tickets().into_iter();
            tickets
                .map(|ticket| ticket.to_string().into_bytes())
                .collect()
        }
        "transfer" => {
            let requests = samples::transfer_requests().into_iter();
            let requests = requests.map(|(_, request)| request.encode_head());
            let answers = samples::transfer_answers().into_iter();
            let answers = answers.map(|(_, answer)| answer.encode_head());
            requests.chain(answers).collect()
        }
        kind => {
            let name = kind.replace('_', "-");
            let kind = FrameKind::ALL.into_iter().find(|kind| kind.name() == name);
            bodies(kind.unwrap_or_else(|| panic!("{name} is no kind of frame")))
        }
    }
}

#[test]
fn the_largest_legal_value_of_every_kind_fits_its_frame() {
    let mut kinds = BTreeSet::new();
    for frame in samples::largest_frames() {
        let kind = frame.kind();
        kinds.insert(kind);
        let wire = frame.encode();
        assert!(
            wire.len() - FrameHeader::LEN <= kind.body_max(),
            "{kind:?}: {}",
            wire.len()
        );
        assert!(frame.fits());
        let head = wire[..FrameHeader::LEN].try_into().unwrap();
        assert!(FrameHeader::parse(head).is_ok());
        let again = Frame::decode(kind, wire.slice(FrameHeader::LEN..)).unwrap();
        assert_eq!(again.encode(), wire);
    }
    assert_eq!(
        kinds,
        FrameKind::ALL.into_iter().collect(),
        "every kind has a largest value"
    );
}

#[test]
fn the_largest_of_each_kind_fits_the_list_it_travels_in() {
    let author = repute_identity::Identity::from_seed(1);
    for payload in samples::largest_payloads() {
        let max = match payload {
            Payload::Message(_) => limits::ENVELOPE_MAX,
            Payload::AddressRecord(_) => limits::RECORD_MAX,
            Payload::Record(_) => limits::RECORD_ENVELOPE_MAX,
            _ => limits::RECOMMENDATION_MAX,
        };
        assert!(samples::seal(&author, &payload).wire().len() + 18 <= max);
        assert_eq!(
            Payload::decode(payload.kind(), &payload.encode()),
            Ok(payload)
        );
    }
}

#[test]
fn one_byte_more_than_a_kind_allows_is_refused_by_its_header() {
    for kind in FrameKind::ALL {
        let header = |body_len: usize| {
            let [a, b, c, d] = u32::try_from(body_len + 1).unwrap().to_be_bytes();
            FrameHeader::parse([a, b, c, d, kind.number()])
        };
        assert!(header(kind.body_max()).is_ok());
        let error = header(kind.body_max() + 1).unwrap_err();
        assert!(matches!(error, FrameError::Oversized { .. }));
        assert_eq!(error.misbehaviour(), Misbehaviour::OversizedFrame);
        let long = Bytes::from(vec![0; kind.body_max() + 1]);
        assert!(Frame::decode(kind, long).is_err());
    }
}

#[test]
fn numbers_and_names_of_kinds_are_distinct() {
    let names: BTreeSet<_> = FrameKind::ALL.into_iter().map(FrameKind::name).collect();
    let numbers: BTreeSet<_> = FrameKind::ALL.into_iter().map(FrameKind::number).collect();
    assert_eq!((names.len(), numbers.len()), (15, 15));
    for kind in FrameKind::ALL {
        assert_eq!(FrameKind::from_number(kind.number()), Some(kind));
    }
    for kind in Misbehaviour::ALL {
        assert_eq!(Misbehaviour::from_name(kind.name()), Some(kind));
    }
}

#[test]
fn a_ttl_beyond_the_cap_is_cut_on_the_way_out_and_on_the_way_in() {
    let (_, frame) = samples::frames()
        .into_iter()
        .find(|(name, _)| *name == "broadcast")
        .unwrap();
    let Frame::Broadcast(broadcast) = frame else {
        panic!("not a broadcast")
    };
    let wire = Frame::Broadcast(Broadcast {
        ttl: 255,
        ..broadcast
    })
    .encode();
    assert_eq!(wire[FrameHeader::LEN + 1], limits::TTL_MAX);
    let mut body = wire[FrameHeader::LEN..].to_vec();
    body[1] = 200;
    let Ok(Frame::Broadcast(read)) = Frame::decode(FrameKind::Broadcast, body.into()) else {
        panic!("not a broadcast")
    };
    assert_eq!(read.ttl, limits::TTL_MAX);
}

#[test]
fn a_trust_update_is_a_recommendation_and_nothing_else() {
    let author = repute_identity::Identity::from_seed(1);
    let record = samples::seal(&author, &samples::address_record());
    assert!(Frame::decode(FrameKind::TrustUpdate, record.wire().clone()).is_err());
}

#[test]
fn r22_ordinary_frames_satisfy_every_check_of_the_fuzz_targets() {
    for (name, check) in checks::TARGETS {
        let inputs = legal(name);
        assert!(!inputs.is_empty(), "{name} has a legal input");
        inputs.iter().for_each(|input| check(input));
    }
}

#[test]
fn r22_every_prefix_of_a_legal_input_is_judged_without_panic() {
    for (name, check) in checks::TARGETS {
        for input in legal(name).iter().filter(|input| input.len() < 2_000) {
            for end in 0..input.len() {
                check(&input[..end]);
            }
        }
    }
}

#[test]
fn r22_the_committed_corpora_find_nothing() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if !root.join("Cargo.lock").exists() || !root.join("tests").exists() {
        return; // Packaged alone, without the repository around it.
    }
    let corpora = root.join("tests/fuzz/corpus");
    for (name, _) in checks::TARGETS {
        let folder = corpora.join(name);
        if std::env::var_os("UPDATE_VECTORS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            for (nth, input) in legal(name).iter().enumerate() {
                std::fs::write(folder.join(format!("legal-{nth:02}")), input).unwrap();
            }
        }
        let files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(!files.is_empty(), "{name} has a corpus");
        files
            .iter()
            .for_each(|file| checks::run(name, &std::fs::read(file).unwrap()));
    }
}

fn any_target() -> impl Strategy<Value = checks::Target> {
    prop::sample::select(checks::TARGETS.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn r22_random_bytes_never_panic_and_round_trip_where_accepted(
        target in any_target(),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        target.1(&bytes);
    }

    #[test]
    fn r22_damaged_frames_never_panic_and_round_trip_where_accepted(
        target in any_target(),
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let inputs = legal(target.0);
        let mut bytes = which.get(&inputs).clone();
        for (place, byte, how) in damage {
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        target.1(&bytes);
    }

    #[test]
    fn any_split_of_the_stream_gives_the_same_frames(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..8),
        sizes in prop::collection::vec(1usize..600, 1..40),
        tail in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let frames = samples::frames();
        let mut stream = Vec::new();
        for pick in &picks {
            stream.extend_from_slice(&pick.get(&frames).1.encode());
        }
        stream.extend_from_slice(&tail);
        let whole = checks::frames_of(&stream, [stream.len()].into_iter());
        prop_assert!(whole.len() >= picks.len());
        for (pick, raw) in picks.iter().zip(&whole) {
            let wire = pick.get(&frames).1.encode();
            let raw = raw.as_ref().unwrap();
            prop_assert_eq!(&wire[FrameHeader::LEN..], &raw.body[..]);
            prop_assert_eq!(wire.len(), raw.wire_len);
        }
        prop_assert_eq!(checks::frames_of(&stream, sizes.into_iter().cycle()), whole);
    }
}
