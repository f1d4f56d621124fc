//! Many messages under one signature: each proven alone, and nothing else proven with them.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]

mod samples;

use proptest::prelude::*;
use repute_identity::{Identity, Verifier};
use repute_protocol::{
    DecodeError, Envelope, ProvenBursts, Unsigned, limits::BURST_MAX, verify_all, verify_all_with,
};

fn author() -> Identity {
    Identity::from_seed(1)
}

/// As it comes from the wire.
fn received(envelope: &Envelope) -> Envelope {
    Envelope::decode(envelope.wire().clone()).unwrap()
}

#[test]
fn each_message_of_a_burst_of_any_size_is_proven_alone() {
    for count in 1..=BURST_MAX {
        let burst = samples::burst(&author(), count);
        assert_eq!(burst.len(), count);
        for one in &burst {
            assert_eq!(one.signed_together(), count);
            assert_eq!(one.signature(), burst[0].signature());
            let proven = received(one).verify().unwrap();
            assert_eq!(proven.id(), one.id(), "of {count}");
        }
    }
}

#[test]
fn more_than_fit_under_one_signature_get_several() {
    let burst = samples::burst(&author(), 2 * BURST_MAX + 1);
    let sizes = burst.iter().map(|one| one.signed_together());
    let expected = [[BURST_MAX; 2 * BURST_MAX].as_slice(), &[1]].concat();
    assert_eq!(sizes.collect::<Vec<_>>(), expected);
    assert!(burst.iter().all(|one| received(one).verify().is_ok()));
}

#[test]
fn the_name_of_a_message_does_not_depend_on_what_was_signed_with_it() {
    let unsigned = Unsigned {
        network: samples::network(),
        kind: samples::message(b"").kind(),
        seq: repute_protocol::Seq::default(),
        sent: samples::SENT,
        payload: samples::message(b"rain").encode(),
    };
    let alone = unsigned.sign(&author());
    let together = Unsigned::sign_all(&[unsigned.clone(), unsigned], &author());
    assert_eq!(together[0].id(), alone.id());
    assert_ne!(together[0].authenticator(), together[1].authenticator());
}

#[test]
fn no_bit_of_a_message_in_a_burst_can_change_unnoticed() {
    let burst = samples::burst(&author(), 11);
    let mut proven = ProvenBursts::new();
    proven.note(&burst[0]);
    for one in [&burst[0], &burst[6], &burst[10]] {
        for bit in 0..one.wire().len() * 8 {
            let mut bytes = one.wire().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(damaged) = Envelope::decode(bytes.into()) {
                assert!(proven.recognise(damaged.clone()).is_err(), "bit {bit}");
                // Curve arithmetic for one bit in eight is enough, and takes a second.
                assert!(bit % 8 > 0 || damaged.verify().is_err(), "bit {bit}");
            }
        }
    }
}

#[test]
fn nothing_passes_for_a_member_of_a_burst_it_was_not_signed_with() {
    let burst = samples::burst(&author(), 8);
    let stranger = samples::burst(&author(), 9).pop().unwrap();
    let trailer = |one: &Envelope| one.authenticator();
    let signed = |one: &Envelope| one.wire()[..one.wire().len() - trailer(one).len()].to_vec();
    let mut proven = ProvenBursts::new();
    proven.note(&burst[0]);
    for place in &burst {
        let bytes = [&signed(&stranger)[..], &trailer(place)].concat();
        let forged = Envelope::decode(bytes.into()).unwrap();
        assert_eq!(forged.id(), stranger.id());
        assert!(proven.recognise(forged.clone()).is_err());
        assert!(forged.verify().is_err());
    }
    // The hash of two messages is no message, and a place belongs to one of them.
    let swapped = [&signed(&burst[0])[..], &trailer(&burst[1])].concat();
    assert!(Envelope::decode(swapped.into()).unwrap().verify().is_err());
}

#[test]
fn what_is_no_authenticator_is_refused_when_it_is_parsed() {
    let lone = samples::burst(&author(), 1).remove(0).wire().to_vec();
    let at = lone.len() - 65;
    let with = |last: u8, nodes: u8, index: u8| {
        let mut bytes = lone.clone();
        (bytes[at], bytes[at - 1]) = (last, nodes);
        bytes[at - 2 - 32 * usize::from(nodes)] = index;
        Envelope::decode(bytes.into()).map(|_| ())
    };
    let unknown = DecodeError::Invalid("unknown authenticator");
    for last in BURST_MAX as u8..=u8::MAX {
        assert_eq!(with(last, 1, 0), Err(unknown));
    }
    let behind = DecodeError::Invalid("a place behind the end of its burst");
    assert_eq!(with(3, 2, 4), Err(behind));
    let no_path = DecodeError::Invalid("a path that its place does not have");
    // The third of three leaves has one partner, the others have two.
    for (index, nodes) in [(2, 2), (1, 1), (0, 0), (0, 3)] {
        assert_eq!(with(2, nodes, index), Err(no_path), "{index}, {nodes}");
    }
    for len in 0..66 {
        assert!(Envelope::decode(vec![63; len].into()).is_err());
    }
}

#[test]
fn a_burst_costs_a_batch_one_signature_and_a_forged_one_is_still_named() {
    let mut verifier = Verifier::new([3; 32]);
    let mut envelopes: Vec<Envelope> = (2..=BURST_MAX)
        .flat_map(|count| samples::burst(&author(), count))
        .map(|one| received(&one))
        .collect();
    let at = envelopes.len() / 2;
    let mut bytes = envelopes[at].wire().to_vec();
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    envelopes[at] = Envelope::decode(bytes.into()).unwrap();
    let verdicts = verify_all_with(&mut verifier, envelopes);
    let forged = verdicts.iter().position(Result::is_err);
    assert_eq!(forged, Some(at));
    assert_eq!(verdicts.iter().filter(|one| one.is_err()).count(), 1);
}

#[test]
fn the_memory_of_proven_bursts_is_bounded_and_the_oldest_goes_first() {
    let mut proven = ProvenBursts::new();
    proven.note(&samples::burst(&author(), 1)[0]);
    assert!(
        proven.is_empty(),
        "nobody shares the signature of a lone message"
    );
    let bursts: Vec<_> = (0..1_100)
        .map(|seed| samples::burst(&Identity::from_seed(seed), 2))
        .collect();
    for burst in &bursts {
        proven.note(&burst[0]);
        proven.note(&burst[1]);
        assert!(proven.recognise(received(&burst[1])).is_ok());
        assert!(proven.len() <= 1_024);
    }
    assert!(proven.recognise(received(&bursts[0][0])).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is done to the members of some bursts: singly, together and recognised after the
    /// others, a copy has one verdict.
    #[test]
    fn recognising_and_batches_judge_as_single_checks_do(
        edits in prop::collection::vec((0usize..3, 0usize..9, any::<prop::sample::Index>(), 0u8..4), 1..40),
    ) {
        let bursts = [
            samples::burst(&author(), 9),
            samples::burst(&author(), 5),
            samples::burst(&Identity::from_seed(2), 9),
        ];
        let copies: Vec<Envelope> = edits
            .iter()
            .filter_map(|(burst, place, at, bits)| {
                let burst = &bursts[*burst];
                let mut bytes = burst[place % burst.len()].wire().to_vec();
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
                Envelope::decode(bytes.into()).ok()
            })
            .collect();
        let single: Vec<bool> = copies.iter().map(|one| one.clone().verify().is_ok()).collect();
        let batch = verify_all(copies.clone(), [9; 32]);
        prop_assert_eq!(batch.iter().map(Result::is_ok).collect::<Vec<_>>(), single.clone());
        let mut proven = ProvenBursts::new();
        for one in batch.iter().flatten() {
            proven.note(one);
        }
        for (copy, valid) in copies.into_iter().zip(single) {
            let alone = copy.signed_together() == 1;
            prop_assert_eq!(proven.recognise(copy).is_ok(), valid && !alone);
        }
    }
}
