//! Files between real nodes on loopback.
#![cfg(feature = "runtime")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

#[allow(dead_code, reason = "each file of tests uses its part")]
mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use repute_node::{
    FetchOrder, FilesError, Node, NodeConfig, ShareOptions, SharedKind, Transfer, TransferEvent,
    TransferOutcome, TransferState,
    blobs::{Choice, StoreError},
};
use repute_protocol::BlobTicket;
use support::{config, eventually, join, start};
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
            let event = transfer.next().await?;
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

/// A folder of the test's, and nodes that keep their data below it.
struct Field {
    dir: TempDir,
}

impl Field {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self, name: &str) -> NodeConfig {
        config(&self.path(name))
    }

    async fn node(&self, name: &str) -> Node {
        Node::start(self.config(name)).await.unwrap()
    }

    /// A node that sends no faster than so many bytes a second.
    async fn slow(&self, name: &str, rate: u64) -> Node {
        let mut config = self.config(name);
        config.core.blobs.as_mut().unwrap().upload_rate = Some(rate);
        Node::start(config).await.unwrap()
    }

    /// A node that fetches no faster than so many bytes a second.
    async fn patient(&self, name: &str, rate: u64) -> Node {
        let mut config = self.config(name);
        config.core.blobs.as_mut().unwrap().download_rate = Some(rate);
        Node::start(config).await.unwrap()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        put(&self.dir, name, bytes)
    }
}

/// Waits until so many bytes of a transfer are here.
async fn come(transfer: &mut Transfer, bytes: u64) -> u64 {
    let event = until(transfer, |event| match event {
        TransferEvent::Progress(progress) => progress.bytes >= bytes,
        other => other.is_last(),
    });
    match event.await {
        TransferEvent::Progress(progress) => progress.bytes,
        other => panic!("{other:?} before {bytes} bytes had come"),
    }
}

async fn state(node: &Node, transfer: &Transfer) -> TransferState {
    let all = node.transfers().await.unwrap();
    let found = all.iter().find(|one| one.id == transfer.id());
    found.map(|one| one.state).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_comes_from_another_when_a_seeder_is_killed() {
    let field = Field::new();
    let a = field.slow("a", 2 << 20).await;
    let b = field.node("b").await;
    let c = field.node("c").await;
    let bytes = noise(24 << 20, 2);
    let source = field.put("source", &bytes);
    let ticket = share(&a, &source, true).await;
    for node in [&b, &c] {
        join(node, &a).await;
    }
    join(&c, &b).await;
    // Its own copy of the same file.
    share(&b, &field.put("copy", &bytes), true).await;
    let order = FetchOrder::new(ticket).to(field.path("target"));
    let mut transfer = c.fetch(order).await.unwrap();
    come(&mut transfer, 1).await;
    a.shutdown().await;
    let outcome = finished(&mut transfer).await;
    assert_eq!(fs::read(field.path("target")).unwrap(), bytes);
    let from_b = outcome.seeders.iter().find(|(id, _)| *id == b.id());
    assert!(from_b.is_some(), "{outcome:?}");
    for peer in [a.id(), b.id()] {
        let standing = c.standing(peer).await.unwrap();
        assert!(!standing.gate.is_closed(), "{peer} did nothing wrong");
    }
    b.shutdown().await;
    c.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_goes_on_after_a_restart_with_what_was_durable() {
    let field = Field::new();
    let a = field.node("a").await;
    let b = field.patient("b", 4 << 20).await;
    join(&b, &a).await;
    let bytes = noise(20 << 20, 3);
    let source = field.put("source", &bytes);
    let ticket = share(&a, &source, true).await;
    let order = FetchOrder::new(ticket.clone()).to(field.path("target"));
    let mut transfer = b.fetch(order).await.unwrap();
    let came = come(&mut transfer, 4 << 20).await;
    let id = transfer.id();
    b.shutdown().await;
    assert!(matches!(
        until(&mut transfer, TransferEvent::is_last).await,
        TransferEvent::Stopped
    ));
    let b = field.node("b").await;
    let mut transfer = b.transfer(id).await.unwrap();
    let outcome = finished(&mut transfer).await;
    let fetched: u64 = outcome.seeders.iter().map(|(_, bytes)| bytes).sum();
    assert!(
        fetched <= outcome.bytes - came,
        "{fetched} bytes came although {came} were there"
    );
    assert_eq!(fs::read(field.path("target")).unwrap(), bytes);
    // Names are never given twice.
    let more = field.put("more", &noise(100, 4));
    let ticket = share(&a, &more, false).await;
    let mut next = b.fetch(FetchOrder::new(ticket)).await.unwrap();
    assert!(next.id() > id);
    finished(&mut next).await;
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_is_paused_resumed_joined_and_cancelled() {
    let field = Field::new();
    let a = field.slow("a", 4 << 20).await;
    let b = field.node("b").await;
    join(&b, &a).await;
    let bytes = noise(16 << 20, 5);
    let ticket = share(&a, &field.put("source", &bytes), true).await;
    let mut transfer = b.fetch(FetchOrder::new(ticket.clone())).await.unwrap();
    come(&mut transfer, 1 << 20).await;
    b.pause(transfer.id()).await.unwrap();
    until(&mut transfer, |event| {
        matches!(event, TransferEvent::Paused { trouble: None })
    })
    .await;
    assert_eq!(state(&b, &transfer).await, TransferState::Paused);
    eventually("nothing is asked for any more", || async {
        b.files_status().await.unwrap().engine.requests == 0
    })
    .await;
    // Another place is refused, the same joined, and asking again goes on.
    let elsewhere = FetchOrder::new(ticket.clone()).to(field.path("else"));
    let refused = b.fetch(elsewhere).await;
    assert!(
        matches!(refused, Err(FilesError::Elsewhere(_))),
        "{refused:?}"
    );
    let mut joined = b.fetch(FetchOrder::new(ticket.hash)).await.unwrap();
    assert_eq!(joined.id(), transfer.id());
    come(&mut joined, 2 << 20).await;
    b.cancel(transfer.id()).await.unwrap();
    let last = until(&mut joined, TransferEvent::is_last).await;
    assert!(matches!(last, TransferEvent::Cancelled), "{last:?}");
    assert_eq!(state(&b, &transfer).await, TransferState::Cancelled);
    eventually("nothing is left of it", || async {
        b.files_status().await.unwrap().used_bytes == 0
    })
    .await;
    let gone = b.pause(transfer.id()).await;
    assert!(matches!(gone, Err(FilesError::Unknown(_))), "{gone:?}");
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_comes_with_all_its_files_and_is_found_again_after_a_restart() {
    let field = Field::new();
    let a = field.node("a").await;
    let b = field.node("b").await;
    join(&b, &a).await;
    let mut all = Vec::new();
    fs::create_dir_all(field.path("folder/sub/deep")).unwrap();
    for number in 0..60_usize {
        let name = format!("folder/{}{number}", ["", "sub/", "sub/deep/"][number % 3]);
        // One file is there twice, one is empty.
        let bytes = noise(number % 59 * 3_000, (number % 59) as u64);
        field.put(&name, &bytes);
        all.push((name, bytes));
    }
    let ticket = share(&a, &field.path("folder"), false).await;
    let shared = a.shared().await.unwrap();
    assert_eq!((shared[0].kind, shared[0].files), (SharedKind::Folder, 60));
    let total: usize = all.iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(shared[0].bytes, total as u64);
    let order = FetchOrder::new(ticket.clone()).to(field.path("out"));
    let mut transfer = b.fetch(order).await.unwrap();
    let listed = until(&mut transfer, |event| {
        matches!(event, TransferEvent::Listed { .. }) || event.is_last()
    });
    assert!(matches!(
        listed.await,
        TransferEvent::Listed { files: 60, .. }
    ));
    let outcome = finished(&mut transfer).await;
    assert_eq!((outcome.files, outcome.bytes), (60, total as u64));
    for (name, bytes) in &all {
        let target = field.path(&name.replacen("folder", "out", 1));
        assert_eq!(fs::read(&target).unwrap(), *bytes, "{name}");
    }
    // Both share it still after a restart; a third one needs only one of them.
    a.shutdown().await;
    b.shutdown().await;
    let b = field.node("b").await;
    let shared = b.shared().await.unwrap();
    assert_eq!((shared.len(), shared[0].files), (1, 60));
    let c = field.node("c").await;
    join(&c, &b).await;
    let mut again = c
        .fetch(FetchOrder::new(shared[0].ticket.clone()))
        .await
        .unwrap();
    assert_eq!(finished(&mut again).await.bytes, total as u64);
    assert!(c.verify(None, |_| {}).await.unwrap().is_sound());
    // Nothing is left when it is taken back.
    assert!(c.unshare(ticket.hash).await.unwrap());
    assert!(!c.unshare(ticket.hash).await.unwrap());
    assert_eq!(c.files_status().await.unwrap().used_bytes, 0);
    b.shutdown().await;
    c.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_a_transfer_waits_and_goes_on_when_there_is_some() {
    let field = Field::new();
    let a = field.node("a").await;
    let mut config = field.config("b");
    config.files.quota_bytes = Some(3 << 20);
    let b = Node::start(config).await.unwrap();
    join(&b, &a).await;
    let bytes = noise(2 << 20, 7);
    let ticket = share(&a, &field.put("source", &bytes), false).await;
    let hoard = field.put("hoard", &noise(2 << 20, 8));
    let hoard = b.share(&hoard, ShareOptions::default()).await.unwrap();
    let mut transfer = b.fetch(FetchOrder::new(ticket)).await.unwrap();
    let paused = until(&mut transfer, |event| {
        matches!(event, TransferEvent::Paused { .. }) || event.is_last()
    });
    match paused.await {
        TransferEvent::Paused {
            trouble: Some(trouble),
        } => assert!(
            matches!(&*trouble, FilesError::Store(StoreError::Quota { .. })),
            "{trouble}"
        ),
        other => panic!("{other:?}"),
    }
    assert!(!b.standing(a.id()).await.unwrap().gate.is_closed());
    assert!(b.unshare(hoard.hash).await.unwrap());
    b.resume(transfer.id()).await.unwrap();
    assert_eq!(finished(&mut transfer).await.bytes, 2 << 20);
    // Room that cannot be made is refused at once.
    let large = field.put("large", &noise(4 << 20, 9));
    let refused = b.share(&large, ShareOptions::default()).await;
    assert!(
        matches!(refused, Err(FilesError::Store(StoreError::Quota { .. }))),
        "{refused:?}"
    );
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changed_under_its_reference_is_never_served() {
    let field = Field::new();
    let a = field.node("a").await;
    let b = field.node("b").await;
    join(&b, &a).await;
    let bytes = noise(2 << 20, 10);
    let source = field.put("source", &bytes);
    let ticket = share(&a, &source, true).await;
    let mut changed = bytes.clone();
    changed[1 << 20] ^= 1;
    fs::write(&source, &changed).unwrap();
    let mut transfer = b.fetch(FetchOrder::new(ticket.clone())).await.unwrap();
    eventually("it is told", || async {
        a.shared().await.unwrap()[0].trouble.is_some()
    })
    .await;
    let report = a.verify(Some(ticket.hash), |_| {}).await.unwrap();
    assert!(!report.is_sound());
    assert!(!b.standing(a.id()).await.unwrap().gate.is_closed());
    assert_eq!(state(&b, &transfer).await, TransferState::Fetching);
    b.cancel(transfer.id()).await.unwrap();
    until(&mut transfer, |event| {
        matches!(event, TransferEvent::Cancelled)
    })
    .await;
    // Back as it was, and shared again, it comes.
    fs::write(&source, &bytes).unwrap();
    assert_eq!(share(&a, &source, true).await.hash, ticket.hash);
    assert!(a.shared().await.unwrap()[0].trouble.is_none());
    let mut transfer = b.fetch(FetchOrder::new(ticket)).await.unwrap();
    assert_eq!(finished(&mut transfer).await.bytes, bytes.len() as u64);
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_size_in_a_ticket_is_found_out() {
    let field = Field::new();
    let a = field.node("a").await;
    let b = field.node("b").await;
    join(&b, &a).await;
    let bytes = noise(500_000, 11);
    let mut ticket = share(&a, &field.put("source", &bytes), false).await;
    ticket.size = 400_000_000;
    let order = FetchOrder::new(ticket).to(field.path("target"));
    let mut transfer = b.fetch(order).await.unwrap();
    assert_eq!(finished(&mut transfer).await.bytes, bytes.len() as u64);
    assert_eq!(fs::read(field.path("target")).unwrap(), bytes);
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_shows_who_would_be_chosen_and_fetches_nothing() {
    let field = Field::new();
    let a = field.node("a").await;
    let b = field.node("b").await;
    join(&b, &a).await;
    let ticket = share(&a, &field.put("source", &noise(500_000, 12)), false).await;
    let mut order = FetchOrder::new(ticket);
    order.choice = Choice {
        dry_run: true,
        ..Choice::default()
    };
    let mut transfer = b.fetch(order).await.unwrap();
    let plan = until(&mut transfer, |event| {
        matches!(event, TransferEvent::Plan { .. })
    });
    let TransferEvent::Plan { rows } = plan.await else {
        panic!("no plan");
    };
    assert_eq!(rows.len(), 1);
    assert!(rows[0].verdict.is_chosen() && rows[0].peer == a.id());
    while transfer.next().await.is_some() {}
    assert!(b.transfers().await.unwrap().is_empty());
    assert_eq!(b.files_status().await.unwrap().used_bytes, 0);
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_is_not_served_any_more() {
    let field = Field::new();
    let a = field.node("a").await;
    let b = field.node("b").await;
    join(&b, &a).await;
    let ticket = share(&a, &field.put("source", &noise(500_000, 13)), false).await;
    assert!(a.unshare(ticket.hash).await.unwrap());
    assert!(a.shared().await.unwrap().is_empty());
    let mut transfer = b.fetch(FetchOrder::new(ticket)).await.unwrap();
    until(&mut transfer, |event| {
        matches!(event, TransferEvent::Stuck { .. })
    })
    .await;
    b.cancel(transfer.id()).await.unwrap();
    let off = Node::start({
        let mut config = field.config("c");
        config.core.blobs = None;
        config
    })
    .await
    .unwrap();
    assert!(matches!(off.shared().await, Err(FilesError::Off)));
    for node in [&a, &b, &off] {
        node.shutdown().await;
    }
    assert!(matches!(a.shared().await, Err(FilesError::Stopped)));
}
