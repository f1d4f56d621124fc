//! Links for one conversation: beyond the slots, and gone when it is over.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod bench;

use bench::{Bench, at, closed, dialled, id};
use repute_base::Address;
use repute_peers::{DialFailure, Input, Limits, Output};
use repute_protocol::{Disconnect, DisconnectReason};

fn place(n: u64) -> Address {
    at(&format!("10.{}.{}.1:4433", n / 256, n % 256))
}

fn visit(bench: &mut Bench, n: u64) -> Vec<Output> {
    bench.give(Input::Visit {
        peer: id(n),
        addresses: vec![place(n)],
    })
}

fn failed(outputs: &[Output], n: u64) -> bool {
    outputs
        .iter()
        .any(|output| matches!(output, Output::VisitFailed { peer } if *peer == id(n)))
}

/// As many links of its own as a node wants, so that it dials nobody of itself.
fn settled() -> Bench {
    let mut bench = Bench::new();
    for n in 1..=16 {
        bench.give(Input::Join {
            peer: id(n),
            addresses: vec![place(n)],
        });
        bench.up(n, place(n), false, false);
        bench.admit(n, place(n));
    }
    bench
}

#[test]
fn a_visit_needs_no_free_slot_and_ends_when_the_conversation_does() {
    let mut bench = settled();
    assert_eq!(
        dialled(&visit(&mut bench, 100), 100),
        Some(vec![place(100)])
    );
    bench.up(100, place(100), false, false);
    let admitted = bench.admit(100, place(100));
    let up = |output: &Output| matches!(output, Output::PeerUp { peer, .. } if *peer == id(100));
    assert!(admitted.iter().any(up), "{admitted:?}");
    let outputs = visit(&mut bench, 100);
    assert!(outputs.is_empty(), "it is there already: {outputs:?}");
    let left = bench.give(Input::Leave { peer: id(100) });
    assert_eq!(closed(&left, 100), Some(DisconnectReason::Idle));
    assert!(!failed(&left, 100), "it was no failure");
    let again = visit(&mut bench, 100);
    assert!(dialled(&again, 100).is_some(), "nor a reason to wait");
}

#[test]
fn a_link_that_is_needed_otherwise_outlives_the_visit() {
    let mut bench = settled();
    for n in [1, 100] {
        visit(&mut bench, n);
    }
    bench.up(100, place(100), false, false);
    bench.admit(100, place(100));
    bench.give(Input::Protected {
        peers: vec![id(100)],
    });
    for n in [1, 100] {
        let left = bench.give(Input::Leave { peer: id(n) });
        assert_eq!(closed(&left, n), None, "{n}");
    }
}

#[test]
fn while_links_are_short_who_is_visited_stays() {
    let mut bench = Bench::new();
    visit(&mut bench, 100);
    bench.up(100, place(100), false, false);
    bench.admit(100, place(100));
    bench.pass(10_000);
    let left = bench.give(Input::Leave { peer: id(100) });
    assert_eq!(closed(&left, 100), None);
}

#[test]
fn each_visit_that_brings_no_link_is_told_once() {
    let mut bench = settled();
    bench.bar(&["10.0.99.0/24"]);
    assert!(failed(&visit(&mut bench, 99), 99), "barred");
    bench.ban(98, true);
    assert!(failed(&visit(&mut bench, 98), 98), "banned");
    let nowhere = bench.give(Input::Visit {
        peer: id(97),
        addresses: Vec::new(),
    });
    assert!(failed(&nowhere, 97), "nowhere to dial");
    visit(&mut bench, 96);
    let unreachable = bench.give(Input::DialFailed {
        peer: id(96),
        cause: DialFailure::Unreachable,
    });
    assert!(failed(&unreachable, 96));
    visit(&mut bench, 95);
    assert!(failed(&bench.pass(60_000), 95), "never answered");
    visit(&mut bench, 94);
    bench.up(94, place(94), false, false);
    let full = Disconnect::because(DisconnectReason::Full, "no free slot");
    let refused = bench.down(94, full);
    assert!(failed(&refused, 94));
    assert!(
        failed(&visit(&mut bench, 94), 94),
        "it asked for a pause, and gets it"
    );
}

#[test]
fn visits_are_bounded() {
    let mut bench = settled();
    let max = Limits::default().visits_max as u64;
    for n in 1_000..1_000 + max {
        assert!(dialled(&visit(&mut bench, n), n).is_some(), "{n}");
    }
    assert!(failed(&visit(&mut bench, 5_000), 5_000));
}
