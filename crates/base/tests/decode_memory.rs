//! R12: a claimed length allocates nothing that did not come.

use bincode::{Decode, Encode};
use proptest::prelude::*;
use repute_base::{Address, BoundedBytes, BoundedString, BoundedVec, codec};

/// What decoding may hold at once, in bytes: four times the input and 4 KiB.
const fn allowance(input: usize) -> u64 {
    4 * input as u64 + 4096
}

/// Lengths that a hostile peer claims.
const CLAIMS: [u64; 6] = [1 << 16, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 62, u64::MAX];

fn measured<T: Decode<()> + Encode>(bytes: &[u8]) -> bool {
    let mut accepted = false;
    let memory = allocation_counter::measure(|| accepted = codec::decode::<T>(bytes).is_ok());
    assert!(
        memory.bytes_max <= allowance(bytes.len()),
        "{} held for {} bytes decoded as {}",
        memory.bytes_max,
        bytes.len(),
        std::any::type_name::<T>()
    );
    accepted
}

/// The input is decoded as everything that is length-prefixed, with the type's own limit out of
/// the way where elements take as much wire as memory.
fn measured_all(bytes: &[u8]) -> [bool; 8] {
    const MAX: usize = usize::MAX;
    [
        measured::<BoundedBytes<MAX>>(bytes),
        measured::<BoundedString<MAX>>(bytes),
        measured::<BoundedVec<u8, MAX>>(bytes),
        measured::<BoundedVec<[u8; 32], MAX>>(bytes),
        measured::<BoundedVec<u64, 256>>(bytes),
        measured::<BoundedVec<Address, 64>>(bytes),
        measured::<BoundedVec<BoundedBytes<64>, 32>>(bytes),
        measured::<Option<BoundedVec<u8, MAX>>>(bytes),
    ]
}

#[test]
fn r12_a_claimed_length_alone_allocates_nothing_to_speak_of() {
    for claim in CLAIMS {
        for present in [0, 1, 9, 100, 5_000, 60_000] {
            let mut bytes = codec::encode(&claim);
            bytes.resize(bytes.len() + present, 0x61);
            assert_eq!(
                measured_all(&bytes),
                [false; 8],
                "{claim} claimed, {present} present"
            );
            bytes.insert(0, 1);
            measured_all(&bytes);
        }
    }
}

#[test]
fn r12_honest_content_stays_within_the_same_allowance() {
    for len in [0usize, 1, 250, 251, 4_000, 65_536, 1_000_000] {
        let bytes = codec::encode(&vec![0x61u8; len]);
        assert!(measured::<BoundedBytes<1_000_000>>(&bytes), "{len}");
        assert!(measured::<BoundedString<1_000_000>>(&bytes), "{len}");
        assert!(measured::<BoundedVec<u8, 1_000_000>>(&bytes), "{len}");
    }
    let ids = codec::encode(&vec![[7u8; 32]; 20_000]);
    assert!(measured::<BoundedVec<[u8; 32], 20_000>>(&ids));
    let address: Address = "192.0.2.1:1".parse().unwrap();
    let addresses = codec::encode(&vec![address; 64]);
    assert!(measured::<BoundedVec<Address, 64>>(&addresses));
}

proptest! {
    #[test]
    fn r12_no_bytes_at_all_exceed_the_allowance(
        claim in prop::sample::select(CLAIMS.to_vec()),
        head in prop::collection::vec(any::<u8>(), 0..40),
        tail in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        measured_all(&head);
        let mut bytes = head;
        bytes.extend_from_slice(&codec::encode(&claim));
        bytes.extend_from_slice(&tail);
        measured_all(&bytes);
    }
}
