//! Fair shares of signature checking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support is no #[test] function, so clippy does not see it as a test"
)]

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use repute_base::{Mono, Wall};
use repute_identity::{Identity, NodeId};
use repute_protocol::{Envelope, EnvelopeKind, NetworkId, Seq, Unsigned};
use repute_transport::verify::{VerifyLimits, VerifyQueue};

fn envelope(counter: u64, forged: bool) -> Envelope {
    let unsigned = Unsigned {
        network: NetworkId::from_name("test"),
        kind: EnvelopeKind::Message,
        seq: Seq { start: 1, counter },
        sent: Wall::from_millis(5),
        payload: vec![7; 32],
    };
    let envelope = unsigned.sign(&Identity::from_seed(1)).into_inner();
    if !forged {
        return envelope;
    }
    let mut wire = envelope.wire().to_vec();
    *wire.last_mut().unwrap() ^= 1;
    Envelope::decode(Bytes::from(wire)).unwrap()
}

fn peer(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

fn ms(ms: u64) -> Mono {
    Mono::from_millis(ms)
}

/// Checks whatever is ready now; how many of each peer were proven and refused.
fn drain(queue: &mut VerifyQueue, now: Mono) -> BTreeMap<NodeId, (usize, usize)> {
    let mut counts = BTreeMap::<_, (usize, usize)>::new();
    loop {
        let batch = queue.take_batch(now);
        if batch.is_empty() {
            return counts;
        }
        for (from, verdict) in batch.check([9; 32]) {
            queue.report(now, from, verdict.is_ok());
            let entry = counts.entry(from).or_default();
            if verdict.is_ok() {
                entry.0 += 1;
            } else {
                entry.1 += 1;
            }
        }
    }
}

#[test]
fn every_envelope_gets_its_verdict_with_its_sender() {
    let mut queue = VerifyQueue::new(VerifyLimits::default());
    for n in 0..100 {
        queue.push(peer(1), envelope(n, false)).unwrap();
    }
    queue.push(peer(2), envelope(0, true)).unwrap();
    let counts = drain(&mut queue, ms(0));
    assert_eq!(counts[&peer(1)], (100, 0));
    assert_eq!(counts[&peer(2)], (0, 1));
    assert!(queue.is_empty());
    assert!(queue.is_suspect(peer(2)) && !queue.is_suspect(peer(1)));
}

#[test]
fn a_batch_takes_from_all_peers_in_turn() {
    let mut queue = VerifyQueue::new(VerifyLimits::default());
    for _ in 0..1_000 {
        queue.push(peer(1), envelope(0, false)).unwrap();
    }
    for _ in 0..10 {
        queue.push(peer(2), envelope(1, false)).unwrap();
    }
    let first = queue.take_batch(ms(0));
    assert_eq!(first.len(), 64);
    let of_two = first
        .check([1; 32])
        .iter()
        .filter(|(from, _)| *from == peer(2))
        .count();
    assert_eq!(
        of_two, 10,
        "the small one does not wait behind the large one"
    );
}

#[test]
fn a_suspect_gets_five_hundred_checks_a_second_and_never_shares_a_batch() {
    let mut queue = VerifyQueue::new(VerifyLimits::default());
    queue.report(ms(0), peer(9), false);
    let forged = envelope(1, true);
    let honest = envelope(2, false);
    let (mut checked, mut honest_checked) = (0, 0);
    for step in 0..1_000 {
        let now = ms(step);
        // 20,000 forgeries a second against 1,000 honest envelopes.
        for _ in 0..20 {
            let _ = queue.push(peer(9), forged.clone());
        }
        queue.push(peer(1), honest.clone()).unwrap();
        loop {
            let batch = queue.take_batch(now);
            if batch.is_empty() {
                break;
            }
            // The verdicts are known here; checking 20,000 for real says nothing more.
            let senders: Vec<_> = batch.senders().to_vec();
            let suspects = senders.iter().filter(|from| **from == peer(9)).count();
            assert!(suspects == 0 || suspects == senders.len());
            for from in senders {
                queue.report(now, from, from != peer(9));
            }
            checked += suspects;
            honest_checked += batch.len() - suspects;
        }
    }
    assert!(checked <= 500 + 64, "{checked} checks in a second");
    assert!(checked >= 500, "{checked} checks in a second");
    assert_eq!(honest_checked, 1_000);
    assert!(queue.dropped() > 0 && queue.len() <= 16_384);
}

#[test]
fn a_minute_without_forgeries_ends_the_suspicion() {
    let mut queue = VerifyQueue::new(VerifyLimits::default());
    queue.report(ms(1_000), peer(9), false);
    for n in 0..1_000 {
        queue.push(peer(9), envelope(n, false)).unwrap();
    }
    assert_eq!(drain(&mut queue, ms(1_000))[&peer(9)].0, 64);
    assert_eq!(queue.ready_in(ms(1_000)), Some(Duration::from_millis(2)));
    assert!(queue.is_suspect(peer(9)));
    assert_eq!(drain(&mut queue, ms(61_000))[&peer(9)].0, 936);
    assert!(!queue.is_suspect(peer(9)));
    assert_eq!(queue.ready_in(ms(61_000)), None);
}

#[test]
fn what_waits_is_bounded_for_each_peer_and_in_all() {
    let mut limits = VerifyLimits::default();
    limits.waiting_per_peer_max = 10;
    let one = envelope(0, false);
    limits.bytes_max = 25 * one.wire().len();
    let mut queue = VerifyQueue::new(limits);
    for n in 0..10 {
        for _ in 0..100 {
            let _ = queue.push(peer(n), one.clone());
        }
    }
    assert_eq!(queue.len(), 25);
    assert_eq!(queue.dropped(), 975);
    queue.forget(peer(0));
    assert_eq!(queue.len(), 15);
    assert_eq!(drain(&mut queue, ms(0)).len(), 2);
}

#[test]
fn remembered_suspects_are_bounded_and_the_oldest_goes_first() {
    let mut limits = VerifyLimits::default();
    limits.suspects_max = 3;
    let mut queue = VerifyQueue::new(limits);
    for n in 0..5 {
        queue.report(ms(u64::from(n)), peer(n), false);
    }
    assert!(!queue.is_suspect(peer(0)) && !queue.is_suspect(peer(1)));
    assert!((2..5).all(|n| queue.is_suspect(peer(n))));
}

#[test]
fn a_clock_that_jumps_back_harms_nothing() {
    let mut queue = VerifyQueue::new(VerifyLimits::default());
    queue.report(ms(100_000), peer(9), false);
    queue.push(peer(9), envelope(0, false)).unwrap();
    assert_eq!(drain(&mut queue, ms(5)).len(), 1);
    assert!(queue.is_suspect(peer(9)));
}
