#![allow(
    clippy::indexing_slicing,
    reason = "nodes are numbered, and never come or go"
)]

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    ops::Range,
    time::Duration,
};

use repute_base::{Fixed, Machine, Rng, Timestamp};
use repute_blobs::{
    Choice, DownloadId, Event, Evidence, Grade, GroupRanges, Input, Order, Output, Ranked,
    RequestId, StreamEnd, StreamId,
};
use repute_identity::NodeId;
use repute_protocol::{Contact, FromPeer, GROUP_BYTES, Misbehaviour, groups_of};

use super::{
    member::{Member, Nature, Stream, bytes, id, number_of},
    shelf::{Shelf, hash_of},
};

const START: u64 = 1_700_000_000_000;
/// How long anything takes to the other end.
const LATENCY_MS: u64 = 40;
/// How often a seeder sends.
const PUMP_MS: u64 = 100;
/// Downloads of each honest node.
const DOWNLOADS: usize = 24;
/// How long a node waits between two, at most.
const PAUSE_MS: u64 = 300_000;
/// How long all of it may take.
const END_MS: u64 = 4 * 3_600_000;

/// How seeders are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// By the models of the trust engine.
    Ranked,
    /// At random: nothing is remembered of anybody.
    Random,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Report {
    pub(super) begun: u64,
    pub(super) complete: u64,
    /// Bytes that arrived, of any kind.
    pub(super) received: u64,
    /// Of these, bytes of groups that were wrong.
    pub(super) bad: u64,
    /// Bytes that were there already.
    pub(super) twice: u64,
    /// Bytes that arrived on streams given up.
    pub(super) vain: u64,
    pub(super) requests: u64,
    pub(super) requests_hostile: u64,
    pub(super) corrupt: u64,
    pub(super) stalled: u64,
    pub(super) stalled_honest: u64,
    /// Bytes a second, over all downloads.
    pub(super) rate: f64,
    pub(super) simulated: Duration,
    times: Vec<Duration>,
    accused: Vec<String>,
}

impl Report {
    /// The time within which so many of a hundred downloads were done.
    pub(super) fn took(&self, percent: usize) -> Duration {
        let place = (self.times.len() * percent).div_ceil(100).max(1) - 1;
        self.times.get(place).copied().unwrap_or_default()
    }

    pub(super) fn breaches(&self) -> Vec<String> {
        let mut all = self.accused.clone();
        if self.corrupt == 0 {
            all.push("nobody sent anything wrong".into());
        }
        all
    }
}

enum Happening {
    Give(usize, Input),
    /// Groups on a stream; whether they are right, and the last.
    Arrive(StreamId, Range<u64>, bool, bool),
    Pump(usize),
    Wake(usize),
    Begin(usize),
}

/// A thousand nodes that fetch from each other.
pub(super) struct Fetching {
    now: u64,
    nodes: Vec<Member>,
    shelf: Shelf,
    streams: BTreeMap<StreamId, Stream>,
    /// By client and request.
    requests: BTreeMap<(usize, RequestId), StreamId>,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    sequence: u64,
    numbers: u64,
    selection: Selection,
    rng: Rng,
    report: Report,
    /// Bytes of the files that are there.
    fetched: u64,
}

impl Fetching {
    pub(super) fn new(seed: u64, count: usize, selection: Selection) -> Self {
        let mut rng = Rng::from_u64(seed);
        let honest = count * 7 / 10;
        let shelf = Shelf::new(count, &mut rng);
        let stock = shelf.stock(count, honest, &mut rng);
        let nodes = (0..count).map(|number| Member::new(number, honest, DOWNLOADS, &mut rng));
        let mut fetching = Self {
            now: 0,
            nodes: nodes.collect(),
            shelf,
            streams: BTreeMap::new(),
            requests: BTreeMap::new(),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            sequence: 0,
            numbers: 0,
            selection,
            rng,
            report: Report::default(),
            fetched: 0,
        };
        for (number, files) in stock.into_iter().enumerate() {
            for file in files {
                fetching.nodes[number].has.insert(file);
                let size = fetching.shelf.size(file);
                let groups = GroupRanges::of(0..groups_of(size));
                let hash = hash_of(file);
                fetching.give(number, Input::Share { hash, size, groups });
            }
        }
        for number in 0..honest {
            let pause = fetching.rng.below(PAUSE_MS);
            fetching.later(pause, Happening::Begin(number));
        }
        fetching
    }

    pub(super) fn run(mut self) -> Report {
        while let Some(Reverse((at, sequence))) = self.queue.pop() {
            if at > END_MS {
                break;
            }
            self.now = at;
            match self.happenings.remove(&sequence) {
                Some(Happening::Give(number, input)) => self.give(number, input),
                Some(Happening::Arrive(stream, groups, good, last)) => {
                    self.arrive(stream, groups, good, last);
                }
                Some(Happening::Pump(number)) => self.pump(number),
                Some(Happening::Wake(number)) if self.nodes[number].wake == at => {
                    self.nodes[number].wake = u64::MAX;
                    self.give(number, Input::Tick);
                }
                Some(Happening::Begin(number)) => self.begin(number),
                Some(Happening::Wake(_)) | None => {}
            }
        }
        let report = &mut self.report;
        report.times.sort_unstable();
        report.simulated = Duration::from_millis(self.now);
        let sum: Duration = report.times.iter().sum();
        report.rate = self.fetched as f64 / sum.as_secs_f64().max(1.0);
        self.report
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.now, START + self.now)
    }

    fn later(&mut self, ms: u64, happening: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse((self.now + ms, self.sequence)));
        self.happenings.insert(self.sequence, happening);
    }

    fn later_give(&mut self, number: usize, input: Input) {
        self.later(LATENCY_MS, Happening::Give(number, input));
    }

    /// A node wants a file that it does not have.
    fn begin(&mut self, number: usize) {
        let node = &self.nodes[number];
        if node.left == 0 {
            return;
        }
        let tries = (0..50).map(|_| self.shelf.draw(&mut self.rng));
        let has = &self.nodes[number].has;
        let Some(file) = tries.into_iter().find(|file| !has.contains(file)) else {
            return;
        };
        let node = &mut self.nodes[number];
        node.left -= 1;
        self.numbers += 1;
        let id = DownloadId(self.numbers);
        node.fetching.insert(id, file);
        node.has.insert(file);
        self.report.begun += 1;
        let order = Order {
            id,
            hash: hash_of(file),
            size: Some(self.shelf.size(file)),
            verified: GroupRanges::new(),
            peers: Vec::new(),
            choice: Choice::default(),
        };
        self.give(number, Input::Download(Box::new(order)));
    }

    fn give(&mut self, number: usize, input: Input) {
        let now = self.at();
        self.nodes[number].engine.handle(now, input);
        while let Some(output) = self.nodes[number].engine.poll_output() {
            self.act(number, output);
        }
        let node = &mut self.nodes[number];
        if let Some(due) = node.engine.next_deadline() {
            let due = due.as_millis().max(self.now);
            if due < node.wake {
                node.wake = due;
                self.later(due - self.now, Happening::Wake(number));
            }
        }
    }

    fn act(&mut self, number: usize, output: Output) {
        let me = id(number);
        match output {
            Output::Find { hash } => {
                let found = self.shelf.find(hash, number, &mut self.rng);
                let contact = |other: &usize| Contact {
                    id: id(*other),
                    addresses: Vec::new().try_into().unwrap_or_default(),
                };
                let contacts = found.iter().map(contact).collect();
                let input = Input::Providers { hash, contacts };
                self.later(300, Happening::Give(number, input));
            }
            Output::Announce { hash, .. } => self.shelf.provide(hash, number),
            Output::Withdraw { hash } => self.shelf.withdraw(hash, number),
            Output::Link { peer, .. } => self.link(number, number_of(&peer)),
            Output::Unlink { peer } => self.unlink(number, number_of(&peer)),
            Output::Send { peer, frame } => {
                let to = number_of(&peer);
                if self.nodes[number].links.contains(&to) {
                    let frame = FromPeer::authenticated(me, frame);
                    self.later_give(to, Input::Frame(frame));
                }
            }
            Output::Rank { id, peers } => {
                let ranked = self.rank(number, &peers);
                self.later(0, Happening::Give(number, Input::Ranked { id, ranked }));
            }
            Output::Request {
                request,
                peer,
                transfer,
                ..
            } => {
                let server = number_of(&peer);
                self.report.requests += 1;
                let hostile = self.nodes[server].nature != Nature::Honest;
                self.report.requests_hostile += u64::from(hostile);
                self.numbers += 1;
                let stream = StreamId(self.numbers);
                let turns_at = 1 + self.rng.below(64);
                let entry = Stream {
                    client: number,
                    server,
                    request,
                    rest: transfer.groups.ranges().collect(),
                    sent: 0,
                    turns_at,
                };
                self.streams.insert(stream, entry);
                self.requests.insert((number, request), stream);
                let input = Input::Asked {
                    peer: me,
                    stream,
                    request: transfer,
                };
                self.later_give(server, input);
            }
            Output::Cancel { request } => self.cancel(number, request),
            Output::Answer { stream, answer } => {
                if let Some(entry) = self.streams.get(&stream) {
                    let (client, request) = (entry.client, entry.request);
                    self.later_give(client, Input::Answered { request, answer });
                    if !matches!(answer, repute_protocol::TransferAnswer::Serving { .. }) {
                        self.drop_stream(stream);
                    }
                }
            }
            Output::Serve { stream, .. } => {
                if self.streams.contains_key(&stream) {
                    self.nodes[number].giving.push_back(stream);
                    self.start_pump(number);
                } else {
                    let end = StreamEnd::Lost;
                    self.later(0, Happening::Give(number, Input::SentAll { stream, end }));
                }
            }
            Output::Stop { stream } => {
                if let Some(entry) = self.drop_stream(stream) {
                    let (request, end) = (entry.request, StreamEnd::Lost);
                    self.later_give(entry.client, Input::Ended { request, end });
                }
            }
            Output::Misbehaviour { peer, kind } => self.accused(number, peer, kind),
            Output::Evidence { peer, evidence } => self.measured(number, peer, evidence),
            Output::Event(Event::Finished { id, took, size, .. }) => {
                self.report.complete += 1;
                self.report.times.push(took);
                self.fetched += size;
                self.nodes[number].fetching.remove(&id);
                let pause = self.rng.below(PAUSE_MS);
                self.later(pause, Happening::Begin(number));
            }
            _ => {}
        }
    }

    fn rank(&mut self, number: usize, peers: &[NodeId]) -> Vec<Ranked> {
        let now = self.at();
        if self.selection == Selection::Ranked {
            return self.nodes[number].judge.rank(now, peers);
        }
        let mut peers = peers.to_vec();
        self.rng.shuffle(&mut peers);
        let ranked = |peer| Ranked {
            peer,
            grade: Grade::Unknown,
            score: Fixed::HALF,
            uncertainty: Fixed::ONE,
            explored: false,
            closed: false,
        };
        peers.into_iter().map(ranked).collect()
    }

    fn accused(&mut self, number: usize, peer: NodeId, kind: Misbehaviour) {
        let (now, of) = (self.at(), number_of(&peer));
        if self.nodes[of].nature == Nature::Honest {
            let text = format!("{number} accuses the honest {of} of {kind}");
            self.report.accused.push(text);
        }
        self.nodes[number].judge.misbehaved(now, peer, kind);
        self.tell_standing(number, of);
    }

    fn measured(&mut self, number: usize, peer: NodeId, evidence: Evidence) {
        let (now, of) = (self.at(), number_of(&peer));
        if matches!(evidence, Evidence::Stalled { .. }) {
            self.report.stalled += 1;
            let honest = self.nodes[of].nature == Nature::Honest;
            self.report.stalled_honest += u64::from(honest);
        }
        self.nodes[number].judge.measured(now, peer, &evidence);
        self.tell_standing(number, of);
    }

    fn tell_standing(&mut self, number: usize, of: usize) {
        if self.selection == Selection::Ranked {
            let (tier, closed) = self.nodes[number].judge.standing(self.at(), id(of));
            let peer = id(of);
            let input = Input::Standing { peer, tier, closed };
            self.later(0, Happening::Give(number, input));
        }
    }

    fn link(&mut self, number: usize, to: usize) {
        self.nodes[number].wants.insert(to);
        self.nodes[number].links.insert(to);
        self.nodes[to].links.insert(number);
        for (end, other) in [(number, to), (to, number)] {
            self.tell_standing(end, other);
            let peer = id(other);
            self.later_give(end, Input::LinkUp { peer });
        }
    }

    fn unlink(&mut self, number: usize, to: usize) {
        self.nodes[number].wants.remove(&to);
        if self.nodes[to].wants.contains(&number) || !self.nodes[number].links.remove(&to) {
            return;
        }
        self.nodes[to].links.remove(&number);
        let ends = [(number, to), (to, number)];
        let between = |one: &Stream| ends.contains(&(one.client, one.server));
        let all = self.streams.iter();
        let cut: Vec<StreamId> = all
            .filter(|(_, one)| between(one))
            .map(|(stream, _)| *stream)
            .collect();
        for stream in cut {
            self.drop_stream(stream);
        }
        for (end, other) in ends {
            let peer = id(other);
            self.later(0, Happening::Give(end, Input::LinkDown { peer }));
        }
    }

    fn drop_stream(&mut self, stream: StreamId) -> Option<Stream> {
        let entry = self.streams.remove(&stream)?;
        self.requests.remove(&(entry.client, entry.request));
        self.nodes[entry.server].giving.retain(|one| *one != stream);
        Some(entry)
    }

    fn cancel(&mut self, number: usize, request: RequestId) {
        let Some(stream) = self.requests.get(&(number, request)).copied() else {
            return;
        };
        if let Some(entry) = self.drop_stream(stream) {
            let end = StreamEnd::Lost;
            self.later_give(entry.server, Input::SentAll { stream, end });
        }
    }

    fn start_pump(&mut self, number: usize) {
        if !self.nodes[number].pumping {
            self.nodes[number].pumping = true;
            self.later(PUMP_MS, Happening::Pump(number));
        }
    }

    /// A seeder sends what it can in a moment, its streams in turn.
    fn pump(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        node.pumping = false;
        if node.giving.is_empty() {
            node.carry = 0;
            return;
        }
        node.carry += node.rate * PUMP_MS / 1_000;
        let streams: Vec<StreamId> = node.giving.iter().copied().collect();
        let groups = node.carry / GROUP_BYTES;
        let share = groups.div_ceil(streams.len() as u64).max(1);
        let nature = node.nature;
        for stream in streams {
            let afford = self.nodes[number].carry / GROUP_BYTES;
            if afford == 0 {
                break;
            }
            self.send(number, nature, stream, share.min(afford));
        }
        // Whoever was first is last.
        let node = &mut self.nodes[number];
        if !node.giving.is_empty() {
            node.giving.rotate_left(1);
        }
        self.start_pump(number);
    }

    fn send(&mut self, number: usize, nature: Nature, stream: StreamId, most: u64) {
        let Some(entry) = self.streams.get_mut(&stream) else {
            return;
        };
        let turned = entry.sent >= entry.turns_at;
        if nature == Nature::Stalls && turned {
            return;
        }
        let good = !(nature == Nature::Corrupts && turned);
        let most = match nature {
            Nature::Corrupts | Nature::Stalls if !turned => most.min(entry.turns_at - entry.sent),
            _ if good => most,
            _ => 1,
        };
        let Some(groups) = entry.take(most) else {
            return;
        };
        let done = entry.rest.is_empty();
        self.nodes[number].carry -= bytes(&groups);
        let sent = bytes(&groups);
        self.later(LATENCY_MS, Happening::Arrive(stream, groups, good, done));
        let input = Input::Sent {
            stream,
            bytes: sent,
        };
        self.later(0, Happening::Give(number, input));
        if done || !good {
            self.nodes[number].giving.retain(|one| *one != stream);
            let end = StreamEnd::Done;
            self.later(0, Happening::Give(number, Input::SentAll { stream, end }));
        }
    }

    /// Groups reach whoever asked, if it still wants them.
    fn arrive(&mut self, stream: StreamId, groups: Range<u64>, good: bool, last: bool) {
        let sent = bytes(&groups);
        self.report.received += sent;
        let Some(entry) = self.streams.get(&stream) else {
            self.report.vain += sent;
            return;
        };
        let (client, request) = (entry.client, entry.request);
        if !good {
            self.report.bad += sent;
            self.report.corrupt += 1;
            self.drop_stream(stream);
            return self.give(client, Input::Corrupt { request });
        }
        let before = self.nodes[client].engine.stats().bytes_duplicate;
        self.give(client, Input::Received { request, groups });
        self.report.twice += self.nodes[client].engine.stats().bytes_duplicate - before;
        if last && self.streams.contains_key(&stream) {
            self.drop_stream(stream);
            let end = StreamEnd::Done;
            self.give(client, Input::Ended { request, end });
        }
    }
}
