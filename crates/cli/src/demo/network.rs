//! The nodes of the demo: real identities, stores and sockets.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use repute_base::{Address, Fixed};
use repute_identity::{Identity, NodeId};
use repute_node::{
    Event, EventStream, Node, NodeConfig, Subscription,
    trust::{Ban, BanReason},
};
use repute_protocol::{MessageId, NetworkId};
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::Instant};

use super::{
    download::Download,
    liar::{Kind, Liar},
    view::{Picture, Row},
};
use crate::exit::Failure;

const NETWORK: &str = "repute-demo";
const TOPIC: &str = "demo";
/// Messages that each honest node publishes before the verdict.
const MESSAGES_EACH: usize = 10;

/// What to build.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// All nodes, the two misbehaving ones included.
    pub(super) nodes: usize,
    pub(super) seed: u64,
}

/// A node that plays by the rules, and what was seen of it.
pub(super) struct Honest {
    pub(super) node: Node,
    pub(super) log: Arc<Mutex<Log>>,
    tasks: Vec<JoinHandle<()>>,
}

/// What happened at one node.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// When each message reached the application, each time.
    pub(super) delivered: BTreeMap<MessageId, Vec<Instant>>,
    /// Whom it banned, when and why.
    pub(super) banned: BTreeMap<NodeId, (Instant, String)>,
    /// Whom it accused, how often.
    pub(super) accused: BTreeMap<NodeId, u64>,
    /// Who fell silent.
    pub(super) silent: BTreeMap<NodeId, Instant>,
}

/// The whole demo.
pub(super) struct Network {
    pub(super) honest: Vec<Honest>,
    pub(super) liars: Vec<Liar>,
    /// Warns everybody of the first honest node.
    pub(super) slanderer: Option<Liar>,
    /// The forger under its second name.
    pub(super) whitewasher: Option<Liar>,
    /// By whom and when each message was published.
    pub(super) published: BTreeMap<MessageId, (NodeId, Instant)>,
    /// Who is to publish, front to back.
    turns: Vec<usize>,
    said: u64,
    seed: u64,
    pub(super) download: Option<Download>,
    dir: TempDir,
}

impl Network {
    /// Starts the honest nodes; all but the first join through it.
    pub(super) async fn start(plan: Plan) -> Result<Self, Failure> {
        let dir = tempfile::tempdir()?;
        let mut honest: Vec<Honest> = Vec::new();
        for index in 0..plan.nodes - 2 {
            let mut config = NodeConfig::in_dir(dir.path().join(format!("node-{index}")))
                .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
                .with_identity(identity(plan.seed, index));
            config.core.network = NetworkId::from_name(NETWORK);
            // A demo is watched by people: look for peers, and miss the silent one, in seconds.
            config.core.peers.discovery_interval = Duration::from_secs(1);
            config.core.peers.probe_period = Duration::from_millis(250);
            config.seed = Some(plan.seed.wrapping_mul(1_000).wrapping_add(index as u64));
            if let Some(first) = honest.first() {
                config = config.join(first.node.ticket());
            }
            honest.push(Honest::start(config).await?);
        }
        let count = honest.len();
        let turns = (0..MESSAGES_EACH * count)
            .rev()
            .map(|turn| turn % count)
            .collect();
        Ok(Self {
            honest,
            liars: Vec::new(),
            slanderer: None,
            whitewasher: None,
            published: BTreeMap::new(),
            turns,
            said: 0,
            seed: plan.seed,
            download: None,
            dir,
        })
    }

    /// Whether every honest node has found enough others.
    pub(super) async fn is_formed(&self) -> Result<bool, Failure> {
        let enough = (self.honest.len() - 1).min(5);
        for honest in &self.honest {
            if honest.node.status().await?.peers_active < enough {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Brings in those that misbehave; they go for every honest node.
    pub(super) async fn let_loose(&mut self) -> Result<(), Failure> {
        for kind in [Kind::Forger, Kind::Silent] {
            let liar = self.liar(kind).await?;
            self.liars.push(liar);
        }
        self.slanderer = Some(self.liar(Kind::Slanderer).await?);
        Ok(())
    }

    /// The forger comes back under a new name once all it attacked have banned it.
    pub(super) async fn whitewash(&mut self) -> Result<(), Failure> {
        let Some(forger) = self.liars.first().filter(|_| self.whitewasher.is_none()) else {
            return Ok(());
        };
        let attacked = forger.attacked();
        let out = self.honest.iter().all(|honest| {
            let log = honest.log.lock().unwrap_or_else(PoisonError::into_inner);
            log.banned.contains_key(&forger.id) || !attacked.contains_key(&honest.node.id())
        });
        if out && !attacked.is_empty() {
            self.whitewasher = Some(self.liar(Kind::Whitewasher).await?);
        }
        Ok(())
    }

    async fn liar(&self, kind: Kind) -> Result<Liar, Failure> {
        let victims: Vec<(NodeId, Vec<Address>)> = self
            .honest
            .iter()
            .map(|honest| (honest.node.id(), honest.node.addresses().to_vec()))
            .collect();
        let identity = identity(self.seed, self.honest.len() + kind as usize);
        Liar::let_loose(kind, identity, NetworkId::from_name(NETWORK), victims).await
    }

    /// The last honest node gets a file that others share.
    pub(super) async fn fetch_a_file(&mut self) -> Result<(), Failure> {
        let nodes: Vec<&Node> = self.honest.iter().map(|honest| &honest.node).collect();
        // Behind the identities of the nodes and of the liars.
        let first = self.honest.len() + Kind::Slanderer as usize + 1;
        let bad = [identity(self.seed, first), identity(self.seed, first + 1)];
        let network = NetworkId::from_name(NETWORK);
        let dir = self.dir.path().to_owned();
        let download = Download::begin(&nodes, bad, network, dir, self.seed).await?;
        self.download = Some(download);
        Ok(())
    }

    /// All that misbehave.
    pub(super) fn all_liars(&self) -> impl Iterator<Item = &Liar> {
        let later = self.whitewasher.iter().chain(&self.slanderer);
        self.liars.iter().chain(later)
    }

    /// The next node says its next message, if it has not said them all.
    pub(super) async fn publish_next(&mut self) -> Result<(), Failure> {
        // A few at a time, so that messages travel while the attack goes on.
        for _ in 0..self.honest.len() {
            let Some(turn) = self.turns.pop() else {
                return Ok(());
            };
            self.publish(turn).await?;
        }
        Ok(())
    }

    /// One more message, from whose turn it is.
    pub(super) async fn publish_more(&mut self) -> Result<(), Failure> {
        let turn = usize::try_from(self.said).unwrap_or(0) % self.honest.len();
        self.publish(turn).await
    }

    async fn publish(&mut self, turn: usize) -> Result<(), Failure> {
        let Some(honest) = self.honest.get(turn) else {
            return Ok(());
        };
        self.said += 1;
        let text = format!("message {} of {}", self.said, honest.node.id().short());
        let began = Instant::now();
        let id = honest.node.publish(TOPIC, text).await?;
        self.published.insert(id, (honest.node.id(), began));
        Ok(())
    }

    /// Whether all planned messages have been published.
    pub(super) fn is_said(&self) -> bool {
        self.turns.is_empty()
    }

    /// Everything for the live view.
    pub(super) async fn picture(&self) -> Result<Picture, Failure> {
        let mut rows = Vec::new();
        let mut standings: BTreeMap<NodeId, (Fixed, usize)> = BTreeMap::new();
        for honest in &self.honest {
            for peer in honest.node.peers().await? {
                let entry = standings.entry(peer.view.id).or_insert((Fixed::ZERO, 0));
                entry.0 += peer.standing.trust;
                entry.1 += 1;
            }
        }
        let mean = |id: NodeId| {
            standings
                .get(&id)
                .map(|(sum, count)| sum.to_f64() / (*count).max(1) as f64)
        };
        for honest in &self.honest {
            let status = honest.node.status().await?;
            let log = honest.log.lock().unwrap_or_else(PoisonError::into_inner);
            rows.push(Row {
                id: status.id,
                role: "honest",
                links: status.peers_active,
                messages: log.delivered.len(),
                trust: mean(status.id),
                note: String::new(),
            });
        }
        for liar in self.all_liars() {
            let mut bans = 0;
            let mut reason = String::new();
            let mut links = 0;
            let mut silent = 0;
            for honest in &self.honest {
                links += usize::from(honest.is_linked_to(liar.id).await?);
                let log = honest.log.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((_, why)) = log.banned.get(&liar.id) {
                    bans += 1;
                    reason.clone_from(why);
                }
                silent += usize::from(log.silent.contains_key(&liar.id));
            }
            let note = match (bans, silent) {
                (0, 0) => String::new(),
                (0, closed) => format!("closed by {closed}: no answer"),
                (bans, _) => format!("banned by {bans}: {reason}"),
            };
            let trust = mean(liar.id);
            rows.push(Row {
                id: liar.id,
                role: liar.kind.name(),
                links,
                messages: 0,
                trust,
                note,
            });
        }
        Ok(Picture {
            rows,
            published: self.published.len(),
            download: self
                .download
                .as_ref()
                .map_or_else(Vec::new, Download::lines),
        })
    }

    pub(super) async fn stop(self) {
        if let Some(download) = &self.download {
            download.stop();
        }
        for liar in self.all_liars() {
            liar.stop();
        }
        for honest in self.honest {
            honest.node.shutdown().await;
            honest.tasks.iter().for_each(JoinHandle::abort);
        }
    }
}

impl Honest {
    async fn start(config: NodeConfig) -> Result<Self, Failure> {
        let node = Node::start(config).await?;
        let log = Arc::new(Mutex::new(Log::default()));
        let subscription = node.subscribe(TOPIC).await?;
        let tasks = vec![
            tokio::spawn(record_messages(subscription, Arc::clone(&log))),
            tokio::spawn(record_events(node.events(), Arc::clone(&log))),
        ];
        Ok(Self { node, log, tasks })
    }

    pub(super) async fn is_linked_to(&self, peer: NodeId) -> Result<bool, Failure> {
        Ok(self
            .node
            .peer(peer)
            .await?
            .is_some_and(|peer| peer.is_active()))
    }
}

async fn record_messages(mut subscription: Subscription, log: Arc<Mutex<Log>>) {
    while let Some(message) = subscription.next().await {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.delivered
            .entry(message.id())
            .or_default()
            .push(Instant::now());
    }
}

async fn record_events(mut events: EventStream, log: Arc<Mutex<Log>>) {
    while let Some(event) = events.next().await {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Banned(ban) => {
                let fact = (Instant::now(), reason_of(&ban));
                log.banned.entry(ban.subject).or_insert(fact);
            }
            Event::Misbehaved { peer, .. } => *log.accused.entry(peer).or_default() += 1,
            Event::Silent { peer } => {
                log.silent.entry(peer).or_insert_with(Instant::now);
            }
            _ => {}
        }
    }
}

/// Why, in the few words that a line of the picture has room for.
fn reason_of(ban: &Ban) -> String {
    match &ban.reason {
        BanReason::Rule { kind, .. } => kind.to_string(),
        reason => reason.to_string(),
    }
}

/// The same seed gives the same people.
fn identity(seed: u64, index: usize) -> Identity {
    Identity::from_seed(
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(index as u64),
    )
}
