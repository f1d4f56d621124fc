//! From an authenticated connection to a link: each end opens its stream and says who it is.

use bytes::Bytes;
use repute_base::BoundedString;
use repute_identity::NodeId;
use repute_protocol::{
    Admission, Disconnect, DisconnectReason, Frame, FrameDecoder, FrameKind, Handshake, RawFrame,
};
use tokio::{select, time::timeout};

use crate::{
    DialFailure, datagram, quic,
    shared::{Shared, goodbye},
};

/// A connection whose two handshakes are checked.
pub(crate) struct Established {
    pub(crate) peer: NodeId,
    pub(crate) handshake: Handshake,
    pub(crate) send: quinn::SendStream,
    pub(crate) recv: quinn::RecvStream,
    /// Holds what came behind the handshake.
    pub(crate) decoder: FrameDecoder,
}

/// Why a connection never became a link.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection broke.
    Lost,
    Timeout,
    /// The other end refused us.
    RefusedByPeer(Disconnect),
    /// We refused the other end, and told it.
    RefusedByUs(Disconnect),
}

impl Failure {
    pub(crate) fn of(error: &quinn::ConnectionError) -> Self {
        match (quic::disconnect_in(error), error) {
            (Some(disconnect), _) => Self::RefusedByPeer(disconnect),
            (None, quinn::ConnectionError::TimedOut) => Self::Timeout,
            (None, quinn::ConnectionError::ConnectionClosed(close))
                if close.error_code == quinn::TransportErrorCode::CONNECTION_REFUSED =>
            {
                Self::RefusedByPeer(goodbye(DisconnectReason::Overload, "refused at the door"))
            }
            (None, _) => Self::Lost,
        }
    }

    pub(crate) fn into_dial_failure(self) -> DialFailure {
        match self {
            Self::Lost => DialFailure::Unreachable,
            Self::Timeout => DialFailure::Timeout,
            Self::RefusedByUs(disconnect)
                if disconnect.reason == DisconnectReason::WrongIdentity =>
            {
                DialFailure::WrongIdentity
            }
            Self::RefusedByPeer(disconnect) | Self::RefusedByUs(disconnect) => {
                DialFailure::Refused(disconnect)
            }
        }
    }
}

/// Exchanges and checks handshakes. `expected` is whom we dialled.
pub(crate) async fn establish(
    shared: &Shared,
    connection: &quinn::Connection,
    expected: Option<NodeId>,
) -> Result<Established, Failure> {
    let lost = |error: quinn::ConnectionError| Failure::of(&error);
    let exchange = async {
        let mut send = connection.open_uni().await.map_err(lost)?;
        let own = Frame::Handshake(shared.own_handshake()).encode();
        // What a failed write means, the read says better.
        let _ = send.write_chunk(own).await;
        let mut recv = connection.accept_uni().await.map_err(lost)?;
        let mut decoder = FrameDecoder::new();
        let first = first_frame(connection, &mut recv, &mut decoder).await?;
        Ok((send, recv, decoder, first))
    };
    let exchanged = select! {
        biased;
        exchanged = timeout(shared.config.first_frame_time, exchange) => exchanged,
        // Nothing is believed before the handshake, and nothing piles up.
        never = datagram::discard(connection) => match never {},
    };
    let (mut send, recv, decoder, first) = match exchanged {
        Ok(exchanged) => exchanged?,
        Err(_) => {
            let late = goodbye(DisconnectReason::Unresponsive, "no handshake in time");
            quic::close(connection, &late);
            return Err(Failure::Timeout);
        }
    };
    match check(shared, connection, expected, &first) {
        Ok(handshake) => {
            let peer = handshake.inception.node_id();
            Ok(Established {
                peer,
                handshake,
                send,
                recv,
                decoder,
            })
        }
        Err(Failure::RefusedByUs(disconnect)) => {
            say_goodbye(shared, connection, &mut send, &disconnect).await;
            Err(Failure::RefusedByUs(disconnect))
        }
        Err(failure) => {
            connection.close(quic::CODE_RETIRED, &[]);
            Err(failure)
        }
    }
}

async fn first_frame(
    connection: &quinn::Connection,
    recv: &mut quinn::RecvStream,
    decoder: &mut FrameDecoder,
) -> Result<Option<RawFrame>, Failure> {
    loop {
        match recv.read_chunk(usize::MAX, true).await {
            Ok(Some(chunk)) => decoder.push(chunk.bytes),
            // A stream that ends before its first frame is complete is none.
            Ok(None) => return Ok(None),
            Err(_) => {
                let closed = connection.close_reason();
                return Err(closed.map_or(Failure::Lost, |error| Failure::of(&error)));
            }
        }
        match decoder.next() {
            Some(Ok(frame)) => return Ok(Some(frame)),
            Some(Err(_)) => return Ok(None),
            None => {}
        }
    }
}

fn check(
    shared: &Shared,
    connection: &quinn::Connection,
    expected: Option<NodeId>,
    first: &Option<RawFrame>,
) -> Result<Handshake, Failure> {
    let refuse = |reason, detail: &str| Err(Failure::RefusedByUs(goodbye(reason, detail)));
    let kind_and_body = first
        .as_ref()
        .and_then(|raw| Some((raw.kind?, raw.body.clone())));
    let handshake = match kind_and_body {
        Some((FrameKind::Handshake, body)) => match Frame::decode(FrameKind::Handshake, body) {
            Ok(Frame::Handshake(handshake)) => handshake,
            _ => return refuse(DisconnectReason::Misbehaviour, "malformed handshake"),
        },
        Some((FrameKind::Disconnect, body)) => {
            return match Frame::decode(FrameKind::Disconnect, body) {
                Ok(Frame::Disconnect(disconnect)) => Err(Failure::RefusedByPeer(disconnect)),
                _ => refuse(DisconnectReason::Misbehaviour, "malformed disconnect"),
            };
        }
        _ => {
            return refuse(
                DisconnectReason::Misbehaviour,
                "the first frame is no handshake",
            );
        }
    };
    // A link without a proven key does not get this far: TLS requires one of both ends.
    let Some(link_key) = quic::peer_key(connection) else {
        return refuse(DisconnectReason::WrongIdentity, "no key was proven");
    };
    let admission = Admission {
        network: shared.template.network,
        own: shared.own,
        link_key: &link_key,
        dialled: expected,
    };
    if let Err(reason) = handshake.judge(&admission) {
        return refuse(reason, objection(reason));
    }
    Ok(handshake)
}

/// What an objection means, for people.
const fn objection(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::WrongVersion => "no common version of the protocol",
        DisconnectReason::WrongNetwork => "another network",
        DisconnectReason::WrongIdentity => "not who was dialled, or not the key of the connection",
        DisconnectReason::Duplicate => "this is the node itself",
        _ => "",
    }
}

/// Writes the last frame, gives it bounded time to arrive, and closes.
pub(crate) async fn say_goodbye(
    shared: &Shared,
    connection: &quinn::Connection,
    send: &mut quinn::SendStream,
    disconnect: &Disconnect,
) {
    let frame: Bytes = Frame::Disconnect(disconnect.clone()).encode();
    let flush = async {
        if send.write_chunk(frame).await.is_ok() && send.finish().is_ok() {
            // Whether it arrived or not, the connection ends now.
            let _ = send.stopped().await;
        }
    };
    let _ = timeout(shared.config.flush_time, flush).await;
    quic::close(connection, disconnect);
}

/// A peer's words for a log.
pub(crate) fn escaped<const MAX: usize>(text: &BoundedString<MAX>) -> String {
    text.escaped().to_string()
}
