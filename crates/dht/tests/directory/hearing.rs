//! What others offer.

use repute_base::{BoundedBytes, Fixed};
use repute_dht::{
    DirectoryEvent, DirectoryInput as Input, DirectoryOutput as Output, DirectoryRefusal, Filter,
};
use repute_protocol::RecordKey;

use crate::stage::*;

#[test]
fn it_is_known_however_it_came() {
    let mut stage = Stage::new();
    let (mut a, mut b, mut c) = (Author::new(1), Author::new(2), Author::new(3));
    stage.gossiped(&a.says(0, &offer(&["seeder"])));
    stage.link(b.id(), "127.0.0.1:2");
    let record = b.says(0, &offer(&["seeder"]));
    stage.offered(b.id(), &[&record]);
    let filter = Filter::of("seeder").unwrap();
    stage.handle(Input::Find {
        token: 9,
        filter,
        local: false,
    });
    let asked = stage.take().into_iter().any(|output| {
        matches!(output, Output::Lookup { token: 9, key, .. }
            if key == RecordKey::of_service("seeder"))
    });
    assert!(asked, "the DHT is asked where seeders are");
    let envelope = c.says(0, &offer(&["seeder"]));
    stage.handle(Input::LookedUp { token: 9, envelope });
    let mut all = [a.id(), b.id(), c.id()];
    all.sort_unstable();
    assert_eq!(stage.known("seeder"), all);
    stage.handle(Input::LookupEnded { token: 9 });
    let events = stage.events();
    let found = |event: &DirectoryEvent| {
        matches!(
            event,
            DirectoryEvent::Found {
                token: 9,
                complete: true,
                ..
            }
        )
    };
    assert!(events.iter().any(found));
}

#[test]
fn the_newest_wins_and_what_is_older_changes_nothing() {
    let mut stage = Stage::new();
    let mut author = Author::new(1);
    let old = author.says(0, &offer(&["seeder"]));
    let new = author.says(MINUTE, &offer(&["relay"]));
    stage.pass(MINUTE);
    stage.gossiped(&new);
    stage.gossiped(&old);
    assert_eq!(stage.known("seeder"), []);
    assert_eq!(stage.known("relay"), [author.id()]);
    assert_eq!(stage.blamed(), [], "copies come in any order");
    let stale = DirectoryRefusal::Stale;
    assert_eq!(stage.directory.counters().refused(stale), 1);
}

#[test]
fn an_advertisement_is_forgotten_when_it_expires() {
    let mut stage = Stage::new();
    let mut author = Author::new(1);
    stage.gossiped(&author.says(0, &offer(&["seeder"])));
    stage.pass(HOUR - 1);
    assert_eq!(stage.known("seeder"), [author.id()]);
    stage.pass(1);
    assert_eq!(stage.known("seeder"), []);
    assert_eq!(stage.directory.counters().expired, 1);
    assert_eq!(stage.directory.counters().entry_bytes, 0);
}

#[test]
fn a_farewell_takes_it_back_and_older_copies_do_not_bring_it_again() {
    let mut stage = Stage::new();
    let mut author = Author::new(1);
    let record = author.says(0, &offer(&["seeder"]));
    stage.gossiped(&record);
    stage.pass(1_000);
    stage.gossiped(&author.says_for(1_000, &offer(&["seeder"]), MINUTE));
    assert_eq!(stage.known("seeder"), []);
    assert_eq!(stage.directory.counters().withdrawn, 1);
    stage.gossiped(&record);
    assert_eq!(stage.known("seeder"), []);
    stage.gossiped(&author.says(1_000, &offer(&["seeder"])));
    assert_eq!(
        stage.known("seeder"),
        [author.id()],
        "a newer one counts again"
    );
    assert_eq!(stage.blamed(), []);
}

#[test]
fn a_farewell_from_one_name_leaves_the_others() {
    let mut stage = Stage::new();
    let mut author = Author::new(1);
    let filter = Filter::of("signer:spend").unwrap();
    stage.gossiped(&author.says(0, &offer(&["signer:swap"])));
    stage.handle(Input::Find {
        token: 1,
        filter,
        local: false,
    });
    let mut farewell = record_of(0, &offer(&["signer:spend", "signer:swap"]), MINUTE);
    farewell.name = BoundedBytes::new(&b"signer:spend"[..]).unwrap();
    let envelope = author.signs(0, &farewell);
    stage.handle(Input::LookedUp { token: 1, envelope });
    assert_eq!(stage.known("signer:swap"), [author.id()]);
    assert_eq!(stage.known("signer:spend"), []);
}

#[test]
fn a_watch_is_told_of_what_is_new_and_fits_and_not_of_renewals() {
    let mut stage = Stage::new();
    let mut author = Author::new(1);
    for (token, kind) in [(1, "signer"), (2, "all"), (3, "relay")] {
        let filter = Filter::of(kind).unwrap();
        stage.handle(Input::Watch { token, filter });
    }
    stage.gossiped(&author.says(0, &offer(&["signer:spend"])));
    let events = stage.events();
    let [DirectoryEvent::Discovered { watches, entry }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((&watches[..], entry.author), (&[1, 2][..], author.id()));
    stage.pass(20 * MINUTE);
    stage.gossiped(&author.says(20 * MINUTE, &offer(&["signer:spend"])));
    assert!(stage.events().is_empty(), "the same again");
    stage.handle(Input::Unwatch { token: 1 });
    stage.handle(Input::Unwatch { token: 2 });
    stage.pass(MINUTE);
    stage.gossiped(&author.says(21 * MINUTE, &offer(&["signer:swap"])));
    assert!(
        stage.events().is_empty(),
        "nobody watches for signers any more"
    );
}

#[test]
fn who_is_closed_out_is_forgotten_and_not_heard_until_the_gate_opens() {
    let mut stage = Stage::new();
    let mut author = Author::new(1);
    let peer = author.id();
    let standing = |closed| Input::Standing {
        peer,
        trust: Fixed::HALF,
        closed,
    };
    stage.gossiped(&author.says(0, &offer(&["seeder"])));
    stage.handle(standing(true));
    assert_eq!(stage.known("seeder"), []);
    stage.pass(MINUTE);
    let checks = |stage: &mut Stage| {
        let outputs = stage.take();
        let checked = |output: &&Output| matches!(output, Output::Verify { .. });
        outputs.iter().filter(checked).count()
    };
    checks(&mut stage);
    stage.gossiped(&author.says(MINUTE, &offer(&["seeder"])));
    assert_eq!(checks(&mut stage), 0, "not even its signature is looked at");
    assert_eq!(stage.known("seeder"), []);
    stage.handle(standing(false));
    stage.gossiped(&author.says(MINUTE, &offer(&["seeder"])));
    assert_eq!(stage.known("seeder"), [peer]);
}
