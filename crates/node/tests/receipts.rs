//! What real nodes sign for each other, over loopback and a real store.
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

use std::path::Path;

use repute_base::Wall;
use repute_identity::{Identity, StampSearch, Vouch};
use repute_node::{
    DataDir, IdentitySource, Node, NodeConfig,
    trust::{IdentityClass, ReceiptsInput},
};
use repute_protocol::{Outcome, Service};
use support::{config, eventually, join};

const BITS: u8 = 8;

fn cheap(dir: &Path) -> NodeConfig {
    let mut config = config(dir);
    config.core.receipts.stamp_bits = BITS;
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stamp_in_the_data_directory_makes_a_node_more_than_a_free_name_to_its_neighbours() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = DataDir::new(theirs.path());
    let id = IdentitySource::DataDir.open(&dir).unwrap().id();
    let stamp = StampSearch::new(id, BITS).run(u64::MAX).unwrap();
    dir.save_stamp(stamp).unwrap();
    let alice = Node::start(cheap(ours.path())).await.unwrap();
    let bob = Node::start(cheap(theirs.path())).await.unwrap();
    assert_eq!(bob.id(), id);
    join(&bob, &alice).await;
    eventually("the stamp arrives", || async {
        alice.receipts(Some(id)).await.unwrap().class == IdentityClass::Vouched
    })
    .await;
    let own = bob.receipts(None).await.unwrap();
    assert_eq!(own.class, IdentityClass::Vouched);
    let free = bob.receipts(Some(alice.id())).await.unwrap();
    assert_eq!(free.class, IdentityClass::Free);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_rests_on_a_session_that_was_opened_and_is_there_after_a_restart() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let alice = Node::start(cheap(ours.path())).await.unwrap();
    let bob = Node::start(cheap(theirs.path())).await.unwrap();
    join(&bob, &alice).await;
    let (peer, service) = (bob.id(), Service::Transfer);
    let failed = || ReceiptsInput::Failed {
        peer,
        service,
        kind: Outcome::Aborted,
    };
    // Nothing was agreed to yet.
    alice.tell_receipts(failed()).await.unwrap();
    assert!(alice.receipts(None).await.unwrap().claims.is_empty());
    let open = ReceiptsInput::Open { peer, service };
    alice.tell_receipts(open).await.unwrap();
    eventually("the session is open", || async {
        alice.tell_receipts(failed()).await.unwrap();
        !alice.receipts(None).await.unwrap().claims.is_empty()
    })
    .await;
    let claims = alice.receipts(Some(peer)).await.unwrap().claims;
    assert_eq!((claims[0].claimant, claims[0].accused), (alice.id(), peer));
    alice.shutdown().await;
    let alice = Node::start(cheap(ours.path())).await.unwrap();
    let kept = alice.receipts(None).await.unwrap().claims;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].accused, peer);
}

#[test]
fn a_file_that_holds_no_stamp_is_told_apart_from_none() {
    let place = tempfile::tempdir().unwrap();
    let dir = DataDir::new(place.path());
    assert_eq!(dir.load_stamp().unwrap(), None);
    for damaged in [
        "",
        "repute stamp 1\n",
        "repute stamp 2\n7\n",
        "repute stamp 1\n7\n8\n",
    ] {
        std::fs::write(dir.stamp(), damaged).unwrap();
        let said = dir.load_stamp().unwrap_err().to_string();
        assert!(said.contains("repute id stamp"), "{said}");
    }
}

fn word(by: &Identity, of: repute_identity::NodeId) -> Vouch {
    let issued = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let issued = Wall::from_millis(u64::try_from(issued.unwrap().as_millis()).unwrap());
    Vouch::sign(by, of, 0, issued, issued + Vouch::YEAR)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_is_kept_while_the_node_runs_is_shown_without_another_start() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let anchor = Identity::from_seed(5);
    let mut trusting = cheap(ours.path());
    trusting.core.receipts.anchors = vec![anchor.id()];
    let alice = Node::start(trusting).await.unwrap();
    let bob = Node::start(cheap(theirs.path())).await.unwrap();
    join(&bob, &alice).await;
    let id = bob.id();
    let class = || async { alice.receipts(Some(id)).await.unwrap().class };
    assert_eq!(class().await, IdentityClass::Free);
    bob.show_credentials().await.unwrap();
    let dir = DataDir::new(theirs.path());
    dir.keep_vouch(word(&anchor, id)).unwrap();
    bob.show_credentials().await.unwrap();
    eventually("the word arrives", || async {
        class().await == IdentityClass::Vouched
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_of_an_operators_anchor_makes_a_node_more_than_a_free_name() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let anchor = Identity::from_seed(5);
    let dir = DataDir::new(theirs.path());
    let id = IdentitySource::DataDir.open(&dir).unwrap().id();
    let vouch = word(&anchor, id);
    for _ in 0..2 {
        dir.keep_vouch(vouch).unwrap();
    }
    assert_eq!(dir.load_vouches().unwrap(), [vouch]);
    let mut trusting = cheap(ours.path());
    trusting.core.receipts.anchors = vec![anchor.id()];
    let alice = Node::start(trusting).await.unwrap();
    let bob = Node::start(cheap(theirs.path())).await.unwrap();
    join(&bob, &alice).await;
    eventually("the word arrives", || async {
        alice.receipts(Some(id)).await.unwrap().class == IdentityClass::Vouched
    })
    .await;
    // To whoever takes nobody's word it says nothing.
    assert_eq!(bob.receipts(None).await.unwrap().class, IdentityClass::Free);
}
