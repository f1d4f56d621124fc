//! Heartbeats as QUIC datagrams: one whole frame each, and nothing else.

use bytes::Bytes;
use repute_protocol::{Frame, FrameHeader, FrameKind, FromPeer, Misbehaviour};

use crate::{Event, link::Link, shared::Shared, stats::count};

/// Datagrams taken in one go, so that a flood of them leaves time for the stream.
const TURN: usize = 32;

/// Drops what comes before both handshakes are checked; ends never.
pub(crate) async fn discard(connection: &quinn::Connection) -> core::convert::Infallible {
    while connection.read_datagram().await.is_ok() {}
    core::future::pending().await
}

/// Delivers the frames of a connection's datagrams; ends when the peer broke the protocol too
/// often.
pub(crate) async fn read_until_too_bad(
    shared: &Shared,
    link: &Link,
    connection: &quinn::Connection,
) {
    let mut taken = 0usize;
    while let Ok(datagram) = connection.read_datagram().await {
        if !deliver(shared, link, datagram) {
            return;
        }
        taken = taken.wrapping_add(1);
        if taken.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
    }
    // The connection is gone; the reader of the stream says how.
    core::future::pending().await
}

/// False when there was too much that broke the protocol.
fn deliver(shared: &Shared, link: &Link, datagram: Bytes) -> bool {
    count(&shared.counters.bytes_in, datagram.len());
    if link.is_shut_out() {
        count(&shared.counters.frames_shut_out, 1);
        return true;
    }
    let room = link.datagram_room();
    let peer = link.peer;
    let (event, goes_on) = match open(datagram) {
        Ok(None) => {
            count(&shared.counters.frames_unknown, 1);
            return true;
        }
        Ok(Some(frame)) => {
            count(&shared.counters.frames_in, 1);
            count(&shared.counters.datagrams_in, 1);
            let frames = vec![FromPeer::authenticated(peer, frame)];
            (Event::Frames { peer, frames }, true)
        }
        Err(kind) => {
            count(&shared.counters.violations, 1);
            let counter = match kind {
                Misbehaviour::UnexpectedFrame => &shared.counters.frames_unexpected,
                _ => &shared.counters.frames_malformed,
            };
            count(counter, 1);
            let goes_on = !link.is_too_malformed(shared);
            (Event::Violation { peer, kind }, goes_on)
        }
    };
    match room {
        Some(room) => link.post(shared, event, room),
        None => count(&shared.counters.datagrams_dropped, 1),
    }
    goes_on
}

/// The heartbeat that a datagram consists of; `None` for a kind that this build does not know.
fn open(datagram: Bytes) -> Result<Option<Frame>, Misbehaviour> {
    let (header, _) = datagram
        .split_first_chunk::<{ FrameHeader::LEN }>()
        .ok_or(Misbehaviour::MalformedFrame)?;
    let header = FrameHeader::parse(*header).map_err(|_| Misbehaviour::MalformedFrame)?;
    let body = datagram.slice(FrameHeader::LEN..);
    if header.body_len != body.len() {
        return Err(Misbehaviour::MalformedFrame);
    }
    match header.kind {
        None => Ok(None),
        Some(FrameKind::Heartbeat) => Frame::decode(FrameKind::Heartbeat, body)
            .map(Some)
            .map_err(|_| Misbehaviour::MalformedFrame),
        Some(_) => Err(Misbehaviour::UnexpectedFrame),
    }
}

#[cfg(test)]
mod tests {
    use repute_protocol::Heartbeat;

    use super::*;

    fn frame(number: u8, body: &[u8]) -> Bytes {
        let len = (body.len() as u32 + 1).to_be_bytes();
        [&len[..], &[number], body].concat().into()
    }

    #[test]
    fn a_datagram_is_one_whole_heartbeat() {
        let ping = Frame::Heartbeat(Heartbeat::Ping { nonce: 7 }).encode();
        assert!(matches!(open(ping.clone()), Ok(Some(Frame::Heartbeat(_)))));
        for cut in 0..ping.len() {
            let cut = open(ping.slice(..cut)).err();
            assert_eq!(cut, Some(Misbehaviour::MalformedFrame));
        }
        let two = Bytes::from([&ping[..], &ping[..]].concat());
        assert_eq!(open(two).err(), Some(Misbehaviour::MalformedFrame));
        let bad = frame(FrameKind::Heartbeat.number(), &[0xee; 3]);
        assert_eq!(open(bad).err(), Some(Misbehaviour::MalformedFrame));
    }

    #[test]
    fn other_kinds_have_no_place_in_a_datagram_but_unknown_ones_are_passed_over() {
        for kind in FrameKind::ALL {
            if kind != FrameKind::Heartbeat {
                let other = open(frame(kind.number(), &[0]));
                assert_eq!(other.err(), Some(Misbehaviour::UnexpectedFrame), "{kind:?}");
            }
        }
        assert!(matches!(open(frame(250, b"of tomorrow")), Ok(None)));
    }
}
