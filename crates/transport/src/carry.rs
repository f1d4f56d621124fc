//! The two tasks of a connection: one reads, one writes.

use core::mem;
use std::sync::Arc;

use bytes::Bytes;
use repute_protocol::{
    Disconnect, DisconnectReason, Frame, FrameDecoder, FrameKind, FromPeer, Misbehaviour, Packer,
    RawFrame, Unpacker,
};
use tokio::{
    select,
    time::{sleep, timeout},
};

use crate::{
    Event, LinkDown, datagram,
    handshake::{Established, Failure, escaped, establish, say_goodbye},
    inbox::EVENT_BYTES,
    link::{Carrier, Link, Work},
    quic,
    shared::{Admission, Arrival, Live, Shared, goodbye},
    stats::count,
    stream, task,
};

/// Chunks taken from QUIC at once.
const READ_CHUNKS: usize = 32;
/// Bytes of frames in one event, so that one peer's flood is delivered in slices.
const EVENT_FRAMES_BYTES: usize = 64 * 1024;

/// Makes a link of a connection, or refuses it. `expected` is whom we dialled.
pub(crate) async fn carry(
    shared: &Arc<Shared>,
    connection: quinn::Connection,
    expected: Option<repute_identity::NodeId>,
) -> Result<(), Failure> {
    let live = Live::new(shared);
    let established = establish(shared, &connection, expected)
        .await
        .inspect_err(|failure| {
            count(&shared.counters.handshakes_failed, 1);
            tracing::debug!(remote = %connection.remote_address(), ?failure, "no link");
        })?;
    let Established {
        peer,
        handshake,
        mut send,
        recv,
        decoder,
    } = established;
    let agent = escaped(&handshake.agent);
    let room = || shared.inbox.room(None, EVENT_BYTES as usize);
    // While the application does not keep up, nobody new comes in.
    let rooms = timeout(shared.config.first_frame_time, async {
        Some((room().await?, room().await?))
    });
    let Ok(Some(rooms)) = rooms.await else {
        let busy = goodbye(DisconnectReason::Overload, "busy");
        say_goodbye(shared, &connection, &mut send, &busy).await;
        return Err(Failure::RefusedByUs(busy));
    };
    let carrier = Carrier::new(connection, expected.is_some());
    let arrival = Arrival {
        peer,
        handshake,
        carrier: Arc::clone(&carrier),
        rooms,
    };
    let link = match shared.admit(arrival) {
        Admission::Carries(link) => link,
        Admission::Spare(link) => link,
        Admission::Refused(disconnect) => {
            count(&shared.counters.handshakes_failed, 1);
            say_goodbye(shared, &carrier.connection, &mut send, &disconnect).await;
            return Err(Failure::RefusedByUs(disconnect));
        }
    };
    tracing::debug!(peer = %peer.short(), agent, dialled = carrier.dialled, "connected");
    let reader = Reader {
        recv,
        decoder,
        unpacker: Unpacker::new(),
    };
    spawn_link(shared, link, carrier, send, reader, live);
    Ok(())
}

fn spawn_link(
    shared: &Arc<Shared>,
    link: Arc<Link>,
    carrier: Arc<Carrier>,
    send: quinn::SendStream,
    reader: Reader,
    live: Live,
) {
    let on_panic = || {
        let (shared, link, carrier) = (Arc::clone(shared), Arc::clone(&link), Arc::clone(&carrier));
        move || {
            shared.panicked(Some(&link));
            carrier.written.notify_one();
            quic::close(
                &carrier.connection,
                &goodbye(DisconnectReason::Requested, ""),
            );
        }
    };
    if shared.config.streams_max > 0 {
        let (shared, link, carrier) = (Arc::clone(shared), Arc::clone(&link), Arc::clone(&carrier));
        task::spawn(stream::accept(shared, link, carrier), on_panic());
    }
    let (writer_panic, reader_panic) = (on_panic(), on_panic());
    let writer = write_until_done(
        Arc::clone(shared),
        Arc::clone(&link),
        Arc::clone(&carrier),
        send,
    );
    task::spawn(writer, writer_panic);
    task::spawn(
        read_until_done(Arc::clone(shared), link, carrier, reader, live),
        reader_panic,
    );
}

async fn write_until_done(
    shared: Arc<Shared>,
    link: Arc<Link>,
    carrier: Arc<Carrier>,
    send: quinn::SendStream,
) {
    let too_long = async {
        carrier.closing.notified().await;
        sleep(shared.config.flush_time).await;
    };
    select! {
        biased;
        () = write(&shared, &link, &carrier, send) => {}
        () = too_long => {
            quic::close(&carrier.connection, &goodbye(DisconnectReason::Requested, "not read in time"));
        }
    }
    carrier.written.notify_one();
}

async fn write(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    carrier: &Arc<Carrier>,
    mut send: quinn::SendStream,
) {
    let mut packer = Packer::new();
    loop {
        shared.probe("writer", link.peer);
        match link.next_work(carrier) {
            Work::Write {
                frames,
                control,
                broadcast,
            } => {
                let sent = frames.len();
                let mut bytes = Vec::with_capacity(control + broadcast);
                for frame in frames {
                    packer.pack(&frame, &mut bytes);
                }
                let len = bytes.len();
                if send.write_chunk(bytes.into()).await.is_err() {
                    // The peer stopped reading, or the connection is gone; its reader knows which.
                    return;
                }
                count(&shared.counters.frames_out, sent);
                count(&shared.counters.bytes_out, len);
                link.wrote(shared, control, broadcast);
            }
            Work::Goodbye(disconnect) => {
                say_goodbye(shared, &carrier.connection, &mut send, &disconnect).await;
                return;
            }
            Work::Retire => {
                if send.finish().is_ok() {
                    let _ = send.stopped().await;
                }
                return;
            }
            Work::Wait => carrier.work.notified().await,
        }
    }
}

/// The reading half of a connection.
struct Reader {
    recv: quinn::RecvStream,
    decoder: FrameDecoder,
    unpacker: Unpacker,
}

/// Why reading ended.
enum End {
    /// The peer said goodbye.
    Goodbye(Disconnect),
    /// The peer's stream ended: it writes on another connection now.
    Finished,
    /// The peer's stream did not end although this connection was put aside.
    Unheeded,
    /// The peer broke the framing.
    Framing,
    Lost,
}

async fn read_until_done(
    shared: Arc<Shared>,
    link: Arc<Link>,
    carrier: Arc<Carrier>,
    mut reader: Reader,
    live: Live,
) {
    let retired_long = async {
        carrier.retired.notified().await;
        sleep(shared.config.handshake_time / 2).await;
    };
    let end = select! {
        biased;
        () = datagram::read_until_too_bad(&shared, &link, &carrier.connection) => End::Framing,
        end = reader.read(&shared, &link, &carrier.connection) => end,
        () = retired_long => End::Unheeded,
    };
    let connection = &carrier.connection;
    match end {
        End::Goodbye(disconnect) => {
            tracing::debug!(
                peer = %link.peer.short(), reason = ?disconnect.reason,
                detail = escaped(&disconnect.detail), "the peer said goodbye",
            );
            shared.link_down(&link, LinkDown::Closed(disconnect), None);
        }
        End::Framing => {
            let _ = reader.recv.stop(quic::CODE_FRAMING);
            let disconnect = goodbye(DisconnectReason::Misbehaviour, "a frame broke the protocol");
            shared.link_down(&link, LinkDown::Local, Some(disconnect));
            wait_written(&shared, &carrier).await;
        }
        End::Finished => {
            // Our own stream ends too as soon as we see the other connection.
            select! {
                biased;
                () = carrier.written.notified() => {}
                _ = connection.closed() => {}
                () = sleep(shared.config.handshake_time) => {}
            }
            if link.is_carried_by(&carrier) {
                lose(&shared, &link, connection);
            }
        }
        End::Unheeded => {
            // The peer knows no other connection: it has restarted, and what was kept is dead.
            let cause = LinkDown::Lost("the peer has lost the connection that was kept".into());
            shared.link_down(&link, cause, None);
            link.carrier().connection.close(quic::CODE_RETIRED, &[]);
        }
        End::Lost => {
            if link.is_carried_by(&carrier) {
                if connection.close_reason().is_some() {
                    lose(&shared, &link, connection);
                } else {
                    let cause = LinkDown::Lost("the peer reset its stream".into());
                    shared.link_down(&link, cause, None);
                }
            } else {
                // Closed by this end: the writer still says goodbye.
                wait_written(&shared, &carrier).await;
            }
        }
    }
    connection.close(quic::CODE_RETIRED, &[]);
    drop(live);
}

async fn wait_written(shared: &Shared, carrier: &Carrier) {
    // The writer bounds itself; this bounds the wait should it be gone already.
    let bound = shared.config.flush_time.saturating_mul(2);
    let _ = timeout(bound, carrier.written.notified()).await;
}

fn lose(shared: &Arc<Shared>, link: &Arc<Link>, connection: &quinn::Connection) {
    let cause = match connection.close_reason() {
        Some(error) => match quic::disconnect_in(&error) {
            Some(disconnect) => LinkDown::Closed(disconnect),
            None => LinkDown::Lost(quic::describe(&error).into()),
        },
        None => LinkDown::Lost("the peer ended its stream without a goodbye".into()),
    };
    shared.link_down(link, cause, None);
}

impl Reader {
    async fn read(
        &mut self,
        shared: &Arc<Shared>,
        link: &Arc<Link>,
        connection: &quinn::Connection,
    ) -> End {
        let mut chunks: [Bytes; READ_CHUNKS] = Default::default();
        loop {
            shared.probe("reader", link.peer);
            if let Err(end) = self.deliver(shared, link).await {
                return end;
            }
            select! {
                () = link.until_wanted() => {}
                // Reading says how.
                _ = connection.closed() => {}
            }
            match self.recv.read_chunks(&mut chunks).await {
                Ok(Some(filled)) => {
                    for chunk in chunks.iter_mut().take(filled) {
                        count(&shared.counters.bytes_in, chunk.len());
                        self.decoder.push(mem::take(chunk));
                    }
                }
                Ok(None) => return End::Finished,
                Err(_) => return End::Lost,
            }
        }
    }

    /// Delivers every frame that is complete.
    async fn deliver(&mut self, shared: &Arc<Shared>, link: &Arc<Link>) -> Result<(), End> {
        let mut frames = Vec::new();
        let mut bytes = 0;
        loop {
            let fault = match self.decoder.next() {
                None => break,
                Some(Err(_)) => Fault::Framing,
                // Nothing is decoded of those who are shut out, but for a last word.
                Some(Ok(raw)) if link.is_shut_out() && raw.kind != Some(FrameKind::Disconnect) => {
                    count(&shared.counters.frames_shut_out, 1);
                    continue;
                }
                Some(Ok(raw)) => {
                    let (frame, len) = open(shared, &mut self.unpacker, raw);
                    match frame {
                        Ok(Some(Frame::Disconnect(disconnect))) => {
                            post_frames(shared, link, &mut frames, &mut bytes).await?;
                            return Err(End::Goodbye(disconnect));
                        }
                        Ok(Some(frame)) => {
                            frames.push(FromPeer::authenticated(link.peer, frame));
                            bytes += len;
                            if bytes >= EVENT_FRAMES_BYTES {
                                post_frames(shared, link, &mut frames, &mut bytes).await?;
                            }
                            continue;
                        }
                        Ok(None) => continue,
                        Err(fault) => fault,
                    }
                }
            };
            post_frames(shared, link, &mut frames, &mut bytes).await?;
            accuse(shared, link, fault).await?;
        }
        post_frames(shared, link, &mut frames, &mut bytes).await
    }
}

/// What a frame did wrong.
enum Fault {
    Framing,
    Malformed,
    Unexpected,
}

/// The frame, and the room that it takes.
fn open(
    shared: &Shared,
    unpacker: &mut Unpacker,
    raw: RawFrame,
) -> (Result<Option<Frame>, Fault>, usize) {
    let Some(kind) = raw.kind else {
        count(&shared.counters.frames_unknown, 1);
        return (Ok(None), raw.wire_len);
    };
    // An envelope may be kept for an hour; a slice would keep the whole received batch of packets
    // with it.
    let body = match kind {
        FrameKind::Broadcast => unpacker.unpack(&raw.body),
        FrameKind::TrustUpdate => Ok(Bytes::copy_from_slice(&raw.body)),
        _ => Ok(raw.body),
    };
    count(&shared.counters.frames_in, 1);
    let Ok(body) = body else {
        return (Err(Fault::Malformed), raw.wire_len);
    };
    let len = raw.wire_len.max(body.len());
    let frame = match Frame::decode(kind, body) {
        Ok(Frame::Handshake(_)) => Err(Fault::Unexpected),
        Ok(frame) => Ok(Some(frame)),
        Err(_) => Err(Fault::Malformed),
    };
    (frame, len)
}

async fn post_frames(
    shared: &Shared,
    link: &Link,
    frames: &mut Vec<FromPeer<Frame>>,
    bytes: &mut usize,
) -> Result<(), End> {
    if frames.is_empty() {
        return Ok(());
    }
    let Some(room) = shared.inbox.room(Some(link), *bytes).await else {
        return Err(End::Lost);
    };
    let event = Event::Frames {
        peer: link.peer,
        frames: mem::take(frames),
    };
    *bytes = 0;
    link.post(shared, event, room);
    Ok(())
}

async fn accuse(shared: &Arc<Shared>, link: &Arc<Link>, fault: Fault) -> Result<(), End> {
    count(&shared.counters.violations, 1);
    let (kind, counter) = match fault {
        Fault::Framing => (
            Misbehaviour::OversizedFrame,
            &shared.counters.framing_broken,
        ),
        Fault::Malformed => (
            Misbehaviour::MalformedFrame,
            &shared.counters.frames_malformed,
        ),
        Fault::Unexpected => (
            Misbehaviour::UnexpectedFrame,
            &shared.counters.frames_unexpected,
        ),
    };
    count(counter, 1);
    let Some(room) = shared.inbox.room(Some(link), EVENT_BYTES as usize).await else {
        return Err(End::Lost);
    };
    link.post(
        shared,
        Event::Violation {
            peer: link.peer,
            kind,
        },
        room,
    );
    if matches!(fault, Fault::Framing) || link.is_too_malformed(shared) {
        return Err(End::Framing);
    }
    Ok(())
}
