//! Any inputs in any order: the engine neither panics nor grows, and gives back what it took.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use proptest::prelude::*;
use repute_base::{Fixed, Machine, Rng, Timestamp};
use repute_blobs::{
    Blobs, Choice, Config, DownloadId, Grade, GroupRanges, Input, Limits, Order, Output, Ranked,
    RequestId, StreamEnd, StreamId, Trouble,
};
use repute_identity::NodeId;
use repute_protocol::{
    BlobFrame, BlobHash, BlobHave, Contact, FromPeer, GroupList, Holdings, Tier, TransferAnswer,
    TransferRefusal, TransferRequest, groups_of,
};

fn peer() -> impl Strategy<Value = NodeId> {
    (0u8..12).prop_map(|byte| NodeId::from_bytes([byte; 32]))
}

fn hash() -> impl Strategy<Value = BlobHash> {
    (0u8..3).prop_map(|byte| BlobHash::from_bytes([byte; 32]))
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..5, 1u64..1 << 24, any::<u64>(), Just(3_000_000)]
}

fn range() -> impl Strategy<Value = Range<u64>> {
    prop_oneof![
        (0u64..200, 0u64..80).prop_map(|(start, len)| start..start + len),
        (any::<u64>(), any::<u64>()).prop_map(|(a, b)| a.min(b)..a.max(b)),
    ]
}

fn groups() -> impl Strategy<Value = GroupRanges> {
    prop::collection::vec(range(), 0..6).prop_map(|all| all.into_iter().collect())
}

fn list<const MAX: usize>() -> impl Strategy<Value = GroupList<MAX>> {
    groups().prop_map(|set| GroupList::truncated(set.ranges()))
}

fn tier() -> impl Strategy<Value = Tier> {
    prop::sample::select(Tier::ALL.to_vec())
}

fn id() -> impl Strategy<Value = DownloadId> {
    (0u64..4).prop_map(DownloadId)
}

fn request() -> impl Strategy<Value = RequestId> {
    (0u64..40).prop_map(RequestId)
}

fn stream() -> impl Strategy<Value = StreamId> {
    (0u64..40).prop_map(StreamId)
}

fn end() -> impl Strategy<Value = StreamEnd> {
    prop::sample::select(vec![
        StreamEnd::Done,
        StreamEnd::Lost,
        StreamEnd::Local,
        StreamEnd::Malformed,
    ])
}

fn have() -> impl Strategy<Value = BlobHave> {
    let holdings = prop_oneof![
        Just(Holdings::All),
        (list(), any::<u64>()).prop_map(|(groups, until)| Holdings::Part { groups, until }),
    ];
    (hash(), size(), holdings, tier(), any::<u64>(), any::<u8>()).prop_map(
        |(hash, size, holdings, tier, rate, slots_free)| BlobHave {
            hash,
            size,
            holdings,
            tier,
            rate,
            slots_free,
        },
    )
}

fn frame() -> impl Strategy<Value = BlobFrame> {
    prop_oneof![
        (hash(), any::<u64>()).prop_map(|(hash, from)| BlobFrame::Query { hash, from }),
        have().prop_map(BlobFrame::Have),
        (hash(), list()).prop_map(|(hash, gained)| BlobFrame::Update { hash, gained }),
        hash().prop_map(|hash| BlobFrame::Gone { hash }),
        hash().prop_map(|hash| BlobFrame::Turn { hash }),
    ]
}

fn answer() -> impl Strategy<Value = TransferAnswer> {
    let refusal = prop::sample::select(TransferRefusal::ALL.to_vec());
    prop_oneof![
        size().prop_map(|size| TransferAnswer::Serving { size }),
        Just(TransferAnswer::NotFound),
        (any::<u32>(), any::<u16>(), tier()).prop_map(|(retry_ms, place, tier)| {
            TransferAnswer::Busy {
                retry_ms,
                place,
                tier,
            }
        }),
        refusal.prop_map(|reason| TransferAnswer::Refused { reason }),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    let size = prop::option::of(size());
    let choice = (prop::collection::vec(peer(), 0..3), any::<bool>());
    (id(), hash(), size, groups(), choice).prop_map(
        |(id, hash, size, verified, (only, dry_run))| Order {
            id,
            hash,
            size,
            verified,
            peers: Vec::new(),
            choice: Choice {
                only,
                dry_run: dry_run && id.0 == 3,
                ..Choice::default()
            },
        },
    )
}

fn contacts() -> impl Strategy<Value = Vec<Contact>> {
    let contact = peer().prop_map(|id| Contact {
        id,
        addresses: vec![].try_into().unwrap(),
    });
    prop::collection::vec(contact, 0..12)
}

fn asked() -> impl Strategy<Value = Input> {
    (peer(), stream(), hash(), list()).prop_map(|(peer, stream, hash, groups)| {
        let request = TransferRequest {
            version: 1,
            hash,
            groups,
            session: 0,
        };
        Input::Asked {
            peer,
            stream,
            request,
        }
    })
}

fn input() -> impl Strategy<Value = Input> {
    let of_links = prop_oneof![
        3 => peer().prop_map(|peer| Input::LinkUp { peer }),
        1 => peer().prop_map(|peer| Input::LinkDown { peer }),
        1 => peer().prop_map(|peer| Input::Unreachable { peer }),
        1 => (peer(), tier(), any::<bool>()).prop_map(|(peer, tier, closed)| Input::Standing {
            peer, tier, closed,
        }),
        6 => (peer(), frame())
            .prop_map(|(peer, frame)| Input::Frame(FromPeer::authenticated(peer, frame))),
    ];
    let of_downloads = prop_oneof![
        4 => order().prop_map(|order| Input::Download(Box::new(order))),
        4 => (hash(), contacts()).prop_map(|(hash, contacts)| Input::Providers { hash, contacts }),
        1 => id().prop_map(|id| Input::Pause { id }),
        2 => id().prop_map(|id| Input::Resume { id }),
        1 => id().prop_map(|id| Input::Cancel { id }),
        1 => id().prop_map(|id| Input::Trouble { id, kind: Trouble::Store }),
    ];
    let of_requests = prop_oneof![
        2 => (request(), answer())
            .prop_map(|(request, answer)| Input::Answered { request, answer }),
        6 => (request(), range())
            .prop_map(|(request, groups)| Input::Received { request, groups }),
        1 => request().prop_map(|request| Input::Corrupt { request }),
        1 => (request(), end()).prop_map(|(request, end)| Input::Ended { request, end }),
    ];
    let of_uploads = prop_oneof![
        (hash(), size(), groups()).prop_map(|(hash, size, groups)| Input::Share {
            hash,
            size,
            groups
        }),
        hash().prop_map(|hash| Input::Unshare { hash }),
        asked(),
        (stream(), any::<u32>()).prop_map(|(stream, bytes)| Input::Sent {
            stream,
            bytes: u64::from(bytes)
        }),
        (stream(), end()).prop_map(|(stream, end)| Input::SentAll { stream, end }),
    ];
    prop_oneof![
        of_links,
        of_downloads,
        of_requests,
        of_uploads,
        Just(Input::Tick),
    ]
}

/// Counts what was taken and must be given back.
#[derive(Default)]
struct Books {
    links: BTreeMap<NodeId, i32>,
    sessions: BTreeMap<NodeId, i32>,
    asked: BTreeSet<RequestId>,
}

impl Books {
    /// Looks at what comes out, and ranks whoever is to be ranked.
    fn drain(&mut self, engine: &mut Blobs, now: u64, depth: u32) {
        let mut answers = Vec::new();
        let mut count = 0;
        while let Some(output) = engine.poll_output() {
            count += 1;
            assert!(count < 10_000, "what one input makes is bounded");
            match output {
                Output::Link { peer, .. } => *self.links.entry(peer).or_default() += 1,
                Output::Unlink { peer } => *self.links.entry(peer).or_default() -= 1,
                Output::Open { peer } => *self.sessions.entry(peer).or_default() += 1,
                Output::Close { peer, .. } => *self.sessions.entry(peer).or_default() -= 1,
                Output::Request {
                    request,
                    transfer,
                    size,
                    ..
                } => {
                    assert!(self.asked.insert(request), "numbers are never used again");
                    assert!(!transfer.groups.is_empty());
                    assert!(transfer.groups.end() <= groups_of(size));
                }
                Output::Rank { id, peers } => {
                    let ranked = peers.into_iter().map(|peer| Ranked {
                        peer,
                        grade: Grade::Medium,
                        score: Fixed::HALF,
                        uncertainty: Fixed::HALF,
                        explored: false,
                        closed: false,
                    });
                    let ranked = ranked.collect();
                    answers.push(Input::Ranked { id, ranked });
                }
                _ => {}
            }
        }
        for answer in answers {
            engine.handle(Timestamp::from_millis(now, now), answer);
            assert!(depth < 8, "an answer does not ask again at once");
            self.drain(engine, now, depth + 1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_comes_in_any_order_nothing_panics_or_grows(
        seed in any::<u64>(),
        paced in any::<bool>(),
        steps in prop::collection::vec((input(), prop_oneof![0u64..50, 0u64..100_000]), 1..150),
    ) {
        let config = Config {
            download_rate: paced.then_some(1 << 20),
            upload_rate: paced.then_some(1 << 20),
            ..Config::default()
        };
        let limits = Limits {
            candidates_max: 6,
            queue_max: 4,
            held_max: 2,
            ..Limits::default()
        };
        let mut engine = Blobs::new(config.clone(), limits.clone(), Rng::from_u64(seed)).unwrap();
        let mut books = Books::default();
        let mut now = 0;
        for (input, pause) in steps {
            now += pause;
            engine.handle(Timestamp::from_millis(now, now), input);
            books.drain(&mut engine, now, 0);
            let stats = engine.stats();
            prop_assert!(stats.held <= limits.held_max);
            prop_assert!(stats.served.0 <= config.upload_slots);
            prop_assert!(stats.served.1 <= limits.queue_max);
            let most = stats.downloads * config.seeders * config.requests_per_seeder;
            prop_assert!(stats.requests <= most, "{} of {most}", stats.requests);
            prop_assert_eq!(engine.progress().count(), stats.downloads);
            if let Some(due) = engine.next_deadline() {
                prop_assert!(due.as_millis() >= now, "what was due is done");
            }
        }
        engine.handle(Timestamp::from_millis(now, now), Input::Shutdown);
        books.drain(&mut engine, now, 0);
        prop_assert_eq!(engine.stats().requests, 0);
        prop_assert!(books.sessions.values().all(|count| *count == 0), "{:?}", books.sessions);
    }
}
