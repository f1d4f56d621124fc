//! Filters, and when the DHT is asked.

use proptest::prelude::*;
use repute_base::{BoundedVec, Fixed};
use repute_dht::{
    DirectoryError, DirectoryEvent, DirectoryInput as Input, DirectoryOutput as Output, Filter,
};
use repute_identity::NodeId;

use crate::stage::*;

#[test]
fn a_filter_names_services_families_or_all() {
    let mut stage = Stage::new();
    let mut authors = Vec::new();
    for (seed, service) in [
        (1, "signer:spend"),
        (2, "signer:swap"),
        (3, "seeder"),
        (4, "sign"),
    ] {
        let mut author = Author::new(seed);
        stage.gossiped(&author.says(0, &offer(&[service])));
        authors.push(author.id());
    }
    let sorted = |mut ids: Vec<NodeId>| {
        ids.sort_unstable();
        ids
    };
    assert_eq!(stage.known("signer:spend"), [authors[0]]);
    assert_eq!(stage.known("signer"), sorted(authors[..2].to_vec()));
    assert_eq!(stage.known("sign"), [authors[3]]);
    assert_eq!(stage.known("all"), sorted(authors));
    assert_eq!(stage.known("relay"), []);
    assert_eq!(Filter::of("Seeder"), Err(DirectoryError::ServiceName));
    assert_eq!(Filter::of(""), Err(DirectoryError::ServiceName));
}

#[test]
fn amounts_criteria_and_authors_are_filtered() {
    let mut stage = Stage::new();
    let mut author = Author::new(1);
    let mut said = offer(&["signer:spend"]);
    (said.amount_min, said.amount_max) = (100, 500);
    said.criteria = BoundedVec::truncated([criterion("network", "main"), criterion("asset", "x")]);
    stage.gossiped(&author.says(0, &said));
    let id = author.id();
    let found = |change: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::of("signer").unwrap();
        change(&mut filter);
        let trust = |_: &NodeId| Some(Fixed::ratio(6, 10));
        let found = stage.directory.find(stage.now().wall, &filter, trust);
        found.len() == 1
    };
    assert!(found(&|_| {}));
    assert!(found(&|filter| filter.amount_min = 500) && !found(&|filter| filter.amount_min = 501));
    assert!(found(&|filter| filter.amount_max = 100) && !found(&|filter| filter.amount_max = 99));
    assert!(found(
        &|filter| filter.criteria = vec![criterion("asset", "x")]
    ));
    assert!(!found(
        &|filter| filter.criteria = vec![criterion("asset", "y")]
    ));
    assert!(!found(
        &|filter| filter.criteria = vec![criterion("colour", "x")]
    ));
    assert!(found(&|filter| filter.trust_min = Some(Fixed::ratio(6, 10))));
    assert!(!found(
        &|filter| filter.trust_min = Some(Fixed::ratio(7, 10))
    ));
    assert!(found(&|filter| filter.author = Some(id)) && !found(&|f| f.exclude = Some(id)));
    assert!(!found(
        &|filter| filter.author = Some(NodeId::from_bytes([0; 32]))
    ));
    assert!(!found(&|filter| filter.max = 0));
}

#[test]
fn the_most_trusted_come_first_and_the_newest_of_equals() {
    let mut stage = Stage::new();
    let mut ids = Vec::new();
    for seed in 1..=4 {
        let mut author = Author::new(seed);
        stage.gossiped(&author.says(0, &offer(&["seeder"])));
        stage.pass(1);
        ids.push(author.id());
    }
    let mut late = Author::new(5);
    stage.gossiped(&late.says(4, &offer(&["seeder"])));
    let best = ids[2];
    let trust = |id: &NodeId| Some(if *id == best { Fixed::ONE } else { Fixed::HALF });
    let filter = Filter {
        max: 2,
        ..Filter::of("seeder").unwrap()
    };
    let found = stage.directory.find(stage.now().wall, &filter, trust);
    let found: Vec<NodeId> = found.iter().map(|entry| entry.author).collect();
    assert_eq!(found, [best, late.id()]);
}

#[test]
fn the_dht_is_asked_only_if_there_are_not_enough_here() {
    let mut stage = Stage::new();
    let mut author = Author::new(1);
    stage.gossiped(&author.says(0, &offer(&["seeder"])));
    stage.take();
    let mut find = |max, local, (trust_min, picky)| {
        let mut filter = Filter::of("seeder").unwrap();
        (filter.max, filter.trust_min, filter.picky) = (max, trust_min, picky);
        let token = 7;
        stage.handle(Input::Find {
            token,
            filter,
            local,
        });
        let outputs = stage.take();
        let asked = |output: &Output| matches!(output, Output::Lookup { .. });
        let asked = outputs.iter().any(asked);
        stage.handle(Input::LookupEnded { token });
        stage.take();
        asked
    };
    assert!(!find(1, false, (None, false)), "one is enough");
    assert!(find(2, false, (None, false)), "two are wanted");
    assert!(!find(2, true, (None, true)), "only what is known here");
    assert!(
        find(1, false, (Some(Fixed::HALF), false)),
        "the one known may not be trusted"
    );
    assert!(
        find(1, false, (None, true)),
        "the one known may be left out"
    );
}

#[test]
fn whom_the_caller_leaves_out_takes_no_place_of_those_wanted() {
    let mut stage = Stage::new();
    let mut ids = Vec::new();
    for seed in 1..=6 {
        let mut author = Author::new(seed);
        stage.gossiped(&author.says(0, &offer(&["seeder"])));
        ids.push(author.id());
    }
    let wanted = ids.split_off(4);
    let filter = Filter {
        max: 2,
        ..Filter::of("seeder").unwrap()
    };
    // The others are trusted more.
    let trust = |id: &NodeId| wanted.contains(id).then_some(Fixed::ratio(1, 4));
    let found = stage.directory.find(stage.now().wall, &filter, trust);
    let mut found: Vec<NodeId> = found.iter().map(|entry| entry.author).collect();
    found.sort_unstable();
    let mut wanted = wanted.clone();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}

#[test]
fn a_search_ends_without_the_dht_after_a_while() {
    let mut stage = Stage::new();
    let filter = Filter::of("seeder").unwrap();
    stage.handle(Input::Find {
        token: 7,
        filter,
        local: false,
    });
    stage.pass(30_000);
    let events = stage.events();
    let [
        DirectoryEvent::Found {
            token: 7,
            complete: false,
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    stage.handle(Input::LookupEnded { token: 7 });
    let mut author = Author::new(1);
    let envelope = author.says(30_000, &offer(&["seeder"]));
    stage.handle(Input::LookedUp { token: 7, envelope });
    assert!(stage.events().is_empty(), "too late");
    assert_eq!(stage.known("seeder"), [], "nobody asked for it");
}

proptest! {
    /// A range fits if and only if some amount lies in both.
    #[test]
    fn ranges_fit_if_they_overlap(said in any::<[u8; 2]>(), asked in any::<[u8; 2]>()) {
        let ordered = |[a, b]: [u8; 2]| (u64::from(a.min(b)), u64::from(a.max(b)));
        let mut stage = Stage::new();
        let mut advertisement = offer(&["relay"]);
        (advertisement.amount_min, advertisement.amount_max) = ordered(said);
        stage.gossiped(&Author::new(1).says(0, &advertisement));
        let mut filter = Filter::of("relay").unwrap();
        (filter.amount_min, filter.amount_max) = ordered(asked);
        let found = stage.directory.find(stage.now().wall, &filter, |_| Some(Fixed::HALF));
        let overlap = (filter.amount_min..=filter.amount_max)
            .any(|amount| (advertisement.amount_min..=advertisement.amount_max).contains(&amount));
        prop_assert_eq!(!found.is_empty(), overlap);
    }
}
