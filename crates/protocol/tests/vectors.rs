//! The test vectors of `docs/spec/vectors`: this build writes exactly these bytes and reads them.
//!
//! `UPDATE_VECTORS=1 cargo test -p repute-protocol --test vectors` writes the files anew. A change
//! of an existing vector is a change of the wire, and needs a new version of it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]

mod samples;

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use repute_base::{Address, codec};
use repute_identity::{Identity, NodeId, Signature, Vouch};
use repute_protocol::{
    AddressRecord, BlobAnnouncement, BlobFrame, BlobHave, BlobTicket, Broadcast, Claim, Contact,
    Credentials, DhtAnswer, DhtAsk, DhtFrame, Dot, Envelope, Equivocation, Frame, FrameDecoder,
    FrameHeader, FrameKind, GossipFrame, GroupList, Handshake, HandshakeAck, Heartbeat, Holdings,
    Message, MessageId, Outcome, Payload, PeerHint, Receipt, ReceiptFrame, ReceiptProposal,
    ReceiptTerms, Recommendation, RecordList, SessionOpen, SessionTerms, ShortId, Side,
    TransferAnswer, TransferRequest,
};
use serde_json::{Value, json};

/// Where the vectors are; `None` when this crate is packaged alone, without the repository.
fn folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    (root.join("Cargo.lock").exists() && root.join("docs").exists())
        .then(|| root.join("docs/spec/vectors"))
}

/// Compares with the committed file, or writes it when asked to.
fn check(file: &str, value: &Value) {
    let Some(folder) = folder() else { return };
    let path = folder.join(file);
    let text = format!("{}\n", serde_json::to_string_pretty(value).unwrap());
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let committed: Value = serde_json::from_str(&committed).unwrap();
    assert!(
        committed == *value,
        "{file} differs: see the top of this test"
    );
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

fn unhex(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn addresses(list: &[Address]) -> Value {
    list.iter().map(Address::to_string).collect()
}

fn hint(hint: &PeerHint) -> Value {
    json!({ "id": hint.id.to_string(), "addresses": addresses(&hint.addresses) })
}

fn hints(list: &[PeerHint]) -> Value {
    list.iter().map(hint).collect()
}

fn ids(list: &[MessageId]) -> Value {
    list.iter().map(MessageId::to_string).collect()
}

fn payload(payload: &Payload) -> Value {
    match payload {
        Payload::Message(Message {
            topic,
            kind,
            nth,
            after,
            data,
        }) => json!({
            "topic": topic.as_str(),
            "kind": kind,
            "nth": nth,
            "after": after.iter().map(|Dot { author, start, nth }| json!({
                "author": author.to_string(), "start": start, "nth": nth,
            })).collect::<Value>(),
            "data": hex(data),
        }),
        Payload::AddressRecord(AddressRecord { addresses: list }) => {
            json!({ "addresses": addresses(list) })
        }
        Payload::Recommendation(Recommendation {
            subject,
            context,
            value,
            expires,
            receipt,
        }) => json!({
            "subject": subject.to_string(),
            "context": context,
            "value": value,
            "expires": expires,
            "receipt": receipt.map(|hash| hex(&hash)),
        }),
        Payload::Record(record) => json!({
            "kind": record.kind,
            "slot": record.slot,
            "expires": record.expires,
            "name": hex(&record.name),
            "value": hex(&record.value),
        }),
        other => panic!("describe {other:?}"),
    }
}

fn envelope(envelope: &Envelope) -> Value {
    let inner = Payload::decode(envelope.kind(), &envelope.payload()).unwrap();
    json!({
        "network": hex(envelope.network().as_bytes()),
        "kind": envelope.kind().number(),
        "author": envelope.author().to_string(),
        "seq_start": envelope.seq().start,
        "seq_counter": envelope.seq().counter,
        "sent": envelope.sent().as_millis(),
        "payload": payload(&inner),
        "payload_hex": hex(&envelope.payload()),
        "id": envelope.id().to_string(),
        "id_hex": hex(envelope.id().as_bytes()),
        "signature": hex(envelope.signature().as_bytes()),
        "hex": hex(envelope.wire()),
    })
}

fn gossip(frame: &GossipFrame) -> Value {
    match frame {
        GossipFrame::Join | GossipFrame::Leave | GossipFrame::Prune => json!({}),
        GossipFrame::ForwardJoin { peer, ttl } => json!({ "peer": hint(peer), "ttl": ttl }),
        GossipFrame::Neighbor { urgent } => json!({ "urgent": urgent }),
        GossipFrame::NeighborReply { accepted } => json!({ "accepted": accepted }),
        GossipFrame::Shuffle { origin, ttl, peers } => {
            json!({ "origin": hint(origin), "ttl": ttl, "peers": hints(peers) })
        }
        GossipFrame::ShuffleReply { peers } => json!({ "peers": hints(peers) }),
        GossipFrame::Announce { messages } => messages
            .iter()
            .map(|one| json!({ "id": one.id.to_string(), "hops": one.hops }))
            .collect(),
        GossipFrame::Graft { messages } | GossipFrame::Want { messages } => ids(messages),
        GossipFrame::Reconcile {
            session,
            initiator,
            body,
        } => {
            json!({ "session": session, "initiator": initiator, "body": hex(body) })
        }
    }
}

fn handshake(shake: &Handshake) -> Value {
    json!({
        "version_min": shake.version_min,
        "version_max": shake.version_max,
        "network": hex(shake.network.as_bytes()),
        "inception": hex(&codec::encode(&shake.inception)),
        "capabilities": shake.capabilities.iter().map(|one| one.0).collect::<Value>(),
        "listen": addresses(&shake.listen),
        "wall": shake.wall,
        "agent": shake.agent.as_str(),
    })
}

fn heartbeat(beat: &Heartbeat) -> Value {
    match beat {
        Heartbeat::Ping { nonce } | Heartbeat::Pong { nonce } => json!({ "nonce": nonce }),
        Heartbeat::ProbeRequest { nonce, target } => {
            json!({ "nonce": nonce, "target": target.to_string() })
        }
        Heartbeat::ProbeReply {
            nonce,
            target,
            alive,
        } => {
            json!({ "nonce": nonce, "target": target.to_string(), "alive": alive })
        }
    }
}

fn fields(frame: &Frame) -> Value {
    match frame {
        Frame::Handshake(shake) => handshake(shake),
        Frame::HandshakeAck(HandshakeAck { observed, peers }) => {
            json!({ "observed": observed.to_string(), "peers": hints(peers) })
        }
        Frame::Disconnect(goodbye) => json!({
            "reason": goodbye.reason.number(),
            "retry_ms": goodbye.retry_ms,
            "detail": goodbye.detail.as_str(),
        }),
        Frame::Heartbeat(beat) => heartbeat(beat),
        Frame::PeerDiscovery(ask) => json!({ "count": ask.count }),
        Frame::PeerAnnouncement(announced) => announced.records.iter().map(|r| hex(r)).collect(),
        Frame::Broadcast(Broadcast {
            hops,
            ttl,
            requested,
            envelope: inner,
        }) => json!({
            "hops": hops, "ttl": ttl, "requested": requested, "envelope": envelope(inner),
        }),
        Frame::Gossip(frame) => gossip(frame),
        Frame::CustomData(custom) => json!({ "kind": custom.kind, "data": hex(&custom.data) }),
        Frame::TrustUpdate(inner) => envelope(inner),
        Frame::TrustedPeersRequest(ask) => json!({ "context": ask.context, "count": ask.count }),
        Frame::TrustedPeersResponse(answer) => {
            answer.recommendations.iter().map(|one| hex(one)).collect()
        }
        Frame::Receipt(frame) => receipt_frame(frame),
        Frame::Dht(frame) => dht_frame(frame),
        Frame::Blob(frame) => blob_frame(frame),
        other => panic!("describe {:?}", other.kind()),
    }
}

fn dht_frame(frame: &DhtFrame) -> Value {
    let list = |records: &RecordList| -> Value { records.iter().map(|one| hex(one)).collect() };
    let known =
        |ids: &[ShortId]| -> Value { ids.iter().map(|id| hex(&codec::encode(id))).collect() };
    let contacts = |all: &[Contact]| -> Value {
        let one = |one: &Contact| json!({ "id": one.id.to_string(), "addresses": addresses(&one.addresses) });
        all.iter().map(one).collect()
    };
    match frame {
        DhtFrame::Request { number, ask } => match ask {
            DhtAsk::Contacts { target, known: ids } => json!({
                "number": number, "target": target.to_string(), "known": known(ids),
            }),
            DhtAsk::Records {
                key,
                from,
                count,
                known: ids,
            } => json!({
                "number": number,
                "key": key.to_string(),
                "from": from.to_string(),
                "count": count,
                "known": known(ids),
            }),
            DhtAsk::Store { records } => json!({ "number": number, "records": list(records) }),
        },
        DhtFrame::Answer { number, answer } => match answer {
            DhtAnswer::Contacts { contacts: all } => {
                json!({ "number": number, "contacts": contacts(all) })
            }
            DhtAnswer::Records {
                records,
                more,
                contacts: all,
            } => json!({
                "number": number,
                "records": list(records),
                "more": more,
                "contacts": contacts(all),
            }),
            DhtAnswer::Stored { outcomes } => json!({
                "number": number,
                "outcomes": outcomes.iter().map(|one| hex(&codec::encode(one))).collect::<Value>(),
            }),
            DhtAnswer::Busy => json!({ "number": number }),
        },
        DhtFrame::Offer { records } => json!({ "records": list(records) }),
    }
}

fn ranges<const MAX: usize>(groups: &GroupList<MAX>) -> Value {
    let one = |range: core::ops::Range<u64>| json!([range.start, range.end]);
    groups.ranges().map(one).collect()
}

fn blob_frame(frame: &BlobFrame) -> Value {
    match frame {
        BlobFrame::Query { hash, from } => json!({ "hash": hash.to_string(), "from": from }),
        BlobFrame::Have(BlobHave {
            hash,
            size,
            holdings,
            tier,
            rate,
            slots_free,
        }) => {
            let holdings = match holdings {
                Holdings::All => json!("all"),
                Holdings::Part { groups, until } => {
                    json!({ "groups": ranges(groups), "until": until })
                }
            };
            json!({
                "hash": hash.to_string(),
                "size": size,
                "holdings": holdings,
                "tier": tier.number(),
                "rate": rate,
                "slots_free": slots_free,
            })
        }
        BlobFrame::Update { hash, gained } => {
            json!({ "hash": hash.to_string(), "gained": ranges(gained) })
        }
        BlobFrame::Gone { hash } | BlobFrame::Turn { hash } => json!({ "hash": hash.to_string() }),
    }
}

/// Heads of transfers, the announcement and tickets.
fn blobs() -> Value {
    let request = |(name, request): (&str, TransferRequest)| {
        json!({
            "name": name,
            "version": request.version,
            "hash": request.hash.to_string(),
            "groups": ranges(&request.groups),
            "session": request.session.to_string(),
            "hex": hex(&request.encode_head()),
        })
    };
    let answer = |(name, answer): (&str, TransferAnswer)| json!({ "name": name, "hex": hex(&answer.encode_head()) });
    let ticket = |ticket: BlobTicket| {
        let peer = |one: &Contact| json!({ "id": one.id.to_string(), "addresses": addresses(&one.addresses) });
        json!({
            "hash": ticket.hash.to_string(),
            "size": ticket.size,
            "name": ticket.name.as_str(),
            "peers": ticket.peers.iter().map(peer).collect::<Value>(),
            "ticket": ticket.to_string(),
        })
    };
    let BlobAnnouncement {
        hash,
        size,
        addresses: list,
    } = samples::announcement();
    json!({
        "requests": samples::transfer_requests().into_iter().map(request).collect::<Value>(),
        "answers": samples::transfer_answers().into_iter().map(answer).collect::<Value>(),
        "announcement": {
            "topic": BlobAnnouncement::TOPIC,
            "hash": hash.to_string(),
            "size": size,
            "addresses": addresses(&list),
            "hex": hex(&codec::encode(&samples::announcement())),
        },
        "tickets": samples::blob_tickets().into_iter().map(ticket).collect::<Value>(),
    })
}

#[test]
fn the_vectors_of_blobs_hold() {
    check("blobs.json", &blobs());
}

fn session_terms(terms: &SessionTerms) -> Value {
    json!({
        "version": terms.version,
        "service": terms.service.number(),
        "a": terms.a.id().to_string(),
        "b": terms.b.id().to_string(),
        "session": terms.session,
        "t0": terms.t0,
        "statement": hex(&terms.statement(samples::network())),
    })
}

fn receipt_terms(terms: &ReceiptTerms) -> Value {
    json!({
        "version": terms.version,
        "service": terms.service.number(),
        "a": terms.a.id().to_string(),
        "b": terms.b.id().to_string(),
        "session": terms.session,
        "seq_ab": terms.seq_ab,
        "kind": terms.kind.name(),
        "amount": terms.amount,
        "t0": terms.t0,
        "t1": terms.t1,
        "statement": hex(&terms.statement(samples::network())),
    })
}

fn signature(signature: &Signature) -> String {
    hex(signature.as_bytes())
}

fn session(open: &SessionOpen) -> Value {
    json!({
        "terms": session_terms(&open.terms),
        "sig_a": signature(&open.sig_a),
        "sig_b": signature(&open.sig_b),
    })
}

fn proposal(proposal: &ReceiptProposal) -> Value {
    json!({ "terms": receipt_terms(&proposal.terms), "sig_a": signature(&proposal.sig_a) })
}

fn receipt(receipt: &Receipt) -> Value {
    json!({
        "terms": receipt_terms(&receipt.terms),
        "sig_a": signature(&receipt.sig_a),
        "sig_b": signature(&receipt.sig_b),
    })
}

fn claim(claim: &Claim) -> Value {
    json!({
        "open": session(&claim.open),
        "terms": receipt_terms(&claim.terms),
        "by": if claim.by == Side::A { "a" } else { "b" },
        "signature": signature(&claim.signature),
    })
}

fn fault(fault: &Equivocation) -> Value {
    json!({ "first": proposal(&fault.first), "second": proposal(&fault.second) })
}

fn vouch(vouch: &Vouch) -> Value {
    json!({
        "by": vouch.by().to_string(),
        "subject": vouch.subject.to_string(),
        "number": vouch.number,
        "issued": vouch.issued,
        "expires": vouch.expires,
    })
}

fn receipt_frame(frame: &ReceiptFrame) -> Value {
    let all = |list: &[Receipt]| -> Value { list.iter().map(receipt).collect() };
    let about = |subject: &NodeId| subject.to_string();
    match frame {
        ReceiptFrame::Open(one) => {
            json!({ "terms": session_terms(&one.terms), "sig_a": signature(&one.sig_a) })
        }
        ReceiptFrame::Opened(open) => session(open),
        ReceiptFrame::Propose(one) => proposal(one),
        ReceiptFrame::Cosigned(one) => receipt(one),
        ReceiptFrame::AskLatest => json!({}),
        ReceiptFrame::Latest { receipts } => all(receipts),
        ReceiptFrame::Share { receipts } => all(receipts),
        ReceiptFrame::AskAbout { subject } => json!({ "subject": about(subject) }),
        ReceiptFrame::About {
            subject,
            receipts,
            claims,
        } => json!({
            "subject": about(subject),
            "receipts": all(receipts),
            "claims": claims.iter().map(claim).collect::<Value>(),
        }),
        ReceiptFrame::Fault(proof) => fault(proof),
        ReceiptFrame::Credentials(Credentials {
            subject,
            stamp,
            vouches,
        }) => json!({
            "subject": about(subject),
            "stamp": stamp.iter().map(|stamp| stamp.nonce).collect::<Value>(),
            "vouches": vouches.iter().map(vouch).collect::<Value>(),
        }),
    }
}

/// What decodes but must never be believed, and why.
fn unproven() -> Vec<(&'static str, Receipt)> {
    let (a, b) = samples::parties();
    let good = samples::receipt_terms();
    let with = |change: fn(&mut ReceiptTerms)| {
        let mut terms = good;
        change(&mut terms);
        samples::receipt(terms)
    };
    let mut crossed = samples::receipt(good);
    (crossed.sig_a, crossed.sig_b) = (crossed.sig_b, crossed.sig_a);
    let mut elsewhere = samples::receipt(good);
    let other = repute_protocol::NetworkId::from_name("another");
    elsewhere.sig_a = a.sign(&good.statement(other));
    elsewhere.sig_b = b.sign(&good.statement(other));
    let mut alone = samples::receipt(good);
    alone.sig_b = alone.sig_a;
    vec![
        ("an unknown version", with(|terms| terms.version = 2)),
        ("a number of zero", with(|terms| terms.seq_ab = 0)),
        (
            "an end before the beginning",
            with(|terms| terms.t1 = terms.t0 - 1),
        ),
        ("both sides the same", with(|terms| terms.b = terms.a)),
        (
            "a complaint that looks like a receipt",
            with(|terms| {
                (terms.seq_ab, terms.kind) = (0, Outcome::Aborted);
            }),
        ),
        ("the signatures of one side twice", alone),
        ("the signatures in each other's place", crossed),
        ("the signatures of another network", elsewhere),
    ]
}

#[test]
fn the_vectors_of_receipts_hold() {
    let network = samples::network();
    assert!(samples::session().verify(network).is_ok());
    assert!(
        samples::receipt(samples::receipt_terms())
            .verify(network)
            .is_ok()
    );
    assert!(samples::claim().verify(network).is_ok());
    assert!(samples::equivocation().verify(network).is_ok());
    let refused: Value = unproven()
        .into_iter()
        .map(|(why, one)| {
            assert!(one.verify(network).is_err(), "{why}");
            json!({ "why": why, "hex": hex(&codec::encode(&one)), "terms": receipt_terms(&one.terms) })
        })
        .collect();
    check(
        "receipts.json",
        &json!({
            "network": hex(network.as_bytes()),
            "session_domain": hex(b"repute session 1"),
            "receipt_domain": hex(b"repute receipt 1"),
            "session": session(&samples::session()),
            "receipt": receipt(&samples::receipt(samples::receipt_terms())),
            "claim": claim(&samples::claim()),
            "equivocation": fault(&samples::equivocation()),
            "unproven": refused,
        }),
    );
}

#[test]
fn the_vectors_of_networks_hold() {
    let networks: Value = ["main", "repute-test-vectors", ""]
        .into_iter()
        .map(|name| {
            let id = repute_protocol::NetworkId::from_name(name);
            json!({ "name": name, "id": hex(id.as_bytes()) })
        })
        .collect();
    check("networks.json", &json!({ "networks": networks }));
}

#[test]
fn the_vectors_of_envelopes_hold() {
    let author = Identity::from_seed(1);
    let all: Vec<Value> = samples::payloads()
        .into_iter()
        .map(|(name, payload)| {
            let sealed = samples::seal(&author, &payload);
            let mut described = envelope(&sealed);
            described["name"] = json!(name);
            let hop = Envelope::decode(unhex(&described["hex"]).into()).unwrap();
            assert_eq!(hop.verify().unwrap().id(), sealed.id());
            described
        })
        .collect();
    let domain = hex(b"repute burst 1");
    let inner = hex(b"repute 2026-11 burst inner nodes");
    let bursts: Vec<Value> = [2, 3, 5]
        .into_iter()
        .map(|count| {
            let sealed = samples::burst(&author, count);
            for one in &sealed {
                let hop = Envelope::decode(one.wire().clone()).unwrap();
                assert_eq!(hop.verify().unwrap().id(), one.id());
            }
            sealed.iter().map(|one| envelope(one)).collect()
        })
        .collect();
    check(
        "envelopes.json",
        &json!({
            "signature_domain": domain,
            "inner_node_key": inner,
            "envelopes": all,
            "bursts": bursts,
        }),
    );
}

#[test]
fn the_vectors_of_frames_hold() {
    let all: Vec<Value> = samples::frames()
        .into_iter()
        .map(|(name, frame)| {
            let wire = frame.encode();
            let mut decoder = FrameDecoder::new();
            decoder.push(wire.clone());
            let raw = decoder.next().unwrap().unwrap();
            assert_eq!(raw.decode().unwrap().unwrap().encode(), wire);
            let (kind, number) = (frame.kind().name(), frame.kind().number());
            json!({
                "name": name,
                "kind": kind,
                "number": number,
                "fields": fields(&frame),
                "hex": hex(&wire),
            })
        })
        .collect();
    check("frames.json", &json!({ "frames": all }));
}

#[test]
fn the_vectors_of_numbers_hold() {
    let numbers = [
        0,
        1,
        250,
        251,
        252,
        65_535,
        65_536,
        u64::from(u32::MAX),
        1 << 32,
        u64::MAX,
    ];
    let varints: Value = numbers
        .into_iter()
        .map(|number| {
            let bytes = codec::encode(&number);
            assert_eq!(codec::decode(&bytes), Ok(number));
            json!({ "number": number.to_string(), "hex": hex(&bytes) })
        })
        .collect();
    let limits: Value = FrameKind::ALL
        .into_iter()
        .map(|kind| {
            json!({ "kind": kind.name(), "number": kind.number(), "body_max": kind.body_max() })
        })
        .collect();
    check(
        "numbers.json",
        &json!({ "varints": varints, "frame_kinds": limits }),
    );
}

/// Bodies that every implementation must refuse, and why.
fn refused() -> Vec<(&'static str, FrameKind, Vec<u8>)> {
    let body = |name: &str| {
        let frames = samples::frames();
        let (_, frame) = frames.iter().find(|(known, _)| *known == name).unwrap();
        frame.encode()[FrameHeader::LEN..].to_vec()
    };
    let edited = |name: &str, at: usize, byte: u8| {
        let mut bytes = body(name);
        bytes[at] = byte;
        bytes
    };
    let mapped = [
        &[6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255][..],
        &[10, 0, 0, 1, 17, 81, 0],
    ]
    .concat();
    let goodbye = |detail: &[u8]| [&[0, 0][..], detail].concat();
    let tag_at = body("broadcast").len() - 65;
    vec![
        ("empty body", FrameKind::Heartbeat, vec![]),
        (
            "a number in more bytes than it needs",
            FrameKind::Heartbeat,
            vec![0, 251, 7, 0],
        ),
        (
            "a byte after the end",
            FrameKind::PeerDiscovery,
            vec![16, 0],
        ),
        ("a missing byte", FrameKind::TrustedPeersRequest, vec![1]),
        ("an unknown variant", FrameKind::Heartbeat, vec![4, 0]),
        (
            "a boolean that is neither 0 nor 1",
            FrameKind::Gossip,
            vec![2, 2],
        ),
        (
            "an unknown address family",
            FrameKind::HandshakeAck,
            edited("handshake-ack", 0, 5),
        ),
        (
            "an IPv4-mapped IPv6 address",
            FrameKind::HandshakeAck,
            mapped,
        ),
        (
            "text that is not UTF-8",
            FrameKind::Disconnect,
            goodbye(&[1, 0xff]),
        ),
        (
            "text longer than its limit",
            FrameKind::Disconnect,
            goodbye(&[&[129][..], &[97; 129]].concat()),
        ),
        (
            "a list longer than its limit",
            FrameKind::Gossip,
            [&[8, 251, 1, 1][..], &[1; 257 * 32]].concat(),
        ),
        (
            "a length that claims 2^62",
            FrameKind::CustomData,
            vec![0, 253, 0, 0, 0, 0, 0, 0, 0, 64],
        ),
        ("a weak public key", FrameKind::Handshake, {
            let mut bytes = body("handshake");
            bytes[11..43].fill(0);
            bytes
        }),
        (
            "a requested flag that is neither 0 nor 1",
            FrameKind::Broadcast,
            edited("broadcast", 2, 2),
        ),
        (
            "an unknown envelope version",
            FrameKind::Broadcast,
            edited("broadcast", 3, 2),
        ),
        (
            "an unknown author proof",
            FrameKind::Broadcast,
            edited("broadcast", 13, 1),
        ),
        (
            "an unknown authenticator",
            FrameKind::Broadcast,
            edited("broadcast", tag_at, 64),
        ),
        (
            "a place behind the end of its burst",
            FrameKind::Broadcast,
            {
                let mut bytes = edited("broadcast", tag_at, 1);
                (bytes[tag_at - 1], bytes[tag_at - 34]) = (1, 2);
                bytes
            },
        ),
        (
            "a path that its place does not have",
            FrameKind::Broadcast,
            {
                let mut bytes = edited("broadcast", tag_at, 2);
                (bytes[tag_at - 1], bytes[tag_at - 34]) = (1, 0);
                bytes
            },
        ),
        (
            "a path longer than all that came",
            FrameKind::Broadcast,
            [&[1, 9, 0][..], &[63; 2], &[0; 64]].concat(),
        ),
        (
            "an unknown service",
            FrameKind::Receipt,
            edited("receipt-propose", 2, 4),
        ),
        (
            "more receipts than two peers can have",
            FrameKind::Receipt,
            [&[5, 9][..], &[0; 9 * 304]].concat(),
        ),
        (
            "ranges of groups that touch",
            FrameKind::Blob,
            [&[2][..], &[7; 32], &[2, 0, 4, 0, 4]].concat(),
        ),
        (
            "an empty range of groups",
            FrameKind::Blob,
            [&[2][..], &[7; 32], &[1, 3, 0]].concat(),
        ),
        (
            "groups beyond the end of their blob",
            FrameKind::Blob,
            [&[1][..], &[7; 32], &[10, 1, 1, 0, 2, 1, 0, 0, 0]].concat(),
        ),
        (
            "a trust update that is no recommendation",
            FrameKind::TrustUpdate,
            {
                samples::seal(&Identity::from_seed(1), &samples::address_record())
                    .wire()
                    .to_vec()
            },
        ),
    ]
}

#[test]
fn the_vectors_of_what_is_refused_hold() {
    let bodies: Value = refused()
        .into_iter()
        .map(|(why, kind, bytes)| {
            let hex = hex(&bytes);
            assert!(Frame::decode(kind, bytes.into()).is_err(), "{why}");
            json!({ "why": why, "kind": kind.name(), "number": kind.number(), "body": hex })
        })
        .collect();
    let author = Identity::from_seed(1);
    let forged: Value = ["signature", "payload", "hash of the recovery key"]
        .into_iter()
        .map(|what| {
            let mut wire = samples::seal(&author, &samples::message(b"rain"))
                .wire()
                .to_vec();
            let end = wire.len();
            wire[match what {
                "signature" => end - 1,
                "payload" => end - 66,
                _ => 43,
            }] ^= 1;
            let hex = hex(&wire);
            assert!(
                Envelope::decode(wire.into()).unwrap().verify().is_err(),
                "{what}"
            );
            json!({ "why": format!("a changed {what}"), "hex": hex })
        })
        .collect();
    let headers: Value = FrameKind::ALL
        .into_iter()
        .map(|kind| {
            let len = u32::try_from(kind.body_max() + 2).unwrap();
            let head = [&len.to_be_bytes()[..], &[kind.number()]].concat();
            assert!(FrameHeader::parse(head[..].try_into().unwrap()).is_err());
            json!({ "kind": kind.name(), "hex": hex(&head) })
        })
        .collect();
    check(
        "refused.json",
        &json!({ "bodies": bodies, "forged_envelopes": forged, "oversized_headers": headers }),
    );
}
