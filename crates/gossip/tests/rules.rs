//! One engine, face to face with the test: every rule of the broadcast path.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod lab;

use lab::{Lab, WALL, announce, author, forged, is_graft, is_want, message, peer, topic, unsigned};
use repute_base::{BoundedBytes, BoundedVec, Fixed, Machine};
use repute_gossip::{Event, Input, Limits, Output, SeenAuthor};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    Announced, Broadcast, Dot, Frame, FromPeer, GossipFrame, Misbehaviour, NetworkId,
};

#[test]
fn a_message_is_delivered_and_pushed_on_without_waiting_for_any_timer() {
    let mut lab = Lab::new(4);
    lab.push(1, &message(0));
    assert_eq!(lab.verify(), 1);
    assert_eq!(lab.delivered(), 1);
    assert_eq!(
        (1..=4).map(|n| lab.pushes_to(n)).collect::<Vec<_>>(),
        [0, 1, 1, 1]
    );
    let frames: Vec<_> = lab
        .out
        .iter()
        .filter_map(|o| match o {
            Output::Send { frame, .. } => Some(frame.as_ptr()),
            _ => None,
        })
        .collect();
    assert!(
        frames.windows(2).all(|two| two[0] == two[1]),
        "encoded once, shared by all"
    );
}

#[test]
fn a_duplicate_is_neither_checked_nor_delivered_again_and_is_pruned() {
    let mut lab = Lab::new(3);
    let original = message(0);
    lab.push(1, &original);
    lab.push(2, &original);
    assert_eq!(lab.verify(), 1, "one check for both copies");
    lab.push(3, &original);
    assert_eq!((lab.verify(), lab.delivered()), (0, 1));
    let pruned = |lab: &Lab, n| {
        lab.sent_to(n)
            .iter()
            .any(|f| matches!(f, Frame::Gossip(GossipFrame::Prune)))
    };
    assert!(!pruned(&lab, 1) && pruned(&lab, 2) && pruned(&lab, 3));
    assert_eq!(lab.engine.stats().duplicates, 2);
    assert_eq!(lab.accused(), []);
}

#[test]
fn whoever_pushes_a_message_first_is_pushed_to_from_then_on() {
    let mut lab = Lab::new(3);
    lab.control(1, GossipFrame::Prune);
    lab.push(2, &message(0));
    lab.verify();
    assert_eq!(lab.pushes_to(1), 0, "announced only");
    lab.push(1, &message(1));
    lab.push(2, &message(2));
    lab.verify();
    assert_eq!(lab.pushes_to(1), 1, "it has shown that it is the tree");
}

#[test]
fn nobody_is_pushed_to_for_what_crossed_two_prunes() {
    let mut lab = Lab::new(3);
    let both = |lab: &mut Lab, first: u64, second: u64, nth: u64| {
        lab.push(first, &message(nth));
        lab.verify();
        lab.push(second, &message(nth));
    };
    let prunes = |lab: &Lab| {
        let pruned = |f: &&Frame| matches!(f, Frame::Gossip(GossipFrame::Prune));
        lab.sent_to(1).iter().filter(pruned).count()
    };
    both(&mut lab, 2, 1, 0);
    assert_eq!(prunes(&lab), 1);
    both(&mut lab, 1, 2, 1);
    assert_eq!(prunes(&lab), 2, "it was first, and so eager again");
    lab.push(1, &message(2));
    lab.verify();
    let before = lab.pushes_to(1);
    lab.push(3, &message(3));
    lab.verify();
    assert_eq!(lab.pushes_to(1), before, "what it pushes was under way");
    lab.wait(100);
    lab.push(1, &message(4));
    lab.push(3, &message(5));
    lab.verify();
    assert_eq!(lab.pushes_to(1), before + 1, "it pushes though told twice");
}

#[test]
fn a_tree_that_is_only_slow_is_asked_around_but_not_changed() {
    let mut lab = Lab::new(3);
    lab.control(2, GossipFrame::Prune);
    let slow = message(0);
    announce(&mut lab, 2, &slow);
    lab.wait(300);
    assert!(lab.sent_to(2).iter().any(is_want));
    lab.broadcast(2, &slow, true);
    lab.verify();
    assert_eq!(lab.delivered(), 1);
    assert_eq!(lab.pushes_to(1), 0, "a push would meet the one under way");
    lab.push(1, &slow);
    lab.wait(3_000);
    let pruned = |f: &Frame| matches!(f, Frame::Gossip(GossipFrame::Prune));
    assert!(!lab.sent_to(1).iter().any(pruned) && !lab.sent_to(2).iter().any(is_graft));
}

#[test]
fn a_tree_that_brings_nothing_is_mended_over_the_link_that_did() {
    let mut lab = Lab::new(3);
    lab.control(2, GossipFrame::Prune);
    let lost = message(0);
    announce(&mut lab, 2, &lost);
    lab.wait(300);
    lab.broadcast(2, &lost, true);
    lab.verify();
    lab.wait(3_000);
    assert!(lab.sent_to(2).iter().any(is_graft));
    lab.push(1, &message(1));
    lab.verify();
    assert_eq!(lab.pushes_to(2), 1);
}

#[test]
fn after_a_tree_link_is_lost_others_are_asked_and_told_at_once() {
    let mut lab = Lab::new(4);
    lab.control(2, GossipFrame::Prune);
    lab.control(3, GossipFrame::Prune);
    lab.put(Input::PeerDown { peer: peer(1) });
    let (lost, new) = (message(0), message(1));
    announce(&mut lab, 2, &lost);
    lab.push(4, &new);
    lab.verify();
    lab.wait(25);
    assert!(lab.sent_to(2).iter().any(is_graft));
    let told = |frame: &Frame| matches!(frame, Frame::Gossip(GossipFrame::Announce { messages }) if messages.iter().any(|m| m.id == new.id()));
    assert!(lab.sent_to(3).iter().any(told));
}

#[test]
fn after_a_link_that_only_takes_is_lost_the_tree_is_waited_for_as_ever() {
    let mut lab = Lab::new(4);
    lab.control(2, GossipFrame::Prune);
    for n in 0..66 {
        lab.push(4, &message(n));
        lab.verify();
    }
    lab.put(Input::PeerDown { peer: peer(1) });
    let slow = message(100);
    announce(&mut lab, 2, &slow);
    lab.wait(25);
    assert!(!lab.sent_to(2).iter().any(|f| is_want(f) || is_graft(f)));
    lab.put(Input::PeerDown { peer: peer(4) });
    announce(&mut lab, 2, &message(101));
    lab.wait(25);
    assert!(
        lab.sent_to(2).iter().any(is_graft),
        "that link brought it all"
    );
}

#[test]
fn a_new_neighbour_in_a_tree_that_works_is_lazy_unless_it_presses() {
    let is_prune = |frame: &Frame| matches!(frame, Frame::Gossip(GossipFrame::Prune));
    let mut lab = Lab::new(2);
    lab.push(1, &message(0));
    lab.verify();
    for (n, urgent) in [(3, false), (4, true)] {
        lab.link(n);
        lab.control(n, GossipFrame::Neighbor { urgent });
        assert!(lab.is_active(n));
        assert_eq!(lab.sent_to(n).iter().any(is_prune), !urgent);
    }
    lab.push(1, &message(1));
    lab.verify();
    assert_eq!((lab.pushes_to(3), lab.pushes_to(4)), (0, 1));
    // A tree that says nothing may be none.
    lab.wait(1_100);
    lab.link(5);
    lab.control(5, GossipFrame::Neighbor { urgent: false });
    assert!(lab.is_active(5) && !lab.sent_to(5).iter().any(is_prune));
}

#[test]
fn what_was_asked_of_a_peer_that_is_gone_is_asked_of_another_at_once() {
    let mut lab = Lab::new(3);
    lab.control(2, GossipFrame::Prune);
    lab.control(3, GossipFrame::Prune);
    let wanted = message(0);
    announce(&mut lab, 2, &wanted);
    announce(&mut lab, 3, &wanted);
    lab.wait(300);
    assert!(lab.sent_to(2).iter().any(is_want) && !lab.sent_to(3).iter().any(is_want));
    lab.put(Input::PeerDown { peer: peer(2) });
    lab.wait(2);
    assert!(lab.sent_to(3).iter().any(|f| is_want(f) || is_graft(f)));
}

#[test]
fn a_new_neighbour_hears_at_once_what_came_recently() {
    let mut lab = Lab::new(2);
    lab.push(1, &message(0));
    lab.verify();
    lab.link(3);
    lab.control(3, GossipFrame::Neighbor { urgent: true });
    lab.wait(2);
    let told = |frame: &Frame| matches!(frame, Frame::Gossip(GossipFrame::Announce { messages }) if messages[0].id == message(0).id());
    assert!(lab.sent_to(3).iter().any(told));
}

#[test]
fn an_idle_engine_wakes_up_seldom_and_says_little() {
    let mut lab = Lab::new(5);
    lab.wait(120_000);
    lab.out.clear();
    let end = lab.now.mono.as_millis() + 600_000;
    let mut ticks = 0;
    while lab.now.mono.as_millis() < end {
        let at = lab.engine.next_deadline().unwrap().as_millis();
        lab.shift(at.saturating_sub(lab.now.mono.as_millis()).max(1));
        lab.put(Input::Tick);
        ticks += 1;
    }
    // A shuffle every two minutes, a comparison every 30 s that nobody answers here.
    assert!((20..=600).contains(&ticks), "{ticks} times in ten minutes");
    let sent = |o: &&Output| matches!(o, Output::Send { .. });
    assert!((15..=60).contains(&lab.out.iter().filter(sent).count()));
    lab.push(
        1,
        &unsigned(0, 0, &[], lab.now.wall.as_millis()).sign(&author()),
    );
    lab.verify();
    let next = lab.engine.next_deadline().unwrap();
    let wait = next.as_millis() - lab.now.mono.as_millis();
    assert!(wait <= 1_100, "maintenance goes on with the traffic");
}

#[test]
fn a_node_with_few_neighbours_asks_urgently() {
    let mut lab = Lab::new(2);
    lab.link(3);
    assert!(
        lab.sent_to(3)
            .iter()
            .any(|frame| matches!(frame, Frame::Gossip(GossipFrame::Neighbor { urgent: true })))
    );
}

#[test]
fn a_node_alone_that_is_refused_asks_again_in_a_second_however_many_copies_say_so() {
    let mut lab = Lab::new(0);
    lab.link(3);
    let joins = |lab: &Lab| {
        let is_join = |frame: &&Frame| matches!(frame, Frame::Gossip(GossipFrame::Join));
        lab.sent_to(3).iter().filter(is_join).count()
    };
    assert_eq!(joins(&lab), 1);
    for _ in 0..10 {
        lab.control(3, GossipFrame::NeighborReply { accepted: false });
    }
    assert_eq!(joins(&lab), 1);
    lab.wait(2_500);
    assert_eq!(joins(&lab), 2);
}

#[test]
fn a_full_view_still_looks_at_whom_else_it_has_heard_of() {
    let mut lab = Lab::new(5);
    let hint = repute_protocol::PeerHint {
        id: peer(77),
        addresses: BoundedVec::new(),
    };
    let peers = BoundedVec::truncated([hint]);
    lab.control(1, GossipFrame::ShuffleReply { peers });
    lab.wait(15_000);
    let wanted = |o: &Output| matches!(o, Output::Want { peer: p, .. } if *p == peer(77));
    assert!(lab.out.iter().any(wanted));
}

#[test]
fn hearsay_that_leads_nowhere_goes_and_the_next_is_tried_at_once() {
    let mut lab = Lab::new(2);
    let hints = (50..60).map(|n| repute_protocol::PeerHint {
        id: peer(n),
        addresses: BoundedVec::new(),
    });
    let peers = BoundedVec::truncated(hints);
    lab.control(1, GossipFrame::ShuffleReply { peers });
    lab.wait(1_500);
    let known = lab.engine.stats().passive;
    for n in 0..6 {
        let before = lab.wants();
        assert!(!before.is_empty());
        let dead = before[n];
        lab.put(Input::Unreachable { peer: dead });
        assert_eq!(lab.wants().len(), before.len() + 1, "one for one");
        assert!(!before.contains(&lab.wants()[before.len()]));
    }
    assert_eq!(lab.engine.stats().passive, known - 6);
    // Nobody asked for this one: nothing follows.
    let before = lab.wants().len();
    lab.put(Input::Unreachable { peer: peer(99) });
    assert_eq!(lab.wants().len(), before);
}

#[test]
fn the_tree_changes_for_a_path_shorter_in_the_mean_not_for_one_message() {
    let mut lab = Lab::new(2);
    lab.control(2, GossipFrame::Prune);
    let hear = |lab: &mut Lab, n: u64, tree: u8, announced: u8| {
        let envelope = message(n).into_inner();
        let id = envelope.id();
        let (ttl, requested) = (20, false);
        let frame = Frame::Broadcast(Broadcast {
            hops: tree,
            ttl,
            requested,
            envelope,
        });
        lab.put(Input::Frame(FromPeer::authenticated(peer(1), frame)));
        lab.verify();
        let hops = announced;
        let messages = BoundedVec::truncated([Announced { id, hops }]);
        lab.control(2, GossipFrame::Announce { messages });
    };
    let grafts = |lab: &Lab| lab.engine.stats().grafts;
    // Two senders, one on either side: what is shorter for one is longer for the other.
    for n in 0..200 {
        let (tree, announced) = if n % 2 == 0 { (14, 2) } else { (2, 14) };
        hear(&mut lab, n, tree, announced);
    }
    assert_eq!(grafts(&lab), 0);
    for n in 200..300 {
        hear(&mut lab, n, 14, 2);
    }
    assert_eq!(grafts(&lab), 1);
}

#[test]
fn a_forged_copy_cannot_censor_the_original() {
    let mut lab = Lab::new(5);
    let original = message(0);
    lab.push(1, &forged(&original, 1));
    lab.push(2, &forged(&original, 1));
    lab.push(3, &forged(&original, 2));
    lab.push(4, &original);
    assert_eq!(
        lab.out
            .iter()
            .filter(|o| matches!(o, Output::Verify { .. }))
            .count(),
        1
    );
    assert_eq!(lab.verify(), 3);
    assert_eq!(lab.delivered(), 1);
    let mut accused = lab.accused();
    accused.sort_unstable();
    let mut guilty = [1, 2, 3].map(|n| (peer(n), Misbehaviour::ForgedEnvelope));
    guilty.sort_unstable();
    assert_eq!(accused, guilty, "each sender of a forged copy, nobody else");
    assert_eq!(lab.engine.stats().pending, 0);
}

#[test]
fn more_forged_copies_than_are_kept_only_delay_the_original() {
    let mut lab = Lab::new(6 - 1);
    let original = message(0);
    for n in 1..=4 {
        lab.push(n, &forged(&original, n as u8));
    }
    lab.push(5, &original);
    lab.verify();
    assert_eq!(lab.delivered(), 0);
    lab.out.clear();
    lab.wait(3_000);
    let asked = lab.sent_to(5).into_iter().any(|frame| match frame {
        Frame::Gossip(GossipFrame::Graft { messages } | GossipFrame::Want { messages }) => {
            messages[..] == [original.id()]
        }
        _ => false,
    });
    assert!(asked, "the honest holder is asked again");
    lab.broadcast(5, &original, true);
    lab.verify();
    assert_eq!(lab.delivered(), 1);
}

#[test]
fn an_old_push_is_ignored_without_blame_but_welcome_when_asked_for() {
    let mut lab = Lab::new(2);
    let old = unsigned(0, 0, &[], WALL - 301_000).sign(&author());
    lab.push(1, &old);
    lab.broadcast(1, &old, true);
    assert_eq!(lab.verify(), 0, "unasked, whatever the frame says");
    lab.control(1, GossipFrame::Prune);
    let messages = BoundedVec::truncated([Announced {
        id: old.id(),
        hops: 3,
    }]);
    lab.control(1, GossipFrame::Announce { messages });
    lab.wait(1_500);
    lab.broadcast(1, &old, true);
    assert_eq!((lab.verify(), lab.delivered()), (1, 1));
    assert_eq!(lab.pushes_to(2), 0, "too old to push");
    let ahead = unsigned(1, 1, &[], lab.now.wall.as_millis() + 301_000).sign(&author());
    lab.push(1, &ahead);
    assert_eq!((lab.verify(), lab.accused()), (0, vec![]));
}

#[test]
fn what_only_liars_send_is_blamed_on_the_link() {
    let mut lab = Lab::new(3);
    let mut foreign = unsigned(0, 0, &[], WALL);
    foreign.network = NetworkId::from_name("other");
    lab.push(1, &foreign.sign(&author()));
    let mut garbled = unsigned(1, 0, &[], WALL);
    garbled.payload = vec![0xff; 9];
    lab.push(2, &garbled.sign(&author()));
    lab.verify();
    let body = BoundedBytes::new(vec![0xff; 20]).unwrap();
    lab.control(
        3,
        GossipFrame::Reconcile {
            session: 1,
            initiator: true,
            body,
        },
    );
    assert_eq!(
        lab.accused(),
        [
            (peer(1), Misbehaviour::WrongNetwork),
            (peer(2), Misbehaviour::MalformedPayload),
            (peer(3), Misbehaviour::MalformedReconcile),
        ]
    );
    assert_eq!(lab.delivered(), 0);
}

#[test]
fn a_link_beyond_its_budget_is_blamed_once_in_a_window() {
    let limits = Limits {
        link_frames_rate: 1,
        link_frames_burst: 5,
        ..Limits::default()
    };
    let mut lab = Lab::among(1, limits);
    for n in 0..50 {
        lab.push(1, &message(n));
    }
    assert_eq!(lab.verify(), 5);
    assert_eq!(lab.accused(), [(peer(1), Misbehaviour::BudgetExceeded)]);
}

#[test]
fn an_author_beyond_its_budget_is_dropped_without_blame() {
    let limits = Limits {
        origin_bytes_rate: 1,
        origin_bytes_burst: 1_000,
        ..Limits::default()
    };
    let mut lab = Lab::among(2, limits);
    for n in 0..20 {
        lab.push(1, &message(n));
        lab.verify();
    }
    assert!((1..10).contains(&lab.delivered()));
    assert!(lab.engine.stats().dropped_by_origin > 10);
    assert_eq!(lab.accused(), []);
}

#[test]
fn one_slow_link_stalls_no_other_and_hears_later_what_it_missed() {
    let limits = Limits {
        link_credit_bytes: 4_000,
        link_queue_bytes_max: 4_000,
        ..Limits::default()
    };
    let mut lab = Lab::among(3, limits);
    for n in 0..200 {
        lab.push(1, &message(n));
        lab.verify();
        lab.put(Input::LinkQueue {
            peer: peer(2),
            bytes: 1 << 20,
        });
    }
    assert_eq!((lab.delivered(), lab.pushes_to(2)), (200, 200));
    assert!(
        lab.pushes_to(3) < 40,
        "a link that drains nothing gets its credit only"
    );
    assert!(lab.engine.stats().dropped_by_queue > 100);
    lab.out.clear();
    for _ in 0..10 {
        lab.put(Input::LinkQueue {
            peer: peer(3),
            bytes: 1 << 20,
        });
        lab.wait(100);
    }
    let frames = lab.sent_to(3);
    assert!(
        frames
            .iter()
            .any(|f| matches!(f, Frame::Gossip(GossipFrame::Announce { .. })))
    );
    assert_eq!(lab.accused(), []);
}

#[test]
fn while_a_neighbour_has_to_catch_up_nobody_else_is_read_and_nothing_published() {
    let limits = Limits {
        link_credit_bytes: 4_000,
        link_queue_bytes_max: 64_000,
        ..Limits::default()
    };
    let mut lab = Lab::among(3, limits);
    let mut others = vec![peer(1), peer(2)];
    others.sort_unstable();
    for n in 0..100 {
        lab.push(1, &message(n));
        lab.verify();
        lab.put(Input::LinkQueue {
            peer: peer(2),
            bytes: 1 << 20,
        });
    }
    assert_eq!(lab.held(), Some(others));
    assert!(!lab.engine.is_ready());
    lab.put(Input::LinkQueue {
        peer: peer(3),
        bytes: 4_000,
    });
    while lab.engine.stats().dropped_by_queue == 0 && lab.held() != Some(Vec::new()) {
        lab.put(Input::LinkQueue {
            peer: peer(3),
            bytes: 4_000,
        });
    }
    assert_eq!(lab.held(), Some(Vec::new()), "it has caught up");
    assert!(lab.engine.is_ready());
    // The same again, but this time it takes nothing at all.
    for n in 100..200 {
        lab.push(1, &message(n));
        lab.verify();
        lab.put(Input::LinkQueue {
            peer: peer(2),
            bytes: 1 << 20,
        });
    }
    assert!(!lab.engine.is_ready());
    lab.wait(400);
    assert_eq!(lab.held(), Some(Vec::new()), "nobody waits for who stands");
    assert!(lab.engine.is_ready());
    // It takes all at last: nothing is left to judge.
    for _ in 0..1_000 {
        lab.put(Input::LinkQueue {
            peer: peer(3),
            bytes: 4_000,
        });
    }
    lab.wait(200);
    assert!(lab.engine.next_deadline().unwrap() > lab.now.mono);
    assert_eq!(lab.accused(), []);
}

#[test]
fn a_neighbour_that_only_announces_though_it_should_push_is_grafted() {
    let mut lab = Lab::new(3);
    for n in 0..4 {
        let envelope = message(n);
        assert!(!lab.sent_to(1).iter().any(is_graft));
        let messages = BoundedVec::truncated([Announced {
            id: envelope.id(),
            hops: 1,
        }]);
        lab.control(1, GossipFrame::Announce { messages });
        lab.wait(2);
        assert!(lab.sent_to(1).iter().any(is_want));
        lab.broadcast(1, &envelope, true);
        lab.verify();
    }
    assert_eq!(lab.delivered(), 4);
    assert!(lab.sent_to(1).iter().any(is_graft));
}

#[test]
fn a_request_overtakes_the_messages_that_wait() {
    let limits = Limits {
        link_credit_bytes: 4_000,
        ..Limits::default()
    };
    let mut lab = Lab::among(2, limits);
    for n in 0..100 {
        lab.push(1, &message(n));
        lab.verify();
    }
    lab.out.clear();
    let missed = message(1_000);
    let messages = BoundedVec::truncated([Announced {
        id: missed.id(),
        hops: 1,
    }]);
    lab.control(2, GossipFrame::Announce { messages });
    lab.wait(2);
    let urgent =
        |o: &Output| matches!(o, Output::Send { peer: to, urgent: true, .. } if *to == peer(2));
    assert!(lab.out.iter().any(urgent));
}

#[test]
fn congestion_reaches_the_publisher_and_passes() {
    let limits = Limits {
        link_credit_bytes: 3_000,
        ..Limits::default()
    };
    let mut lab = Lab::among(2, limits);
    for token in 0..10 {
        lab.publish(token);
    }
    assert!(!lab.engine.is_ready());
    let refused = |lab: &Lab| {
        lab.out
            .iter()
            .filter(|o| matches!(o, Output::Event(Event::Refused { .. })))
            .count()
    };
    assert!(refused(&lab) > 0);
    assert_eq!(lab.delivered(), 0, "never our own");
    lab.out.clear();
    lab.put(Input::LinkQueue {
        peer: peer(1),
        bytes: 1 << 20,
    });
    assert!(lab.engine.is_ready());
    assert!(matches!(lab.out[..], [.., Output::Event(Event::Ready)]));
}

#[test]
fn r17_a_replayed_session_changes_nothing_even_after_a_restart() {
    let mut lab = Lab::new(3);
    let session: Vec<_> = (0..200).map(message).collect();
    for envelope in &session {
        lab.push(1, envelope);
    }
    lab.verify();
    lab.wait(2_000);
    assert_eq!(lab.delivered(), 200);
    let rows: Vec<SeenAuthor> = lab
        .out
        .iter()
        .filter_map(|o| match o {
            Output::Persist { rows } => Some(rows.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    for restart in [false, true] {
        if restart {
            lab = Lab::new(3);
            rows.iter().for_each(|row| lab.engine.restore_seen(*row));
        }
        lab.out.clear();
        for envelope in &session {
            lab.push(2, envelope);
        }
        assert_eq!((lab.verify(), lab.delivered()), (0, 0));
        assert_eq!((lab.pushes_to(1), lab.pushes_to(3)), (0, 0));
        assert_eq!(lab.accused(), []);
    }
    lab.push(2, &message(200));
    lab.verify();
    assert_eq!(lab.delivered(), 1, "what is new still comes through");
}

#[test]
fn a_reused_sequence_number_is_no_evidence_and_loses_no_message() {
    let mut lab = Lab::new(2);
    lab.push(1, &message(0));
    lab.push(2, &unsigned(0, 7, &[], WALL).sign(&author()));
    lab.verify();
    assert_eq!((lab.delivered(), lab.accused()), (2, vec![]));
}

#[test]
fn a_causal_subscriber_gets_causes_first_and_waits_only_so_long() {
    let mut lab = Lab::new(2);
    lab.put(Input::Subscribe {
        topic: topic(),
        causal: true,
    });
    let cause = message(0);
    let dot = Dot {
        author: cause.author(),
        start: 5,
        nth: 0,
    };
    let effect = unsigned(100, 0, &[dot], WALL).sign(&Identity::from_seed(901));
    let never = Dot { nth: 50, ..dot };
    let orphan = unsigned(101, 1, &[never], WALL).sign(&Identity::from_seed(901));
    for envelope in [&orphan, &effect, &cause] {
        lab.push(1, envelope);
        lab.verify();
    }
    assert_eq!((lab.order(), lab.engine.stats().held), (vec![0, 100], 1));
    lab.wait(11_000);
    assert_eq!(
        (lab.order(), lab.engine.stats().held),
        (vec![0, 100, 101], 0)
    );
    assert_eq!(lab.engine.stats().delivered_out_of_order, 1);
}

#[test]
fn held_messages_are_bounded_and_all_come_out_once() {
    let limits = Limits {
        held_max: 10,
        ..Limits::default()
    };
    let mut lab = Lab::among(2, limits);
    lab.put(Input::Subscribe {
        topic: topic(),
        causal: true,
    });
    for n in 1..200 {
        lab.push(1, &unsigned(n, n * 2, &[], WALL).sign(&author()));
        lab.verify();
        assert!(lab.engine.stats().held <= 10);
    }
    lab.wait(20_000);
    let mut order = lab.order();
    order.sort_unstable();
    assert_eq!(order, (1..200).collect::<Vec<_>>());
}

#[test]
fn a_distrusted_peer_leaves_the_active_view_and_does_not_come_back() {
    let mut lab = Lab::new(3);
    lab.put(Input::Trust {
        peer: peer(1),
        trust: Fixed::ZERO,
        distrusted: true,
    });
    lab.control(1, GossipFrame::Join);
    lab.wait(30_000);
    assert!(!lab.engine.active_view().contains(&peer(1)));
    assert_eq!(lab.engine.active_view().len(), 2);
}

#[test]
fn tables_that_peers_fill_stay_within_their_bounds() {
    let limits = Limits {
        missing_max: 100,
        pending_max: 50,
        announcements_max: 20,
        ids_max: 60,
        topic_authors_max: 5,
        ..Limits::default()
    };
    let mut lab = Lab::among(5, limits);
    lab.control(1, GossipFrame::Prune);
    for round in 0..20u8 {
        let ids = (0..=255u8).map(|n| {
            let id = repute_protocol::MessageId::from_bytes([n ^ round; 32]);
            Announced { id, hops: 0 }
        });
        lab.control(
            1 + u64::from(round % 5),
            GossipFrame::Announce {
                messages: BoundedVec::truncated(ids),
            },
        );
        assert!(lab.engine.stats().missing <= 100);
    }
    for n in 0..300 {
        lab.push(
            2,
            &unsigned(n, n, &[], WALL).sign(&Identity::from_seed(1_000 + n)),
        );
        assert!(lab.engine.stats().pending <= 50);
    }
    lab.verify();
    assert!(lab.engine.stats().ids <= 60);
    for n in 0..2_000u64 {
        let mut id = [1; 32];
        id[..8].copy_from_slice(&n.to_le_bytes());
        let hint = repute_protocol::PeerHint {
            id: NodeId::from_bytes(id),
            addresses: BoundedVec::new(),
        };
        lab.control(
            1,
            GossipFrame::ShuffleReply {
                peers: BoundedVec::truncated([hint]),
            },
        );
        assert!(lab.engine.stats().passive <= 30);
    }
    assert_eq!(lab.accused(), []);
}
