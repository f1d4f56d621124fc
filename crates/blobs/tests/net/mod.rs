//! One downloading engine and a crowd of seeders of every kind, in virtual time.
#![allow(dead_code, reason = "each test file uses a part")]

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

use repute_base::{Fixed, Machine, Rng, Timestamp};
use repute_blobs::{
    Blobs, Choice, Config, DownloadId, Event, Evidence, Grade, GroupRanges, Input, Left, Limits,
    Order, Output, Ranked, RequestId, StreamEnd,
};
use repute_identity::NodeId;
use repute_protocol::{
    BlobFrame, BlobHash, BlobHave, Contact, FromPeer, GROUP_BYTES, GroupList, Holdings,
    Misbehaviour, Tier, TransferAnswer, TransferRefusal, groups_of,
};

pub(crate) const BLOB: BlobHash = BlobHash::from_bytes([9; 32]);
pub(crate) const ID: DownloadId = DownloadId(1);
pub(crate) const MIB: u64 = 1 << 20;
/// How finely time is cut.
const STEP_MS: u64 = 10;

pub(crate) fn peer(number: usize) -> NodeId {
    NodeId::from_bytes([u8::try_from(number).unwrap() + 1; 32])
}

/// What a seeder does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    Honest,
    /// The group of this number, counted over all that it sends, is wrong.
    Corrupt(u64),
    /// After so many groups nothing more comes.
    Stalls(u64),
    /// Ends its streams early, now and then: of a hundred groups, so many.
    Breaks(u64),
    /// Says that it has all, and never does.
    NeverThere,
    /// Always busy.
    Busy,
    /// Always refuses.
    Refuses(TransferRefusal),
    /// Never answers a query.
    Silent,
    /// Claims another size, and sends what does not match.
    WrongSize(u64),
    /// What it says has no meaning.
    Garbled,
}

#[derive(Clone, Debug)]
pub(crate) struct Seeder {
    pub(crate) nature: Nature,
    /// Bytes a second, all streams together.
    pub(crate) rate: u64,
    pub(crate) latency_ms: u64,
    pub(crate) has: GroupRanges,
    pub(crate) grade: Grade,
    pub(crate) linked: bool,
    sent: u64,
    /// Bytes it may send, left over from the last step.
    carry: u64,
    turn: usize,
}

impl Seeder {
    pub(crate) fn new(nature: Nature, rate: u64, size: u64) -> Self {
        Self {
            nature,
            rate,
            latency_ms: 20,
            has: GroupRanges::of(0..groups_of(size)),
            grade: Grade::High,
            linked: false,
            sent: 0,
            carry: 0,
            turn: 0,
        }
    }

    pub(crate) fn having(mut self, has: GroupRanges) -> Self {
        self.has = has;
        self
    }

    pub(crate) fn of_grade(mut self, grade: Grade) -> Self {
        self.grade = grade;
        self
    }
}

struct Stream {
    peer: NodeId,
    groups: Vec<u64>,
    next: usize,
    size: u64,
    /// Nothing before this moment.
    from: u64,
    /// Bytes that may be read, where reading is paced.
    allowed: Option<u64>,
}

enum Action {
    Give(Input),
}

pub(crate) struct Net {
    pub(crate) now: u64,
    pub(crate) size: u64,
    pub(crate) engine: Blobs,
    pub(crate) limits: Limits,
    pub(crate) config: Config,
    pub(crate) seeders: BTreeMap<NodeId, Seeder>,
    streams: BTreeMap<RequestId, Stream>,
    queue: BTreeMap<(u64, u64), Action>,
    sequence: u64,
    pub(crate) rng: Rng,
    pub(crate) verified: GroupRanges,
    pub(crate) events: Vec<(u64, Event)>,
    pub(crate) blamed: Vec<(NodeId, Misbehaviour)>,
    pub(crate) evidence: Vec<(NodeId, Evidence)>,
    pub(crate) opened: BTreeMap<NodeId, i64>,
    pub(crate) closed_bytes: BTreeMap<NodeId, u64>,
    pub(crate) delivered: BTreeMap<NodeId, u64>,
    pub(crate) links: BTreeSet<NodeId>,
    /// Nothing moves in the network from and until these moments.
    pub(crate) outage: Range<u64>,
    /// How long answers may be late, at most.
    pub(crate) jitter_ms: u64,
    pub(crate) asked_groups: u64,
    pub(crate) finds: u32,
    pub(crate) announced: bool,
    pub(crate) in_flight_max: usize,
}

impl Net {
    pub(crate) fn new(seed: u64, size: u64, config: Config, seeders: Vec<Seeder>) -> Self {
        let limits = Limits::default();
        let mut rng = Rng::from_u64(seed);
        let engine = Blobs::new(config.clone(), limits.clone(), rng.fork()).unwrap();
        let seeders = seeders.into_iter().enumerate();
        Self {
            now: 0,
            size,
            engine,
            limits,
            config,
            seeders: seeders.map(|(number, one)| (peer(number), one)).collect(),
            streams: BTreeMap::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            rng,
            verified: GroupRanges::new(),
            events: Vec::new(),
            blamed: Vec::new(),
            evidence: Vec::new(),
            opened: BTreeMap::new(),
            closed_bytes: BTreeMap::new(),
            delivered: BTreeMap::new(),
            links: BTreeSet::new(),
            outage: 0..0,
            jitter_ms: 0,
            asked_groups: 0,
            finds: 0,
            announced: false,
            in_flight_max: 0,
        }
    }

    pub(crate) fn order(&self) -> Order {
        Order {
            id: ID,
            hash: BLOB,
            size: Some(self.size),
            verified: self.verified.clone(),
            peers: Vec::new(),
            choice: Choice::default(),
        }
    }

    pub(crate) fn start(&mut self) {
        let order = self.order();
        self.give(Input::Download(Box::new(order)));
    }

    pub(crate) fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.now, 1_800_000_000_000 + self.now)
    }

    pub(crate) fn give(&mut self, input: Input) {
        let now = self.at();
        self.engine.handle(now, input);
        while let Some(output) = self.engine.poll_output() {
            self.act(output);
        }
        if let Some(due) = self.engine.next_deadline() {
            let late = self.now.saturating_sub(due.as_millis());
            assert_eq!(late, 0, "what is due is done at once");
        }
    }

    fn later(&mut self, ms: u64, input: Input) {
        let jitter = self.rng.below(self.jitter_ms + 1);
        self.sequence += 1;
        let at = (self.now + ms + jitter, self.sequence);
        self.queue.insert(at, Action::Give(input));
    }

    fn act(&mut self, output: Output) {
        match output {
            Output::Find { hash } => {
                self.finds += 1;
                let contact = |id: &NodeId| Contact {
                    id: *id,
                    addresses: vec![].try_into().unwrap(),
                };
                let contacts = self.seeders.keys().map(contact).collect();
                self.later(50, Input::Providers { hash, contacts });
            }
            Output::Link { peer, .. } => {
                self.links.insert(peer);
                assert!(self.links.len() <= self.limits.candidates_max);
                let known = self.seeders.contains_key(&peer);
                let input = match known {
                    true => Input::LinkUp { peer },
                    false => Input::Unreachable { peer },
                };
                self.later(30, input);
            }
            Output::Unlink { peer } => {
                self.links.remove(&peer);
                self.later(1, Input::LinkDown { peer });
            }
            Output::Send { peer, frame } => self.answer_frame(peer, &frame),
            Output::Rank { id, peers } => self.rank(id, &peers),
            Output::Open { peer } => *self.opened.entry(peer).or_default() += 1,
            Output::Close { peer, bytes } => {
                *self.opened.entry(peer).or_default() -= 1;
                *self.closed_bytes.entry(peer).or_default() += bytes;
            }
            Output::Request {
                request,
                peer,
                transfer,
                size,
                paced,
                ..
            } => {
                let groups = transfer.groups.ranges().collect();
                self.check_request(peer, &groups);
                self.begin(request, peer, &groups, size, paced);
            }
            Output::Receive { request, bytes } => {
                if let Some(stream) = self.streams.get_mut(&request) {
                    *stream.allowed.as_mut().unwrap() += bytes;
                }
            }
            Output::Cancel { request } => {
                self.streams.remove(&request);
            }
            Output::Misbehaviour { peer, kind } => self.blamed.push((peer, kind)),
            Output::Evidence { peer, evidence } => self.evidence.push((peer, evidence)),
            Output::Event(event) => self.events.push((self.now, event)),
            Output::Announce { .. } => self.announced = true,
            Output::Withdraw { .. } => self.announced = false,
            other => panic!("nobody asks this node for anything: {other:?}"),
        }
    }

    /// What must hold of any request.
    fn check_request(&mut self, peer: NodeId, groups: &GroupRanges) {
        assert!(!groups.is_empty());
        assert!(groups.len() <= self.limits.request_groups_max);
        let again = groups.intersection(&self.verified);
        assert!(again.is_empty(), "{again:?} is there already");
        assert!(groups.last().unwrap() < groups_of(u64::MAX));
        self.asked_groups += groups.len();
        let of_peer = self.streams.values().filter(|one| one.peer == peer);
        assert!(of_peer.count() < self.config.requests_per_seeder);
        let twice = self.streams.values().filter(|one| {
            let rest = one.groups.get(one.next..).unwrap_or_default();
            rest.iter().any(|group| groups.contains(*group))
        });
        assert!(
            twice.count() <= 1,
            "nothing is asked for three times at once"
        );
        let peers: BTreeSet<_> = self.streams.values().map(|one| one.peer).collect();
        let seats = peers.len() + usize::from(!peers.contains(&peer));
        assert!(seats <= self.config.seeders, "{seats} seeders at once");
        self.in_flight_max = self.in_flight_max.max(self.streams.len() + 1);
    }

    fn begin(
        &mut self,
        request: RequestId,
        peer: NodeId,
        groups: &GroupRanges,
        size: u64,
        paced: bool,
    ) {
        let seeder = &self.seeders[&peer];
        let latency = 2 * seeder.latency_ms;
        let refused = |answer| Input::Answered { request, answer };
        match &seeder.nature {
            Nature::NeverThere => return self.later(latency, refused(TransferAnswer::NotFound)),
            Nature::Busy => {
                let answer = TransferAnswer::Busy {
                    retry_ms: 3_000,
                    place: 4,
                    tier: Tier::Newcomer,
                };
                return self.later(latency, refused(answer));
            }
            Nature::Refuses(reason) => {
                let reason = *reason;
                return self.later(latency, refused(TransferAnswer::Refused { reason }));
            }
            Nature::Garbled => {
                let end = StreamEnd::Malformed;
                return self.later(latency, Input::Ended { request, end });
            }
            _ => {}
        }
        if !groups.is_subset(&seeder.has) {
            return self.later(latency, refused(TransferAnswer::NotFound));
        }
        let claimed = match seeder.nature {
            Nature::WrongSize(size) => size,
            _ => self.size,
        };
        let serving = TransferAnswer::Serving { size: claimed };
        let from = self.now + latency;
        self.later(latency, refused(serving));
        let stream = Stream {
            peer,
            groups: groups.groups().collect(),
            next: 0,
            size,
            from,
            allowed: paced.then_some(0),
        };
        self.streams.insert(request, stream);
    }

    fn answer_frame(&mut self, peer: NodeId, frame: &BlobFrame) {
        let BlobFrame::Query { hash, from } = frame else {
            return;
        };
        let Some(seeder) = self.seeders.get(&peer) else {
            return;
        };
        let size = match seeder.nature {
            Nature::Silent => return,
            Nature::WrongSize(size) => size,
            _ => self.size,
        };
        let (_, rest) = seeder.has.split_at(*from);
        let whole = seeder.has.len() == groups_of(self.size);
        let holdings = match whole {
            true => Holdings::All,
            false => {
                let groups: GroupList<64> = GroupList::truncated(rest.ranges());
                let until = match rest.range_count() > 64 {
                    true => groups.end(),
                    false => groups_of(size),
                };
                Holdings::Part { groups, until }
            }
        };
        let have = BlobHave {
            hash: *hash,
            size,
            holdings,
            tier: Tier::High,
            rate: 0,
            slots_free: 4,
        };
        let frame = FromPeer::authenticated(peer, BlobFrame::Have(have));
        let latency = 2 * seeder.latency_ms;
        self.later(latency, Input::Frame(frame));
    }

    /// By grade, then by number.
    fn rank(&mut self, id: DownloadId, peers: &[NodeId]) {
        let mut ranked: Vec<Ranked> = peers
            .iter()
            .map(|peer| {
                let grade = self
                    .seeders
                    .get(peer)
                    .map_or(Grade::Unknown, |one| one.grade);
                Ranked {
                    peer: *peer,
                    grade,
                    score: Fixed::HALF,
                    uncertainty: Fixed::HALF,
                    explored: grade == Grade::Unknown,
                    closed: false,
                }
            })
            .collect();
        ranked.sort_by_key(|one| core::cmp::Reverse(one.grade));
        self.later(0, Input::Ranked { id, ranked });
    }

    /// Moves bytes for one step.
    fn flow(&mut self) {
        if self.outage.contains(&self.now) {
            return;
        }
        let peers: Vec<NodeId> = self.seeders.keys().copied().collect();
        for peer in peers {
            let active: Vec<RequestId> = self
                .streams
                .iter()
                .filter(|(_, one)| one.peer == peer && one.from <= self.now)
                .map(|(id, _)| *id)
                .collect();
            let Some(seeder) = self.seeders.get_mut(&peer) else {
                continue;
            };
            if active.is_empty() {
                seeder.carry = 0;
                continue;
            }
            seeder.carry += seeder.rate * STEP_MS / 1_000;
            // Streams take turns, group by group.
            let mut idle = 0;
            while idle < active.len() && self.seeders[&peer].carry >= GROUP_BYTES {
                let seeder = self.seeders.get_mut(&peer).unwrap();
                seeder.turn += 1;
                let id = active[seeder.turn % active.len()];
                idle = if self.send_group(id, peer) {
                    0
                } else {
                    idle + 1
                };
            }
        }
    }

    /// Sends one group on a stream; whether anything moved.
    fn send_group(&mut self, id: RequestId, peer: NodeId) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else {
            return false;
        };
        let Some(group) = stream.groups.get(stream.next).copied() else {
            return false;
        };
        if stream.allowed.is_some_and(|allowed| allowed < GROUP_BYTES) {
            return false;
        }
        let seeder = self.seeders.get_mut(&peer).unwrap();
        let request = id;
        match seeder.nature {
            Nature::Stalls(after) if seeder.sent >= after => return false,
            Nature::Breaks(percent) if self.rng.chance(percent, 100) => {
                self.streams.remove(&id);
                self.give(Input::Ended {
                    request,
                    end: StreamEnd::Lost,
                });
                return true;
            }
            _ => {}
        }
        seeder.carry -= GROUP_BYTES;
        seeder.sent += 1;
        let wrong_size = stream.size != self.size;
        let corrupt = matches!(seeder.nature, Nature::Corrupt(nth) if seeder.sent >= nth);
        // A tree of another size has another shape.
        if corrupt || wrong_size {
            self.streams.remove(&id);
            self.give(Input::Corrupt { request });
            return true;
        }
        stream.next += 1;
        if let Some(allowed) = &mut stream.allowed {
            *allowed -= GROUP_BYTES;
        }
        let done = stream.next >= stream.groups.len();
        if done {
            self.streams.remove(&id);
        }
        *self.delivered.entry(peer).or_default() += GROUP_BYTES;
        self.verified.insert(group..group + 1).unwrap();
        let groups = group..group + 1;
        self.give(Input::Received { request, groups });
        if done {
            let end = StreamEnd::Done;
            self.give(Input::Ended { request, end });
        }
        true
    }

    pub(crate) fn step(&mut self) {
        self.now += STEP_MS;
        while let Some(((at, _), _)) = self.queue.first_key_value() {
            if *at > self.now {
                break;
            }
            let Some((_, Action::Give(input))) = self.queue.pop_first() else {
                break;
            };
            match &input {
                Input::LinkUp { peer } => self.seeders.get_mut(peer).unwrap().linked = true,
                Input::LinkDown { peer } => self.streams.retain(|_, one| one.peer != *peer),
                _ => {}
            }
            self.give(input);
        }
        self.flow();
        let due = self.engine.next_deadline();
        if due.is_some_and(|due| due.as_millis() <= self.now) {
            self.give(Input::Tick);
        }
    }

    pub(crate) fn run(&mut self, for_at_most: Duration) -> Option<Duration> {
        let until = self.now + u64::try_from(for_at_most.as_millis()).unwrap();
        while self.now < until {
            self.step();
            if let Some(took) = self.finished() {
                return Some(took);
            }
        }
        None
    }

    pub(crate) fn finished(&self) -> Option<Duration> {
        self.events.iter().rev().find_map(|(_, event)| match event {
            Event::Finished { took, .. } => Some(*took),
            _ => None,
        })
    }

    pub(crate) fn cut(&mut self, peer: NodeId) {
        self.links.remove(&peer);
        self.streams.retain(|_, one| one.peer != peer);
        self.give(Input::LinkDown { peer });
    }

    pub(crate) fn lefts(&self, of: NodeId) -> Vec<Left> {
        let all = self.events.iter();
        all.filter_map(|(_, event)| match event {
            Event::Left { peer, why, .. } if *peer == of => Some(*why),
            _ => None,
        })
        .collect()
    }

    /// Everything that was opened is closed, and nobody is asked for anything.
    pub(crate) fn assert_tidy(&self) {
        assert!(
            self.opened.values().all(|count| *count == 0),
            "{:?}",
            self.opened
        );
        assert!(self.streams.is_empty());
        assert_eq!(self.engine.stats().requests, 0);
        assert!(self.links.is_empty(), "{:?}", self.links);
    }
}
