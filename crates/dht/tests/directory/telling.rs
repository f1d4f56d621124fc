//! What this node offers itself.

use std::time::Duration;

use repute_base::{BoundedBytes, BoundedVec, Machine, Wall};
use repute_dht::{
    DirectoryError, DirectoryEvent, DirectoryInput as Input, DirectoryOutput as Output,
};
use repute_identity::Identity;
use repute_protocol::{Envelope, Record, limits::METADATA_MAX};

use crate::stage::*;

fn names_published(outputs: &[Output]) -> Vec<String> {
    let published = outputs.iter().filter_map(|output| match output {
        Output::Publish(draft) => Some(String::from_utf8(draft.name.to_vec()).unwrap()),
        _ => None,
    });
    published.collect()
}

fn refusals(stage: &mut Stage) -> Vec<DirectoryError> {
    let refused = stage.events().into_iter().filter_map(|event| match event {
        DirectoryEvent::Refused { reason, .. } => Some(reason),
        _ => None,
    });
    refused.collect()
}

#[test]
fn an_advertisement_is_told_three_ways() {
    let mut stage = Stage::new();
    let neighbour = Identity::from_seed(1).id();
    stage.link(neighbour, "127.0.0.1:1");
    stage.advertise(offer(&["signer:spend", "relay"]));
    let outputs = stage.take();
    assert_eq!(
        names_published(&outputs),
        ["all", "relay", "signer", "signer:spend"]
    );
    let gossip = outputs.iter().find_map(|output| match output {
        Output::Gossip { data } => Some(data.clone()),
        _ => None,
    });
    let envelope = Envelope::decode(gossip.unwrap()).unwrap();
    let filed = Record::file(&envelope, stage.now().wall).unwrap();
    assert_eq!(filed.author, stage.me.id());
    assert_eq!(&filed.record.name[..], b"all");
    assert_eq!(filed.expires, Wall::from_millis(START + HOUR));
    assert!(envelope.verify().is_ok());
    let offered = outputs.iter().any(|output| {
        matches!(output, Output::Offer { peer, records } if *peer == neighbour && records.len() == 1)
    });
    assert!(offered, "neighbours are told directly");
    assert!(matches!(
        outputs.last(),
        Some(Output::Event(DirectoryEvent::Advertised {
            token: 1,
            slot: 0,
            ..
        }))
    ));
}

#[test]
fn a_new_neighbour_is_offered_all_there_is_in_as_many_frames_as_it_takes() {
    let mut stage = Stage::new();
    for key in 0..10 {
        let mut long = with_key(offer(&["seeder"]), key);
        long.metadata = BoundedBytes::new(vec![key; METADATA_MAX]).unwrap();
        let words = (0..16).map(|nth| criterion(&nth.to_string(), &"x".repeat(128)));
        long.criteria = BoundedVec::truncated(words);
        stage.advertise(long);
    }
    stage.take();
    stage.link(Identity::from_seed(1).id(), "127.0.0.1:1");
    let sizes = stage.take().into_iter().map(|output| match output {
        Output::Offer { records, .. } => records.len(),
        other => panic!("{other:?}"),
    });
    let sizes: Vec<usize> = sizes.collect();
    assert_eq!(sizes.iter().sum::<usize>(), 10);
    assert!(sizes.len() == 2 && !sizes.contains(&0), "{sizes:?}");
}

#[test]
fn each_key_is_advertised_once_a_minute_and_says_when_it_may_be_again() {
    let mut stage = Stage::new();
    stage.advertise(offer(&["seeder"]));
    stage.pass(18_500);
    stage.take();
    stage.advertise(offer(&["relay"]));
    let refused = refusals(&mut stage);
    let wait = Duration::from_millis(41_500);
    assert_eq!(refused, [DirectoryError::TooSoon { wait }]);
    assert!(refused[0].to_string().ends_with("try again in 42 s"));
    stage.advertise(with_key(offer(&["relay"]), 2));
    assert_eq!(refusals(&mut stage), [], "another key is another matter");
    stage.pass(41_500);
    stage.advertise(offer(&["relay"]));
    assert_eq!(refusals(&mut stage), []);
    assert_eq!(stage.directory.own().count(), 2);
}

#[test]
fn ten_keys_are_the_most_and_one_taken_back_makes_room_after_a_minute() {
    let mut stage = Stage::new();
    for key in 0..11 {
        stage.advertise(with_key(offer(&["seeder"]), key));
    }
    assert_eq!(refusals(&mut stage), [DirectoryError::KeysFull]);
    assert_eq!(stage.directory.counters().own, 10);
    let key = Some(with_key(offer(&["seeder"]), 4).key);
    stage.handle(Input::Retract { token: 2, key });
    stage.advertise(with_key(offer(&["seeder"]), 11));
    let full = [DirectoryError::KeysFull];
    assert_eq!(
        refusals(&mut stage),
        full,
        "others would see a fifth key change at once"
    );
    stage.pass(MINUTE);
    stage.advertise(with_key(offer(&["seeder"]), 11));
    let slots: Vec<u8> = stage.directory.own().map(|own| own.slot).collect();
    assert_eq!(slots, (0..10).collect::<Vec<u8>>());
}

#[test]
fn what_others_would_refuse_is_refused_here_with_the_remedy() {
    let mut stage = Stage::new();
    let mut backwards = offer(&["seeder"]);
    (backwards.amount_min, backwards.amount_max) = (2, 1);
    stage.advertise(offer(&[]));
    stage.advertise(offer(&["Seeder"]));
    stage.advertise(offer(&["all"]));
    stage.advertise(backwards);
    for lifetime in [Duration::from_secs(599), Duration::from_secs(6 * 3_600 + 1)] {
        let advertisement = offer(&["seeder"]);
        stage.handle(Input::Advertise {
            token: 1,
            advertisement,
            lifetime,
        });
    }
    stage.handle(Input::Retract {
        token: 2,
        key: None,
    });
    let refused = refusals(&mut stage);
    assert_eq!(
        refused,
        [
            DirectoryError::NoService,
            DirectoryError::ServiceName,
            DirectoryError::ServiceName,
            DirectoryError::Amounts,
            DirectoryError::Lifetime,
            DirectoryError::Lifetime,
            DirectoryError::NotAdvertised,
        ]
    );
    assert!(refused.iter().all(|error| error.to_string().contains(": ")));
    assert!(
        stage.directory.next_deadline().is_none(),
        "nothing is under way"
    );
}

#[test]
fn an_advertisement_is_signed_again_after_a_third_of_its_life() {
    let mut stage = Stage::new();
    stage.advertise(offer(&["seeder"]));
    stage.take();
    stage.pass(3 * HOUR);
    let outputs = stage.take();
    let told = |output: &&Output| matches!(output, Output::Gossip { .. });
    assert_eq!(
        outputs.iter().filter(told).count(),
        9,
        "every twenty minutes"
    );
    assert!(
        names_published(&outputs).is_empty(),
        "the DHT renews its own"
    );
    let expires = stage.directory.own().next().unwrap().expires;
    assert_eq!(expires, Some(Wall::from_millis(START + 4 * HOUR)));
}

#[test]
fn taking_back_replaces_what_is_out_there_by_a_farewell_under_every_name() {
    let mut stage = Stage::new();
    stage.advertise(offer(&["signer:spend"]));
    stage.pass(MINUTE);
    stage.take();
    stage.handle(Input::Retract {
        token: 3,
        key: None,
    });
    let outputs = stage.take();
    let count = |is: fn(&Output) -> bool| outputs.iter().filter(|output| is(output)).count();
    assert_eq!(count(|output| matches!(output, Output::Retract { .. })), 3);
    assert_eq!(count(|output| matches!(output, Output::Put(_))), 3);
    assert_eq!(count(|output| matches!(output, Output::Gossip { .. })), 1);
    let farewell = outputs.iter().find_map(|output| match output {
        Output::Gossip { data } => Some(Envelope::decode(data.clone()).unwrap()),
        _ => None,
    });
    let filed = Record::file(&farewell.unwrap(), stage.now().wall).unwrap();
    assert_eq!(filed.expires, stage.now().wall + Duration::from_secs(60));
    assert_eq!(stage.directory.own().count(), 0);
    stage.pass(6 * HOUR);
    assert!(stage.take().is_empty(), "nothing is renewed");
}

#[test]
fn a_service_no_longer_offered_leaves_its_names() {
    let mut stage = Stage::new();
    stage.advertise(offer(&["signer:spend", "signer:swap"]));
    stage.pass(MINUTE);
    stage.take();
    stage.advertise(offer(&["signer:swap"]));
    let outputs = stage.take();
    assert_eq!(names_published(&outputs), ["all", "signer", "signer:swap"]);
    let left: Vec<&[u8]> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Retract { name, .. } => Some(&name[..]),
            _ => None,
        })
        .collect();
    assert_eq!(left, [b"signer:spend"]);
}

#[test]
fn a_signature_that_comes_after_a_change_is_not_told() {
    let mut stage = Stage::new();
    stage.prompt = false;
    stage.advertise(offer(&["seeder"]));
    let Some(Output::Sign { token, record }) = stage.take().pop() else {
        panic!("nothing to sign");
    };
    stage.handle(Input::Retract {
        token: 2,
        key: None,
    });
    stage.take();
    let envelope = Author::new(1_000_000).signs(0, &record);
    stage.handle(Input::Signed { token, envelope });
    assert!(stage.take().is_empty());
}

/// Our own engine keeps what other engines hold it to, whenever its operator changes his mind.
#[test]
fn what_an_honest_node_tells_is_never_a_flood_to_others() {
    let mut told = Stage::new();
    let mut author = Stage::new();
    author.me = Identity::from_seed(7);
    author.directory = repute_dht::Directory::new(
        author.me.id(),
        network(),
        Default::default(),
        Default::default(),
    );
    let mut rng = repute_base::Rng::from_u64(11);
    let (mut changes, mut refused) = (0, 0);
    for nth in 0..600u64 {
        let mut next = offer(&["seeder"]);
        next.amount_min = nth;
        author.advertise(next);
        for output in author.take() {
            match output {
                Output::Gossip { data } => {
                    let author = author.me.id();
                    told.handle(Input::Gossiped { author, data });
                    changes += 1;
                }
                Output::Event(DirectoryEvent::Refused { .. }) => refused += 1,
                _ => {}
            }
        }
        let pause = rng.below(40_000);
        author.pass(pause);
        told.pass(pause);
        assert_eq!(told.blamed(), []);
    }
    assert!(
        changes > 100 && refused > 100,
        "{changes} changes, {refused} refused"
    );
    assert!(told.known("seeder") == [author.me.id()]);
}
