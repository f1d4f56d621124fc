//! An application's own store and trust model in the place of ours.
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

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use repute_base::{Fixed, Mono, Timestamp, Wall};
use repute_identity::NodeId;
use repute_node::{
    DataDir, Event, Node, NodeError, StartStep, TrustModel,
    trust::{Ban, Config, Explanation, Gate, Input, Ledger, Limits, Output, Record, Standing},
};
use repute_protocol::DisconnectReason;
use repute_storage::{
    BanRow, Done, EventRow, Health, HearsayRow, ItemRow, LoadReport, MemoryStore, PeerRow, SeenRow,
    Shelf, Store, StoreError, Write,
};
use support::{config, event, eventually, heard, is_linked, join, linked};

/// Keeps rows in memory, counts them, and fails on demand.
#[derive(Default)]
struct Own {
    rows: MemoryStore,
    written: AtomicUsize,
    full: AtomicBool,
    broken: AtomicBool,
}

impl Store for Own {
    fn write(&self, batch: Vec<Write>, done: Done) {
        if self.full.load(Ordering::SeqCst) {
            return done(Err(StoreError::StorageFull {
                path: "elsewhere".into(),
                detail: "no more room".into(),
            }));
        }
        self.written.fetch_add(batch.len(), Ordering::SeqCst);
        self.rows.write(batch, done);
    }
    fn peers(&self) -> Result<Vec<PeerRow>, StoreError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Corrupt {
                path: "elsewhere".into(),
                detail: "the database is away".into(),
            });
        }
        self.rows.peers()
    }
    fn events(&self, visit: &mut dyn FnMut(EventRow)) -> Result<LoadReport, StoreError> {
        self.rows.events(visit)
    }
    fn events_of(&self, subject: NodeId, limit: usize) -> Result<Vec<EventRow>, StoreError> {
        self.rows.events_of(subject, limit)
    }
    fn hearsay(&self) -> Result<Vec<HearsayRow>, StoreError> {
        self.rows.hearsay()
    }
    fn bans(&self) -> Result<Vec<BanRow>, StoreError> {
        self.rows.bans()
    }
    fn seen(&self) -> Result<Vec<SeenRow>, StoreError> {
        self.rows.seen()
    }
    fn items(&self, shelf: Shelf) -> Result<Vec<ItemRow>, StoreError> {
        self.rows.items(shelf)
    }
    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.rows.state(key)
    }
    fn flush(&self) -> Result<(), StoreError> {
        self.rows.flush()
    }
    fn close(&self) -> Result<(), StoreError> {
        self.rows.flush()
    }
    fn health(&self) -> Health {
        self.rows.health()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_store_holds_all_that_a_node_remembers() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Arc::new(Own::default());
    let with_store = || Node::start(config(ours.path()).with_store(store.clone()));
    let alice = with_store().await.unwrap();
    let bob = support::start(theirs.path()).await;
    join(&bob, &alice).await;
    let mut news = alice.subscribe("news").await.unwrap();
    bob.publish("news", "hello").await.unwrap();
    assert_eq!(heard(&mut news).await, "hello");
    let nuisance = NodeId::from_bytes([7; 32]);
    alice.ban(nuisance, None, "spam").await.unwrap();
    let why = alice.explain(bob.id()).await.unwrap();
    assert!(why.matches && !why.lines.is_empty());
    alice.shutdown().await;
    assert!(!DataDir::new(ours.path()).store().exists());
    assert!(store.written.load(Ordering::SeqCst) > 0);

    let alice = with_store().await.unwrap();
    assert_eq!(
        alice.bans().await.unwrap().first().unwrap().subject,
        nuisance
    );
    let again = alice.explain(bob.id()).await.unwrap();
    assert!(again.matches);
    assert_eq!(again.lines.len(), why.lines.len());
    // It finds its peers again by what the store knows.
    linked(&alice, &bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_room_is_told_to_the_caller_and_stops_nothing() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Arc::new(Own::default());
    let alice = Node::start(config(ours.path()).with_store(store.clone()));
    let alice = alice.await.unwrap();
    let bob = support::start(theirs.path()).await;
    join(&bob, &alice).await;
    store.full.store(true, Ordering::SeqCst);
    let nuisance = NodeId::from_bytes([7; 32]);
    let banned = alice.ban(nuisance, None, "spam").await;
    assert!(matches!(banned, Err(NodeError::NotDurable)), "{banned:?}");
    // It holds, all the same.
    assert!(alice.standing(nuisance).await.unwrap().gate.is_closed());
    let mut news = alice.subscribe("news").await.unwrap();
    bob.publish("news", "hello").await.unwrap();
    assert_eq!(heard(&mut news).await, "hello");
    eventually("refused writes are counted", || async {
        alice.status().await.unwrap().failed_writes > 0
    })
    .await;
    // And nobody is blamed for it.
    assert_eq!(bob.standing(alice.id()).await.unwrap().gate, Gate::Open);
    assert_eq!(alice.standing(bob.id()).await.unwrap().gate, Gate::Open);

    store.full.store(false, Ordering::SeqCst);
    alice.ban(nuisance, None, "spam").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_read_or_written_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Own::default());
    let start = || Node::start(config(dir.path()).with_store(store.clone()));
    store.broken.store(true, Ordering::SeqCst);
    let error = start().await.unwrap_err();
    assert!(
        error.to_string().contains("the database is away"),
        "{error}"
    );
    store.broken.store(false, Ordering::SeqCst);
    // The number of a start must be durable before the first message under it.
    store.full.store(true, Ordering::SeqCst);
    let error = start().await.unwrap_err();
    assert_eq!(error.step, StartStep::Trust);
    assert!(error.to_string().contains("no more room"), "{error}");
    store.full.store(false, Ordering::SeqCst);
    start().await.unwrap();
}

/// A ledger that keeps one peer out, whatever it does, and calls everybody else half as good.
struct Grudge {
    ledger: Ledger,
    against: NodeId,
}

impl Grudge {
    fn judge(&self, subject: NodeId, mut standing: Standing) -> Standing {
        if subject == self.against {
            standing.gate = Gate::Banned { until: None };
        }
        standing.belief = standing.belief.mul(Fixed::HALF);
        standing
    }
}

impl TrustModel for Grudge {
    fn restore(&mut self, record: &Record) {
        self.ledger.restore(record);
    }
    fn restore_ban(&mut self, ban: &Ban) {
        self.ledger.restore_ban(ban);
    }
    fn handle(&mut self, now: Timestamp, input: Input) {
        self.ledger.handle(now, input);
    }
    fn poll_output(&mut self) -> Option<Output> {
        let mut output = self.ledger.poll_output()?;
        if let Output::Standing { subject, standing } = &mut output {
            *standing = self.judge(*subject, *standing);
        }
        Some(output)
    }
    fn next_deadline(&self) -> Option<Mono> {
        self.ledger.next_deadline()
    }
    fn standing(&self, subject: NodeId, now: Wall) -> Standing {
        self.judge(subject, self.ledger.standing(subject, now))
    }
    fn subjects(&self) -> Vec<NodeId> {
        self.ledger.subjects().collect()
    }
    fn bans(&self, now: Wall) -> Vec<Ban> {
        TrustModel::bans(&self.ledger, now)
    }
    fn explain(&self, subject: NodeId, records: &[Record], now: Wall) -> Explanation {
        self.ledger.explain(subject, records, now)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_trust_model_decides_who_gets_a_link_and_what_is_thought() {
    let dirs: [_; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let [ours, bobs, carols] = &dirs;
    let bob = support::start(bobs.path()).await;
    let carol = support::start(carols.path()).await;
    let model = Grudge {
        ledger: Ledger::new(Config::default(), Limits::default()).unwrap(),
        against: bob.id(),
    };
    let ours = config(ours.path()).with_trust_model(Box::new(model));
    let alice = Node::start(ours).await.unwrap();

    let mut told = bob.events();
    bob.join(alice.ticket()).await.unwrap();
    join(&carol, &alice).await;
    let mut news = alice.subscribe("news").await.unwrap();
    carol.publish("news", "hello").await.unwrap();
    assert_eq!(heard(&mut news).await, "hello");
    let carols = alice.standing(carol.id()).await.unwrap();
    // One useful event is a belief of 1/500; this model halves it.
    let belief = carols.belief.to_f64();
    assert!((0.0009..0.0011).contains(&belief), "{belief}");

    eventually("Bob is refused", || async {
        let seen = bob.peer(alice.id()).await.unwrap();
        seen.is_some_and(|alice| alice.view.failures > 0)
    })
    .await;
    assert!(!is_linked(&alice, bob.id()).await);
    // If Bob saw a link at all, he was told why it closed.
    bob.shutdown().await;
    while let Some(seen) = told.next().await {
        if let Event::Disconnected { peer, reason } = seen {
            assert_eq!((peer, reason), (alice.id(), Some(DisconnectReason::Banned)));
        }
    }
    let mut events = alice.events();
    carol.shutdown().await;
    event(&mut events, |event| {
        matches!(event, Event::Disconnected { .. })
    })
    .await;
}
