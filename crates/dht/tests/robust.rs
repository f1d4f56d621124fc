//! Any inputs in any order: no panic, bounds hold, each request is answered once, and the same run
//! comes out the same.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use repute_base::{Address, BoundedBytes, BoundedVec, Fixed, Machine, Rng, Timestamp};
use repute_dht::{Config, Dht, Draft, Event, Input, Limits, Output, Want};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    Contact, DhtAnswer, DhtAsk, DhtFrame, Envelope, EnvelopeKind, FromPeer, NetworkId, Record,
    RecordKey, RecordKind, RecordList, Seq, Stored, Unsigned, Verified,
};

const WALL: u64 = 1_800_000_000_000;

#[derive(Clone, Debug)]
enum Act {
    Up {
        peer: u8,
        server: bool,
        inbound: bool,
    },
    Down {
        peer: u8,
    },
    /// A link that was asked for does not come.
    Unreachable,
    Standing {
        peer: u8,
        closed: bool,
    },
    Ask {
        peer: u8,
        kind: u8,
        place: u8,
    },
    /// Answers the request that was sent last, or some other.
    Answer {
        peer: u8,
        kind: u8,
        named: u8,
        stale: bool,
    },
    Verdict {
        forged: bool,
        checked: bool,
    },
    Sign,
    Lookup {
        place: u8,
    },
    Find {
        place: u8,
        want: u8,
    },
    Publish {
        place: u8,
        slot: u8,
    },
    Retract {
        place: u8,
    },
    Wait {
        ms: u32,
    },
    Jump {
        back_s: u16,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let peer = 1..30_u8;
    prop_oneof![
        4 => (peer.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(peer, server, inbound)| Act::Up { peer, server, inbound }),
        1 => peer.clone().prop_map(|peer| Act::Down { peer }),
        2 => Just(Act::Unreachable),
        1 => (peer.clone(), any::<bool>()).prop_map(|(peer, closed)| Act::Standing { peer, closed }),
        3 => (peer.clone(), 0..3_u8, 0..6_u8).prop_map(|(peer, kind, place)| Act::Ask { peer, kind, place }),
        8 => (peer, 0..4_u8, 0..30_u8, prop::bool::weighted(0.1))
            .prop_map(|(peer, kind, named, stale)| Act::Answer { peer, kind, named, stale }),
        3 => (prop::bool::weighted(0.2), prop::bool::weighted(0.9))
            .prop_map(|(forged, checked)| Act::Verdict { forged, checked }),
        1 => Just(Act::Sign),
        2 => (0..6_u8).prop_map(|place| Act::Lookup { place }),
        3 => (0..6_u8, 0..3_u8).prop_map(|(place, want)| Act::Find { place, want }),
        1 => (0..6_u8, 0..2_u8).prop_map(|(place, slot)| Act::Publish { place, slot }),
        1 => (0..6_u8).prop_map(|place| Act::Retract { place }),
        4 => (0..20_000_u32).prop_map(|ms| Act::Wait { ms }),
        1 => (0..600_u16).prop_map(|back_s| Act::Jump { back_s }),
    ]
}

fn id(n: u8) -> NodeId {
    Identity::from_seed(u64::from(n)).id()
}

fn address(n: u8) -> Address {
    format!("20.{}.1.1:1", n).parse().unwrap()
}

fn name(place: u8) -> Vec<u8> {
    vec![b'n', place]
}

fn key(author: u8, place: u8) -> RecordKey {
    RecordKey::of(RecordKind::Value, &id(author), &name(place))
}

struct Run {
    dht: Dht,
    now: Timestamp,
    log: Vec<String>,
    asked: Vec<(NodeId, u64)>,
    dialled: Vec<NodeId>,
    checks: Vec<(NodeId, Envelope)>,
    signs: Vec<(u64, Vec<u8>)>,
    tokens: u64,
    ended: BTreeMap<u64, u32>,
    counter: u64,
}

impl Run {
    fn new() -> Self {
        let network = NetworkId::from_name("test");
        let limits = Limits {
            lookups_max: 16,
            candidates_max: 48,
            records_max: 20,
            dials_max: 6,
            verifying_max: 6,
            publications_max: 3,
            standings_max: 8,
            ..Limits::default()
        };
        let dht = Dht::new(Config::default(), limits, id(0), network, Rng::from_u64(3)).unwrap();
        let mut run = Self {
            dht,
            now: Timestamp::from_millis(1_000, WALL),
            log: Vec::new(),
            asked: Vec::new(),
            dialled: Vec::new(),
            checks: Vec::new(),
            signs: Vec::new(),
            tokens: 0,
            ended: BTreeMap::new(),
            counter: 0,
        };
        run.put_in(Input::Listening {
            addresses: vec![address(200)],
        });
        run.put_in(Input::Start);
        run
    }

    fn put_in(&mut self, input: Input) {
        self.dht.handle(self.now, input);
        while let Some(output) = self.dht.poll_output() {
            self.log.push(format!("{output:?}"));
            match output {
                Output::Link { peer, .. } => self.dialled.push(peer),
                Output::Send {
                    peer,
                    frame: DhtFrame::Request { number, .. },
                } => self.asked.push((peer, number)),
                Output::Verify { from, envelope } => self.checks.push((from, envelope)),
                Output::Sign { token, payload } => self.signs.push((token, payload)),
                Output::Event(
                    Event::Finished { token, .. }
                    | Event::Refused { token, .. }
                    | Event::Published { token, .. },
                ) => *self.ended.entry(token).or_default() += 1,
                _ => {}
            }
        }
    }

    fn sign(&mut self, author: u8, payload: Vec<u8>) -> Verified<Envelope> {
        self.counter += 1;
        Unsigned {
            network: NetworkId::from_name("test"),
            kind: EnvelopeKind::Record,
            seq: Seq {
                start: WALL,
                counter: self.counter,
            },
            sent: self.now.wall,
            payload,
        }
        .sign(&Identity::from_seed(u64::from(author)))
    }

    fn records(&mut self, author: u8, place: u8) -> RecordList {
        let record = Record {
            kind: RecordKind::Value.number(),
            slot: 0,
            expires: (self.now.wall + Duration::from_secs(600)).as_millis(),
            name: BoundedBytes::new(name(place)).unwrap(),
            value: BoundedBytes::new(vec![author; 9]).unwrap(),
        };
        let mut list = RecordList::default();
        let envelope = self.sign(author, record.encode());
        assert!(list.push(&envelope));
        list
    }

    fn frame(&mut self, peer: NodeId, frame: DhtFrame) {
        self.put_in(Input::Frame(FromPeer::authenticated(peer, frame)));
    }

    fn answer(&mut self, peer: u8, kind: u8, named: u8, stale: bool) {
        let last = if stale { None } else { self.asked.pop() };
        let (peer, number) = last.unwrap_or((id(peer), u64::from(named)));
        let contacts = (0..named).map(|n| Contact {
            id: id(30_u8.wrapping_add(n)),
            addresses: BoundedVec::truncated([address(30_u8.wrapping_add(n))]),
        });
        let contacts = BoundedVec::truncated(contacts);
        let answer = match kind {
            0 => DhtAnswer::Contacts { contacts },
            1 => DhtAnswer::Records {
                records: self.records(named % 4, named % 6),
                more: named.is_multiple_of(2),
                contacts,
            },
            2 => DhtAnswer::Stored {
                outcomes: BoundedVec::truncated([Stored::Kept]),
            },
            _ => DhtAnswer::Busy,
        };
        self.frame(peer, DhtFrame::Answer { number, answer });
    }

    fn ask(&mut self, peer: u8, kind: u8, place: u8) {
        let target = key(place, place);
        let known = BoundedVec::new();
        let ask = match kind {
            0 => DhtAsk::Contacts { target, known },
            1 => DhtAsk::Records {
                key: target,
                from: id(place),
                count: place,
                known,
            },
            _ => DhtAsk::Store {
                records: self.records(place, place),
            },
        };
        self.frame(id(peer), DhtFrame::Request { number: 5, ask });
    }

    fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    fn play(&mut self, act: Act) {
        match act {
            Act::Up {
                peer,
                server,
                inbound,
            } => {
                let asked = self.dialled.pop();
                let remote = address(peer);
                self.put_in(Input::LinkUp {
                    peer: asked.unwrap_or(id(peer)),
                    remote,
                    listen: vec![remote],
                    server,
                    inbound,
                });
            }
            Act::Down { peer } => self.put_in(Input::LinkDown { peer: id(peer) }),
            Act::Unreachable => {
                if let Some(peer) = self.dialled.pop() {
                    self.put_in(Input::Unreachable { peer });
                }
            }
            Act::Standing { peer, closed } => self.put_in(Input::Standing {
                peer: id(peer),
                trust: Fixed::HALF,
                closed,
            }),
            Act::Ask { peer, kind, place } => self.ask(peer, kind, place),
            Act::Answer {
                peer,
                kind,
                named,
                stale,
            } => self.answer(peer, kind, named, stale),
            Act::Verdict { forged, checked } => {
                let Some((from, envelope)) = self.checks.pop() else {
                    return;
                };
                self.put_in(match envelope.verify() {
                    _ if !checked => return,
                    Ok(envelope) if forged => Input::Forged {
                        from,
                        envelope: envelope.into_inner(),
                    },
                    Ok(envelope) => Input::Verified { from, envelope },
                    Err(envelope) => Input::Forged { from, envelope },
                });
            }
            Act::Sign => {
                if let Some((token, payload)) = self.signs.pop() {
                    let envelope = self.sign(0, payload);
                    self.put_in(Input::Signed { token, envelope });
                }
            }
            Act::Lookup { place } => {
                let (token, target) = (self.token(), key(place, place));
                let trace = true;
                self.put_in(Input::Lookup {
                    token,
                    target,
                    trace,
                });
            }
            Act::Find { place, want } => {
                let want = [Want::First, Want::Newest, Want::All { max: 9 }][usize::from(want)];
                let (token, key) = (self.token(), key(place, place));
                self.put_in(Input::Find { token, key, want });
            }
            Act::Publish { place, slot } => {
                let draft = Draft {
                    kind: RecordKind::Value,
                    slot,
                    name: BoundedBytes::new(name(place)).unwrap(),
                    value: BoundedBytes::new(vec![1; 9]).unwrap(),
                    lifetime: Duration::from_secs(90),
                };
                // Whether it is told of depends on signatures, so it is not awaited.
                self.put_in(Input::Publish {
                    token: 1_000_000,
                    draft,
                });
            }
            Act::Retract { place } => self.put_in(Input::Retract {
                kind: RecordKind::Value,
                name: BoundedBytes::new(name(place)).unwrap(),
                slot: 0,
            }),
            Act::Wait { ms } => self.wait(u64::from(ms)),
            Act::Jump { back_s } => {
                let wall = self.now.wall - Duration::from_secs(u64::from(back_s));
                self.now = Timestamp { wall, ..self.now };
            }
        }
    }

    /// Time passes; the timer comes when it was asked for.
    fn wait(&mut self, ms: u64) {
        let until = self.now.mono + Duration::from_millis(ms);
        for _ in 0..10_000 {
            let due = self.dht.next_deadline().filter(|due| *due <= until);
            let at = due.unwrap_or(until).max(self.now.mono);
            let wall = self.now.wall + at.since(self.now.mono);
            self.now = Timestamp { mono: at, wall };
            if due.is_none() {
                return;
            }
            self.put_in(Input::Tick);
        }
        panic!("the timer never rests: {:?}", self.dht.next_deadline());
    }

    fn check_bounds(&self) {
        let stats = self.dht.stats();
        assert!(stats.lookups <= 17, "{}", stats.lookups);
        assert!(stats.verifying <= 6);
        assert!(stats.publications <= 3);
        assert!(stats.records.iter().map(|(_, count)| count).sum::<usize>() <= 20 + 3);
        assert!(stats.buckets.iter().all(|(_, count)| *count <= 20));
    }
}

fn run(acts: &[Act]) -> Run {
    let mut run = Run::new();
    for act in acts {
        run.play(act.clone());
        run.check_bounds();
    }
    run
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_inputs_are_taken_and_each_request_ends_once(acts in prop::collection::vec(act(), 0..150)) {
        let mut first = run(&acts);
        prop_assert_eq!(&first.log, &run(&acts).log, "the same run comes out the same");
        first.wait(120_000);
        for token in 1..=first.tokens {
            prop_assert_eq!(first.ended.get(&token), Some(&1), "request {}", token);
        }
        first.put_in(Input::Shutdown);
        first.wait(100_000);
    }
}
