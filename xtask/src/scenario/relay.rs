use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use repute_base::Rng;

/// How long a thread waits before it looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);
/// The longest UDP datagram.
const DATAGRAM_MAX: usize = 65_535;

/// What the network between the nodes does to a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) loss_percent: u64,
    pub(super) duplicate_percent: u64,
    /// A packet is late by a time drawn from here, so packets overtake one another.
    pub(super) delay_ms_min: u64,
    pub(super) delay_ms_max: u64,
}

/// A UDP network in user space. Each node has an address here that it announces as its own; what
/// arrives there goes on to where the node really listens, and seems to come from the announced
/// address of its sender. So all traffic between nodes passes through here, in both directions.
pub(super) struct Relay {
    net: Arc<Net>,
    threads: Vec<JoinHandle<()>>,
}

struct Net {
    sockets: Vec<UdpSocket>,
    /// Where the nodes really listen.
    nodes: Vec<SocketAddr>,
    /// The side of each node; packets pass only within one.
    sides: Mutex<Vec<u8>>,
    weather: Weather,
    ends: AtomicBool,
    carried: AtomicU64,
    lost: AtomicU64,
    doubled: AtomicU64,
    overtaken: AtomicU64,
    cut: AtomicU64,
}

/// A packet on its way.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Packet {
    due: Instant,
    from: usize,
    to: usize,
    /// When it was sent, among all packets to this node.
    nth: u64,
    bytes: Vec<u8>,
}

/// What became of the packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    pub(super) carried: u64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    /// Handed over after one that was sent later.
    pub(super) overtaken: u64,
    pub(super) cut: u64,
}

impl Relay {
    /// A network for so many nodes, all on one side.
    pub(super) fn new(nodes: usize, weather: Weather, seed: u64) -> Result<Self> {
        let bind = |_| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_read_timeout(Some(LOOK))?;
            Ok(socket)
        };
        let net = Arc::new(Net {
            sockets: (0..nodes).map(bind).collect::<io::Result<_>>()?,
            nodes: (0..nodes).map(|_| free_port()).collect::<Result<_>>()?,
            sides: Mutex::new(vec![0; nodes]),
            weather,
            ends: AtomicBool::new(false),
            carried: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            doubled: AtomicU64::new(0),
            overtaken: AtomicU64::new(0),
            cut: AtomicU64::new(0),
        });
        let (packets_in, packets) = mpsc::channel();
        let mut rng = Rng::from_u64(seed);
        let mut threads = Vec::new();
        for to in 0..nodes {
            let (net, packets, rng) = (Arc::clone(&net), packets_in.clone(), rng.fork());
            threads.push(thread::spawn(move || net.receive(to, rng, &packets)));
        }
        let sender = Arc::clone(&net);
        threads.push(thread::spawn(move || sender.send(&packets)));
        Ok(Self { net, threads })
    }

    /// Where a node must listen, and what it must announce.
    pub(super) fn addresses(&self, place: usize) -> Result<(SocketAddr, SocketAddr)> {
        let socket = self.net.sockets.get(place).context("no such node")?;
        let node = self.net.nodes.get(place).context("no such node")?;
        Ok((*node, socket.local_addr()?))
    }

    /// Puts every node on a side: packets pass only within one side.
    pub(super) fn divide(&self, side: impl Fn(usize) -> u8) {
        let mut sides = self.net.sides();
        for (place, of) in sides.iter_mut().enumerate() {
            *of = side(place);
        }
    }

    pub(super) fn carried(&self) -> Carried {
        Carried {
            carried: self.net.carried.load(Ordering::Relaxed),
            lost: self.net.lost.load(Ordering::Relaxed),
            doubled: self.net.doubled.load(Ordering::Relaxed),
            overtaken: self.net.overtaken.load(Ordering::Relaxed),
            cut: self.net.cut.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.net.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ended = thread.join();
        }
    }
}

impl Net {
    fn sides(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.sides.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        let sides = self.sides();
        sides.get(from) != sides.get(to)
    }

    /// Takes what is sent to one node and decides what becomes of it.
    fn receive(&self, to: usize, mut rng: Rng, packets: &Sender<Packet>) {
        let Some(socket) = self.sockets.get(to) else {
            return;
        };
        let mut buffer = vec![0; DATAGRAM_MAX];
        let mut nth = 0;
        while !self.ends.load(Ordering::Relaxed) {
            // Nothing within the time limit, or a port that is closed for now.
            let Ok((len, sender)) = socket.recv_from(&mut buffer) else {
                continue;
            };
            let from = self.nodes.iter().position(|node| *node == sender);
            let (Some(from), Some(bytes)) = (from, buffer.get(..len)) else {
                continue;
            };
            if self.is_cut(from, to) {
                self.cut.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            if rng.chance(self.weather.loss_percent, 100) {
                self.lost.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            nth += 1;
            let copies = 1 + u64::from(rng.chance(self.weather.duplicate_percent, 100));
            self.doubled.fetch_add(copies - 1, Ordering::Relaxed);
            for _ in 0..copies {
                let delays = self.weather.delay_ms_min..self.weather.delay_ms_max + 1;
                let packet = Packet {
                    due: Instant::now() + Duration::from_millis(rng.range(delays)),
                    from,
                    to,
                    nth,
                    bytes: bytes.to_vec(),
                };
                if packets.send(packet).is_err() {
                    return;
                }
            }
        }
    }

    /// Hands packets over when they are due.
    fn send(&self, packets: &Receiver<Packet>) {
        let mut waiting = BinaryHeap::new();
        let mut latest = BTreeMap::new();
        while !self.ends.load(Ordering::Relaxed) {
            let next: Option<Instant> = waiting
                .peek()
                .map(|Reverse(packet): &Reverse<Packet>| packet.due);
            let wait = next.map_or(LOOK, |due| due.saturating_duration_since(Instant::now()));
            match packets.recv_timeout(wait.min(LOOK)) {
                Ok(packet) => waiting.push(Reverse(packet)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Some(Reverse(packet)) = waiting.peek()
                && packet.due <= Instant::now()
            {
                let (socket, node) = (self.sockets.get(packet.from), self.nodes.get(packet.to));
                if let (Some(socket), Some(node)) = (socket, node)
                    && socket.send_to(&packet.bytes, node).is_ok()
                {
                    self.carried.fetch_add(1, Ordering::Relaxed);
                    let latest = latest.entry((packet.from, packet.to)).or_insert(0);
                    let late = u64::from(packet.nth < *latest);
                    self.overtaken.fetch_add(late, Ordering::Relaxed);
                    *latest = packet.nth.max(*latest);
                }
                waiting.pop();
            }
        }
    }
}

/// An address on loopback that nobody listened on a moment ago.
pub(super) fn free_port() -> Result<SocketAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(socket.local_addr()?)
}
