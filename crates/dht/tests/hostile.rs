//! One engine against whatever a hostile link may bring. Every refusal is counted; only what the
//! bytes prove is held against who sent them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use bytes::Bytes;
use repute_base::{
    Address, BoundedBytes, BoundedString, BoundedVec, Fixed, Machine, Rng, Timestamp, Wall,
};
use repute_dht::{Config, Dht, Draft, Event, Input, Limits, Output, Want};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    Advertisement, Contact, DhtAnswer, DhtAsk, DhtFrame, Envelope, EnvelopeKind, FromPeer,
    Misbehaviour, NetworkId, Record, RecordError, RecordKey, RecordKind, RecordList, Seq, Stored,
    Unsigned, Verified,
};

const WALL: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

fn id(seed: u64) -> NodeId {
    Identity::from_seed(seed).id()
}

fn network() -> NetworkId {
    NetworkId::from_name("test")
}

struct Bench {
    dht: Dht,
    now: u64,
    outputs: Vec<Output>,
    counter: u64,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        let dht = Dht::new(
            Config::default(),
            limits,
            id(0),
            network(),
            Rng::from_u64(1),
        );
        let mut bench = Self {
            dht: dht.unwrap(),
            now: 1_000,
            outputs: Vec::new(),
            counter: 0,
        };
        let addresses = vec!["9.8.7.6:1".parse().unwrap()];
        bench.put_in(Input::Listening { addresses });
        bench.put_in(Input::Start);
        bench.outputs.clear();
        bench
    }

    /// A link to a node that serves, in a prefix of its own.
    fn link(&mut self, seed: u64) -> NodeId {
        let remote = format!("20.{}.{}.1:1", seed / 250 % 250, seed % 250);
        let remote: Address = remote.parse().unwrap();
        let peer = id(seed);
        self.put_in(Input::LinkUp {
            peer,
            remote,
            listen: vec![remote],
            server: true,
            inbound: true,
        });
        peer
    }

    /// Signatures are checked at once.
    fn put_in(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let now = Timestamp::from_millis(self.now, WALL + self.now);
            self.dht.handle(now, input);
            while let Some(output) = self.dht.poll_output() {
                match output {
                    Output::Verify { from, envelope } => inputs.push(match envelope.verify() {
                        Ok(envelope) => Input::Verified { from, envelope },
                        Err(envelope) => Input::Forged { from, envelope },
                    }),
                    other => self.outputs.push(other),
                }
            }
        }
    }

    fn frame(&mut self, peer: NodeId, frame: DhtFrame) {
        self.put_in(Input::Frame(FromPeer::authenticated(peer, frame)));
    }

    /// Has a peer put records; gives what the engine answered.
    fn store(&mut self, peer: NodeId, wires: &[Bytes]) -> Vec<Stored> {
        self.outputs.clear();
        let records = list(wires);
        let number = 77;
        let ask = DhtAsk::Store { records };
        self.frame(peer, DhtFrame::Request { number, ask });
        let answers = self.outputs.iter().find_map(|output| match output {
            Output::Send {
                frame:
                    DhtFrame::Answer {
                        number: 77,
                        answer: DhtAnswer::Stored { outcomes },
                    },
                ..
            } => Some(outcomes.iter().copied().collect()),
            _ => None,
        });
        answers.unwrap_or_default()
    }

    fn blamed(&self) -> Vec<(NodeId, Misbehaviour)> {
        let all = self.outputs.iter();
        all.filter_map(|output| match output {
            Output::Misbehaviour { peer, kind } => Some((*peer, *kind)),
            _ => None,
        })
        .collect()
    }

    /// The number of the last request sent to a peer.
    fn asked(&self, peer: NodeId) -> Option<(u64, DhtAsk)> {
        let all = self.outputs.iter().rev();
        all.into_iter().find_map(|output| match output {
            Output::Send {
                peer: to,
                frame: DhtFrame::Request { number, ask },
            } if *to == peer => Some((*number, ask.clone())),
            _ => None,
        })
    }

    fn sign(&mut self, author: u64, record: &Record) -> Verified<Envelope> {
        self.sign_at(author, record, Wall::from_millis(WALL + self.now))
    }

    fn sign_at(&mut self, author: u64, record: &Record, sent: Wall) -> Verified<Envelope> {
        self.counter += 1;
        Unsigned {
            network: network(),
            kind: EnvelopeKind::Record,
            seq: Seq {
                start: WALL,
                counter: self.counter,
            },
            sent,
            payload: record.encode(),
        }
        .sign(&Identity::from_seed(author))
    }

    fn wire(&mut self, author: u64, record: &Record) -> Bytes {
        self.sign(author, record).wire().clone()
    }
}

/// A list of raw bytes, as a hostile peer would send it.
fn list(wires: &[Bytes]) -> RecordList {
    let raw: Vec<BoundedBytes<{ repute_protocol::limits::RECORD_ENVELOPE_MAX }>> = wires
        .iter()
        .map(|wire| BoundedBytes::new(wire.clone()).unwrap())
        .collect();
    let raw: BoundedVec<_, { repute_protocol::limits::RECORD_LIST_MAX }> = raw.try_into().unwrap();
    let bytes = repute_base::codec::encode(&raw);
    repute_base::codec::decode(&bytes).unwrap()
}

fn value(name: &str) -> Record {
    Record {
        kind: RecordKind::Value.number(),
        slot: 0,
        expires: WALL + HOUR,
        name: BoundedBytes::new(name.as_bytes().to_vec()).unwrap(),
        value: BoundedBytes::new(&b"value"[..]).unwrap(),
    }
}

fn offer(amount: u64) -> Record {
    let offer = Advertisement {
        services: BoundedVec::truncated([BoundedString::new("seeder").unwrap()]),
        key: BoundedBytes::new(vec![]).unwrap(),
        amount_min: 0,
        amount_max: amount,
        addresses: BoundedVec::new(),
        criteria: BoundedVec::new(),
        metadata: BoundedBytes::new(vec![]).unwrap(),
    };
    Record {
        kind: RecordKind::Advertisement.number(),
        slot: 0,
        expires: WALL + HOUR,
        name: BoundedBytes::new(&b"seeder"[..]).unwrap(),
        value: BoundedBytes::new(offer.encode()).unwrap(),
    }
}

#[test]
fn a_sound_record_is_kept_and_served() {
    let mut bench = Bench::new(Limits::default());
    let peer = bench.link(1);
    let wire = bench.wire(5, &value("a"));
    assert_eq!(
        bench.store(peer, std::slice::from_ref(&wire)),
        [Stored::Kept]
    );
    assert_eq!(bench.store(peer, &[wire]), [Stored::Kept], "again");
    assert!(bench.blamed().is_empty());
    let key = RecordKey::of(RecordKind::Value, &id(5), b"a");
    assert_eq!(bench.dht.records(key).len(), 1);
}

#[test]
fn every_bad_record_is_refused_counted_and_blamed_only_if_it_proves_itself() {
    let hard = Some(Misbehaviour::InvalidRecord);
    let cases: Vec<(&str, Record, RecordError, Option<Misbehaviour>)> = vec![
        (
            "expired",
            Record {
                expires: WALL + 500,
                ..value("a")
            },
            RecordError::Expired,
            None,
        ),
        (
            "unknown kind",
            Record {
                kind: 99,
                ..value("a")
            },
            RecordError::UnknownKind,
            None,
        ),
        (
            "longer than its kind allows",
            Record {
                value: BoundedBytes::new(vec![0; 1_025]).unwrap(),
                ..value("a")
            },
            RecordError::Oversized,
            hard,
        ),
        (
            "another slot",
            Record {
                slot: 1,
                ..value("a")
            },
            RecordError::Contradictory,
            hard,
        ),
        (
            "a provider that is none",
            Record {
                kind: RecordKind::Provider.number(),
                ..value("a")
            },
            RecordError::Malformed,
            hard,
        ),
        (
            "an advertisement of another service",
            Record {
                name: BoundedBytes::new(&b"relay"[..]).unwrap(),
                ..offer(1)
            },
            RecordError::Contradictory,
            hard,
        ),
        (
            "a year",
            Record {
                expires: WALL + 365 * 24 * HOUR,
                ..value("a")
            },
            RecordError::Contradictory,
            hard,
        ),
    ];
    for (what, record, error, blame) in cases {
        let mut bench = Bench::new(Limits::default());
        let peer = bench.link(1);
        let sent = Wall::from_millis(WALL);
        let wire = bench.sign_at(5, &record, sent).wire().clone();
        let good = bench.wire(6, &value("b"));
        assert_eq!(
            bench.store(peer, &[wire, good]),
            [Stored::Refused, Stored::Kept],
            "{what}"
        );
        let blamed: Vec<_> = blame.map(|kind| (peer, kind)).into_iter().collect();
        assert_eq!(bench.blamed(), blamed, "{what}");
        assert_eq!(bench.dht.stats().refused_for(error), 1, "{what}");
    }
}

#[test]
fn the_far_future_is_refused_without_blame() {
    let mut bench = Bench::new(Limits::default());
    let peer = bench.link(1);
    let ahead = Wall::from_millis(WALL + 2 * HOUR);
    let record = Record {
        expires: WALL + 3 * HOUR,
        ..value("a")
    };
    let wire = bench.sign_at(5, &record, ahead).wire().clone();
    assert_eq!(bench.store(peer, &[wire]), [Stored::Refused]);
    let far = Unsigned {
        network: network(),
        kind: EnvelopeKind::Record,
        seq: Seq {
            start: u64::MAX,
            counter: u64::MAX,
        },
        sent: Wall::from_millis(WALL + bench.now),
        payload: value("a").encode(),
    };
    let far = far.sign(&Identity::from_seed(5)).wire().clone();
    assert_eq!(bench.store(peer, &[far]), [Stored::Refused]);
    assert!(bench.blamed().is_empty());
    assert_eq!(bench.dht.stats().refused_for(RecordError::FromTheFuture), 2);
}

#[test]
fn a_forged_record_is_held_against_who_sent_it() {
    let mut bench = Bench::new(Limits::default());
    let peer = bench.link(1);
    let mut wire = bench.wire(5, &value("a")).to_vec();
    let last = wire.len() - 1;
    wire[last] ^= 1;
    assert_eq!(bench.store(peer, &[wire.into()]), [Stored::Refused]);
    assert_eq!(bench.blamed(), [(peer, Misbehaviour::ForgedEnvelope)]);
    assert_eq!(bench.dht.stats().refused_forged, 1);
    // Whoever is said to have signed it has lost nothing.
    let good = bench.wire(5, &value("a"));
    assert_eq!(bench.store(peer, &[good]), [Stored::Kept]);
}

#[test]
fn bytes_that_are_no_envelope_and_records_of_another_network_are_blamed() {
    let mut bench = Bench::new(Limits::default());
    let peer = bench.link(1);
    let junk = Bytes::from_static(&[0; 200]);
    assert_eq!(bench.store(peer, &[junk]), [Stored::Refused]);
    let foreign = Unsigned {
        network: NetworkId::from_name("elsewhere"),
        kind: EnvelopeKind::Record,
        seq: Seq {
            start: WALL,
            counter: 1,
        },
        sent: Wall::from_millis(WALL),
        payload: value("a").encode(),
    };
    let foreign = foreign.sign(&Identity::from_seed(5)).wire().clone();
    assert_eq!(bench.store(peer, &[foreign]), [Stored::Refused]);
    assert_eq!(bench.blamed(), [(peer, Misbehaviour::WrongNetwork)]);
    assert_eq!(bench.dht.stats().refused_foreign, 2);
}

/// An engine that has asked `peer` for a key.
fn asking(key: RecordKey, want: Want) -> (Bench, NodeId, u64) {
    let mut bench = Bench::new(Limits::default());
    let peer = bench.link(1);
    settle(&mut bench, peer);
    bench.outputs.clear();
    bench.put_in(Input::Find {
        token: 9,
        key,
        want,
    });
    let (number, _) = bench.asked(peer).expect("asked");
    (bench, peer, number)
}

/// Answers what the engine asks on its own account.
fn settle(bench: &mut Bench, peer: NodeId) {
    while let Some((number, _)) = bench.asked(peer) {
        bench.outputs.clear();
        let contacts = BoundedVec::new();
        let answer = DhtAnswer::Contacts { contacts };
        bench.frame(peer, DhtFrame::Answer { number, answer });
    }
}

fn give(bench: &mut Bench, peer: NodeId, number: u64, wires: &[Bytes], more: bool) {
    bench.outputs.clear();
    let answer = DhtAnswer::Records {
        records: list(wires),
        more,
        contacts: BoundedVec::new(),
    };
    bench.frame(peer, DhtFrame::Answer { number, answer });
}

fn found(bench: &Bench) -> (usize, bool) {
    let count = |wanted: fn(&Event) -> bool| {
        let all = bench.outputs.iter();
        all.filter(|output| matches!(output, Output::Event(event) if wanted(event)))
            .count()
    };
    (
        count(|event| matches!(event, Event::Found { .. })),
        count(|event| matches!(event, Event::Finished { .. })) == 1,
    )
}

#[test]
fn a_poisoned_answer_is_refused_and_its_server_blamed() {
    let key = RecordKey::of(RecordKind::Value, &id(5), b"a");
    let (mut bench, peer, number) = asking(key, Want::First);
    let mut forged = bench.wire(5, &value("a")).to_vec();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    give(&mut bench, peer, number, &[forged.into()], false);
    assert_eq!(bench.blamed(), [(peer, Misbehaviour::ForgedEnvelope)]);
    assert_eq!(found(&bench), (0, true));

    let (mut bench, peer, number) = asking(key, Want::First);
    let misplaced = bench.wire(5, &value("another name"));
    give(&mut bench, peer, number, &[misplaced], false);
    assert_eq!(bench.blamed(), [(peer, Misbehaviour::InvalidRecord)]);
    assert_eq!(bench.dht.stats().refused_for(RecordError::WrongKey), 1);
    assert_eq!(found(&bench), (0, true));

    let (mut bench, peer, number) = asking(key, Want::First);
    let good = bench.wire(5, &value("a"));
    give(&mut bench, peer, number, &[good], false);
    assert!(bench.blamed().is_empty());
    assert_eq!(found(&bench), (1, true));
}

#[test]
fn late_doubled_and_unasked_answers_are_counted_only() {
    let key = RecordKey::of(RecordKind::Value, &id(5), b"a");
    let (mut bench, peer, number) = asking(key, Want::First);
    let other = bench.link(2);
    let before = bench.dht.stats().answers_late;
    let good = bench.wire(5, &value("a"));
    // Somebody else answers first; then the one who was asked, twice; then out of the blue.
    give(
        &mut bench,
        other,
        number,
        std::slice::from_ref(&good),
        false,
    );
    assert_eq!(found(&bench), (0, false));
    give(&mut bench, peer, number, std::slice::from_ref(&good), false);
    assert_eq!(found(&bench), (1, true));
    give(&mut bench, peer, number, std::slice::from_ref(&good), false);
    give(&mut bench, peer, 123_456, &[good], false);
    assert_eq!(found(&bench), (0, false));
    assert!(bench.blamed().is_empty());
    assert_eq!(bench.dht.stats().answers_late, before + 3);
}

#[test]
fn a_holder_that_always_has_more_is_not_asked_for_ever() {
    let key = RecordKey::of_service("seeder");
    let (mut bench, peer, first) = asking(key, Want::All { max: 10_000 });
    let mut authors: Vec<u64> = (100..2_000).collect();
    authors.sort_by_key(|author| id(*author));
    let (mut next, mut pages) = (Some(first), 0);
    while let Some(number) = next {
        pages += 1;
        let page: Vec<Bytes> = authors
            .drain(..authors.len().min(20))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|author| bench.wire(author, &offer(1)))
            .collect();
        give(&mut bench, peer, number, &page, true);
        next = bench.asked(peer).map(|(number, _)| number);
    }
    assert_eq!(pages, 17);
    assert!(
        bench
            .outputs
            .iter()
            .any(|output| matches!(output, Output::Event(Event::Finished { .. })))
    );

    // The same page over and over ends it at once.
    let (mut bench, peer, number) = asking(key, Want::All { max: 10_000 });
    let page: Vec<Bytes> = (100..120)
        .map(|author| bench.wire(author, &offer(1)))
        .collect();
    give(&mut bench, peer, number, &page, true);
    let (number, _) = bench.asked(peer).expect("a second page");
    give(&mut bench, peer, number, &page[..1], true);
    assert!(bench.asked(peer).is_none_or(|(again, _)| again != number));
}

#[test]
fn named_nodes_are_only_dialled_within_bounds_and_never_enter_the_table() {
    let mut bench = Bench::new(Limits::default());
    let peer = bench.link(1);
    settle(&mut bench, peer);
    let mut dials = 0;
    for token in 0..50 {
        bench.outputs.clear();
        let target = RecordKey::from_bytes([7; 32]);
        bench.put_in(Input::Lookup {
            token,
            target,
            trace: false,
        });
        let Some((number, _)) = bench.asked(peer) else {
            break;
        };
        let named = (0..20_u8).map(|n| {
            let mut bytes = [7; 32];
            bytes[31] = n;
            bytes[30] = token as u8;
            Contact {
                id: NodeId::from_bytes(bytes),
                addresses: BoundedVec::truncated([format!("30.{token}.{n}.1:1").parse().unwrap()]),
            }
        });
        let contacts = BoundedVec::truncated(named);
        let answer = DhtAnswer::Contacts { contacts };
        bench.frame(peer, DhtFrame::Answer { number, answer });
        let ours = |output: &&Output| matches!(output, Output::Link { .. });
        dials += bench.outputs.iter().filter(ours).count();
    }
    assert!(dials > 0 && dials <= 64, "{dials}");
    assert_eq!(bench.dht.contacts().len(), 1);
    assert!(bench.blamed().is_empty(), "hearsay is no lie");
}

#[test]
fn a_flood_of_requests_is_told_to_wait_and_blamed_only_far_beyond() {
    let limits = Limits {
        serve_burst: 10,
        serve_per_second: 1,
        busy_burst: 20,
        busy_per_second: 1,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits);
    let peer = bench.link(1);
    bench.outputs.clear();
    let ask = || DhtAsk::Contacts {
        target: RecordKey::from_bytes([1; 32]),
        known: BoundedVec::new(),
    };
    let flood = |bench: &mut Bench, count: u64| {
        for number in 0..count {
            bench.frame(peer, DhtFrame::Request { number, ask: ask() });
        }
    };
    flood(&mut bench, 30);
    assert!(bench.blamed().is_empty());
    assert_eq!(bench.dht.stats().busy, 20);
    flood(&mut bench, 100);
    assert_eq!(
        bench.blamed(),
        [(peer, Misbehaviour::BudgetExceeded)],
        "once"
    );
    assert_eq!(bench.dht.stats().over_budget, 100);
}

#[test]
fn a_peer_that_is_busy_is_left_alone_for_a_while() {
    let mut bench = Bench::new(Limits::default());
    let peer = bench.link(1);
    settle(&mut bench, peer);
    let lookup = |bench: &mut Bench, token| {
        bench.outputs.clear();
        let target = RecordKey::from_bytes([7; 32]);
        bench.put_in(Input::Lookup {
            token,
            target,
            trace: false,
        });
        bench.asked(peer).map(|(number, _)| number)
    };
    let number = lookup(&mut bench, 1).expect("asked");
    let answer = DhtAnswer::Busy;
    bench.frame(peer, DhtFrame::Answer { number, answer });
    assert!(lookup(&mut bench, 2).is_none());
    bench.now += 1_000;
    assert!(lookup(&mut bench, 3).is_some());
}

#[test]
fn an_author_is_a_flooder_only_by_its_own_signatures() {
    let mut bench = Bench::new(Limits::default());
    let (peer, author) = (bench.link(1), id(5));
    let first = bench.wire(5, &offer(0));
    assert_eq!(bench.store(peer, &[first]), [Stored::Kept]);
    // Forged copies count against who sends them, never against the author.
    for n in 1..20 {
        let mut wire = bench.wire(5, &offer(n)).to_vec();
        let last = wire.len() - 1;
        wire[last] ^= 1;
        bench.store(peer, &[wire.into()]);
        assert!(bench.blamed().iter().all(|(who, _)| *who == peer));
    }
    for n in 1..=4 {
        bench.now += 1_000;
        let wire = bench.wire(5, &offer(n));
        assert_eq!(bench.store(peer, &[wire]), [Stored::Refused]);
        let blamed = bench.blamed();
        let flood = (author, Misbehaviour::AdvertisementFlood);
        assert_eq!(blamed.contains(&flood), n == 4, "{n}");
    }
    assert_eq!(bench.dht.stats().refused_hasty, 4);
}

#[test]
fn whom_trust_has_closed_out_has_no_place_and_is_not_served() {
    let mut bench = Bench::new(Limits::default());
    let peer = bench.link(1);
    assert_eq!(bench.dht.contacts().len(), 1);
    let standing = |closed| Input::Standing {
        peer,
        trust: Fixed::ZERO,
        closed,
    };
    bench.put_in(standing(true));
    assert!(bench.dht.contacts().is_empty());
    let wire = bench.wire(5, &value("a"));
    assert!(bench.store(peer, &[wire]).is_empty(), "no answer");
    bench.link(1);
    assert!(bench.dht.contacts().is_empty());
    bench.put_in(standing(false));
    bench.link(1);
    assert_eq!(bench.dht.contacts().len(), 1);
}

#[test]
fn no_room_to_check_is_nobodys_fault_and_says_so() {
    let limits = Limits {
        verifying_max: 2,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits);
    let peer = bench.link(1);
    let wires: Vec<Bytes> = (0..5).map(|n| bench.wire(5 + n, &value("a"))).collect();
    // Held back here, so that the checks pile up.
    let records = list(&wires);
    let ask = DhtAsk::Store { records };
    let frame = DhtFrame::Request { number: 1, ask };
    let now = Timestamp::from_millis(bench.now, WALL + bench.now);
    bench
        .dht
        .handle(now, Input::Frame(FromPeer::authenticated(peer, frame)));
    let mut waiting = Vec::new();
    while let Some(output) = bench.dht.poll_output() {
        match output {
            Output::Verify { from, envelope } => waiting.push((from, envelope)),
            Output::Send {
                frame: DhtFrame::Answer { .. },
                ..
            } => panic!("too early"),
            _ => {}
        }
    }
    assert_eq!(waiting.len(), 2);
    bench.outputs.clear();
    for (from, envelope) in waiting {
        bench.put_in(Input::Unchecked { from, envelope });
    }
    let answered = bench.outputs.iter().find_map(|output| match output {
        Output::Send {
            frame:
                DhtFrame::Answer {
                    answer: DhtAnswer::Stored { outcomes },
                    ..
                },
            ..
        } => Some(outcomes.to_vec()),
        _ => None,
    });
    assert_eq!(answered, Some(vec![Stored::Full; 5]));
    assert!(bench.blamed().is_empty());
}

#[test]
fn a_draft_that_breaks_the_rules_is_refused() {
    let mut bench = Bench::new(Limits::default());
    let draft = |slot, len| Draft {
        kind: RecordKind::Value,
        slot,
        name: BoundedBytes::new(&b"a"[..]).unwrap(),
        value: BoundedBytes::new(vec![0; len]).unwrap(),
        lifetime: Duration::from_secs(600),
    };
    for (token, draft) in [(1, draft(1, 1)), (2, draft(0, 2_000))] {
        bench.outputs.clear();
        bench.put_in(Input::Publish { token, draft });
        let refused = |output: &Output| matches!(output, Output::Event(Event::Refused { token: of, .. }) if *of == token);
        assert!(bench.outputs.iter().any(refused));
    }
}

#[test]
fn what_is_kept_is_handed_to_the_store_and_comes_back_after_a_restart() {
    let mut bench = Bench::new(Limits::default());
    let peer = bench.link(1);
    let wire = bench.wire(5, &value("a"));
    bench.store(peer, std::slice::from_ref(&wire));
    bench.outputs.clear();
    bench.put_in(Input::Shutdown);
    let rows: Vec<_> = bench
        .outputs
        .iter()
        .filter_map(|output| match output {
            Output::Persist(write) => Some(write.clone()),
            _ => None,
        })
        .collect();
    assert!(
        rows.iter().any(
            |row| matches!(row, repute_dht::Write::Record { wire: kept, .. } if *kept == wire)
        )
    );
    let contacts = rows.iter().find_map(|row| match row {
        repute_dht::Write::Contacts(contacts) => Some(contacts.clone()),
        _ => None,
    });

    let mut dht = Dht::new(
        Config::default(),
        Limits::default(),
        id(0),
        network(),
        Rng::from_u64(2),
    )
    .unwrap();
    dht.restore_contacts(contacts.unwrap());
    let envelope = Envelope::decode(wire).unwrap().verify().unwrap();
    dht.restore_record(envelope);
    dht.handle(Timestamp::from_millis(0, WALL + 1_000), Input::Start);
    let dialled = core::iter::from_fn(|| dht.poll_output())
        .any(|output| matches!(output, Output::Link { peer: to, .. } if to == peer));
    assert!(dialled, "it begins with whom it knew");
    let key = RecordKey::of(RecordKind::Value, &id(5), b"a");
    assert_eq!(dht.records(key).len(), 1);
    // What has expired meanwhile is not believed, and swept out.
    dht.handle(Timestamp::from_millis(1, WALL + 2 * HOUR), Input::Tick);
    assert!(dht.records(key).is_empty());
}

/// What the engine wants signed, in order.
fn to_sign(bench: &mut Bench) -> Vec<(u64, Record)> {
    let all = bench.outputs.drain(..);
    all.filter_map(|output| match output {
        Output::Sign { token, payload } => {
            Some((token, repute_base::codec::decode(&payload).unwrap()))
        }
        _ => None,
    })
    .collect()
}

fn publish(bench: &mut Bench, record: &Record, lifetime: Duration) {
    bench.outputs.clear();
    bench.put_in(Input::Publish {
        token: 1,
        draft: Draft {
            kind: RecordKind::from_number(record.kind).unwrap(),
            slot: record.slot,
            name: record.name.clone(),
            value: record.value.clone(),
            lifetime,
        },
    });
}

fn tick_until(bench: &mut Bench, now: u64) {
    while let Some(due) = bench.dht.next_deadline().map(|due| due.as_millis()) {
        if due > now {
            break;
        }
        bench.now = bench.now.max(due);
        bench.put_in(Input::Tick);
    }
    bench.now = now;
}

#[test]
fn our_own_record_is_signed_anew_after_a_third_of_its_life_until_it_is_retracted() {
    let mut bench = Bench::new(Limits::default());
    let record = value("a");
    publish(&mut bench, &record, Duration::from_secs(900));
    let mut signed = 0;
    for round in 0..4_u64 {
        let wanted = to_sign(&mut bench);
        assert_eq!(wanted.len(), 1, "round {round}");
        let (token, record) = &wanted[0];
        assert_eq!(record.expires, WALL + bench.now + 900_000);
        let envelope = bench.sign(0, record);
        bench.put_in(Input::Signed {
            token: *token,
            envelope,
        });
        signed += 1;
        let now = bench.now;
        tick_until(&mut bench, now + 299_000);
        assert!(to_sign(&mut bench).is_empty(), "too early");
        tick_until(&mut bench, now + 300_000);
    }
    assert_eq!(signed, 4);
    let key = RecordKey::of(RecordKind::Value, &id(0), b"a");
    assert_eq!(bench.dht.records(key).len(), 1, "a copy of its own");
    bench.outputs.clear();
    bench.put_in(Input::Retract {
        kind: RecordKind::Value,
        name: BoundedBytes::new(&b"a"[..]).unwrap(),
        slot: 0,
    });
    let now = bench.now;
    tick_until(&mut bench, now + 2_000_000);
    assert!(to_sign(&mut bench).is_empty());
    assert!(bench.dht.records(key).is_empty(), "it has expired");
}

#[test]
fn our_own_advertisement_waits_a_minute_before_it_says_something_else() {
    let mut bench = Bench::new(Limits::default());
    publish(&mut bench, &offer(1), Duration::from_secs(900));
    let (token, record) = to_sign(&mut bench).remove(0);
    let envelope = bench.sign(0, &record);
    bench.put_in(Input::Signed { token, envelope });
    let now = bench.now;
    tick_until(&mut bench, now + 10_000);
    publish(&mut bench, &offer(2), Duration::from_secs(900));
    assert!(to_sign(&mut bench).is_empty());
    tick_until(&mut bench, now + 60_000);
    assert!(to_sign(&mut bench).is_empty());
    tick_until(&mut bench, now + 61_001);
    assert_eq!(to_sign(&mut bench).len(), 1);
}
