//! The one task that owns the core: it feeds inputs, performs outputs, and nothing else.

mod perform;

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc, time::Duration};

use bytes::Bytes;
use repute_base::Mono;
use repute_identity::{Identity, NodeId, Verifier};
use repute_protocol::{Envelope, ProvenBursts, Unsigned, Verified};
use repute_storage::{Store, StoreError};
use repute_transport::{
    Endpoint, Event as LinkEvent, Events,
    verify::{Batch, VerifyLimits, VerifyQueue},
};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    ask::{Ask, Counters, DurableAnswer, Publish, PublishAnswer},
    clock::Clock,
    dht::DhtAnswers,
    directory::DirectoryAnswers,
    files::{Carrier, Word},
    handlers::Handlers,
};
use crate::{Core, Event, Input, PersistId};

/// Signature checks waiting beyond which links are not read: with what one more event brings, it is
/// still less than gossip keeps of one link.
const CHECKS_BEHIND: usize = 512;
/// Events of one source handled before the others get their turn.
const TURN: usize = 128;
/// Signatures that the driver checks itself: so few take less than handing them to the task beside
/// it and getting them back, with two wake-ups.
const CHECKS_INLINE: usize = 2;
/// How long after the last check: when they come thick and fast, those that wait while a batch is
/// away make the next one larger, and so cheaper.
const CHECKS_INLINE_REST: Duration = Duration::from_millis(2);

type Verdicts = Vec<(NodeId, Result<Verified<Envelope>, Envelope>)>;
type Fate = (PersistId, Result<(), StoreError>);

/// Owns the core of a running node.
pub(crate) struct Driver {
    core: Core,
    clock: Clock,
    identity: Identity,
    endpoint: Endpoint,
    store: Arc<dyn Store>,
    handlers: Handlers,
    events: broadcast::Sender<Arc<Event>>,
    counters: Counters,
    checks: VerifyQueue,
    /// Of messages whose burst is proven nothing is left to check.
    proven: ProvenBursts,
    /// For checks that are not worth a hand-over.
    verifier: Verifier,
    checks_inline: usize,
    checked: Mono,
    /// Where batches are checked, beside this task.
    checker: mpsc::Sender<Batch>,
    /// Whether a batch is away.
    checking: bool,
    fates: mpsc::UnboundedSender<Fate>,
    publishes: BTreeMap<u64, PublishAnswer>,
    /// Our messages that wait for their signature, which they will share.
    unsigned: Vec<(u64, Unsigned)>,
    /// Answers to the core's outputs, while it is fed; empty between two inputs.
    answers: Vec<Input>,
    burst_max: usize,
    durables: BTreeMap<u64, DurableAnswer>,
    dht: DhtAnswers,
    directory: DirectoryAnswers,
    /// Streams of files, if this node keeps any.
    carrier: Option<Carrier>,
    /// Bounded by the ways of discovery, each of which waits for its own.
    records: BTreeMap<u64, oneshot::Sender<Bytes>>,
    next_token: u64,
    pruned: Mono,
}

/// What the driver is made of.
pub(crate) struct Parts {
    pub core: Core,
    pub clock: Clock,
    pub identity: Identity,
    pub endpoint: Endpoint,
    pub links: Events,
    pub store: Arc<dyn Store>,
    /// The files of this node, and what they have to say.
    pub files: Option<(Carrier, mpsc::Receiver<Word>)>,
    pub asks: mpsc::Receiver<Ask>,
    /// Taken only while the engine is ready: back-pressure that stops nothing else.
    pub publishes: mpsc::Receiver<Publish>,
    /// Of the driver, and of the task beside it.
    pub verifiers: [Verifier; 2],
    /// Messages signed together at most.
    pub burst_max: usize,
    /// What checking one signature takes at least; zero but in a laboratory.
    pub check_time: Duration,
    pub events: broadcast::Sender<Arc<Event>>,
    pub retention: Duration,
}

/// Runs a node until it is asked to shut down.
pub(crate) async fn run(parts: Parts, first: Vec<Input>) {
    let (checker, batches) = mpsc::channel(1);
    let (verdicts_in, mut verdicts) = mpsc::channel(1);
    let (fates_in, mut fates) = mpsc::unbounded_channel();
    let Parts {
        core,
        clock,
        identity,
        endpoint,
        mut links,
        store,
        files,
        mut asks,
        mut publishes,
        verifiers: [own, beside],
        burst_max,
        check_time,
        events,
        retention,
    } = parts;
    let (carrier, mut words) = files.unzip();
    let checking = tokio::spawn(check_batches(batches, verdicts_in, beside, check_time));
    let mut driver = Driver {
        core,
        clock,
        identity,
        endpoint,
        store,
        handlers: Handlers::default(),
        events,
        counters: Counters::default(),
        checks: VerifyQueue::new(VerifyLimits::default()),
        proven: ProvenBursts::new(),
        verifier: own,
        checks_inline: checks_inline(check_time),
        checked: Mono::ZERO,
        checker,
        checking: false,
        fates: fates_in,
        publishes: BTreeMap::new(),
        unsigned: Vec::new(),
        answers: Vec::new(),
        burst_max,
        durables: BTreeMap::new(),
        dht: DhtAnswers::default(),
        directory: DirectoryAnswers::default(),
        carrier,
        records: BTreeMap::new(),
        next_token: 0,
        pruned: clock.now().mono,
    };
    for input in first {
        driver.feed(input);
    }
    driver.start_files();
    let stop = loop {
        let (due, deadline) = driver.deadline();
        tokio::select! {
            biased;
            Some(fate) = fates.recv() => driver.fate(fate),
            Some(done) = verdicts.recv() => {
                driver.checking = false;
                driver.verdicts(done);
            }
            word = next_word(&mut words) => driver.words(word, &mut words),
            event = links.next(), if !driver.is_behind() => match event {
                Some(event) => driver.link_events(event, &mut links),
                None => break None,
            },
            () = sleep_until(deadline) => {}
            ask = asks.recv() => {
                if let ControlFlow::Break(stop) = driver.ask(ask) {
                    break Some(stop);
                }
            }
            Some(publish) = publishes.recv(), if driver.core.is_publish_ready() => {
                driver.publish(publish);
            }
        }
        // What waits together is signed together; what comes alone waits for nobody.
        while driver.unsigned.len() < driver.burst_max && driver.core.is_publish_ready() {
            let Ok(publish) = publishes.try_recv() else {
                break;
            };
            driver.publish(publish);
        }
        driver.sign();
        // A flood on the links must starve neither timers nor the operator.
        driver.tick_if_due(due);
        if let Ok(ask) = asks.try_recv()
            && let ControlFlow::Break(stop) = driver.ask(Some(ask))
        {
            break Some(stop);
        }
        driver.check_more();
        driver.prune(retention);
    };
    // Who has more to say is told so, and waits no longer.
    drop(words);
    driver.stop(stop).await;
    checking.abort();
}

impl Driver {
    /// Handles together what arrived together, so that batches can form.
    fn link_events(&mut self, first: LinkEvent, links: &mut Events) {
        self.link_event(first);
        for _ in 1..TURN {
            if self.is_behind() {
                break;
            }
            let Some(event) = links.try_next() else { break };
            self.link_event(event);
        }
    }

    /// Handles together what streams and transfers have to say together.
    fn words(&mut self, first: Word, words: &mut Option<mpsc::Receiver<Word>>) {
        self.word(first);
        for _ in 1..TURN {
            let Some(Ok(word)) = words.as_mut().map(mpsc::Receiver::try_recv) else {
                break;
            };
            self.word(word);
        }
    }

    /// Whether links bring more than can be checked. Reading then waits, and through the windows of
    /// QUIC the senders do: what is read and not checked would be dropped and asked for once more.
    /// What suspects sent does not count, or they could stop everybody.
    fn is_behind(&self) -> bool {
        self.checks.unsuspected_len() >= CHECKS_BEHIND
    }
}

/// Time that checks are made to take is not taken by the driver, where all else would wait.
const fn checks_inline(check_time: Duration) -> usize {
    if check_time.is_zero() {
        CHECKS_INLINE
    } else {
        0
    }
}

/// The next word of the files; never, where there are none.
async fn next_word(words: &mut Option<mpsc::Receiver<Word>>) -> Word {
    match words {
        Some(words) => match words.recv().await {
            Some(word) => word,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// Checks signatures beside the driver, so that on several cores both go on.
async fn check_batches(
    mut batches: mpsc::Receiver<Batch>,
    verdicts: mpsc::Sender<Verdicts>,
    mut verifier: Verifier,
    check_time: Duration,
) {
    let mut busy_until = Instant::now();
    while let Some(batch) = batches.recv().await {
        if !check_time.is_zero() {
            // Summed up, because timers know whole milliseconds only.
            let count = u32::try_from(batch.len()).unwrap_or(u32::MAX);
            busy_until = busy_until.max(Instant::now()) + check_time.saturating_mul(count);
            sleep_until(busy_until).await;
        }
        if verdicts
            .send(batch.check_with(&mut verifier))
            .await
            .is_err()
        {
            return;
        }
    }
}
