//! Messages offered to a network in one phase, and the book kept of every arrival.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use repute_node::Node;
use tokio::{sync::Semaphore, task::JoinSet, time};

use super::cost::Moment;

/// The topic of all messages.
pub(super) const TOPIC: &str = "bench";
/// Bytes of one message.
const SIZE: usize = 1_024;
/// At the head of a message: its phase and its number.
const HEAD: usize = 8;
/// A phase ends when nothing has arrived for so long, whatever is missing.
const PATIENCE: Duration = Duration::from_secs(5);
/// Messages of a closed phase at most: more than any machine carries in its time.
const CLOSED_MAX: usize = 131_072;

/// How messages come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Offer {
    /// At a fixed rate, publishers in turn.
    Paced { count: usize, per_second: f64 },
    /// As fast as they are accepted.
    Burst { count: usize },
    /// So many under way for a time; one more when one has reached every node.
    Closed { window: usize, time: Duration },
}

/// One phase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) offer: Offer,
    /// From so many nodes at once; the paced ones come from all in turn.
    pub(super) publishers: usize,
}

/// What a phase showed.
pub(super) struct Figures {
    pub(super) deliveries: u64,
    pub(super) lost: u64,
    pub(super) twice: u64,
    pub(super) per_second: f64,
    pub(super) cpu_us_per_delivery: f64,
    /// Milliseconds from publish to each node: median and 99th percentile.
    pub(super) to_each: [f64; 2],
    /// The same to the last node of each message.
    pub(super) to_last: [f64; 2],
}

/// Where the subscribers note what arrives.
#[derive(Debug)]
pub(super) struct Board(RwLock<Arc<Book>>);

impl Board {
    pub(super) fn new(nodes: usize) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(Book::new(0, nodes, 0, false)))))
    }

    /// A message has reached the application of `node`.
    pub(super) fn arrived(&self, node: usize, data: &[u8]) {
        let book = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        book.note(node, data);
    }

    fn open(&self, book: &Arc<Book>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(book);
    }
}

/// Every publish and arrival of one phase.
#[derive(Debug)]
struct Book {
    phase: u32,
    nodes: usize,
    began: Instant,
    /// By message: when it was published, in µs; how many nodes have it; when the last got it.
    sent: Vec<AtomicU64>,
    reached: Vec<AtomicUsize>,
    last: Vec<AtomicU64>,
    /// By message and node: µs from publish to arrival, and one; zero for none.
    took: Vec<AtomicU32>,
    total: AtomicU64,
    twice: AtomicU64,
    latest: AtomicU64,
    /// Room for more messages, in a closed phase.
    room: Semaphore,
    refill: AtomicBool,
}

impl Book {
    fn new(phase: u32, nodes: usize, messages: usize, refill: bool) -> Self {
        let zeros = |count| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            phase,
            nodes,
            began: Instant::now(),
            sent: zeros(messages),
            reached: (0..messages).map(|_| AtomicUsize::new(0)).collect(),
            last: zeros(messages),
            took: (0..messages * nodes).map(|_| AtomicU32::new(0)).collect(),
            total: AtomicU64::new(0),
            twice: AtomicU64::new(0),
            latest: AtomicU64::new(0),
            room: Semaphore::new(0),
            refill: AtomicBool::new(refill),
        }
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn note(&self, node: usize, data: &[u8]) {
        let number = |bytes: Option<&[u8; 4]>| bytes.map(|bytes| u32::from_le_bytes(*bytes));
        let phase = number(data.first_chunk());
        let message = number(data.get(4..).and_then(<[u8]>::first_chunk));
        let (Some(phase), Some(message)) = (phase, message) else {
            return;
        };
        // A message that is late by a whole phase has been counted as lost there.
        let place = usize::try_from(message).unwrap_or(usize::MAX);
        let took = self.took.get(place.saturating_mul(self.nodes) + node);
        let (Some(sent), Some(reached), Some(last), Some(took), true) = (
            self.sent.get(place),
            self.reached.get(place),
            self.last.get(place),
            took,
            phase == self.phase,
        ) else {
            return;
        };
        let now = self.micros();
        let micros = u32::try_from(now.saturating_sub(sent.load(Relaxed))).unwrap_or(u32::MAX - 1);
        if took
            .compare_exchange(0, micros.saturating_add(1), Relaxed, Relaxed)
            .is_err()
        {
            self.twice.fetch_add(1, Relaxed);
            return;
        }
        last.fetch_max(now, Relaxed);
        self.latest.fetch_max(now, Relaxed);
        self.total.fetch_add(1, Relaxed);
        if reached.fetch_add(1, Relaxed) + 2 == self.nodes && self.refill.load(Relaxed) {
            self.room.add_permits(1);
        }
    }

    async fn publish(&self, node: &Node, message: usize) -> Result<()> {
        let mut data = vec![0; SIZE];
        let number = u32::try_from(message)?;
        let head = self.phase.to_le_bytes().into_iter();
        let head = head.chain(number.to_le_bytes());
        data.iter_mut().zip(head).for_each(|(to, from)| *to = from);
        // Bytes that do not compress; nothing more is asked of them.
        let mut state = u64::from(self.phase) << 32 | u64::from(number);
        for byte in data.iter_mut().skip(HEAD) {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
        if let Some(sent) = self.sent.get(message) {
            sent.store(self.micros(), Relaxed);
        }
        // Accepted is enough, as with other networks; whether it arrives is counted.
        drop(node.queue(TOPIC, data).await?);
        Ok(())
    }

    /// What came of the first `published` messages.
    fn percentiles(&self, published: usize) -> ([f64; 2], [f64; 2]) {
        let each = self.took.iter().take(published * self.nodes);
        let each = each
            .map(|took| took.load(Relaxed))
            .filter(|took| *took > 0)
            .map(|took| f64::from(took - 1) / 1_000.0);
        let last = self.last.iter().zip(&self.sent).take(published);
        let last = last
            .map(|(last, sent)| (last.load(Relaxed), sent.load(Relaxed)))
            .filter(|(last, _)| *last > 0)
            .map(|(last, sent)| last.saturating_sub(sent) as f64 / 1_000.0);
        (
            median_and_99th(each.collect()),
            median_and_99th(last.collect()),
        )
    }
}

fn median_and_99th(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    let at = |share: usize| {
        let place = (values.len().saturating_sub(1) * share + 50) / 100;
        values.get(place).copied().unwrap_or(f64::NAN)
    };
    [at(50), at(99)]
}

/// Runs one phase over a network.
pub(super) async fn run(phase: u32, nodes: &[Node], board: &Board, load: Load) -> Result<Figures> {
    let (messages, refill) = match load.offer {
        Offer::Paced { count, .. } | Offer::Burst { count } => (count, false),
        Offer::Closed { .. } => (CLOSED_MAX, true),
    };
    let book = Arc::new(Book::new(phase, nodes.len(), messages, refill));
    board.open(&book);
    let begin = Moment::now();
    let started = book.micros();
    let published = match load.offer {
        Offer::Paced { count, per_second } => paced(&book, nodes, count, per_second).await?,
        Offer::Burst { count } => burst(&book, nodes, count, load.publishers).await?,
        Offer::Closed { window, time } => {
            closed(&book, nodes, window, time, load.publishers).await?
        }
    };
    // The sustained rate of a closed phase is that of its window; the others end with their last
    // delivery.
    let in_window = (book.total.load(Relaxed), Moment::now());
    let expected = published as u64 * (nodes.len() as u64 - 1);
    while book.total.load(Relaxed) < expected {
        let quiet = book.micros().saturating_sub(book.latest.load(Relaxed));
        if u128::from(quiet) > PATIENCE.as_micros() {
            break;
        }
        time::sleep(Duration::from_millis(2)).await;
    }
    let (deliveries, wall, cpu) = if refill {
        let (wall, cpu) = begin.until(in_window.1);
        (in_window.0, wall, cpu)
    } else {
        let (_, cpu) = begin.until(Moment::now());
        let wall = book.latest.load(Relaxed).saturating_sub(started) as f64 / 1e6;
        (book.total.load(Relaxed), wall, cpu)
    };
    let (to_each, to_last) = book.percentiles(published);
    Ok(Figures {
        deliveries,
        lost: expected.saturating_sub(book.total.load(Relaxed)),
        twice: book.twice.load(Relaxed),
        per_second: deliveries as f64 / wall,
        cpu_us_per_delivery: cpu * 1e6 / deliveries as f64,
        to_each,
        to_last,
    })
}

async fn paced(book: &Book, nodes: &[Node], count: usize, per_second: f64) -> Result<usize> {
    let mut clock = time::interval(Duration::from_secs_f64(1.0 / per_second));
    // A step that is coprime to most numbers of nodes: neighbours in time are not neighbours.
    let turns = nodes.iter().cycle().step_by(7);
    for (message, node) in turns.take(count).enumerate() {
        clock.tick().await;
        book.publish(node, message).await?;
    }
    Ok(count)
}

async fn burst(book: &Arc<Book>, nodes: &[Node], count: usize, publishers: usize) -> Result<usize> {
    let mut tasks = JoinSet::new();
    for (place, node) in nodes.iter().take(publishers).cloned().enumerate() {
        let book = Arc::clone(book);
        tasks.spawn(async move {
            for message in (place..count).step_by(publishers) {
                book.publish(&node, message).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(count)
}

async fn closed(
    book: &Arc<Book>,
    nodes: &[Node],
    window: usize,
    time: Duration,
    publishers: usize,
) -> Result<usize> {
    book.room.add_permits(window);
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for node in nodes.iter().take(publishers) {
        let (node, book, next) = (node.clone(), Arc::clone(book), Arc::clone(&next));
        tasks.spawn(async move {
            while let Ok(room) = book.room.acquire().await {
                room.forget();
                let message = next.fetch_add(1, Relaxed);
                if message >= CLOSED_MAX {
                    break;
                }
                book.publish(&node, message).await?;
            }
            anyhow::Ok(())
        });
    }
    time::sleep(time).await;
    // Whoever waits for room stops; a publish under way is finished.
    book.room.close();
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(next.load(Relaxed).min(CLOSED_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(phase: u32, number: u32) -> Vec<u8> {
        [phase.to_le_bytes(), number.to_le_bytes()].concat()
    }

    #[test]
    fn the_book_counts_each_arrival_once_and_frees_room_when_all_have_it() {
        let book = Book::new(3, 3, 2, true);
        book.note(1, &message(3, 0));
        book.note(1, &message(3, 0));
        assert_eq!((book.total.load(Relaxed), book.twice.load(Relaxed)), (1, 1));
        assert_eq!(book.room.available_permits(), 0);
        book.note(2, &message(3, 0));
        assert_eq!(book.room.available_permits(), 1);
        // Another phase, an unknown message, too few bytes.
        book.note(1, &message(2, 1));
        book.note(1, &message(3, 9));
        book.note(1, &[3, 0]);
        assert_eq!(book.total.load(Relaxed), 2);
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_values() {
        let values = (0..=100).rev().map(f64::from).collect();
        let [median, high] = median_and_99th(values);
        assert!((median - 50.0).abs() < 1e-9 && (high - 99.0).abs() < 1e-9);
        assert!(median_and_99th(Vec::new())[0].is_nan());
    }
}
