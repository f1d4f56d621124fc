//! What the programs around our own node share: where its stores lie, and how it is started.
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use driver::{Args, is_durable};
use repute_identity::Identity;
use repute_node::NodeConfig;
use repute_protocol::NetworkId;
use tempfile::TempDir;

/// The network of all programs.
pub const NETWORK: &str = "anchor";

/// Runs a program on two threads, as all that race do.
///
/// # Errors
/// What it says.
pub fn on_two_threads(program: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(program)
}

/// A folder inside `--dir`, which must be on a disk; gone with the handle.
///
/// # Errors
/// If it is not.
pub fn stores(args: &Args, name: &str) -> Result<TempDir> {
    let parent = PathBuf::from(args.str("dir", "."));
    if !is_durable(&parent) {
        bail!(
            "{} is no folder on a disk; name one with --dir",
            parent.display()
        );
    }
    tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(&parent)
        .with_context(|| format!("no folder for the stores in {}", parent.display()))
}

/// The number of the node at `place` in the run with this seed; its key follows from it.
pub fn number(seed: u64, place: usize) -> u64 {
    seed.wrapping_mul(1_000_003) + place as u64
}

/// A node with a key of its own, whose store lies in `folder`, on a free port of loopback.
pub fn config(folder: &Path, seed: u64, place: usize) -> NodeConfig {
    let number = number(seed, place);
    let mut config = NodeConfig::in_dir(folder.join(format!("node-{place}")))
        .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
        .with_identity(Identity::from_seed(number));
    config.core.network = NetworkId::from_name(NETWORK);
    config.seed = Some(number);
    config
}
