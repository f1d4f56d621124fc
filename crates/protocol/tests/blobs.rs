//! Names, sets of groups, tickets and heads of transfers.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::single_range_in_vec_init,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]

mod samples;

use proptest::prelude::*;
use repute_base::{BoundedString, codec};
use repute_protocol::{
    BlobTicket, BlobTicketError, Contact, DecodeError, GROUP_BYTES, GroupList, TransferAnswer,
    TransferRequest, groups_of, limits,
};

#[test]
fn a_blob_has_a_group_for_every_16_kib_begun_and_one_if_it_is_empty() {
    for (size, groups) in [(0, 1), (1, 1), (GROUP_BYTES, 1), (GROUP_BYTES + 1, 2)] {
        assert_eq!(groups_of(size), groups, "{size}");
    }
    assert_eq!(groups_of(u64::MAX), 1 << 50);
}

proptest! {
    #[test]
    fn a_list_of_groups_comes_back_and_counts_right(
        steps in prop::collection::vec((0u64..1 << 40, 1u64..1 << 40), 0..=64),
    ) {
        let mut behind = 0;
        let ranges: Vec<_> = steps.iter().map(|(gap, len)| {
            let start = behind + gap + 1;
            behind = start + len;
            start..behind
        }).collect();
        let list = GroupList::<64>::truncated(ranges.clone());
        prop_assert!(list.ranges().eq(ranges.iter().cloned()));
        prop_assert_eq!(list.groups(), steps.iter().map(|(_, len)| len).sum::<u64>());
        prop_assert_eq!(list.end(), behind);
        let read = codec::decode::<GroupList<64>>(&codec::encode(&list));
        prop_assert_eq!(read, Ok(list.clone()));
        let short = codec::decode::<GroupList<8>>(&codec::encode(&list));
        prop_assert_eq!(short.is_ok(), ranges.len() <= 8);
    }
}

#[test]
fn a_list_takes_no_ranges_out_of_order_and_none_that_touch() {
    let of = |ranges: &[core::ops::Range<u64>]| GroupList::<4>::truncated(ranges.iter().cloned());
    assert_eq!(of(&[3..5, 5..7]).groups(), 2);
    assert_eq!(of(&[3..5, 1..2]).groups(), 2);
    assert!(of(&[3..3]).is_empty());
}

#[test]
fn a_ticket_says_what_is_wrong_with_it() {
    let text = samples::blob_tickets()[1].to_string();
    assert_eq!(
        text.to_uppercase().parse(),
        Ok(samples::blob_tickets().remove(1))
    );
    let error = |text: &str| text.parse::<BlobTicket>().unwrap_err();
    assert_eq!(error("repute"), BlobTicketError::Prefix);
    assert_eq!(error(&text[..text.len() - 3]), BlobTicketError::Checksum);
    let mut typo = text.clone().into_bytes();
    typo[20] = if typo[20] == b'a' { b'b' } else { b'a' };
    assert_eq!(
        error(core::str::from_utf8(&typo).unwrap()),
        BlobTicketError::Checksum
    );
    let long = format!("{text}{}", "a".repeat(BlobTicket::TEXT_MAX));
    assert!(matches!(error(&long), BlobTicketError::TooLong { .. }));
    let node = repute_identity::Ticket {
        inception: *repute_identity::Identity::from_seed(1).inception(),
        addresses: vec![].try_into().unwrap(),
        expires: samples::SENT,
        discovery: None,
    };
    assert_eq!(error(&node.to_string()), BlobTicketError::Prefix);
    assert!(text.parse::<repute_identity::Ticket>().is_err());
}

#[test]
fn the_largest_ticket_is_a_ticket() {
    let ticket = BlobTicket {
        hash: samples::blob(),
        size: u64::MAX,
        name: BoundedString::truncated(&"n".repeat(BlobTicket::NAME_MAX)),
        peers: vec![
            Contact {
                id: repute_identity::Identity::from_seed(1).id(),
                addresses: vec![samples::v6(); limits::CONTACT_ADDRESSES_MAX]
                    .try_into()
                    .unwrap(),
            };
            BlobTicket::PEERS_MAX
        ]
        .try_into()
        .unwrap(),
    };
    let text = ticket.to_string();
    assert!(text.len() <= BlobTicket::TEXT_MAX, "{}", text.len());
    assert_eq!(text.parse(), Ok(ticket));
}

#[test]
fn heads_of_transfers_fit_their_limits_and_come_back() {
    for (name, request) in samples::transfer_requests() {
        let head = request.encode_head();
        let len = TransferRequest::body_len([head[0], head[1]]).expect(name);
        assert_eq!(head.len(), 2 + len);
        assert_eq!(
            TransferRequest::decode_body(&head[2..]),
            Ok(request),
            "{name}"
        );
    }
    for (name, answer) in samples::transfer_answers() {
        let head = answer.encode_head();
        let len = TransferAnswer::body_len([head[0], head[1]]).expect(name);
        assert_eq!(head.len(), 2 + len);
        assert_eq!(
            TransferAnswer::decode_body(&head[2..]),
            Ok(answer),
            "{name}"
        );
    }
    assert!(matches!(
        TransferRequest::body_len([255, 255]),
        Err(DecodeError::TooLong { .. })
    ));
    let nothing = TransferRequest {
        groups: GroupList::default(),
        ..samples::transfer_requests().remove(0).1
    };
    assert!(TransferRequest::decode_body(&nothing.encode_head()[2..]).is_err());
}
