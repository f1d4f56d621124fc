//! Receipts, sessions, claims and faults that prove themselves: what verifies, and what never does.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]

mod samples;

use proptest::prelude::*;
use repute_base::codec;
use repute_identity::{Identity, Signature};
use repute_protocol::{
    Claim, Equivocation, NetworkId, Outcome, Party, Receipt, ReceiptProposal, ReceiptTerms,
    SessionOpen, Side,
};

/// Every single-byte change of `bytes` either no longer decodes or no longer verifies.
fn no_change_is_believed<T>(value: &T, believed: impl Fn(T) -> bool)
where
    T: bincode::Encode + bincode::Decode<()>,
{
    let bytes = codec::encode(value);
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut bent = bytes.clone();
            bent[at] ^= bit;
            let read = codec::decode::<T>(&bent);
            assert!(!read.is_ok_and(&believed), "byte {at}, bit {bit:#x}");
        }
    }
}

#[test]
fn a_changed_receipt_session_claim_or_proof_is_never_believed() {
    let network = samples::network();
    let receipt = samples::receipt(samples::receipt_terms());
    no_change_is_believed(&receipt, |one: Receipt| one.verify(network).is_ok());
    no_change_is_believed(&samples::session(), |one: SessionOpen| {
        one.verify(network).is_ok()
    });
    no_change_is_believed(&samples::claim(), |one: Claim| one.verify(network).is_ok());
    no_change_is_believed(&samples::equivocation(), |one: Equivocation| {
        one.verify(network).is_ok()
    });
}

#[test]
fn what_was_signed_for_one_network_says_nothing_in_another() {
    let other = NetworkId::from_name("another");
    assert!(
        samples::receipt(samples::receipt_terms())
            .verify(other)
            .is_err()
    );
    assert!(samples::session().verify(other).is_err());
    assert!(samples::claim().verify(other).is_err());
    assert!(samples::equivocation().verify(other).is_err());
}

#[test]
fn a_claim_needs_the_session_that_the_accused_had_agreed_to() {
    let network = samples::network();
    let (a, b) = samples::parties();
    let good = samples::claim();
    assert!(good.verify(network).is_ok());
    assert_eq!((good.claimant(), good.accused()), (a.id(), b.id()));
    // The accused never agreed: the claimant signs in its place.
    let mut alone = good;
    alone.open.sig_b = a.sign(&alone.open.terms.statement(network));
    assert!(alone.verify(network).is_err());
    // Another session than the one that was agreed to.
    let terms = ReceiptTerms {
        session: good.terms.session + 1,
        ..good.terms
    };
    let moved = Claim::sign(good.open, terms, (Side::A, &a), network);
    assert!(moved.verify(network).is_err());
    // A stranger complains with a session that it found.
    let stranger = Identity::from_seed(9);
    let foreign = Claim::sign(good.open, good.terms, (Side::A, &stranger), network);
    assert!(foreign.verify(network).is_err());
    // A good word is no claim, and one who serves may complain as well.
    let praise = ReceiptTerms {
        kind: Outcome::Served,
        ..good.terms
    };
    assert!(
        Claim::sign(good.open, praise, (Side::A, &a), network)
            .verify(network)
            .is_err()
    );
    let back = Claim::sign(good.open, good.terms, (Side::B, &b), network);
    assert_eq!(back.verify(network).unwrap().accused(), a.id());
}

#[test]
fn only_two_different_receipts_of_one_number_prove_a_fault() {
    let network = samples::network();
    let (a, b) = samples::parties();
    let good = samples::equivocation();
    assert_eq!(good.verify(network).unwrap().offender(), a.id());
    let first = good.first;
    let with = |terms: ReceiptTerms| Equivocation {
        first,
        second: ReceiptProposal::sign(terms, network, &a),
    };
    let terms = samples::receipt_terms();
    assert!(with(terms).verify(network).is_err(), "the same twice");
    for other in [
        ReceiptTerms {
            seq_ab: terms.seq_ab + 1,
            amount: 9,
            ..terms
        },
        ReceiptTerms {
            b: Party::of(Identity::from_seed(3).inception()),
            ..terms
        },
        ReceiptTerms {
            service: repute_protocol::Service::Relay,
            ..terms
        },
    ] {
        assert!(with(other).verify(network).is_err(), "{other:?}");
    }
    // Somebody else signed the second.
    let other = ReceiptTerms { amount: 9, ..terms };
    let framed = Equivocation {
        first,
        second: ReceiptProposal::sign(other, network, &b),
    };
    assert!(framed.verify(network).is_err());
}

#[test]
fn a_receipt_for_oneself_or_by_a_weak_key_is_never_proven() {
    let network = samples::network();
    let (a, _) = samples::parties();
    let alone = ReceiptTerms {
        b: Party::of(a.inception()),
        ..samples::receipt_terms()
    };
    let sig_a = a.sign(&alone.statement(network));
    let own = ReceiptProposal {
        terms: alone,
        sig_a,
    }
    .with(sig_a);
    assert!(own.verify(network).is_err());
    // A point of small order, under which a signature of zeros fits any message.
    let mut weak = samples::receipt(samples::receipt_terms());
    weak.terms.a.key = [0; 32];
    weak.sig_a = Signature::from_bytes([0; 64]);
    assert!(weak.verify(network).is_err());
}

proptest! {
    #[test]
    fn whatever_both_sign_is_proven_if_it_is_sound(
        (session, seq_ab, amount) in any::<(u64, u64, u64)>(),
        (t0, t1) in any::<(u64, u64)>(),
    ) {
        let terms = ReceiptTerms { session, seq_ab, amount, t0, t1, ..samples::receipt_terms() };
        let sound = seq_ab != 0 && t0 <= t1;
        let receipt = samples::receipt(terms);
        prop_assert_eq!(codec::decode(&codec::encode(&receipt)), Ok(receipt));
        prop_assert_eq!(receipt.verify(samples::network()).is_ok(), sound);
    }
}
