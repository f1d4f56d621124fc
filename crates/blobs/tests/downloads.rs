//! What a download comes to, whoever serves it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]

mod net;

use std::time::Duration;

use net::{BLOB, ID, MIB, Nature, Net, Seeder, peer};
use proptest::prelude::*;
use repute_blobs::{
    Config, Event, Evidence, Grade, GroupRanges, Input, Left, Refusal, Stuck, Trouble, Verdict,
};
use repute_protocol::{GROUP_BYTES, Misbehaviour, TransferRefusal, groups_of};

const HOUR: Duration = Duration::from_secs(3_600);

fn honest(rate: u64, size: u64) -> Seeder {
    Seeder::new(Nature::Honest, rate, size)
}

#[test]
fn one_seeder_is_enough() {
    let size = 10 * MIB + 5;
    let mut net = Net::new(1, size, Config::default(), vec![honest(10 * MIB, size)]);
    net.start();
    let took = net.run(HOUR).expect("it ends");
    assert!(took < Duration::from_millis(1_400), "{took:?}");
    assert_eq!(net.verified, GroupRanges::of(0..groups_of(size)));
    assert!(net.blamed.is_empty());
    assert!(net.announced, "who has it offers it");
    let served: u64 = net
        .evidence
        .iter()
        .map(|(_, evidence)| match evidence {
            Evidence::Served { bytes, latency, .. } => {
                assert_eq!(*latency, Some(Duration::from_millis(40)));
                *bytes
            }
            other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(served, size);
    assert_eq!(net.closed_bytes[&peer(0)], size);
    net.run(Duration::from_secs(1));
    net.assert_tidy();
}

/// The bar: at least 0.9 of what all can send together.
#[test]
fn four_sources_of_40_40_40_and_4_mib_a_second_bring_nine_tenths_of_124() {
    let size = 1_024 * MIB;
    let rates = [40, 40, 40, 4];
    let seeders = rates.map(|rate| honest(rate * MIB, size)).to_vec();
    let mut net = Net::new(2, size, Config::default(), seeders);
    net.start();
    let took = net.run(HOUR).expect("it ends");
    let rate = size as f64 / MIB as f64 / took.as_secs_f64();
    assert!(rate >= 0.9 * 124.0, "{rate} MiB/s in {took:?}");
    let stats = net.engine.stats();
    assert!(stats.bytes_duplicate * 100 < size, "{stats:?}");
}

#[test]
fn a_small_file_of_four_sources_does_not_wait_for_the_slow_one() {
    let size = 256 * MIB;
    let rates = [40, 40, 40, 4];
    let seeders = rates.map(|rate| honest(rate * MIB, size)).to_vec();
    let mut net = Net::new(3, size, Config::default(), seeders);
    net.start();
    let took = net.run(HOUR).expect("it ends");
    let rate = size as f64 / MIB as f64 / took.as_secs_f64();
    assert!(rate >= 0.8 * 124.0, "{rate} MiB/s in {took:?}");
}

#[test]
fn a_seeder_that_sends_what_is_wrong_is_blamed_once_and_never_asked_again() {
    let size = 32 * MIB;
    let mut seeders = vec![Seeder::new(Nature::Corrupt(40), 20 * MIB, size)];
    seeders.push(honest(5 * MIB, size));
    let mut net = Net::new(4, size, Config::default(), seeders);
    net.start();
    net.run(HOUR).expect("the other one has it all");
    assert_eq!(net.blamed, [(peer(0), Misbehaviour::CorruptBlob)]);
    assert_eq!(net.lefts(peer(0)), [Left::Corrupt]);
    let good = net.evidence.iter().any(|(of, _)| *of == peer(0));
    assert!(!good, "nothing good is said of it");
    assert_eq!(net.delivered[&peer(0)] / GROUP_BYTES, 39);
}

#[test]
fn who_stalls_while_others_go_on_is_named_and_replaced() {
    let size = 64 * MIB;
    let seeders = vec![
        Seeder::new(Nature::Stalls(100), 10 * MIB, size),
        honest(2 * MIB, size),
    ];
    let mut net = Net::new(5, size, Config::default(), seeders);
    net.start();
    net.run(HOUR).expect("it ends");
    let stalled = |of| {
        let all = net.evidence.iter();
        all.filter(|(peer, one)| *peer == of && matches!(one, Evidence::Stalled { .. }))
            .count()
    };
    assert!(stalled(peer(0)) >= 1);
    assert_eq!(stalled(peer(1)), 0);
    assert!(net.lefts(peer(0)).contains(&Left::Stalled));
    assert!(net.blamed.is_empty(), "slowness breaks no rule");
}

#[test]
fn an_outage_of_our_own_network_is_held_against_nobody() {
    let size = 200 * MIB;
    let seeders = (0..4).map(|_| honest(5 * MIB, size)).collect();
    let mut net = Net::new(6, size, Config::default(), seeders);
    net.outage = 3_000..63_000;
    net.start();
    net.run(HOUR).expect("it ends after the outage");
    assert!(
        net.engine.stats().stalls_excused >= 4,
        "they did fall silent"
    );
    assert_eq!(net.engine.stats().stalls_excused, net.engine.stats().stalls);
    let bad = |one: &Evidence| matches!(one, Evidence::Stalled { .. });
    assert!(!net.evidence.iter().any(|(_, one)| bad(one)));
    assert!(net.blamed.is_empty());
}

#[test]
fn a_node_that_slept_blames_nobody_for_the_silence() {
    let size = 200 * MIB;
    let seeders = (0..2).map(|_| honest(5 * MIB, size)).collect();
    let mut net = Net::new(7, size, Config::default(), seeders);
    net.start();
    net.run(Duration::from_secs(3));
    // The machine sleeps: time passes, and nothing is handed over.
    net.now += 60_000;
    net.run(HOUR).expect("it ends");
    assert_eq!(net.engine.stats().stalls, 0);
}

#[test]
fn our_own_full_disk_pauses_and_costs_nobody_anything() {
    let size = 64 * MIB;
    let seeders = (0..2).map(|_| honest(5 * MIB, size)).collect();
    let mut net = Net::new(8, size, Config::default(), seeders);
    net.start();
    net.run(Duration::from_secs(2));
    let id = ID;
    let kind = Trouble::DiskFull;
    net.give(Input::Trouble { id, kind });
    assert!(net.events.iter().any(|(_, event)| *event
        == Event::Paused {
            id,
            trouble: Some(Trouble::DiskFull)
        }));
    assert_eq!(net.engine.stats().requests, 0);
    let before = net.verified.len();
    net.run(Duration::from_secs(30));
    assert_eq!(
        net.verified.len(),
        before,
        "nothing is fetched while paused"
    );
    net.give(Input::Resume { id });
    net.run(HOUR).expect("it goes on");
    let bad = |one: &Evidence| matches!(one, Evidence::Stalled { .. });
    assert!(!net.evidence.iter().any(|(_, one)| bad(one)) && net.blamed.is_empty());
}

#[test]
fn what_was_there_is_never_fetched_again() {
    let size = 40 * MIB;
    let mut net = Net::new(9, size, Config::default(), vec![honest(10 * MIB, size)]);
    net.verified = [0..100, 500..777, 2_559..2_560].into_iter().collect();
    let had = net.verified.len();
    net.start();
    net.run(HOUR).expect("it ends");
    assert_eq!(net.asked_groups, groups_of(size) - had);
}

#[test]
fn a_download_of_which_nothing_is_missing_ends_at_once() {
    let size = MIB;
    let mut net = Net::new(10, size, Config::default(), Vec::new());
    net.verified = GroupRanges::of(0..groups_of(size));
    net.start();
    assert_eq!(net.finished(), Some(Duration::ZERO));
    assert!(net.announced);
}

#[test]
fn the_size_is_learned_and_a_liar_about_it_is_caught_by_the_last_group() {
    let size = 20 * MIB;
    let mut liar = Seeder::new(Nature::WrongSize(90 * MIB), 50 * MIB, size);
    liar.grade = Grade::Trusted;
    liar.has = GroupRanges::of(0..groups_of(90 * MIB));
    let mut net = Net::new(
        11,
        size,
        Config::default(),
        vec![liar, honest(5 * MIB, size)],
    );
    let mut order = net.order();
    order.size = None;
    net.give(Input::Download(Box::new(order)));
    let took = net.run(HOUR);
    assert!(
        took.is_some(),
        "the honest one is believed in the end: {:?}",
        net.events
    );
    assert_eq!(net.blamed, [(peer(0), Misbehaviour::CorruptBlob)]);
}

#[test]
fn a_ticket_that_lies_about_the_size_does_not_stop_a_download() {
    let size = 20 * MIB;
    let mut net = Net::new(12, size, Config::default(), vec![honest(5 * MIB, size)]);
    let mut order = net.order();
    order.size = Some(3 * MIB);
    net.give(Input::Download(Box::new(order)));
    net.run(HOUR).expect("it ends");
    assert!(net.blamed.is_empty());
}

#[test]
fn the_busy_and_the_refusing_are_left_alone_for_a_while_and_nobody_is_blamed() {
    let size = 30 * MIB;
    let seeders = vec![
        Seeder::new(Nature::Busy, MIB, size),
        Seeder::new(Nature::Refuses(TransferRefusal::Standing), MIB, size),
        Seeder::new(Nature::NeverThere, MIB, size),
        Seeder::new(Nature::Silent, MIB, size),
        honest(2 * MIB, size),
    ];
    let mut net = Net::new(13, size, Config::default(), seeders);
    net.start();
    net.run(HOUR).expect("one is enough");
    assert!(net.blamed.is_empty());
    assert_eq!(
        net.evidence.iter().filter(|(of, _)| *of != peer(4)).count(),
        0
    );
    assert!(net.lefts(peer(0)).len() <= 8, "{:?}", net.lefts(peer(0)));
    assert!(
        net.lefts(peer(1))
            .contains(&Left::Refused(TransferRefusal::Standing))
    );
    assert!(net.engine.stats().requests_sent < 200);
}

#[test]
fn a_lost_seeder_is_replaced_and_taken_back() {
    let size = 100 * MIB;
    let config = Config {
        seeders: 2,
        explorers: 1,
        ..Config::default()
    };
    let seeders = (0..3).map(|_| honest(4 * MIB, size)).collect();
    let mut net = Net::new(14, size, config, seeders);
    net.start();
    net.run(Duration::from_secs(3));
    assert!(!net.delivered.contains_key(&peer(2)), "two seats");
    net.cut(peer(0));
    net.run(Duration::from_secs(3));
    assert!(net.delivered[&peer(2)] > MIB);
    net.run(HOUR).expect("it ends");
    assert!(net.blamed.is_empty());
    assert_eq!(net.lefts(peer(0)), [Left::Lost]);
}

#[test]
fn a_far_slower_seeder_gives_its_place_to_one_that_waits() {
    let size = 400 * MIB;
    let config = Config {
        seeders: 3,
        explorers: 1,
        ..Config::default()
    };
    let mut seeders: Vec<_> = (0..3).map(|_| honest(4 * MIB, size)).collect();
    seeders[0].rate = MIB / 8;
    seeders.push(honest(4 * MIB, size));
    let mut net = Net::new(15, size, config, seeders);
    net.start();
    net.run(Duration::from_secs(40));
    assert_eq!(net.lefts(peer(0)), [Left::Replaced]);
    assert!(net.delivered[&peer(3)] > 10 * MIB);
}

#[test]
fn unknown_ones_are_tried_a_few_at_a_time_and_with_little() {
    let size = 100 * MIB;
    let mut seeders: Vec<_> = (0..2).map(|_| honest(4 * MIB, size)).collect();
    seeders.extend(
        (0..6).map(|_| Seeder::new(Nature::Corrupt(1), 40 * MIB, size).of_grade(Grade::Unknown)),
    );
    let mut net = Net::new(16, size, Config::default(), seeders);
    net.start();
    net.run(HOUR).expect("it ends");
    assert_eq!(net.blamed.len(), 6, "all six were tried and caught");
    let Some((_, Event::Plan { rows, .. })) = net
        .events
        .iter()
        .find(|(_, event)| matches!(event, Event::Plan { .. }))
    else {
        panic!("there is a plan")
    };
    let explored = rows.iter().filter(|row| row.verdict == Verdict::Explored);
    assert_eq!(explored.count(), 2);
    let standby = rows.iter().filter(|row| row.verdict == Verdict::Standby);
    assert_eq!(standby.count(), 4);
}

#[test]
fn a_person_has_the_last_word_on_who_is_fetched_from() {
    let size = 20 * MIB;
    let seeders = || {
        vec![
            honest(8 * MIB, size).of_grade(Grade::Trusted),
            honest(4 * MIB, size).of_grade(Grade::Medium),
            honest(4 * MIB, size).of_grade(Grade::Unknown),
        ]
    };
    let run = |change: fn(&mut repute_blobs::Choice)| {
        let mut net = Net::new(17, size, Config::default(), seeders());
        let mut order = net.order();
        change(&mut order.choice);
        net.give(Input::Download(Box::new(order)));
        net.run(HOUR).expect("it ends");
        net.delivered.keys().copied().collect::<Vec<_>>()
    };
    assert_eq!(run(|_| ()), [peer(0), peer(1), peer(2)]);
    assert_eq!(run(|choice| choice.only = vec![peer(2)]), [peer(2)]);
    assert_eq!(
        run(|choice| choice.grade_min = Some(Grade::Medium)),
        [peer(0), peer(1)]
    );
    let config = Config {
        seeders: 1,
        explorers: 1,
        ..Config::default()
    };
    let mut net = Net::new(18, size, config, seeders());
    let mut order = net.order();
    order.choice.prefer = vec![peer(1)];
    net.give(Input::Download(Box::new(order)));
    net.run(HOUR).expect("it ends");
    assert_eq!(net.delivered.keys().copied().collect::<Vec<_>>(), [peer(1)]);
}

#[test]
fn a_dry_run_shows_the_table_and_fetches_nothing() {
    let size = 20 * MIB;
    let seeders = vec![
        honest(8 * MIB, size).of_grade(Grade::Trusted),
        honest(4 * MIB, size).of_grade(Grade::Distrusted),
        Seeder::new(Nature::Silent, MIB, size),
    ];
    let mut net = Net::new(19, size, Config::default(), seeders);
    let mut order = net.order();
    order.choice.dry_run = true;
    net.give(Input::Download(Box::new(order)));
    net.run(Duration::from_secs(20));
    let plans: Vec<_> = net
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Plan { rows, .. } => Some(rows),
            _ => None,
        })
        .collect();
    assert_eq!(plans.len(), 1);
    let verdicts: Vec<_> = plans[0].iter().map(|row| (row.peer, row.verdict)).collect();
    assert_eq!(
        verdicts,
        [
            (peer(0), Verdict::Chosen),
            (peer(1), Verdict::Closed),
            (peer(2), Verdict::Silent)
        ]
    );
    assert_eq!(net.asked_groups, 0);
    assert_eq!(net.engine.stats().downloads, 0);
    net.assert_tidy();
}

#[test]
fn partial_seeders_complete_each_other_and_the_rarest_comes_first() {
    let size = 40 * MIB;
    let half = groups_of(size) / 2;
    let all = groups_of(size);
    let seeders = vec![
        honest(4 * MIB, size).having(GroupRanges::of(0..half + 100)),
        honest(4 * MIB, size).having(GroupRanges::of(half - 100..all)),
    ];
    let mut net = Net::new(20, size, Config::default(), seeders);
    net.start();
    net.run(HOUR).expect("together they have all");
    assert!(net.delivered.len() == 2);
}

#[test]
fn what_nobody_has_is_waited_for_and_comes_with_an_update() {
    let size = 10 * MIB;
    let all = groups_of(size);
    let missing = 77..78;
    let has: GroupRanges = [0..77, 78..all].into_iter().collect();
    let seeder = honest(4 * MIB, size).having(has);
    let mut net = Net::new(21, size, Config::default(), vec![seeder]);
    net.start();
    assert_eq!(net.run(Duration::from_secs(60)), None);
    assert_eq!(net.verified.len(), all - 1);
    let stuck = |(_, event): &(u64, Event)| {
        *event
            == Event::Stuck {
                id: ID,
                why: Stuck::NobodyHasTheRest,
            }
    };
    assert_eq!(net.events.iter().filter(|one| stuck(one)).count(), 1);
    net.seeders.get_mut(&peer(0)).unwrap().has = GroupRanges::of(0..all);
    let frame = repute_protocol::BlobFrame::Update {
        hash: BLOB,
        gained: repute_protocol::GroupList::truncated([missing]),
    };
    let frame = repute_protocol::FromPeer::authenticated(peer(0), frame);
    net.give(Input::Frame(frame));
    net.run(Duration::from_secs(5)).expect("it comes");
}

#[test]
fn nobody_is_said_once_and_looked_for_again() {
    let mut net = Net::new(22, MIB, Config::default(), Vec::new());
    net.start();
    net.run(Duration::from_secs(300));
    let stuck = net.events.iter().filter(|(_, event)| {
        matches!(
            event,
            Event::Stuck {
                why: Stuck::NobodyFound,
                ..
            }
        )
    });
    assert_eq!(stuck.count(), 1);
    assert!((3..=8).contains(&net.finds), "{}", net.finds);
}

#[test]
fn a_total_rate_and_a_rate_for_each_seeder_hold() {
    let size = 20 * MIB;
    let seeders = || (0..4).map(|_| honest(40 * MIB, size)).collect();
    let total = Config {
        download_rate: Some(4 * MIB),
        ..Config::default()
    };
    let mut net = Net::new(23, size, total, seeders());
    net.start();
    let took = net.run(HOUR).expect("it ends").as_secs_f64();
    assert!((4.5..6.5).contains(&took), "{took}");
    assert_eq!(
        net.engine.stats().stalls,
        0,
        "our own rate is nobody's fault"
    );
    let each = Config {
        download_peer_rate: Some(MIB),
        ..Config::default()
    };
    let mut net = Net::new(24, size, each, seeders());
    net.start();
    let took = net.run(HOUR).expect("it ends").as_secs_f64();
    assert!((4.5..6.5).contains(&took), "{took}");
}

#[test]
fn a_hundred_gib_cost_no_more_to_think_about_than_one() {
    let size = 100 * 1_024 * MIB;
    let seeders = (0..4).map(|_| honest(1_024 * MIB, size)).collect();
    let mut net = Net::new(25, size, Config::default(), seeders);
    net.start();
    net.run(Duration::from_millis(900));
    assert!(net.verified.len() > 1_000);
    assert!(
        net.verified.range_count() < 64,
        "{}",
        net.verified.range_count()
    );
}

#[test]
fn more_downloads_than_fit_and_names_taken_are_refused() {
    let mut net = Net::new(26, MIB, Config::default(), Vec::new());
    net.start();
    net.start();
    let mut order = net.order();
    for number in 2..=65 {
        order.id = repute_blobs::DownloadId(number);
        net.give(Input::Download(Box::new(order.clone())));
    }
    let refused: Vec<_> = net
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Refused { id, reason } => Some((id.0, *reason)),
            _ => None,
        })
        .collect();
    assert_eq!(refused, [(1, Refusal::Taken), (65, Refusal::TooMany)]);
    net.give(Input::Cancel { id: ID });
    net.give(Input::Cancel { id: ID });
    order.id = ID;
    order.size = Some(u64::MAX);
    net.give(Input::Download(Box::new(order)));
    let last = net.events.last().unwrap().1.clone();
    assert_eq!(
        last,
        Event::Refused {
            id: ID,
            reason: Refusal::TooLarge
        }
    );
}

fn nature() -> impl Strategy<Value = Nature> {
    prop_oneof![
        3 => Just(Nature::Honest),
        1 => (1u64..200).prop_map(Nature::Corrupt),
        1 => (0u64..200).prop_map(Nature::Stalls),
        1 => (1u64..10).prop_map(Nature::Breaks),
        1 => Just(Nature::NeverThere),
        1 => Just(Nature::Busy),
        1 => Just(Nature::Silent),
        1 => Just(Nature::Garbled),
        1 => (1u64..40).prop_map(|mib| Nature::WrongSize(mib * MIB)),
        1 => Just(Nature::Refuses(TransferRefusal::QueueFull)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any crowd, any delays, links that break: a download ends if and only if the honest have
    /// every group, and whoever is honest is never blamed. What holds of each request is checked
    /// by the network itself.
    #[test]
    fn a_download_ends_if_the_honest_have_every_group_and_only_then(
        seed in any::<u64>(),
        natures in prop::collection::vec((nature(), 1u64..9, 0u64..3), 1..9),
        size in 1u64..8 * MIB,
        jitter in 0u64..200,
        cuts in prop::collection::vec((0u64..20_000, 0usize..9), 0..4),
    ) {
        let all = groups_of(size);
        let seeders: Vec<Seeder> = natures.iter().enumerate().map(|(number, (nature, mib, part))| {
            let mut seeder = Seeder::new(nature.clone(), mib * MIB, size);
            seeder.grade = [Grade::Unknown, Grade::Low, Grade::High][number % 3];
            if *part == 1 && all > 4 {
                // A part: all but the middle.
                seeder.has = [0..all / 3, all / 3 + 1..all].into_iter().collect();
            }
            seeder
        }).collect();
        // Whose streams break brings everything in time, too.
        let good = |one: &&Seeder| matches!(one.nature, Nature::Honest | Nature::Breaks(_));
        let together = seeders.iter().filter(good)
            .fold(GroupRanges::new(), |sum, one| sum.union(&one.has));
        let complete = together.len() == all;
        let mut net = Net::new(seed, size, Config::default(), seeders.clone());
        net.jitter_ms = jitter;
        net.start();
        for (at, number) in cuts {
            while net.now < at {
                net.step();
            }
            if number < seeders.len() && net.seeders[&peer(number)].linked {
                net.cut(peer(number));
            }
        }
        let ended = net.run(Duration::from_secs(900)).is_some();
        if complete {
            prop_assert!(ended, "{:?}", net.events.last());
            prop_assert_eq!(net.verified.len(), all);
            net.run(Duration::from_secs(1));
            net.assert_tidy();
        } else {
            // Liars may have brought the rest before they lied; without them it cannot end.
            prop_assert!(!ended || net.verified.len() == all);
        }
        for (blamed, _) in &net.blamed {
            let number = (0..seeders.len()).find(|number| peer(*number) == *blamed).unwrap();
            let deserved = matches!(
                seeders[number].nature,
                Nature::Corrupt(_) | Nature::Garbled | Nature::WrongSize(_)
            );
            prop_assert!(deserved, "{:?}", seeders[number].nature);
        }
    }
}
