use repute_protocol::{Outcome, ReceiptFrame, Service};
use repute_trust::{ReceiptsConfig, ReceiptsInput};

use crate::town::{BEGIN, HOUR, Town, config};

#[test]
fn neighbours_cosign_a_receipt_for_each_hour_of_useful_exchange() {
    let mut town = Town::new(2);
    town.settle(0, 1);
    for hour in 1..=3u64 {
        town.serve(0, 1, Service::Messages, 10);
        town.serve(1, 0, Service::Messages, 20);
        town.pass(HOUR);
        for at in [0, 1] {
            assert_eq!(town.latest(at, 0, 1).unwrap().amount, 10 * hour);
            assert_eq!(town.latest(at, 1, 0).unwrap().amount, 20 * hour);
        }
    }
    let terms = town.latest(1, 0, 1).unwrap();
    assert_eq!(terms.seq_ab, BEGIN + 2, "numbers grow by one within a life");
    assert!(terms.t0 < terms.t1);
    // An hour without anything useful is not signed for.
    town.pass(HOUR * 5);
    assert_eq!(town.sent["propose"], 6);
    assert_eq!(town.sent["open"], 2, "one session a direction");
    town.assert_nobody_was_blamed();
}

#[test]
fn a_link_that_comes_and_goes_costs_nothing() {
    let mut town = Town::new(2);
    for _ in 0..5 {
        town.link(0, 1);
        town.serve(0, 1, Service::Messages, 10);
        town.pass(HOUR / 7);
        town.unlink(0, 1);
    }
    assert!(town.sent.is_empty(), "{:?}", town.sent);
}

#[test]
fn what_was_received_before_a_session_was_open_counts_for_nothing() {
    let mut town = Town::new(2);
    town.link(0, 1);
    town.serve(0, 1, Service::Messages, 1_000);
    town.pass(HOUR / 6);
    town.serve(0, 1, Service::Messages, 3);
    town.pass(HOUR);
    assert_eq!(town.latest(0, 0, 1).unwrap().amount, 3);
}

#[test]
fn a_session_can_be_opened_at_once_for_any_service() {
    let mut town = Town::new(2);
    town.link(0, 1);
    let peer = town.id(1);
    for service in Service::ALL {
        town.handle(0, ReceiptsInput::Open { peer, service });
        assert!(town.nodes[0].receipts.is_open(&peer, service));
        town.serve(0, 1, service, 5);
    }
    town.pass(HOUR);
    let (a, b) = (town.id(0), town.id(1));
    for service in Service::ALL {
        let latest = town.nodes[1].receipts.latest(a, b, service).unwrap();
        assert_eq!((latest.terms.amount, latest.terms.service), (5, service));
    }
    assert_eq!(town.nodes[0].receipts.export().len(), 4);
    town.assert_nobody_was_blamed();
}

#[test]
fn a_number_is_durable_before_it_is_signed_and_spent_even_if_unanswered() {
    let mut town = Town::new(2);
    town.settle(0, 1);
    let before = town.nodes[0].signed.len();
    town.nodes[0].disk_stands = true;
    town.serve(0, 1, Service::Messages, 1);
    town.pass(HOUR);
    assert_eq!(town.nodes[0].signed.len(), before, "nothing is signed");
    let token = town.nodes[0].waiting.pop().expect("a write waits");
    town.nodes[0].disk_stands = false;
    // The answer comes, and the proposal gets lost.
    town.lost = Some("propose");
    town.handle(0, ReceiptsInput::Persisted { token });
    assert_eq!(town.nodes[0].signed.len(), before + 1);
    assert!(town.latest(0, 0, 1).is_none());
    // So does one whose write the store refuses.
    town.nodes[0].disk_stands = true;
    town.serve(0, 1, Service::Messages, 1);
    town.pass(HOUR);
    let token = town.nodes[0].waiting.pop().unwrap();
    town.handle(0, ReceiptsInput::NotPersisted { token });
    assert_eq!(town.nodes[0].signed.len(), before + 1);
    // The next one has a number of its own, and covers all.
    town.nodes[0].disk_stands = false;
    town.lost = None;
    town.pass(HOUR);
    let terms = town.latest(1, 0, 1).unwrap();
    assert_eq!((terms.seq_ab, terms.amount), (BEGIN + 2, 2));
    town.assert_nobody_was_blamed();
}

#[test]
fn an_answer_that_got_lost_is_made_up_for_by_the_next_receipt() {
    let mut town = Town::new(2);
    town.settle(0, 1);
    town.serve(0, 1, Service::Messages, 4);
    town.lost = Some("cosigned");
    town.pass(HOUR);
    assert!(town.latest(0, 0, 1).is_none());
    assert_eq!(town.latest(1, 0, 1).unwrap().amount, 4);
    town.lost = None;
    town.serve(0, 1, Service::Messages, 4);
    town.pass(HOUR);
    assert_eq!(town.latest(0, 0, 1).unwrap().amount, 8);
    assert_eq!(town.latest(1, 0, 1), town.latest(0, 0, 1));
    town.assert_nobody_was_blamed();
}

#[test]
fn a_restart_goes_on_where_the_disk_says() {
    let mut town = Town::new(2);
    town.settle(0, 1);
    town.serve(0, 1, Service::Messages, 7);
    town.pass(HOUR);
    let (before, weight) = (town.latest(0, 0, 1), town.nodes[0].receipts.export());
    let disk = town.nodes[0].disk.clone();
    town.restart_from(0, disk);
    assert_eq!(town.latest(0, 0, 1), before);
    assert_eq!(town.nodes[0].receipts.export(), weight);
    town.settle(0, 1);
    town.serve(0, 1, Service::Messages, 1);
    town.pass(HOUR);
    assert_eq!(town.latest(1, 0, 1).unwrap().amount, 8);
    town.assert_nobody_was_blamed();
}

#[test]
fn a_restore_from_a_backup_fetches_the_latest_first_and_never_equivocates() {
    let mut town = Town::new(2);
    town.settle(0, 1);
    town.serve(0, 1, Service::Messages, 1);
    town.pass(HOUR);
    let backup = town.nodes[0].disk.clone();
    for _ in 0..3 {
        town.serve(0, 1, Service::Messages, 1);
        town.pass(HOUR);
    }
    let newest = town.latest(1, 0, 1).unwrap();
    town.restart_from(0, backup);
    assert!(town.latest(0, 0, 1).unwrap().seq_ab < newest.seq_ab);
    town.settle(0, 1);
    assert_eq!(town.latest(0, 0, 1), Some(newest), "fetched");
    town.serve(0, 1, Service::Messages, 1);
    town.pass(HOUR);
    let after = town.latest(1, 0, 1).unwrap();
    assert!(after.seq_ab > newest.seq_ab);
    assert_eq!(after.amount, 5);
    town.assert_nobody_was_blamed();
}

#[test]
fn even_a_counterpart_that_hides_the_latest_cannot_make_a_restored_node_use_a_number_twice() {
    let mut town = Town::new(2);
    town.settle(0, 1);
    let backup = town.nodes[0].disk.clone();
    for _ in 0..3 {
        town.serve(0, 1, Service::Messages, 1);
        town.pass(HOUR);
    }
    let newest = town.latest(1, 0, 1).unwrap();
    town.restart_from(0, backup);
    // The counterpart says that there is nothing.
    town.lost = Some("latest");
    town.settle(0, 1);
    let none = ReceiptFrame::Latest {
        receipts: Vec::new().try_into().unwrap(),
    };
    town.lost = None;
    town.frame(1, 0, none);
    town.serve(0, 1, Service::Messages, 9);
    town.pass(HOUR);
    let signed = town.nodes[0].signed.last().unwrap();
    let again = newest.statement(crate::town::network());
    assert_ne!(*signed, again);
    // Its numbers begin with its start, above all that it used before.
    let wall = town.now().wall.as_millis();
    assert!(newest.seq_ab < wall - 2 * 3_600_000);
    assert_eq!(town.nodes[1].faults, []);
}

#[test]
fn no_number_is_used_before_the_counterpart_has_told_the_latest() {
    let mut town = Town::new(2);
    town.lost = Some("latest");
    town.settle(0, 1);
    town.serve(0, 1, Service::Messages, 5);
    town.pass(HOUR * 3);
    assert!(town.nodes.iter().all(|node| node.signed.is_empty()));
    assert!(town.sent["ask-latest"] >= 6, "asked again each hour");
    town.lost = None;
    town.pass(HOUR);
    assert_eq!(town.sent["open"], 2);
    town.assert_nobody_was_blamed();
}

#[test]
fn a_claim_comes_of_a_session_alone_and_travels_to_who_asks() {
    let mut town = Town::new(3);
    town.link(0, 2);
    let (a, b, c) = (town.id(0), town.id(1), town.id(2));
    let failed = |peer| ReceiptsInput::Failed {
        peer,
        service: Service::Messages,
        kind: Outcome::TimedOut,
    };
    // The third never agreed to anything.
    town.handle(0, failed(c));
    assert_eq!(town.nodes[0].receipts.claims().count(), 0);
    town.settle(0, 1);
    town.unlink(0, 1);
    town.handle(0, failed(b));
    let lines = town.nodes[0].receipts.export_claims();
    assert_eq!(lines.len(), 1);
    assert_eq!((lines[0].claimant, lines[0].accused), (a, b));
    town.handle(
        2,
        ReceiptsInput::Ask {
            peer: a,
            subject: b,
        },
    );
    assert_eq!(town.nodes[2].receipts.export_claims(), lines);
    town.assert_nobody_was_blamed();
    // It says nothing about the graph.
    assert_eq!(town.weight(2, 0, 1), None);
}

#[test]
fn receipts_of_others_are_told_to_who_asks_and_spread_where_that_is_wanted() {
    for share in [false, true] {
        let mut town = Town::with(4, ReceiptsConfig { share, ..config() });
        for node in 0..4 {
            town.stamp(node);
        }
        town.settle(0, 1);
        town.link(1, 2);
        town.link(2, 3);
        town.serve(0, 1, Service::Messages, 3);
        town.pass(HOUR);
        assert_eq!(town.latest(3, 0, 1).is_some(), share);
        let (peer, subject) = (town.id(1), town.id(0));
        town.handle(2, ReceiptsInput::Ask { peer, subject });
        assert_eq!(town.latest(2, 0, 1), town.latest(0, 0, 1));
        let weight = town.weight(2, 0, 1).expect("both ends count");
        assert!((weight - 0.2).abs() < 1e-5, "log2(1 + 3) / 10: {weight}");
        town.assert_nobody_was_blamed();
    }
}

#[test]
fn the_same_receipts_in_any_order_come_to_the_same() {
    let mut town = Town::new(4);
    for node in 0..4 {
        town.stamp(node);
    }
    for end in [0, 1] {
        for at in [2, 3] {
            town.link(end, at);
        }
    }
    let receipts: Vec<_> = (1..=5u64)
        .map(|seq| town.forge_together(0, 1, town.terms(0, 1, seq, 7 * seq)))
        .collect();
    let subject = town.id(0);
    let mut backwards = receipts.clone();
    backwards.reverse();
    let twice = [receipts.clone(), receipts].concat();
    town.answer(2, 0, subject, twice);
    town.answer(3, 0, subject, backwards);
    assert_eq!(town.latest(2, 0, 1), town.latest(3, 0, 1));
    assert_eq!(town.latest(2, 0, 1).unwrap().amount, 35);
    assert_eq!(town.weight(2, 0, 1), town.weight(3, 0, 1));
    town.assert_nobody_was_blamed();
}

#[test]
fn what_was_received_over_a_link_that_broke_is_signed_for_over_the_next() {
    let mut town = Town::new(2);
    town.settle(0, 1);
    town.serve(0, 1, Service::Messages, 6);
    town.unlink(0, 1);
    town.settle(0, 1);
    town.serve(0, 1, Service::Messages, 1);
    town.pass(HOUR);
    assert_eq!(town.latest(1, 0, 1).unwrap().amount, 7);
    town.assert_nobody_was_blamed();
}

#[test]
fn a_word_is_shown_to_those_who_take_it_even_by_one_who_does_not() {
    use repute_base::BoundedVec;
    use repute_identity::{Identity, Vouch};
    use repute_protocol::Credentials;
    use repute_trust::IdentityClass;
    let anchor = Identity::from_seed(99);
    let mut town = Town::new(2);
    town.config.anchors = vec![anchor.id()];
    let trusting = crate::town::Disk::new();
    town.restart_from(1, trusting);
    let (now, subject) = (town.now().wall, town.id(0));
    let vouch = Vouch::sign(&anchor, subject, 0, now, now + Vouch::YEAR);
    let own = Credentials {
        subject,
        stamp: BoundedVec::new(),
        vouches: BoundedVec::truncated([vouch]),
    };
    town.handle(0, ReceiptsInput::Own(own));
    town.link(0, 1);
    let class = |at: usize| town.nodes[at].receipts.classes().class(&subject, now);
    assert_eq!(class(0), IdentityClass::Free);
    assert_eq!(class(1), IdentityClass::Vouched);
}
