//! The endpoints of files, over a real socket: in front of a `Control` that is no node, and in
//! front of nodes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test that cannot go on fails"
)]

#[allow(dead_code, reason = "other tests need more of it")]
mod fake;

use fake::{
    Fake,
    files::{share, transfer},
};
use repute_console::{
    Client, ClientError, FetchRequest, Lines, ProgressView, ReadView, Server, ShareEvent,
    ShareRequest, TransferEvent, VerifyEvent, VerifyRequest,
};
use repute_node::{Node, NodeConfig};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

async fn serve(fake: &Fake) -> (TempDir, Client) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let server = Server::bind(&path).await.unwrap();
    tokio::spawn(server.serve(fake.clone()));
    (dir, Client::connect(&path))
}

async fn all<T: DeserializeOwned>(mut lines: Lines<T>) -> Vec<T> {
    let mut all = Vec::new();
    while let Some(line) = lines.next().await.unwrap() {
        all.push(line);
    }
    all
}

#[track_caller]
fn refused<T>(answer: Result<T, ClientError>, status: u16, kind: &str) {
    let Err(ClientError::Problem(problem)) = answer else {
        panic!("no problem");
    };
    assert_eq!((problem.status, problem.kind.as_str()), (status, kind));
}

fn of(path: &str) -> ShareRequest {
    ShareRequest {
        path: path.into(),
        ..ShareRequest::default()
    }
}

#[tokio::test]
async fn sharing_tells_how_far_it_is_and_then_what_is_shared() {
    let fake = Fake::default();
    let (_dir, client) = serve(&fake).await;
    let told = all(client.share(&of("/home/me/hello.txt")).await.unwrap()).await;
    let progress = ShareEvent::Progress(ReadView { bytes: 3, total: 5 });
    assert_eq!(told, [progress, ShareEvent::Shared(share())]);
    assert_eq!(client.shares().await.unwrap().shares, [share()]);
    assert_eq!(fake.asked(), ["share /home/me/hello.txt false None"]);
}

#[tokio::test]
async fn what_fails_at_once_is_a_problem_and_what_fails_later_is_the_last_line() {
    let (_dir, client) = serve(&Fake::default()).await;
    refused(client.share(&of("/full")).await, 507, "no-room");
    refused(client.share(&of("/stops")).await, 503, "unavailable");
    let told = all(client.share(&of("/breaks")).await.unwrap()).await;
    let Some(ShareEvent::Failed { problem }) = told.last() else {
        panic!("{told:?}");
    };
    assert_eq!((problem.status, told.len()), (507, 2));
}

#[tokio::test]
async fn unsharing_and_verifying_name_what_they_are_about() {
    let fake = Fake::default();
    let (_dir, client) = serve(&fake).await;
    assert!(client.unshare(&share().hash).await.unwrap().done);
    refused(client.unshare("a/b c").await, 404, "not-found");
    let request = VerifyRequest {
        hash: Some("x".into()),
    };
    let told = all(client.verify(&request).await.unwrap()).await;
    assert!(matches!(told.as_slice(), [VerifyEvent::Verified(view)] if view.sound));
    let asked = [
        format!("unshare {}", share().hash),
        "unshare a/b c".into(),
        "verify Some(\"x\")".into(),
    ];
    assert_eq!(fake.asked(), asked);
}

#[tokio::test]
async fn a_fetch_tells_its_news_in_order_and_can_be_watched_by_others() {
    let fake = Fake::default();
    let news = [
        TransferEvent::Joined { peer: "p".into() },
        TransferEvent::Progress(ProgressView {
            bytes: 5,
            total: Some(5),
            ..ProgressView::default()
        }),
        TransferEvent::Cancelled,
    ];
    fake.news.lock().unwrap().extend(news.iter().cloned());
    let (_dir, client) = serve(&fake).await;
    let request = FetchRequest {
        what: "reputeblobticket".into(),
        prefer: vec!["p".into()],
        ..FetchRequest::default()
    };
    let told = all(client.fetch(&request).await.unwrap()).await;
    assert_eq!(told[0], TransferEvent::Begun(transfer(1)));
    assert_eq!(told[1..], news);
    assert_eq!(all(client.watch_transfer(1).await.unwrap()).await, told);
    assert!(fake.asked()[0].contains("prefer: [\"p\"]"));
    refused(client.watch_transfer(9).await, 404, "not-found");
    let nonsense = FetchRequest {
        what: "nonsense".into(),
        ..request
    };
    refused(client.fetch(&nonsense).await, 400, "bad-request");
}

#[tokio::test]
async fn transfers_are_listed_paused_resumed_and_cancelled() {
    let fake = Fake::default();
    let (_dir, client) = serve(&fake).await;
    let transfers = client.transfers().await.unwrap().transfers;
    assert_eq!(transfers, [transfer(1), transfer(2)]);
    assert!(client.pause_transfer(2).await.unwrap().done);
    assert!(client.resume_transfer(2).await.unwrap().done);
    assert!(client.cancel_transfer(2).await.unwrap().done);
    assert_eq!(fake.asked(), ["pause 2", "resume 2", "cancel 2"]);
}

#[test]
fn events_have_stable_words_and_unknown_ones_are_passed_over() {
    let line = serde_json::to_value(TransferEvent::Left {
        peer: "p".into(),
        why: "corrupt".into(),
        words: "sent what does not match the hash".into(),
    });
    assert_eq!(line.unwrap()["event"], "left");
    let begun = serde_json::to_value(TransferEvent::Begun(transfer(7))).unwrap();
    assert_eq!(begun["event"], "begun");
    assert_eq!((&begun["id"], &begun["bytes"]), (&7.into(), &0.into()));
    let unknown: TransferEvent =
        serde_json::from_str(r#"{"event":"from-the-future","much":[1]}"#).unwrap();
    assert_eq!(unknown, TransferEvent::Other);
}

/// A node behind its socket.
struct Served {
    dir: TempDir,
    node: Node,
    client: Client,
}

async fn serve_node(join: Option<&Node>) -> Served {
    let dir = tempfile::tempdir().unwrap();
    let mut config = NodeConfig::in_dir(dir.path()).listen(([127, 0, 0, 1], 0).into());
    config.join.extend(join.map(Node::ticket));
    let node = Node::start(config).await.unwrap();
    let path = dir.path().join("test.sock");
    let server = Server::bind(&path).await.unwrap();
    tokio::spawn(server.serve(node.clone()));
    let client = Client::connect(&path);
    Served { dir, node, client }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_from_node_to_node_through_the_api_alone() {
    let seeder = serve_node(None).await;
    let getter = serve_node(Some(&seeder.node)).await;
    let path = seeder.dir.path().join("hello.txt");
    std::fs::write(&path, "hello").unwrap();
    let told = all(seeder
        .client
        .share(&of(path.to_str().unwrap()))
        .await
        .unwrap())
    .await;
    let Some(ShareEvent::Shared(share)) = told.last() else {
        panic!("{told:?}");
    };
    let output = getter.dir.path().join("got.txt");
    let request = FetchRequest {
        what: share.ticket.clone(),
        output: Some(output.to_str().unwrap().into()),
        keep: true,
        ..FetchRequest::default()
    };
    let told = all(getter.client.fetch(&request).await.unwrap()).await;
    assert!(matches!(told[0], TransferEvent::Begun(_)), "{told:?}");
    let Some(TransferEvent::Finished(finished)) = told.last() else {
        panic!("{told:?}");
    };
    assert_eq!((finished.bytes, finished.files), (5, 1));
    assert_eq!(finished.sources[0].id, seeder.node.id().to_string());
    assert_eq!(std::fs::read(&output).unwrap(), b"hello");
    let shares = getter.client.shares().await.unwrap().shares;
    assert_eq!(shares[0].hash, share.hash);
    let transfers = getter.client.transfers().await.unwrap().transfers;
    assert_eq!(transfers[0].state, "finished");
    refused(getter.client.fetch(&request).await, 409, "refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_wrongly_of_a_node_says_how_to_ask() {
    let served = serve_node(None).await;
    let client = &served.client;
    refused(client.share(&of("relative")).await, 400, "bad-request");
    refused(client.share(&of("/no/such/file")).await, 404, "not-found");
    let fetch = |change: fn(&mut FetchRequest)| {
        let mut request = FetchRequest {
            what: "a".repeat(52),
            ..FetchRequest::default()
        };
        change(&mut request);
        async move { client.fetch(&request).await }
    };
    let wrong: [fn(&mut FetchRequest); 5] = [
        |request| request.what = "nonsense".into(),
        |request| request.what = "reputeblobnonsense".into(),
        |request| request.output = Some("relative".into()),
        |request| request.only = vec!["nobody".into()],
        |request| request.min_level = Some("distrusted".into()),
    ];
    for change in wrong {
        refused(fetch(change).await, 400, "bad-request");
    }
    refused(client.unshare(&"a".repeat(52)).await, 404, "not-found");
    refused(client.pause_transfer(7).await, 404, "not-found");
    refused(client.watch_transfer(7).await, 404, "not-found");
}
