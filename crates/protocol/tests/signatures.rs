//! What a signature covers, and what a forger can do.
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
use repute_identity::{Identity, KeyError, PublicKey};
use repute_protocol::{
    Broadcast, DecodeError, Envelope, EnvelopeKind, Frame, FrameHeader, FrameKind, NetworkId,
    Unsigned, verify_all,
};
use samples::{SENT, message, seal, sign};

/// Bytes of the signed part before the counters: version, network, kind, proof, key, recovery.
const KEY_AT: usize = 1 + 8 + 1 + 1;

fn original() -> Envelope {
    seal(&Identity::from_seed(1), &message(b"rain")).into_inner()
}

fn with_bit_flipped(wire: &Bytes, at: usize, bit: usize) -> Bytes {
    let mut bytes = wire.to_vec();
    bytes[at] ^= 1 << bit;
    bytes.into()
}

#[test]
fn no_bit_of_an_envelope_can_change_unnoticed() {
    let wire = original().wire().clone();
    for at in 0..wire.len() {
        let damaged = with_bit_flipped(&wire, at, at % 8);
        let verdict = Envelope::decode(damaged).map(Envelope::verify);
        assert!(!matches!(verdict, Ok(Ok(_))), "byte {at} is not covered");
    }
    assert!(Envelope::decode(wire).unwrap().verify().is_ok());
}

#[test]
fn only_what_neighbours_may_change_lies_outside_the_signature() {
    let broadcast = Broadcast {
        hops: 1,
        ttl: 9,
        requested: false,
        envelope: original(),
    };
    let body = Frame::Broadcast(broadcast)
        .encode()
        .slice(FrameHeader::LEN..);
    for at in 0..body.len() {
        let frame = Frame::decode(FrameKind::Broadcast, with_bit_flipped(&body, at, 0));
        let proven = match frame {
            Ok(Frame::Broadcast(read)) => read.envelope.verify().is_ok(),
            _ => false,
        };
        assert_eq!(proven, at < 3, "byte {at}");
    }
}

#[test]
fn a_forged_copy_shares_the_id_and_only_the_original_is_proven() {
    let original = original();
    let wire = original.wire();
    let forged = Envelope::decode(with_bit_flipped(wire, wire.len() - 1, 0)).unwrap();
    assert_eq!(forged.id(), original.id());
    assert_ne!(forged.signature(), original.signature());
    let forged = forged.verify().unwrap_err();
    assert_eq!(original.verify().unwrap().id(), forged.id());
}

#[test]
fn an_envelope_does_not_pass_for_one_of_another_network_kind_or_author() {
    let author = Identity::from_seed(1);
    let payload = message(b"rain");
    let original = seal(&author, &payload);
    let elsewhere = Unsigned {
        network: NetworkId::from_name("elsewhere"),
        kind: payload.kind(),
        seq: original.seq(),
        sent: SENT,
        payload: payload.encode(),
    }
    .sign(&author);
    assert_ne!(elsewhere.id(), original.id());
    let mut wire = original.wire().to_vec();
    wire[1..9].copy_from_slice(NetworkId::from_name("elsewhere").as_bytes());
    assert!(Envelope::decode(wire.into()).unwrap().verify().is_err());
    let thief = seal(&Identity::from_seed(2), &payload);
    assert_ne!(thief.author(), original.author());
}

#[test]
fn reserved_values_are_refused_by_name() {
    let wire = original().wire().clone();
    let tag_at = wire.len() - 65;
    for (at, value, what) in [
        (0, 2, "unknown envelope version"),
        (10, 1, "unknown author proof"),
        (tag_at, 64, "unknown authenticator"),
    ] {
        let mut bytes = wire.to_vec();
        bytes[at] = value;
        assert_eq!(
            Envelope::decode(bytes.into()).unwrap_err(),
            DecodeError::Invalid(what)
        );
    }
}

#[test]
fn an_unknown_kind_is_carried_and_proven_but_its_payload_is_not_read() {
    let kind = EnvelopeKind::Unknown(77);
    let envelope = Unsigned {
        network: samples::network(),
        kind,
        seq: original().seq(),
        sent: SENT,
        payload: b"from a later version".to_vec(),
    }
    .sign(&Identity::from_seed(1));
    let read = Envelope::decode(envelope.wire().clone())
        .unwrap()
        .verify()
        .unwrap();
    assert_eq!(read.kind(), kind);
    assert!(repute_protocol::Payload::decode(kind, &read.payload()).is_err());
}

#[test]
fn a_weak_or_impossible_key_is_parsed_but_never_proven() {
    for key in [[0; 32], no_point(), identity_point()] {
        let mut wire = original().wire().to_vec();
        wire[KEY_AT..KEY_AT + 32].copy_from_slice(&key);
        // Under the identity point this signature would fit any message.
        let end = wire.len();
        wire[end - 64..].copy_from_slice(&[identity_point(), [0; 32]].concat());
        let envelope = Envelope::decode(wire.into()).unwrap();
        assert!(envelope.inception().is_err());
        assert!(envelope.clone().verify().is_err());
        assert!(verify_all(vec![envelope], [7; 32])[0].is_err());
    }
}

/// The first small number that is no y coordinate of the curve.
fn no_point() -> [u8; 32] {
    let candidates = (2u8..).map(|y| {
        let mut bytes = [0; 32];
        bytes[0] = y;
        bytes
    });
    let is_none = |bytes: &[u8; 32]| PublicKey::from_bytes(*bytes) == Err(KeyError::NotAPoint);
    candidates.take(100).find(is_none).unwrap()
}

fn identity_point() -> [u8; 32] {
    let mut point = [0; 32];
    point[0] = 1;
    point
}

#[test]
fn a_detached_copy_is_equal_and_shares_nothing() {
    let proven = seal(&Identity::from_seed(1), &message(b"rain"));
    let copy = proven.detached();
    assert_eq!(copy.wire(), proven.wire());
    assert_ne!(copy.wire().as_ptr(), proven.wire().as_ptr());
    assert_eq!(copy.payload(), proven.payload());
}

#[test]
fn decoding_a_broadcast_copies_nothing() {
    let broadcast = Broadcast {
        hops: 0,
        ttl: 1,
        requested: true,
        envelope: original(),
    };
    let wire = Frame::Broadcast(broadcast).encode();
    let Ok(Frame::Broadcast(read)) =
        Frame::decode(FrameKind::Broadcast, wire.slice(FrameHeader::LEN..))
    else {
        panic!("not a broadcast")
    };
    assert_eq!(
        read.envelope.wire().as_ptr(),
        wire[FrameHeader::LEN + 3..].as_ptr()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn checked_together_or_alone_the_verdicts_are_the_same(
        faults in prop::collection::vec(0u8..7, 0..80),
        entropy in any::<[u8; 32]>(),
    ) {
        let envelopes: Vec<Envelope> = faults.iter().enumerate().map(|(nth, fault)| {
            let author = Identity::from_seed(nth as u64 % 5);
            let seq = repute_protocol::Seq { start: 1, counter: nth as u64 };
            let mut wire = sign(&author, &message(b"rain"), seq).wire().to_vec();
            let end = wire.len();
            match fault {
                0 => wire[end - 1] ^= 1,
                1 => wire[end - 70] ^= 1,
                2 => wire[KEY_AT..KEY_AT + 32].copy_from_slice(&identity_point()),
                3 => wire[KEY_AT..KEY_AT + 32].copy_from_slice(&no_point()),
                _ => {}
            }
            Envelope::decode(wire.into()).unwrap()
        }).collect();
        let ids: Vec<_> = envelopes.iter().map(Envelope::id).collect();
        let alone: Vec<_> = envelopes.iter().map(|one| one.clone().verify().is_ok()).collect();
        let together = verify_all(envelopes, entropy);
        prop_assert_eq!(&alone, &together.iter().map(Result::is_ok).collect::<Vec<_>>());
        prop_assert_eq!(&alone, &faults.iter().map(|fault| *fault > 3).collect::<Vec<_>>());
        let after: Vec<_> = together.iter().map(|one| match one {
            Ok(proven) => proven.id(),
            Err(forged) => forged.id(),
        }).collect();
        prop_assert_eq!(ids, after);
    }
}
