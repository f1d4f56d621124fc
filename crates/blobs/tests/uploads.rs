//! Who is served, how well, and what others hear of what this node has.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::single_range_in_vec_init,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]

use std::{collections::BTreeMap, time::Duration};

use repute_base::{Machine, Rng, Timestamp};
use repute_blobs::{
    Blobs, Config, Evidence, GroupRanges, Input, Limits, Output, StreamEnd, StreamId, TierPolicy,
};
use repute_identity::NodeId;
use repute_protocol::{
    BlobFrame, BlobHash, BlobHave, FromPeer, GROUP_BYTES, GroupList, Holdings, Misbehaviour, Tier,
    TransferAnswer, TransferRefusal, TransferRequest, groups_of,
};

const BLOB: BlobHash = BlobHash::from_bytes([9; 32]);
const MIB: u64 = 1 << 20;

fn peer(number: usize) -> NodeId {
    NodeId::from_bytes([u8::try_from(number).unwrap() + 1; 32])
}

struct Desk {
    engine: Blobs,
    now: u64,
    streams: u64,
    outputs: Vec<Output>,
}

impl Desk {
    fn new(config: Config) -> Self {
        let engine = Blobs::new(config, Limits::default(), Rng::from_u64(1)).unwrap();
        let mut desk = Self {
            engine,
            now: 1_000,
            streams: 0,
            outputs: Vec::new(),
        };
        (0..8).for_each(|number| desk.link(number));
        desk
    }

    fn sharing(config: Config) -> Self {
        let mut desk = Self::new(config);
        desk.share(100 * MIB, GroupRanges::of(0..groups_of(100 * MIB)));
        desk
    }

    fn link(&mut self, number: usize) {
        self.give(Input::LinkUp { peer: peer(number) });
    }

    fn share(&mut self, size: u64, groups: GroupRanges) {
        let hash = BLOB;
        self.give(Input::Share { hash, size, groups });
    }

    fn give(&mut self, input: Input) {
        let now = Timestamp::from_millis(self.now, 1_800_000_000_000 + self.now);
        self.engine.handle(now, input);
        while let Some(output) = self.engine.poll_output() {
            self.outputs.push(output);
        }
    }

    fn frame(&mut self, number: usize, frame: BlobFrame) {
        self.give(Input::Frame(FromPeer::authenticated(peer(number), frame)));
    }

    fn stand(&mut self, number: usize, tier: Tier, closed: bool) {
        let peer = peer(number);
        self.give(Input::Standing { peer, tier, closed });
    }

    fn ask_for(&mut self, number: usize, request: TransferRequest) -> (StreamId, TransferAnswer) {
        self.streams += 1;
        let stream = StreamId(self.streams);
        let peer = peer(number);
        self.give(Input::Asked {
            peer,
            stream,
            request,
        });
        let answer = self.outputs.iter().rev().find_map(|output| match output {
            Output::Answer { stream: of, answer } if *of == stream => Some(*answer),
            _ => None,
        });
        (stream, answer.expect("each request is answered at once"))
    }

    fn ask(&mut self, number: usize, groups: core::ops::Range<u64>) -> (StreamId, TransferAnswer) {
        self.ask_for(number, request(groups))
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        while let Some(due) = self.engine.next_deadline() {
            if due.as_millis() > until {
                break;
            }
            self.now = due.as_millis().max(self.now);
            self.give(Input::Tick);
        }
        self.now = until;
        self.give(Input::Tick);
    }

    fn sent_to(&self, number: usize) -> Vec<BlobFrame> {
        let all = self.outputs.iter();
        all.filter_map(|output| match output {
            Output::Send { peer: to, frame } if *to == peer(number) => Some(frame.clone()),
            _ => None,
        })
        .collect()
    }
}

fn request(groups: core::ops::Range<u64>) -> TransferRequest {
    TransferRequest {
        version: TransferRequest::VERSION,
        hash: BLOB,
        groups: GroupList::truncated([groups]),
        session: 0,
    }
}

fn refused(reason: TransferRefusal) -> TransferAnswer {
    TransferAnswer::Refused { reason }
}

#[test]
fn what_is_shared_is_announced_told_and_served() {
    let mut desk = Desk::sharing(Config::default());
    assert!(matches!(desk.outputs.last(), Some(Output::Announce { hash, .. }) if *hash == BLOB));
    desk.stand(0, Tier::High, false);
    desk.frame(
        0,
        BlobFrame::Query {
            hash: BLOB,
            from: 0,
        },
    );
    let have = BlobHave {
        hash: BLOB,
        size: 100 * MIB,
        holdings: Holdings::All,
        tier: Tier::High,
        rate: 0,
        slots_free: 32,
    };
    assert_eq!(desk.sent_to(0), [BlobFrame::Have(have)]);
    let (stream, answer) = desk.ask(0, 3..7);
    assert_eq!(answer, TransferAnswer::Serving { size: 100 * MIB });
    let serves = desk.outputs.iter().any(|output| {
        matches!(output, Output::Serve { stream: of, groups, paced: false, .. }
            if *of == stream && *groups == GroupRanges::of(3..7))
    });
    assert!(serves);
    desk.give(Input::Unshare { hash: BLOB });
    assert!(matches!(desk.outputs.last(), Some(Output::Withdraw { .. })));
    assert_eq!(desk.ask(0, 3..7).1, TransferAnswer::NotFound);
    desk.frame(
        1,
        BlobFrame::Query {
            hash: BLOB,
            from: 0,
        },
    );
    assert_eq!(desk.sent_to(1), [BlobFrame::Gone { hash: BLOB }]);
}

#[test]
fn what_cannot_be_served_is_refused_with_the_reason() {
    let mut desk = Desk::sharing(Config::default());
    let all = groups_of(100 * MIB);
    assert_eq!(desk.ask(0, all - 1..all + 1).1, TransferAnswer::NotFound);
    assert_eq!(desk.ask(0, 0..4_097).1, refused(TransferRefusal::TooMuch));
    let endless = request(0..u64::MAX);
    assert_eq!(
        desk.ask_for(0, endless).1,
        refused(TransferRefusal::TooMuch)
    );
    let mut other = request(0..1);
    other.version = 9;
    assert_eq!(desk.ask_for(0, other).1, refused(TransferRefusal::Version));
    desk.stand(1, Tier::Trusted, true);
    assert_eq!(desk.ask(1, 0..1).1, refused(TransferRefusal::Standing));
    let limit = Limits::default().requests_per_peer_max;
    for _ in 0..limit {
        assert!(matches!(
            desk.ask(2, 0..1).1,
            TransferAnswer::Serving { .. }
        ));
    }
    assert_eq!(desk.ask(2, 0..1).1, refused(TransferRefusal::TooMany));
    desk.give(Input::Shutdown);
    assert_eq!(desk.ask(3, 0..1).1, refused(TransferRefusal::Unavailable));
    let stops = desk
        .outputs
        .iter()
        .filter(|one| matches!(one, Output::Stop { .. }));
    assert_eq!(stops.count(), limit);
}

#[test]
fn who_has_to_wait_learns_its_place_and_tier_and_is_called() {
    let config = Config {
        upload_slots: 2,
        newcomer_slots: 1,
        ..Config::default()
    };
    let mut desk = Desk::sharing(config);
    desk.stand(0, Tier::Medium, false);
    desk.stand(1, Tier::High, false);
    desk.stand(2, Tier::Medium, false);
    let (first, answer) = desk.ask(0, 0..64);
    assert!(matches!(answer, TransferAnswer::Serving { .. }));
    let TransferAnswer::Busy {
        place,
        tier,
        retry_ms,
    } = desk.ask(2, 0..64).1
    else {
        panic!("there is one slot for those of standing")
    };
    assert_eq!((place, tier, retry_ms), (0, Tier::Medium, 30_000));
    let busy = desk.ask(1, 0..64).1;
    assert!(matches!(
        busy,
        TransferAnswer::Busy {
            tier: Tier::High,
            ..
        }
    ));
    desk.give(Input::SentAll {
        stream: first,
        end: StreamEnd::Done,
    });
    desk.pass(2_000);
    let called = [1, 2].map(|number| {
        desk.sent_to(number)
            .contains(&BlobFrame::Turn { hash: BLOB })
    });
    assert_eq!(called.iter().filter(|called| **called).count(), 1);
    let next = if called[0] { 1 } else { 2 };
    assert!(matches!(
        desk.ask(next, 0..64).1,
        TransferAnswer::Serving { .. }
    ));
}

#[test]
fn better_standing_gets_more_of_a_rate_and_no_peer_passes_that_of_its_tier() {
    let tier = |weight, rate| TierPolicy { weight, rate };
    let config = Config {
        upload_rate: Some(2 * MIB),
        tiers: [
            tier(1, Some(MIB / 8)),
            tier(2, None),
            tier(4, None),
            tier(8, None),
        ],
        ..Config::default()
    };
    let mut desk = Desk::sharing(config);
    let tiers = [Tier::Newcomer, Tier::Medium, Tier::Trusted];
    let mut streams = BTreeMap::new();
    for (number, tier) in tiers.into_iter().enumerate() {
        desk.stand(number, tier, false);
        streams.insert(desk.ask(number, 0..4_000).0, number);
    }
    desk.frame(
        0,
        BlobFrame::Query {
            hash: BLOB,
            from: 0,
        },
    );
    let told = desk.sent_to(0).pop();
    assert!(matches!(told, Some(BlobFrame::Have(have)) if have.rate == MIB / 8));
    let mut sent = [0_u64; 3];
    for _ in 0..400 {
        let from = desk.outputs.len();
        desk.pass(50);
        let granted: Vec<_> = desk.outputs[from..]
            .iter()
            .filter_map(|output| match output {
                Output::Transmit { stream, bytes } => Some((*stream, *bytes)),
                _ => None,
            })
            .collect();
        for (stream, bytes) in granted {
            sent[streams[&stream]] += bytes;
            desk.give(Input::Sent { stream, bytes });
        }
    }
    let seconds = 20;
    let all: u64 = sent.iter().sum();
    assert!((19 * 2 * MIB..=21 * 2 * MIB).contains(&all), "{sent:?}");
    assert!(sent[0] <= (seconds + 1) * MIB / 8, "{sent:?}");
    assert!(sent[2] > 2 * sent[1] && sent[1] > 2 * sent[0], "{sent:?}");
}

#[test]
fn both_sides_hear_of_an_upload_and_nobody_is_charged_for_our_own_trouble() {
    let mut desk = Desk::sharing(Config::default());
    let (stream, _) = desk.ask(0, 0..64);
    desk.pass(1_000);
    desk.give(Input::Sent { stream, bytes: MIB });
    let end = StreamEnd::Done;
    desk.give(Input::SentAll { stream, end });
    let took = desk.outputs.iter().find_map(|output| match output {
        Output::Evidence { peer: of, evidence } => Some((*of, *evidence)),
        _ => None,
    });
    let evidence = Evidence::Took {
        bytes: MIB,
        took: Duration::from_secs(1),
    };
    assert_eq!(took, Some((peer(0), evidence)));
    let before = desk.outputs.len();
    let (stream, _) = desk.ask(1, 0..64);
    let end = StreamEnd::Local;
    desk.give(Input::SentAll { stream, end });
    let said = desk.outputs[before..]
        .iter()
        .any(|one| matches!(one, Output::Evidence { .. } | Output::Misbehaviour { .. }));
    assert!(!said);
    let (stream, _) = desk.ask(1, 0..64);
    let end = StreamEnd::Malformed;
    desk.give(Input::SentAll { stream, end });
    let blamed = desk.outputs.iter().filter(|one| {
        matches!(one, Output::Misbehaviour { peer: of, kind: Misbehaviour::MalformedFrame }
            if *of == peer(1))
    });
    assert_eq!(blamed.count(), 1);
}

#[test]
fn a_stream_that_takes_nothing_is_ended_and_a_closed_gate_ends_all() {
    let mut desk = Desk::sharing(Config::default());
    let (stuck, _) = desk.ask(0, 0..64);
    desk.pass(31_000);
    let stopped = |desk: &Desk, of| {
        let all = desk.outputs.iter();
        all.filter(|one| matches!(one, Output::Stop { stream } if *stream == of))
            .count()
    };
    assert_eq!(stopped(&desk, stuck), 1);
    let (banned, _) = desk.ask(1, 0..64);
    desk.stand(1, Tier::Newcomer, true);
    assert_eq!(stopped(&desk, banned), 1);
    assert_eq!(desk.engine.stats().served.1, 0);
}

#[test]
fn who_asked_hears_of_what_is_gained_at_most_every_two_seconds() {
    let mut desk = Desk::new(Config::default());
    let size = 100 * MIB;
    desk.share(size, GroupRanges::of(0..10));
    desk.frame(
        0,
        BlobFrame::Query {
            hash: BLOB,
            from: 0,
        },
    );
    let Some(BlobFrame::Have(have)) = desk.sent_to(0).pop() else {
        panic!("it has something")
    };
    let groups = GroupList::truncated([0..10]);
    let until = groups_of(size);
    assert_eq!(have.holdings, Holdings::Part { groups, until });
    for group in 10..1_000 {
        desk.share(size, GroupRanges::of(group..group + 1));
        desk.pass(10);
    }
    desk.pass(5_000);
    let updates: Vec<_> = desk.sent_to(0).into_iter().skip(1).collect();
    assert!((5..=7).contains(&updates.len()), "{}", updates.len());
    let told: GroupRanges = updates
        .iter()
        .flat_map(|frame| match frame {
            BlobFrame::Update { gained, .. } => gained.ranges().collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, GroupRanges::of(10..1_000));
    let announced = desk
        .outputs
        .iter()
        .filter(|one| matches!(one, Output::Announce { .. }));
    assert_eq!(
        announced.count(),
        1,
        "once, when there is something to fetch"
    );
}

#[test]
fn a_scattered_part_is_told_page_by_page() {
    let mut desk = Desk::new(Config::default());
    let size = 100 * MIB;
    let scattered: GroupRanges = (0..200).map(|nth| 4 * nth..4 * nth + 2).collect();
    desk.share(size, scattered.clone());
    let (mut from, mut told) = (0, Vec::new());
    while from < groups_of(size) {
        desk.frame(0, BlobFrame::Query { hash: BLOB, from });
        let Some(BlobFrame::Have(have)) = desk.sent_to(0).pop() else {
            panic!("it has something")
        };
        let Holdings::Part { groups, until } = have.holdings else {
            panic!("not all")
        };
        assert!(until > from);
        told.extend(groups.ranges());
        from = until;
    }
    assert_eq!(told.into_iter().collect::<GroupRanges>(), scattered);
}

#[test]
fn no_more_is_offered_than_fits_and_the_owner_is_told() {
    let limits = Limits {
        held_max: 3,
        watchers_max: 2,
        ..Limits::default()
    };
    let mut engine = Blobs::new(Config::default(), limits, Rng::from_u64(1)).unwrap();
    let mut refused = 0;
    for number in 0..5 {
        let hash = BlobHash::from_bytes([number; 32]);
        let groups = GroupRanges::of(0..1);
        let size = GROUP_BYTES;
        engine.handle(Timestamp::default(), Input::Share { hash, size, groups });
        while let Some(output) = engine.poll_output() {
            let told = repute_blobs::Event::NotShared { hash };
            refused += usize::from(matches!(output, Output::Event(event) if event == told));
        }
    }
    assert_eq!((engine.stats().held, refused), (3, 2));
}

/// Frames of strangers, floods and words about nothing change nothing and blame nobody.
#[test]
fn what_nobody_asked_for_is_passed_over_and_a_flood_is_dropped() {
    let mut desk = Desk::sharing(Config::default());
    let before = desk.outputs.len();
    let gained = GroupList::truncated([0..u64::MAX]);
    let have = BlobHave {
        hash: BLOB,
        size: u64::MAX,
        holdings: Holdings::All,
        tier: Tier::Trusted,
        rate: u64::MAX,
        slots_free: 255,
    };
    desk.frame(0, BlobFrame::Have(have));
    desk.frame(0, BlobFrame::Update { hash: BLOB, gained });
    desk.frame(0, BlobFrame::Gone { hash: BLOB });
    desk.frame(0, BlobFrame::Turn { hash: BLOB });
    let query = BlobFrame::Query {
        hash: BLOB,
        from: u64::MAX,
    };
    desk.frame(200, query.clone());
    assert_eq!(desk.outputs.len(), before);
    for _ in 0..10_000 {
        desk.frame(1, query.clone());
    }
    let limits = Limits::default();
    assert_eq!(desk.sent_to(1).len() as u64, limits.frames_burst);
    assert!(desk.engine.stats().frames_dropped > 9_000);
    let blamed = desk
        .outputs
        .iter()
        .any(|one| matches!(one, Output::Misbehaviour { .. }));
    assert!(!blamed);
}
