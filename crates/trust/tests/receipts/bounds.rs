use repute_base::{BoundedVec, Machine, Timestamp, Wall};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    FromPeer, Outcome, Party, ReceiptFrame, ReceiptProposal, ReceiptTerms, Service,
};
use repute_trust::{
    ReceiptRow, Receipts, ReceiptsConfig, ReceiptsInput, ReceiptsLimits, ReceiptsOutput,
    ReceiptsWrite,
};

use crate::town::{BEGIN, config, network, stamped};

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms, BEGIN + ms)
}

fn drain(receipts: &mut Receipts) -> Vec<ReceiptsOutput> {
    std::iter::from_fn(|| receipts.poll_output()).collect()
}

fn small(limits: ReceiptsLimits) -> Receipts {
    let me = Identity::from_seed(0);
    Receipts::new(me.inception(), network(), BEGIN, config(), limits).unwrap()
}

fn told(receipts: &mut Receipts, now: Timestamp, from: NodeId, frame: ReceiptFrame) {
    let frame = FromPeer::authenticated(from, Box::new(frame));
    receipts.handle(now, ReceiptsInput::Frame(frame));
}

#[test]
fn however_many_pairs_are_told_of_the_tables_stay_within_their_bounds() {
    let limits = ReceiptsLimits {
        own_pairs: 4,
        pairs: 16,
        identities: 256,
        faults: 4,
        links: 2,
    };
    let mut receipts = small(limits);
    let teller = Identity::from_seed(1_000);
    let inception = *teller.inception();
    receipts.handle(at(0), ReceiptsInput::LinkUp { inception });
    drain(&mut receipts);
    let mut forgotten = 0;
    let mut stored: std::collections::BTreeSet<(NodeId, NodeId)> = Default::default();
    for seed in 1..=80u64 {
        let now = at(seed * 60_000);
        let (a, b) = (Identity::from_seed(seed), Identity::from_seed(seed + 1));
        for id in [a.id(), b.id()] {
            let shown = ReceiptFrame::Credentials(stamped(id));
            told(&mut receipts, now, teller.id(), shown);
            drain(&mut receipts);
        }
        let terms = ReceiptTerms {
            version: ReceiptTerms::VERSION,
            service: Service::Relay,
            a: Party::of(a.inception()),
            b: Party::of(b.inception()),
            session: 1,
            seq_ab: 1,
            kind: Outcome::Served,
            amount: 1 << 30,
            t0: BEGIN,
            t1: now.wall.as_millis(),
        };
        let sig_b = b.sign(&terms.statement(network()));
        let receipt = ReceiptProposal::sign(terms, network(), &a).with(sig_b);
        let subject = a.id();
        let ask = ReceiptsInput::Ask {
            peer: teller.id(),
            subject,
        };
        receipts.handle(now, ask);
        drain(&mut receipts);
        let about = ReceiptFrame::About {
            subject,
            receipts: BoundedVec::truncated([receipt]),
            claims: BoundedVec::new(),
        };
        told(&mut receipts, now, teller.id(), about);
        for output in drain(&mut receipts) {
            let ReceiptsOutput::Persist { write, .. } = output else {
                continue;
            };
            match write {
                ReceiptsWrite::Put(row) => {
                    stored.insert((row.a, row.b));
                }
                ReceiptsWrite::ForgetPair { a, b } => {
                    forgotten += 1;
                    assert!(stored.remove(&(a, b)), "only what was stored is forgotten");
                }
            }
        }
        assert!(receipts.pairs() <= 16);
    }
    assert_eq!((receipts.pairs(), forgotten), (16, 64));
    assert_eq!(receipts.edges(at(80 * 60_000).wall).count(), 16);
    // A third link is not looked after.
    for seed in [2_000, 2_001] {
        let inception = *Identity::from_seed(seed).inception();
        receipts.handle(at(5_000_000), ReceiptsInput::LinkUp { inception });
        drain(&mut receipts);
    }
    let served = ReceiptsInput::Open {
        peer: Identity::from_seed(2_001).id(),
        service: Service::Messages,
    };
    receipts.handle(at(5_000_000), served);
    assert!(drain(&mut receipts).is_empty());
}

#[test]
fn pairs_that_sign_nothing_for_long_are_pruned() {
    let mut receipts = small(ReceiptsLimits::default());
    let peer = Identity::from_seed(5);
    let inception = *peer.inception();
    receipts.handle(at(0), ReceiptsInput::LinkUp { inception });
    drain(&mut receipts);
    let terms = ReceiptTerms {
        version: ReceiptTerms::VERSION,
        service: Service::Transfer,
        a: Party::of(peer.inception()),
        b: Party::of(Identity::from_seed(0).inception()),
        session: 1,
        seq_ab: 1,
        kind: Outcome::Served,
        amount: 5,
        t0: BEGIN,
        t1: BEGIN,
    };
    let sig_b = Identity::from_seed(0).sign(&terms.statement(network()));
    let receipt = ReceiptProposal::sign(terms, network(), &peer).with(sig_b);
    let latest = ReceiptFrame::Latest {
        receipts: BoundedVec::truncated([receipt]),
    };
    told(&mut receipts, at(0), peer.id(), latest);
    drain(&mut receipts);
    assert_eq!(receipts.pairs(), 1);
    let day = 86_400_000;
    for days in 0..=100 {
        receipts.handle(at(days * day), ReceiptsInput::Tick);
        let gone = drain(&mut receipts).into_iter().any(|output| {
            let ReceiptsOutput::Persist { write, .. } = output else {
                return false;
            };
            matches!(write, ReceiptsWrite::ForgetPair { .. })
        });
        assert_eq!(gone, days == 91, "day {days}");
    }
    assert_eq!(receipts.pairs(), 0);
}

#[test]
fn a_row_that_is_none_of_ours_is_refused() {
    let mut receipts = small(ReceiptsLimits::default());
    let id = Identity::from_seed(1).id();
    for (kind, body) in [
        (16, vec![1]),
        (0, vec![]),
        (0, vec![9, 0, 0, 0]),
        (9, vec![1]),
        (2, vec![1, 2]),
    ] {
        let row = ReceiptRow {
            kind,
            a: id,
            b: id,
            wall: Wall::from_millis(BEGIN),
            body,
        };
        assert!(!receipts.restore(&row), "{row:?}");
    }
}

#[test]
fn a_policy_that_cannot_be_meant_is_refused() {
    use std::time::Duration;
    for (bad, field) in [
        (
            ReceiptsConfig {
                interval: Duration::from_secs(1),
                ..config()
            },
            "receipts.interval",
        ),
        (
            ReceiptsConfig {
                age_max: Duration::from_secs(3_600),
                ..config()
            },
            "receipts.age_max",
        ),
        (
            ReceiptsConfig {
                stamp_bits: 65,
                ..config()
            },
            "receipts.stamp_bits",
        ),
    ] {
        assert_eq!(bad.check().unwrap_err().field, field);
    }
    assert!(ReceiptsConfig::default().check().is_ok());
}
