//! What hostile bytes meet at the one door through which they become values.

use repute_base::{Address, BoundedString, BoundedVec, codec};

type Addresses = BoundedVec<Address, 4>;

fn main() {
    let honest = codec::encode(&Addresses::truncated(
        ["192.0.2.1:7000", "[2001:db8::1]:7000"]
            .iter()
            .filter_map(|text| text.parse().ok()),
    ));
    show("two addresses", &honest);
    show(
        "cut short",
        honest.split_last().map_or(&[], |(_, rest)| rest),
    );
    show("claims 2^62 addresses", &codec::encode(&(1u64 << 62)));
    show("a byte too many", &[&honest[..], &[0]].concat());
    show(
        "a padded length",
        &[&[251, 2, 0], honest.get(1..).unwrap_or_default()].concat(),
    );
    show(
        "IPv4 dressed as IPv6",
        &codec::encode(&(1u8, 6u8, [0u8; 10], [255u8; 2], [1u8; 6])),
    );

    let rude = BoundedString::<32>::truncated("\u{1b}[2J you won\n");
    println!("{:<24} {}", "text from a peer", rude.escaped());
}

fn show(what: &str, bytes: &[u8]) {
    match codec::decode::<Addresses>(bytes) {
        Ok(addresses) => println!("{what:<24} {:?}", &*addresses),
        Err(refused) => println!("{what:<24} refused: {refused}"),
    }
}
