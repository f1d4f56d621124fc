use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout_at},
};

use crate::{
    Args, Record,
    counters::{Snap, delta, peak_rss_mib, reset_peak_rss, rss_mib, snap},
    record::SLOT_US,
    sample::{pct, sorted},
};

/// A phase ends when nothing new has arrived for so long, in µs, whatever is missing.
const PATIENCE_US: u64 = 5_000_000;
/// Between two phases, so that the tail of one does not count in the next.
const REST: Duration = Duration::from_millis(1_500);
/// How long the cost of doing nothing is measured.
const IDLE: Duration = Duration::from_secs(5);

/// A network that can be asked to publish.
pub trait Publisher: Send + Sync + 'static {
    /// Publishes from `node`; waits while the implementation pushes back.
    fn publish(&self, node: usize, data: Vec<u8>) -> impl Future<Output = ()> + Send;

    /// Messages received before duplicates are removed, and unique ones, summed over nodes.
    fn raw_unique(&self) -> impl Future<Output = Option<(u64, u64)>> + Send {
        async { None }
    }
}

/// How messages come.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// `count` messages at `rate` a second, publishers in turn.
    Paced {
        /// Messages.
        count: usize,
        /// A second.
        rate: f64,
    },
    /// As fast as the implementation accepts them.
    Burst {
        /// Messages.
        count: usize,
        /// From so many nodes at once.
        pubs: usize,
    },
    /// So many under way for a time; another when one has reached every other node.
    Closed {
        /// Messages under way.
        window: usize,
        /// Seconds.
        secs: f64,
        /// From so many nodes at once.
        pubs: usize,
    },
}

/// What publishing left behind.
struct Offered {
    published: usize,
    /// Seconds until the last message of a burst was accepted.
    accept_wall: f64,
    /// Deliveries and counters when the window of a closed phase ended.
    at_end: Option<(u64, Snap)>,
}

/// Runs one phase and prints its figures.
pub async fn run_phase<P: Publisher>(
    label: &str,
    record: &Arc<Record>,
    network: &Arc<P>,
    load: Load,
    size: usize,
) {
    let used = match load {
        Load::Paced { count, .. } | Load::Burst { count, .. } => count.min(record.cap),
        Load::Closed { .. } => record.cap,
    };
    let phase = record.begin(used);
    reset_peak_rss();
    let raw_before = network.raw_unique().await;
    let begin = snap();
    let offered = match load {
        Load::Paced { rate, .. } => paced(record, network, phase, size, used, rate).await,
        Load::Burst { pubs, .. } => burst(record, network, phase, size, used, pubs).await,
        Load::Closed { window, secs, pubs } => {
            closed(record, network, phase, size, window, secs, pubs).await
        }
    };
    // The tail: until all is there, or nothing new comes.
    let want = (offered.published * (record.n - 1)) as u64;
    while record.total.load(Relaxed) < want {
        let quiet = record
            .now_us()
            .saturating_sub(record.latest_us.load(Relaxed));
        if quiet > PATIENCE_US && begin.t.elapsed().as_secs_f64() > 5.0 {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    let end = snap();
    let copies = match (raw_before, network.raw_unique().await) {
        (Some((raw0, unique0)), Some((raw1, unique1))) if unique1 > unique0 => {
            (raw1 - raw0) as f64 / (unique1 - unique0) as f64
        }
        _ => f64::NAN,
    };
    print_figures(label, record, size, want, begin, end, &offered, copies);
}

async fn paced<P: Publisher>(
    record: &Arc<Record>,
    network: &Arc<P>,
    phase: u32,
    size: usize,
    count: usize,
    rate: f64,
) -> Offered {
    let mut clock = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    for number in 0..count {
        clock.tick().await;
        let author = (number * 7) % record.n;
        network
            .publish(author, record.message(phase, number, author, size))
            .await;
    }
    Offered {
        published: count,
        accept_wall: 0.0,
        at_end: None,
    }
}

async fn burst<P: Publisher>(
    record: &Arc<Record>,
    network: &Arc<P>,
    phase: u32,
    size: usize,
    count: usize,
    pubs: usize,
) -> Offered {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for author in 0..pubs {
        let (record, network) = (Arc::clone(record), Arc::clone(network));
        tasks.spawn(async move {
            for number in (author..count).step_by(pubs) {
                network
                    .publish(author, record.message(phase, number, author, size))
                    .await;
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    Offered {
        published: count,
        accept_wall: begin.elapsed().as_secs_f64(),
        at_end: None,
    }
}

async fn closed<P: Publisher>(
    record: &Arc<Record>,
    network: &Arc<P>,
    phase: u32,
    size: usize,
    window: usize,
    secs: f64,
    pubs: usize,
) -> Offered {
    // Room that the last phase left does not count.
    while let Ok(permit) = record.room.try_acquire() {
        permit.forget();
    }
    record.closed.store(true, Relaxed);
    record.room.add_permits(window);
    let next = Arc::new(AtomicUsize::new(0));
    let end = Instant::now() + Duration::from_secs_f64(secs);
    let mut tasks = JoinSet::new();
    for author in 0..pubs {
        let (record, network, next) = (Arc::clone(record), Arc::clone(network), Arc::clone(&next));
        tasks.spawn(async move {
            while Instant::now() < end {
                let room = Arc::clone(&record.room).acquire_owned();
                let Ok(Ok(permit)) = timeout_at(end.into(), room).await else {
                    break;
                };
                permit.forget();
                let number = next.fetch_add(1, Relaxed);
                if number >= record.cap {
                    next.fetch_sub(1, Relaxed);
                    break;
                }
                network
                    .publish(author, record.message(phase, number, author, size))
                    .await;
            }
        });
    }
    reap(record, &next, end).await;
    let at_end = Some((record.total.load(Relaxed), snap()));
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
    Offered {
        published: next.load(Relaxed).min(record.cap),
        accept_wall: 0.0,
        at_end,
    }
}

/// Until the end: a message that has not reached everybody in time gives its slot back.
async fn reap(record: &Record, next: &AtomicUsize, end: Instant) {
    let mut settled = vec![false; record.cap];
    while Instant::now() < end {
        sleep(Duration::from_millis(250)).await;
        let now = record.now_us();
        let published = next.load(Relaxed).min(record.cap);
        for (number, settled) in settled.iter_mut().enumerate().take(published) {
            if *settled {
                continue;
            }
            let sent = record.sent_us[number].load(Relaxed);
            if record.reached[number].load(Relaxed) as usize == record.n - 1 {
                *settled = true;
            } else if sent != 0 && now > sent + u64::from(SLOT_US) {
                *settled = true;
                record.room.add_permits(1);
            }
        }
    }
}

/// Latencies in ms to each node and to the last, and the seconds since `start_us` of each delivery.
struct Times {
    each: Vec<f64>,
    last: Vec<f64>,
    at: Vec<f64>,
}

fn times(record: &Record, published: usize, start_us: u64) -> Times {
    let (mut each, mut last, mut at) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..published {
        let sent = record.sent_us[number].load(Relaxed);
        let cells = &record.latency[number * record.n..(number + 1) * record.n];
        for took in cells
            .iter()
            .map(|cell| u64::from(cell.load(Relaxed)))
            .filter(|took| *took > 0)
        {
            each.push((took - 1) as f64 / 1_000.0);
            at.push((sent + took - 1).saturating_sub(start_us) as f64 / 1e6);
        }
        if record.reached[number].load(Relaxed) as usize == record.n - 1 {
            last.push(record.last_us[number].load(Relaxed).saturating_sub(sent) as f64 / 1_000.0);
        }
    }
    Times {
        each: sorted(each),
        last: sorted(last),
        at: sorted(at),
    }
}

#[allow(clippy::too_many_arguments)]
fn print_figures(
    label: &str,
    record: &Record,
    size: usize,
    want: u64,
    begin: Snap,
    end: Snap,
    offered: &Offered,
    copies: f64,
) {
    let total = record.total.load(Relaxed);
    let published = offered.published;
    let start_us = (begin.t - record.base).as_micros() as u64;
    let Times { each, last, at } = times(record, published, start_us);
    // The rate of a closed phase is that of its window; the others end with their last delivery.
    let cost = delta(begin, offered.at_end.map_or(end, |(_, snap)| snap));
    let (counted, wall) = match offered.at_end {
        Some((delivered, _)) => (delivered, cost.wall),
        None => (total, pct(&at, 100.0)),
    };
    let counted = counted.max(1) as f64;
    let (n, full) = (record.n, last.len());
    println!(
        "RESULT phase={label} n={n} size={size} published={published} want={want} \
         delivered={total} loss_pct={:.4} full={full} del_per_s={:.0} del_per_s95={:.0} \
         wall={wall:.3} accept_wall={:.3} lat_p50={:.3} lat_p99={:.3} last_p50={:.3} \
         last_p99={:.3} last_max={:.3} cpu_us_per_del={:.2} cpu_cores={:.2} wire_x={:.3} \
         recv_x={copies:.3} peak_rss_mib={:.1} other_load={:.2} appdup={} stray={}",
        want.saturating_sub(total) as f64 * 100.0 / want.max(1) as f64,
        counted / wall,
        // Up to the 95th percentile: the sustained part, without a tail of repairs.
        total as f64 * 0.95 / pct(&at, 95.0),
        offered.accept_wall,
        pct(&each, 50.0),
        pct(&each, 99.0),
        pct(&last, 50.0),
        pct(&last, 99.0),
        pct(&last, 100.0),
        cost.cpu * 1e6 / counted,
        cost.cpu / cost.wall,
        cost.lo as f64 / (counted * size as f64),
        peak_rss_mib(),
        cost.other,
        record.twice.load(Relaxed),
        record.stray.load(Relaxed),
    );
}

/// The phases named by `--phases`, the same for every implementation.
pub async fn standard_phases<P: Publisher>(record: &Arc<Record>, network: &Arc<P>, args: &Args) {
    let n = record.n;
    let size = args.val("size", 1024_usize);
    let phases = args.str("phases", "paced,burst1,burstall,closed1,closedall");
    let count = args.val("m", 2000_usize);
    let (window, secs) = (args.val("window", 64), args.val("secs", 6.0));
    for phase in phases.split(',') {
        let load = match phase {
            "idle" => {
                idle(n).await;
                continue;
            }
            "paced" => Load::Paced {
                count: args.val("paced-count", 150),
                rate: args.val("rate", 10.0),
            },
            "burst1" => Load::Burst { count, pubs: 1 },
            "burstall" => Load::Burst { count, pubs: n },
            "closed1" => Load::Closed {
                window,
                secs,
                pubs: 1,
            },
            "closedall" => Load::Closed {
                window,
                secs,
                pubs: n,
            },
            other => {
                eprintln!(
                    "there is no phase {other:?}: idle, paced, burst1, burstall, closed1, closedall"
                );
                std::process::exit(2);
            }
        };
        run_phase(phase, record, network, load, size).await;
        sleep(REST).await;
    }
}

/// What the network costs while nobody publishes: heartbeats, keep-alives.
async fn idle(n: usize) {
    let begin = snap();
    sleep(IDLE).await;
    let cost = delta(begin, snap());
    println!(
        "RESULT phase=idle n={n} cpu_cores={:.4} lo_bytes_per_s={:.0} rss_mib={:.1} other_load={:.2}",
        cost.cpu / cost.wall,
        cost.lo as f64 / cost.wall,
        rss_mib(),
        cost.other,
    );
}
