//! Somebody else's request: its groups are read, proven once more, and sent.
//!
//! While one run is on its way into QUIC, a thread reads the next; no more is held of a stream.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use repute_blobs::{BlobEncoder, GroupRanges, Input, StoreError, StreamEnd, StreamId};
use repute_protocol::{BlobHash, TransferAnswer, TransferRefusal, TransferRequest};
use repute_transport::{Stream, StreamError, StreamReader, StreamWriter, Streams};
use tokio::time::{Instant, timeout};

use super::{
    FilesError,
    library::{Library, Word},
    reins::Reins,
    workers::{Kind, Work},
};

/// How long a head may take from the opening of its stream.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// What is read together: large enough that threads are seldom changed, small enough that a
/// hundred streams take little.
const RUN_BYTES: usize = 256 * 1024;
/// What is handed to QUIC at once: a slow peer shows that it takes something every few seconds.
const SLICE_BYTES: usize = 64 * 1024;
/// How seldom the engine hears of what was sent.
const TELL_BYTES: u64 = 512 * 1024;
const TELL_TIME: Duration = Duration::from_millis(100);

/// Takes the streams that peers open, as long as the node runs.
pub(super) async fn accept(library: Arc<Library>, mut streams: Streams) {
    loop {
        let stream = tokio::select! {
            biased;
            () = library.closed() => return,
            stream = streams.next() => stream,
        };
        let Some(stream) = stream else { return };
        let library = Arc::clone(&library);
        // As many at once as peers may have streams.
        tokio::spawn(async move {
            let Stream {
                peer,
                writer,
                mut reader,
            } = stream;
            match timeout(HEAD_TIME, head(&mut reader)).await {
                Ok(Head::Request(request)) => {
                    let word = Word::Asked {
                        peer,
                        writer,
                        request: Box::new(request),
                    };
                    library.tell_driver(word).await;
                }
                Ok(Head::Malformed) => library.tell_driver(Word::Malformed { peer }).await,
                Ok(Head::Lost) | Err(_) => {}
            }
        });
    }
}

enum Head {
    Request(TransferRequest),
    /// No honest peer writes such a head.
    Malformed,
    Lost,
}

async fn head(reader: &mut StreamReader) -> Head {
    let mut bytes = Vec::new();
    let mut wanted = 2;
    loop {
        while bytes.len() < wanted {
            match reader.read(wanted - bytes.len()).await {
                Ok(Some(more)) => bytes.extend_from_slice(&more),
                Ok(None) if !bytes.is_empty() => return Head::Malformed,
                Ok(None) | Err(_) => return Head::Lost,
            }
        }
        let Some((prefix, body)) = bytes.split_first_chunk::<2>() else {
            return Head::Lost;
        };
        let Ok(len) = TransferRequest::body_len(*prefix) else {
            return Head::Malformed;
        };
        if body.len() < len {
            wanted = 2 + len;
            continue;
        }
        let Ok(request) = TransferRequest::decode_body(body) else {
            return Head::Malformed;
        };
        // Who asks ends its side with the head.
        return match reader.read(1).await {
            Ok(None) => Head::Request(request),
            Ok(Some(_)) => Head::Malformed,
            Err(_) => Head::Lost,
        };
    }
}

/// Says no, or not now.
pub(super) async fn decline(mut writer: StreamWriter, answer: TransferAnswer) {
    let said = writer.write(answer.encode_head().into()).await;
    if said.is_ok() && writer.finish().is_ok() {
        // Who does not want to know is gone.
        let _ = timeout(HEAD_TIME, writer.done()).await;
    }
}

/// What the engine wants served.
pub(super) struct Service {
    pub(super) stream: StreamId,
    pub(super) hash: BlobHash,
    pub(super) groups: GroupRanges,
    pub(super) answer: TransferAnswer,
}

/// Serves, and tells the engine how it ended.
pub(super) async fn run(
    library: Arc<Library>,
    writer: StreamWriter,
    service: Service,
    reins: Arc<Reins>,
) {
    let (stream, hash) = (service.stream, service.hash);
    let served = tokio::select! {
        biased;
        () = reins.ended() => return,
        served = serve(&library, writer, service, &reins) => served,
    };
    let (end, writer) = match served {
        Ok(writer) => (StreamEnd::Done, Some(writer)),
        Err(Broken::Stream) => (StreamEnd::Lost, None),
        Err(Broken::Here(error)) => {
            library.broken(hash, error).await;
            (StreamEnd::Local, None)
        }
    };
    // At once, or the peer's next request would come while this one still counts.
    library.say(Input::SentAll { stream, end }).await;
    if let Some(mut writer) = writer {
        // The window stays wide until the peer has it all.
        let _ = writer.done().await;
    }
}

/// Why a stream was not served to its end.
enum Broken {
    Stream,
    Here(FilesError),
}

impl From<StreamError> for Broken {
    fn from(_: StreamError) -> Self {
        Self::Stream
    }
}

impl From<FilesError> for Broken {
    fn from(error: FilesError) -> Self {
        Self::Here(error)
    }
}

async fn serve(
    library: &Arc<Library>,
    mut writer: StreamWriter,
    service: Service,
    reins: &Reins,
) -> Result<StreamWriter, Broken> {
    let Service {
        stream,
        hash,
        groups,
        answer,
    } = service;
    let store = library.store()?;
    let open = move || store.blob(&hash)?.encoder(groups);
    let opened = library.workers().run(Kind::Short, open).await?;
    let encoder = match opened {
        Ok(encoder) => encoder,
        Err(error) => {
            let reason = TransferRefusal::Unavailable;
            decline(writer, TransferAnswer::Refused { reason }).await;
            return Err(Broken::Here(error.into()));
        }
    };
    let mut reading = read(library, encoder);
    writer.write(answer.encode_head().into()).await?;
    let mut sender = Sender {
        library,
        stream,
        reins,
        writer,
        sent: 0,
        told: (0, Instant::now()),
    };
    loop {
        let Run {
            encoder,
            pieces,
            failed,
        } = reading.done().await?;
        let is_last = encoder.is_done() || failed.is_some();
        // Unless this is the last, the next is read while this one is sent.
        let next = (!is_last).then(|| read(library, encoder));
        for piece in pieces {
            sender.send(piece).await?;
        }
        if let Some(error) = failed {
            return Err(Broken::Here(error.into()));
        }
        match next {
            Some(next) => reading = next,
            None => break,
        }
    }
    sender.finish().await
}

/// Sends pieces, no more at once than the engine allows, and tells it how many.
struct Sender<'a> {
    library: &'a Library,
    stream: StreamId,
    reins: &'a Reins,
    writer: StreamWriter,
    sent: u64,
    /// Of which the engine knows, and since when.
    told: (u64, Instant),
}

impl Sender<'_> {
    async fn send(&mut self, mut piece: Bytes) -> Result<(), Broken> {
        while !piece.is_empty() {
            let allowed = self.reins.more_than(self.sent).await;
            let allowed = allowed.ok_or(Broken::Stream)?;
            let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
            let len = allowed.min(piece.len()).min(SLICE_BYTES);
            self.writer.write(piece.split_to(len)).await?;
            self.sent += len as u64;
            if self.sent - self.told.0 >= TELL_BYTES || self.told.1.elapsed() >= TELL_TIME {
                self.tell().await;
            }
        }
        Ok(())
    }

    async fn tell(&mut self) {
        let (stream, bytes) = (self.stream, self.sent - self.told.0);
        self.told = (self.sent, Instant::now());
        self.library.say(Input::Sent { stream, bytes }).await;
    }

    /// Ends the stream. What is still on its way leaves as the window lets it.
    async fn finish(mut self) -> Result<StreamWriter, Broken> {
        self.tell().await;
        self.writer.finish()?;
        Ok(self.writer)
    }
}

/// Bytes of a stream, and who reads on.
struct Run {
    encoder: BlobEncoder,
    pieces: Vec<Bytes>,
    failed: Option<StoreError>,
}

fn read(library: &Library, mut encoder: BlobEncoder) -> Work<Run> {
    library.workers().start(Kind::Run, move || {
        let (mut pieces, mut len, mut failed) = (Vec::new(), 0, None);
        while len < RUN_BYTES {
            match encoder.next_piece() {
                Ok(Some(piece)) => {
                    len += piece.len();
                    pieces.push(piece);
                }
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        Run {
            encoder,
            pieces,
            failed,
        }
    })
}
