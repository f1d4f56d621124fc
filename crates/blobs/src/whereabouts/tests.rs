use alloc::collections::BTreeSet;

use repute_protocol::BlobAnnouncement;

use super::*;

const START: u64 = 1_700_000_000_000;

struct Rig {
    engine: Whereabouts,
    now: u64,
}

fn hash(n: u64) -> BlobHash {
    let mut bytes = [7; 32];
    for (place, byte) in bytes.iter_mut().zip(n.to_be_bytes()) {
        *place = byte;
    }
    BlobHash::from_bytes(bytes)
}

fn peer(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

fn address(port: u16) -> Address {
    Address::new(([192, 0, 2, 1], port).into())
}

fn announcement(n: u64, port: u16) -> bytes::Bytes {
    notices::announcement(hash(n), 1 << 20, &[address(port)]).into()
}

impl Rig {
    fn new(dht: bool) -> Self {
        let limits = WhereaboutsLimits::default();
        Self {
            engine: Whereabouts::new(peer(0), dht, limits, Rng::from_u64(1)),
            now: 1_000,
        }
    }

    fn give(&mut self, input: WhereaboutsInput) -> Vec<WhereaboutsOutput> {
        let now = Timestamp::from_millis(self.now, START + self.now);
        self.engine.handle(now, input);
        core::iter::from_fn(|| self.engine.poll_output()).collect()
    }

    fn listen(&mut self) {
        let addresses = vec![address(1)];
        self.give(WhereaboutsInput::Listening { addresses });
    }

    /// All that comes of its own in so many seconds.
    fn wait(&mut self, seconds: u64) -> Vec<WhereaboutsOutput> {
        let (end, mut all) = (self.now + seconds * 1_000, Vec::new());
        while let Some(due) = self.engine.next_deadline().map(Mono::as_millis)
            && due <= end
        {
            self.now = self.now.max(due);
            all.extend(self.give(WhereaboutsInput::Tick));
        }
        self.now = end;
        all
    }

    fn announce(&mut self, numbers: core::ops::Range<u64>) -> Vec<WhereaboutsOutput> {
        let announce = |n| WhereaboutsInput::Announce {
            hash: hash(n),
            size: 1 << 20,
        };
        numbers.flat_map(|n| self.give(announce(n))).collect()
    }
}

fn published(outputs: &[WhereaboutsOutput]) -> Vec<BlobHash> {
    let of = |output: &WhereaboutsOutput| match output {
        WhereaboutsOutput::Publish { hash, .. } => Some(*hash),
        _ => None,
    };
    outputs.iter().filter_map(of).collect()
}

fn retracted(outputs: &[WhereaboutsOutput]) -> usize {
    let of = |output: &&WhereaboutsOutput| matches!(output, WhereaboutsOutput::Retract { .. });
    outputs.iter().filter(of).count()
}

fn said(outputs: &[WhereaboutsOutput]) -> Vec<BlobHash> {
    let of = |output: &WhereaboutsOutput| match output {
        WhereaboutsOutput::Gossip { data } => {
            Some(codec::decode::<BlobAnnouncement>(data).unwrap().hash)
        }
        _ => None,
    };
    outputs.iter().filter_map(of).collect()
}

#[test]
fn what_is_shared_is_published_and_said_once_this_node_can_be_reached() {
    let mut rig = Rig::new(true);
    assert_eq!(rig.announce(1..2), []);
    assert_eq!(rig.engine.next_deadline(), None);
    rig.listen();
    let outputs = rig.wait(60);
    assert_eq!(published(&outputs), [hash(1)]);
    assert_eq!(said(&outputs), [hash(1)]);
    let gone = rig.give(WhereaboutsInput::Withdraw { hash: hash(1) });
    assert_eq!(gone, [WhereaboutsOutput::Retract { hash: hash(1) }]);
    assert_eq!(rig.wait(100_000), [], "nothing more is said");
    assert_eq!(rig.engine.announced(), 0);
}

#[test]
fn a_new_address_is_published_with_all_that_is_kept_fresh() {
    let mut rig = Rig::new(true);
    rig.listen();
    rig.announce(1..4);
    assert_eq!(published(&rig.wait(60)).len(), 3);
    let addresses = vec![address(2)];
    let again = rig.give(WhereaboutsInput::Listening {
        addresses: addresses.clone(),
    });
    assert_eq!(published(&again).len(), 3);
    let unchanged = rig.give(WhereaboutsInput::Listening { addresses });
    assert_eq!(unchanged, []);
}

#[test]
fn many_blobs_are_published_in_turn_at_a_bounded_pace_and_each_again_in_time() {
    let mut rig = Rig::new(true);
    rig.listen();
    let mut first = rig.announce(0..1_000);
    first.extend(rig.wait(60));
    let limits = WhereaboutsLimits::default();
    let burst = limits.record_burst as usize;
    assert!(published(&first).len() <= burst + 60);
    let all = rig.wait(3_600);
    let distinct: BTreeSet<_> = published(&first)
        .into_iter()
        .chain(published(&all))
        .collect();
    assert_eq!(distinct.len(), 1_000, "each had its turn");
    // The DHT never keeps more fresh than it has room for.
    let kept = published(&first).len() + published(&all).len();
    let kept = kept - retracted(&first) - retracted(&all);
    assert!(kept <= limits.records_max, "{kept}");
    // Well before a record expires it is there again.
    let later = rig.wait(9 * 3_600);
    let again: BTreeSet<_> = published(&later).into_iter().collect();
    assert!(again.len() >= 1_000 - limits.records_max, "{}", again.len());
    // Gossip heard of the last few only.
    let words = said(&first).len() + said(&all).len() + said(&later).len();
    assert!(words <= limits.words_max + 4, "{words}");
}

#[test]
fn without_a_dht_gossip_says_each_again_and_again() {
    let mut rig = Rig::new(false);
    rig.listen();
    rig.announce(1..4);
    let outputs = rig.wait(2 * 3_600);
    assert_eq!(published(&outputs), []);
    let said = said(&outputs);
    assert!((12..=16).contains(&said.len()), "{}", said.len());
    for n in 1..4 {
        assert!(said.iter().filter(|one| **one == hash(n)).count() >= 3);
    }
    let find = rig.give(WhereaboutsInput::Find { hash: hash(9) });
    assert_eq!(find, [], "there is nobody to ask");
}

#[test]
fn what_was_heard_before_anybody_wanted_it_is_found_later() {
    let mut rig = Rig::new(true);
    let (author, data) = (peer(1), announcement(5, 9));
    let heard = rig.give(WhereaboutsInput::Heard { author, data });
    let [WhereaboutsOutput::Providers { contacts, .. }] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    assert_eq!(contacts[0].addresses.to_vec(), [address(9)]);
    let found = rig.give(WhereaboutsInput::Find { hash: hash(5) });
    assert!(matches!(
        found.as_slice(),
        [
            WhereaboutsOutput::Providers { .. },
            WhereaboutsOutput::Lookup { max: 64, .. }
        ]
    ));
    // This node's own word, played back, is nothing.
    let (author, data) = (peer(0), announcement(5, 9));
    assert_eq!(rig.give(WhereaboutsInput::Heard { author, data }), []);
}

#[test]
fn who_announces_too_much_is_not_listened_to_and_memory_is_bounded() {
    let mut rig = Rig::new(true);
    let limits = WhereaboutsLimits::default();
    for n in 0..1_000 {
        let (author, data) = (peer(1), announcement(n, 1));
        rig.give(WhereaboutsInput::Heard { author, data });
    }
    assert_eq!(rig.engine.rumoured() as u64, limits.author_burst);
    assert_eq!(rig.engine.hasty(), 1_000 - limits.author_burst);
    for n in 0..5_000_u64 {
        let mut author = [9; 32];
        author[..8].copy_from_slice(&n.to_be_bytes());
        let author = NodeId::from_bytes(author);
        let data = announcement(n, 1);
        rig.give(WhereaboutsInput::Heard { author, data });
        let (author, data) = (author, announcement(0, 1));
        rig.give(WhereaboutsInput::Heard { author, data });
    }
    assert_eq!(rig.engine.rumoured(), limits.rumours_max);
    let known = rig.engine.rumours.of(&hash(0));
    assert_eq!(known.len(), limits.rumour_peers_max);
    // What has no meaning is nothing.
    let (author, data) = (peer(3), bytes::Bytes::from_static(&[1, 2, 3]));
    assert_eq!(rig.give(WhereaboutsInput::Heard { author, data }), []);
}

#[test]
fn records_of_providers_become_contacts_but_for_this_node_itself() {
    let mut rig = Rig::new(true);
    let find = rig.give(WhereaboutsInput::Find { hash: hash(1) });
    let [WhereaboutsOutput::Lookup { token, key, .. }] = find.as_slice() else {
        panic!("{find:?}");
    };
    assert_eq!(*key, RecordKey::of_providers(hash(1).as_bytes()));
    let value = codec::encode(&Provider {
        size: 9,
        addresses: BoundedVec::truncated([address(4)]),
    });
    let found = |rig: &mut Rig, author, token, value: Vec<u8>| {
        rig.give(WhereaboutsInput::Found {
            token,
            author,
            value: value.into(),
        })
    };
    let outputs = found(&mut rig, peer(2), *token, value.clone());
    assert_eq!(outputs.len(), 1);
    assert_eq!(found(&mut rig, peer(0), *token, value.clone()), []);
    assert_eq!(found(&mut rig, peer(2), *token + 1, value.clone()), []);
    assert_eq!(found(&mut rig, peer(2), *token, vec![1]), []);
    // While one is under way, the same is not looked up twice.
    let again = rig.give(WhereaboutsInput::Find { hash: hash(1) });
    assert_eq!(again, []);
    rig.give(WhereaboutsInput::Finished { token: *token });
    assert_eq!(found(&mut rig, peer(2), *token, value), []);
    let again = rig.give(WhereaboutsInput::Find { hash: hash(1) });
    assert_eq!(again.len(), 1);
}

#[test]
fn a_peer_that_is_not_where_it_was_is_looked_up_once() {
    let mut rig = Rig::new(true);
    let who = peer(5);
    let link = |rig: &mut Rig, addresses| {
        rig.give(WhereaboutsInput::Link {
            peer: who,
            addresses,
        })
    };
    let outputs = link(&mut rig, vec![address(1)]);
    assert!(matches!(
        outputs.as_slice(),
        [WhereaboutsOutput::Visit { .. }]
    ));
    let failed = rig.give(WhereaboutsInput::VisitFailed { peer: who });
    let [WhereaboutsOutput::Lookup { token, key, .. }] = failed.as_slice() else {
        panic!("{failed:?}");
    };
    assert_eq!(*key, RecordKey::of_identity(&who));
    let value = codec::encode(&AddressRecord {
        addresses: BoundedVec::truncated([address(1), address(2)]),
    });
    rig.give(WhereaboutsInput::Found {
        token: *token,
        author: who,
        value: value.into(),
    });
    let visit = rig.give(WhereaboutsInput::Finished { token: *token });
    let addresses = vec![address(2)];
    let expected = WhereaboutsOutput::Visit {
        peer: who,
        addresses,
    };
    assert_eq!(visit, [expected], "where it was not looked for before");
    let failed = rig.give(WhereaboutsInput::VisitFailed { peer: who });
    assert_eq!(failed, [WhereaboutsOutput::Unreachable { peer: who }]);
    // Nowhere to go, and asked not long ago.
    let nowhere = link(&mut rig, Vec::new());
    assert_eq!(nowhere, [WhereaboutsOutput::Unreachable { peer: who }]);
    rig.now += 700_000;
    let nowhere = link(&mut rig, Vec::new());
    assert!(matches!(
        nowhere.as_slice(),
        [WhereaboutsOutput::Lookup { max: 1, .. }]
    ));
    // A link that came from elsewhere ends it.
    rig.give(WhereaboutsInput::LinkUp { peer: who });
    let [WhereaboutsOutput::Lookup { token, .. }] = nowhere.as_slice() else {
        unreachable!();
    };
    let over = rig.give(WhereaboutsInput::Finished { token: *token });
    assert_eq!(over, []);
    assert_eq!(
        rig.give(WhereaboutsInput::VisitFailed { peer: who }),
        [],
        "somebody else's visit"
    );
}

#[test]
fn without_a_dht_nobody_is_looked_up() {
    let mut rig = Rig::new(false);
    let outputs = rig.give(WhereaboutsInput::Link {
        peer: peer(1),
        addresses: Vec::new(),
    });
    let expected = WhereaboutsOutput::Unreachable { peer: peer(1) };
    assert_eq!(outputs, [expected]);
}
