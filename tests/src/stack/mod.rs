//! Tier B: whole nodes, runtime and QUIC included, over a network in memory and under a paused
//! clock.
//!
//! [`VirtualNet`] carries datagrams between sockets that [`repute_transport`] takes for its own,
//! and loses, doubles, delays and cuts them as its [`Weather`] says. [`Cluster`] is honest nodes on
//! it, [`Foe`] whoever speaks the wire by hand, [`RawClient`] whoever speaks QUIC by hand. All of it
//! runs on one thread in tokio's virtual time, see [`play`]: a minute of fifty nodes takes seconds,
//! and the same seed leaves the same trace.

mod cluster;
mod ears;
mod foe;
mod gapped;
mod net;
mod raw;
mod weather;

use std::time::Duration;

pub use cluster::{Cluster, Passage, Plan, Requests};
pub use foe::{Foe, Forgeries};
pub use gapped::Gapped;
pub use net::{Counts, VirtualNet};
pub use raw::{Initials, RawClient};
pub use weather::{Bursts, Weather};

/// Plays a scene from beginning to end on this thread, in virtual time: whenever nobody has
/// anything to do, the clock jumps to the next thing that is due.
pub fn play<T>(scene: impl Future<Output = T>) -> T {
    let stage = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without sockets needs nothing of the system");
    let ending = stage.block_on(scene);
    // Tasks of nodes may still wait for hours of virtual time.
    stage.shutdown_timeout(Duration::ZERO);
    ending
}

/// Bytes of memory that this process holds.
pub fn resident_bytes() -> u64 {
    const PAGE: u64 = 4_096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1);
    pages
        .and_then(|pages| pages.parse::<u64>().ok())
        .map_or(0, |pages| pages * PAGE)
}
