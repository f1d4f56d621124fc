//! The endpoints of the DHT and the directory, over a real socket, in front of a node.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use repute_console::{
    AdvertiseRequest, Client, ClientError, CriterionView, DhtGetQuery, DhtLookupQuery,
    DhtPutRequest, FindRequest, Server,
};
use repute_node::{Node, NodeConfig};
use tempfile::TempDir;

struct Served {
    _dir: TempDir,
    node: Node,
    client: Client,
}

async fn serve(join: Option<&Node>) -> Served {
    let dir = tempfile::tempdir().unwrap();
    let mut config = NodeConfig::in_dir(dir.path()).listen(([127, 0, 0, 1], 0).into());
    config.join.extend(join.map(Node::ticket));
    let node = Node::start(config).await.unwrap();
    let path = dir.path().join("test.sock");
    let server = Server::bind(&path).await.unwrap();
    tokio::spawn(server.serve(node.clone()));
    let client = Client::connect(&path);
    Served {
        _dir: dir,
        node,
        client,
    }
}

async fn pair() -> (Served, Served) {
    let first = serve(None).await;
    let second = serve(Some(&first.node)).await;
    for served in [&first, &second] {
        while served.client.status().await.unwrap().peers_active == 0 {
            tokio::task::yield_now().await;
        }
    }
    (first, second)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>, status: u16, says: &str) {
    let Err(ClientError::Problem(problem)) = answer else {
        panic!("no problem: {answer:?}");
    };
    assert_eq!(problem.status, status, "{}", problem.title);
    assert!(problem.title.contains(says), "{}", problem.title);
}

fn wanted(kind: &str) -> FindRequest {
    FindRequest {
        kind: kind.into(),
        local: true,
        ..FindRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_offered_watched_found_and_retracted() {
    let (asker, offerer) = pair().await;
    let mut news = asker
        .client
        .watch_services(&wanted("signer"))
        .await
        .unwrap();
    let request = AdvertiseRequest {
        services: vec!["signer:spend".into()],
        max_amount: Some(10),
        criteria: vec![CriterionView {
            name: "network".into(),
            value: "main".into(),
        }],
        metadata_hex: Some("ff".into()),
        ..AdvertiseRequest::default()
    };
    let made = offerer.client.advertise(&request).await.unwrap();
    let offer = news.next().await.unwrap().unwrap();
    assert_eq!(
        (offer.id.as_str(), offer.slot),
        (offerer.node.id().to_string().as_str(), made.slot)
    );
    let found = asker
        .client
        .find_services(&wanted("signer:spend"))
        .await
        .unwrap();
    assert_eq!(found.found.len(), 1);
    let said = &found.found[0].advertisement;
    assert_eq!(said.criteria, request.criteria);
    assert_eq!(
        (said.metadata_hex.as_deref(), said.max_amount),
        (Some("ff"), Some(10))
    );
    let own = offerer.client.offers().await.unwrap().advertisements;
    assert_eq!((own.len(), own[0].seconds), (1, 3_600));
    assert_eq!(offerer.client.retract(None).await.unwrap().retracted, 1);
    refused(
        offerer.client.retract(Some("00")).await,
        404,
        "nothing is advertised",
    );
    refused(offerer.client.retract(Some("0")).await, 400, "not hex");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_score_and_a_class_are_asked_for_before_the_answer_is_cut() {
    let (asker, offerer) = pair().await;
    let mut news = asker.client.watch_services(&wanted("all")).await.unwrap();
    let request = AdvertiseRequest {
        services: vec!["relay".into()],
        ..AdvertiseRequest::default()
    };
    offerer.client.advertise(&request).await.unwrap();
    let offer = news.next().await.unwrap().unwrap();
    assert_eq!((offer.class.as_str(), offer.scores.len()), ("free", 0));
    let by = |model: &str, least: f64, class: &str| FindRequest {
        min_score: [(model.to_owned(), least)].into(),
        class: Some(class.into()),
        max: Some(1),
        ..wanted("relay")
    };
    let client = &asker.client;
    let found = client.find_services(&by("signing", 50.0, "free")).await;
    assert_eq!(found.unwrap().found[0].scores["signing"], 50.0);
    for unfitting in [by("signing", 50.1, "free"), by("signing", 0.0, "vouched")] {
        let found = client.find_services(&unfitting).await.unwrap();
        assert!(found.found.is_empty() && found.complete, "{found:?}");
    }
    let wrong = by("speed", 0.1, "free");
    refused(client.find_services(&wrong).await, 400, "use one of peer,");
    refused(
        client.watch_services(&wrong).await.map(drop),
        400,
        "use one of peer,",
    );
    let wrong = by("peer", f64::from(2), "free");
    refused(client.find_services(&wrong).await, 400, "between 0 and 1");
    let wrong = by("peer", 0.5, "Free");
    refused(
        client.watch_services(&wrong).await.map(drop),
        400,
        "free, vouched, anchored",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_wrongly_says_how_to_ask() {
    let served = serve(None).await;
    let client = &served.client;
    let nothing = AdvertiseRequest::default();
    refused(client.advertise(&nothing).await, 400, "name at least one");
    let both = AdvertiseRequest {
        services: vec!["relay".into()],
        metadata: Some("a".into()),
        metadata_hex: Some("61".into()),
        ..AdvertiseRequest::default()
    };
    refused(client.advertise(&both).await, 400, "give one of them");
    let long = AdvertiseRequest {
        services: vec!["relay".into(); 9],
        ..AdvertiseRequest::default()
    };
    refused(client.advertise(&long).await, 400, "9 services, at most 8");
    refused(
        client.find_services(&wanted("a b")).await,
        400,
        "no kind of service",
    );
    refused(
        client.watch_services(&wanted("")).await,
        400,
        "no kind of service",
    );
    let query = DhtGetQuery::default();
    refused(client.dht_get(&query).await, 400, "name a key");
    let query = DhtGetQuery {
        name: Some("x".into()),
        want: "some".into(),
        ..DhtGetQuery::default()
    };
    refused(client.dht_get(&query).await, 400, "newest, first or all");
    let query = DhtLookupQuery::default();
    refused(client.dht_lookup(&query).await, 400, "not a key");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_put_got_and_counted() {
    let (reader, writer) = pair().await;
    let request = DhtPutRequest {
        name: "a b/ü".into(),
        hex: Some("00ff".into()),
        ..DhtPutRequest::default()
    };
    let put = writer.client.dht_put(&request).await.unwrap();
    let query = DhtGetQuery {
        author: Some(put.author.clone()),
        name: Some(put.name.clone()),
        want: "first".into(),
        ..DhtGetQuery::default()
    };
    let got = reader.client.dht_get(&query).await.unwrap();
    assert_eq!(
        (got.key.as_str(), got.records[0].hex.as_deref()),
        (put.key.as_str(), Some("00ff"))
    );
    assert_eq!(got.records[0].author, put.author);
    let stats = reader.client.dht_stats().await.unwrap();
    assert!(stats.requests_received > 0 && stats.table.len() == 1);
    assert_eq!(stats.refused["wrong-key"], 0);
    assert_eq!(stats.directory.refused["forged"], 0);
    reader.node.shutdown().await;
    writer.node.shutdown().await;
}
