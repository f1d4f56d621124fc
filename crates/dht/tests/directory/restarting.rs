//! What this node offers, over its restarts and moves.

use repute_base::Machine;
use repute_dht::{
    DirectoryError, DirectoryEvent, DirectoryInput as Input, DirectoryOutput as Output,
};
use repute_identity::Identity;
use repute_protocol::Advertisement;

use crate::stage::*;

const HERE: &str = "203.0.113.1:7000";
const THERE: &str = "203.0.113.1:7001";

fn addresses(advertisement: &Advertisement) -> Vec<String> {
    advertisement
        .addresses
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn published(outputs: &[Output]) -> usize {
    let published = |output: &&Output| matches!(output, Output::Publish(_));
    outputs.iter().filter(published).count()
}

/// A stage that offers something without addresses, where it listens.
fn offering() -> Stage {
    let mut stage = Stage::new();
    stage.listens(HERE);
    stage.handle(Input::Start);
    stage.advertise(offer(&["signer:spend"]));
    let told = stage.told();
    assert_eq!(addresses(&told[0]), [HERE]);
    stage
}

#[test]
fn what_was_offered_is_offered_and_published_again_after_a_restart() {
    let mut stage = offering();
    stage.restart(5_000, HERE);
    let soon: Vec<Output> = stage.outputs.clone();
    assert_eq!(published(&soon), 3, "all, signer, signer:spend");
    assert_eq!(stage.told().len(), 1, "at once: it says the same");
    // A neighbour hears it, too.
    stage.link(Identity::from_seed(1).id(), HERE);
    let offered = stage.take();
    assert!(matches!(&offered[..], [Output::Offer { records, .. }] if records.len() == 1));
    // Renewed as ever; and offered once more after a day without power.
    stage.pass(HOUR);
    assert_eq!(stage.told().len(), 3);
    stage.restart(24 * HOUR, HERE);
    assert_eq!((published(&stage.outputs), stage.told().len()), (3, 1));
    assert_eq!(stage.directory.own().count(), 1);
}

#[test]
fn nothing_is_offered_before_the_start() {
    let stage = offering();
    let mut again = Stage::new();
    for (slot, bytes) in &stage.rows {
        again.directory.restore(*slot, bytes);
    }
    again.link(Identity::from_seed(1).id(), HERE);
    again.listens(THERE);
    assert_eq!(again.directory.next_deadline(), None);
    assert!(again.take().is_empty());
}

#[test]
fn what_was_taken_back_stays_away() {
    let mut stage = offering();
    stage.advertise(with_key(offer(&["relay"]), 1));
    stage.handle(Input::Retract {
        token: 2,
        key: Some(with_key(offer(&[]), 1).key),
    });
    stage.restart(1_000, HERE);
    assert_eq!(
        stage
            .directory
            .own()
            .map(|own| own.slot)
            .collect::<Vec<_>>(),
        [0]
    );
    stage.handle(Input::Retract {
        token: 3,
        key: None,
    });
    assert!(stage.rows.is_empty());
    stage.restart(1_000, HERE);
    stage.pass(HOUR);
    assert!(stage.take().is_empty());
}

#[test]
fn a_restart_elsewhere_waits_out_the_minute_and_never_offers_the_old_address() {
    let mut stage = offering();
    stage.pass(10_000);
    stage.restart(5_000, THERE);
    assert!(stage.told().is_empty());
    stage.link(Identity::from_seed(1).id(), HERE);
    stage.pass(44_999);
    assert!(stage.take().is_empty(), "a minute has not passed");
    stage.pass(1);
    let outputs = stage.outputs.clone();
    assert_eq!(published(&outputs), 3);
    let told = stage.told();
    assert_eq!((told.len(), addresses(&told[0])), (1, vec![THERE.into()]));
    // Once the minute is over there is nothing to wait for.
    stage.restart(MINUTE, HERE);
    assert_eq!(addresses(&stage.told()[0]), [HERE]);
}

#[test]
fn a_move_is_told_and_addresses_that_the_operator_gave_stay() {
    let mut stage = offering();
    let given = "198.51.100.9:9";
    stage.advertise(with_key(at_address(offer(&["relay"]), given), 1));
    stage.pass(10_000);
    stage.take();
    stage.listens(THERE);
    stage.pass(49_999);
    assert!(stage.take().is_empty());
    stage.pass(1);
    let outputs = stage.outputs.clone();
    assert_eq!(published(&outputs), 3, "the DHT is told, too");
    let told = stage.told();
    assert_eq!((told.len(), addresses(&told[0])), (1, vec![THERE.into()]));
    stage.pass(HOUR);
    for told in stage.told() {
        let said = addresses(&told);
        assert_eq!(said, [if told.key.is_empty() { THERE } else { given }]);
    }
    stage.restart(1_000, HERE);
    let said: Vec<_> = stage.told().iter().map(addresses).collect();
    assert_eq!(said, [[given]], "the other waits");
    // The same place again is no move.
    stage.pass(2 * MINUTE);
    stage.take();
    stage.listens(HERE);
    stage.pass(2 * MINUTE);
    assert!(stage.take().is_empty());
}

#[test]
fn another_run_keeps_the_pace_of_the_one_before() {
    let mut stage = offering();
    stage.restart(1_000, HERE);
    stage.pass(20_000);
    stage.take();
    stage.advertise(offer(&["relay"]));
    let events = stage.events();
    let [
        DirectoryEvent::Refused {
            reason: DirectoryError::TooSoon { wait },
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(wait.as_millis(), 40_000);
}

#[test]
fn to_offer_the_same_again_within_the_minute_changes_nothing() {
    let mut stage = offering();
    let again = |stage: &mut Stage| {
        let rows = std::mem::take(&mut stage.rows);
        stage.take();
        stage.advertise(offer(&["signer:spend"]));
        assert_eq!(
            stage.rows, rows,
            "kept once more, as the store may have refused it"
        );
        stage.take()
    };
    stage.restart(1_000, HERE);
    for _ in 0..3 {
        stage.pass(10_000);
        let outputs = again(&mut stage);
        assert!(
            matches!(
                &outputs[..],
                [
                    Output::Persist(_),
                    Output::Event(DirectoryEvent::Advertised { slot: 0, .. })
                ]
            ),
            "{outputs:?}"
        );
    }
    stage.handle(Input::Advertise {
        token: 5,
        advertisement: offer(&["signer:spend"]),
        lifetime: std::time::Duration::from_millis(2 * HOUR),
    });
    let events = stage.events();
    assert!(
        matches!(&events[..], [DirectoryEvent::Refused { .. }]),
        "{events:?}"
    );
}

#[test]
fn rows_that_cannot_be_read_are_counted_and_forgotten() {
    let mut stage = offering();
    stage.advertise(with_key(offer(&["relay"]), 1));
    let (good, other) = (stage.rows[&0].clone(), stage.rows[&1].clone());
    let mut future = good.clone();
    future[0] = 2;
    let mut short_lived = good.clone();
    short_lived[1] = 5;
    let cut = good[..good.len() - 1].to_vec();
    stage.rows.clear();
    let rows = [
        &good,
        &good,
        &future,
        &cut,
        &short_lived,
        &Vec::new(),
        &other,
    ];
    for (slot, bytes) in (0..).zip(rows) {
        stage.rows.insert(slot, bytes.clone());
    }
    stage.rows.insert(10, other.clone());
    stage.rows.insert(255, Vec::new());
    stage.restart(MINUTE, HERE);
    assert_eq!(stage.directory.counters().unreadable, 7);
    let own: Vec<u8> = stage.directory.own().map(|own| own.slot).collect();
    assert_eq!(own, [0, 6]);
    assert_eq!(stage.rows.keys().copied().collect::<Vec<_>>(), [0, 6]);
    assert_eq!(stage.told().len(), 2);
}

/// A node that keeps crashing and coming up elsewhere is no flood to those who hear it.
#[test]
fn restarts_are_never_held_to_be_a_flood() {
    let mut rng = repute_base::Rng::from_u64(5);
    let mut told = Stage::new();
    let mut author = Stage::new();
    author.me = Identity::from_seed(7);
    author.restart(0, HERE);
    author.advertise(offer(&["seeder"]));
    let (mut runs, mut heard) = (0, 0);
    while runs < 300 {
        for output in author.take() {
            if let Output::Gossip { data } = output {
                let author = author.me.id();
                told.handle(Input::Gossiped { author, data });
                heard += 1;
            }
        }
        assert_eq!(told.blamed(), []);
        let (lived, pause) = (rng.below(50_000), rng.below(30_000));
        author.pass(lived);
        if rng.chance(1, 2) {
            author.restart(pause, &format!("203.0.113.1:{}", 7_000 + rng.below(3)));
            runs += 1;
        } else {
            author.pass(pause);
        }
        told.pass(author.ms - told.ms);
    }
    assert!(heard > 100, "{heard}");
}
