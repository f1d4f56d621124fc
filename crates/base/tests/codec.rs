//! Properties of the one codec: exact, canonical, limited, and the same bytes as a second
//! implementation of the format.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use proptest::prelude::*;
use repute_base::{
    BoundedBytes, BoundedString, BoundedVec,
    codec::{self, DecodeError, INPUT_MAX},
};
use wincode::config::Configuration;

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
enum Shape {
    Point,
    Line(u16, u64),
    Named {
        id: [u8; 32],
        label: BoundedString<40>,
        flag: bool,
    },
    Many(BoundedVec<Option<u64>, 20>),
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Point),
        (any::<u16>(), any::<u64>()).prop_map(|(a, b)| Shape::Line(a, b)),
        (any::<[u8; 32]>(), ".{0,10}", any::<bool>()).prop_map(|(id, text, flag)| Shape::Named {
            id,
            label: BoundedString::truncated(&text),
            flag
        }),
        prop::collection::vec(any::<Option<u64>>(), 0..20)
            .prop_map(|items| Shape::Many(BoundedVec::truncated(items))),
    ]
}

proptest! {
    #[test]
    fn values_survive_and_nothing_may_follow_or_lack(value in shape(), extra: u8) {
        let mut bytes = codec::encode(&value);
        prop_assert_eq!(codec::decode::<Shape>(&bytes), Ok(value.clone()));
        for cut in 0..bytes.len() {
            prop_assert!(codec::decode::<Shape>(&bytes[..cut]).is_err());
        }
        let whole = bytes.len();
        bytes.push(extra);
        prop_assert_eq!(codec::decode::<Shape>(&bytes), Err(DecodeError::Trailing));
        prop_assert_eq!(codec::decode_prefix::<Shape>(&bytes), Ok((value, whole)));
    }

    #[test]
    fn whatever_is_accepted_encodes_back_to_the_same_bytes(
        bytes in prop::collection::vec(prop_oneof![Just(0u8), 1..8u8, Just(251u8), any::<u8>()], 0..80)
    ) {
        if let Ok(value) = codec::decode::<Shape>(&bytes) {
            prop_assert_eq!(codec::encode(&value), bytes);
        }
    }

    #[test]
    fn a_second_implementation_writes_the_same_bytes(
        number: u64, short: u16, signed: i64, flag: bool, text in ".{0,40}",
        bytes in prop::collection::vec(any::<u8>(), 0..600), id: [u8; 32],
        maybe: Option<u32>, map in prop::collection::btree_map(any::<u32>(), any::<u64>(), 0..9),
    ) {
        let second = Configuration::default().with_varint_encoding();
        macro_rules! same {
            ($value:expr) => {
                prop_assert_eq!(
                    codec::encode(&$value),
                    wincode::config::serialize(&$value, second).unwrap()
                )
            };
        }
        same!(number);
        same!(short);
        same!(signed);
        same!(flag);
        same!(text);
        same!(bytes);
        same!(id);
        same!(maybe);
        let map: BTreeMap<u32, u64> = map;
        same!(map);
        // The bounded types are on the wire what the plain ones are.
        let plain = codec::encode(&bytes);
        let bounded = BoundedBytes::<600>::new(bytes.clone()).unwrap();
        prop_assert_eq!(&codec::encode(&bounded), &plain);
        let bounded = BoundedVec::<u8, 600>::try_from(bytes).unwrap();
        prop_assert_eq!(&codec::encode(&bounded), &plain);
        let bounded = BoundedString::<160>::new(text.clone()).unwrap();
        prop_assert_eq!(codec::encode(&bounded), codec::encode(&text));
    }
}

#[test]
fn a_longer_encoding_of_the_same_number_is_refused() {
    assert_eq!(codec::decode::<u64>(&[5]), Ok(5));
    for padded in [
        &[251, 5, 0][..],
        &[252, 5, 0, 0, 0],
        &[253, 5, 0, 0, 0, 0, 0, 0, 0],
    ] {
        assert_eq!(codec::decode::<u64>(padded), Err(DecodeError::NotCanonical));
        assert_eq!(
            codec::decode_prefix::<u64>(padded),
            Err(DecodeError::NotCanonical)
        );
    }
}

#[test]
fn only_zero_and_one_are_booleans_and_only_known_variants_exist() {
    assert_eq!(codec::decode::<bool>(&[2]), Err(DecodeError::Malformed));
    assert_eq!(codec::decode::<Shape>(&[4]), Err(DecodeError::Malformed));
    assert_eq!(codec::decode::<Shape>(&[]), Err(DecodeError::Malformed));
}

#[test]
fn input_over_the_limit_is_refused_unread_and_the_limit_itself_is_not() {
    let most = BoundedBytes::<INPUT_MAX>::new(vec![7; INPUT_MAX - 5]).unwrap();
    let bytes = codec::encode(&most);
    assert_eq!(bytes.len(), INPUT_MAX);
    assert_eq!(codec::decode(&bytes), Ok(most));
    let over = vec![0; INPUT_MAX + 1];
    let refused = DecodeError::TooLong {
        len: INPUT_MAX + 1,
        max: INPUT_MAX,
    };
    assert_eq!(codec::decode::<u8>(&over), Err(refused));
    assert_eq!(
        refused.to_string(),
        "1048577 bytes where at most 1048576 are decoded"
    );
}

#[test]
fn the_wire_form_is_pinned() {
    let label = BoundedString::new("hé").unwrap();
    let value = Shape::Named {
        id: [9; 32],
        label,
        flag: true,
    };
    let mut expected = vec![2];
    expected.extend_from_slice(&[9; 32]);
    expected.extend_from_slice(&[3, b'h', 0xc3, 0xa9, 1]);
    assert_eq!(codec::encode(&value), expected);
    assert_eq!(codec::encode(&Shape::Line(250, 251)), [1, 250, 251, 251, 0]);
}
