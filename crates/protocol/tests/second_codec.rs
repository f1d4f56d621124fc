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
    enum Deed { Messages, Transfer, Relay, Signing }
    enum Fate { Served, TimedOut, Disconnected, Invalid, Aborted }
    enum Half { A, B }
    struct Pact {
        version: u8,
        service: Deed,
        parties: [[u8; 32]; 4],
        session: u64,
        t0: u64,
    }
    struct Account {
        version: u8,
        service: Deed,
        parties: [[u8; 32]; 4],
        session: u64,
        seq_ab: u64,
        kind: Fate,
        amount: u64,
        t0: u64,
        t1: u64,
    }
    struct Complaint {
        pact: Pact,
        signatures: [[u8; 64]; 2],
        account: Account,
        by: Half,
        signature: [u8; 64],
    }
    struct Word {
        version: u8,
        by: [[u8; 32]; 2],
        subject: [u8; 32],
        number: u8,
        issued: u64,
        expires: u64,
        signature: [u8; 64],
    }
    enum Paper {
        Open(Pact, [u8; 64]),
        Opened(Pact, [[u8; 64]; 2]),
        Propose(Account, [u8; 64]),
        Cosigned(Account, [[u8; 64]; 2]),
        AskLatest,
        Latest(Vec<(Account, [[u8; 64]; 2])>),
        AskAbout([u8; 32]),
        About([u8; 32], Vec<(Account, [[u8; 64]; 2])>, Vec<Complaint>),
        Share(Vec<(Account, [[u8; 64]; 2])>),
        Fault(Account, [u8; 64], Account, [u8; 64]),
        Credentials([u8; 32], Vec<u64>, Vec<Word>),
    }
    struct Opinion { subject: [u8; 32], context: u8, value: i8, expires: u64, receipt: Option<[u8; 32]> }
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

fn key() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>()
}

fn mark() -> impl Strategy<Value = [u8; 64]> {
    any::<[[u8; 32]; 2]>().prop_map(|[left, right]| {
        let mut mark = [0; 64];
        mark[..32].copy_from_slice(&left);
        mark[32..].copy_from_slice(&right);
        mark
    })
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        Just(Deed::Messages),
        Just(Deed::Transfer),
        Just(Deed::Relay),
        Just(Deed::Signing),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Served),
        Just(Fate::TimedOut),
        Just(Fate::Disconnected),
        Just(Fate::Invalid),
        Just(Fate::Aborted),
    ]
}

fn pact() -> impl Strategy<Value = Pact> {
    let parties = any::<[[u8; 32]; 4]>();
    let numbers = (any::<u8>(), number(), number());
    (deed(), parties, numbers).prop_map(|(service, parties, (version, session, t0))| Pact {
        version,
        service,
        parties,
        session,
        t0,
    })
}

fn account() -> impl Strategy<Value = Account> {
    let numbers = (number(), number(), number());
    (pact(), fate(), numbers).prop_map(|(pact, kind, (seq_ab, amount, t1))| Account {
        version: pact.version,
        service: pact.service,
        parties: pact.parties,
        session: pact.session,
        seq_ab,
        kind,
        amount,
        t0: pact.t0,
        t1,
    })
}

fn both() -> impl Strategy<Value = [[u8; 64]; 2]> {
    (mark(), mark()).prop_map(|(a, b)| [a, b])
}

fn signed(max: usize) -> impl Strategy<Value = Vec<(Account, [[u8; 64]; 2])>> {
    prop::collection::vec((account(), both()), 0..=max)
}

fn complaint() -> impl Strategy<Value = Complaint> {
    let by = prop_oneof![Just(Half::A), Just(Half::B)];
    (pact(), both(), account(), by, mark()).prop_map(
        |(pact, signatures, account, by, signature)| Complaint {
            pact,
            signatures,
            account,
            by,
            signature,
        },
    )
}

fn word() -> impl Strategy<Value = Word> {
    let numbers = (any::<[u8; 2]>(), number(), number());
    (any::<[[u8; 32]; 2]>(), key(), numbers, mark()).prop_map(
        |(by, subject, ([version, number], issued, expires), signature)| Word {
            version,
            by,
            subject,
            number,
            issued,
            expires,
            signature,
        },
    )
}

fn paper() -> impl Strategy<Value = Paper> {
    let complaints = prop::collection::vec(complaint(), 0..=4);
    let (stamps, words) = (
        prop::collection::vec(number(), 0..=1),
        prop::collection::vec(word(), 0..=4),
    );
    prop_oneof![
        (pact(), mark()).prop_map(|(pact, mark)| Paper::Open(pact, mark)),
        (pact(), both()).prop_map(|(pact, marks)| Paper::Opened(pact, marks)),
        (account(), mark()).prop_map(|(account, mark)| Paper::Propose(account, mark)),
        (account(), both()).prop_map(|(account, marks)| Paper::Cosigned(account, marks)),
        Just(Paper::AskLatest),
        signed(8).prop_map(Paper::Latest),
        key().prop_map(Paper::AskAbout),
        (key(), signed(16), complaints)
            .prop_map(|(who, all, claims)| Paper::About(who, all, claims)),
        signed(16).prop_map(Paper::Share),
        (account(), mark(), account(), mark()).prop_map(|(a, x, b, y)| Paper::Fault(a, x, b, y)),
        (key(), stamps, words)
            .prop_map(|(who, stamps, words)| Paper::Credentials(who, stamps, words)),
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
    fn receipts_agree(paper in paper()) {
        same(FrameKind::Receipt, written!(paper, Paper))?;
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
        receipt in any::<Option<[u8; 32]>>(),
    ) {
        let text = Text { topic, kind, nth, after, data };
        same_payload(EnvelopeKind::Message, &written!(text, Text))?;
        same_payload(EnvelopeKind::AddressRecord, &written!(addresses, Vec<Place>))?;
        let opinion = Opinion { subject, context, value, expires, receipt };
        same_payload(EnvelopeKind::Recommendation, &written!(opinion, Opinion))?;
    }

    #[test]
    fn an_opinion_beyond_its_bounds_is_refused(value in any::<i8>()) {
        let opinion = Opinion { subject: [1; 32], context: 0, value, expires: 0, receipt: None };
        let read = Payload::decode(EnvelopeKind::Recommendation, &written!(opinion, Opinion));
        prop_assert_eq!(read.is_ok(), (-100..=100).contains(&value));
    }
}
