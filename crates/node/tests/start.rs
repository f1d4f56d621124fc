//! Starting: the failing step is named, and nothing is left behind.
#![cfg(feature = "runtime")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

#[allow(dead_code, reason = "each file of tests uses its part")]
mod support;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use repute_identity::keystore::{self, Passphrase};
use repute_node::{DataDir, IdentitySource, Node, NodeConfig, StartError, StartStep};
use support::{config, start};

/// The start fails at `step`, and says all of `words`.
#[track_caller]
fn fails(result: Result<Node, StartError>, step: StartStep, words: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.step, step, "{error}");
    let text = error.to_string();
    assert!(text.contains(&step.to_string()), "{text}");
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_makes_files_that_only_the_owner_can_read() {
    let home = tempfile::tempdir().unwrap();
    let dir = DataDir::new(home.path().join("deep/data"));
    let node = start(dir.path()).await;
    assert_eq!(mode(dir.path()), 0o700);
    assert_eq!(mode(&dir.identity()), 0o600);
    assert_eq!(mode(&dir.recovery()), 0o600);
    assert!(dir.store().exists());
    assert_eq!(
        keystore::inception(&dir.identity()).unwrap().node_id(),
        node.id()
    );
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keystore_that_others_may_read_stops_the_start_at_identity() {
    let dir = tempfile::tempdir().unwrap();
    start(dir.path()).await.shutdown().await;
    let key = DataDir::new(dir.path()).identity();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let words = ["identity.key", "0644", "0600", "chmod"];
    fails(
        Node::start(config(dir.path())).await,
        StartStep::Identity,
        &words,
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, b"not a key").unwrap();
    fails(
        Node::start(config(dir.path())).await,
        StartStep::Identity,
        &["not a keystore"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_keystore_opens_with_its_passphrase_only() {
    let dir = tempfile::tempdir().unwrap();
    let with = |passphrase: Option<&str>| {
        let mut config = config(dir.path());
        let passphrase = passphrase.map(|text| Passphrase::new(text).unwrap());
        config.identity = IdentitySource::Keystore { passphrase };
        Node::start(config)
    };
    let node = with(Some("right")).await.unwrap();
    let id = node.id();
    node.shutdown().await;
    fails(
        with(Some("wrong")).await,
        StartStep::Identity,
        &["passphrase", "wrong"],
    );
    fails(with(None).await, StartStep::Identity, &["encrypted"]);
    let node = with(Some("right")).await.unwrap();
    assert_eq!(node.id(), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_was_cut_off_keeps_the_recovery_key_that_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let files = DataDir::new(dir.path());
    let (_, recovery) = keystore::generate().unwrap();
    keystore::save_recovery(&files.recovery(), &recovery).unwrap();
    let node = start(dir.path()).await;
    let kept = keystore::load_recovery(&files.recovery()).unwrap();
    let expected = repute_identity::Inception::new(node.inception().key, &kept.public());
    assert_eq!(node.id(), expected.node_id());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_use_stops_the_start_at_storage() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(dir.path()).await;
    let words = ["in use", "another data directory"];
    fails(
        Node::start(config(dir.path())).await,
        StartStep::Storage,
        &words,
    );
    assert!(first.status().await.is_ok());
    first.shutdown().await;
    start(dir.path()).await.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_none_of_ours_stops_the_start_at_storage_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = DataDir::new(dir.path()).store();
    fs::write(&store, b"my precious notes").unwrap();
    fails(
        Node::start(config(dir.path())).await,
        StartStep::Storage,
        &["store.sqlite3"],
    );
    assert_eq!(fs::read(&store).unwrap(), b"my precious notes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_that_is_a_file_stops_the_start_at_identity() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    fails(Node::start(config(&file)).await, StartStep::Identity, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsound_configuration_stops_the_start_at_its_engine() {
    let dir = tempfile::tempdir().unwrap();
    let mut unsound = config(dir.path());
    unsound.core.gossip.fanout = 0;
    let started = Node::start(unsound).await;
    fails(started, StartStep::Gossip, &["fanout", "32"]);
    let mut unsound = config(dir.path());
    unsound.core.peers.max_peers = 0;
    let started = Node::start(unsound).await;
    fails(started, StartStep::Peers, &["max_peers"]);
    let mut unsound = config(dir.path());
    unsound.core.trust.trust_min = repute_base::Fixed::ONE;
    let started = Node::start(unsound).await;
    fails(started, StartStep::Trust, &["trust"]);
    start(dir.path()).await.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_stops_the_start_at_transport_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let on_it = || NodeConfig::in_dir(dir.path()).listen(address);
    let words = [&*address.to_string(), "in use"];
    fails(Node::start(on_it()).await, StartStep::Transport, &words);
    drop(taken);
    // Nor is the store still locked: the same start works now.
    let node = Node::start(on_it()).await.unwrap();
    assert_eq!(node.addresses().first().unwrap().port(), address.port());
    node.shutdown().await;
}
