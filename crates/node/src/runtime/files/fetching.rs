//! One request of ours: its stream is read, proven and written.
//!
//! Three things go on at once: QUIC receives into its window, this task gathers what came into a
//! batch, and a thread beside it proves and writes the batch before. Each is bounded, so that a slow
//! disk slows the sender down and takes no memory.

use std::{mem, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use repute_blobs::{
    Decoder, GroupRanges, Input, Proven, RequestId, StoreError, StreamEnd, Trouble, VerifyError,
};
use repute_identity::NodeId;
use repute_protocol::{TransferAnswer, TransferRequest};
use repute_transport::{Endpoint, Stream, StreamReader};
use tokio::time::{Instant, sleep_until};

use super::{
    FilesError,
    library::Library,
    place::Place,
    reins::Reins,
    sink::Lease,
    tap::{Outcome, Tap},
    workers::{Kind, Work},
};

/// What is proven and written together, if it comes fast.
const BATCH_BYTES: usize = 256 * 1024;
/// What is gathered at most while the batch before is not done.
const BATCH_MAX: usize = 1024 * 1024;
/// How long a small batch waits to become larger.
const BATCH_WAIT: Duration = Duration::from_millis(10);
/// Packets taken from QUIC at once.
const PIECES: usize = 64;
/// What a packet brings, about.
const PIECE_BYTES: usize = 1_400;

/// A request as the engine makes it.
pub(super) struct Asked {
    pub(super) request: RequestId,
    pub(super) peer: NodeId,
    pub(super) transfer: TransferRequest,
    pub(super) size: u64,
}

/// Why a request is over.
enum Over {
    /// The engine ended it, or knows already.
    Known,
    /// The stream ended.
    Ended(StreamEnd),
    /// What came is not the blob.
    Corrupt,
    /// Something is wrong here.
    Trouble(FilesError),
}

impl From<FilesError> for Over {
    fn from(error: FilesError) -> Self {
        Self::Trouble(error)
    }
}

/// Carries a request out and tells the engine what came of it.
pub(super) async fn run(
    endpoint: Endpoint,
    library: Arc<Library>,
    tap: Arc<Tap>,
    asked: Asked,
    reins: Arc<Reins>,
) {
    let request = asked.request;
    let fetched = Fetch {
        library: &library,
        tap: &tap,
        asked,
        reins: &reins,
    };
    match fetched.run(&endpoint).await {
        Over::Known => {}
        Over::Corrupt => library.say(Input::Corrupt { request }).await,
        Over::Ended(end) => library.say(Input::Ended { request, end }).await,
        Over::Trouble(FilesError::Store(StoreError::Whole(_))) => tap.end(Outcome::Whole),
        Over::Trouble(error) => trouble(&library, &tap, error).await,
    }
}

/// Pauses a download for a reason of this node's own.
pub(super) async fn trouble(library: &Library, tap: &Tap, error: FilesError) {
    let kind = match &error {
        FilesError::Store(StoreError::DiskFull(_) | StoreError::Quota { .. }) => Trouble::DiskFull,
        _ => Trouble::Store,
    };
    tap.end(Outcome::Trouble(error));
    library.say(Input::Trouble { id: tap.id, kind }).await;
}

struct Fetch<'a> {
    library: &'a Arc<Library>,
    tap: &'a Arc<Tap>,
    asked: Asked,
    reins: &'a Reins,
}

impl Fetch<'_> {
    async fn run(&self, endpoint: &Endpoint) -> Over {
        let begun = tokio::select! {
            biased;
            () = self.reins.ended() => return Over::Known,
            begun = self.begin(endpoint) => begun,
        };
        let ended = match begun {
            Ok((reader, prover)) => self.take(reader, prover).await,
            Err(over) => Err(over),
        };
        ended.err().unwrap_or(Over::Ended(StreamEnd::Done))
    }

    /// Asks, and reads the head of the answer.
    async fn begin(&self, endpoint: &Endpoint) -> Result<(StreamReader, Prover), Over> {
        let lost = |_| Over::Ended(StreamEnd::Lost);
        let malformed = |_| Over::Ended(StreamEnd::Malformed);
        let stream = endpoint.open_stream(self.asked.peer).await;
        let Stream {
            mut writer,
            mut reader,
            ..
        } = stream.map_err(lost)?;
        let head = self.asked.transfer.encode_head();
        writer.write(head.into()).await.map_err(lost)?;
        writer.finish().map_err(lost)?;
        let prefix = exactly(&mut reader, 2).await?;
        let prefix = <[u8; 2]>::try_from(prefix.as_slice()).unwrap_or_default();
        let len = TransferAnswer::body_len(prefix).map_err(malformed)?;
        let body = exactly(&mut reader, len).await?;
        let answer = TransferAnswer::decode_body(&body).map_err(malformed)?;
        let request = self.asked.request;
        self.library.say(Input::Answered { request, answer }).await;
        let size = self.asked.size;
        if answer != (TransferAnswer::Serving { size }) {
            return Err(Over::Known);
        }
        let groups: GroupRanges = self.asked.transfer.groups.ranges().collect();
        let hash = self.asked.transfer.hash;
        // The engine asks for no groups that a blob of this size does not have.
        let decoder = Decoder::new(hash, size, groups)
            .map_err(|error| FilesError::from(StoreError::Misuse(error)))?;
        let lease = self.tap.sink.lease(size).await?;
        Ok((reader, Prover { decoder, lease }))
    }

    /// Reads to the end.
    async fn take(&self, mut reader: StreamReader, prover: Prover) -> Result<(), Over> {
        let mut pieces = [const { Bytes::new() }; PIECES];
        let mut batch = Batch::default();
        let mut prover = Some(prover);
        let mut work: Option<Work<Done>> = None;
        let (mut read, mut at_end, mut begun) = (0_u64, false, false);
        loop {
            let is_due = batch.len >= BATCH_BYTES || at_end || batch.due <= Instant::now();
            // Of an empty blob no byte comes, and it is proven all the same.
            let is_empty = at_end && !begun;
            if (batch.len > 0 || is_empty)
                && is_due
                && let Some(prover) = prover.take()
            {
                begun = true;
                let mut pieces = mem::take(&mut batch).pieces;
                if is_empty {
                    pieces.push(Bytes::new());
                }
                let workers = self.library.workers();
                work = Some(workers.start(Kind::Run, move || prover.prove(&pieces)));
            }
            if at_end && work.is_none() {
                break;
            }
            let may = self.may_read(read);
            let reads = !at_end && batch.len < BATCH_MAX && may > 0;
            tokio::select! {
                biased;
                () = self.reins.changed() => {
                    if self.reins.is_over() {
                        // What it has begun to write belongs to the sink.
                        return Err(Over::Known);
                    }
                }
                done = done(&mut work) => {
                    work = None;
                    prover = Some(self.proved(done?).await?);
                }
                came = self.next(&mut reader, &mut pieces, (may, BATCH_MAX - batch.len.min(BATCH_MAX))), if reads => {
                    match came? {
                        0 => at_end = true,
                        count => read += batch.take(pieces.iter_mut().take(count)),
                    }
                }
                () = sleep_until(batch.due), if batch.len > 0 && work.is_none() => {}
            }
        }
        match prover.map(|prover| prover.decoder.finish()) {
            Some(Err(VerifyError::Truncated { .. })) => Err(Over::Ended(StreamEnd::Lost)),
            Some(Err(error)) => Err(fault(error)),
            _ => Ok(()),
        }
    }

    /// Bytes of the stream that may be read now: what the engine allows are bytes of the blob, to
    /// which their proofs come.
    fn may_read(&self, read: u64) -> usize {
        let allowed = self.reins.allowed();
        let with_proofs = allowed.saturating_add(allowed / 128).saturating_add(4_096);
        usize::try_from(with_proofs.saturating_sub(read)).unwrap_or(usize::MAX)
    }

    /// Puts what comes next into `pieces`; nothing at the end.
    async fn next(
        &self,
        reader: &mut StreamReader,
        pieces: &mut [Bytes; PIECES],
        (may, room): (usize, usize),
    ) -> Result<usize, Over> {
        let lost = |_| Over::Ended(StreamEnd::Lost);
        if !self.reins.is_paced() {
            let count = (room / PIECE_BYTES).clamp(1, PIECES);
            let places = pieces.get_mut(..count).unwrap_or_default();
            return Ok(reader.read_pieces(places).await.map_err(lost)?.unwrap_or(0));
        }
        let came = reader.read(may.min(room)).await.map_err(lost)?;
        match (came, pieces.first_mut()) {
            (Some(bytes), Some(place)) => {
                *place = bytes;
                Ok(1)
            }
            _ => Ok(0),
        }
    }

    /// Tells what a batch brought.
    async fn proved(&self, done: Done) -> Result<Prover, Over> {
        let Done {
            prover,
            groups,
            bytes,
            failed,
        } = done;
        if bytes > 0 {
            let (library, tap) = (Arc::clone(self.library), Arc::clone(self.tap));
            self.tap.sink.wrote(bytes, move |error| {
                tokio::spawn(async move { trouble(&library, &tap, error).await });
            });
        }
        let request = self.asked.request;
        for groups in groups {
            self.library.say(Input::Received { request, groups }).await;
        }
        match failed {
            None => Ok(prover),
            Some(Failed::Proof(error)) => Err(fault(error)),
            Some(Failed::Store(error)) => Err(Over::Trouble(error.into())),
        }
    }
}

/// Waits for the work under way, if there is some.
async fn done(work: &mut Option<Work<Done>>) -> Result<Done, FilesError> {
    match work {
        Some(work) => work.done().await,
        None => std::future::pending().await,
    }
}

/// What a stream that cannot be proven says of its sender.
fn fault(error: VerifyError) -> Over {
    match error {
        // More than was asked for.
        VerifyError::Trailing { .. } => Over::Ended(StreamEnd::Malformed),
        _ => Over::Corrupt,
    }
}

/// So many bytes of the stream, no more.
async fn exactly(reader: &mut StreamReader, len: usize) -> Result<Vec<u8>, Over> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        match reader.read(len - bytes.len()).await {
            Ok(Some(more)) => bytes.extend_from_slice(&more),
            Ok(None) | Err(_) => return Err(Over::Ended(StreamEnd::Lost)),
        }
    }
    Ok(bytes)
}

/// What came and is not yet proven.
struct Batch {
    pieces: Vec<Bytes>,
    len: usize,
    /// When it is proven though it is small.
    due: Instant,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            pieces: Vec::new(),
            len: 0,
            due: Instant::now() + BATCH_WAIT,
        }
    }
}

impl Batch {
    /// Takes pieces, and says how many bytes these are.
    fn take<'a>(&mut self, pieces: impl Iterator<Item = &'a mut Bytes>) -> u64 {
        if self.len == 0 {
            self.due = Instant::now() + BATCH_WAIT;
        }
        let before = self.len;
        for piece in pieces {
            let piece = mem::take(piece);
            self.len += piece.len();
            self.pieces.push(piece);
        }
        (self.len - before) as u64
    }
}

/// Proves a stream and writes what is proven.
struct Prover {
    decoder: Decoder,
    lease: Lease,
}

/// What came of a batch.
struct Done {
    prover: Prover,
    /// What is in the store now.
    groups: Vec<Range<u64>>,
    bytes: u64,
    failed: Option<Failed>,
}

enum Failed {
    Proof(VerifyError),
    Store(StoreError),
}

impl Prover {
    fn prove(mut self, pieces: &[Bytes]) -> Done {
        let mut written = Written::default();
        let mut failed = None;
        'pieces: for piece in pieces {
            let mut input = &piece[..];
            loop {
                match self.decoder.feed(&mut input) {
                    Ok(Some(proven)) => {
                        failed = written.write(&self.lease, &proven);
                        self.decoder.recycle(proven);
                    }
                    Ok(None) => break,
                    Err(error) => failed = Some(Failed::Proof(error)),
                }
                if failed.is_some() {
                    break 'pieces;
                }
            }
        }
        // What was proven before a fault is right.
        if !matches!(failed, Some(Failed::Store(_)))
            && let Some(proven) = self.decoder.flush()
        {
            failed = failed.or(written.write(&self.lease, &proven));
            self.decoder.recycle(proven);
        }
        Done {
            prover: self,
            groups: written.groups,
            bytes: written.bytes,
            failed,
        }
    }
}

#[derive(Default)]
struct Written {
    groups: Vec<Range<u64>>,
    bytes: u64,
}

impl Written {
    fn write(&mut self, place: &Place, proven: &Proven) -> Option<Failed> {
        if let Err(error) = place.write(proven) {
            return Some(Failed::Store(error));
        }
        let groups = proven.groups();
        self.bytes += proven.bytes().len() as u64;
        match self.groups.last_mut() {
            Some(last) if last.end == groups.start => last.end = groups.end,
            _ => self.groups.push(groups),
        }
        None
    }
}
