//! Every collection, filled.

use repute_base::{BoundedBytes, Fixed, Machine};
use repute_dht::{
    DirectoryError, DirectoryEvent, DirectoryInput as Input, DirectoryLimits,
    DirectoryOutput as Output, DirectoryRefusal as Refusal, Filter,
};
use repute_identity::Identity;
use repute_protocol::limits::METADATA_MAX;

use crate::stage::*;

fn placed(nth: u64) -> String {
    format!("198.18.{}.{}:9", nth / 200, nth % 200 + 1)
}

#[test]
fn thousands_of_ids_from_one_prefix_take_no_more_than_its_share() {
    let mut stage = Stage::new();
    let mut honest = Author::new(1);
    let there = at_address(offer(&["seeder"]), "192.0.2.1:9");
    stage.gossiped(&honest.says(0, &there));
    for seed in 2..2_002 {
        let address = format!("203.0.113.{}:{}", seed % 250, seed);
        let said = at_address(offer(&["seeder"]), &address);
        stage.gossiped(&Author::new(seed).says(0, &said));
    }
    let limits = DirectoryLimits::default();
    assert_eq!(stage.directory.counters().entries, limits.group_max + 1);
    assert!(stage.known("seeder").contains(&honest.id()));
    assert_eq!(stage.blamed(), [], "a prefix is no crime");
}

#[test]
fn a_linked_author_is_where_its_link_is_whatever_it_names() {
    let limits = DirectoryLimits {
        group_max: 4,
        ..DirectoryLimits::default()
    };
    let mut stage = Stage::with(limits);
    for seed in 1..=20u64 {
        let mut author = Author::new(seed);
        stage.link(author.id(), &format!("203.0.113.{seed}:9"));
        let said = at_address(offer(&["seeder"]), &format!("198.18.{seed}.1:9"));
        let record = author.says(0, &said);
        stage.offered(author.id(), &[&record]);
    }
    assert_eq!(stage.directory.counters().entries, 4);
}

#[test]
fn when_all_is_full_the_least_trusted_goes_and_of_equals_what_expires_first() {
    let limits = DirectoryLimits {
        entries_max: 10,
        ..DirectoryLimits::default()
    };
    let mut stage = Stage::with(limits);
    let mut friend = Author::new(1);
    let peer = friend.id();
    stage.handle(Input::Standing {
        peer,
        trust: Fixed::ratio(9, 10),
        closed: false,
    });
    let brief = at_address(offer(&["seeder"]), "192.0.2.1:9");
    stage.gossiped(&friend.says_for(0, &brief, 10 * MINUTE));
    for nth in 0..20u64 {
        let said = at_address(offer(&["seeder"]), &placed(nth * 200));
        let mut author = Author::new(2 + nth);
        // Each a little longer than the one before it.
        stage.gossiped(&author.says_for(0, &said, HOUR + nth));
    }
    let known = stage.known("seeder");
    assert_eq!(known.len(), 10);
    assert!(
        known.contains(&peer),
        "the trusted one stays, though it expires first"
    );
    let last = Author::new(21).id();
    assert!(known.contains(&last) && !known.contains(&Author::new(2).id()));
    assert_eq!(stage.directory.counters().evicted, 11);
    let said = at_address(offer(&["seeder"]), "192.0.3.1:9");
    stage.gossiped(&Author::new(50).says_for(0, &said, 30 * MINUTE));
    assert_eq!(stage.directory.counters().refused(Refusal::Full), 1);
    let standing = |trust| Input::Standing {
        peer,
        trust,
        closed: false,
    };
    stage.handle(standing(Fixed::ratio(1, 10)));
    let said = at_address(offer(&["seeder"]), "192.0.4.1:9");
    stage.gossiped(&Author::new(51).says_for(0, &said, 2 * HOUR));
    assert!(!stage.known("seeder").contains(&peer), "no longer trusted");
}

#[test]
fn bytes_are_bounded_too() {
    let limits = DirectoryLimits {
        entry_bytes_max: 64 << 10,
        ..DirectoryLimits::default()
    };
    let mut stage = Stage::with(limits);
    for nth in 0..40u64 {
        let mut said = at_address(offer(&["seeder"]), &placed(nth * 200));
        said.metadata = BoundedBytes::new(vec![7; METADATA_MAX]).unwrap();
        stage.gossiped(&Author::new(1 + nth).says_for(0, &said, HOUR + nth));
    }
    let counters = stage.directory.counters();
    assert!(
        counters.entry_bytes <= 64 << 10 && counters.entries == 15,
        "{counters:?}"
    );
    stage.pass(2 * HOUR);
    assert_eq!(stage.directory.counters().entry_bytes, 0);
}

#[test]
fn one_author_has_ten_places_and_no_more_records_are_looked_at_than_it_may_send() {
    let mut stage = Stage::new();
    let mut author = Author::new(1);
    for nth in 0..60u64 {
        let mut record = record_of(0, &offer(&["seeder"]), HOUR);
        record.slot = (nth % 10) as u8;
        let signed = author.signs(0, &record);
        stage.gossiped(&signed);
    }
    let counters = stage.directory.counters();
    assert_eq!(counters.entries, 10);
    assert_eq!((counters.taken, counters.refused(Refusal::Pace)), (20, 40));
    stage.pass(MINUTE);
    for _ in 0..11 {
        stage.gossiped(&author.says(MINUTE, &offer(&["seeder"])));
    }
    assert_eq!(stage.directory.counters().taken, 30, "ten a minute");
    assert_eq!(stage.blamed(), []);
}

#[test]
fn checks_links_searches_and_watches_are_bounded() {
    let limits = DirectoryLimits {
        checks_max: 4,
        links_max: 4,
        searches_max: 4,
        watches_max: 4,
        authors_max: 4,
        standings_max: 4,
        ..DirectoryLimits::default()
    };
    let mut stage = Stage::with(limits);
    stage.prompt = false;
    for seed in 1..=10u64 {
        let mut author = Author::new(seed);
        let record = author.says(0, &offer(&["seeder"]));
        stage.gossiped(&record);
        stage.link(author.id(), "127.0.0.1:1");
        let peer = author.id();
        stage.handle(Input::Standing {
            peer,
            trust: Fixed::ONE,
            closed: false,
        });
    }
    let outputs = stage.take();
    let checks = outputs.iter().filter_map(|output| match output {
        Output::Verify { envelope, .. } => Some(envelope.clone()),
        _ => None,
    });
    let checks: Vec<_> = checks.collect();
    assert_eq!(checks.len(), 4);
    assert!(checks.iter().all(|one| stage.directory.awaits(&one.id())));
    stage.handle(Input::Unchecked {
        envelope: checks[0].clone(),
    });
    assert!(!stage.directory.awaits(&checks[0].id()));
    let filter = Filter::of("seeder").unwrap();
    for token in 0..6 {
        let (a, b) = (filter.clone(), filter.clone());
        stage.handle(Input::Find {
            token,
            filter: a,
            local: false,
        });
        stage.handle(Input::Watch { token, filter: b });
    }
    let refused = stage.events().into_iter().filter(|event| {
        matches!(
            event,
            DirectoryEvent::Refused {
                reason: DirectoryError::TooMany,
                ..
            }
        )
    });
    assert_eq!(refused.count(), 4, "two searches and two watches");
    let linked = Identity::from_seed(10).id();
    let record = Author::new(10).says(0, &offer(&["relay"]));
    stage.offered(linked, &[&record]);
    assert!(stage.take().is_empty(), "the tenth link was one too many");
}

#[test]
fn an_answer_has_no_more_than_its_limit() {
    let limits = DirectoryLimits {
        found_max: 5,
        ..DirectoryLimits::default()
    };
    let mut stage = Stage::with(limits);
    for nth in 0..9u64 {
        stage.gossiped(&Author::new(1 + nth).says(0, &offer(&["seeder"])));
    }
    assert_eq!(stage.directory.counters().entries, 9);
    assert_eq!(stage.known("all").len(), 5);
}

#[test]
fn deadlines_are_no_earlier_than_needed() {
    let mut stage = Stage::new();
    assert!(stage.directory.next_deadline().is_none());
    stage.gossiped(&Author::new(1).says(0, &offer(&["seeder"])));
    let due = stage.directory.next_deadline().map(|due| due.as_millis());
    assert_eq!(due, Some(HOUR));
}
