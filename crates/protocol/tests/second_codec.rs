//! A second codec reads and writes the same bytes: every wire type, spelled out once more with
//! plain fields, through wincode. It also keeps the way open to switch.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]

use proptest::prelude::*;
use repute_identity::Identity;
use repute_protocol::{EnvelopeKind, Frame, FrameHeader, FrameKind, Payload};
use wincode::{
    SchemaRead, SchemaWrite,
    config::{self, Configuration},
};

/// Declares a mirror of a wire type.
macro_rules! mirror {
    ($($item:item)*) => {
        $(
            #[derive(Clone, Debug, PartialEq, SchemaWrite, SchemaRead)]
            $item
        )*
    };
}

mirror! {
    struct Place { family: u8, ip: [u8; 16], port: [u8; 2] }
    struct Record { version: u8, key: [u8; 32], recovery: [u8; 32] }
    struct Shake {
        version_min: u16,
        version_max: u16,
        network: [u8; 8],
        inception: Record,
        capabilities: Vec<u16>,
        listen: Vec<Place>,
        wall: u64,
        agent: String,
    }
    struct Hint { id: [u8; 32], addresses: Vec<Place> }
    struct Ack { observed: Place, peers: Vec<Hint> }
    struct Goodbye { reason: u8, retry_ms: u64, detail: String }
    enum Beat {
        Ping(u64),
        Pong(u64),
        ProbeRequest(u64, [u8; 32]),
        ProbeReply(u64, [u8; 32], bool),
    }
    struct Blobs { items: Vec<Vec<u8>> }
    enum Rumour {
        Join,
        ForwardJoin(Hint, u8),
        Neighbor(bool),
        NeighborReply(bool),
        Shuffle(Hint, u8, Vec<Hint>),
        ShuffleReply(Vec<Hint>),
        Leave,
        Announce(Vec<([u8; 32], u8)>),
        Graft(Vec<[u8; 32]>),
        Prune,
        Reconcile(u64, bool, Vec<u8>),
        Want(Vec<[u8; 32]>),
    }
    struct Custom { kind: u16, data: Vec<u8> }
    struct Ask { context: u8, count: u8 }
    struct Text {
        topic: String,
        kind: u16,
        nth: u64,
        after: Vec<([u8; 32], u64, u64)>,
        data: Vec<u8>,
    }
    struct Opinion { subject: [u8; 32], context: u8, value: i8, expires: u64 }
}

/// What wincode writes for `$value` must read back, through wincode, as the same value.
macro_rules! written {
    ($value:expr, $type:ty) => {{
        let config = Configuration::default().with_varint_encoding();
        let value: $type = $value;
        let bytes = config::serialize(&value, config).unwrap();
        let again: $type = config::deserialize_exact(&bytes, config).unwrap();
        prop_assert_eq!(again, value);
        bytes
    }};
}

/// Our decoder takes the bytes, and our encoder writes them.
fn same(kind: FrameKind, bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let frame = Frame::decode(kind, bytes.clone().into());
    let wire = frame
        .map_err(|error| TestCaseError::fail(error.to_string()))?
        .encode();
    prop_assert_eq!(&wire[FrameHeader::LEN..], &bytes[..]);
    Ok(())
}

fn same_payload(kind: EnvelopeKind, bytes: &[u8]) -> Result<(), TestCaseError> {
    let payload = Payload::decode(kind, bytes);
    let again = payload
        .map_err(|error| TestCaseError::fail(error.to_string()))?
        .encode();
    prop_assert_eq!(again, bytes);
    Ok(())
}

/// Numbers of every encoded length.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0u64..300,
        65_000u64..66_000,
        4_294_967_000u64..4_294_968_000,
        any::<u64>()
    ]
}

fn place() -> impl Strategy<Value = Place> {
    // Global unicast, so never an IPv4-mapped address.
    (any::<[u8; 15]>(), any::<[u8; 2]>()).prop_map(|(rest, port)| {
        let mut ip = [0x20; 16];
        ip[1..].copy_from_slice(&rest);
        Place {
            family: 6,
            ip,
            port,
        }
    })
}

fn places() -> impl Strategy<Value = Vec<Place>> {
    prop::collection::vec(place(), 0..=8)
}

fn hint() -> impl Strategy<Value = Hint> {
    (any::<[u8; 32]>(), places()).prop_map(|(id, addresses)| Hint { id, addresses })
}

fn hints() -> impl Strategy<Value = Vec<Hint>> {
    prop::collection::vec(hint(), 0..=16)
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=max)
}

fn ids() -> impl Strategy<Value = Vec<[u8; 32]>> {
    prop::collection::vec(any::<[u8; 32]>(), 0..=256)
}

fn beat() -> impl Strategy<Value = Beat> {
    prop_oneof![
        number().prop_map(Beat::Ping),
        number().prop_map(Beat::Pong),
        (number(), any::<[u8; 32]>()).prop_map(|(n, t)| Beat::ProbeRequest(n, t)),
        (number(), any::<[u8; 32]>(), any::<bool>())
            .prop_map(|(n, t, alive)| Beat::ProbeReply(n, t, alive)),
    ]
}

fn rumour() -> impl Strategy<Value = Rumour> {
    prop_oneof![
        Just(Rumour::Join),
        (hint(), any::<u8>()).prop_map(|(peer, ttl)| Rumour::ForwardJoin(peer, ttl)),
        any::<bool>().prop_map(Rumour::Neighbor),
        any::<bool>().prop_map(Rumour::NeighborReply),
        (hint(), any::<u8>(), hints())
            .prop_map(|(origin, ttl, peers)| Rumour::Shuffle(origin, ttl, peers)),
        hints().prop_map(Rumour::ShuffleReply),
        Just(Rumour::Leave),
        prop::collection::vec((any::<[u8; 32]>(), any::<u8>()), 0..=256).prop_map(Rumour::Announce),
        ids().prop_map(Rumour::Graft),
        Just(Rumour::Prune),
        (number(), any::<bool>(), bytes(2_000)).prop_map(|(s, i, b)| Rumour::Reconcile(s, i, b)),
        ids().prop_map(Rumour::Want),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn handshakes_agree(
        (version_min, version_max, seed) in (any::<u16>(), any::<u16>(), any::<u64>()),
        network in any::<[u8; 8]>(),
        capabilities in prop::collection::vec(any::<u16>(), 0..=32),
        listen in places(),
        wall in number(),
        agent in "\\PC{0,32}",
    ) {
        let identity = Identity::from_seed(seed);
        let inception = Record {
            version: 1,
            key: *identity.inception().key.as_bytes(),
            recovery: identity.inception().recovery,
        };
        let shake = Shake {
            version_min, version_max, network, inception, capabilities, listen, wall, agent,
        };
        same(FrameKind::Handshake, written!(shake, Shake))?;
    }

    #[test]
    fn acknowledgements_and_goodbyes_agree(
        (observed, peers) in (place(), hints()),
        (reason, retry_ms, detail) in (any::<u8>(), number(), "\\PC{0,32}"),
    ) {
        same(FrameKind::HandshakeAck, written!(Ack { observed, peers }, Ack))?;
        let goodbye = Goodbye { reason, retry_ms, detail };
        same(FrameKind::Disconnect, written!(goodbye, Goodbye))?;
    }

    #[test]
    fn heartbeats_agree(beat in beat()) {
        same(FrameKind::Heartbeat, written!(beat, Beat))?;
    }

    #[test]
    fn gossip_agrees(rumour in rumour()) {
        same(FrameKind::Gossip, written!(rumour, Rumour))?;
    }

    #[test]
    fn lists_and_questions_agree(
        items in prop::collection::vec(bytes(512), 0..=16),
        (kind, data) in (any::<u16>(), bytes(3_000)),
        (context, count) in any::<(u8, u8)>(),
    ) {
        let blobs = written!(Blobs { items: items.clone() }, Blobs);
        same(FrameKind::PeerAnnouncement, blobs.clone())?;
        same(FrameKind::TrustedPeersResponse, blobs)?;
        same(FrameKind::CustomData, written!(Custom { kind, data: data.clone() }, Custom))?;
        same(FrameKind::TrustedPeersRequest, written!(Ask { context, count }, Ask))?;
        same(FrameKind::PeerDiscovery, vec![count])?;
    }

    #[test]
    fn payloads_agree(
        (topic, kind, nth, data) in ("\\PC{0,16}", any::<u16>(), number(), bytes(2_000)),
        after in prop::collection::vec((any::<[u8; 32]>(), number(), number()), 0..=16),
        addresses in places(),
        (subject, context, value, expires) in (any::<[u8; 32]>(), any::<u8>(), -100i8..=100, number()),
    ) {
        let text = Text { topic, kind, nth, after, data };
        same_payload(EnvelopeKind::Message, &written!(text, Text))?;
        same_payload(EnvelopeKind::AddressRecord, &written!(addresses, Vec<Place>))?;
        let opinion = Opinion { subject, context, value, expires };
        same_payload(EnvelopeKind::Recommendation, &written!(opinion, Opinion))?;
    }

    #[test]
    fn an_opinion_beyond_its_bounds_is_refused(value in any::<i8>()) {
        let opinion = Opinion { subject: [1; 32], context: 0, value, expires: 0 };
        let read = Payload::decode(EnvelopeKind::Recommendation, &written!(opinion, Opinion));
        prop_assert_eq!(read.is_ok(), (-100..=100).contains(&value));
    }
}
