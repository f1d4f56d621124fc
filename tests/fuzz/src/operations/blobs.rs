//! The engine of blobs among honest and hostile peers, fetching and serving at once.

use core::iter;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use repute_base::{BoundedVec, Fixed, Machine, Rng, Timestamp};
use repute_blobs::{
    Blobs, Choice, Config, DownloadId, Event, Evidence, Grade, GroupRanges, Input, Limits, Order,
    Output, Ranked, Refusal, RequestId, StreamEnd, StreamId, Trouble,
};
use repute_identity::NodeId;
use repute_protocol::{
    BlobFrame, BlobHash, BlobHave, Contact, FromPeer, GROUP_BYTES, GroupList, Holdings, Tier,
    TransferAnswer, TransferRefusal, TransferRequest, groups_of,
};

use super::{
    cast::{address, honest, hostile, id, is_honest, peer},
    reader::{Clock, OPERATIONS_MAX, Reader, Timers, drain},
};

/// What the shell holds of each kind; beyond, the oldest is never answered.
const HELD_MAX: usize = 32;
/// The true sizes of the blobs there are.
const SIZES: [u64; 4] = [
    0,
    5 * GROUP_BYTES + 7,
    300 * GROUP_BYTES,
    9_000 * GROUP_BYTES + 1,
];

/// A request of the engine's, as the shell and the seeder see it.
struct Request {
    download: DownloadId,
    peer: NodeId,
    blob: usize,
    size: u64,
    left: GroupRanges,
    /// What may be read, where reading is paced.
    allowed: Option<u64>,
    serving: bool,
}

/// A stream that the engine serves.
struct Stream {
    peer: NodeId,
    allowed: Option<u64>,
    left: u64,
}

#[derive(Default)]
struct Download {
    blob: usize,
    verified: GroupRanges,
}

struct World {
    engine: Blobs,
    config: Config,
    limits: Limits,
    clock: Clock,
    linked: BTreeSet<NodeId>,
    closed: BTreeSet<NodeId>,
    downloads: BTreeMap<DownloadId, Download>,
    requests: BTreeMap<RequestId, Request>,
    used: BTreeSet<RequestId>,
    streams: BTreeMap<StreamId, Stream>,
    next_stream: u64,
    /// All that was ever here of each blob.
    had: [GroupRanges; SIZES.len()],
    dials: VecDeque<NodeId>,
    queries: VecDeque<(NodeId, usize)>,
    ranks: VecDeque<(DownloadId, Vec<NodeId>)>,
    delivered: BTreeMap<NodeId, u64>,
    praised: BTreeMap<NodeId, u64>,
    sent: BTreeMap<NodeId, u64>,
    taken: BTreeMap<NodeId, u64>,
    sessions: BTreeMap<NodeId, i32>,
}

fn limits() -> Limits {
    Limits {
        downloads_max: 3,
        candidates_max: 6,
        holdings_ranges_max: 8,
        held_max: 3,
        watchers_max: 3,
        dials_max: 3,
        requests_per_peer_max: 3,
        queue_max: 3,
        standings_max: 32,
        ..Limits::default()
    }
}

fn hash(blob: usize) -> BlobHash {
    BlobHash::from_bytes([u8::try_from(blob).unwrap() + 1; 32])
}

fn blob_of(hash: &BlobHash) -> usize {
    usize::from(hash.as_bytes()[0]) - 1
}

fn bytes_of(range: &core::ops::Range<u64>, size: u64) -> u64 {
    (range.end * GROUP_BYTES).min(size) - (range.start * GROUP_BYTES).min(size)
}

pub fn run(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let rng = Rng::from_u64(reader.number());
    let how = reader.byte();
    let rate = |bit: u8| (how & bit != 0).then_some(1 << 20);
    let config = Config {
        seeders: 3,
        upload_slots: 3,
        newcomer_slots: 1,
        download_rate: rate(1),
        download_peer_rate: rate(2),
        upload_rate: rate(4),
        ..Config::default()
    };
    let mut world = World {
        engine: Blobs::new(config.clone(), limits(), rng).unwrap(),
        config,
        limits: limits(),
        clock: Clock::new(),
        linked: BTreeSet::new(),
        closed: BTreeSet::new(),
        downloads: BTreeMap::new(),
        requests: BTreeMap::new(),
        used: BTreeSet::new(),
        streams: BTreeMap::new(),
        next_stream: 0,
        had: Default::default(),
        dials: VecDeque::new(),
        queries: VecDeque::new(),
        ranks: VecDeque::new(),
        delivered: BTreeMap::new(),
        praised: BTreeMap::new(),
        sent: BTreeMap::new(),
        taken: BTreeMap::new(),
        sessions: BTreeMap::new(),
    };
    for _ in 0..OPERATIONS_MAX {
        if reader.is_empty() {
            break;
        }
        let now = world.clock.step(&mut reader);
        world.operate(&mut reader, now);
        world.check();
    }
    world.give(world.clock.now(), Input::Shutdown);
    assert!(world.requests.is_empty() && world.streams.is_empty());
    assert_eq!(world.engine.stats().requests, 0);
    let open: Vec<_> = world
        .sessions
        .values()
        .filter(|count| **count != 0)
        .collect();
    assert!(open.is_empty(), "sessions that nobody closed");
}

impl World {
    fn operate(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        match reader.byte() % 20 {
            0 | 1 => self.link_up(reader, now),
            2 => self.link_down(reader, now),
            3..=6 => self.deliver(reader, now),
            7 => self.betray(reader, now),
            8 | 9 => self.honest_frame(reader, now),
            10 => self.hostile_frame(reader, now),
            11 => self.ask(reader, now),
            12 => self.send(reader, now),
            13 => self.order(reader, now),
            14 => self.wish(reader, now),
            15 => self.rank(reader, now),
            16 => self.provide(reader, now),
            17 => self.stand(reader, now),
            _ => self.serve_timers(reader),
        }
    }

    fn link_up(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let dialled = self.dials.pop_front();
        let peer = dialled.unwrap_or_else(|| id(peer(reader)));
        if self.linked.insert(peer) {
            self.give(now, Input::LinkUp { peer });
        }
    }

    fn link_down(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        if reader.flag()
            && let Some(peer) = self.dials.pop_front()
        {
            if !self.linked.contains(&peer) {
                self.give(now, Input::Unreachable { peer });
            }
            return;
        }
        let peer = id(peer(reader));
        self.lose(peer);
        self.give(now, Input::LinkDown { peer });
    }

    /// Streams end with their link.
    fn lose(&mut self, peer: NodeId) {
        self.linked.remove(&peer);
        self.requests.retain(|_, request| request.peer != peer);
        self.streams.retain(|_, stream| stream.peer != peer);
    }

    fn pick(&self, reader: &mut Reader<'_>) -> Option<RequestId> {
        let nth = usize::from(reader.byte()) % self.requests.len().max(1);
        self.requests.keys().nth(nth).copied()
    }

    /// A seeder answers, or sends some groups that are right.
    fn deliver(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let Some(id) = self.pick(reader) else { return };
        let (how, many) = (reader.byte(), 1 + reader.number() * 8);
        let request = self.requests.get_mut(&id).unwrap();
        let (peer, truth) = (request.peer, SIZES[request.blob]);
        if !request.serving {
            let answer = match how % 16 {
                0 => TransferAnswer::NotFound,
                1 => TransferAnswer::Busy {
                    retry_ms: u32::from(how) * 1_000,
                    place: 3,
                    tier: Tier::Newcomer,
                },
                2 => TransferAnswer::Refused {
                    reason: TransferRefusal::ALL[usize::from(how / 16) % 6],
                },
                _ => TransferAnswer::Serving { size: truth },
            };
            request.serving = answer == TransferAnswer::Serving { size: request.size };
            if !request.serving {
                // The shell reads no further.
                self.requests.remove(&id);
            }
            return self.give(
                now,
                Input::Answered {
                    request: id,
                    answer,
                },
            );
        }
        if how % 32 == 31 {
            self.requests.remove(&id);
            let end = StreamEnd::Lost;
            return self.give(now, Input::Ended { request: id, end });
        }
        let Some(first) = request.left.ranges().next() else {
            return;
        };
        let mut groups = first.start..first.end.min(first.start + many);
        if let Some(allowed) = &mut request.allowed {
            groups.end = groups.end.min(groups.start + *allowed / GROUP_BYTES);
            *allowed -= groups.end.saturating_sub(groups.start) * GROUP_BYTES;
        }
        if groups.is_empty() {
            return;
        }
        request.left.remove(groups.clone()).unwrap();
        let done = request.left.is_empty();
        let (blob, download) = (request.blob, request.download);
        if done {
            self.requests.remove(&id);
        }
        *self.delivered.entry(peer).or_default() += bytes_of(&groups, truth);
        self.had[blob].insert(groups.clone()).unwrap();
        if let Some(download) = self.downloads.get_mut(&download) {
            download.verified.insert(groups.clone()).unwrap();
        }
        self.give(
            now,
            Input::Received {
                request: id,
                groups,
            },
        );
        if done {
            let end = StreamEnd::Done;
            self.give(now, Input::Ended { request: id, end });
        }
    }

    /// A hostile seeder does what it likes; an honest one at most loses its network.
    fn betray(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let Some(id) = self.pick(reader) else { return };
        let (how, wide) = (reader.byte(), reader.wide());
        let request = self.requests.remove(&id).unwrap();
        let input = match how % 5 {
            _ if is_honest(&request.peer) => Input::Ended {
                request: id,
                end: StreamEnd::Lost,
            },
            0 => Input::Corrupt { request: id },
            1 => Input::Ended {
                request: id,
                end: StreamEnd::Malformed,
            },
            2 => Input::Ended {
                request: id,
                end: StreamEnd::Done,
            },
            3 => Input::Answered {
                request: id,
                answer: TransferAnswer::Busy {
                    retry_ms: u32::MAX,
                    place: u16::MAX,
                    tier: Tier::Trusted,
                },
            },
            _ if wide == request.size => Input::Corrupt { request: id },
            _ => Input::Answered {
                request: id,
                answer: TransferAnswer::Serving { size: wide },
            },
        };
        self.give(now, input);
    }

    /// What a peer has, told if it was asked, or what it gained, or that a turn has come.
    fn honest_frame(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let how = reader.byte();
        let frame = match self.queries.pop_front() {
            Some((peer, blob)) if is_honest(&peer) => {
                let (size, hash) = (SIZES[blob], hash(blob));
                let all = groups_of(size);
                let holdings = match how % 4 {
                    0 => Holdings::Part {
                        groups: GroupList::truncated(iter::once(all / 3..all)),
                        until: all,
                    },
                    _ => Holdings::All,
                };
                let have = BlobHave {
                    hash,
                    size,
                    holdings,
                    tier: Tier::Medium,
                    rate: 0,
                    slots_free: how,
                };
                (peer, BlobFrame::Have(have))
            }
            _ => {
                let (peer, hash) = (id(honest(reader)), hash(usize::from(how / 4) % SIZES.len()));
                let frame = match how % 4 {
                    0 => BlobFrame::Gone { hash },
                    1 => BlobFrame::Turn { hash },
                    2 => BlobFrame::Query {
                        hash,
                        from: reader.number(),
                    },
                    _ => BlobFrame::Update {
                        hash,
                        gained: GroupList::truncated(iter::once(0..1)),
                    },
                };
                (peer, frame)
            }
        };
        self.frame(now, frame);
    }

    fn hostile_frame(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let (how, peer) = (reader.byte(), id(hostile(reader)));
        let (a, b) = (reader.wide(), reader.wide());
        let hash = hash(usize::from(how / 8) % SIZES.len());
        let groups = || GroupList::truncated(iter::once(a.min(b)..a.max(b)));
        let size = match how % 8 {
            0 => a,
            _ => SIZES[blob_of(&hash)],
        };
        let frame = match how % 8 {
            0 | 1 => {
                let holdings = match reader.flag() && groups().end() <= groups_of(size) {
                    true => Holdings::Part {
                        groups: groups(),
                        until: b.min(groups_of(size)),
                    },
                    false => Holdings::All,
                };
                let (tier, rate, slots_free) = (Tier::Trusted, b, how);
                BlobFrame::Have(BlobHave {
                    hash,
                    size,
                    holdings,
                    tier,
                    rate,
                    slots_free,
                })
            }
            2 => BlobFrame::Query { hash, from: a },
            3 => BlobFrame::Gone { hash },
            4 => BlobFrame::Turn { hash },
            _ => BlobFrame::Update {
                hash,
                gained: groups(),
            },
        };
        self.frame(now, (peer, frame));
    }

    fn frame(&mut self, now: Timestamp, (peer, frame): (NodeId, BlobFrame)) {
        if self.linked.contains(&peer) {
            self.give(now, Input::Frame(FromPeer::authenticated(peer, frame)));
        }
    }

    /// Somebody asks for groups.
    fn ask(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let (peer, how) = (id(peer(reader)), reader.byte());
        let (start, len) = (reader.wide(), reader.wide());
        if !self.linked.contains(&peer) || self.streams.len() >= HELD_MAX {
            return;
        }
        let groups = GroupList::truncated(iter::once(start..start.saturating_add(len)));
        if groups.is_empty() {
            return;
        }
        let request = TransferRequest {
            version: 1 + u8::from(how.is_multiple_of(32)),
            hash: hash(usize::from(how) % SIZES.len()),
            groups,
            session: len,
        };
        self.next_stream += 1;
        let stream = StreamId(self.next_stream);
        let groups: GroupRanges = request.groups.ranges().collect();
        let input = Input::Asked {
            peer,
            stream,
            request: request.clone(),
        };
        let outputs = self.handle(now, input);
        let answers: Vec<_> = outputs
            .iter()
            .filter_map(|output| match output {
                Output::Answer { stream: on, answer } if *on == stream => Some(*answer),
                _ => None,
            })
            .collect();
        assert_eq!(answers.len(), 1, "one answer to each request");
        let serving = matches!(answers[0], TransferAnswer::Serving { .. });
        for output in outputs {
            if let Output::Serve {
                stream: on,
                hash,
                groups: served,
                paced,
            } = &output
            {
                assert_eq!((*on, *hash, served), (stream, request.hash, &groups));
                assert!(served.is_subset(&self.had[blob_of(hash)]), "it is not here");
                let left = served.len() * GROUP_BYTES;
                let allowed = paced.then_some(0);
                let stream = Stream {
                    peer,
                    allowed,
                    left,
                };
                self.streams.insert(*on, stream);
                continue;
            }
            self.act(output);
        }
        assert_eq!(serving, self.streams.contains_key(&stream));
    }

    /// Bytes go out, or a stream ends.
    fn send(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let nth = usize::from(reader.byte()) % self.streams.len().max(1);
        let (how, bytes) = (reader.byte(), reader.wide());
        let Some((id, stream)) = self.streams.iter_mut().nth(nth) else {
            return;
        };
        let (id, peer) = (*id, stream.peer);
        if how.is_multiple_of(8) || stream.left == 0 {
            let end = match how / 8 {
                0..4 => StreamEnd::Lost,
                4 if !is_honest(&peer) => StreamEnd::Malformed,
                5 => StreamEnd::Local,
                _ => StreamEnd::Done,
            };
            self.streams.remove(&id);
            return self.give(now, Input::SentAll { stream: id, end });
        }
        let bytes = bytes
            .min(stream.left)
            .min(stream.allowed.unwrap_or(u64::MAX));
        stream.left -= bytes;
        if let Some(allowed) = &mut stream.allowed {
            *allowed -= bytes;
        }
        *self.sent.entry(peer).or_default() += bytes;
        self.give(now, Input::Sent { stream: id, bytes });
    }

    fn order(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let (how, id) = (reader.byte(), DownloadId(reader.number() % 5));
        let blob = usize::from(how) % SIZES.len();
        let verified = match how / 4 % 4 {
            3 => GroupRanges::of(0..groups_of(SIZES[blob]) / 2),
            _ => GroupRanges::new(),
        };
        let size = match how / 16 % 4 {
            _ if !verified.is_empty() => Some(SIZES[blob]),
            0 => None,
            1 => Some(reader.wide()),
            _ => Some(SIZES[blob]),
        };
        let contacts = self.contacts(reader);
        let only = match how / 64 {
            3 => contacts.iter().take(2).map(|one| one.id).collect(),
            _ => Vec::new(),
        };
        let choice = Choice {
            only,
            grade_min: (how / 64 == 2).then_some(Grade::Low),
            dry_run: how == 255,
            ..Choice::default()
        };
        if !self.downloads.contains_key(&id) {
            self.had[blob] = self.had[blob].union(&verified);
            let verified = verified.clone();
            self.downloads.insert(id, Download { blob, verified });
        }
        let order = Order {
            id,
            hash: hash(blob),
            size,
            verified,
            peers: contacts,
            choice,
        };
        self.give(now, Input::Download(Box::new(order)));
    }

    fn wish(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let (how, nth) = (reader.byte(), reader.number());
        let id = DownloadId(nth % 5);
        let blob = usize::from(how / 8) % SIZES.len();
        let (hash, size) = (hash(blob), SIZES[blob]);
        let input = match how % 8 {
            0 => Input::Pause { id },
            1 | 2 => Input::Resume { id },
            3 => {
                self.downloads.remove(&id);
                Input::Cancel { id }
            }
            4 => Input::Unshare { hash },
            5 => Input::Trouble {
                id,
                kind: [Trouble::DiskFull, Trouble::Store][usize::from(how) / 8 % 2],
            },
            _ => {
                let groups = match nth % 4 {
                    0 => GroupRanges::of(0..groups_of(size).min(nth + 1)),
                    _ => GroupRanges::of(0..groups_of(size)),
                };
                self.had[blob] = self.had[blob].union(&groups);
                Input::Share { hash, size, groups }
            }
        };
        self.give(now, input);
    }

    fn rank(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        const GRADES: [Grade; 6] = [
            Grade::Distrusted,
            Grade::Unknown,
            Grade::Low,
            Grade::Medium,
            Grade::High,
            Grade::Trusted,
        ];
        let Some((id, peers)) = self.ranks.pop_front() else {
            return;
        };
        let ranked = peers.into_iter().map(|peer| {
            let grade = GRADES[usize::from(reader.byte()) % 6];
            Ranked {
                peer,
                grade,
                score: Fixed::HALF,
                uncertainty: Fixed::HALF,
                explored: grade == Grade::Unknown,
                closed: self.closed.contains(&peer),
            }
        });
        let ranked = ranked.collect();
        self.give(now, Input::Ranked { id, ranked });
    }

    fn contacts(&self, reader: &mut Reader<'_>) -> Vec<Contact> {
        let named = reader.take(9).iter().map(|n| Contact {
            id: id(*n),
            addresses: BoundedVec::truncated([address(*n)]),
        });
        named.collect()
    }

    fn provide(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let hash = hash(usize::from(reader.byte()) % SIZES.len());
        let contacts = self.contacts(reader);
        self.give(now, Input::Providers { hash, contacts });
    }

    fn stand(&mut self, reader: &mut Reader<'_>, now: Timestamp) {
        let (peer, how) = (id(peer(reader)), reader.byte());
        if how % 4 == 3 {
            let session = reader.wide();
            return self.give(now, Input::Session { peer, session });
        }
        let closed = how % 4 == 2;
        match closed {
            true => self.closed.insert(peer),
            false => self.closed.remove(&peer),
        };
        let tier = Tier::ALL[usize::from(how / 4) % 4];
        self.give(now, Input::Standing { peer, tier, closed });
    }

    fn serve_timers(&mut self, reader: &mut Reader<'_>) {
        let mut timers = Timers::new(&self.clock, reader);
        loop {
            let due = self.engine.next_deadline().map(|due| due.as_millis());
            if !timers.advance(&mut self.clock, due) {
                return;
            }
            self.give(self.clock.now(), Input::Tick);
        }
    }

    fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        self.engine.handle(now, input);
        drain(&mut self.engine)
    }

    fn give(&mut self, now: Timestamp, input: Input) {
        for output in self.handle(now, input) {
            self.act(output);
        }
    }

    fn act(&mut self, output: Output) {
        match output {
            Output::Link { peer, .. } => {
                self.dials.push_back(peer);
                assert!(self.dials.len() <= 10_000);
            }
            Output::Send {
                peer,
                frame: BlobFrame::Query { hash, .. },
            } => {
                self.queries.push_back((peer, blob_of(&hash)));
                self.queries.truncate(HELD_MAX);
            }
            Output::Send { .. } => {}
            Output::Rank { id, peers } => {
                assert!(peers.len() <= self.limits.candidates_max);
                self.ranks.push_back((id, peers));
                self.ranks.truncate(HELD_MAX);
            }
            Output::Open { peer } => *self.sessions.entry(peer).or_default() += 1,
            Output::Close { peer, .. } => *self.sessions.entry(peer).or_default() -= 1,
            Output::Request {
                request,
                id,
                peer,
                transfer,
                size,
                paced,
            } => {
                let left: GroupRanges = transfer.groups.ranges().collect();
                self.judge(id, peer, &left, size);
                assert!(self.used.insert(request), "a number is used twice");
                let blob = blob_of(&transfer.hash);
                let allowed = paced.then_some(0);
                let one = Request {
                    download: id,
                    peer,
                    blob,
                    size,
                    left,
                    allowed,
                    serving: false,
                };
                self.requests.insert(request, one);
            }
            Output::Receive { request, bytes } => {
                if let Some(request) = self.requests.get_mut(&request) {
                    *request.allowed.as_mut().expect("it is paced") += bytes;
                }
            }
            Output::Cancel { request } => {
                self.requests.remove(&request);
            }
            Output::Serve { .. } => panic!("only who asks is served"),
            Output::Transmit { stream, bytes } => {
                if let Some(stream) = self.streams.get_mut(&stream) {
                    *stream.allowed.as_mut().expect("it is paced") += bytes;
                }
            }
            Output::Stop { stream } => {
                self.streams.remove(&stream);
            }
            Output::Misbehaviour { peer, kind } => {
                assert!(!is_honest(&peer), "an honest peer is accused of {kind}");
            }
            Output::Evidence { peer, evidence } => self.hear(peer, evidence),
            Output::Event(event) => self.told(&event),
            _ => {}
        }
    }

    /// What must hold of any request.
    fn judge(&self, id: DownloadId, peer: NodeId, groups: &GroupRanges, size: u64) {
        assert!(!groups.is_empty() && groups.len() <= self.limits.request_groups_max);
        assert!(groups.last().unwrap() < groups_of(size));
        let download = self
            .downloads
            .get(&id)
            .expect("of a download that is there");
        let again = groups.intersection(&download.verified);
        assert!(again.is_empty(), "{again:?} is there already");
        let of_download = || self.requests.values().filter(|one| one.download == id);
        let twice = of_download().filter(|one| !one.left.intersection(groups).is_empty());
        assert!(
            twice.count() <= 1,
            "nothing is asked for three times at once"
        );
        let to_peer = of_download().filter(|one| one.peer == peer);
        assert!(to_peer.count() < self.config.requests_per_seeder);
        let peers: BTreeSet<_> = of_download().map(|one| one.peer).chain([peer]).collect();
        assert!(peers.len() <= self.config.seeders);
        assert!(self.linked.contains(&peer), "asked without a link");
        assert!(!self.closed.contains(&peer), "asked behind a closed gate");
    }

    /// Nobody is praised or blamed for more than came.
    fn hear(&mut self, peer: NodeId, evidence: Evidence) {
        let (told, true_bytes, bytes) = match evidence {
            Evidence::Served { bytes, .. } | Evidence::Stalled { bytes, .. } => {
                (&mut self.praised, &self.delivered, bytes)
            }
            Evidence::Took { bytes, .. } => (&mut self.taken, &self.sent, bytes),
            _ => return,
        };
        let told = told.entry(peer).or_default();
        *told += bytes;
        let most = true_bytes.get(&peer).copied().unwrap_or_default();
        assert!(*told <= most, "{told} bytes told where {most} moved");
    }

    fn told(&mut self, event: &Event) {
        match event {
            Event::Finished { id, size, .. } => {
                let download = self.downloads.remove(id).expect("it was ordered");
                let truth = SIZES[download.blob];
                assert_eq!(*size, truth);
                assert_eq!(download.verified.len(), groups_of(truth));
            }
            Event::Refused {
                id,
                reason: Refusal::TooMany | Refusal::TooLarge | Refusal::Stopping,
            } => {
                self.downloads.remove(id);
            }
            _ => {}
        }
    }

    fn check(&self) {
        let stats = self.engine.stats();
        assert!(stats.downloads <= self.limits.downloads_max);
        assert!(stats.held <= self.limits.held_max);
        assert!(stats.served.0 <= self.config.upload_slots);
        assert!(stats.served.1 <= self.limits.queue_max);
        let most = stats.downloads * self.config.seeders * self.config.requests_per_seeder;
        assert!(stats.requests <= most, "{} of {most}", stats.requests);
        assert_eq!(self.engine.progress().count(), stats.downloads);
        let served: BTreeSet<_> = self.streams.values().map(|one| one.peer).collect();
        assert!(
            served.is_disjoint(&self.closed),
            "served behind a closed gate"
        );
        for request in self.requests.values() {
            assert!(
                !self.closed.contains(&request.peer),
                "asked behind a closed gate"
            );
        }
    }
}
