//! Which groups of a blob are held, wanted and missing.
//!
//! `cargo run -p repute-blobs --example ranges`

use repute_base::codec;
use repute_blobs::{GroupRanges, TooManyRanges};

fn main() -> Result<(), TooManyRanges> {
    let mut held = GroupRanges::new();
    for range in [0..64, 128..192, 64..100] {
        held.insert(range)?;
    }
    let missing = GroupRanges::of(0..256).difference(&held);
    println!("held:    {held:?}, {} groups", held.len());
    println!("missing: {missing:?}, {} groups", missing.len());
    println!("on the wire: {:02x?}", codec::encode(&missing));
    Ok(())
}
