//! How fast blobs are hashed, put into streams and proven, memory to memory on one core.
//!
//! `cargo run --release -p repute-blobs --features std --example verified -- [MIB]`

use std::{env, error::Error, time::Instant};

use bytes::Bytes;
use repute_blobs::{Decoder, Encoder, GroupRanges, tree_of};
use repute_protocol::groups_of;

const ROUNDS: usize = 5;
/// What arrives at once from a network.
const PIECE_BYTES: usize = 64 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let mib: usize = env::args().nth(1).map_or(Ok(256), |text| text.parse())?;
    let data: Vec<u8> = (0..mib << 20).map(|at| (at >> 10 ^ at) as u8).collect();
    let data = Bytes::from(data);
    let size = data.len() as u64;
    let all = GroupRanges::of(0..groups_of(size));
    let mut stream = Vec::with_capacity(data.len() + data.len() / 200 + 64);
    let mut target = vec![1_u8; data.len()];
    for _ in 0..ROUNDS {
        let hashed = timed(mib, || tree_of(&data));
        let (hash, tree) = hashed.1;

        let plain = timed(mib, || blake3::hash(&data));

        stream.clear();
        let encoded = timed(mib, || {
            Encoder::new(hash, size, all.clone(), &data, &tree)?.fill(&mut stream, usize::MAX)?;
            Ok::<_, Box<dyn Error>>(())
        });
        encoded.1?;

        let shared = timed(mib, || {
            let encoder = Encoder::new(hash, size, all.clone(), data.clone(), &tree)?;
            let mut encoder = encoder.without_check();
            let mut len = 0;
            while let Some(piece) = encoder.next_piece()? {
                len += piece.len();
            }
            Ok::<_, Box<dyn Error>>(len)
        });
        assert_eq!(shared.1?, stream.len());

        let decoded = timed(mib, || {
            let mut decoder = Decoder::new(hash, size, all.clone())?;
            let mut copied = 0;
            for mut piece in stream.chunks(PIECE_BYTES) {
                while let Some(proven) = decoder.feed(&mut piece)? {
                    let start = proven.offset() as usize;
                    let end = start + proven.bytes().len();
                    if let Some(place) = target.get_mut(start..end) {
                        place.copy_from_slice(proven.bytes());
                        copied += place.len();
                    }
                    decoder.recycle(proven);
                }
            }
            decoder.finish()?;
            Ok::<_, Box<dyn Error>>(copied)
        });
        assert_eq!(decoded.1?, data.len());
        assert!(target == data);
        target.fill(1);
        println!(
            "MiB/s: hash with tree {:.0}, hash alone {:.0}, encode with check {:.0}, encode shared {:.0}, decode {:.0}",
            hashed.0, plain.0, encoded.0, shared.0, decoded.0
        );
    }
    Ok(())
}

fn timed<T>(mib: usize, work: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let result = work();
    (mib as f64 / start.elapsed().as_secs_f64(), result)
}
