//! Honest nodes on a virtual network, and the oracle over them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use repute_base::{Rng, Wall};
use repute_identity::{Identity, NodeId, Ticket};
use repute_node::{Config, IdentitySource, Laboratory, Node, NodeConfig, Status};
use repute_protocol::MessageId;
use repute_storage::MemoryStore;
use tokio::time::{Instant, sleep};

use super::{
    VirtualNet, Weather,
    ears::{ASK, Ears, TOPIC},
};
use crate::{
    Tally,
    outcome::{Bar, Figure, Outcome},
};

/// The wall clock when a scene begins.
const WALL: Wall = Wall::from_millis(1_800_000_000_000);

/// How long one neighbour is waited for, and how many are asked.
const TRY: Duration = Duration::from_secs(5);
const TRIES: u32 = 6;

/// What the nodes of a cluster have in common.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Policy and bounds.
    pub core: Config,
    /// While the cluster grows.
    pub weather: Weather,
    /// What checking one signature takes: what a batch costs on one slow core.
    pub check_time: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            core: Config::on_network(Cluster::NETWORK),
            weather: Weather::calm(),
            check_time: Duration::from_micros(15),
        }
    }
}

/// One honest node.
#[derive(Debug)]
struct Member {
    node: Node,
    address: SocketAddr,
    ears: Ears,
    since: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    by: NodeId,
    place: usize,
    at: Instant,
}

/// The way of one message to one other node that was there when it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// Who sent it.
    pub by: usize,
    /// To whom.
    pub to: usize,
    /// When it was sent.
    pub sent: Instant,
    /// How long it took; nothing while it has not arrived.
    pub delay: Option<Duration>,
}

/// Whole nodes on one network, each joined through another.
pub struct Cluster {
    /// Where they live.
    pub net: VirtualNet,
    /// The choices of the scenario itself.
    pub rng: Rng,
    plan: Plan,
    seed: u64,
    start: Instant,
    members: Vec<Member>,
    /// Everybody honest, those that have left included.
    honest: BTreeSet<NodeId>,
    /// What those that left had found.
    past_breaches: Vec<String>,
    past_deliveries: u64,
    published: Arc<Mutex<BTreeMap<MessageId, Sent>>>,
    numbers: u64,
}

/// What became of direct requests.
#[derive(Clone, Debug, Default)]
pub struct Requests(Vec<(usize, u64, Instant)>);

/// One request on its way.
struct Asking {
    node: Node,
    ears: Ears,
    rng: Rng,
    number: u64,
}

impl Asking {
    async fn until_answered(mut self) {
        let mut data = vec![0; 1_024];
        for (place, byte) in data.iter_mut().zip(self.number.to_be_bytes()) {
            *place = byte;
        }
        for _ in 0..TRIES {
            let peers = self.node.peers().await.unwrap_or_default();
            let linked: Vec<_> = peers.iter().filter(|peer| peer.is_active()).collect();
            if let Some(peer) = self.rng.choose(&linked).map(|peer| peer.view.id) {
                // A node that has stopped has no more questions.
                drop(self.node.send_custom(peer, ASK, data.clone()).await);
            }
            sleep(TRY).await;
            if self.ears.heard().answers.contains_key(&self.number) {
                return;
            }
        }
    }
}

impl Cluster {
    /// The network's name.
    pub const NETWORK: &str = "laboratory";

    /// No nodes yet.
    pub fn new(seed: u64, plan: Plan) -> Self {
        Self {
            net: VirtualNet::new(seed, plan.weather),
            rng: Rng::from_u64(seed ^ 0x636c_7573_7465_7221),
            plan,
            seed,
            start: Instant::now(),
            members: Vec::new(),
            honest: BTreeSet::new(),
            past_breaches: Vec::new(),
            past_deliveries: 0,
            published: Arc::default(),
            numbers: 0,
        }
    }

    /// A cluster of so many nodes, one more each 50 ms, each joined through an earlier one; given
    /// `settle` to find each other.
    pub async fn grown(seed: u64, plan: Plan, nodes: usize, settle: Duration) -> Self {
        let mut cluster = Self::new(seed, plan);
        for _ in 0..nodes {
            cluster.add().await;
            sleep(Duration::from_millis(50)).await;
        }
        sleep(settle).await;
        cluster
    }

    /// Starts one more node. Returns its index.
    pub async fn add(&mut self) -> usize {
        let index = self.members.len();
        let member = self.start_one().await;
        self.members.push(member);
        index
    }

    async fn start_one(&mut self) -> Member {
        let number = self.honest.len() as u64;
        let identity = Identity::from_seed(self.seed.wrapping_mul(1_000_003) + number);
        self.honest.insert(identity.id());
        let address = Self::address(number);
        let mut quic_seed = [0; 32];
        self.rng.fill(&mut quic_seed);
        let mut config = NodeConfig::in_dir("/nowhere")
            .listen(address)
            .with_identity(identity)
            .with_store(Arc::new(MemoryStore::new()));
        config.core = self.plan.core.clone();
        config.join = self.tickets();
        config.seed = Some(self.rng.next_u64());
        config.laboratory = Some(Laboratory {
            socket: self.net.socket(address),
            wall: WALL + self.start.elapsed(),
            quic_seed,
            check_time: self.plan.check_time,
        });
        debug_assert!(matches!(config.identity, IdentitySource::Given(_)));
        let node = Node::start(config).await.expect("a sound configuration");
        let ears = Ears::open(&node).await;
        Member {
            node,
            address,
            ears,
            since: Instant::now(),
        }
    }

    /// Of two that are there already, so that one that has just left stops nobody.
    fn tickets(&mut self) -> Vec<Ticket> {
        let tickets: Vec<_> = self.members.iter().map(|one| one.node.ticket()).collect();
        self.rng.sample(&tickets, 2)
    }

    /// Where the node of this number listens.
    fn address(number: u64) -> SocketAddr {
        let [.., a, b] = (number + 1).to_be_bytes();
        SocketAddr::from(([10, 0, a, b], 4_000))
    }

    /// Stops a node for ever and starts another in its place.
    pub async fn replace(&mut self, index: usize) {
        let Some(member) = self.members.get(index) else {
            return;
        };
        let (node, address) = (member.node.clone(), member.address);
        let (breaches, deliveries) = self.judge(index, member).await;
        self.past_breaches.extend(breaches);
        self.past_deliveries += deliveries;
        node.shutdown().await;
        self.net.unplug(address);
        let newcomer = self.start_one().await;
        if let Some(place) = self.members.get_mut(index) {
            *place = newcomer;
        }
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The node at this index.
    pub fn node(&self, index: usize) -> &Node {
        &self.members.get(index).expect("an index that exists").node
    }

    /// Where the nodes listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.members.iter().map(|member| member.address).collect()
    }

    /// How each node is.
    pub async fn statuses(&self) -> Vec<Status> {
        let mut all = Vec::new();
        for member in &self.members {
            all.push(member.node.status().await.expect("the node runs"));
        }
        all
    }

    /// A node publishes `len` bytes; it may take its time, while its neighbours cannot keep up.
    pub fn publish(&mut self, by: usize, len: usize) {
        let node = self.node(by).clone();
        self.numbers += 1;
        let mut data = vec![0; len.max(8)];
        for (place, byte) in data.iter_mut().zip(self.numbers.to_be_bytes()) {
            *place = byte;
        }
        let published = Arc::clone(&self.published);
        let at = Instant::now();
        tokio::spawn(async move {
            if let Ok(id) = node.publish(TOPIC, data).await {
                let (by, place) = (node.id(), by);
                let mut published = published.lock().unwrap_or_else(PoisonError::into_inner);
                published.insert(id, Sent { by, place, at });
            }
        });
    }

    /// `count` messages from random nodes, one each `pause`.
    pub async fn publish_some(&mut self, count: usize, len: usize, pause: Duration) {
        for _ in 0..count {
            let by = self.rng.below(self.members.len() as u64);
            self.publish(usize::try_from(by).unwrap_or(0), len);
            sleep(pause).await;
        }
    }

    /// A node asks one of its neighbours for a word, and another one every five seconds until it
    /// has got it.
    pub fn ask(&mut self, by: usize, requests: &mut Requests) {
        let Some(member) = self.members.get(by) else {
            return;
        };
        self.numbers += 1;
        let number = self.numbers;
        let asking = Asking {
            node: member.node.clone(),
            ears: member.ears.clone(),
            rng: self.rng.fork(),
            number,
        };
        requests.0.push((by, number, Instant::now()));
        tokio::spawn(asking.until_answered());
    }

    /// How many of the requests were made, and how many of these were not answered within
    /// `bound`.
    pub fn unanswered(&self, requests: &Requests, bound: Duration) -> (usize, usize) {
        let in_time = |(by, number, at): &&(usize, u64, Instant)| {
            let member = self.members.get(*by);
            let answer = member.and_then(|one| one.ears.heard().answers.get(number).copied());
            answer.is_some_and(|answer| answer.saturating_duration_since(*at) <= bound)
        };
        let answered = requests.0.iter().filter(in_time).count();
        (requests.0.len(), requests.0.len() - answered)
    }

    /// What was published so far, and by whom.
    fn published(&self) -> BTreeMap<MessageId, Sent> {
        self.published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many messages were published so far.
    pub fn messages(&self) -> usize {
        self.published().len()
    }

    /// The ways of all messages to all nodes that were there when they were sent.
    pub fn passages(&self) -> Vec<Passage> {
        let published = self.published();
        let mut passages = Vec::new();
        for (to, member) in self.members.iter().enumerate() {
            let heard = member.ears.heard();
            for (id, sent) in &published {
                if sent.by != member.node.id() && member.since < sent.at {
                    passages.push(Passage {
                        by: sent.place,
                        to,
                        sent: sent.at,
                        delay: heard.delay(id, sent.at),
                    });
                }
            }
        }
        passages
    }

    /// How often a message has not reached a node that was there when it was sent, or not within
    /// `bound`.
    pub fn missed(&self, bound: Duration) -> usize {
        self.missed_where(bound, |_| true)
    }

    /// The same, of the passages that count.
    pub fn missed_where(&self, bound: Duration, counts: impl Fn(&Passage) -> bool) -> usize {
        let in_time = |passage: &Passage| passage.delay.is_some_and(|delay| delay <= bound);
        let passages = self.passages().into_iter();
        passages
            .filter(|passage| counts(passage) && !in_time(passage))
            .count()
    }

    /// How long it takes until every message has reached everybody, looking each second; `bound`
    /// and a second if it takes longer.
    pub async fn time_to_all(&self, bound: Duration) -> Duration {
        let begin = Instant::now();
        while begin.elapsed() <= bound {
            if self.missed(Duration::MAX) == 0 {
                return begin.elapsed();
            }
            sleep(Duration::from_secs(1)).await;
        }
        bound + Duration::from_secs(1)
    }

    /// How often each of the nodes accused each of those that are not honest.
    pub fn accusations(&self) -> BTreeMap<(usize, NodeId), u64> {
        let mut counts = BTreeMap::new();
        for (place, member) in self.members.iter().enumerate() {
            for (peer, _) in &member.ears.heard().accused {
                if !self.honest.contains(peer) {
                    *counts.entry((place, *peer)).or_default() += 1;
                }
            }
        }
        counts
    }

    /// The lowest trust in which one of the honest nodes holds another.
    pub async fn lowest_trust(&self) -> f64 {
        let mut lowest = 1.0_f64;
        for member in &self.members {
            for peer in member.node.peers().await.unwrap_or_default() {
                if self.honest.contains(&peer.view.id) {
                    lowest = lowest.min(peer.standing.trust.to_f64());
                }
            }
        }
        lowest
    }

    /// What one node did that none may do, in words, and how many messages it has got.
    async fn judge(&self, index: usize, member: &Member) -> (Vec<String>, u64) {
        let mut breaches = Vec::new();
        let panics = member.node.status().await.map_or(1, |status| status.panics);
        if panics > 0 {
            breaches.push(format!("node {index}: {panics} tasks panicked"));
        }
        let heard = member.ears.heard();
        let honest = |id: &NodeId| self.honest.contains(id);
        for (peer, kind) in heard.accused.iter().filter(|(peer, _)| honest(peer)) {
            breaches.push(format!(
                "node {index} accused honest {} of {kind}",
                peer.short()
            ));
        }
        for peer in heard.warned.iter().filter(|peer| honest(peer)) {
            breaches.push(format!("node {index} warned off honest {}", peer.short()));
        }
        for peer in heard.banned.iter().filter(|peer| honest(peer)) {
            breaches.push(format!("node {index} banned honest {}", peer.short()));
        }
        let twice = heard.messages.values().filter(|(_, times)| *times > 1);
        match twice.count() {
            0 => {}
            count => breaches.push(format!("node {index} got {count} messages more than once")),
        }
        let published = self.published();
        let own = published
            .iter()
            .filter(|(id, sent)| sent.by == member.node.id() && heard.messages.contains_key(id));
        match own.count() {
            0 => {}
            count => breaches.push(format!("node {index} got {count} messages of its own")),
        }
        (breaches, heard.messages.len() as u64)
    }

    /// Ends a scene: the figures, and what the oracle found.
    pub async fn outcome(&self, mut figures: Vec<Figure>) -> Outcome {
        let mut breaches = self.past_breaches.clone();
        let mut deliveries = self.past_deliveries;
        for (index, member) in self.members.iter().enumerate() {
            let (found, got) = self.judge(index, member).await;
            breaches.extend(found);
            deliveries += got;
        }
        let found = Figure::sum("broken promises", breaches.len() as f64, "times");
        figures.push(found.bar(Bar::Exactly(0.0)));
        Outcome {
            figures,
            breaches,
            trace: self.net.trace_hash(),
            tally: Tally {
                simulated: self.net.elapsed(),
                crashes: 0,
                deliveries,
            },
        }
    }
}
