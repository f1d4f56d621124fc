use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use repute_base::Mono;
use repute_identity::NodeId;
use repute_protocol::{
    BlobFrame, BlobHash, Misbehaviour, TransferAnswer, TransferRefusal, TransferRequest,
};

use crate::{
    Evidence, GroupRanges, Output, StreamEnd, StreamId,
    desk::Desk,
    held::HeldBlobs,
    pacer::Pacer,
    slots::{Admission, RETRY, Slots},
};

/// A stream on which nothing goes out for this long is ended: its slot is needed.
const STUCK: Duration = Duration::from_secs(30);
/// How often the trust engine hears of a peer that goes on taking.
const EVIDENCE_PAUSE: Duration = Duration::from_secs(60);

/// What others fetch from this node.
#[derive(Clone, Debug)]
pub(crate) struct Uploads {
    slots: Slots,
    streams: BTreeMap<StreamId, Upload>,
    /// What each peer that is served took.
    takers: BTreeMap<NodeId, Taker>,
    pub(crate) outflow: Pacer,
}

#[derive(Clone, Debug)]
struct Upload {
    peer: NodeId,
    /// When something last went out.
    moved: Mono,
}

#[derive(Clone, Copy, Debug)]
struct Taker {
    streams: usize,
    bytes: u64,
    since: Mono,
}

impl Uploads {
    pub(crate) fn new(rate: Option<u64>) -> Self {
        Self {
            slots: Slots::default(),
            streams: BTreeMap::new(),
            takers: BTreeMap::new(),
            outflow: Pacer::new(rate),
        }
    }

    /// How many more could be served now.
    pub(crate) fn free(&self, desk: &Desk) -> usize {
        self.slots.free(&desk.config)
    }

    pub(crate) fn counts(&self) -> (usize, usize) {
        self.slots.counts()
    }

    /// Somebody asks for groups.
    pub(crate) fn asked(
        &mut self,
        desk: &mut Desk,
        held: &HeldBlobs,
        (peer, stream): (NodeId, StreamId),
        request: &TransferRequest,
        stopping: bool,
    ) {
        let answer = self.judge(desk, held, peer, request, stopping);
        desk.emit(Output::Answer { stream, answer });
        match answer {
            TransferAnswer::Serving { .. } => {
                let groups = request.groups.ranges().collect();
                self.serve(desk, (peer, stream), request.hash, groups);
            }
            TransferAnswer::Busy { .. } => desk.stats.requests_queued += 1,
            _ => desk.stats.requests_refused += 1,
        }
    }

    fn judge(
        &mut self,
        desk: &Desk,
        held: &HeldBlobs,
        peer: NodeId,
        request: &TransferRequest,
        stopping: bool,
    ) -> TransferAnswer {
        let refused = |reason| TransferAnswer::Refused { reason };
        if stopping {
            return refused(TransferRefusal::Unavailable);
        }
        if desk.is_closed(&peer) {
            return refused(TransferRefusal::Standing);
        }
        if request.version != TransferRequest::VERSION {
            return refused(TransferRefusal::Version);
        }
        if request.groups.groups() > desk.limits.request_groups_max {
            return refused(TransferRefusal::TooMuch);
        }
        let groups: GroupRanges = request.groups.ranges().collect();
        let Some(size) = held.size_of(&request.hash, &groups) else {
            return TransferAnswer::NotFound;
        };
        let streams = self.takers.get(&peer).map_or(0, |taker| taker.streams);
        if streams >= desk.limits.requests_per_peer_max {
            return refused(TransferRefusal::TooMany);
        }
        let tier = desk.tier(&peer);
        let rules = (&desk.config, &desk.limits);
        match self.slots.ask(desk.now, (peer, tier), request.hash, rules) {
            Admission::Serve => TransferAnswer::Serving { size },
            Admission::Full => refused(TransferRefusal::QueueFull),
            Admission::Wait(place) => TransferAnswer::Busy {
                retry_ms: u32::try_from(RETRY.as_millis()).unwrap_or(u32::MAX),
                place: u16::try_from(place).unwrap_or(u16::MAX),
                tier,
            },
        }
    }

    fn serve(
        &mut self,
        desk: &mut Desk,
        (peer, stream): (NodeId, StreamId),
        hash: BlobHash,
        groups: GroupRanges,
    ) {
        let now = desk.now;
        let policy = desk.config.tier(desk.tier(&peer));
        let paced = self.outflow.paces(policy.rate);
        if paced {
            self.outflow
                .open(now, stream.0, peer, policy.weight, policy.rate);
        }
        self.streams.insert(stream, Upload { peer, moved: now });
        let taker = self.takers.entry(peer).or_insert(Taker {
            streams: 0,
            bytes: 0,
            since: now,
        });
        taker.streams += 1;
        desk.stats.requests_served += 1;
        desk.emit(Output::Serve {
            stream,
            hash,
            groups,
            paced,
        });
    }

    /// So much went out.
    pub(crate) fn sent(&mut self, desk: &mut Desk, stream: StreamId, bytes: u64) {
        self.outflow.used(stream.0, bytes);
        desk.stats.bytes_sent += bytes;
        let Some(upload) = self.streams.get_mut(&stream) else {
            return;
        };
        upload.moved = desk.now;
        let peer = upload.peer;
        let Some(taker) = self.takers.get_mut(&peer) else {
            return;
        };
        taker.bytes += bytes;
        if desk.now.since(taker.since) >= EVIDENCE_PAUSE {
            tell(desk, peer, taker);
        }
    }

    /// A stream is over.
    pub(crate) fn ended(&mut self, desk: &mut Desk, stream: StreamId, end: StreamEnd) {
        let Some(upload) = self.streams.remove(&stream) else {
            return;
        };
        let peer = upload.peer;
        self.outflow.close(stream.0);
        self.slots.ended(desk.now, &peer);
        if let Some(taker) = self.takers.get_mut(&peer) {
            taker.streams = taker.streams.saturating_sub(1);
            if taker.streams == 0 {
                tell(desk, peer, taker);
                self.takers.remove(&peer);
            }
        }
        if end == StreamEnd::Malformed {
            let kind = Misbehaviour::MalformedFrame;
            desk.emit(Output::Misbehaviour { peer, kind });
        }
    }

    /// A peer is gone, or may not be served any longer.
    pub(crate) fn forget(&mut self, desk: &mut Desk, peer: &NodeId, linked: bool) {
        let all = self.streams.iter();
        let of_peer: Vec<StreamId> = all
            .filter(|(_, upload)| upload.peer == *peer)
            .map(|(stream, _)| *stream)
            .collect();
        for stream in of_peer {
            if linked {
                desk.emit(Output::Stop { stream });
            }
            self.ended(desk, stream, StreamEnd::Local);
        }
        self.slots.forget(peer);
    }

    /// Every stream ends.
    pub(crate) fn stop(&mut self, desk: &mut Desk) {
        let peers: Vec<NodeId> = self.takers.keys().copied().collect();
        for peer in peers {
            self.forget(desk, &peer, true);
        }
    }

    /// Ends what is stuck, calls who is next, hands out bytes.
    pub(crate) fn settle(&mut self, desk: &mut Desk) {
        let all = self.streams.iter();
        let stuck: Vec<StreamId> = all
            .filter(|(_, upload)| desk.now.since(upload.moved) >= STUCK)
            .map(|(stream, _)| *stream)
            .collect();
        for stream in stuck {
            desk.emit(Output::Stop { stream });
            self.ended(desk, stream, StreamEnd::Local);
        }
        for (peer, hash) in self.slots.advance(desk.now, &desk.config) {
            desk.send(peer, BlobFrame::Turn { hash });
        }
        for (stream, bytes) in self.outflow.share(desk.now) {
            let stream = StreamId(stream);
            desk.emit(Output::Transmit { stream, bytes });
        }
    }

    pub(crate) fn deadline(&self, desk: &Desk) -> Mono {
        let stuck = self.streams.values().map(|upload| upload.moved + STUCK);
        let stuck = stuck.min().unwrap_or(Mono::MAX);
        let slots = self.slots.deadline(&desk.config);
        stuck.min(slots).min(self.outflow.deadline())
    }
}

/// Says what a peer took; it begins anew.
fn tell(desk: &mut Desk, peer: NodeId, taker: &mut Taker) {
    let took = desk.now.since(taker.since);
    if taker.bytes > 0 {
        let bytes = taker.bytes;
        let evidence = Evidence::Took { bytes, took };
        desk.emit(Output::Evidence { peer, evidence });
    }
    (taker.bytes, taker.since) = (0, desk.now);
}
