//! What must hold for any bytes whatever, one function a decoder.
//!
//! Ordinary tests run these over random, damaged and committed inputs; the fuzz targets in
//! `tests/fuzz` run the same functions over what the fuzzer finds. A function that panics has
//! found a bug.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]
#![allow(
    unreachable_pub,
    reason = "shared with the fuzz crate, where it is public"
)]

use bytes::Bytes;
use repute_identity::Ticket;
use repute_protocol::{
    BlobTicket, Envelope, EnvelopeKind, Frame, FrameDecoder, FrameError, FrameHeader, FrameKind,
    Packer, Payload, RawFrame, TransferAnswer, TransferRequest, Unpacker, limits, verify_all,
};

/// One fuzz target: its name, which is also its corpus folder, and what it checks.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 25] = [
    ("frame_stream", stream),
    ("handshake", |body| frame(FrameKind::Handshake, body)),
    ("handshake_ack", |body| frame(FrameKind::HandshakeAck, body)),
    ("disconnect", |body| frame(FrameKind::Disconnect, body)),
    ("heartbeat", |body| frame(FrameKind::Heartbeat, body)),
    ("peer_discovery", |body| {
        frame(FrameKind::PeerDiscovery, body)
    }),
    ("peer_announcement", |body| {
        frame(FrameKind::PeerAnnouncement, body)
    }),
    ("broadcast", |body| frame(FrameKind::Broadcast, body)),
    ("gossip", |body| frame(FrameKind::Gossip, body)),
    ("custom_data", |body| frame(FrameKind::CustomData, body)),
    ("trust_update", |body| frame(FrameKind::TrustUpdate, body)),
    ("trusted_peers_request", |body| {
        frame(FrameKind::TrustedPeersRequest, body)
    }),
    ("trusted_peers_response", |body| {
        frame(FrameKind::TrustedPeersResponse, body)
    }),
    ("receipt", |body| frame(FrameKind::Receipt, body)),
    ("dht", |body| frame(FrameKind::Dht, body)),
    ("blob", |body| frame(FrameKind::Blob, body)),
    ("envelope", envelope),
    ("envelope_batch", envelope_batch),
    ("payload_message", |bytes| {
        payload(EnvelopeKind::Message, bytes)
    }),
    ("payload_address_record", |bytes| {
        payload(EnvelopeKind::AddressRecord, bytes)
    }),
    ("payload_recommendation", |bytes| {
        payload(EnvelopeKind::Recommendation, bytes)
    }),
    ("payload_record", |bytes| {
        payload(EnvelopeKind::Record, bytes)
    }),
    ("ticket", ticket),
    ("blob_ticket", blob_ticket),
    ("transfer", transfer),
];

/// Runs the target of this name.
///
/// # Panics
/// If there is none, or the target found a bug.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, check) = target.unwrap_or_else(|| panic!("no target is called {name}"));
    check(bytes);
}

/// The first byte says how to cut the rest into chunks: however it is cut, the same frames come
/// out, and each one that decodes encodes back to its bytes.
pub fn stream(bytes: &[u8]) {
    let (cut, stream) = bytes
        .split_first()
        .map_or((1, bytes), |(cut, rest)| (*cut, rest));
    let whole = frames_of(stream, [stream.len()].into_iter());
    // Lengths 1 to 32 that depend on the first byte and change along the stream.
    let sizes = (0usize..).map(|nth| 1 + (usize::from(cut).wrapping_add(nth.wrapping_mul(7)) % 32));
    let cut_up = frames_of(stream, sizes);
    assert_eq!(whole, cut_up, "the cut must not matter");
    let (mut unpacker, mut packer, mut again) = (Unpacker::new(), Packer::new(), Unpacker::new());
    for raw in whole.into_iter().flatten() {
        assert!(raw.wire_len <= stream.len());
        match raw.kind {
            Some(FrameKind::Broadcast) => {
                if let Ok(body) = unpacker.unpack(&raw.body) {
                    frame(FrameKind::Broadcast, &body);
                    packed(&body, &mut packer, &mut again);
                }
            }
            Some(kind) => frame(kind, &raw.body),
            None => {}
        }
    }
}

/// A broadcast that is one leaves a packer and comes out of an unpacker as it was.
fn packed(body: &Bytes, packer: &mut Packer, unpacker: &mut Unpacker) {
    if let Ok(frame) = Frame::decode(FrameKind::Broadcast, body.clone()) {
        let wire = frame.encode();
        let mut out = Vec::new();
        packer.pack(&wire, &mut out);
        assert!(out.len() <= wire.len() + 3);
        let read = unpacker.unpack(&out[FrameHeader::LEN..]);
        assert_eq!(read.as_deref(), Ok(&wire[FrameHeader::LEN..]));
    }
}

/// The frames of `stream` when it arrives in chunks of these sizes.
pub fn frames_of(
    stream: &[u8],
    mut sizes: impl Iterator<Item = usize>,
) -> Vec<Result<RawFrame, FrameError>> {
    let mut decoder = FrameDecoder::new();
    let mut frames = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
        let (chunk, after) = rest.split_at(size);
        decoder.push(Bytes::copy_from_slice(chunk));
        frames.extend(decoder.by_ref());
        assert!(
            decoder.held() <= stream.len(),
            "nothing is held that did not come"
        );
        rest = after;
    }
    frames
}

/// A body that is accepted encodes back to itself, and is within the limit of its kind.
pub fn frame(kind: FrameKind, body: &[u8]) {
    let Ok(frame) = Frame::decode(kind, Bytes::copy_from_slice(body)) else {
        return;
    };
    assert_eq!(frame.kind(), kind);
    assert!(frame.fits());
    let wire = frame.encode();
    let mut expected = body.to_vec();
    if let (FrameKind::Broadcast, Some(ttl)) = (kind, expected.get_mut(1)) {
        *ttl = (*ttl).min(limits::TTL_MAX);
    }
    assert_eq!(&wire[FrameHeader::LEN..], expected, "encode(decode(x)) = x");
    let header = FrameHeader::parse(wire[..FrameHeader::LEN].try_into().unwrap());
    assert_eq!(
        header,
        Ok(FrameHeader {
            kind: Some(kind),
            body_len: body.len()
        })
    );
    match frame {
        Frame::Broadcast(broadcast) => envelope(broadcast.envelope.wire()),
        Frame::TrustUpdate(update) => envelope(update.wire()),
        Frame::PeerAnnouncement(announced) => announced.records.iter().for_each(|r| envelope(r)),
        Frame::TrustedPeersResponse(answer) => {
            answer
                .recommendations
                .iter()
                .for_each(|opinion| envelope(opinion));
        }
        _ => {}
    }
}

/// An envelope that parses keeps its bytes; its payload encodes back to itself.
pub fn envelope(bytes: &[u8]) {
    let wire = Bytes::copy_from_slice(bytes);
    let Ok(envelope) = Envelope::decode(wire.clone()) else {
        return;
    };
    assert_eq!(envelope.wire(), &wire);
    let text = envelope.id().to_string();
    assert_eq!(text.parse(), Ok(envelope.id()));
    payload(envelope.kind(), &envelope.payload());
    if let Ok(inception) = envelope.inception() {
        assert_eq!(inception.node_id(), envelope.author());
    }
    assert!(!format!("{envelope:?}").contains(char::is_control));
}

/// Envelopes cut from the input, checked together, get the verdicts that each gets alone.
pub fn envelope_batch(bytes: &[u8]) {
    let mut rest = bytes;
    let mut envelopes = Vec::new();
    while let Some((len, after)) = rest.split_first_chunk::<2>() {
        let (one, after) = after.split_at(usize::from(u16::from_le_bytes(*len)).min(after.len()));
        envelopes.extend(Envelope::decode(Bytes::copy_from_slice(one)));
        rest = after;
        if envelopes.len() == 8 {
            break;
        }
    }
    let alone: Vec<bool> = envelopes
        .iter()
        .map(|one| one.clone().verify().is_ok())
        .collect();
    let together = verify_all(envelopes, *blake3::hash(bytes).as_bytes());
    assert_eq!(
        alone,
        together.iter().map(Result::is_ok).collect::<Vec<_>>()
    );
}

/// A payload that is accepted encodes back to itself.
pub fn payload(kind: EnvelopeKind, bytes: &[u8]) {
    if let Ok(payload) = Payload::decode(kind, bytes) {
        assert_eq!(payload.kind(), kind);
        assert_eq!(payload.encode(), bytes, "encode(decode(x)) = x");
    }
}

/// A ticket that is accepted prints as one that says the same.
pub fn ticket(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    match text.parse::<Ticket>() {
        Ok(ticket) => assert_eq!(ticket.to_string().parse(), Ok(ticket)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A ticket for a blob that is accepted prints as one that says the same.
pub fn blob_ticket(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    match text.parse::<BlobTicket>() {
        Ok(ticket) => {
            assert!(ticket.to_string().len() <= BlobTicket::TEXT_MAX);
            assert_eq!(ticket.to_string().parse(), Ok(ticket));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A head of a transfer that is accepted is written as it came.
pub fn transfer(bytes: &[u8]) {
    let Some((prefix, rest)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    if let Ok(len) = TransferRequest::body_len(*prefix)
        && let Some(body) = rest.get(..len)
        && let Ok(request) = TransferRequest::decode_body(body)
    {
        assert!(!request.groups.is_empty());
        assert_eq!(request.encode_head(), bytes[..2 + len]);
    }
    if let Ok(len) = TransferAnswer::body_len(*prefix)
        && let Some(body) = rest.get(..len)
        && let Ok(answer) = TransferAnswer::decode_body(body)
    {
        assert_eq!(answer.encode_head(), bytes[..2 + len]);
    }
}
