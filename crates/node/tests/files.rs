//! Files between real nodes on loopback.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use repute_node::{
    FetchOrder, FilesError, Node, ShareOptions, Transfer, TransferEvent, TransferOutcome,
};
use repute_protocol::BlobTicket;
use support::{join, start};
use tempfile::TempDir;

/// How long a transfer may take on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(90);

/// Bytes that are nowhere the same.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn put(dir: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

async fn share(node: &Node, path: &Path, reference: bool) -> BlobTicket {
    let how = ShareOptions {
        reference,
        name: None,
    };
    node.share(path, how).await.unwrap().ticket
}

/// Reads the news of a transfer up to the first that `is` it.
async fn until(
    transfer: &mut Transfer,
    mut is: impl FnMut(&TransferEvent) -> bool,
) -> TransferEvent {
    let mut seen = Vec::new();
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            let event = transfer.next().await;
            let Some(event) = event else {
                return None;
            };
            if is(&event) {
                return Some(event);
            }
            seen.push(event);
        }
    });
    let found = waited.await.ok().flatten();
    found.unwrap_or_else(|| panic!("it never came after {seen:#?}"))
}

async fn finished(transfer: &mut Transfer) -> TransferOutcome {
    match until(transfer, TransferEvent::is_last).await {
        TransferEvent::Finished(outcome) => *outcome,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_shared_and_fetched() {
    let (a_dir, b_dir, files) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let (a, b) = (start(a_dir.path()).await, start(b_dir.path()).await);
    join(&b, &a).await;
    let bytes = noise(3_000_001, 1);
    let source = put(&files, "source.bin", &bytes);
    let ticket = share(&a, &source, true).await;
    assert_eq!(ticket.size, bytes.len() as u64);
    let target = files.path().join("target.bin");
    let mut transfer = b
        .fetch(FetchOrder::new(ticket.clone()).to(&target))
        .await
        .unwrap();
    let outcome = finished(&mut transfer).await;
    assert_eq!(outcome.bytes, bytes.len() as u64);
    assert_eq!(outcome.seeders, [(a.id(), bytes.len() as u64)]);
    assert_eq!(fs::read(&target).unwrap(), bytes);
    // It is shared from where it lies now.
    let shared = b.shared().await.unwrap();
    assert_eq!(shared.len(), 1);
    assert!(shared[0].reference && shared[0].trouble.is_none());
    // Nothing is overwritten.
    let again = b.fetch(FetchOrder::new(ticket).to(&target)).await;
    assert!(matches!(again, Err(FilesError::Path { .. })), "{again:?}");
    a.shutdown().await;
    b.shutdown().await;
}
