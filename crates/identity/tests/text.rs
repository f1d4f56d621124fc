//! Ids and tickets as text.

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use proptest::prelude::*;
use repute_base::{Address, BoundedVec, Wall};
use repute_identity::{Identity, NodeId, ParseError, Ticket, TicketError};

fn ticket(seed: u64, addresses: &[&str], expires: u64) -> Ticket {
    Ticket {
        inception: *Identity::from_seed(seed).inception(),
        addresses: BoundedVec::truncated(addresses.iter().filter_map(|text| text.parse().ok())),
        expires: Wall::from_millis(expires),
        discovery: None,
    }
}

fn largest() -> Ticket {
    let address = "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
    Ticket {
        discovery: Some(Identity::from_seed(2).inception().key),
        ..ticket(1, &[address; Ticket::ADDRESSES_MAX], u64::MAX)
    }
}

#[test]
fn an_id_of_wrong_length_or_alphabet_says_so() {
    assert_eq!("".parse::<NodeId>(), Err(ParseError::Length { len: 0 }));
    assert_eq!(
        "a".repeat(51).parse::<NodeId>(),
        Err(ParseError::Length { len: 51 })
    );
    assert_eq!("1".repeat(52).parse::<NodeId>(), Err(ParseError::Alphabet));
    assert_eq!("g".repeat(64).parse::<NodeId>(), Err(ParseError::Alphabet));
    assert_eq!("ä".repeat(26).parse::<NodeId>(), Err(ParseError::Alphabet));
    // 52 characters hold 260 bits: the four spare ones must be zero, or one id had 16 texts.
    assert_eq!("b".repeat(52).parse::<NodeId>(), Err(ParseError::Alphabet));
}

#[test]
fn a_ticket_past_its_time_is_refused_and_one_at_its_last_moment_is_not() {
    let ticket = ticket(1, &["192.0.2.1:1"], 1_000);
    assert_eq!(ticket.check_fresh(Wall::from_millis(1_000)), Ok(()));
    assert_eq!(
        ticket.check_fresh(Wall::from_millis(1_001)),
        Err(TicketError::Expired)
    );
}

#[test]
fn the_largest_ticket_fits_and_nothing_larger_is_looked_at() {
    let text = largest().to_string();
    assert!(text.len() <= Ticket::TEXT_MAX, "{}", text.len());
    assert_eq!(text.parse(), Ok(largest()));
    let long = format!("repute{}", "a".repeat(600));
    let refused = TicketError::TooLong {
        len: 606,
        max: Ticket::TEXT_MAX,
    };
    assert_eq!(long.parse::<Ticket>(), Err(refused));
}

#[test]
fn every_single_changed_missing_or_added_character_is_refused() {
    let ticket = ticket(
        7,
        &["192.0.2.1:7000", "[2001:db8::1]:7000"],
        1_800_000_000_000,
    );
    let text = ticket.to_string();
    for at in 0..text.len() {
        for other in "abcdefghijklmnopqrstuvwxyz0123456789-= ".chars() {
            let mut changed = text.clone();
            changed.replace_range(at..=at, &other.to_string());
            assert_eq!(
                changed.parse::<Ticket>().is_ok(),
                changed.trim() == text,
                "{changed}"
            );
            let mut longer = text.clone();
            longer.insert(at, other);
            assert_eq!(
                longer.parse::<Ticket>().is_ok(),
                longer.trim() == text,
                "{longer}"
            );
        }
        let mut shorter = text.clone();
        shorter.remove(at);
        assert!(shorter.parse::<Ticket>().is_err(), "{shorter}");
        assert!(text[..at].parse::<Ticket>().is_err());
    }
}

#[test]
fn a_ticket_survives_shouting_and_surrounding_space() {
    let ticket = ticket(7, &[], 5);
    let text = ticket.to_string();
    assert_eq!(text, text.to_lowercase());
    assert_eq!(format!("  {text}\n").parse(), Ok(ticket.clone()));
    assert_eq!(text.to_uppercase().parse(), Ok(ticket));
}

#[test]
fn a_ticket_of_another_kind_or_version_is_told_apart() {
    assert_eq!("bitcoin:abc".parse::<Ticket>(), Err(TicketError::Prefix));
    assert_eq!("repute".parse::<Ticket>(), Err(TicketError::Checksum));
    let signed = |content: &[u8]| {
        let sum = blake3::derive_key("repute 2026-11 ticket checksum v1", content);
        let bytes = [content, &sum[..4]].concat();
        format!("repute{}", BASE32_NOPAD.encode(&bytes).to_lowercase()).parse::<Ticket>()
    };
    assert_eq!(signed(&[3, 1, 2, 3]), Err(TicketError::Version(3)));
    for version in [1, 2] {
        assert!(matches!(
            signed(&[version, 1, 2, 3]),
            Err(TicketError::Malformed(_))
        ));
    }
    // A discovery key under which a signature would fit any message.
    let body = repute_base::codec::encode(&ticket(1, &[], 1).inception);
    let weak = [&[2u8][..], &body, &[0, 1], &[1], &[0; 31]].concat();
    assert!(matches!(signed(&weak), Err(TicketError::Malformed(_))));
    assert_eq!(signed(&[]), Err(TicketError::Checksum));
    // A record version from the future, otherwise in order.
    let record = [
        &[2u8][..],
        &repute_base::codec::encode(&ticket(1, &[], 1).inception)[1..],
    ];
    let content = [&[1u8][..], &record.concat(), &[0, 1]].concat();
    assert_eq!(signed(&content), Err(TicketError::Version(2)));
}

proptest! {
    #[test]
    fn ids_survive_base32_and_hex_in_either_case(bytes: [u8; 32]) {
        let id = NodeId::from_bytes(bytes);
        let text = id.to_string();
        prop_assert_eq!(text.len(), 52);
        prop_assert!(text.bytes().all(|c| matches!(c, b'a'..=b'z' | b'2'..=b'7')));
        prop_assert!(text.starts_with(&id.short()) && id.short().len() == NodeId::SHORT_LEN);
        let hex = HEXLOWER.encode(&bytes);
        for form in [text.to_uppercase(), text, hex.to_uppercase(), hex] {
            prop_assert_eq!(form.parse(), Ok(id));
        }
    }

    #[test]
    fn tickets_survive_text(
        seed in 0u64..1_000,
        sockets in prop::collection::vec(any::<std::net::SocketAddr>(), 0..=Ticket::ADDRESSES_MAX),
        expires: u64,
        discovery in prop::option::of(0u64..1_000),
    ) {
        let ticket = Ticket {
            inception: *Identity::from_seed(seed).inception(),
            addresses: BoundedVec::truncated(sockets.into_iter().map(Address::new)),
            expires: Wall::from_millis(expires),
            discovery: discovery.map(|seed| Identity::from_seed(seed).inception().key),
        };
        prop_assert_eq!(ticket.to_string().parse(), Ok(ticket));
    }

    #[test]
    fn arbitrary_text_is_refused_without_panic(text in "(repute)?.{0,600}", ascii in "repute[a-z2-7]{0,300}") {
        prop_assert!(text.parse::<Ticket>().is_err());
        prop_assert!(ascii.parse::<Ticket>().is_err());
        let _ = text.parse::<NodeId>();
        let _ = text.parse::<repute_identity::PublicKey>();
    }
}

#[test]
fn r12_a_hostile_ticket_allocates_no_more_than_its_text_allows() {
    for claim in [1u64 << 16, 1 << 31, (1 << 32) - 1, 1 << 62] {
        let record = repute_base::codec::encode(Identity::from_seed(1).inception());
        let count = repute_base::codec::encode(&claim);
        let content = [&[1u8][..], &record, &count, &[4; 100]].concat();
        let sum = blake3::derive_key("repute 2026-11 ticket checksum v1", &content);
        let text = BASE32_NOPAD.encode(&[&content[..], &sum[..4]].concat());
        let text = format!("repute{}", text.to_lowercase());
        let memory = allocation_counter::measure(|| {
            assert!(matches!(
                text.parse::<Ticket>(),
                Err(TicketError::Malformed(_))
            ));
        });
        assert!(
            memory.bytes_max <= 4 * text.len() as u64 + 4096,
            "{}",
            memory.bytes_max
        );
    }
}
