//! Records of the DHT: what is filed where, and what never is.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]

mod samples;

use std::time::Duration;

use proptest::prelude::*;
use repute_base::{BoundedBytes, BoundedString, Wall, codec};
use repute_identity::Identity;
use repute_protocol::{
    Advertisement, DhtFrame, Envelope, Frame, FrameKind, Payload, Record, RecordError, RecordKey,
    RecordKind, Seq, limits,
};
use samples::SENT;

fn named(kind: RecordKind) -> Record {
    let place = RecordKind::ALL.iter().position(|one| *one == kind).unwrap();
    samples::records().swap_remove(place).1
}

fn sealed(record: Record) -> Envelope {
    samples::seal(&Identity::from_seed(1), &Payload::Record(record)).into_inner()
}

fn refused(record: Record) -> RecordError {
    Record::file(&sealed(record), SENT).expect_err("refused")
}

#[test]
fn a_record_of_each_kind_is_filed_where_its_name_says() {
    let me = Identity::from_seed(1).id();
    let places = [
        RecordKey::of(RecordKind::Value, &me, b"motto"),
        RecordKey::of_providers(&[7; 32]),
        RecordKey::of_identity(&me),
        RecordKey::of_service("signer"),
    ];
    for ((what, record), place) in samples::records().into_iter().zip(places) {
        let filed = Record::file(&sealed(record.clone()), SENT).expect(what);
        assert_eq!(filed.key, place, "{what}");
        assert_eq!(filed.author, me);
        assert_eq!(filed.record, record);
    }
}

#[test]
fn nobody_can_file_anything_where_another_authors_own_records_are() {
    let (me, other) = (Identity::from_seed(1), Identity::from_seed(2));
    for kind in [RecordKind::Value, RecordKind::Identity] {
        let foreign = samples::seal(&other, &Payload::Record(named(kind)));
        let filed = Record::file(&foreign, SENT).expect("sound in itself");
        assert_ne!(filed.key, RecordKey::of(kind, &me.id(), &filed.record.name));
    }
}

#[test]
fn each_broken_rule_is_refused_with_its_name() {
    let value = || named(RecordKind::Value);
    let expires = |wall: Wall| Record {
        expires: wall.as_millis(),
        ..value()
    };
    let unknown = Record {
        kind: 99,
        ..value()
    };
    assert_eq!(refused(unknown), RecordError::UnknownKind);
    assert_eq!(refused(expires(SENT)), RecordError::Contradictory);
    let day = Duration::from_secs(24 * 3_600);
    assert!(Record::file(&sealed(expires(SENT + day)), SENT).is_ok());
    let longer = SENT + day + Duration::from_millis(1);
    assert_eq!(refused(expires(longer)), RecordError::Contradictory);
    let slot = Record { slot: 1, ..value() };
    assert_eq!(refused(slot), RecordError::Contradictory);
    let long = BoundedBytes::new(vec![1; RecordKind::Value.value_max() + 1]).unwrap();
    let long = Record {
        value: long,
        ..value()
    };
    assert_eq!(refused(long), RecordError::Oversized);
    let message = samples::seal(&Identity::from_seed(1), &samples::message(b"rain"));
    assert_eq!(Record::file(&message, SENT), Err(RecordError::Malformed));
    for kind in [
        RecordKind::Provider,
        RecordKind::Identity,
        RecordKind::Advertisement,
    ] {
        let garbled = Record {
            value: BoundedBytes::new(vec![255; 9]).unwrap(),
            ..named(kind)
        };
        assert_eq!(refused(garbled), RecordError::Malformed);
        let elsewhere = Record {
            name: BoundedBytes::new(&b"seeder"[..]).unwrap(),
            ..named(kind)
        };
        assert_eq!(refused(elsewhere), RecordError::Contradictory);
    }
}

#[test]
fn clocks_that_differ_are_nobodys_fault() {
    let record = || named(RecordKind::Value);
    let at = |now| Record::file(&sealed(record()), now);
    let late = Wall::from_millis(record().expires);
    assert_eq!(at(late), Err(RecordError::Expired));
    let early = |ms: u64| Wall::from_millis(SENT.as_millis() - ms);
    assert!(at(early(300_000)).is_ok());
    assert_eq!(at(early(300_001)), Err(RecordError::FromTheFuture));
    let seq = Seq {
        start: SENT.as_millis() + 300_001,
        counter: 0,
    };
    let ahead = samples::sign(&Identity::from_seed(1), &Payload::Record(record()), seq);
    let verdict = Record::file(&ahead, SENT);
    assert_eq!(verdict, Err(RecordError::FromTheFuture));
    for error in RecordError::ALL {
        let honest = [
            RecordError::UnknownKind,
            RecordError::Expired,
            RecordError::FromTheFuture,
        ];
        assert_eq!(error.proves_itself(), !honest.contains(&error), "{error}");
    }
}

#[test]
fn an_advertisement_is_found_under_its_services_their_families_and_all() {
    let offer = samples::advertisement();
    assert_eq!(
        offer.names(),
        ["all", "signer", "signer:spend", "signer:swap"]
    );
    assert!(offer.belongs_at(b"signer:swap"));
    assert!(!offer.belongs_at(b"signer:escrow"));
    for name in ["", "Signer", "a:b:c", ":a", "a:", "a b", "é"] {
        assert!(!Advertisement::is_name(name), "{name}");
        let unsound = Advertisement {
            services: vec![BoundedString::new(name).unwrap()].try_into().unwrap(),
            ..samples::advertisement()
        };
        assert!(!unsound.is_sound(), "{name}");
    }
    let upside_down = Advertisement {
        amount_min: 2,
        amount_max: 1,
        ..samples::advertisement()
    };
    assert!(!upside_down.is_sound());
}

#[test]
fn records_that_are_too_long_together_are_no_frame() {
    let one = sealed(Record {
        value: BoundedBytes::new(vec![1; limits::RECORD_VALUE_MAX]).unwrap(),
        ..named(RecordKind::Value)
    });
    let wire = || BoundedBytes::<{ limits::RECORD_ENVELOPE_MAX }>::new(one.wire().clone()).unwrap();
    let longest = limits::RECORD_LIST_BYTES_MAX / one.wire().len();
    let offer = |count: usize| {
        // The number of the variant, then the list.
        let mut body = vec![2];
        codec::encode_into(&vec![wire(); count], &mut body);
        Frame::decode(FrameKind::Dht, body.into())
    };
    let Ok(Frame::Dht(frame)) = offer(longest) else {
        panic!("{longest} fit");
    };
    assert!(matches!(*frame, DhtFrame::Offer { records } if records.len() == longest));
    assert!(offer(longest + 1).is_err());
}

proptest! {
    #[test]
    fn whatever_is_signed_is_filed_or_refused(
        kind in any::<u8>(), slot in any::<u8>(), expires in any::<u64>(),
        name in proptest::collection::vec(any::<u8>(), 0..64),
        value in proptest::collection::vec(any::<u8>(), 0..300),
        now in any::<u64>(),
    ) {
        let record = Record {
            kind,
            slot,
            expires,
            name: BoundedBytes::new(name).unwrap(),
            value: BoundedBytes::new(value).unwrap(),
        };
        let again = codec::decode::<Record>(&record.encode());
        prop_assert_eq!(again.as_ref(), Ok(&record));
        if let Ok(filed) = Record::file(&sealed(record), Wall::from_millis(now)) {
            prop_assert!(filed.expires > Wall::from_millis(now));
            prop_assert!(filed.record.slot < filed.kind.slots());
        }
    }
}
