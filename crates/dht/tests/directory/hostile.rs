//! What no honest node sends: refused, counted, and blamed where it proves itself.

use bytes::Bytes;
use proptest::prelude::*;
use repute_base::{BoundedBytes, Wall};
use repute_dht::{DirectoryInput as Input, DirectoryRefusal as Refusal, Filter};
use repute_protocol::{
    Envelope, EnvelopeKind, Misbehaviour, NetworkId, Record, RecordKind, RecordList,
};

use crate::stage::*;

/// One linked author, and a record of its making that is offered and told by gossip.
fn judged(make: impl Fn(&mut Author) -> Envelope) -> (Vec<Misbehaviour>, Vec<Refusal>, bool) {
    let mut kinds = Vec::new();
    let mut refused = Vec::new();
    let mut known = false;
    for by_link in [true, false] {
        let mut stage = Stage::new();
        let mut author = Author::new(1);
        let envelope = make(&mut author);
        stage.link(author.id(), "127.0.0.1:1");
        if by_link {
            stage.offered(author.id(), &[&envelope]);
        } else {
            let (author, data) = (author.id(), envelope.wire().clone());
            stage.handle(Input::Gossiped { author, data });
        }
        for (peer, kind) in stage.blamed() {
            assert_eq!(peer, author.id());
            kinds.push(kind);
        }
        let counters = stage.directory.counters();
        refused.extend(
            Refusal::ALL
                .into_iter()
                .filter(|one| counters.refused(*one) > 0),
        );
        known |= !stage.known("all").is_empty();
    }
    (kinds, refused, known)
}

#[test]
fn a_forged_record_is_blamed_on_who_sent_it() {
    let (kinds, refused, known) = judged(|author| {
        let honest = author.says(0, &offer(&["seeder"]));
        let mut wire = honest.wire().to_vec();
        // A bit of the payload, so that it still parses.
        let at = wire.len() - 70;
        wire[at] ^= 1;
        Envelope::decode(Bytes::from(wire)).expect("it parses")
    });
    assert_eq!(kinds, [Misbehaviour::ForgedEnvelope; 2]);
    assert_eq!(refused, [Refusal::Forged; 2]);
    assert!(!known);
}

#[test]
fn an_expired_record_and_one_from_the_future_are_refused_without_blame() {
    for sent_ms in [-2 * HOUR as i64, 301_000] {
        let (kinds, refused, known) = judged(|author| {
            let sent = START.saturating_add_signed(sent_ms);
            let mut record = record_of(0, &offer(&["seeder"]), 0);
            record.expires = sent + HOUR;
            author
                .signs_dated(Wall::from_millis(sent), &record)
                .into_inner()
        });
        assert_eq!(kinds, [], "clocks differ");
        assert_eq!(refused, [Refusal::Untimely; 2]);
        assert!(!known);
    }
}

#[test]
fn a_record_that_contradicts_itself_is_blamed() {
    let mut backwards = offer(&["seeder"]);
    (backwards.amount_min, backwards.amount_max) = (2, 1);
    let mut cases = Vec::new();
    cases.push(record_of(0, &backwards, HOUR));
    cases.push(record_of(0, &offer(&[]), HOUR));
    cases.push(record_of(0, &offer(&["all"]), HOUR));
    cases.push(record_of(0, &offer(&["se eder"]), HOUR));
    cases.push(record_of(0, &offer(&["seeder"]), 6 * HOUR + 1));
    cases.push(Record {
        value: BoundedBytes::new(vec![255; 64]).unwrap(),
        ..record_of(0, &offer(&["seeder"]), HOUR)
    });
    cases.push(Record {
        name: BoundedBytes::new(&b"relay"[..]).unwrap(),
        ..record_of(0, &offer(&["seeder"]), HOUR)
    });
    for record in cases {
        let (kinds, refused, known) = judged(|author| author.signs(0, &record).into_inner());
        assert_eq!(kinds, [Misbehaviour::InvalidRecord; 2], "{record:?}");
        assert_eq!(refused, [Refusal::Invalid; 2]);
        assert!(!known);
    }
}

#[test]
fn records_of_other_kinds_names_and_networks_are_blamed() {
    let elsewhere = NetworkId::from_name("elsewhere");
    let all = record_of(0, &offer(&["seeder"]), HOUR);
    let payload = all.encode();
    let (kinds, _, _) = judged(|author| {
        let kind = EnvelopeKind::Record;
        author
            .signs_payload(Wall::from_millis(START), elsewhere, kind, payload.clone())
            .into_inner()
    });
    assert_eq!(kinds, [Misbehaviour::WrongNetwork; 2]);
    let (kinds, _, _) = judged(|author| {
        let kind = EnvelopeKind::Message;
        author
            .signs_payload(Wall::from_millis(START), network(), kind, payload.clone())
            .into_inner()
    });
    assert_eq!(kinds, [Misbehaviour::InvalidRecord; 2]);
    let value = Record {
        kind: RecordKind::Value.number(),
        ..all.clone()
    };
    let named = Record {
        name: BoundedBytes::new(&b"seeder"[..]).unwrap(),
        ..all
    };
    for record in [value, named] {
        let (kinds, refused, _) = judged(|author| author.signs(0, &record).into_inner());
        assert_eq!(kinds, [Misbehaviour::InvalidRecord; 2]);
        assert_eq!(refused, [Refusal::Foreign; 2]);
    }
}

#[test]
fn a_kind_of_a_version_to_come_is_nobodys_fault() {
    let record = Record {
        kind: 99,
        ..record_of(0, &offer(&["seeder"]), HOUR)
    };
    let (kinds, refused, known) = judged(|author| author.signs(0, &record).into_inner());
    assert_eq!((kinds, refused), (vec![], vec![Refusal::Foreign; 2]));
    assert!(!known);
}

#[test]
fn nobody_offers_what_somebody_else_signed() {
    let mut stage = Stage::new();
    let (mut victim, teller) = (Author::new(1), Author::new(2));
    stage.link(teller.id(), "127.0.0.1:2");
    let foreign = victim.says(0, &offer(&["seeder"]));
    stage.offered(teller.id(), &[&foreign]);
    assert_eq!(stage.blamed(), [(teller.id(), Misbehaviour::InvalidRecord)]);
    let (author, data) = (teller.id(), foreign.wire().clone());
    stage.handle(Input::Gossiped { author, data });
    assert_eq!(
        stage.blamed(),
        [],
        "what is in a message is its author's affair"
    );
    assert_eq!(stage.known("all"), []);
}

#[test]
fn offers_without_a_link_are_not_looked_at() {
    let mut stage = Stage::new();
    let mut author = Author::new(1);
    let record = author.says(0, &offer(&["seeder"]));
    stage.offered(author.id(), &[&record]);
    assert!(stage.take().is_empty());
}

#[test]
fn more_than_one_a_minute_is_a_flood_of_its_author_whoever_brings_it() {
    let mut stage = Stage::new();
    let mut author = Author::new(1);
    let mut blamed = 0;
    for nth in 0..12u64 {
        let mut said = offer(&["seeder"]);
        said.amount_min = nth;
        stage.gossiped(&author.says(nth * 6_000, &said));
        stage.pass(6_000);
        for (peer, kind) in stage.blamed() {
            assert_eq!(
                (peer, kind),
                (author.id(), Misbehaviour::AdvertisementFlood)
            );
            blamed += 1;
        }
    }
    // The first is in time, three are forgiven, and the next would be due a minute after these.
    assert_eq!(blamed, 8);
    let shown = stage
        .directory
        .find(stage.now().wall, &Filter::of("seeder").unwrap(), |_| {
            Some(repute_base::Fixed::HALF)
        });
    assert_eq!(shown.len(), 1, "what was said in time still stands");
}

#[test]
fn the_same_flood_is_held_against_an_author_once_however_often_it_comes() {
    let mut stage = Stage::new();
    let mut author = Author::new(1);
    let records: Vec<_> = (0..5u64)
        .map(|nth| {
            let mut said = offer(&["seeder"]);
            said.amount_min = nth;
            author.says(nth, &said)
        })
        .collect();
    stage.link(author.id(), "127.0.0.1:1");
    for record in &records {
        stage.gossiped(record);
        stage.offered(author.id(), &[record]);
    }
    stage.gossiped(&records[4]);
    assert_eq!(
        stage.blamed(),
        [(author.id(), Misbehaviour::AdvertisementFlood)]
    );
}

#[test]
fn an_eleventh_key_is_a_flood() {
    let (kinds, refused, known) = judged(|author| {
        let mut record = record_of(0, &offer(&["seeder"]), HOUR);
        record.slot = 10;
        author.signs(0, &record).into_inner()
    });
    assert_eq!(kinds, [Misbehaviour::AdvertisementFlood; 2]);
    assert_eq!(refused, [Refusal::Flood; 2]);
    assert!(!known);
}

#[test]
fn what_an_author_did_not_sign_is_not_counted_against_it() {
    let mut stage = Stage::new();
    let mut author = Author::new(1);
    let attacker = Author::new(2);
    stage.link(attacker.id(), "127.0.0.1:2");
    for nth in 0..100u64 {
        let mut said = offer(&["seeder"]);
        said.amount_min = nth;
        let record = author.says(nth, &said);
        stage.offered(attacker.id(), &[&record]);
    }
    let blamed = stage.blamed();
    assert!(!blamed.is_empty() && blamed.iter().all(|(peer, _)| *peer == attacker.id()));
    stage.pass(MINUTE);
    stage.gossiped(&author.says(MINUTE, &offer(&["seeder"])));
    assert_eq!(
        stage.known("seeder"),
        [author.id()],
        "its own budget is whole"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_taken_without_harm(
        data in proptest::collection::vec(any::<u8>(), 0..400),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 1..4),
    ) {
        let mut stage = Stage::new();
        let mut author = Author::new(1);
        stage.link(author.id(), "127.0.0.1:1");
        let id = author.id();
        stage.handle(Input::Gossiped { author: id, data: data.into() });
        let honest = author.says(0, &offer(&["seeder"]));
        let mut wire = honest.wire().to_vec();
        for (at, flip) in flips {
            let at = at.index(wire.len());
            wire[at] ^= flip;
        }
        let changed = wire[..] != honest.wire()[..];
        stage.handle(Input::Gossiped { author: id, data: wire.into() });
        let peer = id;
        stage.handle(Input::Offered { peer, records: RecordList::default() });
        prop_assert!(!changed || stage.known("all").is_empty());
    }
}
