//! The API in front of a real node.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

use repute_base::{BoundedVec, Wall};
use repute_console::{
    BanRequest, Client, ClientError, JoinRequest, Problem, PublishRequest, RecommendRequest, Server,
};
use repute_identity::{Identity, NodeId, Ticket};
use repute_node::{Node, NodeConfig};
use tempfile::TempDir;

struct Running {
    node: Node,
    client: Client,
    _dir: TempDir,
}

async fn run() -> Running {
    let dir = tempfile::tempdir().unwrap();
    let config = NodeConfig::in_dir(dir.path()).listen(([127, 0, 0, 1], 0).into());
    let node = Node::start(config).await.unwrap();
    let server = Server::bind(&dir.path().join("control.sock"))
        .await
        .unwrap();
    let client = Client::connect(server.path());
    tokio::spawn(server.serve(node.clone()));
    Running {
        node,
        client,
        _dir: dir,
    }
}

#[track_caller]
fn problem<T: std::fmt::Debug>(answer: Result<T, ClientError>, status: u16) -> Problem {
    match answer {
        Err(ClientError::Problem(problem)) if problem.status == status => problem,
        other => panic!("expected status {status}, got {other:?}"),
    }
}

fn stranger() -> NodeId {
    NodeId::from_bytes([7; 32])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_node_answers_what_its_own_api_says() {
    let running = run().await;
    let status = running.client.status().await.unwrap();
    assert_eq!(status.id, running.node.id().to_string());
    assert_eq!((status.panics, status.failed_writes), (0, 0));
    let ticket: Ticket = running
        .client
        .ticket()
        .await
        .unwrap()
        .ticket
        .parse()
        .unwrap();
    assert_eq!(ticket.node_id(), running.node.id());
    let why = running
        .client
        .explain(&stranger().to_string())
        .await
        .unwrap();
    assert!(why.matches && why.events.is_empty());
    assert_eq!(why.standing.level, "unknown");
    assert!(running.client.peers(10).await.unwrap().peers.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bans_are_listed_lifted_and_missed() {
    let running = run().await;
    let client = &running.client;
    let id = stranger().to_string();
    problem(client.unban(&id).await, 404);
    let request = |id: &str, reason: &str| BanRequest {
        id: id.into(),
        seconds: Some(3_600),
        reason: reason.into(),
    };
    client.ban(&request(&id, "spam")).await.unwrap();
    let bans = client.bans().await.unwrap().bans;
    assert_eq!(bans.len(), 1);
    let ban = bans.first().unwrap();
    assert_eq!(
        (ban.id.as_str(), ban.by.as_str()),
        (id.as_str(), "operator")
    );
    assert!(ban.until.is_some() && ban.reason.contains("spam"));
    // Hex names the same peer.
    let hex: String = stranger()
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    client.unban(&hex).await.unwrap();
    assert!(client.bans().await.unwrap().bans.is_empty());

    problem(client.ban(&request("no id at all", "")).await, 400);
    problem(client.ban(&request(&id, &"x".repeat(129))).await, 400);
    let own = running.node.id().to_string();
    problem(client.ban(&request(&own, "")).await, 409);
    problem(client.peer("../status").await, 400);
    problem(client.peer(&id).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_that_lead_nowhere_are_refused() {
    let running = run().await;
    let join = async |ticket: String| running.client.join(&JoinRequest { ticket }).await;
    problem(join("nonsense".into()).await, 400);
    problem(join(running.node.ticket().to_string()).await, 409);
    let past = Ticket {
        inception: *Identity::from_seed(3).inception(),
        addresses: BoundedVec::default(),
        expires: Wall::from_millis(1),
        discovery: None,
    };
    let expired = problem(join(past.to_string()).await, 400);
    assert!(expired.title.contains("expired"), "{}", expired.title);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_published_and_heard_as_a_line() {
    let (ours, theirs) = (run().await, run().await);
    let ticket = theirs.client.ticket().await.unwrap().ticket;
    let mut events = ours.client.events().await.unwrap();
    ours.client.join(&JoinRequest { ticket }).await.unwrap();
    while events.next().await.unwrap().unwrap().event != "connected" {}

    let mut news = ours.client.subscribe("news").await.unwrap();
    let said = PublishRequest {
        topic: "news".into(),
        text: "hé\n".into(),
        kind: 7,
    };
    let published = theirs.client.publish(&said).await.unwrap();
    let heard = news.next().await.unwrap().unwrap();
    assert_eq!((&heard.id, &heard.text), (&published.id, &Some(said.text)));
    assert_eq!((heard.kind, heard.lost), (7, 0));
    assert_eq!(heard.author, theirs.node.id().to_string());

    // What is no text is shown in hex.
    theirs.node.publish("news", vec![0xff, 0x00]).await.unwrap();
    let heard = news.next().await.unwrap().unwrap();
    assert_eq!((heard.text, heard.hex.as_deref()), (None, Some("ff00")));

    let too_long = PublishRequest {
        topic: "x".repeat(65),
        text: String::new(),
        kind: 0,
    };
    problem(ours.client.publish(&too_long).await, 400);
    let peer = ours.client.peer(&heard.author).await.unwrap();
    assert_eq!(peer.state, "active");
    assert!(!peer.link.unwrap().inbound);

    // The streams end with the node.
    ours.client.stop().await.unwrap();
    assert_eq!(news.next().await.unwrap(), None);
    while events.next().await.unwrap().is_some() {}
    problem(ours.client.status().await, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_is_noted_explained_and_withdrawn_without_a_trace() {
    let running = run().await;
    let client = &running.client;
    assert!(client.trust_sources().await.unwrap().sources.is_empty());
    let request = |id: String, value: f64| RecommendRequest {
        id,
        value,
        reason: "sells what is not his".into(),
    };
    let id = stranger().to_string();
    client.recommend(&request(id.clone(), -1.0)).await.unwrap();
    let why = client.explain(&id).await.unwrap();
    assert!(
        why.matches && (why.prior - 0.455_8).abs() < 0.000_1,
        "{why:?}"
    );
    let line = why.recommendations.first().unwrap();
    assert!(line.own && line.moves < 0.0);
    assert_eq!(line.reason, "sells what is not his");
    let sources = client.trust_sources().await.unwrap().sources;
    assert_eq!(sources.len(), 1);
    assert_eq!(sources.first().unwrap().recommendations.first(), Some(line));

    // Once a day about each; never about oneself; nothing beyond the scale.
    let again = problem(client.recommend(&request(id.clone(), 1.0)).await, 409);
    assert!(again.title.contains("day"), "{}", again.title);
    let own = running.node.id().to_string();
    problem(client.recommend(&request(own.clone(), 1.0)).await, 409);
    problem(client.recommend(&request(id.clone(), 1.5)).await, 400);
    problem(client.recommend(&request("nobody".into(), 1.0)).await, 400);

    client.withdraw(&own).await.unwrap();
    let why = client.explain(&id).await.unwrap();
    assert_eq!((why.prior, why.recommendations.len()), (0.5, 0));
    assert!(
        client
            .trust_sources()
            .await
            .unwrap()
            .sources
            .first()
            .unwrap()
            .withdrawn
    );
    problem(client.recommend(&request(id.clone(), 1.0)).await, 409);
    client.readmit(&own).await.unwrap();
    client.recommend(&request(id.clone(), 1.0)).await.unwrap();
    assert!(client.explain(&id).await.unwrap().prior > 0.54);
}
