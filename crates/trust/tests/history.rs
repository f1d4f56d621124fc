//! What the chronicle keeps, at which cost, and across restarts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::time::Duration;

use proptest::prelude::*;
use repute_base::{Fixed, Machine, Timestamp, Wall};
use repute_identity::NodeId;
use repute_protocol::Misbehaviour;
use repute_trust::{
    CHANGES_MAX, Chronicle, ChronicleInput, ChronicleLimits, ChronicleOutput, Config, Context,
    Direction, Evidence, Fault, INTERACTIONS_MAX, Input, Ledger, Level, Limits, Output, Record,
    Resolution, Sample, SigningOutcome, Tally, Transfer, Write,
};

const HOUR: u64 = 3_600_000;
const START: u64 = 1_700_000_000_000;

fn id(n: u16) -> NodeId {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    NodeId::from_bytes(bytes)
}

fn at(hour: u64) -> Timestamp {
    Timestamp::from_millis(hour * HOUR, START + hour * HOUR)
}

fn record(number: u64, subject: NodeId, evidence: Evidence, hour: u64) -> Record {
    Record {
        number,
        subject,
        context: Context::Network,
        evidence,
        fault: Fault::Theirs,
        wall: at(hour).wall,
    }
}

fn sample(chronicle: &mut Chronicle, hour: u64, subject: NodeId, sample: Sample, fault: Fault) {
    chronicle.handle(
        at(hour),
        ChronicleInput::Sample {
            subject,
            sample,
            fault,
        },
    );
}

fn outputs(chronicle: &mut Chronicle) -> Vec<ChronicleOutput> {
    std::iter::from_fn(|| chronicle.poll_output()).collect()
}

/// A store of profiles, kept as the outputs say.
fn save(chronicle: &mut Chronicle, hour: u64) -> Vec<(NodeId, Vec<u8>)> {
    chronicle.handle(at(hour), ChronicleInput::Save);
    let put = |output| match output {
        ChronicleOutput::Put { subject, bytes, .. } => Some((subject, bytes)),
        ChronicleOutput::Forget(_) => None,
        _ => None,
    };
    outputs(chronicle).into_iter().filter_map(put).collect()
}

fn transfer(ok: bool, bytes: u64, seconds: u64) -> Sample {
    Sample::Transfer(Transfer {
        ok,
        direction: Direction::Down,
        bytes,
        took: Duration::from_secs(seconds),
        latency: Some(Duration::from_millis(40)),
    })
}

#[test]
fn samples_become_metrics() {
    let mut chronicle = Chronicle::new(ChronicleLimits::default());
    let peer = id(1);
    sample(
        &mut chronicle,
        0,
        peer,
        transfer(true, 10 << 20, 5),
        Fault::Theirs,
    );
    sample(
        &mut chronicle,
        0,
        peer,
        transfer(false, 0, 5),
        Fault::Theirs,
    );
    sample(&mut chronicle, 0, peer, transfer(false, 0, 5), Fault::Ours);
    sample(
        &mut chronicle,
        0,
        peer,
        transfer(false, 0, 5),
        Fault::Network,
    );
    sample(
        &mut chronicle,
        0,
        peer,
        Sample::Probe { answered: true },
        Fault::Theirs,
    );
    let metrics = chronicle.metrics(peer, at(0).wall);
    assert_eq!(
        metrics.transfers,
        Tally::new(1, 1),
        "only their fault counts"
    );
    assert_eq!(metrics.bandwidth().value, Fixed::from_int(2_048));
    assert_eq!(metrics.latency.value, Fixed::from_int(40));
    assert_eq!(metrics.uptime.tally(), Tally::new(1, 0));
    assert_eq!(
        (metrics.first_seen, metrics.last_seen),
        (at(0).wall, at(0).wall)
    );
    assert_eq!(chronicle.metrics(id(2), at(0).wall), Default::default());

    let faded = chronicle.metrics(peer, at(30 * 24).wall);
    assert_eq!(
        faded.transfers.ok,
        Fixed::HALF,
        "half is left after thirty days"
    );
    assert_eq!(faded.uptime.tally(), Tally::new(0, 0));
    assert_eq!(
        chronicle.metrics(peer, at(0).wall),
        metrics,
        "reading changes nothing"
    );
}

#[test]
fn penalties_fade_in_a_day_and_are_capped() {
    let mut chronicle = Chronicle::new(ChronicleLimits::default());
    for _ in 0..5 {
        let outcome = SigningOutcome::Invalid;
        let took = Duration::from_secs(1);
        sample(
            &mut chronicle,
            0,
            id(1),
            Sample::Signing { outcome, took },
            Fault::Theirs,
        );
    }
    let pool = |hour: u64| chronicle.metrics(id(1), at(hour).wall).signing.pool;
    assert_eq!(pool(0), Fixed::from_int(40));
    assert_eq!(pool(24), Fixed::from_int(20));
    assert_eq!(pool(48), Fixed::from_int(10));
}

#[test]
fn relaying_for_oneself_is_capped_by_pair_and_day() {
    let mut chronicle = Chronicle::new(ChronicleLimits::default());
    let relayed = |a, b| Sample::Relayed {
        ends: [id(a), id(b)],
        bytes: 1 << 40,
    };
    let gib = |chronicle: &Chronicle| {
        let mib = chronicle.metrics(id(1), at(0).wall).relay.mib;
        mib.div(Fixed::from_int(1_024)).to_f64().round() as u64
    };
    for _ in 0..10 {
        sample(&mut chronicle, 0, id(1), relayed(2, 3), Fault::Theirs);
        sample(&mut chronicle, 0, id(1), relayed(3, 2), Fault::Theirs);
        sample(&mut chronicle, 0, id(1), relayed(4, 4), Fault::Theirs);
    }
    assert_eq!(gib(&chronicle), 1, "a pair has two orders and one cap");
    for other in 10..100 {
        sample(&mut chronicle, 1, id(1), relayed(2, other), Fault::Theirs);
    }
    assert_eq!(gib(&chronicle), 16, "so many pairs a day");
    sample(&mut chronicle, 24, id(1), relayed(2, 3), Fault::Theirs);
    assert!(chronicle.metrics(id(1), at(24).wall).relay.mib > Fixed::from_int(16 * 1_024));
}

#[test]
fn the_past_is_downsampled_and_bounded() {
    let mut ledger = Ledger::new(Config::default(), Limits::default()).unwrap();
    let mut chronicle = Chronicle::new(ChronicleLimits::default());
    let peer = id(1);
    let mut levels = Vec::new();
    for hour in 0..400 * 24 {
        // Good service but for a bad spell in every fifth week.
        let evidence = match (hour / 168) % 5 {
            4 => Evidence::Timeout,
            _ => Evidence::Useful,
        };
        ledger.handle(
            at(hour),
            Input::Observe {
                subject: peer,
                context: Context::Network,
                evidence,
                fault: Fault::Theirs,
            },
        );
        while let Some(output) = ledger.poll_output() {
            let input = match output {
                Output::Persist(Write::Record(record)) => ChronicleInput::Record(record),
                Output::Standing { subject, standing } => {
                    levels.push(standing.level);
                    ChronicleInput::Standing { subject, standing }
                }
                _ => continue,
            };
            chronicle.handle(at(hour), input);
        }
    }
    let history = chronicle.history(peer).unwrap();
    for (resolution, kept) in [
        (Resolution::Hour, 48),
        (Resolution::Day, 35),
        (Resolution::Week, 52),
    ] {
        let points: Vec<_> = history.scores(resolution).collect();
        assert_eq!(points.len(), kept, "{}", resolution.name());
        assert!(points.is_sorted_by_key(|point| point.wall));
        assert!(
            points
                .iter()
                .all(|point| point.lowest <= point.trust.max(point.lowest))
        );
    }
    assert_eq!(history.interactions().count(), INTERACTIONS_MAX);
    levels.dedup();
    assert!(
        levels.len() > 3,
        "the score moved between levels: {levels:?}"
    );
    let told: Vec<Level> = history.changes().map(|change| change.to).collect();
    assert_eq!(told.len(), CHANGES_MAX);
    assert!(levels.ends_with(&told), "{told:?} {levels:?}");

    // What one busy peer takes, in the store and, once it is saved, in memory.
    let saved = save(&mut chronicle, 400 * 24);
    assert_eq!(saved.len(), 1);
    assert!(saved[0].1.len() < 3_072, "{} bytes", saved[0].1.len());
}

#[test]
fn a_restart_loses_nothing_that_was_saved_and_folds_in_what_was_not() {
    let peer = id(1);
    let mut chronicle = Chronicle::new(ChronicleLimits::default());
    let records: Vec<Record> = (1..=50)
        .map(|number| {
            let evidence = match number % 7 {
                0 => Evidence::Invalid(Misbehaviour::MalformedFrame),
                3 => Evidence::Timeout,
                _ => Evidence::Useful,
            };
            record(number, peer, evidence, number)
        })
        .collect();
    let mut stored = Vec::new();
    for record in &records {
        chronicle.handle(at(record.number), ChronicleInput::Record(*record));
        if record.number == 30 {
            sample(
                &mut chronicle,
                30,
                peer,
                transfer(true, 1 << 20, 1),
                Fault::Theirs,
            );
            stored = save(&mut chronicle, 30);
        }
    }
    let mut again = Chronicle::new(ChronicleLimits::default());
    for (subject, bytes) in &stored {
        again.restore(*subject, bytes).unwrap();
    }
    records
        .iter()
        .for_each(|record| again.restore_record(record));
    let now = at(60).wall;
    assert_eq!(again.metrics(peer, now), chronicle.metrics(peer, now));
    assert_eq!(again.history(peer), chronicle.history(peer));
}

#[test]
fn a_peer_met_briefly_takes_less_than_two_hundred_bytes() {
    let mut chronicle = Chronicle::new(ChronicleLimits::default());
    let useful = record(1, id(1), Evidence::Useful, 0);
    chronicle.handle(at(0), ChronicleInput::Record(useful));
    let standing = Ledger::new(Config::default(), Limits::default())
        .unwrap()
        .standing(id(1), at(0).wall);
    let subject = id(1);
    chronicle.handle(at(0), ChronicleInput::Standing { subject, standing });
    let saved = save(&mut chronicle, 0);
    assert!(saved[0].1.len() < 200, "{} bytes", saved[0].1.len());
}

#[test]
fn changes_are_saved_after_a_while_and_only_then() {
    let mut chronicle = Chronicle::new(ChronicleLimits::default());
    assert_eq!(chronicle.next_deadline(), None);
    for n in 0..300 {
        sample(
            &mut chronicle,
            0,
            id(n),
            Sample::Probe { answered: true },
            Fault::Theirs,
        );
    }
    let due = chronicle.next_deadline().unwrap();
    assert_eq!(due.as_millis(), 300_000);
    chronicle.handle(
        Timestamp {
            mono: due - Duration::from_millis(1),
            ..at(0)
        },
        ChronicleInput::Tick,
    );
    assert!(outputs(&mut chronicle).is_empty());
    chronicle.handle(Timestamp { mono: due, ..at(0) }, ChronicleInput::Tick);
    assert_eq!(outputs(&mut chronicle).len(), 256);
    let rest = chronicle.next_deadline().unwrap();
    assert_eq!(rest.since(due), Duration::from_secs(1));
    chronicle.handle(
        Timestamp {
            mono: rest,
            ..at(0)
        },
        ChronicleInput::Tick,
    );
    assert_eq!(outputs(&mut chronicle).len(), 44);
    assert_eq!(chronicle.next_deadline(), None);
}

#[test]
fn a_flood_of_newcomers_displaces_itself() {
    let limits = ChronicleLimits {
        profiles: 32,
        ..ChronicleLimits::default()
    };
    let mut chronicle = Chronicle::new(limits);
    for number in 1..=20 {
        let useful = record(number, id(0), Evidence::Useful, 0);
        chronicle.handle(at(0), ChronicleInput::Record(useful));
    }
    let mut forgotten = 0;
    for n in 1..1_000 {
        sample(
            &mut chronicle,
            1,
            id(n),
            Sample::Probe { answered: true },
            Fault::Theirs,
        );
        forgotten += outputs(&mut chronicle).len();
        assert!(chronicle.len() <= 32);
    }
    assert_eq!(forgotten, 1_000 - 32);
    assert_eq!(
        chronicle.metrics(id(0), at(1).wall).interactions,
        20,
        "the old friend stays"
    );
}

#[test]
fn damaged_bytes_are_refused_and_change_nothing() {
    let mut chronicle = Chronicle::new(ChronicleLimits::default());
    sample(
        &mut chronicle,
        0,
        id(1),
        transfer(true, 1 << 20, 1),
        Fault::Theirs,
    );
    let (_, bytes) = save(&mut chronicle, 0).remove(0);
    let mut other = Chronicle::new(ChronicleLimits::default());
    for cut in 0..bytes.len() {
        assert!(other.restore(id(1), &bytes[..cut]).is_err(), "cut at {cut}");
    }
    let mut newer = bytes.clone();
    newer[0] = 9;
    let error = other.restore(id(1), &newer).unwrap_err();
    assert!(error.to_string().contains("newer than 1"), "{error}");
    assert!(other.is_empty());
    other.restore(id(1), &bytes).unwrap();
}

proptest! {
    #[test]
    fn whatever_happened_the_stored_form_brings_it_back(
        events in prop::collection::vec((0u64..2_000, 0u8..12, any::<bool>(), 0u64..1 << 44), 1..200),
    ) {
        let mut chronicle = Chronicle::new(ChronicleLimits::default());
        let peer = id(7);
        let mut hour = 0;
        for (number, (step, what, ok, size)) in (1..).zip(events) {
            hour += step;
            let took = Duration::from_millis(size % 100_000);
            let outcome = SigningOutcome::ALL[(size % 5) as usize];
            let what = match what {
                0 => Sample::Probe { answered: ok },
                1 => Sample::Latency(took),
                2 => transfer(ok, size, size % 60),
                3 => Sample::Circuit { ok },
                4 => Sample::Reservation { ok },
                5 => Sample::Relayed { ends: [id(1), id((size % 99) as u16)], bytes: size },
                6 => Sample::Signing { outcome, took },
                7 => Sample::Custom { slot: (size % 6) as u8, ok },
                _ => {
                    let evidence = if ok { Evidence::Useful } else { Evidence::Timeout };
                    let record = record(number, peer, evidence, hour);
                    chronicle.handle(at(hour), ChronicleInput::Record(record));
                    continue;
                }
            };
            sample(&mut chronicle, hour, peer, what, Fault::Theirs);
        }
        let stored = save(&mut chronicle, hour);
        let mut again = Chronicle::new(ChronicleLimits::default());
        for (subject, bytes) in &stored {
            again.restore(*subject, bytes).unwrap();
        }
        let now = Wall::from_millis(START + (hour + 1) * HOUR);
        prop_assert_eq!(again.metrics(peer, now), chronicle.metrics(peer, now));
        prop_assert_eq!(again.history(peer), chronicle.history(peer));
    }
}
