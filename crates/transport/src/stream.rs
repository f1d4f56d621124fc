//! Streams of bytes beside the frames of a link, for what is too large for frames.
//!
//! Each is a QUIC stream of its own on the connection that carries the link, so it is authenticated
//! as the link is and ends with it. Frames go first when both wait. While such a stream is open the
//! connection's windows are [`Config::stream_window`](crate::Config) wide in the direction of the
//! data: whoever opened it is the one who receives, and has room; nobody widens what a stranger may
//! send it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use quinn::{ConnectionError, ReadError, VarInt, WriteError};
use repute_identity::NodeId;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    Config, Endpoint, StreamError,
    link::{Carrier, Link},
    quic,
    shared::Shared,
    stats::count,
};

/// A stream that was given up before its end.
const CODE_GIVEN_UP: VarInt = VarInt::from_u32(4);
/// A stream that nobody here takes.
const CODE_REFUSED: VarInt = VarInt::from_u32(5);
/// Streams of all peers that wait to be taken by [`Streams`]; beyond, peers wait.
const WAITING_MAX: usize = 64;
/// The least that a connection may keep unacknowledged for its streams, however many there are.
const SHARE_MIN: u32 = 256 * 1024;
/// Frames are sent before what streams have to say.
const PRIORITY: i32 = -1;

/// Both directions of a stream with a peer.
#[derive(Debug)]
pub struct Stream {
    /// Whom it connects us with.
    pub peer: NodeId,
    /// What we say.
    pub writer: StreamWriter,
    /// What the peer says.
    pub reader: StreamReader,
}

/// Our direction of a stream. Dropped before [`finish`](Self::finish), it is given up, and the peer
/// reads [`StreamError::GivenUp`] instead of an end.
#[derive(Debug)]
pub struct StreamWriter {
    send: quinn::SendStream,
    finished: bool,
    shared: Arc<Shared>,
    _width: Arc<Width>,
}

/// The peer's direction of a stream. Dropped before its end, it stops the peer.
#[derive(Debug)]
pub struct StreamReader {
    recv: quinn::RecvStream,
    shared: Arc<Shared>,
    _width: Arc<Width>,
}

/// The streams that peers open.
#[derive(Debug)]
pub struct Streams(mpsc::Receiver<Stream>);

impl Streams {
    /// The next stream that a peer opened; `None` when the endpoint is gone.
    pub async fn next(&mut self) -> Option<Stream> {
        self.0.recv().await
    }
}

/// Where streams that peers open go, and whether anybody takes them.
#[derive(Debug)]
pub(crate) struct Doorstep {
    sender: mpsc::Sender<Stream>,
    taker: Mutex<Option<mpsc::Receiver<Stream>>>,
}

impl Default for Doorstep {
    fn default() -> Self {
        let (sender, taker) = mpsc::channel(WAITING_MAX);
        Self {
            sender,
            taker: Mutex::new(Some(taker)),
        }
    }
}

/// How many streams of a connection want its windows wide, in each direction.
#[derive(Debug, Default)]
pub(crate) struct Widths {
    opened: Mutex<usize>,
    accepted: Mutex<usize>,
}

/// Connections on which peers have streams open. What all of them may keep unacknowledged is bounded
/// together, since each is filled by whoever writes.
#[derive(Debug, Default)]
pub(crate) struct Served(Mutex<Vec<Weak<Carrier>>>);

impl Served {
    /// A connection joins or leaves, and all share anew.
    fn change(&self, shared: &Shared, carrier: &Arc<Carrier>, joins: bool) {
        let (config, near) = (&shared.config, shared.near.as_ref());
        let mut served = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = share_of(config, served.len());
        let gone = Arc::as_ptr(carrier);
        served.retain(|one| one.strong_count() > 0 && one.as_ptr() != gone);
        let narrow = config.send_window;
        let connection = &carrier.connection;
        if !joins {
            connection.set_send_window(u64::from(narrow));
        } else {
            served.push(Arc::downgrade(carrier));
        }
        let share = share_of(config, served.len());
        let set = |connection: &quinn::Connection| {
            let window = quic::stream_window(config, near, connection).min(share);
            connection.set_send_window(u64::from(narrow.saturating_add(window)));
        };
        if share != before {
            let all = served.iter().filter_map(Weak::upgrade);
            all.for_each(|one| set(&one.connection));
        } else if joins {
            set(connection);
        }
    }
}

/// What each of so many connections may keep unacknowledged beyond the window of frames.
fn share_of(config: &Config, connections: usize) -> u32 {
    let connections = u32::try_from(connections).unwrap_or(u32::MAX).max(1);
    let share = config.stream_send_max / connections;
    share.max(SHARE_MIN).min(config.stream_window)
}

/// Keeps a window of a connection wide.
#[derive(Debug)]
struct Width {
    carrier: Arc<Carrier>,
    shared: Arc<Shared>,
    opened: bool,
}

impl Width {
    fn new(shared: &Arc<Shared>, carrier: &Arc<Carrier>, opened: bool) -> Arc<Self> {
        let width = Self {
            carrier: Arc::clone(carrier),
            shared: Arc::clone(shared),
            opened,
        };
        width.change(|open| open + 1);
        Arc::new(width)
    }

    fn change(&self, by: impl Fn(usize) -> usize) {
        let (widths, config) = (&self.carrier.widths, &self.shared.config);
        let counter = if self.opened {
            &widths.opened
        } else {
            &widths.accepted
        };
        // The window is set under the lock, so that the last word is that of the last change.
        let mut open = counter.lock().unwrap_or_else(PoisonError::into_inner);
        let was_wide = *open > 0;
        *open = by(*open);
        let wide = *open > 0;
        if !self.opened {
            if wide != was_wide {
                let served = &self.shared.served;
                served.change(&self.shared, &self.carrier, wide);
            }
            return;
        }
        let (narrow, connection) = (config.receive_window, &self.carrier.connection);
        let window = match wide {
            true => {
                let near = self.shared.near.as_ref();
                narrow.saturating_add(quic::stream_window(config, near, connection))
            }
            false => narrow,
        };
        connection.set_receive_window(VarInt::from_u32(window));
    }
}

impl Drop for Width {
    fn drop(&mut self) {
        self.change(|open| open.saturating_sub(1));
    }
}

impl StreamWriter {
    /// Sends bytes, as soon as there is room for them.
    ///
    /// # Errors
    /// [`StreamError`]: nothing more can be written. How much of what was written arrived is not
    /// known.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        let len = bytes.len();
        self.send.write_chunk(bytes).await.map_err(not_written)?;
        count(&self.shared.counters.stream_bytes_out, len);
        Ok(())
    }

    /// Sends several pieces, in order, with less work than one by one.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_all(&mut self, pieces: &mut [Bytes]) -> Result<(), StreamError> {
        let len = pieces.iter().map(Bytes::len).sum();
        self.send
            .write_all_chunks(pieces)
            .await
            .map_err(not_written)?;
        count(&self.shared.counters.stream_bytes_out, len);
        Ok(())
    }

    /// Ends the stream: the peer reads to its end and knows that it is whole.
    ///
    /// # Errors
    /// [`StreamError`] when the stream was given up already.
    pub fn finish(&mut self) -> Result<(), StreamError> {
        self.send.finish().map_err(|_| StreamError::GivenUp)?;
        self.finished = true;
        Ok(())
    }

    /// Waits until the peer wants no more: after [`finish`](Self::finish) until it has everything,
    /// before until it stops reading.
    ///
    /// # Errors
    /// [`StreamError`] when the peer did not read to the end.
    pub async fn done(&mut self) -> Result<(), StreamError> {
        match self.send.stopped().await {
            Ok(None) => Ok(()),
            Ok(Some(code)) => Err(given_up(code)),
            Err(_) => Err(StreamError::Lost),
        }
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        if !self.finished {
            // It fails for a stream that the peer has stopped.
            let _ = self.send.reset(CODE_GIVEN_UP);
        }
    }
}

impl StreamReader {
    /// What came next, at most so many bytes; `None` at the end.
    ///
    /// # Errors
    /// [`StreamError`] when it ends without an end.
    pub async fn read(&mut self, max: usize) -> Result<Option<Bytes>, StreamError> {
        let chunk = self.recv.read_chunk(max, true).await.map_err(not_read)?;
        let bytes = chunk.map(|chunk| chunk.bytes);
        count(
            &self.shared.counters.stream_bytes_in,
            bytes.as_ref().map_or(0, Bytes::len),
        );
        Ok(bytes)
    }

    /// Puts what came into `pieces`, as packets brought it, and says how many it filled; `None` at
    /// the end.
    ///
    /// # Errors
    /// [`StreamError`] when it ends without an end.
    pub async fn read_pieces(
        &mut self,
        pieces: &mut [Bytes],
    ) -> Result<Option<usize>, StreamError> {
        let filled = self.recv.read_chunks(pieces).await.map_err(not_read)?;
        let len = pieces
            .iter()
            .take(filled.unwrap_or(0))
            .map(Bytes::len)
            .sum();
        count(&self.shared.counters.stream_bytes_in, len);
        Ok(filled)
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        // It fails for a stream that was read to its end.
        let _ = self.recv.stop(CODE_GIVEN_UP);
    }
}

fn given_up(code: VarInt) -> StreamError {
    match code {
        CODE_REFUSED => StreamError::Refused,
        _ => StreamError::GivenUp,
    }
}

fn not_written(error: WriteError) -> StreamError {
    match error {
        WriteError::Stopped(code) => given_up(code),
        WriteError::ClosedStream => StreamError::GivenUp,
        WriteError::ConnectionLost(_) | WriteError::ZeroRttRejected => StreamError::Lost,
    }
}

fn not_read(error: ReadError) -> StreamError {
    match error {
        ReadError::Reset(code) => given_up(code),
        ReadError::ClosedStream => StreamError::GivenUp,
        ReadError::ConnectionLost(_)
        | ReadError::ZeroRttRejected
        | ReadError::IllegalOrderedRead => StreamError::Lost,
    }
}

impl Endpoint {
    /// The streams that peers open, for whoever asks first. Peers may open
    /// [`Config::streams_max`](crate::Config) each at once; with zero, none.
    pub fn streams(&self) -> Option<Streams> {
        let taker = &self.shared().doorstep.taker;
        let taker = taker.lock().unwrap_or_else(PoisonError::into_inner).take();
        taker.map(Streams)
    }

    /// Opens a stream to a linked peer. The peer learns of it with the first bytes.
    ///
    /// # Errors
    /// [`StreamError::NotConnected`] without a link, [`StreamError::Busy`] when the peer takes no
    /// further stream for [`Config::stream_open_time`](crate::Config).
    pub async fn open_stream(&self, peer: NodeId) -> Result<Stream, StreamError> {
        let shared = self.shared();
        let link = shared.registry().links.get(&peer).map(Arc::clone);
        let carrier = link.ok_or(StreamError::NotConnected)?.carrier();
        let opening = carrier.connection.open_bi();
        let (send, recv) = match timeout(shared.config.stream_open_time, opening).await {
            Ok(Ok(both)) => both,
            Ok(Err(ConnectionError::LocallyClosed)) => return Err(StreamError::NotConnected),
            Ok(Err(_)) => return Err(StreamError::Lost),
            Err(_) => return Err(StreamError::Busy),
        };
        count(&shared.counters.streams_opened, 1);
        Ok(stream(shared, &carrier, peer, (send, recv), true))
    }
}

fn stream(
    shared: &Arc<Shared>,
    carrier: &Arc<Carrier>,
    peer: NodeId,
    (send, recv): (quinn::SendStream, quinn::RecvStream),
    opened: bool,
) -> Stream {
    let width = Width::new(shared, carrier, opened);
    // It fails for a stream that the peer has stopped.
    let _ = send.set_priority(PRIORITY);
    Stream {
        peer,
        writer: StreamWriter {
            send,
            finished: false,
            shared: Arc::clone(shared),
            _width: Arc::clone(&width),
        },
        reader: StreamReader {
            recv,
            shared: Arc::clone(shared),
            _width: width,
        },
    }
}

/// Takes the streams that the peer opens on this connection, as long as it stands.
pub(crate) async fn accept(shared: Arc<Shared>, link: Arc<Link>, carrier: Arc<Carrier>) {
    let connection = &carrier.connection;
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(shared.config.streams_max));
    loop {
        let Ok((mut send, mut recv)) = connection.accept_bi().await else {
            return;
        };
        if link.is_shut_out() {
            count(&shared.counters.streams_refused, 1);
            // They fail for a stream that is over already.
            let _ = (send.reset(CODE_REFUSED), recv.stop(CODE_REFUSED));
            continue;
        }
        // One stream of a peer waits here for room; further ones wait with the peer.
        let Ok(place) = shared.doorstep.sender.reserve().await else {
            return;
        };
        count(&shared.counters.streams_accepted, 1);
        place.send(stream(&shared, &carrier, link.peer, (send, recv), false));
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, share_of};

    #[test]
    fn many_connections_share_what_a_few_have_each() {
        let config = Config::new(([127, 0, 0, 1], 0).into());
        let all = u64::from(config.stream_send_max);
        for connections in [0, 1, 8] {
            assert_eq!(share_of(&config, connections), config.stream_window);
        }
        for connections in [9, 32, 100, 256] {
            let share = share_of(&config, connections);
            assert!(
                u64::from(share) * connections as u64 <= all,
                "{connections}"
            );
            assert!(share >= 256 * 1024);
        }
        assert_eq!(share_of(&config, 1_000_000), 256 * 1024);
    }
}
