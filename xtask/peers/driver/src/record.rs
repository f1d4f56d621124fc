use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use tokio::sync::Semaphore;

use crate::sample::XorShift;

/// Bytes at the head of each message: phase, number and author, each four.
pub const HEAD: usize = 12;

/// A message that took longer than this, in µs, gave its slot back already.
pub(crate) const SLOT_US: u32 = 3_000_000;

/// Every publish and delivery of one phase.
pub struct Record {
    pub(crate) n: usize,
    pub(crate) cap: usize,
    phase: AtomicU32,
    pub(crate) base: Instant,
    /// By message, in µs since `base`: when it was published, how many have it, when the last got it.
    pub(crate) sent_us: Vec<AtomicU64>,
    pub(crate) reached: Vec<AtomicU32>,
    pub(crate) last_us: Vec<AtomicU64>,
    /// By message and node: µs from publish to delivery, and one; zero for none.
    pub(crate) latency: Vec<AtomicU32>,
    pub(crate) total: AtomicU64,
    pub(crate) twice: AtomicU64,
    pub(crate) stray: AtomicU64,
    pub(crate) latest_us: AtomicU64,
    /// Room for more messages, in a closed phase.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) closed: AtomicBool,
}

impl Record {
    /// For `n` nodes and at most `cap` messages a phase.
    pub fn new(n: usize, cap: usize) -> Arc<Self> {
        let longs = || (0..cap).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Record {
            n,
            cap,
            phase: AtomicU32::new(0),
            base: Instant::now(),
            sent_us: longs(),
            reached: (0..cap).map(|_| AtomicU32::new(0)).collect(),
            last_us: longs(),
            latency: (0..cap * n).map(|_| AtomicU32::new(0)).collect(),
            total: AtomicU64::new(0),
            twice: AtomicU64::new(0),
            stray: AtomicU64::new(0),
            latest_us: AtomicU64::new(0),
            room: Arc::new(Semaphore::new(0)),
            closed: AtomicBool::new(false),
        })
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.base.elapsed().as_micros() as u64
    }

    /// Begins the next phase, with room for `used` messages; its number.
    pub(crate) fn begin(&self, used: usize) -> u32 {
        let used = used.min(self.cap);
        self.sent_us[..used]
            .iter()
            .for_each(|cell| cell.store(0, Relaxed));
        self.reached[..used]
            .iter()
            .for_each(|cell| cell.store(0, Relaxed));
        self.last_us[..used]
            .iter()
            .for_each(|cell| cell.store(0, Relaxed));
        self.latency[..used * self.n]
            .iter()
            .for_each(|cell| cell.store(0, Relaxed));
        for counter in [&self.total, &self.twice, &self.stray] {
            counter.store(0, Relaxed);
        }
        self.closed.store(false, Relaxed);
        self.latest_us.store(self.now_us(), Relaxed);
        self.phase.fetch_add(1, Relaxed) + 1
    }

    /// To be called for every message that `node` hands to its application.
    pub fn on_recv(&self, node: usize, data: &[u8]) {
        let Some(head) = data.first_chunk::<HEAD>() else {
            return;
        };
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if number(0) != self.phase.load(Relaxed) {
            self.stray.fetch_add(1, Relaxed);
            return;
        }
        let message = number(4) as usize;
        if message >= self.cap {
            return;
        }
        let now = self.now_us();
        let took = now.saturating_sub(self.sent_us[message].load(Relaxed)) as u32 + 1;
        let cell = &self.latency[message * self.n + node];
        if cell.compare_exchange(0, took, Relaxed, Relaxed).is_err() {
            self.twice.fetch_add(1, Relaxed);
            return;
        }
        self.total.fetch_add(1, Relaxed);
        self.latest_us.store(now, Relaxed);
        self.last_us[message].fetch_max(now, Relaxed);
        let reached = self.reached[message].fetch_add(1, Relaxed) + 1;
        if reached as usize == self.n - 1 && self.closed.load(Relaxed) && took < SLOT_US {
            self.room.add_permits(1);
        }
    }

    /// A message of `size` bytes, noted as published now.
    pub(crate) fn message(&self, phase: u32, number: usize, author: usize, size: usize) -> Vec<u8> {
        let seed = (u64::from(phase) << 40) ^ u64::from(std::process::id());
        let mut bytes = vec![0; size.max(HEAD)];
        XorShift(seed ^ ((number as u64) << 20) ^ 0x9E37_79B9_7F4A_7C15).fill(&mut bytes);
        bytes[0..4].copy_from_slice(&phase.to_le_bytes());
        bytes[4..8].copy_from_slice(&(number as u32).to_le_bytes());
        bytes[8..12].copy_from_slice(&(author as u32).to_le_bytes());
        self.sent_us[number].store(self.now_us(), Relaxed);
        bytes
    }
}
