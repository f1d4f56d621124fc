//! Engines under lists of operations, one target for each engine and one for the whole core.
//!
//! A target reads its input as a list of operations: time that passes or jumps, links that come
//! and go, frames that honest peers send, what hostile ones send besides, answers of the shell,
//! wishes of the application. After each operation the rules must hold that hold always: nothing
//! panics, every collection is within its bound, outputs end, timers move on, and nobody honest is
//! accused.
//!
//! Ordinary tests run these over random lists and the committed corpora; the fuzzer looks for
//! lists that nobody thought of.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is the verdict"
)]
#![allow(
    unreachable_pub,
    reason = "shared between the fuzz crate and the workspace's tests"
)]

mod blobs;
mod cast;
mod dht;
mod files;
mod files_of_blobs;
mod given;
mod gossip;
mod peers;
mod reader;
mod stored;
mod trust;
mod whole;

/// One target: its name, which is also its corpus folder, and what it checks.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 16] = [
    ("engine_trust", trust::run),
    ("engine_peers", peers::run),
    ("engine_gossip", gossip::run),
    ("engine_dht", dht::run),
    ("engine_blobs", blobs::run),
    ("engine_core", whole::run),
    ("stored_record", stored::record),
    ("stored_ban", stored::ban),
    ("stored_peer", stored::peer),
    ("keystore", files::keystore),
    ("settings", files::settings),
    ("ratings", given::ratings),
    ("blacklist", given::blacklist),
    ("blob_stream", files_of_blobs::stream),
    ("blob_folder", files_of_blobs::collection),
    ("blob_store", files_of_blobs::store),
];

/// Runs the target of this name.
///
/// # Panics
/// If there is none, or the target found a bug.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, check) = target.unwrap_or_else(|| panic!("no target is called {name}"));
    check(bytes);
}
