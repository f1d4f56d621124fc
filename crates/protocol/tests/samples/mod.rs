//! Frames and envelopes to test with: ordinary ones, and the largest that are legal.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use bytes::Bytes;
use repute_base::{Address, BoundedBytes, BoundedString, Wall, codec};
use repute_identity::{Identity, NodeId, Stamp, Vouch};
use repute_protocol::{
    AddressRecord, Advertisement, Announced, BlobAnnouncement, BlobFrame, BlobHash, BlobHave,
    BlobTicket, Broadcast, Capability, Claim, Contact, Credentials, Criterion, CustomData,
    DhtAnswer, DhtAsk, DhtFrame, Disconnect, DisconnectReason, Dot, Envelope, EnvelopeKind,
    Equivocation, Frame, GossipFrame, GroupList, Handshake, HandshakeAck, Heartbeat, Holdings,
    Message, MessageId, NetworkId, Outcome, Party, Payload, PeerAnnouncement, PeerDiscovery,
    PeerHint, Provider, Receipt, ReceiptFrame, ReceiptProposal, ReceiptTerms, Recommendation,
    Record, RecordKey, RecordKind, RecordList, Seq, Service, SessionOpen, SessionProposal,
    SessionTerms, ShortId, Side, Stored, Tier, Topic, TransferAnswer, TransferRefusal,
    TransferRequest, TrustedPeersRequest, TrustedPeersResponse, Unsigned, Verified, limits,
};

/// 2026-11-21 00:00 UTC.
pub const SENT: Wall = Wall::from_millis(1_795_219_200_000);

pub fn network() -> NetworkId {
    NetworkId::from_name("repute-test-vectors")
}

pub fn v4() -> Address {
    "203.0.113.7:4433".parse().unwrap()
}

pub fn v6() -> Address {
    "[2001:db8::7]:4433".parse().unwrap()
}

pub fn seal(author: &Identity, payload: &Payload) -> Verified<Envelope> {
    let seq = Seq {
        start: SENT.as_millis() - 1_000,
        counter: 3,
    };
    sign(author, payload, seq)
}

pub fn sign(author: &Identity, payload: &Payload, seq: Seq) -> Verified<Envelope> {
    let kind = payload.kind();
    Unsigned {
        network: network(),
        kind,
        seq,
        sent: SENT,
        payload: payload.encode(),
    }
    .sign(author)
}

/// So many messages of one author under one signature.
pub fn burst(author: &Identity, count: usize) -> Vec<Verified<Envelope>> {
    let unsigned: Vec<Unsigned> = (0..count)
        .map(|nth| Unsigned {
            network: network(),
            kind: EnvelopeKind::Message,
            seq: Seq {
                start: SENT.as_millis() - 1_000,
                counter: nth as u64,
            },
            sent: SENT,
            payload: message(format!("{nth} of a burst").as_bytes()).encode(),
        })
        .collect();
    Unsigned::sign_all(&unsigned, author)
}

pub fn message(data: &[u8]) -> Payload {
    Payload::Message(Message {
        topic: Topic::new("weather").unwrap(),
        kind: 7,
        nth: 2,
        after: vec![Dot {
            author: Identity::from_seed(2).id(),
            start: 5,
            nth: 300,
        }]
        .try_into()
        .unwrap(),
        data: BoundedBytes::new(data.to_vec()).unwrap(),
    })
}

pub fn address_record() -> Payload {
    Payload::AddressRecord(AddressRecord {
        addresses: vec![v4(), v6()].try_into().unwrap(),
    })
}

pub fn recommendation() -> Payload {
    Payload::Recommendation(Recommendation {
        subject: Identity::from_seed(3).id(),
        context: 1,
        value: -40,
        expires: SENT.as_millis() + 86_400_000,
        receipt: Some([7; 32]),
    })
}

pub fn payloads() -> Vec<(&'static str, Payload)> {
    vec![
        ("message", message(b"rain")),
        ("address-record", address_record()),
        ("recommendation", recommendation()),
    ]
    .into_iter()
    .chain(
        records()
            .into_iter()
            .map(|(name, one)| (name, Payload::Record(one))),
    )
    .collect()
}

fn hint(seed: u64) -> PeerHint {
    let addresses = vec![v4(), v6()].try_into().unwrap();
    PeerHint {
        id: Identity::from_seed(seed).id(),
        addresses,
    }
}

fn text<const MAX: usize>(text: &str) -> BoundedString<MAX> {
    BoundedString::new(text).unwrap()
}

fn wire<const MAX: usize>(payload: &Payload) -> BoundedBytes<MAX> {
    BoundedBytes::new(seal(&Identity::from_seed(1), payload).wire().clone()).unwrap()
}

fn ids(seeds: &[u8]) -> Vec<MessageId> {
    seeds
        .iter()
        .map(|seed| MessageId::from_bytes([*seed; 32]))
        .collect()
}

/// One ordinary frame of each shape.
pub fn frames() -> Vec<(&'static str, Frame)> {
    let target = Identity::from_seed(4).id();
    let hints = || vec![hint(2), hint(3)].try_into().unwrap();
    let messages = || ids(&[1, 2]).try_into().unwrap();
    let announced = Announced {
        id: MessageId::from_bytes([9; 32]),
        hops: 3,
    };
    let mut all = vec![
        ("handshake", Frame::Handshake(handshake())),
        (
            "handshake-ack",
            Frame::HandshakeAck(HandshakeAck {
                observed: v4(),
                peers: hints(),
            }),
        ),
        (
            "disconnect",
            Frame::Disconnect(Disconnect {
                reason: DisconnectReason::Full,
                retry_ms: 30_000,
                detail: text("no slot is free"),
            }),
        ),
        (
            "heartbeat-ping",
            Frame::Heartbeat(Heartbeat::Ping { nonce: 1 }),
        ),
        (
            "heartbeat-pong",
            Frame::Heartbeat(Heartbeat::Pong { nonce: 250 }),
        ),
        (
            "heartbeat-probe-request",
            Frame::Heartbeat(Heartbeat::ProbeRequest { nonce: 251, target }),
        ),
        (
            "heartbeat-probe-reply",
            Frame::Heartbeat(Heartbeat::ProbeReply {
                nonce: 65_536,
                target,
                alive: true,
            }),
        ),
        (
            "peer-discovery",
            Frame::PeerDiscovery(PeerDiscovery { count: 16 }),
        ),
        (
            "peer-announcement",
            Frame::PeerAnnouncement(PeerAnnouncement {
                records: vec![wire(&address_record())].try_into().unwrap(),
            }),
        ),
        (
            "broadcast",
            Frame::Broadcast(Broadcast {
                hops: 2,
                ttl: 14,
                requested: false,
                envelope: seal(&Identity::from_seed(1), &message(b"rain")).into_inner(),
            }),
        ),
        ("gossip-join", Frame::Gossip(GossipFrame::Join)),
        (
            "gossip-forward-join",
            Frame::Gossip(GossipFrame::ForwardJoin {
                peer: hint(2),
                ttl: 6,
            }),
        ),
        (
            "gossip-neighbor",
            Frame::Gossip(GossipFrame::Neighbor { urgent: true }),
        ),
        (
            "gossip-neighbor-reply",
            Frame::Gossip(GossipFrame::NeighborReply { accepted: false }),
        ),
        (
            "gossip-shuffle",
            Frame::Gossip(GossipFrame::Shuffle {
                origin: hint(2),
                ttl: 3,
                peers: hints(),
            }),
        ),
        (
            "gossip-shuffle-reply",
            Frame::Gossip(GossipFrame::ShuffleReply { peers: hints() }),
        ),
        ("gossip-leave", Frame::Gossip(GossipFrame::Leave)),
        (
            "gossip-announce",
            Frame::Gossip(GossipFrame::Announce {
                messages: vec![announced].try_into().unwrap(),
            }),
        ),
        (
            "gossip-graft",
            Frame::Gossip(GossipFrame::Graft {
                messages: messages(),
            }),
        ),
        ("gossip-prune", Frame::Gossip(GossipFrame::Prune)),
        (
            "gossip-reconcile",
            Frame::Gossip(GossipFrame::Reconcile {
                session: 77,
                initiator: true,
                body: BoundedBytes::new(&[0x61, 0, 0, 2][..]).unwrap(),
            }),
        ),
        (
            "gossip-want",
            Frame::Gossip(GossipFrame::Want {
                messages: messages(),
            }),
        ),
        (
            "custom-data",
            Frame::CustomData(CustomData {
                kind: 1_000,
                data: BoundedBytes::new(&b"hello"[..]).unwrap(),
            }),
        ),
        (
            "trust-update",
            Frame::TrustUpdate(seal(&Identity::from_seed(1), &recommendation()).into_inner()),
        ),
        (
            "trusted-peers-request",
            Frame::TrustedPeersRequest(TrustedPeersRequest {
                context: 1,
                count: 8,
            }),
        ),
        (
            "trusted-peers-response",
            Frame::TrustedPeersResponse(TrustedPeersResponse {
                recommendations: vec![wire(&recommendation())].try_into().unwrap(),
            }),
        ),
    ];
    let boxed = |(name, frame)| (name, Frame::Receipt(Box::new(frame)));
    all.extend(receipt_frames().into_iter().map(boxed));
    let boxed = |(name, frame)| (name, Frame::Dht(Box::new(frame)));
    all.extend(dht_frames().into_iter().map(boxed));
    let boxed = |(name, frame)| (name, Frame::Blob(Box::new(frame)));
    all.extend(blob_frames().into_iter().map(boxed));
    all
}

/// An offer of signatures for swaps and spends.
pub fn advertisement() -> Advertisement {
    Advertisement {
        services: vec![text("signer:spend"), text("signer:swap")]
            .try_into()
            .unwrap(),
        key: BoundedBytes::new(vec![2; 33]).unwrap(),
        amount_min: 1_000,
        amount_max: 5_000_000,
        addresses: vec![v4(), v6()].try_into().unwrap(),
        criteria: vec![Criterion {
            name: text("level"),
            value: text("trusted"),
        }]
        .try_into()
        .unwrap(),
        metadata: BoundedBytes::new(&b"{}"[..]).unwrap(),
    }
}

/// One record of each kind.
pub fn records() -> Vec<(&'static str, Record)> {
    let addresses = vec![v4(), v6()];
    let provider = Provider {
        size: 70_000,
        addresses: addresses.clone().try_into().unwrap(),
    };
    let identity = AddressRecord {
        addresses: addresses.try_into().unwrap(),
    };
    let all: [(_, RecordKind, &[u8], Vec<u8>); 4] = [
        (
            "record-value",
            RecordKind::Value,
            b"motto",
            b"rain".to_vec(),
        ),
        (
            "record-provider",
            RecordKind::Provider,
            &[7; 32],
            codec::encode(&provider),
        ),
        (
            "record-identity",
            RecordKind::Identity,
            b"",
            codec::encode(&identity),
        ),
        (
            "record-advertisement",
            RecordKind::Advertisement,
            b"signer",
            advertisement().encode(),
        ),
    ];
    all.into_iter()
        .map(|(what, kind, name, value)| {
            let record = Record {
                kind: kind.number(),
                slot: 0,
                expires: SENT.as_millis() + 3_600_000,
                name: BoundedBytes::new(name.to_vec()).unwrap(),
                value: BoundedBytes::new(value).unwrap(),
            };
            (what, record)
        })
        .collect()
}

fn record_list() -> RecordList {
    let author = Identity::from_seed(1);
    let mut list = RecordList::default();
    for (_, record) in records() {
        assert!(list.push(&seal(&author, &Payload::Record(record))));
    }
    list
}

/// One frame of the DHT of each shape.
pub fn dht_frames() -> Vec<(&'static str, DhtFrame)> {
    let node = |seed| Identity::from_seed(seed).id();
    let known = || vec![ShortId::of(&node(2))].try_into().unwrap();
    let contact = |seed| Contact {
        id: node(seed),
        addresses: vec![v4(), v6()].try_into().unwrap(),
    };
    let contacts = || vec![contact(2), contact(3)].try_into().unwrap();
    let number = 251;
    let request = |ask| DhtFrame::Request { number, ask };
    let answer = |answer| DhtFrame::Answer { number, answer };
    vec![
        (
            "dht-ask-contacts",
            request(DhtAsk::Contacts {
                target: RecordKey::of_node(&node(4)),
                known: known(),
            }),
        ),
        (
            "dht-ask-records",
            request(DhtAsk::Records {
                key: RecordKey::of_service("signer"),
                from: node(4),
                count: 8,
                known: known(),
            }),
        ),
        (
            "dht-ask-store",
            request(DhtAsk::Store {
                records: record_list(),
            }),
        ),
        (
            "dht-contacts",
            answer(DhtAnswer::Contacts {
                contacts: contacts(),
            }),
        ),
        (
            "dht-records",
            answer(DhtAnswer::Records {
                records: record_list(),
                more: true,
                contacts: contacts(),
            }),
        ),
        (
            "dht-stored",
            answer(DhtAnswer::Stored {
                outcomes: vec![Stored::Kept, Stored::Older, Stored::Full, Stored::Refused]
                    .try_into()
                    .unwrap(),
            }),
        ),
        ("dht-busy", answer(DhtAnswer::Busy)),
        (
            "dht-offer",
            DhtFrame::Offer {
                records: record_list(),
            },
        ),
    ]
}

pub fn blob() -> BlobHash {
    BlobHash::from_bytes([7; 32])
}

/// As many ranges as fit, as far apart and as long as they can be.
fn scattered<const MAX: usize>() -> GroupList<MAX> {
    let step = u64::MAX / (2 * MAX as u64 + 2);
    let ranges = (0..MAX as u64).map(|nth| (2 * nth + 1) * step..(2 * nth + 2) * step);
    GroupList::truncated(ranges)
}

/// One frame about blobs of each shape.
pub fn blob_frames() -> Vec<(&'static str, BlobFrame)> {
    let have = |holdings, slots_free| {
        BlobFrame::Have(BlobHave {
            hash: blob(),
            size: 70_000_000,
            holdings,
            tier: Tier::High,
            rate: 1 << 20,
            slots_free,
        })
    };
    let part = Holdings::Part {
        groups: GroupList::truncated([0..64, 300..301, 4_000..4_200]),
        until: 4_273,
    };
    vec![
        (
            "blob-query",
            BlobFrame::Query {
                hash: blob(),
                from: 251,
            },
        ),
        ("blob-have-all", have(Holdings::All, 3)),
        ("blob-have-part", have(part, 0)),
        (
            "blob-update",
            BlobFrame::Update {
                hash: blob(),
                gained: GroupList::truncated([64..128, 4_272..4_273]),
            },
        ),
        ("blob-gone", BlobFrame::Gone { hash: blob() }),
        ("blob-turn", BlobFrame::Turn { hash: blob() }),
    ]
}

/// Heads of transfers, each shape once.
pub fn transfer_requests() -> Vec<(&'static str, TransferRequest)> {
    let request = |groups, session| TransferRequest {
        version: TransferRequest::VERSION,
        hash: blob(),
        groups,
        session,
    };
    vec![
        (
            "one range",
            request(GroupList::truncated(core::iter::once(0..64)), 0),
        ),
        (
            "the last group and a hole",
            request(GroupList::truncated([300..301, 4_272..4_273]), 251),
        ),
        ("as much as fits", request(scattered(), u64::MAX)),
    ]
}

pub fn transfer_answers() -> Vec<(&'static str, TransferAnswer)> {
    let refused = |reason| TransferAnswer::Refused { reason };
    let mut all = vec![
        ("serving", TransferAnswer::Serving { size: 70_000_000 }),
        ("not found", TransferAnswer::NotFound),
        (
            "busy",
            TransferAnswer::Busy {
                retry_ms: 30_000,
                place: 2,
                tier: Tier::Medium,
            },
        ),
    ];
    all.extend(TransferRefusal::ALL.map(|reason| (reason.name(), refused(reason))));
    all
}

pub fn announcement() -> BlobAnnouncement {
    BlobAnnouncement {
        hash: blob(),
        size: 70_000_000,
        addresses: vec![v4(), v6()].try_into().unwrap(),
    }
}

pub fn blob_tickets() -> Vec<BlobTicket> {
    let contact = |seed| Contact {
        id: Identity::from_seed(seed).id(),
        addresses: vec![v4(), v6()].try_into().unwrap(),
    };
    vec![
        BlobTicket {
            hash: blob(),
            size: 0,
            name: BoundedString::default(),
            peers: vec![].try_into().unwrap(),
        },
        BlobTicket {
            hash: blob(),
            size: 70_000_000,
            name: text("big.iso"),
            peers: vec![contact(1), contact(2)].try_into().unwrap(),
        },
    ]
}

fn largest_blob_frames() -> Vec<Frame> {
    let have = BlobHave {
        hash: blob(),
        size: u64::MAX,
        holdings: Holdings::Part {
            // Numbers of groups have 50 bits, which is as long on the wire as 64.
            groups: GroupList::truncated((0..limits::HOLDINGS_MAX as u64).map(|nth| {
                let start = (nth << 44) + (1 << 40);
                start..start + (1 << 40)
            })),
            until: 1 << 49,
        },
        tier: Tier::Trusted,
        rate: u64::MAX,
        slots_free: 255,
    };
    let update = BlobFrame::Update {
        hash: blob(),
        gained: scattered(),
    };
    [BlobFrame::Have(have), update]
        .map(|frame| Frame::Blob(Box::new(frame)))
        .to_vec()
}

/// The largest frame of the DHT: as many bytes of records as a frame may hold, and every contact.
fn largest_dht_frame() -> Frame {
    let author = Identity::from_seed(1);
    let envelope = seal(&author, &largest_payloads().pop().unwrap());
    let mut records = RecordList::default();
    while records.push(&envelope) {}
    for (_, record) in records_that_fill() {
        let envelope = seal(&author, &Payload::Record(record));
        while records.push(&envelope) {}
    }
    let contact = Contact {
        id: NodeId::from_bytes([9; 32]),
        addresses: vec![v6(); limits::CONTACT_ADDRESSES_MAX]
            .try_into()
            .unwrap(),
    };
    Frame::Dht(Box::new(DhtFrame::Answer {
        number: u64::MAX,
        answer: DhtAnswer::Records {
            records,
            more: true,
            contacts: vec![contact; limits::CONTACTS_MAX].try_into().unwrap(),
        },
    }))
}

/// Ever smaller records, to fill what larger ones left.
fn records_that_fill() -> Vec<(&'static str, Record)> {
    let mut all = records();
    all.sort_by_key(|(_, record)| core::cmp::Reverse(record.value.len()));
    all
}

/// Who is served, and who serves, in the samples of receipts.
pub fn parties() -> (Identity, Identity) {
    (Identity::from_seed(1), Identity::from_seed(2))
}

pub fn session() -> SessionOpen {
    let (a, b) = parties();
    let terms = SessionTerms {
        version: SessionTerms::VERSION,
        service: Service::Transfer,
        a: Party::of(a.inception()),
        b: Party::of(b.inception()),
        session: SENT.as_millis() - 7_200_000,
        t0: SENT.as_millis() - 7_200_000,
    };
    let sig_b = b.sign(&terms.statement(network()));
    SessionProposal::sign(terms, network(), &a).with(sig_b)
}

pub fn receipt_terms() -> ReceiptTerms {
    let open = session().terms;
    ReceiptTerms {
        version: ReceiptTerms::VERSION,
        service: open.service,
        a: open.a,
        b: open.b,
        session: open.session,
        seq_ab: SENT.as_millis(),
        kind: Outcome::Served,
        amount: 70_000,
        t0: open.t0,
        t1: open.t0 + 3_600_000,
    }
}

pub fn receipt(terms: ReceiptTerms) -> Receipt {
    let (a, b) = parties();
    let sig_b = b.sign(&terms.statement(network()));
    ReceiptProposal::sign(terms, network(), &a).with(sig_b)
}

pub fn claim() -> Claim {
    let (a, _) = parties();
    let terms = ReceiptTerms {
        seq_ab: 0,
        kind: Outcome::Aborted,
        amount: 0,
        ..receipt_terms()
    };
    Claim::sign(session(), terms, (Side::A, &a), network())
}

pub fn equivocation() -> Equivocation {
    let (a, _) = parties();
    let other = ReceiptTerms {
        amount: 70_001,
        ..receipt_terms()
    };
    Equivocation {
        first: receipt(receipt_terms()).proposal(),
        second: ReceiptProposal::sign(other, network(), &a),
    }
}

pub fn vouch() -> Vouch {
    let (a, b) = parties();
    Vouch::sign(&a, b.id(), 3, SENT, SENT + Vouch::YEAR)
}

/// One receipt frame of each shape.
pub fn receipt_frames() -> Vec<(&'static str, ReceiptFrame)> {
    let subject = parties().1.id();
    let one = || vec![receipt(receipt_terms())];
    let SessionOpen { terms, sig_a, .. } = session();
    vec![
        (
            "receipt-open",
            ReceiptFrame::Open(SessionProposal { terms, sig_a }),
        ),
        ("receipt-opened", ReceiptFrame::Opened(session())),
        (
            "receipt-propose",
            ReceiptFrame::Propose(receipt(receipt_terms()).proposal()),
        ),
        (
            "receipt-cosigned",
            ReceiptFrame::Cosigned(receipt(receipt_terms())),
        ),
        ("receipt-ask-latest", ReceiptFrame::AskLatest),
        (
            "receipt-latest",
            ReceiptFrame::Latest {
                receipts: one().try_into().unwrap(),
            },
        ),
        ("receipt-ask-about", ReceiptFrame::AskAbout { subject }),
        (
            "receipt-about",
            ReceiptFrame::About {
                subject,
                receipts: one().try_into().unwrap(),
                claims: vec![claim()].try_into().unwrap(),
            },
        ),
        (
            "receipt-share",
            ReceiptFrame::Share {
                receipts: one().try_into().unwrap(),
            },
        ),
        ("receipt-fault", ReceiptFrame::Fault(equivocation())),
        (
            "receipt-credentials",
            ReceiptFrame::Credentials(Credentials {
                subject,
                stamp: vec![Stamp { nonce: 70_000 }].try_into().unwrap(),
                vouches: vec![vouch()].try_into().unwrap(),
            }),
        ),
    ]
}

/// The largest receipt frames: every list full, every number in its longest form.
fn largest_receipt_frames() -> Vec<Frame> {
    let mut open = session();
    (open.terms.session, open.terms.t0) = (u64::MAX, u64::MAX);
    let mut terms = receipt_terms();
    (terms.session, terms.seq_ab, terms.amount) = (u64::MAX, u64::MAX, u64::MAX);
    (terms.t0, terms.t1) = (u64::MAX, u64::MAX);
    let receipt = receipt(terms);
    let claim = Claim {
        open,
        terms,
        ..claim()
    };
    let proposal = receipt.proposal();
    let subject = parties().1.id();
    [
        ReceiptFrame::Latest {
            receipts: vec![receipt; limits::RECEIPTS_OF_PAIR_MAX]
                .try_into()
                .unwrap(),
        },
        ReceiptFrame::About {
            subject,
            receipts: vec![receipt; limits::RECEIPTS_MAX].try_into().unwrap(),
            claims: vec![claim; limits::CLAIMS_MAX].try_into().unwrap(),
        },
        ReceiptFrame::Fault(Equivocation {
            first: proposal,
            second: proposal,
        }),
        ReceiptFrame::Credentials(Credentials {
            subject,
            stamp: vec![Stamp { nonce: u64::MAX }].try_into().unwrap(),
            vouches: vec![vouch(); limits::VOUCHES_MAX].try_into().unwrap(),
        }),
    ]
    .into_iter()
    .map(|frame| Frame::Receipt(Box::new(frame)))
    .collect()
}

pub fn handshake() -> Handshake {
    Handshake {
        version_min: 1,
        version_max: 1,
        network: network(),
        inception: *Identity::from_seed(1).inception(),
        capabilities: vec![Capability::ENCRYPTED_TRANSFER, Capability(900)]
            .try_into()
            .unwrap(),
        listen: vec![v4(), v6()].try_into().unwrap(),
        wall: SENT.as_millis(),
        agent: text("repute/0.1.0"),
    }
}

/// The largest legal payloads: every list full, every number in its longest form.
pub fn largest_payloads() -> Vec<Payload> {
    let dot = Dot {
        author: NodeId::from_bytes([9; 32]),
        start: u64::MAX,
        nth: u64::MAX,
    };
    vec![
        Payload::Message(Message {
            topic: text(&"t".repeat(limits::TOPIC_MAX)),
            kind: u16::MAX,
            nth: u64::MAX,
            after: vec![dot; limits::DEPENDENCIES_MAX].try_into().unwrap(),
            data: BoundedBytes::new(vec![1; limits::MESSAGE_DATA_MAX]).unwrap(),
        }),
        Payload::AddressRecord(AddressRecord {
            addresses: vec![v6(); limits::ADDRESSES_MAX].try_into().unwrap(),
        }),
        Payload::Recommendation(Recommendation {
            subject: NodeId::from_bytes([9; 32]),
            context: u8::MAX,
            value: -100,
            expires: u64::MAX,
            receipt: Some([255; 32]),
        }),
        Payload::Record(Record {
            kind: u8::MAX,
            slot: u8::MAX,
            expires: u64::MAX,
            name: BoundedBytes::new(vec![1; limits::RECORD_NAME_MAX]).unwrap(),
            value: BoundedBytes::new(vec![1; limits::RECORD_VALUE_MAX]).unwrap(),
        }),
    ]
}

/// The largest legal frame of each shape that can be large.
pub fn largest_frames() -> Vec<Frame> {
    let author = Identity::from_seed(1);
    let seq = Seq {
        start: u64::MAX,
        counter: u64::MAX,
    };
    let mut largest = largest_payloads().into_iter().map(|payload| {
        let (network, kind) = (network(), payload.kind());
        let unsigned = Unsigned {
            network,
            kind,
            seq,
            sent: Wall::MAX,
            payload: payload.encode(),
        };
        unsigned.sign(&author).into_inner()
    });
    let (message, _, opinion) = (
        largest.next().unwrap(),
        largest.next().unwrap(),
        largest.next().unwrap(),
    );
    let target = NodeId::from_bytes([9; 32]);
    let hint = || PeerHint {
        id: target,
        addresses: vec![v6(); 8].try_into().unwrap(),
    };
    let hints = || vec![hint(); limits::HINTS_MAX].try_into().unwrap();
    let messages = || {
        vec![MessageId::from_bytes([1; 32]); limits::IDS_MAX]
            .try_into()
            .unwrap()
    };
    let announced = Announced {
        id: MessageId::from_bytes([1; 32]),
        hops: 255,
    };
    let record = || Bytes::from(vec![1; limits::RECORD_MAX]);
    let mut all = vec![
        Frame::Handshake(Handshake {
            version_min: u16::MAX,
            version_max: u16::MAX,
            network: network(),
            inception: *author.inception(),
            capabilities: vec![Capability(u16::MAX); limits::CAPABILITIES_MAX]
                .try_into()
                .unwrap(),
            listen: vec![v6(); limits::ADDRESSES_MAX].try_into().unwrap(),
            wall: u64::MAX,
            agent: text(&"a".repeat(limits::TEXT_MAX)),
        }),
        Frame::HandshakeAck(HandshakeAck {
            observed: v6(),
            peers: hints(),
        }),
        Frame::Disconnect(Disconnect {
            reason: DisconnectReason::Unknown(255),
            retry_ms: u64::MAX,
            detail: text(&"d".repeat(limits::TEXT_MAX)),
        }),
        Frame::Heartbeat(Heartbeat::ProbeReply {
            nonce: u64::MAX,
            target,
            alive: true,
        }),
        Frame::PeerDiscovery(PeerDiscovery { count: 255 }),
        Frame::PeerAnnouncement(PeerAnnouncement {
            records: vec![BoundedBytes::new(record()).unwrap(); limits::RECORDS_MAX]
                .try_into()
                .unwrap(),
        }),
        Frame::Broadcast(Broadcast {
            hops: 255,
            ttl: limits::TTL_MAX,
            requested: true,
            envelope: message,
        }),
        Frame::Gossip(GossipFrame::Shuffle {
            origin: hint(),
            ttl: 255,
            peers: hints(),
        }),
        Frame::Gossip(GossipFrame::Announce {
            messages: vec![announced; limits::IDS_MAX].try_into().unwrap(),
        }),
        Frame::Gossip(GossipFrame::Graft {
            messages: messages(),
        }),
        Frame::Gossip(GossipFrame::Want {
            messages: messages(),
        }),
        Frame::Gossip(GossipFrame::Reconcile {
            session: u64::MAX,
            initiator: true,
            body: BoundedBytes::new(vec![1; limits::RECONCILE_MAX]).unwrap(),
        }),
        Frame::CustomData(CustomData {
            kind: u16::MAX,
            data: BoundedBytes::new(vec![1; limits::CUSTOM_DATA_MAX]).unwrap(),
        }),
        Frame::TrustUpdate(opinion),
        Frame::TrustedPeersRequest(TrustedPeersRequest {
            context: 255,
            count: 255,
        }),
        Frame::TrustedPeersResponse(TrustedPeersResponse {
            recommendations: vec![
                BoundedBytes::new(Bytes::from(vec![
                    1;
                    limits::RECOMMENDATION_MAX
                ]))
                .unwrap();
                limits::RECOMMENDATIONS_MAX
            ]
            .try_into()
            .unwrap(),
        }),
    ];
    all.extend(largest_receipt_frames());
    all.push(largest_dht_frame());
    all.extend(largest_blob_frames());
    all
}
