//! A blob of ours from memory to memory, in one process as `iroh-blobs` does it: our transport and
//! the verified streams, with the requests and answers of the wire, and no node around them.
//! `--mib 256 --runs 3 --seed 11 [--fresh] [--payload 1452]`
//!
//! Who fetches proves every group before it keeps it, and keeps all, in memory that it has before
//! the transfer begins; with `--fresh` in memory that it asks the system for meanwhile. `--payload`
//! bounds the datagrams on loopback.
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use driver::{Args, XorShift, delta, peak_rss_mib, reset_peak_rss, snap};
use repute_blobs::{Decoder, Encoder, GroupRanges, tree_of};
use repute_identity::{Identity, NodeId};
use repute_protocol::{BlobHash, GroupList, NetworkId, TransferAnswer, TransferRequest, groups_of};
use repute_transport::{Config, Endpoint, Event, HandshakeTemplate, Stream, StreamReader, Streams};
use tokio::sync::oneshot;

/// Packets that are taken from QUIC together.
const PACKETS: usize = 32;
/// Bytes of the stream that are made and handed to QUIC together, as they are from a disk.
const PIECE_BYTES: usize = 256 * 1024;
/// What the last group of a piece may add to it.
const GROUP_BYTES: usize = 16 * 1024;

/// A blob that somebody has, with its tree.
#[derive(Clone)]
struct Blob {
    hash: BlobHash,
    data: Bytes,
    tree: Bytes,
}

impl Blob {
    const fn size(&self) -> u64 {
        self.data.len() as u64
    }
}

fn main() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(run())
}

async fn run() -> Result<()> {
    let args = Args::of_process();
    let payload = args.val("payload", 0);
    let mib = args.val("mib", 256_usize);
    let seed = args.val("seed", 11_u64);
    let mut data = vec![0; mib << 20];
    for run in 0..args.val("runs", 3_u64) {
        XorShift::seeded(seed + run).fill(&mut data);
        let data = Bytes::from(data.clone());
        let before = snap();
        let (hash, tree) = tree_of(&data);
        let added = delta(before, snap());
        let tree = Bytes::from(tree);
        let blob = Blob { hash, data, tree };

        let (giver, giver_id, up) = bind(2 * (seed + run), payload).await?;
        let streams = giver.streams().context("the streams were taken")?;
        tokio::spawn(serve_all(streams, blob.clone()));
        let (taker, _, taker_up) = bind(2 * (seed + run) + 1, payload).await?;
        taker.dial(giver_id, vec![giver.local_addr().into()]);
        up.await?;
        taker_up.await?;
        let mut room = Vec::new();
        if !args.flag("fresh") {
            // Written once, so that the system has really given it.
            room.resize(mib << 20, 1);
            room.clear();
        }
        reset_peak_rss();
        let before = snap();
        let (hash, size) = (blob.hash, blob.size());
        // On a thread of the runtime, as the other end is.
        let fetching =
            tokio::spawn(async move { fetch(&taker, giver_id, (hash, size), room).await });
        let got = fetching.await??;
        let cost = delta(before, snap());
        println!(
            "RESULT phase=repute-blobs-memory mib={mib} add_mib_s={:.1} fetch_mib_s={:.1} cpu_s={:.3} cpu_cores={:.2} wire_x={:.3} peak_rss_mib={:.0} other_load={:.2}",
            mib as f64 / added.wall,
            mib as f64 / cost.wall,
            cost.cpu,
            cost.cpu / cost.wall,
            cost.lo as f64 / (mib << 20) as f64,
            peak_rss_mib(),
            cost.other
        );
        ensure!(got[..] == blob.data[..], "other bytes arrived");
    }
    Ok(())
}

/// An endpoint that takes every link; says when its first one is up.
async fn bind(number: u64, payload: u16) -> Result<(Endpoint, NodeId, oneshot::Receiver<()>)> {
    let identity = Identity::from_seed(number);
    let network = HandshakeTemplate::new(NetworkId::from_name("anchor"));
    let mut config = Config::new("127.0.0.1:0".parse()?);
    if payload > 0 {
        config.loopback_payload_max = payload;
    }
    let (endpoint, mut events) = Endpoint::bind(config, &identity, network).await?;
    let (tell, up) = oneshot::channel();
    let mut tell = Some(tell);
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                Event::LinkUp { .. } => {
                    if let Some(tell) = tell.take() {
                        let _ = tell.send(());
                    }
                }
                Event::Drained { .. } | Event::LinkDown { .. } => {}
                other => eprintln!("unexpected: {other:?}"),
            }
        }
    });
    Ok((endpoint, identity.id(), up))
}

/// Reads a head: its length, and a body as long as that.
async fn head<E>(reader: &mut StreamReader, len: fn([u8; 2]) -> Result<usize, E>) -> Result<Vec<u8>>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let prefix = exactly(reader, 2).await?;
    let len = len([prefix[0], prefix[1]])?;
    exactly(reader, len).await
}

async fn exactly(reader: &mut StreamReader, len: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let more = reader.read(len - bytes.len()).await?;
        bytes.extend_from_slice(&more.context("the stream ended in a head")?);
    }
    Ok(bytes)
}

async fn serve_all(mut streams: Streams, blob: Blob) {
    while let Some(stream) = streams.next().await {
        let blob = blob.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(stream, blob).await {
                eprintln!("serving: {error}");
            }
        });
    }
}

async fn serve(mut stream: Stream, blob: Blob) -> Result<()> {
    let body = head(&mut stream.reader, TransferRequest::body_len).await?;
    let request = TransferRequest::decode_body(&body)?;
    ensure!(request.hash == blob.hash, "asked for another blob");
    let size = blob.size();
    let answer = TransferAnswer::Serving { size }.encode_head();
    stream.writer.write(answer.into()).await?;
    let wanted: GroupRanges = request.groups.ranges().collect();
    // It was hashed by this process, and lies in memory that cannot change.
    let mut encoder = Encoder::new(blob.hash, size, wanted, blob.data, blob.tree)?.without_check();
    let mut more = true;
    while more {
        let mut piece = Vec::with_capacity(PIECE_BYTES + GROUP_BYTES);
        more = encoder.fill(&mut piece, PIECE_BYTES)?;
        stream.writer.write(piece.into()).await?;
    }
    stream.writer.finish()?;
    stream.writer.done().await?;
    Ok(())
}

/// Fetches all of a blob and gives its bytes, every group proven before it is kept.
async fn fetch(
    from: &Endpoint,
    peer: NodeId,
    (hash, size): (BlobHash, u64),
    mut got: Vec<u8>,
) -> Result<Vec<u8>> {
    let mut stream = from.open_stream(peer).await?;
    let request = TransferRequest {
        version: TransferRequest::VERSION,
        hash,
        groups: GroupList::truncated([0..groups_of(size)]),
        session: 0,
    };
    stream.writer.write(request.encode_head().into()).await?;
    stream.writer.finish()?;
    let body = head(&mut stream.reader, TransferAnswer::body_len).await?;
    match TransferAnswer::decode_body(&body)? {
        TransferAnswer::Serving { size: told } if told == size => {}
        other => bail!("the answer is {other:?}"),
    }
    let mut decoder = Decoder::new(hash, size, GroupRanges::of(0..groups_of(size)))?;
    got.reserve_exact(usize::try_from(size)?);
    let mut packets = vec![Bytes::new(); PACKETS];
    while let Some(count) = stream.reader.read_pieces(&mut packets).await? {
        for packet in packets.iter().take(count) {
            let mut packet = &packet[..];
            while let Some(proven) = decoder.feed(&mut packet)? {
                got.extend_from_slice(proven.bytes());
                decoder.recycle(proven);
            }
        }
    }
    decoder.finish()?;
    Ok(got)
}
