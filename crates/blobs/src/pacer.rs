use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use repute_base::{Mono, TokenBucket};
use repute_identity::NodeId;

/// How often bytes are handed out.
const PAUSE: Duration = Duration::from_millis(50);
/// The least that is handed out at once: less would be all overhead.
const LEAST: u64 = 4 * 1024;
/// The most that one stream may hold unused, unless that is less than a fifth of a second of its
/// rate: a stream that is looked after late must not be slower for it.
const MOST: u64 = 1 << 20;

/// Hands out bytes to streams, so that all together and each peer stay under their rates. What one
/// does not use, others get; of what all want, each gets its weight.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    total: Option<TokenBucket>,
    rate: Option<u64>,
    /// Rates of peers that have streams.
    peers: BTreeMap<NodeId, TokenBucket>,
    streams: BTreeMap<u64, Stream>,
    due: Mono,
    /// Who is first in turn moves on, so that remainders are fair.
    turn: usize,
}

#[derive(Clone, Debug)]
struct Stream {
    peer: NodeId,
    weight: u32,
    unused: u64,
    /// What it may hold unused.
    most: u64,
}

/// What is moved in a fifth of a second.
const fn burst(rate: u64) -> u64 {
    rate / 5
}

fn bucket(rate: u64, now: Mono) -> TokenBucket {
    // So much that late ticks lose nothing, and never less than what is handed out.
    TokenBucket::new(rate, burst(rate).max(2 * LEAST), now)
}

impl Pacer {
    pub(crate) fn new(rate: Option<u64>) -> Self {
        Self {
            total: rate.map(|rate| bucket(rate, Mono::ZERO)),
            rate,
            peers: BTreeMap::new(),
            streams: BTreeMap::new(),
            due: Mono::ZERO,
            turn: 0,
        }
    }

    /// Whether a stream to somebody of this rate is paced.
    pub(crate) const fn paces(&self, peer_rate: Option<u64>) -> bool {
        self.total.is_some() || peer_rate.is_some()
    }

    /// A stream begins; only paced ones.
    pub(crate) fn open(
        &mut self,
        now: Mono,
        stream: u64,
        peer: NodeId,
        weight: u32,
        rate: Option<u64>,
    ) {
        if self.streams.is_empty() {
            self.due = now;
        }
        if let Some(rate) = rate {
            self.peers.entry(peer).or_insert_with(|| bucket(rate, now));
        }
        let rates = self.rate.into_iter().chain(rate);
        let most = rates.min().map_or(MOST, |rate| burst(rate).max(MOST));
        let entry = Stream {
            peer,
            weight: weight.max(1),
            unused: 0,
            most,
        };
        self.streams.insert(stream, entry);
    }

    /// A stream ends.
    pub(crate) fn close(&mut self, stream: u64) {
        let Some(closed) = self.streams.remove(&stream) else {
            return;
        };
        if !self.streams.values().any(|one| one.peer == closed.peer) {
            self.peers.remove(&closed.peer);
        }
    }

    /// A stream used so many bytes.
    pub(crate) fn used(&mut self, stream: u64, bytes: u64) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.unused = stream.unused.saturating_sub(bytes);
        }
    }

    /// Whether a stream waits for bytes, so that its silence says nothing.
    pub(crate) fn holds_back(&self, stream: u64) -> bool {
        self.streams
            .get(&stream)
            .is_some_and(|one| one.unused < LEAST)
    }

    pub(crate) fn deadline(&self) -> Mono {
        match self.streams.is_empty() {
            true => Mono::MAX,
            false => self.due,
        }
    }

    /// Who may move how many bytes more.
    pub(crate) fn share(&mut self, now: Mono) -> Vec<(u64, u64)> {
        if self.streams.is_empty() || now < self.due {
            return Vec::new();
        }
        self.due = now + PAUSE;
        let mut wanting: Vec<u64> = self.streams.keys().copied().collect();
        if !wanting.is_empty() {
            self.turn = (self.turn + 1) % wanting.len();
            wanting.rotate_left(self.turn);
        }
        let mut given = BTreeMap::<u64, u64>::new();
        // What is left after each has its weight goes round once more.
        for _ in 0..2 {
            let weights: u64 = wanting
                .iter()
                .filter_map(|stream| self.streams.get(stream))
                .map(|stream| u64::from(stream.weight))
                .sum();
            let pool = self.available(now);
            wanting.retain(|stream| {
                let got = self.give(now, *stream, pool, weights);
                *given.entry(*stream).or_default() += got;
                got > 0
            });
        }
        given.into_iter().filter(|(_, bytes)| *bytes > 0).collect()
    }

    /// Bytes that all together may move now, a power of two at most twice too few.
    fn available(&mut self, now: Mono) -> u64 {
        let Some(total) = &mut self.total else {
            return u64::MAX;
        };
        level(total, now)
    }

    fn give(&mut self, now: Mono, stream: u64, pool: u64, weights: u64) -> u64 {
        let Some(entry) = self.streams.get_mut(&stream) else {
            return 0;
        };
        let fair = match pool {
            u64::MAX => entry.most,
            pool => (pool / weights.max(1)).saturating_mul(u64::from(entry.weight)),
        };
        let mut most = entry.most.saturating_sub(entry.unused).min(fair.max(LEAST));
        if let Some(bucket) = self.peers.get_mut(&entry.peer) {
            most = most.min(level(bucket, now));
        }
        if let Some(total) = &mut self.total {
            most = most.min(level(total, now));
        }
        if most < LEAST {
            return 0;
        }
        let paid = self.total.as_mut().is_none_or(|one| one.take(now, most));
        if let Some(bucket) = self.peers.get_mut(&entry.peer) {
            bucket.take(now, most);
        }
        if paid {
            entry.unused += most;
        }
        if paid { most } else { 0 }
    }
}

/// How much a bucket holds, to within a 16th: it only says whether it holds so much.
fn level(bucket: &mut TokenBucket, now: Mono) -> u64 {
    let (mut low, mut step) = (0_u64, 1_u64 << 40);
    while step > 0 {
        if bucket.wait(now, low + step).is_zero() {
            low += step;
        }
        step = if step <= low / 16 { 0 } else { step / 2 };
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    /// Runs for ten seconds with streams that use all they get; bytes of each.
    fn run(pacer: &mut Pacer, greedy: &[u64]) -> BTreeMap<u64, u64> {
        let mut got = BTreeMap::new();
        for ms in 0..10_000 {
            for (stream, bytes) in pacer.share(Mono::from_millis(ms)) {
                if greedy.contains(&stream) {
                    pacer.used(stream, bytes);
                }
                *got.entry(stream).or_default() += bytes;
            }
        }
        got
    }

    #[test]
    fn a_total_rate_holds_and_is_shared_by_weight() {
        let mut pacer = Pacer::new(Some(1_000_000));
        pacer.open(Mono::ZERO, 1, peer(1), 1, None);
        pacer.open(Mono::ZERO, 2, peer(2), 4, None);
        let got = run(&mut pacer, &[1, 2]);
        let all: u64 = got.values().sum();
        assert!((9_500_000..=10_300_000).contains(&all), "{got:?}");
        let ratio = got[&2] as f64 / got[&1] as f64;
        assert!((3.0..5.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn what_one_does_not_use_others_get() {
        let mut pacer = Pacer::new(Some(1_000_000));
        pacer.open(Mono::ZERO, 1, peer(1), 8, None);
        pacer.open(Mono::ZERO, 2, peer(2), 1, None);
        let got = run(&mut pacer, &[2]);
        assert!(got[&1] <= MOST + LEAST);
        assert!(got[&2] >= 8_000_000, "{got:?}");
    }

    #[test]
    fn one_fast_stream_gets_all_of_a_rate_though_its_ticks_come_late() {
        let mut pacer = Pacer::new(Some(100_000_000));
        pacer.open(Mono::ZERO, 1, peer(1), 1, None);
        let late = (0..10_000).step_by(130);
        let got: u64 = late
            .flat_map(|ms| {
                let given = pacer.share(Mono::from_millis(ms));
                for (stream, bytes) in &given {
                    pacer.used(*stream, *bytes);
                }
                given
            })
            .map(|(_, bytes)| bytes)
            .sum();
        assert!((900_000_000..=1_030_000_000).contains(&got), "{got}");
    }

    #[test]
    fn no_peer_passes_its_own_rate_with_many_streams() {
        let mut pacer = Pacer::new(None);
        for stream in 0..4 {
            pacer.open(Mono::ZERO, stream, peer(1), 1, Some(100_000));
        }
        let got = run(&mut pacer, &[0, 1, 2, 3]);
        let all: u64 = got.values().sum();
        assert!((900_000..=1_050_000).contains(&all), "{got:?}");
        (0..4).for_each(|stream| pacer.close(stream));
        assert!(pacer.peers.is_empty() && pacer.deadline() == Mono::MAX);
    }
}
