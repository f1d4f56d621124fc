//! Barred addresses, refusals with their reason and time, and appeals.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod bench;

use std::time::Duration;

use bench::{Bench, WALL, at, closed, dialled, id};
use repute_base::{BoundedString, Wall};
use repute_peers::{DialFailure, Event, Input, Output};
use repute_protocol::{Disconnect, DisconnectReason, Frame};

#[test]
fn a_barred_address_gets_no_link_whichever_end_dials_and_loses_the_one_it_has() {
    let (bad, good) = (at("192.0.2.7:1"), at("198.51.100.7:1"));
    let mut bench = Bench::new();
    bench.up(1, bad, true, false);
    bench.admit(1, bad);
    bench.up(2, good, true, false);
    bench.admit(2, good);
    let outputs = bench.bar(&["192.0.2.0/24"]);
    assert_eq!(closed(&outputs, 1), Some(DisconnectReason::Banned));
    assert_eq!(closed(&outputs, 2), None);
    for inbound in [true, false] {
        let outputs = bench.up(1, bad, inbound, false);
        assert_eq!(
            closed(&outputs, 1),
            Some(DisconnectReason::Banned),
            "{inbound}"
        );
    }
    // The identity may come from elsewhere: an address is not a person.
    let outputs = bench.up(1, at("203.0.113.9:4"), true, false);
    assert_eq!(closed(&outputs, 1), None);
    // Of several addresses only the open ones are dialled, and none where all are barred.
    let join = |n, addresses| Input::Join {
        peer: id(n),
        addresses,
    };
    let mut outputs = bench.give(join(3, vec![bad, good]));
    outputs.extend(bench.give(join(4, vec![bad])));
    outputs.extend(bench.pass(60_000));
    assert_eq!(dialled(&outputs, 3), Some(vec![good]));
    assert_eq!(dialled(&outputs, 4), None);
    bench.bar(&[]);
    let outputs = bench.pass(60_000);
    assert_eq!(dialled(&outputs, 4), Some(vec![bad]));
}

#[test]
fn who_refuses_us_is_remembered_with_the_time_until_it_takes_us_in() {
    let mut bench = Bench::new();
    let remote = at("198.51.100.7:1");
    let goodbye = Disconnect {
        reason: DisconnectReason::Banned,
        retry_ms: 7_200_000,
        detail: BoundedString::truncated("banned: budget-exceeded"),
    };
    bench.give(Input::Join {
        peer: id(1),
        addresses: vec![remote],
    });
    let outputs = bench.give(Input::DialFailed {
        peer: id(1),
        cause: DialFailure::Refused(goodbye.clone()),
    });
    let told = outputs.iter().find_map(|output| match output {
        Output::Event(Event::RefusedBy(refusal)) => Some(refusal.clone()),
        _ => None,
    });
    let told = told.expect("an event");
    assert_eq!(
        told.retry_at,
        Wall::from_millis(WALL + 1_000) + Duration::from_secs(7_200)
    );
    assert_eq!(bench.engine.refusals().collect::<Vec<_>>(), [&told]);
    // Nobody hammers at a door that is shut: the time is kept to, and then tried.
    let outputs = bench.pass(7_200_000 - 1);
    assert_eq!(dialled(&outputs, 1), None);
    let outputs = bench.pass(2 * 3_600_000);
    assert_eq!(dialled(&outputs, 1), Some(vec![remote]));
    bench.up(1, remote, false, false);
    bench.admit(1, remote);
    assert_eq!(bench.engine.refusals().count(), 0);
    // A stop is no refusal.
    bench.down(1, Disconnect::because(DisconnectReason::Shutdown, ""));
    assert_eq!(bench.engine.refusals().count(), 0);
}

#[test]
fn an_appeal_is_one_goodbye_that_the_banning_end_waits_for() {
    let remote = at("198.51.100.7:1");
    // The appellant.
    let mut bench = Bench::new();
    bench.give(Input::Join {
        peer: id(1),
        addresses: vec![remote],
    });
    bench.give(Input::DialFailed {
        peer: id(1),
        cause: DialFailure::Refused(Disconnect::because(DisconnectReason::Banned, "")),
    });
    let text: BoundedString<128> = BoundedString::truncated("the disk was full; it is not now");
    let outputs = bench.give(Input::Appeal {
        peer: id(1),
        text: text.clone(),
    });
    assert!(dialled(&outputs, 1).is_some(), "at once: {outputs:?}");
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::Appealing(true)))
    );
    let outputs = bench.up(1, remote, false, false);
    let goodbye = outputs.iter().find_map(|output| match output {
        Output::Close { disconnect, .. } => Some(disconnect.clone()),
        _ => None,
    });
    let goodbye = goodbye.expect("a goodbye");
    assert_eq!(
        (goodbye.reason, &goodbye.detail),
        (DisconnectReason::Appeal, &text)
    );
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::Appealing(false)))
    );
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::Event(Event::Appeal { sent: true, .. })))
    );

    // The banning end.
    let mut bench = Bench::new();
    bench.ban(1, true);
    assert_eq!(
        closed(&bench.up(1, remote, true, false), 1),
        Some(DisconnectReason::Banned)
    );
    assert_eq!(
        closed(&bench.up(1, remote, true, true), 1),
        None,
        "it is heard"
    );
    let outputs = bench.down(1, goodbye.clone());
    let heard = outputs.iter().find_map(|output| match output {
        Output::Event(Event::Appealed { text, .. }) => Some(text.clone()),
        _ => None,
    });
    assert_eq!(heard, Some(text));
    // Once an hour; until then it is turned away as ever.
    assert_eq!(
        closed(&bench.up(1, remote, true, true), 1),
        Some(DisconnectReason::Banned)
    );
    bench.pass(3_600_000);
    assert_eq!(closed(&bench.up(1, remote, true, true), 1), None);
    // Whoever says nothing is turned away.
    assert_eq!(
        closed(&bench.pass(6_000), 1),
        Some(DisconnectReason::Banned)
    );
}

#[test]
fn a_crowd_of_the_banned_is_not_heard_all_at_once_and_others_need_no_hearing() {
    let mut bench = Bench::new();
    let mut held = 0;
    for n in 1..100 {
        bench.ban(n, true);
        let remote = at(&format!("{}.0.2.7:1", 20 + n));
        held += usize::from(closed(&bench.up(n, remote, true, true), n).is_none());
    }
    assert_eq!(held, 8);
    // Nobody but the banned is held: an ordinary peer that comes to appeal gets its link.
    let remote = at("130.0.2.7:1");
    let outputs = bench.up(200, remote, true, true);
    let welcomed = outputs.iter().any(|output| {
        matches!(
            output,
            Output::Send {
                frame: Frame::HandshakeAck(_),
                ..
            }
        )
    });
    assert!(welcomed, "{outputs:?}");
}
