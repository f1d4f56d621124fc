use std::time::Duration;

use repute_base::{Address, Mono};
use repute_identity::NodeId;
use repute_node::Config;
use repute_sim::Faults;

use super::Scenario;
use crate::{
    Bar, Figure, Network, Outcome, Setup,
    attack::{Conduct, Sybil},
};

/// The ten attacks of the gossipsub v1.1 evaluation report (PL-TechRep-2020-001), one after the
/// other, each on a network of its own. Sizes keep the report's ratios: one honest node in ten
/// publishes, up to four sybils an honest node, a hundred links each sybil, an active view of
/// eight, 2 KB a message, 50 ms an edge with 10 % jitter.
pub const GOSSIP_ATTACKS: Scenario = Scenario::new(
    "gossip-attacks",
    "the ten attacks of the gossipsub v1.1 report, its figures beside ours",
    run,
)
// A fifth of the report's scale is --nodes 200.
.nodes(40)
.nodes_min(20)
.seeds(2)
.full(1_000, 3);

/// One in so many honest nodes is linked with by each sybil: a hundred of a thousand.
const SYBIL_REACH: usize = 10;
/// But these at least.
const SYBIL_LINKS_MIN: usize = 15;
/// Bytes of a message.
const MESSAGE_BYTES: usize = 2_048;
/// Messages a second, per honest node: 120 for a thousand.
const RATE: f64 = 0.12;
/// Between two newcomers while the network forms.
const ARRIVAL: Duration = Duration::from_millis(20);
/// Honest nodes that each one is told of, and dials: with those that dial it, the report's twenty
/// honest links.
const HONEST_DIALS: usize = 10;
/// While links and views form, before anybody publishes.
const SETTLING: Duration = Duration::from_secs(15);
/// Before sybils come to a warm network, or stop behaving.
const WARM: Duration = Duration::from_secs(10);
/// Half of the time in which messages count.
const HALF: Duration = Duration::from_secs(10);
/// For what was missed to be found.
const QUIET: Duration = Duration::from_secs(30);

/// Whom the sybils link with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    /// Any honest nodes.
    All,
    /// Those that publish.
    Publishers,
    /// One honest node that publishes nothing.
    One,
}

/// When the sybils come, and when they begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// Into a network that has worked for a while; they attack at once.
    Warm,
    /// Together with the honest nodes; messages flow and they attack from the first second.
    ColdBoot,
    /// Together with the honest nodes; they relay for a while, then all stop at once.
    CovertFlash,
    /// Together with the honest nodes, while nobody publishes; they attack with the first message.
    Dawn,
}

/// One row of the report.
struct Row {
    /// Names of the figures: delivered, 99 %, longest, sybil share of active views, dropped.
    what: [&'static str; 5],
    /// Sybils per honest node.
    sybils: f64,
    target: Target,
    when: When,
    /// Messages of a thousand that sybils drop; nothing when they censor one publisher.
    drops: Option<u64>,
    /// Hosts that all sybils share.
    hosts: Option<usize>,
    /// The 99th percentile that is allowed, in ms.
    bar_ms: Bar,
}

/// The row's figures, named with what the report measured.
macro_rules! what {
    ($name:literal, $v0:literal, $v1:literal) => {
        [
            concat!($name, ": delivered (v1.0 and v1.1: ", $v0, ")"),
            concat!($name, ": 99 % (v1.0 and v1.1: ", $v1, ")"),
            concat!($name, ": longest"),
            concat!($name, ": sybils in attacked active views"),
            concat!($name, ": messages that sybils kept"),
        ]
    };
}

/// The report's largest warm figure is 181 ms, its largest cold one 1,661 ms, over minutes and at a
/// thousand nodes. The warm bar holds over the first 20 s of an attack; cold rows are far from it.
const WARM_MS: Bar = Bar::AtMost(200.0);
const COLD_MS: Bar = Bar::None;

const NONE: Row = Row {
    what: what!("none", "100, 100", "192, 165"),
    sybils: 0.0,
    target: Target::All,
    when: When::Warm,
    drops: Some(1_000),
    hosts: None,
    bar_ms: WARM_MS,
};

const ROWS: [Row; 12] = [
    NONE,
    Row {
        what: what!("eclipse one", "99.6, 100", "203, 144"),
        sybils: 1.0,
        target: Target::One,
        ..NONE
    },
    Row {
        what: what!("eclipse network", "99.9, 100", "10861, 181"),
        sybils: 4.0,
        ..NONE
    },
    Row {
        what: what!("eclipse publishers", "70.9, 100", "6438, 160"),
        sybils: 4.0,
        target: Target::Publishers,
        ..NONE
    },
    Row {
        what: what!("censor one", "99.9, 100", "206, 142"),
        sybils: 2.0,
        drops: None,
        ..NONE
    },
    Row {
        what: what!("degrade 0.1", "100, 100", "189, 139"),
        sybils: 2.0,
        drops: Some(100),
        ..NONE
    },
    Row {
        what: what!("degrade 0.5", "99.9, 100", "232, 142"),
        sybils: 2.0,
        drops: Some(500),
        ..NONE
    },
    Row {
        what: what!("degrade 0.9", "99.9, 100", "4313, 168"),
        sybils: 2.0,
        drops: Some(900),
        ..NONE
    },
    Row {
        what: what!("cold boot", "98.9, 100", "17459, 1632"),
        sybils: 4.0,
        when: When::ColdBoot,
        bar_ms: COLD_MS,
        ..NONE
    },
    Row {
        what: what!("covert flash", "99.4, 100", "15681, 1619"),
        sybils: 4.0,
        when: When::CovertFlash,
        bar_ms: COLD_MS,
        ..NONE
    },
    Row {
        what: what!("attack at dawn", "98.8, 100", "17805, 1661"),
        sybils: 4.0,
        when: When::Dawn,
        bar_ms: COLD_MS,
        ..NONE
    },
    Row {
        what: what!("one address per many", "-, 100", "-, 151"),
        sybils: 4.0,
        when: When::ColdBoot,
        hosts: Some(25),
        bar_ms: COLD_MS,
        ..NONE
    },
];

fn run(seed: u64, nodes: usize) -> Outcome {
    run_attack("", seed, nodes)
}

/// Only those of the ten attacks whose name begins so.
pub fn run_attack(name: &str, seed: u64, nodes: usize) -> Outcome {
    ROWS.iter()
        .filter(|row| row.what.iter().any(|what| what.starts_with(name)))
        .map(|row| Attacked::new(seed, nodes, row).run())
        .reduce(Outcome::and)
        .expect("there are rows")
}

/// A network and one attack on it.
struct Attacked<'a> {
    row: &'a Row,
    network: Network,
    honest: usize,
    sybils: usize,
    /// The honest nodes in order of arrival, by index.
    indices: Vec<usize>,
    /// Who publishes, by place in that order.
    publishers: Vec<usize>,
    /// Whom sybils link with, by place in that order.
    targets: Vec<usize>,
    /// When sybils stop behaving.
    begin: Mono,
    turn: usize,
}

impl<'a> Attacked<'a> {
    fn new(seed: u64, honest: usize, row: &'a Row) -> Self {
        let mut faults = Faults::none();
        (faults.delay_ms_min, faults.delay_ms_max) = (45, 45);
        faults.jitter_ms_max = 10;
        let mut setup = Setup {
            durable: false,
            ..Setup::default()
        };
        setup.config.gossip.fanout = 7;
        // A mesh as the report has it: every neighbour pushes.
        setup.config.gossip.eager_min = 8;
        let mut network = Network::new(seed, faults, setup);
        let mut all: Vec<usize> = (0..honest).collect();
        network.rng.shuffle(&mut all);
        let publishers = all.split_off(honest - (honest / 10).max(1));
        let targets = match row.target {
            Target::All => (0..honest).collect(),
            Target::Publishers => publishers.clone(),
            Target::One => all.first().copied().into_iter().collect(),
        };
        Self {
            row,
            network,
            honest,
            sybils: (honest as f64 * row.sybils) as usize,
            indices: Vec::new(),
            publishers,
            targets,
            begin: Mono::ZERO,
            turn: 0,
        }
    }

    fn run(mut self) -> Outcome {
        // What sybils of rows that wait for it are told; others begin at once.
        let forming = ARRIVAL * self.honest as u32;
        match self.row.when {
            When::Warm => {
                for _ in 0..self.honest {
                    self.add_honest();
                    self.network.world.run_for(ARRIVAL);
                }
                self.network.world.run_for(SETTLING);
                self.publish_for(WARM);
                self.begin = self.network.world.now();
                self.add_sybils(self.sybils);
            }
            When::ColdBoot => self.boot_together(true),
            When::Dawn => {
                self.begin = self.network.world.now() + forming + SETTLING;
                self.boot_together(false);
                self.network.world.run_until(self.begin);
            }
            When::CovertFlash => {
                self.begin = self.network.world.now() + forming + WARM;
                self.boot_together(true);
                while self.network.world.now() < self.begin {
                    self.publish_for(Duration::from_secs(1));
                }
            }
        }
        let since = match self.row.when {
            When::ColdBoot => Mono::ZERO,
            _ => self.begin,
        };
        self.publish_for(HALF);
        let held = self.held_by_sybils();
        self.publish_for(HALF);
        self.network.world.run_for(QUIET);
        self.figures(since, held)
    }

    /// Honest nodes and sybils arrive mixed.
    fn boot_together(&mut self, publishing: bool) {
        let mut added = 0;
        // Everybody knows the first node, so it comes first.
        for index in 0..self.honest {
            self.add_honest();
            let due = self.sybils * (index + 1) / self.honest;
            // Victims must exist; the latest sybils make up for it.
            if index > 0 {
                self.add_sybils(due - added);
                added = due;
            }
            if publishing {
                self.publish_for(ARRIVAL);
            } else {
                self.network.world.run_for(ARRIVAL);
            }
        }
    }

    /// One more honest node, with half of its honest links dialled by itself.
    fn add_honest(&mut self) {
        let there: Vec<usize> = (0..self.network.world.len())
            .filter(|index| !self.network.is_hostile_index(*index))
            .collect();
        let known = self.network.rng.sample(&there, HONEST_DIALS);
        let index = self.network.add_knowing(&known);
        self.indices.push(index);
    }

    fn add_sybils(&mut self, count: usize) {
        let conduct = match self.row.drops {
            Some(1_000) => Conduct::Silent,
            Some(permille) => Conduct::Lossy(permille),
            None => Conduct::Censor(self.censored()),
        };
        for _ in 0..count {
            let there: Vec<usize> = self.arrived(&self.targets).collect();
            let links = (self.honest / SYBIL_REACH).max(SYBIL_LINKS_MIN);
            let victims = self.network.rng.sample(&there, links);
            let address = self.row.hosts.map(|hosts| self.shared_address(hosts));
            let sybil = Box::new(Sybil::new(conduct, self.begin));
            self.network
                .add_sybil(sybil, sybil_config(), &victims, address);
        }
    }

    /// The publisher that is censored.
    fn censored(&self) -> NodeId {
        let index = self.arrived(&self.publishers).next();
        let id = index.and_then(|index| self.network.world.id(index));
        id.unwrap_or(NodeId::from_bytes([0; 32]))
    }

    /// Those of these who are there, by index.
    fn arrived(&self, places: &[usize]) -> impl Iterator<Item = usize> {
        let known = |place: &usize| self.indices.get(*place).copied();
        places.iter().filter_map(known)
    }

    /// A port of its own at one of a few hosts, each in a network of its own.
    fn shared_address(&mut self, hosts: usize) -> Address {
        let place = self.network.world.len();
        let ip = std::net::Ipv4Addr::new(45, (place % hosts) as u8, 1, 1);
        let port = 2_000 + (place / hosts) as u16;
        Address::new((ip, port).into())
    }

    /// Publishers in turn, at the report's rate.
    fn publish_for(&mut self, time: Duration) {
        let until = self.network.world.now() + time;
        let pause = Duration::from_secs_f64(1.0 / (self.honest as f64 * RATE));
        while self.network.world.now() < until {
            self.turn += 1;
            let place = self.turn % self.publishers.len();
            let publisher = self.publishers.get(place).into_iter();
            let publisher = publisher.filter_map(|place| self.indices.get(*place).copied());
            for publisher in publisher.collect::<Vec<_>>() {
                self.network.publish_sized(publisher, MESSAGE_BYTES);
            }
            let left = until.since(self.network.world.now());
            self.network.world.run_for(pause.min(left));
        }
    }

    /// The share of the active views of those attacked that sybils have.
    fn held_by_sybils(&self) -> f64 {
        let views = self
            .arrived(&self.targets)
            .filter_map(|index| self.network.world.host(index))
            .flat_map(|host| host.core().gossip().active_view());
        let (all, hostile) = views.fold((0u64, 0u64), |(all, hostile), id| {
            (all + 1, hostile + u64::from(self.network.is_hostile(&id)))
        });
        100.0 * hostile as f64 / (all as f64).max(1.0)
    }

    fn figures(self, since: Mono, held: f64) -> Outcome {
        let messages: std::collections::BTreeMap<_, _> = self
            .network
            .published()
            .into_iter()
            .filter(|(_, from)| from.at >= since && !self.network.is_hostile_index(from.by))
            .collect();
        // Who joins later than a message is told of it too, but was not there to be late.
        let mut late = Vec::new();
        let mut missed = 0_u64;
        for (index, host) in self.network.honest() {
            for (id, from) in &messages {
                match host.app.deliveries.get(id) {
                    _ if from.by == index => {}
                    Some(at) => {
                        let known = from.at.max(host.began());
                        late.push(at.at.since(known).as_millis() as f64);
                    }
                    None => missed += 1,
                }
            }
        }
        late.sort_by(f64::total_cmp);
        let at = |permille: usize| {
            let place = (late.len() * permille / 1_000).min(late.len().saturating_sub(1));
            late.get(place).copied().unwrap_or(f64::INFINITY)
        };
        let wanted = (late.len() as u64 + missed).max(1);
        let [delivered, p99, longest, share, dropped] = self.row.what;
        let kept = self.network.deeds("dropped") as f64;
        let happened = |figure: Figure| {
            if self.sybils == 0 {
                figure
            } else {
                figure.bar(Bar::AtLeast(1.0))
            }
        };
        let percent = 100.0 * late.len() as f64 / wanted as f64;
        self.network.outcome(vec![
            Figure::min(delivered, percent, "%").bar(Bar::AtLeast(100.0)),
            Figure::max(p99, at(990), "ms").bar(self.row.bar_ms),
            Figure::max(longest, at(1_000), "ms"),
            happened(Figure::mean(share, held, "%")),
            happened(Figure::sum(dropped, kept, "times")),
        ])
    }
}

/// A sybil has a hundred links and as many neighbours as it may.
fn sybil_config() -> Config {
    let mut config = Config::on_network("simulated");
    let peers = &mut config.peers;
    peers.max_peers = 256;
    peers.outbound_slots = 128;
    peers.prefix_links_max = 256;
    peers.prefix_outbound_max = 128;
    peers.min_peers = 1;
    // It asks for no others, and comes back as soon as it may.
    peers.discovery_interval = Duration::from_secs(3_600);
    peers.backoff_max = Duration::from_secs(10);
    config.gossip.fanout = 32;
    config.gossip.eager_min = 33;
    config.gossip.passive_size = 5;
    config
}
