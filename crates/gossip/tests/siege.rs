//! One engine among neighbours that mean it ill, or that cannot keep up: whom it keeps, whom it
//! turns to, and for whom it waits.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod lab;

use lab::{Lab, announce, author, is_graft, message, peer, unsigned};
use repute_base::{BoundedVec, Fixed, Machine};
use repute_gossip::{Config, Event, Input, Limits, Output};
use repute_identity::NodeId;
use repute_protocol::{Envelope, Frame, GossipFrame, PeerHint, Verified};

/// A message that was sent so long ago.
fn aged(lab: &Lab, counter: u64, age_ms: u64) -> Verified<Envelope> {
    let sent = lab.now.wall.as_millis() - age_ms;
    unsigned(counter, counter, &[], sent).sign(&author())
}

/// A linked peer gives on request a message of this age that nobody else had told of.
fn give_missed(lab: &mut Lab, from: u64, counter: u64, age_ms: u64) {
    let missed = aged(lab, counter, age_ms);
    announce(lab, from, &missed);
    let before = lab.delivered();
    lab.broadcast(from, &missed, true);
    lab.verify();
    assert_eq!(lab.delivered(), before + 1);
}

fn ask_urgently(lab: &mut Lab, from: u64) {
    lab.control(from, GossipFrame::Neighbor { urgent: true });
}

fn is_urgent(frame: &Frame) -> bool {
    matches!(frame, Frame::Gossip(GossipFrame::Neighbor { urgent: true }))
}

fn is_leave(frame: &Frame) -> bool {
    matches!(frame, Frame::Gossip(GossipFrame::Leave))
}

/// An active view of eight, of which a quarter is two.
fn eight() -> Config {
    Config {
        fanout: 7,
        ..Config::default()
    }
}

/// Neighbours that we dialled, of low trust, so that by score they would be the first to go.
fn dial_some(lab: &mut Lab, count: u64) {
    for n in 1..=count {
        lab.link_dialled(n);
        ask_urgently(lab, n);
        lab.trust(n, Fixed::ratio(1, 4), false);
    }
}

#[test]
fn a_quarter_of_the_view_stays_with_those_we_dialled_however_many_ask() {
    let mut lab = Lab::with(eight(), Limits::default());
    dial_some(&mut lab, 2);
    for n in 3..=200 {
        lab.link(n);
        let frame = match n % 2 {
            0 => GossipFrame::Join,
            _ => GossipFrame::Neighbor { urgent: true },
        };
        lab.control(n, frame);
        assert!(lab.is_active(n), "all others make room for {n}");
    }
    assert_eq!(lab.engine.active_view().len(), 8);
    assert!(lab.is_active(1) && lab.is_active(2));
    assert_eq!(lab.accused(), []);
}

#[test]
fn beyond_a_quarter_of_the_view_nobody_is_kept_for_having_been_dialled() {
    let mut lab = Lab::with(eight(), Limits::default());
    dial_some(&mut lab, 5);
    for n in 6..=100 {
        lab.link(n);
        ask_urgently(&mut lab, n);
    }
    assert_eq!((1..=5).filter(|n| lab.is_active(*n)).count(), 2);
    assert_eq!(lab.engine.active_view().len(), 8);
}

#[test]
fn a_view_that_strangers_have_filled_makes_room_for_one_we_dialled_and_for_no_more() {
    let mut lab = Lab::new(5);
    lab.link_dialled(6);
    lab.wait(1_500);
    assert!(lab.sent_to(6).iter().any(is_urgent));
    lab.control(6, GossipFrame::NeighborReply { accepted: true });
    assert!(lab.is_active(6));
    assert_eq!(lab.engine.active_view().len(), 5);
    lab.link_dialled(7);
    lab.wait(10_000);
    assert!(!lab.sent_to(7).iter().any(is_urgent), "one of five will do");
}

#[test]
fn who_was_displaced_takes_nobodys_place_for_fifteen_seconds() {
    let mut lab = Lab::new(5);
    lab.link(6);
    ask_urgently(&mut lab, 6);
    assert!(lab.is_active(6));
    let displaced = (1..=5).find(|n| !lab.is_active(*n)).unwrap();
    let view = lab.engine.active_view();
    for _ in 0..14 {
        ask_urgently(&mut lab, displaced);
        lab.control(displaced, GossipFrame::Join);
        assert_eq!(lab.engine.active_view(), view);
        lab.wait(1_000);
    }
    lab.wait(1_100);
    ask_urgently(&mut lab, displaced);
    assert!(lab.is_active(displaced));
    // The next one stands better than those who stayed.
    let next = (1..=6).find(|n| !lab.is_active(*n)).unwrap();
    lab.trust(next, Fixed::ratio(3, 4), false);
    ask_urgently(&mut lab, next);
    assert!(lab.is_active(next));
}

#[test]
fn who_gives_what_all_neighbours_kept_from_us_becomes_one() {
    let mut lab = Lab::new(5);
    lab.link(6);
    give_missed(&mut lab, 6, 0, 1_900);
    assert!(!lab.is_active(6), "it may still have been under way");
    give_missed(&mut lab, 6, 1, 2_000);
    assert!(lab.is_active(6));
    assert!(lab.sent_to(6).iter().any(is_urgent));
    assert_eq!(lab.engine.active_view().len(), 5);
    let gone = (1..=5).find(|n| !lab.is_active(*n)).unwrap();
    assert!(lab.sent_to(gone).iter().any(is_leave));
    assert_eq!(lab.accused(), [], "no proof against anybody");
}

#[test]
fn one_late_message_drives_out_nobody_where_all_neighbours_bring_something() {
    let mut lab = Lab::new(5);
    lab.link(6);
    for n in 1..=5 {
        let fresh = aged(&lab, n, 0);
        lab.push(n, &fresh);
        lab.verify();
    }
    let view = lab.engine.active_view();
    give_missed(&mut lab, 6, 100, 5_000);
    assert_eq!(lab.engine.active_view(), view);
}

#[test]
fn neighbours_that_bring_nothing_make_room_only_once_messages_were_kept_from_us() {
    let mut lab = Lab::new(5);
    for n in 6..=8 {
        lab.link(n);
    }
    let view = lab.engine.active_view();
    for n in 0..6 {
        let fresh = aged(&lab, n, 0);
        lab.push(1, &fresh);
        lab.verify();
        lab.wait(1_000);
    }
    assert_eq!(lab.engine.active_view(), view, "leaves only receive");
    give_missed(&mut lab, 6, 100, 5_000);
    lab.wait(1_200);
    let mut left = vec![peer(1), peer(6)];
    left.sort_unstable();
    assert_eq!(lab.engine.active_view(), left);
    for n in 7..=8 {
        assert!(lab.sent_to(n).iter().any(is_urgent), "{n} is asked instead");
    }
    assert_eq!(lab.accused(), []);
}

fn compares_with(lab: &Lab, n: u64) -> bool {
    let is_comparison = |frame: &Frame| {
        matches!(
            frame,
            Frame::Gossip(GossipFrame::Reconcile {
                initiator: true,
                ..
            })
        )
    };
    lab.sent_to(n).iter().any(is_comparison)
}

#[test]
fn when_the_talk_stops_those_outside_the_view_are_asked_at_once_whether_it_did() {
    for (seconds, looks) in [(3, false), (6, true)] {
        let mut lab = Lab::new(5);
        for n in 6..=8 {
            lab.link(n);
        }
        // Until comparisons, which nobody answers here, have become rare.
        lab.wait(300_000);
        for n in 0..seconds {
            let fresh = aged(&lab, n, 0);
            lab.push(1, &fresh);
            lab.verify();
            lab.wait(1_000);
        }
        lab.out.clear();
        lab.wait(2_500);
        let asked = (6..=8).filter(|n| compares_with(&lab, *n)).count();
        assert_eq!(asked == 3, looks, "{asked} after {seconds} s of talk");
    }
}

#[test]
fn as_many_neighbours_go_on_pushing_as_a_mesh_wants_whatever_copies_they_bring() {
    for eager_min in [1, 3, 5] {
        let config = Config {
            eager_min,
            ..Config::default()
        };
        let mut lab = Lab::amid(5, config, Limits::default());
        for n in 0..30 {
            for from in 1..=5 {
                lab.push(from, &message(n));
                lab.verify();
            }
        }
        assert_eq!(lab.delivered(), 30);
        assert_eq!(lab.engine.stats().eager, usize::from(eager_min));
    }
}

#[test]
fn in_a_mesh_what_we_publish_goes_to_all_links_but_the_distrusted() {
    for (eager_min, beyond) in [(1, 0), (5, 1)] {
        let config = Config {
            eager_min,
            ..Config::default()
        };
        let mut lab = Lab::amid(5, config, Limits::default());
        for n in 6..=8 {
            lab.link(n);
        }
        lab.trust(8, Fixed::HALF, true);
        lab.out.clear();
        lab.publish(1);
        for n in 1..=5 {
            assert_eq!(lab.pushes_to(n), 1);
        }
        for n in 6..=7 {
            let sent = lab.sent_to(n);
            let answers = sent.iter().filter(
                |frame| matches!(frame, Frame::Broadcast(broadcast) if broadcast.requested),
            );
            assert_eq!(answers.count(), beyond, "says nothing about the tree");
            assert_eq!(lab.pushes_to(n), beyond);
        }
        assert_eq!(lab.pushes_to(8), 0);
    }
}

fn hear_of(lab: &mut Lab, known: core::ops::Range<u64>) {
    let hints = known.map(|n| PeerHint {
        id: peer(n),
        addresses: BoundedVec::new(),
    });
    let peers = BoundedVec::truncated(hints);
    lab.control(1, GossipFrame::ShuffleReply { peers });
}

#[test]
fn hearsay_that_leads_nowhere_is_replaced_only_if_it_was_asked_for_and_links_are_few() {
    for (links, pause_ms) in [(2, 1_500), (10, 4_000)] {
        let mut lab = Lab::new(2.max(links.min(5)));
        for n in 6..=links {
            lab.link(n);
        }
        hear_of(&mut lab, 50..60);
        lab.wait(pause_ms);
        let known = lab.engine.stats().passive;
        let wanted = lab.wants();
        let unasked = (50..60).find(|n| !wanted.contains(&peer(*n))).unwrap();
        lab.put(Input::Unreachable {
            peer: peer(unasked),
        });
        assert_eq!(lab.wants(), wanted, "nobody had asked");
        lab.put(Input::Unreachable { peer: wanted[0] });
        let more = usize::from(links < 10);
        assert_eq!(lab.wants().len(), wanted.len() + more);
        assert_eq!(lab.engine.stats().passive, known - 2);
    }
}

#[test]
fn only_the_first_answer_to_a_request_counts_and_none_to_a_request_never_made() {
    let answer = |accepted| GossipFrame::NeighborReply { accepted };
    let mut lab = Lab::new(2);
    lab.link(3);
    lab.control(3, answer(false));
    lab.control(3, answer(true));
    assert!(!lab.is_active(3), "it has refused");
    lab.link(4);
    lab.control(4, answer(true));
    for _ in 0..10 {
        lab.control(4, answer(false));
        lab.control(4, answer(true));
    }
    assert!(lab.is_active(4), "it has accepted");
    assert!(!lab.sent_to(4).iter().any(is_leave));

    let mut lab = Lab::new(5);
    lab.link(6);
    lab.out.clear();
    for _ in 0..10 {
        lab.control(6, answer(true));
        lab.control(6, answer(false));
    }
    assert!(!lab.is_active(6) && lab.sent_to(6).is_empty());
    assert_eq!(lab.accused(), [], "a network may double anything");
}

/// A neighbour announces a message and gives it on request.
fn only_announce(lab: &mut Lab, from: u64, counter: u64) {
    let envelope = message(counter);
    announce(lab, from, &envelope);
    lab.wait(2);
    lab.broadcast(from, &envelope, true);
    lab.verify();
}

#[test]
fn a_neighbour_that_only_announces_is_grafted_once_in_half_a_second_at_most() {
    let mut lab = Lab::new(3);
    let grafts = |lab: &Lab| lab.sent_to(1).iter().filter(|one| is_graft(one)).count();
    for n in 0..40 {
        only_announce(&mut lab, 1, n);
    }
    assert_eq!(grafts(&lab), 1);
    lab.wait(500);
    for n in 40..80 {
        only_announce(&mut lab, 1, n);
    }
    assert_eq!((grafts(&lab), lab.delivered()), (2, 80));
}

#[test]
fn a_neighbour_that_pushes_one_message_in_four_is_not_grafted() {
    let mut lab = Lab::new(3);
    for n in 0..40 {
        if n % 4 == 3 {
            lab.push(1, &message(n));
            lab.verify();
        } else {
            only_announce(&mut lab, 1, n);
        }
    }
    assert_eq!((lab.engine.stats().grafts, lab.delivered()), (0, 40));
}

/// A hundred messages come from the first neighbour; only `fast` take what is sent to them.
fn flood(lab: &mut Lab, fast: &[u64]) {
    let first = lab.delivered() as u64;
    for n in first..first + 100 {
        lab.push(1, &message(n));
        lab.verify();
        for n in fast {
            lab.put(Input::LinkQueue {
                peer: peer(*n),
                bytes: 1 << 20,
            });
        }
    }
}

fn small_queues() -> Limits {
    Limits {
        link_credit_bytes: 4_000,
        link_queue_bytes_max: 64_000,
        ..Limits::default()
    }
}

fn all_of(peers: &[u64]) -> Option<Vec<NodeId>> {
    let mut peers: Vec<NodeId> = peers.iter().map(|n| peer(*n)).collect();
    peers.sort_unstable();
    Some(peers)
}

#[test]
fn nobody_waits_any_more_for_a_crowded_neighbour_that_is_gone() {
    let down = |lab: &mut Lab| lab.put(Input::PeerDown { peer: peer(3) });
    let leaves = |lab: &mut Lab| lab.control(3, GossipFrame::Leave);
    let is_distrusted = |lab: &mut Lab| lab.trust(3, Fixed::ZERO, true);
    let ends: [fn(&mut Lab); 3] = [down, leaves, is_distrusted];
    for end in ends {
        let mut lab = Lab::among(3, small_queues());
        flood(&mut lab, &[2]);
        assert_eq!(lab.held(), all_of(&[1, 2]));
        assert!(!lab.engine.is_ready());
        lab.out.clear();
        end(&mut lab);
        assert_eq!(lab.held(), all_of(&[]));
        assert!(lab.engine.is_ready());
        let ready = |output: &Output| matches!(output, Output::Event(Event::Ready));
        assert!(lab.out.iter().any(ready));
        lab.wait(1_000);
        assert!(lab.engine.next_deadline().unwrap() > lab.now.mono);
        assert_eq!(lab.held(), all_of(&[]));
    }
}

#[test]
fn a_crowded_link_that_stands_still_or_is_gone_wakes_nobody_up() {
    let stands_still = |_: &mut Lab| ();
    let down = |lab: &mut Lab| lab.put(Input::PeerDown { peer: peer(3) });
    let leaves = |lab: &mut Lab| lab.control(3, GossipFrame::Leave);
    let ends: [fn(&mut Lab); 3] = [stands_still, down, leaves];
    for (case, end) in ends.iter().enumerate() {
        let mut lab = Lab::among(3, small_queues());
        flood(&mut lab, &[2]);
        end(&mut lab);
        lab.wait(1_000);
        let ticks = lab.wait(10_000);
        assert!(ticks <= 30, "{ticks} times in ten seconds, case {case}");
    }
}

#[test]
fn a_crowded_neighbour_that_comes_back_starts_afresh() {
    let mut lab = Lab::among(3, small_queues());
    flood(&mut lab, &[2]);
    lab.put(Input::PeerDown { peer: peer(3) });
    lab.link(3);
    ask_urgently(&mut lab, 3);
    assert!(lab.is_active(3) && lab.engine.is_ready());
    assert_eq!(lab.held(), all_of(&[]));
    flood(&mut lab, &[2]);
    assert_eq!(lab.held(), all_of(&[1, 2]));
}

#[test]
fn all_wait_where_two_neighbours_are_crowded_and_so_does_who_comes_meanwhile() {
    let mut lab = Lab::among(3, small_queues());
    flood(&mut lab, &[]);
    assert_eq!(lab.held(), all_of(&[1, 2, 3]));
    lab.link(4);
    ask_urgently(&mut lab, 4);
    assert_eq!(lab.held(), all_of(&[1, 2, 3, 4]));
    // One of them catches up: the other is alone, and read again.
    for _ in 0..100 {
        lab.put(Input::LinkQueue {
            peer: peer(2),
            bytes: 4_000,
        });
    }
    assert_eq!(lab.held(), all_of(&[1, 2, 4]));
}

#[test]
fn nothing_is_published_while_messages_come_faster_than_they_are_kept() {
    let limits = Limits {
        retained_count_max: 32,
        ..Limits::default()
    };
    let mut lab = Lab::among(3, limits);
    flood(&mut lab, &[2, 3]);
    assert!(!lab.engine.is_ready());
    lab.publish(7);
    let refused = |o: &Output| matches!(o, Output::Event(Event::Refused { token: 7 }));
    assert!(lab.out.iter().any(refused));
    lab.wait(299);
    assert!(!lab.engine.is_ready());
    lab.wait(10);
    assert!(lab.engine.is_ready());
    let ready = |output: &Output| matches!(output, Output::Event(Event::Ready));
    assert_eq!(lab.out.iter().filter(|output| ready(output)).count(), 1);
}

#[test]
fn what_is_kept_must_last_longer_while_a_neighbour_mends_its_tree() {
    let limits = Limits {
        retained_count_max: 32,
        ..Limits::default()
    };
    let mut lab = Lab::among(3, limits);
    flood(&mut lab, &[2, 3]);
    lab.wait(299);
    lab.control(2, GossipFrame::Prune);
    lab.wait(300);
    assert!(!lab.engine.is_ready());
    lab.wait(210);
    assert!(lab.engine.is_ready(), "nothing happened for half a second");
}
