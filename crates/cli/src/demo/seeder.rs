//! Two that say they have a file and are not to be fetched from. They speak the real protocol over
//! a real endpoint, because a node cannot be made to do what they do.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use repute_base::{Address, BoundedVec};
use repute_identity::{Identity, NodeId};
use repute_node::blobs::{Encoder, GroupRanges, ReadAt};
use repute_protocol::{
    BlobFrame, BlobHash, BlobHave, Contact, Frame, HandshakeAck, Heartbeat, Holdings, NetworkId,
    Tier, TransferAnswer, TransferRequest,
};
use repute_transport::{
    Config, Endpoint, Event, Events, HandshakeTemplate, Priority, Stream, StreamError, Streams,
};
use tokio::task::JoinHandle;

/// What is wrong with a seeder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Every group that it sends has a wrong bit.
    Corrupts,
    /// It takes every request, and sends nothing.
    Stalls,
}

impl Fault {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Corrupts => "corrupts",
            Self::Stalls => "stalls",
        }
    }
}

/// A whole blob in memory.
#[derive(Clone)]
pub(super) struct Whole {
    pub(super) hash: BlobHash,
    pub(super) bytes: Bytes,
    pub(super) tree: Bytes,
}

impl Whole {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// One that seeds badly.
pub(super) struct BadSeeder {
    pub(super) fault: Fault,
    pub(super) id: NodeId,
    endpoint: Endpoint,
    /// Requests that it took.
    asked: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl BadSeeder {
    /// Binds to loopback and waits to be asked.
    pub(super) async fn start(
        fault: Fault,
        identity: &Identity,
        network: NetworkId,
        whole: Whole,
    ) -> io::Result<Self> {
        let config = Config::new(([127, 0, 0, 1], 0).into());
        let bound = Endpoint::bind(config, identity, HandshakeTemplate::new(network)).await;
        let (endpoint, events) = bound.map_err(io::Error::other)?;
        let streams = endpoint.streams();
        let streams = streams.ok_or_else(|| io::Error::other("streams were taken already"))?;
        let asked = Arc::new(AtomicU64::new(0));
        let tasks = vec![
            tokio::spawn(converse(endpoint.clone(), events, whole.clone())),
            tokio::spawn(serve(fault, streams, whole, Arc::clone(&asked))),
        ];
        Ok(Self {
            fault,
            id: identity.id(),
            endpoint,
            asked,
            tasks,
        })
    }

    /// Where it can be reached, as a ticket says.
    pub(super) fn contact(&self) -> Contact {
        let address = Address::from(self.endpoint.local_addr());
        Contact {
            id: self.id,
            addresses: BoundedVec::truncated([address]),
        }
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    pub(super) fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Admits everybody, answers pings, and says that it has all of the blob.
async fn converse(endpoint: Endpoint, mut events: Events, whole: Whole) {
    // A peer that cannot be told has gone, or reads too slowly to be cheated.
    let say = |peer: NodeId, frame: Frame| {
        let _told = endpoint.send(peer, frame.encode(), Priority::Control);
    };
    while let Some(event) = events.next().await {
        match event {
            Event::LinkUp { peer, remote, .. } => {
                let ack = HandshakeAck {
                    observed: remote,
                    peers: BoundedVec::default(),
                };
                say(peer, Frame::HandshakeAck(ack));
            }
            Event::Frames { peer, frames } => {
                for frame in frames {
                    match frame.into_value() {
                        Frame::Heartbeat(Heartbeat::Ping { nonce }) => {
                            say(peer, Frame::Heartbeat(Heartbeat::Pong { nonce }));
                        }
                        Frame::Blob(frame) if asks_for(&frame, &whole) => {
                            let have = BlobFrame::Have(have(&whole));
                            say(peer, Frame::Blob(Box::new(have)));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

fn asks_for(frame: &BlobFrame, whole: &Whole) -> bool {
    matches!(frame, BlobFrame::Query { hash, .. } if *hash == whole.hash)
}

fn have(whole: &Whole) -> BlobHave {
    BlobHave {
        hash: whole.hash,
        size: whole.size(),
        holdings: Holdings::All,
        tier: Tier::Newcomer,
        rate: 0,
        slots_free: 8,
    }
}

async fn serve(fault: Fault, mut streams: Streams, whole: Whole, asked: Arc<AtomicU64>) {
    while let Some(stream) = streams.next().await {
        asked.fetch_add(1, Ordering::Relaxed);
        let whole = whole.clone();
        // Who is cheated hangs up: that is what both are here for.
        tokio::spawn(async move {
            let _hung_up = cheat(fault, stream, &whole).await;
        });
    }
}

async fn cheat(fault: Fault, mut stream: Stream, whole: &Whole) -> Result<(), StreamError> {
    let mut head = Vec::new();
    while let Some(piece) = stream.reader.read(4_096).await? {
        head.extend_from_slice(&piece);
    }
    let body = head.get(2..).unwrap_or_default();
    let Ok(request) = TransferRequest::decode_body(body) else {
        return Ok(());
    };
    let answer = TransferAnswer::Serving { size: whole.size() };
    stream.writer.write(answer.encode_head().into()).await?;
    if fault == Fault::Stalls {
        return stream.writer.done().await;
    }
    let groups: GroupRanges = request.groups.ranges().collect();
    let spoiled = Spoiled(&whole.bytes);
    let encoder = Encoder::new(whole.hash, whole.size(), groups, spoiled, &whole.tree);
    let Ok(encoder) = encoder else {
        return Ok(());
    };
    let mut encoder = encoder.without_check();
    while let Ok(Some(piece)) = encoder.next_piece() {
        stream.writer.write(piece).await?;
    }
    stream.writer.finish()
}

/// The bytes, with a wrong bit wherever one looks.
struct Spoiled<'a>(&'a Bytes);

impl ReadAt for Spoiled<'_> {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, out)?;
        if let Some(byte) = out.first_mut() {
            *byte ^= 1;
        }
        Ok(())
    }
}
