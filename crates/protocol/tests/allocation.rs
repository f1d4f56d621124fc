//! R12: no decoder allocates more than 4 × the bytes received + 4 KiB, whatever lengths are claimed.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]

mod samples;

use allocation_counter::measure;
use bytes::Bytes;
use proptest::prelude::*;
use repute_identity::{Identity, Ticket};
use repute_protocol::{
    Envelope, EnvelopeKind, Frame, FrameDecoder, FrameHeader, FrameKind, Payload,
};

/// What R12 allows for this many bytes received, counting every byte ever allocated, not only
/// those alive at once.
fn allowed(received: usize) -> u64 {
    4 * received as u64 + 4_096
}

/// 2^16, 2^31, 2^32−1 and 2^62 as counts or lengths inside a body.
const CLAIMS: [&[u8]; 4] = [
    &[252, 0, 0, 1, 0],
    &[252, 0, 0, 0, 128],
    &[252, 255, 255, 255, 255],
    &[253, 0, 0, 0, 0, 0, 0, 0, 64],
];

#[derive(Clone, Copy, Debug)]
enum Decoder {
    Frame(FrameKind),
    Payload(EnvelopeKind),
    Envelope,
    Ticket,
}

impl Decoder {
    fn run(self, bytes: &Bytes) {
        let before = bytes.clone();
        let info = measure(move || match self {
            Self::Frame(kind) => drop(Frame::decode(kind, before)),
            Self::Payload(kind) => drop(Payload::decode(kind, &before)),
            Self::Envelope => drop(Envelope::decode(before)),
            Self::Ticket => {
                drop(core::str::from_utf8(&before).map(|text| text.parse::<Ticket>()));
            }
        });
        let max = allowed(bytes.len());
        assert!(
            info.bytes_total <= max,
            "{self:?} allocated {} for {} bytes",
            info.bytes_total,
            bytes.len()
        );
    }
}

fn inputs() -> Vec<(Decoder, Vec<u8>)> {
    let author = Identity::from_seed(1);
    let mut inputs = Vec::new();
    for (_, frame) in samples::frames() {
        let body = frame.encode()[FrameHeader::LEN..].to_vec();
        inputs.push((Decoder::Frame(frame.kind()), body));
    }
    for (_, payload) in samples::payloads() {
        inputs.push((Decoder::Payload(payload.kind()), payload.encode()));
        let wire = samples::seal(&author, &payload).wire().to_vec();
        inputs.push((Decoder::Envelope, wire));
    }
    let ticket = Ticket {
        inception: *author.inception(),
        addresses: vec![samples::v4(); 8].try_into().unwrap(),
        expires: samples::SENT,
        discovery: None,
    };
    inputs.push((Decoder::Ticket, ticket.to_string().into_bytes()));
    inputs
}

#[test]
fn r12_a_huge_count_anywhere_in_a_body_allocates_nothing_to_speak_of() {
    for (decoder, legal) in inputs() {
        for at in 0..=legal.len() {
            let (before, after) = legal.split_at(at);
            for claim in CLAIMS {
                // With all, part and nothing of what followed.
                for rest in [after.get(1..).unwrap_or_default(), after, &[]] {
                    decoder.run(&Bytes::from([before, claim, rest].concat()));
                }
            }
        }
    }
}

#[test]
fn r12_the_largest_legal_frames_stay_within_the_bound() {
    for frame in samples::largest_frames() {
        let wire = frame.encode();
        Decoder::Frame(frame.kind()).run(&wire.slice(FrameHeader::LEN..));
        let body = wire.slice(FrameHeader::LEN..);
        let short = body.slice(..body.len() / 2);
        Decoder::Frame(frame.kind()).run(&short);
    }
}

#[test]
fn r12_a_huge_length_prefix_is_refused_before_anything_is_allocated() {
    for number in 0..=u8::MAX {
        for length in [1u32 << 16, 1 << 31, u32::MAX] {
            let [a, b, c, d] = length.to_be_bytes();
            let body_max = FrameKind::from_number(number)
                .map_or(FrameHeader::UNKNOWN_MAX, FrameKind::body_max);
            let head = Bytes::copy_from_slice(&[a, b, c, d, number]);
            let mut decoder = FrameDecoder::new();
            let info = measure(|| {
                decoder.push(head);
                let refused = matches!(decoder.next(), Some(Err(_)));
                assert_eq!(refused, length as usize - 1 > body_max);
            });
            assert!(info.bytes_total <= allowed(FrameHeader::LEN));
        }
    }
}

#[test]
fn r12_an_unfinished_frame_costs_what_came_not_what_it_claims() {
    for frame in samples::largest_frames() {
        let wire = frame.encode();
        for size in [1, 7, 64, 1_200, 9_000] {
            let chunks: Vec<Bytes> = wire.chunks(size).map(Bytes::copy_from_slice).collect();
            let mut decoder = FrameDecoder::new();
            let (mut received, mut allocated) = (0, 0);
            for chunk in chunks {
                received += chunk.len();
                let info = measure(|| {
                    decoder.push(chunk);
                    decoder.by_ref().for_each(|raw| assert!(raw.is_ok()));
                });
                allocated += info.bytes_total;
                assert!(allocated <= allowed(received), "{allocated} for {received}");
            }
            assert!(decoder.is_at_boundary());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn r12_random_damage_stays_within_the_bound(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        tail in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let inputs = inputs();
        let (decoder, legal) = which.get(&inputs);
        let mut bytes = legal.clone();
        for (place, byte) in damage {
            if !bytes.is_empty() {
                let at = place.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes.extend_from_slice(&tail);
        decoder.run(&bytes.into());
    }
}
