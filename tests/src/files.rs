//! Files among simulated nodes: the shell's part of a transfer, with groups that are only numbers.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    time::Duration,
};

use bytes::Bytes;
use repute_base::{Mono, Timestamp, codec};
use repute_blobs::{
    DownloadId, Event, GroupRanges, Input, Order, Output, RequestId, StreamEnd, StreamId,
};
use repute_identity::NodeId;
use repute_protocol::{BlobHash, TransferAnswer, TransferRequest, groups_of};
use repute_sim::Outbox;

use crate::CoreHost;

/// What a packet of a transfer begins with: no frame has the length zero.
const MARK: &[u8] = &[0, 0, 0, 0, b'T'];
/// How often a seeder sends, and how many groups of one stream at once: 4 MiB/s.
const PUMP: Duration = Duration::from_millis(50);
const PUMP_GROUPS: u64 = 16;

/// What a node does when it is asked for groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conduct {
    /// Serves them.
    #[default]
    Honest,
    /// Sends a wrong one after so many right ones.
    Corrupts(u64),
    /// Says nothing more after so many.
    Stalls(u64),
    /// So many times slower than the others.
    Crawls(u64),
}

/// A request of another node that is served.
struct Serving {
    peer: NodeId,
    request: u64,
    rest: VecDeque<Range<u64>>,
    sent: u64,
}

/// A request of this node.
struct Asked {
    peer: NodeId,
    hash: BlobHash,
    size: u64,
    download: DownloadId,
}

/// What this node has, and what is on its way.
#[derive(Default)]
pub struct Files {
    /// What it does with others' requests.
    pub conduct: Conduct,
    /// What happened to its downloads.
    pub events: Vec<Event>,
    /// Groups of each blob that are here, durable at once.
    shelf: BTreeMap<BlobHash, (u64, GroupRanges)>,
    requests: BTreeMap<u64, Asked>,
    serving: BTreeMap<StreamId, Serving>,
    streams: u64,
    pump_at: Option<Mono>,
    /// Groups that came and were right; by download, and by who sent them.
    pub came: BTreeMap<(DownloadId, NodeId), u64>,
    /// Groups that came and were wrong.
    pub wrong: u64,
}

/// What two shells say to each other about one transfer.
enum Said {
    Ask(TransferRequest),
    Answer(TransferAnswer),
    Groups(Range<u64>, bool),
    Done,
    Reset,
}

impl Files {
    /// What is here of a blob.
    pub fn held(&self, hash: &BlobHash) -> GroupRanges {
        let known = self.shelf.get(hash);
        known.map_or_else(GroupRanges::new, |(_, groups)| groups.clone())
    }

    /// Whether all of a blob is here.
    pub fn is_whole(&self, hash: &BlobHash) -> bool {
        let known = self.shelf.get(hash);
        known.is_some_and(|(size, groups)| groups.len() == groups_of(*size))
    }

    /// Puts a whole blob on the shelf.
    pub(crate) fn put(&mut self, hash: BlobHash, size: u64) -> Input {
        let groups = GroupRanges::of(0..groups_of(size));
        self.shelf.insert(hash, (size, groups.clone()));
        Input::Share { hash, size, groups }
    }

    /// The order, with what is here already.
    pub(crate) fn order(&self, order: Order) -> Input {
        let verified = self.held(&order.hash);
        Input::Download(Box::new(Order { verified, ..order }))
    }

    /// What a new life begins with: the shelf is durable, all else is gone.
    pub(crate) fn reborn(self) -> Self {
        Self {
            conduct: self.conduct,
            shelf: self.shelf,
            ..Self::default()
        }
    }

    /// What a new life shares: all that is whole.
    pub(crate) fn share_again(&self) -> Vec<Input> {
        let whole = self.shelf.iter().filter(|(hash, _)| self.is_whole(hash));
        let share = |(hash, (size, groups)): (&BlobHash, &(u64, GroupRanges))| Input::Share {
            hash: *hash,
            size: *size,
            groups: groups.clone(),
        };
        whole.map(share).collect()
    }

    /// What the core wants done. What to send goes into `out`, what follows at once comes back.
    pub(crate) fn perform(
        &mut self,
        now: Mono,
        output: Output,
        out: &mut Outbox<Bytes>,
    ) -> Option<Input> {
        match output {
            Output::Request {
                request,
                id,
                peer,
                transfer,
                size,
                ..
            } => {
                let asked = Asked {
                    peer,
                    hash: transfer.hash,
                    size,
                    download: id,
                };
                self.requests.insert(request.0, asked);
                out.send(peer, encode(request.0, &Said::Ask(transfer)));
            }
            Output::Cancel { request } => {
                if let Some(asked) = self.requests.remove(&request.0) {
                    out.send(asked.peer, encode(request.0, &Said::Reset));
                }
            }
            Output::Answer { stream, answer } => {
                let serves = matches!(answer, TransferAnswer::Serving { .. });
                if let Some(serving) = self.serving.get(&stream) {
                    let packet = encode(serving.request, &Said::Answer(answer));
                    out.send(serving.peer, packet);
                }
                if !serves {
                    self.serving.remove(&stream);
                }
            }
            Output::Serve { stream, groups, .. } => {
                let Some(serving) = self.serving.get_mut(&stream) else {
                    let end = StreamEnd::Lost;
                    return Some(Input::SentAll { stream, end });
                };
                serving.rest = groups.ranges().collect();
                self.pump_at.get_or_insert(now + PUMP);
            }
            Output::Stop { stream } => {
                if let Some(serving) = self.serving.remove(&stream) {
                    out.send(serving.peer, encode(serving.request, &Said::Done));
                }
            }
            _ => {}
        }
        None
    }

    /// Another shell said something.
    pub(crate) fn hears(&mut self, from: NodeId, packet: &Bytes) -> Vec<Input> {
        let Some((number, said)) = decode(packet) else {
            return Vec::new();
        };
        let request = RequestId(number);
        match said {
            Said::Ask(request) => {
                self.streams += 1;
                let stream = StreamId(self.streams);
                let serving = Serving {
                    peer: from,
                    request: number,
                    rest: VecDeque::new(),
                    sent: 0,
                };
                self.serving.insert(stream, serving);
                return vec![Input::Asked {
                    peer: from,
                    stream,
                    request,
                }];
            }
            Said::Reset => {
                let of = |one: &Serving| one.peer == from && one.request == number;
                let found = self.serving.iter().find(|(_, one)| of(one));
                let Some(stream) = found.map(|(stream, _)| *stream) else {
                    return Vec::new();
                };
                self.serving.remove(&stream);
                let end = StreamEnd::Lost;
                return vec![Input::SentAll { stream, end }];
            }
            _ => {}
        }
        let Some(asked) = self.requests.get(&number).filter(|one| one.peer == from) else {
            return Vec::new();
        };
        match said {
            Said::Answer(answer) => {
                if !matches!(answer, TransferAnswer::Serving { .. }) {
                    self.requests.remove(&number);
                }
                vec![Input::Answered { request, answer }]
            }
            Said::Groups(_, false) => {
                self.requests.remove(&number);
                self.wrong += 1;
                vec![Input::Corrupt { request }]
            }
            Said::Groups(groups, true) => {
                let came = self.came.entry((asked.download, from)).or_default();
                *came += groups.end - groups.start;
                let empty = || (asked.size, GroupRanges::new());
                let (_, here) = self.shelf.entry(asked.hash).or_insert_with(empty);
                *here = here.union(&GroupRanges::of(groups.clone()));
                vec![Input::Received { request, groups }]
            }
            Said::Done => {
                self.requests.remove(&number);
                let end = StreamEnd::Done;
                vec![Input::Ended { request, end }]
            }
            Said::Ask(_) | Said::Reset => Vec::new(),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.pump_at
    }

    /// Sends the next groups of every stream.
    pub(crate) fn pump(&mut self, now: Mono, out: &mut Outbox<Bytes>) -> Vec<Input> {
        if self.pump_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let slower = match self.conduct {
            Conduct::Crawls(times) => u32::try_from(times).unwrap_or(u32::MAX),
            _ => 1,
        };
        let mut inputs = Vec::new();
        for (stream, serving) in &mut self.serving {
            let Some(range) = serving.rest.front_mut() else {
                continue;
            };
            if matches!(self.conduct, Conduct::Stalls(after) if serving.sent >= after) {
                continue;
            }
            let groups = range.start..range.end.min(range.start + PUMP_GROUPS);
            range.start = groups.end;
            if range.is_empty() {
                serving.rest.pop_front();
            }
            let count = groups.end - groups.start;
            serving.sent += count;
            let good = !matches!(self.conduct, Conduct::Corrupts(after) if serving.sent > after);
            let said = Said::Groups(groups, good);
            out.send(serving.peer, encode(serving.request, &said));
            let bytes = count * repute_protocol::GROUP_BYTES;
            let stream = *stream;
            inputs.push(Input::Sent { stream, bytes });
            if serving.rest.is_empty() {
                out.send(serving.peer, encode(serving.request, &Said::Done));
                let end = StreamEnd::Done;
                inputs.push(Input::SentAll { stream, end });
            }
        }
        for input in &inputs {
            if let Input::SentAll { stream, .. } = input {
                self.serving.remove(stream);
            }
        }
        let more = self.serving.values().any(|one| !one.rest.is_empty());
        self.pump_at = more.then(|| now + PUMP * slower);
        inputs
    }

    pub(crate) fn link_down(&mut self, peer: NodeId) {
        self.requests.retain(|_, asked| asked.peer != peer);
        self.serving.retain(|_, serving| serving.peer != peer);
    }
}

impl CoreHost {
    /// Shares a whole file, that is only a number.
    pub fn share(&mut self, now: Timestamp, hash: BlobHash, size: u64, out: &mut Outbox<Bytes>) {
        let input = self.files.put(hash, size);
        self.feed(now, repute_node::Input::Transfer(input), out);
    }

    /// Fetches a file; what is here of it is not fetched again.
    pub fn fetch(&mut self, now: Timestamp, order: Order, out: &mut Outbox<Bytes>) {
        let input = self.files.order(order);
        self.feed(now, repute_node::Input::Transfer(input), out);
    }
}

/// Whether a packet is of a transfer, and no frame.
pub(crate) fn is_transfer(packet: &Bytes) -> bool {
    packet.starts_with(MARK)
}

fn encode(request: u64, said: &Said) -> Bytes {
    let (kind, body) = match said {
        Said::Ask(ask) => (0_u8, codec::encode(ask)),
        Said::Answer(answer) => (1, codec::encode(answer)),
        Said::Groups(groups, good) => (2, codec::encode(&(groups.start, groups.end, *good))),
        Said::Done => (3, Vec::new()),
        Said::Reset => (4, Vec::new()),
    };
    let mut packet = MARK.to_vec();
    packet.extend(request.to_be_bytes());
    packet.push(kind);
    packet.extend(body);
    packet.into()
}

fn decode(packet: &Bytes) -> Option<(u64, Said)> {
    let rest = packet.strip_prefix(MARK)?;
    let (request, rest) = rest.split_first_chunk::<8>()?;
    let (kind, body) = rest.split_first()?;
    let said = match kind {
        0 => Said::Ask(codec::decode(body).ok()?),
        1 => Said::Answer(codec::decode(body).ok()?),
        2 => {
            let (start, end, good): (u64, u64, bool) = codec::decode(body).ok()?;
            Said::Groups(start..end, good)
        }
        3 => Said::Done,
        4 => Said::Reset,
        _ => return None,
    };
    Some((u64::from_be_bytes(*request), said))
}
