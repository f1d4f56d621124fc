//! Packed broadcasts: the same envelopes come out, from fewer bytes, and nothing else does.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]

mod samples;

use bytes::Bytes;
use proptest::prelude::*;
use repute_identity::Identity;
use repute_protocol::{
    Broadcast, DecodeError, Envelope, Frame, FrameDecoder, FrameHeader, FrameKind, Heartbeat,
    Packer, Unpacker,
};

fn frame(envelope: &Envelope) -> Bytes {
    Frame::Broadcast(Broadcast {
        hops: 3,
        ttl: 9,
        requested: false,
        envelope: envelope.clone(),
    })
    .encode()
}

/// What a receiver of this stream reads, and how long the stream was.
fn carry(frames: &[Bytes]) -> (Vec<Bytes>, usize) {
    let mut packer = Packer::new();
    let mut stream = Vec::new();
    frames
        .iter()
        .for_each(|frame| packer.pack(frame, &mut stream));
    let len = stream.len();
    let mut unpacker = Unpacker::new();
    let mut decoder = FrameDecoder::new();
    decoder.push(stream.into());
    let read = decoder.map(|raw| {
        let raw = raw.unwrap();
        let kind = raw.kind.unwrap();
        let body = match kind {
            FrameKind::Broadcast => unpacker.unpack(&raw.body).unwrap(),
            _ => raw.body,
        };
        Frame::decode(kind, body).unwrap().encode()
    });
    (read.collect(), len)
}

#[test]
fn a_burst_costs_little_more_than_its_payloads() {
    let burst = samples::burst(&Identity::from_seed(1), 64);
    let frames: Vec<Bytes> = burst.iter().map(|one| frame(one)).collect();
    let (read, len) = carry(&frames);
    assert_eq!(read, frames);
    let payloads: usize = burst.iter().map(|one| one.payload().len()).sum();
    let each = (len - payloads) / burst.len();
    assert!(each < 128, "{each} bytes each beside the payload");
}

#[test]
fn authors_that_take_turns_are_found_up_to_sixteen_back() {
    for (authors, packs) in [(16, true), (17, false)] {
        let frames: Vec<Bytes> = (0..4 * authors)
            .map(|nth| samples::seal(&Identity::from_seed(nth % authors), &samples::message(b"")))
            .map(|one| frame(&one))
            .collect();
        let (read, len) = carry(&frames);
        assert_eq!(read, frames);
        let whole: usize = frames.iter().map(Bytes::len).sum();
        assert_eq!(len < whole, packs, "{authors} authors");
    }
}

#[test]
fn what_refers_to_nothing_is_refused() {
    let envelope = samples::seal(&Identity::from_seed(1), &samples::message(b"rain"));
    let whole = frame(&envelope).slice(FrameHeader::LEN..);
    let packed = |back, prefix, suffix| [1, 1, 2, back, prefix, suffix];
    let mut fresh = Unpacker::new();
    assert_eq!(fresh.unpack(&packed(1, 0, 0)), Err(DecodeError::Malformed));
    let mut unpacker = Unpacker::new();
    unpacker.unpack(&whole).unwrap();
    for (back, prefix, suffix) in [
        (0, 1, 1),
        (2, 1, 1),
        (1, 97, 1),
        (17, 0, 0),
        (255, 255, 255),
    ] {
        let read = unpacker.unpack(&packed(back, prefix, suffix));
        assert_eq!(
            read,
            Err(DecodeError::Malformed),
            "{back} {prefix} {suffix}"
        );
    }
    for len in 0..6 {
        assert!(unpacker.unpack(&[1, 1, 2, 1, 1, 1][..len]).is_err());
    }
    // Long enough to be refused once it is whole.
    let max = FrameKind::Broadcast.body_max();
    let long = [&packed(1, 96, 200)[..], &vec![0; max - 6]].concat();
    assert!(matches!(
        unpacker.unpack(&long),
        Err(DecodeError::TooLong { .. })
    ));
    // Without the state of a stream a packed broadcast is no broadcast.
    let alone = Bytes::copy_from_slice(&packed(1, 1, 1));
    assert!(Frame::decode(FrameKind::Broadcast, alone).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_stream_of_frames_comes_out_as_it_went_in(
        picks in prop::collection::vec((0u64..20, 0usize..9, any::<bool>()), 1..80),
    ) {
        let bursts: Vec<_> = (0..20)
            .map(|seed| samples::burst(&Identity::from_seed(seed), 1 + (seed as usize % 9)))
            .collect();
        let frames: Vec<Bytes> = picks
            .iter()
            .map(|(author, nth, other)| {
                let burst = &bursts[*author as usize];
                match other {
                    true => Frame::Heartbeat(Heartbeat::Ping { nonce: *author }).encode(),
                    false => frame(&burst[nth % burst.len()]),
                }
            })
            .collect();
        prop_assert_eq!(carry(&frames).0, frames);
    }

    #[test]
    fn no_bytes_make_an_unpacker_panic_or_grow(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..60),
    ) {
        let mut unpacker = Unpacker::new();
        for body in bodies {
            if let Ok(whole) = unpacker.unpack(&body) {
                prop_assert!(whole.len() <= body.len() + 96 + 255);
            }
        }
    }
}
