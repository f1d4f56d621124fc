use repute_base::BoundedVec;
use repute_identity::{Identity, Vouch};
use repute_protocol::{
    Credentials, Equivocation, Misbehaviour, ReceiptFrame, ReceiptProposal, ReceiptTerms, Service,
    SessionProposal, SessionTerms,
};
use repute_trust::ReceiptsInput;

use crate::town::{HOUR, Town, network};

fn forged(town: &Town, at: usize) -> usize {
    let forged = |(_, kind): &&(_, Misbehaviour)| *kind == Misbehaviour::ForgedReceipt;
    town.nodes[at].misbehaved.iter().filter(forged).count()
}

#[test]
fn a_liar_that_numbers_two_receipts_alike_is_proven_to_all_who_are_linked_to_anybody() {
    let mut town = Town::new(5);
    town.settle(0, 1);
    for (a, b) in [(1, 2), (2, 3)] {
        town.link(a, b);
    }
    town.serve(0, 1, Service::Messages, 5);
    town.pass(HOUR);
    // Node 0 says something else under the number that it has used.
    let first = town.latest(1, 0, 1).unwrap();
    let second = ReceiptTerms {
        amount: first.amount + 1_000,
        ..first
    };
    let proposal = ReceiptProposal::sign(second, network(), &town.nodes[0].identity);
    town.frame(0, 1, ReceiptFrame::Propose(proposal));
    let liar = town.id(0);
    for at in 1..4 {
        assert_eq!(town.nodes[at].faults, [liar], "node {at}");
        let proof = *town.nodes[at].receipts.fault(&liar).unwrap();
        assert_eq!(proof.verify(network()).unwrap().offender(), liar);
        assert_eq!(town.weight(at, 0, 1), None, "what it signed counts no more");
    }
    // Who comes later is told, and so is who starts again.
    town.link(3, 4);
    assert_eq!(town.nodes[4].faults, [liar]);
    let disk = town.nodes[4].disk.clone();
    town.restart_from(4, disk);
    assert_eq!(town.nodes[4].receipts.export_faults().len(), 1);
    // Nobody else is blamed, and the number that was signed twice came from the liar alone.
    assert!(town.nodes.iter().all(|node| node.misbehaved.is_empty()));
}

#[test]
fn two_receipts_of_one_number_that_meet_anywhere_prove_it_too() {
    let mut town = Town::new(3);
    for node in 0..3 {
        town.stamp(node);
    }
    town.link(0, 2);
    town.link(1, 2);
    // Both colluded, and show different books to different people.
    let small = town.forge_together(0, 1, town.terms(0, 1, 9, 10));
    let large = town.forge_together(0, 1, town.terms(0, 1, 9, 10_000));
    let liar = town.id(0);
    town.answer(2, 1, liar, vec![small, large]);
    assert_eq!(town.nodes[2].faults, [liar]);
}

#[test]
fn what_does_not_verify_is_held_against_who_sent_it() {
    let mut town = Town::new(3);
    town.settle(0, 1);
    town.link(0, 2);
    let (good, thief) = (town.terms(1, 0, 1, 1), Identity::from_seed(77));
    let proposal = ReceiptProposal::sign(good, network(), &thief);
    town.frame(1, 0, ReceiptFrame::Propose(proposal));
    assert_eq!(
        forged(&town, 0),
        1,
        "a proposal that its sender did not sign"
    );
    // One that is signed, of somebody else.
    let proposal =
        ReceiptProposal::sign(town.terms(2, 0, 1, 1), network(), &town.nodes[2].identity);
    town.frame(1, 0, ReceiptFrame::Propose(proposal));
    assert_eq!(forged(&town, 0), 2, "not its own");
    let mut receipt = town.forge_together(0, 1, town.terms(0, 1, 1, 1));
    receipt.sig_b = receipt.sig_a;
    town.frame(1, 0, ReceiptFrame::Cosigned(receipt));
    assert_eq!(forged(&town, 0), 3, "a receipt with one signature twice");
    let receipts = BoundedVec::truncated([receipt]);
    town.frame(1, 0, ReceiptFrame::Latest { receipts });
    assert_eq!(forged(&town, 0), 4);
    let same = town.forge_together(0, 1, town.terms(0, 1, 1, 1)).proposal();
    let proof = Equivocation {
        first: same,
        second: same,
    };
    town.frame(1, 0, ReceiptFrame::Fault(proof));
    assert_eq!(forged(&town, 0), 5, "a proof that proves nothing");
    let by = Identity::from_seed(9);
    let now = town.now().wall;
    let mut shown = Credentials {
        subject: town.id(1),
        stamp: BoundedVec::new(),
        vouches: BoundedVec::truncated([Vouch::sign(&by, town.id(1), 0, now, now)]),
    };
    shown.subject = town.id(2);
    town.frame(1, 0, ReceiptFrame::Credentials(shown));
    assert_eq!(forged(&town, 0), 6, "a word for somebody else");
    let terms = SessionTerms {
        version: SessionTerms::VERSION,
        service: Service::Messages,
        a: good.b,
        b: good.a,
        session: 1,
        t0: 1,
    };
    let proposal = SessionProposal::sign(terms, network(), &thief);
    town.frame(1, 0, ReceiptFrame::Open(proposal));
    assert_eq!(forged(&town, 0), 7);
    let accused: Vec<_> = town.nodes[0]
        .misbehaved
        .iter()
        .map(|(who, _)| *who)
        .collect();
    assert!(accused.iter().all(|who| *who == town.id(1)));
    assert_eq!(town.nodes[0].receipts.pairs(), 0, "nothing of it was kept");
}

#[test]
fn what_is_late_unasked_or_from_the_future_is_passed_over_without_blame() {
    let mut town = Town::new(3);
    for node in 0..3 {
        town.stamp(node);
    }
    town.settle(0, 1);
    town.link(1, 2);
    town.serve(0, 1, Service::Messages, 5);
    town.pass(HOUR);
    let latest = town.latest(1, 0, 1).unwrap();
    let sign = |town: &Town, terms| {
        let proposal = ReceiptProposal::sign(terms, network(), &town.nodes[0].identity);
        ReceiptFrame::Propose(proposal)
    };
    let signed = town.nodes[1].signed.len();
    let refused = [
        // From further ahead than two clocks differ.
        ReceiptTerms {
            seq_ab: latest.seq_ab + 1,
            t1: latest.t1 + 400_000,
            ..latest
        },
        // Less than before.
        ReceiptTerms {
            seq_ab: latest.seq_ab + 1,
            amount: latest.amount - 1,
            ..latest
        },
        // A number below what was used, and one of a session that nobody agreed to.
        ReceiptTerms {
            seq_ab: 1,
            ..latest
        },
        ReceiptTerms {
            seq_ab: latest.seq_ab + 1,
            session: 5,
            ..latest
        },
    ];
    for terms in refused {
        let frame = sign(&town, terms);
        town.frame(0, 1, frame);
        assert_eq!(town.nodes[1].signed.len(), signed, "{terms:?}");
    }
    // The same again is answered again, without a new signature.
    let answers = town.sent["cosigned"];
    let frame = sign(&town, latest);
    town.frame(0, 1, frame);
    assert_eq!(town.sent["cosigned"], answers + 1);
    assert_eq!(town.nodes[1].signed.len(), signed);
    // Answers to what was not asked.
    let receipt = town.forge_together(0, 1, town.terms(0, 1, latest.seq_ab + 9, 99));
    let subject = town.id(0);
    let receipts = BoundedVec::truncated([receipt]);
    let about = ReceiptFrame::About {
        subject,
        receipts,
        claims: BoundedVec::new(),
    };
    town.frame(1, 2, about);
    let receipts = BoundedVec::truncated([receipt]);
    town.frame(1, 2, ReceiptFrame::Share { receipts });
    assert_eq!(town.latest(2, 0, 1), None);
    town.assert_nobody_was_blamed();
}

#[test]
fn receipts_of_free_names_are_worth_nothing_to_others_and_are_not_even_kept() {
    let mut town = Town::new(4);
    town.stamp(0);
    town.link(0, 3);
    town.link(2, 3);
    let subject = town.id(0);
    let half = town.forge_together(0, 1, town.terms(0, 1, 1, 1_000));
    town.answer(3, 0, subject, vec![half]);
    assert_eq!(town.nodes[3].receipts.pairs(), 0, "one end is a free name");
    town.stamp(2);
    let both = town.forge_together(0, 2, town.terms(0, 2, 1, 1_000));
    town.answer(3, 0, subject, vec![both]);
    assert!(town.weight(3, 0, 2).is_some());
    town.assert_nobody_was_blamed();
}

#[test]
fn one_pair_makes_no_more_than_one_unit_a_day_whatever_it_signs() {
    let mut town = Town::new(3);
    for node in 0..3 {
        town.stamp(node);
    }
    town.link(0, 2);
    town.link(1, 2);
    let subject = town.id(0);
    let mut seq = 0;
    for day in 1..=4u32 {
        for _ in 0..6 {
            seq += 1;
            let terms = ReceiptTerms {
                t0: 0,
                ..town.terms(0, 1, seq, seq << 40)
            };
            let receipt = town.forge_together(0, 1, terms);
            town.answer(2, 0, subject, vec![receipt]);
            assert_eq!(town.weight(2, 0, 1), Some(f64::from(day)));
        }
        town.pass(HOUR * 24);
    }
    // Many small receipts of a day are worth what one of their sum is.
    let mut town = Town::new(4);
    for node in 0..4 {
        town.stamp(node);
    }
    for at in [2, 3] {
        town.link(0, at);
        town.link(1, at);
    }
    for seq in 1..=100 {
        let receipt = town.forge_together(0, 1, town.terms(0, 1, seq, seq));
        town.answer(2, 0, subject, vec![receipt]);
    }
    let receipt = town.forge_together(0, 1, town.terms(0, 1, 1_000, 100));
    town.answer(3, 0, subject, vec![receipt]);
    assert_eq!(town.weight(2, 0, 1), town.weight(3, 0, 1));
}

#[test]
fn a_receipt_from_long_ago_is_not_taken() {
    let mut town = Town::new(3);
    for node in 0..3 {
        town.stamp(node);
    }
    town.link(0, 2);
    let old = ReceiptTerms {
        t0: 1,
        t1: 2,
        ..town.terms(0, 1, 1, 50)
    };
    let receipt = town.forge_together(0, 1, old);
    let subject = town.id(0);
    town.answer(2, 0, subject, vec![receipt]);
    assert_eq!(town.nodes[2].receipts.pairs(), 0);
}

#[test]
fn a_flood_of_frames_is_dropped_unchecked() {
    let mut town = Town::new(2);
    town.link(0, 1);
    let bad = town.forge_together(0, 1, town.terms(0, 1, 1, 1));
    let bad = ReceiptProposal {
        sig_a: bad.sig_b,
        ..bad.proposal()
    };
    for _ in 0..10_000 {
        town.frame(0, 1, ReceiptFrame::Propose(bad));
    }
    assert!(forged(&town, 1) <= 128, "{}", forged(&town, 1));
    assert!(forged(&town, 1) >= 100, "some were checked");
    // It is served again once it has calmed down.
    town.pass(HOUR);
    town.nodes[1].misbehaved.clear();
    town.frame(0, 1, ReceiptFrame::Propose(bad));
    assert_eq!(forged(&town, 1), 1);
    town.handle(1, ReceiptsInput::Tick);
}

#[test]
fn a_receipt_from_the_far_future_fades_by_our_own_clock() {
    let mut town = Town::new(3);
    for node in 0..3 {
        town.stamp(node);
    }
    town.link(0, 2);
    town.link(1, 2);
    let ahead = ReceiptTerms {
        t1: u64::MAX,
        ..town.terms(0, 1, 7, 50)
    };
    let receipt = town.forge_together(0, 1, ahead);
    let subject = town.id(0);
    town.answer(2, 0, subject, vec![receipt]);
    assert_eq!(town.nodes[2].receipts.pairs(), 1);
    town.pass(HOUR * 24 * 60);
    assert_eq!(town.nodes[2].receipts.pairs(), 1);
    town.pass(HOUR * 24 * 31);
    assert_eq!(town.nodes[2].receipts.pairs(), 0);
    town.assert_nobody_was_blamed();
}
