//! The published vectors are what this build computes. `UPDATE_VECTORS=1` rewrites them.

#![allow(
    clippy::unwrap_used,
    reason = "a vector that cannot be computed fails the test"
)]

use std::{fs, path::Path};

use data_encoding::HEXLOWER;
use repute_base::{BoundedVec, Wall, codec};
use repute_identity::{Identity, SecretKey, StampSearch, Ticket, Vouch, open, seal};
use serde_json::{Value, json};

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Test secrets: the byte repeated 32 times.
fn identity(byte: u8) -> Identity {
    let recovery = SecretKey::from_entropy([byte ^ 0xff; 32]).public();
    Identity::new(SecretKey::from_entropy([byte; 32]), &recovery)
}

fn ids() -> Vec<Value> {
    let one = |byte: u8| {
        let identity = identity(byte);
        json!({
            "secret_key": hex(identity.secret().expose()),
            "recovery_secret_key": hex(&[byte ^ 0xff; 32]),
            "public_key": hex(identity.inception().key.as_bytes()),
            "recovery_hash": hex(&identity.inception().recovery),
            "inception_record": hex(&codec::encode(identity.inception())),
            "node_id_hex": hex(identity.id().as_bytes()),
            "node_id": identity.id().to_string(),
            "node_id_short": identity.id().short(),
        })
    };
    (1..=3).map(one).collect()
}

fn tickets() -> Vec<Value> {
    let one = |(byte, addresses, expires, discovery): (u8, &[&str], u64, Option<u8>)| {
        let ticket = Ticket {
            inception: *identity(byte).inception(),
            addresses: BoundedVec::truncated(addresses.iter().map(|text| text.parse().unwrap())),
            expires: Wall::from_millis(expires),
            discovery: discovery.map(|byte| SecretKey::from_entropy([byte; 32]).public()),
        };
        json!({
            "inception_record": hex(&codec::encode(&ticket.inception)),
            "addresses": addresses,
            "expires_ms": expires,
            "discovery_key": ticket.discovery.map(|key| hex(key.as_bytes())),
            "ticket": ticket.to_string(),
        })
    };
    let cases: [(u8, &[&str], u64, Option<u8>); 4] = [
        (1, &[], 0, None),
        (2, &["192.0.2.1:7000"], 1_800_000_000_000, None),
        (
            3,
            &["[2001:db8::1]:7000", "127.0.0.1:1"],
            9_007_199_254_740_991,
            None,
        ),
        (2, &["192.0.2.1:7000"], 1_800_000_000_000, Some(4)),
    ];
    cases.into_iter().map(one).collect()
}

fn signatures() -> Vec<Value> {
    let one = |message: &str| {
        let signature = identity(1).sign(message.as_bytes());
        json!({
            "public_key": hex(identity(1).inception().key.as_bytes()),
            "message": hex(message.as_bytes()),
            "signature": hex(signature.as_bytes()),
        })
    };
    ["", "repute"].into_iter().map(one).collect()
}

fn sealed_boxes() -> Vec<Value> {
    let one = |(info, aad, text): (&str, &str, &str)| {
        let to = identity(1);
        let (info, aad, text) = (info.as_bytes(), aad.as_bytes(), text.as_bytes());
        let sealed = seal(&to.inception().key, info, aad, text, [9; 32]).unwrap();
        assert_eq!(open(to.secret(), info, aad, &sealed).as_deref(), Ok(text));
        json!({
            "recipient_secret_key": hex(to.secret().expose()),
            "info": hex(info),
            "aad": hex(aad),
            "plaintext": hex(text),
            "sealed": hex(&sealed),
        })
    };
    [
        ("", "", ""),
        ("repute test", "public context", "for your eyes only"),
    ]
    .map(one)
    .to_vec()
}

fn stamps() -> Vec<Value> {
    let one = |(byte, bits): (u8, u8)| {
        let id = identity(byte).id();
        let stamp = StampSearch::new(id, bits).run(u64::MAX).unwrap();
        json!({
            "node_id_hex": hex(id.as_bytes()),
            "bits_asked": bits,
            "bits_found": stamp.bits(&id),
            "nonce": stamp.nonce,
        })
    };
    [(1, 8), (2, 12), (3, 16)].map(one).to_vec()
}

fn vouches() -> Vec<Value> {
    let (by, subject) = (identity(1), identity(2).id());
    let issued = Wall::from_millis(1_795_219_200_000);
    let vouch = Vouch::sign(&by, subject, 3, issued, issued + Vouch::YEAR);
    assert!(vouch.verify());
    vec![json!({
        "by": vouch.by().to_string(),
        "subject": subject.to_string(),
        "number": vouch.number,
        "year": vouch.year(),
        "issued": vouch.issued,
        "expires": vouch.expires,
        "hex": hex(&codec::encode(&vouch)),
    })]
}

#[test]
fn the_published_vectors_are_what_is_computed() {
    let computed = json!({
        "about": "Bytes are lower-case hex. Sealed boxes are to be opened: sealing draws fresh randomness.",
        "ids": ids(),
        "signatures": signatures(),
        "tickets": tickets(),
        "stamps": stamps(),
        "vouches": vouches(),
        "sealed_boxes": sealed_boxes(),
    });
    let computed = format!("{computed:#}\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/vectors/identity.json");
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(&path, &computed).unwrap();
    }
    // A crate built alone, from its package, does not carry the documents.
    let Ok(published) = fs::read_to_string(&path) else {
        return;
    };
    assert_eq!(
        published, computed,
        "run with UPDATE_VECTORS=1 if the change is meant"
    );
}
