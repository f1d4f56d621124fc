//! Every endpoint, over a real socket, in front of a `Control` that is no node.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

mod fake;

use std::path::PathBuf;

use fake::{Fake, id, message};
use repute_console::{
    BanRequest, Client, ClientError, JoinRequest, Problem, PublishRequest, Server,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

/// A served `Fake`.
struct Served {
    _dir: TempDir,
    path: PathBuf,
}

/// What came back, raw.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

async fn serve(fake: &Fake) -> Served {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let server = Server::bind(&path).await.unwrap();
    tokio::spawn(server.serve(fake.clone()));
    Served { _dir: dir, path }
}

impl Served {
    fn client(&self) -> Client {
        Client::connect(&self.path)
    }

    /// One request, written by hand.
    async fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut stream = UnixStream::connect(&self.path).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server may answer and close before it has read all.
        let _closed = stream.write_all(body).await;
        let mut bytes = Vec::new();
        let _closed = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_ascii_lowercase(),
            body: body.into(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", b"").await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        let json = "Content-Type: application/json\r\n";
        self.ask("POST", path, json, body.as_bytes()).await
    }
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }

    /// The answer is a problem document of this status and type, in plain words.
    #[track_caller]
    fn problem(&self, status: u16, kind: &str) -> Problem {
        assert_eq!(self.status, status, "{}{}", self.head, self.body);
        assert!(
            self.head.contains("content-type: application/problem+json"),
            "{}",
            self.head
        );
        let problem: Problem = serde_json::from_str(&self.body).unwrap();
        assert_eq!((problem.kind.as_str(), problem.status), (kind, status));
        assert!(!problem.title.is_empty());
        problem
    }
}

#[tokio::test]
async fn reading_endpoints_answer_what_the_node_says() {
    let served = serve(&Fake::with_peers(3)).await;
    assert_eq!(served.get("/v1/status").await.json()["version"], "1.2.3");
    let one = served.get(&format!("/v1/peers/{}", id(1))).await.json();
    assert_eq!(one["id"], id(1));
    assert_eq!(one["link"], Value::Null);
    let why = served
        .get(&format!("/v1/peers/{}/explain", id(1)))
        .await
        .json();
    assert_eq!(why["matches"], true);
    assert_eq!(served.get("/v1/bans").await.json()["bans"][0]["id"], id(9));
    assert_eq!(
        served.get("/v1/ticket").await.json()["ticket"],
        "reputeticket"
    );
    assert_eq!(served.get("/health/live").await.status, 200);
    assert_eq!(served.get("/health/ready").await.status, 200);
}

#[tokio::test]
async fn writing_endpoints_reach_the_node_with_what_was_said() {
    let fake = Fake::with_peers(2);
    let served = serve(&fake).await;
    let ban = json!({ "id": id(1), "seconds": 60, "reason": "spam" });
    served.post("/v1/bans", &ban.to_string()).await.json();
    let for_good = json!({ "id": id(1) });
    served.post("/v1/bans", &for_good.to_string()).await.json();
    let unban = format!("/v1/bans/{}", id(1));
    served.ask("DELETE", &unban, "", b"").await.json();
    served.post("/v1/join", r#"{"ticket":"t"}"#).await.json();
    let publish = r#"{"topic":"news","text":"hi","kind":7}"#;
    let published = served.post("/v1/publish", publish).await.json();
    assert_eq!(published["id"], "name");
    served.post("/v1/stop", "null").await.json();
    let mut expected = vec![
        format!("ban {} Some(60s) spam", id(1)),
        format!("ban {} None ", id(1)),
        format!("unban {}", id(1)),
        "join t".into(),
        "publish news 7 2".into(),
    ];
    assert_eq!(fake.asked()[..5], expected);
    // The answer leaves before the node stops.
    while fake.asked().len() < 6 {
        tokio::task::yield_now().await;
    }
    expected.push("stop".into());
    assert_eq!(fake.asked(), expected);
}

#[tokio::test]
async fn a_body_that_makes_no_sense_is_refused_and_reaches_nobody() {
    let fake = Fake::default();
    let served = serve(&fake).await;
    for (path, body) in [
        ("/v1/bans", ""),
        ("/v1/bans", "{"),
        ("/v1/bans", "[]"),
        ("/v1/bans", r#"{"reason":"no id"}"#),
        ("/v1/bans", r#"{"id":"x","seconds":-1}"#),
        ("/v1/bans", r#"{"id":"x","second":1}"#),
        ("/v1/join", r#"{"ticket":7}"#),
        ("/v1/publish", r#"{"topic":"t"}"#),
        ("/v1/publish", r#"{"topic":"t","text":"x","kind":65536}"#),
        ("/v1/publish", "{\"topic\":\"t\",\"text\":\"\\ud800\"}"),
    ] {
        served.post(path, body).await.problem(400, "bad-request");
    }
    let untyped = served.ask("POST", "/v1/join", "", b"{}").await;
    untyped.problem(400, "bad-request");
    let latin = b"{\"ticket\":\"\xe9\"}";
    let json = "Content-Type: application/json\r\n";
    let latin = served.ask("POST", "/v1/join", json, latin).await;
    latin.problem(400, "bad-request");
    assert_eq!(fake.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn an_oversized_body_is_refused_with_the_limit() {
    let fake = Fake::default();
    let served = serve(&fake).await;
    let body = json!({ "topic": "t", "text": "x".repeat(600 * 1024) }).to_string();
    let problem = served
        .post("/v1/publish", &body)
        .await
        .problem(413, "too-large");
    assert!(problem.title.contains("512 KiB"), "{}", problem.title);
    assert_eq!(fake.asked(), Vec::<String>::new());
    // The largest message, in the worst of spellings, is let through.
    let body = json!({ "topic": "t", "text": "\u{1}".repeat(64 * 1024) }).to_string();
    served.post("/v1/publish", &body).await.json();
    assert_eq!(fake.asked(), ["publish t 0 65536"]);
}

#[tokio::test]
async fn what_does_not_exist_is_named_as_a_problem() {
    let served = serve(&Fake::default()).await;
    let unknown = format!("/v1/peers/{}", id(7));
    served.get(&unknown).await.problem(404, "not-found");
    let why = format!("{unknown}/explain");
    served.get(&why).await.problem(404, "not-found");
    let ban = format!("/v1/bans/{}", id(7));
    let unban = served.ask("DELETE", &ban, "", b"").await;
    unban.problem(404, "not-found");
    served.get("/v2/status").await.problem(404, "not-found");
    served.get("/").await.problem(404, "not-found");
    let put = served.ask("PUT", "/v1/status", "", b"").await;
    let problem = put.problem(405, "no-such-method");
    assert!(problem.title.contains("PUT"));
}

#[tokio::test]
async fn paths_and_queries_that_make_no_sense_are_problems_too() {
    let served = serve(&Fake::default()).await;
    for path in [
        "/v1/peers?limit=many",
        "/v1/peers?offset=-1",
        "/v1/peers?limit=99999999999999999999999",
        "/v1/subscribe",
        "/v1/peers/%ff",
    ] {
        served.get(path).await.problem(400, "bad-request");
    }
}

#[tokio::test]
async fn refusals_keep_their_status() {
    let fake = Fake {
        stopping: true,
        disk_full: true,
        ..Fake::default()
    };
    let served = serve(&fake).await;
    let own = served.post("/v1/join", r#"{"ticket":"own"}"#).await;
    own.problem(409, "refused");
    let ban = served.post("/v1/bans", r#"{"id":"x"}"#).await;
    ban.problem(507, "not-durable");
    served.get("/v1/status").await.problem(503, "unavailable");
    served
        .get("/health/ready")
        .await
        .problem(503, "unavailable");
    assert_eq!(served.get("/health/live").await.status, 200);
}

#[tokio::test]
async fn peers_come_in_pages() {
    let served = serve(&Fake::with_peers(250)).await;
    let page = async |query: &str| {
        let page = served.get(&format!("/v1/peers{query}")).await.json();
        assert_eq!(page["total"], 250);
        let peers = page["peers"].as_array().unwrap().clone();
        let ids = |place: usize| peers[place]["id"].as_str().unwrap().to_owned();
        (
            peers.len(),
            (!peers.is_empty()).then(|| (ids(0), ids(peers.len() - 1))),
        )
    };
    assert_eq!(page("").await, (100, Some((id(0), id(99)))));
    assert_eq!(page("?limit=2").await, (2, Some((id(0), id(1)))));
    assert_eq!(
        page("?offset=200&limit=100").await,
        (50, Some((id(200), id(249))))
    );
    assert_eq!(page("?offset=250").await, (0, None));
    assert_eq!(page("?offset=18446744073709551615").await, (0, None));
    assert_eq!(page("?limit=0").await, (0, None));
    assert_eq!(page("?limit=1000000").await.0, 250);
}

#[tokio::test]
async fn a_subscription_is_one_document_a_line_until_the_node_ends_it() {
    let fake = Fake::default();
    *fake.messages.lock().unwrap() = vec![message(1), message(2)];
    let served = serve(&fake).await;
    let mut lines = served.client().subscribe("a topic&more").await.unwrap();
    assert_eq!(lines.next().await.unwrap(), Some(message(1)));
    assert_eq!(lines.next().await.unwrap(), Some(message(2)));
    // It stays open while the node has more to say.
    let say = fake.hold.lock().unwrap().pop().unwrap();
    say.send(message(3)).await.unwrap();
    assert_eq!(lines.next().await.unwrap(), Some(message(3)));
    drop(say);
    assert_eq!(lines.next().await.unwrap(), None);
    assert_eq!(fake.asked(), ["subscribe a topic&more"]);
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_its_subscription() {
    let fake = Fake::default();
    *fake.messages.lock().unwrap() = vec![message(1)];
    let served = serve(&fake).await;
    let mut lines = served.client().subscribe("news").await.unwrap();
    lines.next().await.unwrap();
    let say = fake.hold.lock().unwrap().pop().unwrap();
    drop(lines);
    say.closed().await;
}

#[tokio::test]
async fn events_are_lines_of_the_documented_type() {
    let served = serve(&Fake::default()).await;
    let answer = served.get("/v1/events").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/jsonl"));
    let mut lines = served.client().events().await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap().event, "connected");
    assert_eq!(lines.next().await.unwrap().unwrap().event, "banned");
    assert_eq!(lines.next().await.unwrap(), None);
}

#[tokio::test]
async fn the_client_speaks_every_endpoint() {
    let fake = Fake::with_peers(2);
    let served = serve(&fake).await;
    let client = served.client();
    assert_eq!(client.status().await.unwrap().peers_known, 2);
    let peers = client.peers(1).await.unwrap();
    assert_eq!((peers.peers.len(), peers.total), (1, 2));
    assert_eq!(client.peer(&id(0)).await.unwrap().id, id(0));
    assert!(client.explain(&id(0)).await.unwrap().matches);
    assert_eq!(client.bans().await.unwrap().bans.len(), 1);
    let ban = BanRequest {
        id: id(1),
        seconds: None,
        reason: "why".into(),
    };
    assert!(client.ban(&ban).await.unwrap().done);
    assert!(client.unban(&id(1)).await.unwrap().done);
    assert_eq!(client.ticket().await.unwrap().ticket, "reputeticket");
    let join = JoinRequest { ticket: "t".into() };
    assert!(client.join(&join).await.unwrap().done);
    let publish = PublishRequest {
        topic: "t".into(),
        text: "x".into(),
        kind: 0,
    };
    assert_eq!(client.publish(&publish).await.unwrap().id, "name");
    assert!(client.stop().await.unwrap().done);
}

#[tokio::test]
async fn the_client_turns_problems_into_errors() {
    let fake = Fake::default();
    let served = serve(&fake).await;
    let client = served.client();
    // An id that would be another path, were it not escaped.
    match client.peer("../status?x=/%2f").await {
        Err(ClientError::Problem(problem)) => assert_eq!(problem.status, 404),
        other => panic!("{other:?}"),
    }
    assert_eq!(fake.asked(), ["peer ../status?x=/%2f"]);
    let publish = PublishRequest {
        topic: "t".into(),
        text: "x".repeat(1 << 20),
        kind: 0,
    };
    match client.publish(&publish).await {
        Err(ClientError::TooLong { len }) => assert!(len > 1 << 20),
        other => panic!("{other:?}"),
    }
    let nobody = Client::connect(served.path.with_file_name("nobody.sock"));
    assert!(matches!(
        nobody.status().await,
        Err(ClientError::NotRunning { .. })
    ));
}
