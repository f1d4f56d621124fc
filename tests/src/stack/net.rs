//! Datagrams in virtual time.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use repute_base::Rng;
use repute_sim::{Trace, TraceHash};
use repute_transport::{Datagrams, Socket};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{Bursts, Weather};

/// What a socket holds for a reader that does not come: as much as a real one asks the system for.
const SOCKET_BUFFER: usize = 2 * 1024 * 1024;

/// What happened to datagrams. Tests assert on it that the faults they meant did occur.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Sent by anybody.
    pub sent: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Put into a socket's buffer, copies included.
    pub delivered: u64,
    /// Lost by chance in good times.
    pub lost: u64,
    /// Lost in the bad times of a path.
    pub lost_in_bursts: u64,
    /// Bad times begun.
    pub bursts: u64,
    /// Sent once and delivered twice.
    pub duplicated: u64,
    /// Overtaken by one that was sent later.
    pub overtaken: u64,
    /// Met a cut.
    pub cut_off: u64,
    /// Dropped before a narrow pipe.
    pub squeezed: u64,
    /// Dropped by a full socket.
    pub overflowed: u64,
    /// Sent to where nobody listens.
    pub nowhere: u64,
}

/// A network of sockets in memory. Clones are the same network.
#[derive(Clone, Debug)]
pub struct VirtualNet {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Something is due earlier than before.
    earlier: Notify,
}

#[derive(Debug)]
struct State {
    start: Instant,
    weather: Weather,
    rng: Rng,
    /// Decides how long each path is.
    lengths: u64,
    trace: Trace,
    counts: Counts,
    mailboxes: BTreeMap<SocketAddr, Mailbox>,
    /// By the microsecond in which it arrives, and by its number.
    under_way: BTreeMap<(u64, u64), Flight>,
    flights: u64,
    /// Whether a path has a bad time, and until which microsecond it stays so.
    spells: BTreeMap<(SocketAddr, SocketAddr), (bool, u64)>,
    /// One-way.
    cuts: BTreeSet<(IpAddr, IpAddr)>,
    pipes: BTreeMap<IpAddr, Pipe>,
    /// The number of the flight that arrived last on each path, to see what was overtaken.
    arrived: BTreeMap<(SocketAddr, SocketAddr), u64>,
}

#[derive(Debug, Default)]
struct Mailbox {
    waiting: VecDeque<(SocketAddr, Vec<u8>)>,
    bytes: usize,
    reader: Option<Waker>,
}

#[derive(Debug)]
struct Flight {
    from: SocketAddr,
    to: SocketAddr,
    payload: Vec<u8>,
}

/// A narrow way into a host.
#[derive(Debug)]
struct Pipe {
    bytes_per_second: u64,
    queue_bytes_max: u64,
    /// When what is in it will have come out, in microseconds.
    free_at: u64,
    offered: u64,
}

impl VirtualNet {
    /// A network without sockets. Needs a runtime under [`play`](super::play).
    pub fn new(seed: u64, weather: Weather) -> Self {
        let state = State {
            start: Instant::now(),
            weather,
            rng: Rng::from_u64(seed ^ 0x6e65_7477_6f72_6b21),
            lengths: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            trace: Trace::new(seed),
            counts: Counts::default(),
            mailboxes: BTreeMap::new(),
            under_way: BTreeMap::new(),
            flights: 0,
            spells: BTreeMap::new(),
            cuts: BTreeSet::new(),
            pipes: BTreeMap::new(),
            arrived: BTreeMap::new(),
        };
        let net = Self {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                earlier: Notify::new(),
            }),
        };
        tokio::spawn(net.clone().carry());
        net
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A socket at this address; a former one there receives nothing any more.
    pub fn socket(&self, address: SocketAddr) -> Socket {
        Socket::new(self.bare_socket(address))
    }

    pub(super) fn bare_socket(&self, address: SocketAddr) -> VirtualSocket {
        self.state().mailboxes.insert(address, Mailbox::default());
        VirtualSocket {
            net: self.clone(),
            address,
        }
    }

    /// Nobody listens at this address from now on.
    pub fn unplug(&self, address: SocketAddr) {
        self.state().mailboxes.remove(&address);
    }

    /// From now on this is how paths are.
    pub fn weather(&self, weather: Weather) {
        let mut state = self.state();
        state.weather = weather;
        if weather.bursts.is_none() {
            state.spells.clear();
        }
    }

    /// Nothing gets from the ones to the others any more; the other way stays open.
    pub fn cut_one_way(&self, from: &[SocketAddr], to: &[SocketAddr]) {
        let mut state = self.state();
        for a in from {
            for b in to {
                state.cuts.insert((a.ip(), b.ip()));
            }
        }
    }

    /// Nothing gets from one side to the other any more.
    pub fn cut(&self, left: &[SocketAddr], right: &[SocketAddr]) {
        self.cut_one_way(left, right);
        self.cut_one_way(right, left);
    }

    /// No cuts any more.
    pub fn heal(&self) {
        self.state().cuts.clear();
    }

    /// What comes to this host passes a pipe so narrow; what finds no room before it is dropped.
    pub fn narrow(&self, host: IpAddr, bytes_per_second: u64, queue_bytes_max: u64) {
        let pipe = Pipe {
            bytes_per_second: bytes_per_second.max(1),
            queue_bytes_max,
            free_at: 0,
            offered: 0,
        };
        self.state().pipes.insert(host, pipe);
    }

    /// Sends a datagram that claims to come from an address.
    pub fn inject(&self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        if self.state().send(from, to, payload) {
            self.inner.earlier.notify_one();
        }
    }

    /// Bytes sent to a narrowed host so far, dropped ones included.
    pub fn offered(&self, host: IpAddr) -> u64 {
        self.state().pipes.get(&host).map_or(0, |pipe| pipe.offered)
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Equal for equal seeds: when each datagram arrived or was lost, from where, to where, and
    /// how long it was.
    pub fn trace_hash(&self) -> TraceHash {
        self.state().trace.hash()
    }

    /// Virtual time since the network began.
    pub fn elapsed(&self) -> Duration {
        self.state().start.elapsed()
    }

    /// Delivers what is due, for ever.
    async fn carry(self) {
        loop {
            let next = self.state().deliver_due();
            let earlier = self.inner.earlier.notified();
            match next {
                Some(at) => tokio::select! {
                    biased;
                    () = earlier => {}
                    () = sleep_until(at) => {}
                },
                None => earlier.await,
            }
        }
    }
}

/// What became of a datagram, in the trace.
#[derive(Clone, Copy)]
enum Fate {
    Arrived,
    Lost,
    LostInBurst,
    CutOff,
    Squeezed,
    Overflowed,
    Nowhere,
}

impl State {
    fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn record(&mut self, fate: Fate, from: SocketAddr, to: SocketAddr, len: usize) {
        let now = self.now_us();
        self.trace
            .record(now, number(to), fate as u8, number(from), len);
        let counts = &mut self.counts;
        *match fate {
            Fate::Arrived => &mut counts.delivered,
            Fate::Lost => &mut counts.lost,
            Fate::LostInBurst => &mut counts.lost_in_bursts,
            Fate::CutOff => &mut counts.cut_off,
            Fate::Squeezed => &mut counts.squeezed,
            Fate::Overflowed => &mut counts.overflowed,
            Fate::Nowhere => &mut counts.nowhere,
        } += 1;
    }

    /// Sends one datagram on its way; whether something is due earlier than before.
    fn send(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> bool {
        self.counts.sent += 1;
        self.counts.bytes += payload.len() as u64;
        let due = self.under_way.first_key_value().map(|(key, _)| key.0);
        if self.cuts.contains(&(from.ip(), to.ip())) {
            self.record(Fate::CutOff, from, to, payload.len());
            return false;
        }
        if let Some(fate) = self.lose(from, to) {
            self.record(fate, from, to, payload.len());
            return false;
        }
        let twice = self.rng.chance(self.weather.duplicate_permille, 1_000);
        for _ in 0..1 + u8::from(twice) {
            let Some(at) = self.arrival(from, to, payload.len()) else {
                self.record(Fate::Squeezed, from, to, payload.len());
                continue;
            };
            self.flights += 1;
            let flight = Flight {
                from,
                to,
                payload: payload.to_vec(),
            };
            self.under_way.insert((at, self.flights), flight);
        }
        self.counts.duplicated += u64::from(twice);
        let first = self.under_way.first_key_value().map(|(key, _)| key.0);
        first != due
    }

    fn lose(&mut self, from: SocketAddr, to: SocketAddr) -> Option<Fate> {
        let Weather {
            loss_permille,
            bursts,
            ..
        } = self.weather;
        if let Some(bursts) = bursts
            && self.is_bad(bursts, (from, to))
        {
            let lost = self.rng.chance(bursts.loss_permille, 1_000);
            return lost.then_some(Fate::LostInBurst);
        }
        let lost = self.rng.chance(loss_permille, 1_000);
        lost.then_some(Fate::Lost)
    }

    /// Whether a path has a bad time now.
    fn is_bad(&mut self, bursts: Bursts, path: (SocketAddr, SocketAddr)) -> bool {
        let now = self.now_us();
        let (mut bad, mut until) = self.spells.get(&path).copied().unwrap_or((true, 0));
        while until <= now {
            bad = !bad;
            let mean_ms = if bad { bursts.bad_ms } else { bursts.good_ms };
            let lasts = self.rng.range(0..mean_ms * 2_000 + 1);
            // What nobody saw is passed over: a path that was quiet begins anew.
            until = if until + 10_000_000 < now { now } else { until } + lasts;
            self.counts.bursts += u64::from(bad);
        }
        self.spells.insert(path, (bad, until));
        bad
    }

    /// When a datagram sent now arrives; nothing if a pipe has no room for it.
    fn arrival(&mut self, from: SocketAddr, to: SocketAddr, len: usize) -> Option<u64> {
        let Weather {
            path_ms_min,
            path_ms_max,
            jitter_ms,
            ..
        } = self.weather;
        // The length of a path is drawn once for all, whatever is sent on it before.
        let ends = number(from.min(to)) as u64 ^ (number(from.max(to)) as u64).rotate_left(24);
        let length = Rng::from_u64(ends ^ self.lengths)
            .range(path_ms_min * 1_000..path_ms_max.max(path_ms_min) * 1_000 + 1);
        let jitter = self.rng.range(0..jitter_ms * 1_000 + 1);
        let at = self.now_us().saturating_add(length + jitter);
        let Some(pipe) = self.pipes.get_mut(&to.ip()) else {
            return Some(at);
        };
        pipe.offered += len as u64;
        let begins = at.max(pipe.free_at);
        let waiting = (begins - at).saturating_mul(pipe.bytes_per_second) / 1_000_000;
        if waiting.saturating_add(len as u64) > pipe.queue_bytes_max {
            return None;
        }
        pipe.free_at = begins + (len as u64).saturating_mul(1_000_000) / pipe.bytes_per_second;
        Some(pipe.free_at)
    }

    /// Puts what is due into its sockets; when the next one is.
    fn deliver_due(&mut self) -> Option<Instant> {
        let now = self.now_us();
        while let Some(first) = self.under_way.first_entry() {
            let (at, flight_number) = *first.key();
            if at > now {
                return Some(self.start + Duration::from_micros(at));
            }
            let flight = first.remove();
            self.deliver(flight, flight_number);
        }
        None
    }

    fn deliver(&mut self, flight: Flight, flight_number: u64) {
        let Flight { from, to, payload } = flight;
        let len = payload.len();
        let Some(mailbox) = self.mailboxes.get_mut(&to) else {
            return self.record(Fate::Nowhere, from, to, len);
        };
        if mailbox.bytes + len > SOCKET_BUFFER {
            return self.record(Fate::Overflowed, from, to, len);
        }
        mailbox.bytes += len;
        mailbox.waiting.push_back((from, payload));
        if let Some(reader) = mailbox.reader.take() {
            reader.wake();
        }
        let latest = self.arrived.entry((from, to)).or_default();
        self.counts.overtaken += u64::from(flight_number < *latest);
        *latest = flight_number.max(*latest);
        self.record(Fate::Arrived, from, to, len);
    }
}

/// An address as a number, for the trace.
fn number(address: SocketAddr) -> usize {
    let host = match address.ip() {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        // The lower half tells all hosts of a simulation apart.
        IpAddr::V6(ip) => u64::try_from(ip.to_bits() & 0xffff_ffff_ffff).unwrap_or(u64::MAX),
    };
    usize::try_from(host << 16 | u64::from(address.port())).unwrap_or(usize::MAX)
}

pub(super) struct VirtualSocket {
    net: VirtualNet,
    address: SocketAddr,
}

impl std::fmt::Debug for VirtualSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VirtualSocket({})", self.address)
    }
}

impl Datagrams for VirtualSocket {
    fn send(&self, to: SocketAddr, payload: &[u8]) -> io::Result<()> {
        if self.net.state().send(self.address, to, payload) {
            self.net.inner.earlier.notify_one();
        }
        Ok(())
    }

    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut state = self.net.state();
        let Some(mailbox) = state.mailboxes.get_mut(&self.address) else {
            return Poll::Pending;
        };
        let Some((from, payload)) = mailbox.waiting.pop_front() else {
            mailbox.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        mailbox.bytes -= payload.len();
        // What is longer than the buffer is cut off, as real sockets do.
        let len = buffer
            .iter_mut()
            .zip(&payload)
            .map(|(place, byte)| *place = *byte)
            .count();
        Poll::Ready(Ok((len, from)))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
