//! What trust costs: ranks of a large graph, evidence one by one and all at once, memory, and the
//! judging of a large rating network.

use std::hint::black_box;

use anyhow::{Context as _, Result};
use repute_base::{Fixed, Machine, Rng, Timestamp, Wall};
use repute_identity::NodeId;
use repute_node::trust::{
    Context, Evidence, Fault, Input, Ledger, Limits, Output, Rank, RankConfig, RankLimits,
    RatingsConfig, RatingsLimits, RatingsParser, Record, Write,
};
use repute_protocol::Misbehaviour;
use repute_tests::{RatingNetwork, Shape};

use super::{Plan, micro::thread_time};
use crate::report::{Count, Report, Row, median};

/// Peers of the graph that is ranked, and of the ledger whose memory is measured.
const PEERS: u64 = 100_000;
/// Edges of the graph.
const EDGES: u64 = 1_000_000;
/// Of a thousand edges, those that change between two refreshes.
const CHANGED: u64 = 10;
/// Events that are recomputed.
const EVENTS: u64 = 1_000_000;
/// Peers that they are about.
const SUBJECTS: u64 = 2_000;
/// Rows of the rating network.
const RATINGS: usize = 1_000_000;
/// Bytes of the file handed in at a time.
const PIECE: usize = 1 << 16;
const START: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

pub(super) fn run(plan: &Plan) -> Result<Report> {
    let runs = plan.rounds.unwrap_or(if plan.quick { 1 } else { 3 });
    let mut rows = Vec::new();
    // First, while the process is small.
    eprintln!("{PEERS} known peers …");
    rows.push(memory()?);
    eprintln!("events …");
    let applied = repeated(runs, |run| applied(run, &mut rows))?;
    rows.push(judged("apply one event", &applied, "µs", 1.0));
    let records = records();
    let recomputed = repeated(runs, |_| recomputed(&records))?;
    rows.push(judged("recompute 1 million events", &recomputed, "s", 1.0));
    drop(records);
    eprintln!("ranks of {PEERS} peers and {EDGES} edges …");
    ranks(runs, &mut rows)?;
    eprintln!("{RATINGS} ratings …");
    ratings(runs, &mut rows)?;
    Ok(Report::new("trust", Count::Runs(runs.into()), rows))
}

fn repeated(runs: u16, mut once: impl FnMut(u16) -> Result<f64>) -> Result<Vec<f64>> {
    (0..runs).map(&mut once).collect()
}

/// In processor time of one thread.
fn seconds<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begin = thread_time();
    let result = work();
    (thread_time().saturating_sub(begin).as_secs_f64(), result)
}

fn judged(what: &str, figures: &[f64], unit: &str, bar: f64) -> Row {
    let middle = median(figures).unwrap_or(f64::NAN);
    Row::below(what, middle, unit, bar).over(figures)
}

fn id(number: u64) -> NodeId {
    let mut bytes = [0; 32];
    Rng::from_u64(number).fill(&mut bytes);
    NodeId::from_bytes(bytes)
}

fn observe(ledger: &mut Ledger, millis: u64, subject: NodeId, evidence: Evidence) -> u64 {
    let now = Timestamp::from_millis(millis, START + millis);
    let observed = Input::Observe {
        subject,
        context: Context::Network,
        evidence,
        fault: Fault::Theirs,
    };
    ledger.handle(now, observed);
    let mut records = 0;
    while let Some(output) = ledger.poll_output() {
        records += u64::from(matches!(output, Output::Persist(Write::Record(_))));
        black_box(output);
    }
    records
}

/// Of a ledger with a hundred thousand peers that each did some good over three hours.
fn memory() -> Result<Row> {
    let mut ledger = Ledger::new(Default::default(), Limits::default())?;
    let before = resident()?;
    for hour in 0..3 {
        for peer in 0..PEERS {
            observe(&mut ledger, hour * HOUR, id(peer), Evidence::Useful);
        }
    }
    anyhow::ensure!(
        ledger.subjects().count() as u64 == PEERS,
        "peers are missing"
    );
    let held = resident()?.saturating_sub(before);
    drop(ledger);
    let each = held as f64 / PEERS as f64;
    Ok(Row::below("state of a known peer", each, "B", 512.0))
}

/// Bytes of this process in memory.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("no /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib
        .context("no VmRSS in /proc/self/status")?
        .trim()
        .parse()?;
    Ok(kib * 1_024)
}

/// µs for one event, from observing it to what is to be stored of it, among two thousand peers.
fn applied(run: u16, rows: &mut Vec<Row>) -> Result<f64> {
    let mut ledger = Ledger::new(Default::default(), Limits::default())?;
    let ids: Vec<NodeId> = (0..SUBJECTS).map(id).collect();
    let events = 200_000;
    let (spent, recorded) = seconds(|| {
        let mut recorded = 0;
        for (number, subject) in (0..events).zip(ids.iter().cycle()) {
            // Ten rounds an hour: none is beyond what an interval credits.
            let millis = number / SUBJECTS * HOUR / 10;
            recorded += observe(&mut ledger, millis, *subject, Evidence::Useful);
        }
        recorded
    });
    if run == 0 {
        let what = "events of those applied that were recorded";
        rows.push(Row::exactly(what, recorded as f64, "events", events as f64));
    }
    Ok(spent * 1e6 / events as f64)
}

/// What a store holds of two thousand peers, mostly good ones.
fn records() -> Vec<Record> {
    let ids: Vec<NodeId> = (0..SUBJECTS).map(id).collect();
    let numbered = (0..EVENTS).zip(ids.iter().cycle());
    let record = |(number, subject): (u64, &NodeId)| Record {
        number: number + 1,
        subject: *subject,
        context: Context::Network,
        evidence: match number % 997 {
            0 => Evidence::Invalid(Misbehaviour::ForgedEnvelope),
            1..20 => Evidence::Timeout,
            _ => Evidence::Useful,
        },
        fault: Fault::Theirs,
        wall: Wall::from_millis(START + number / SUBJECTS * HOUR / 10),
    };
    numbered.map(record).collect()
}

fn recomputed(records: &[Record]) -> Result<f64> {
    let mut ledger = Ledger::new(Default::default(), Limits::default())?;
    let (spent, ()) = seconds(|| {
        for record in records {
            ledger.restore(record);
            while let Some(output) = ledger.poll_output() {
                black_box(output);
            }
        }
    });
    anyhow::ensure!(
        ledger.subjects().count() as u64 == SUBJECTS,
        "peers are missing"
    );
    Ok(spent)
}

fn ranks(runs: u16, rows: &mut Vec<Row>) -> Result<()> {
    let mut rng = Rng::from_u64(1);
    let ids: Vec<NodeId> = (0..PEERS).map(id).collect();
    let own = id(0);
    // Room for the edges that change.
    let limits = RankLimits {
        edges: 2 * EDGES as usize,
        ..RankLimits::default()
    };
    let mut rank = Rank::new(own, RankConfig::default(), limits)?;
    let any = |rng: &mut Rng| ids.get(rng.below(PEERS) as usize).copied().unwrap_or(own);
    let weight = |rng: &mut Rng| Fixed::ratio(1 + rng.below(100) as i64, 10);
    let set = |rank: &mut Rank, from: NodeId, rng: &mut Rng| {
        // The smaller of two draws: some are known better than others.
        let (one, other) = (any(rng), any(rng));
        rank.set_edge(from, one.min(other), weight(rng));
    };
    let (filled, ()) = seconds(|| {
        for from in &ids {
            for _ in 0..EDGES / PEERS {
                set(&mut rank, *from, &mut rng);
            }
        }
        while (rank.edges() as u64) < EDGES {
            let from = any(&mut rng);
            set(&mut rank, from, &mut rng);
        }
    });
    let edges = rank.edges();
    let cold = repeated(runs, |_| Ok(seconds(|| rank.refresh_cold()).0))?;
    let passes = rank.refresh_cold().iterations;
    let warm = repeated(runs, |_| {
        for _ in 0..EDGES * CHANGED / 1_000 {
            let from = any(&mut rng);
            set(&mut rank, from, &mut rng);
        }
        Ok(seconds(|| rank.refresh()).0)
    })?;
    rows.extend([
        Row::exactly("peers ranked", rank.len() as f64, "peers", PEERS as f64),
        Row::exactly("edges", edges as f64, "edges", EDGES as f64),
        judged("rank refresh, cold", &cold, "s", 1.0),
        Row::plain("passes over the edges, cold", passes.into(), "passes"),
        judged(
            "rank refresh after 1 % of the edges changed",
            &warm,
            "s",
            1.0,
        ),
        Row::plain("set one edge", filled * 1e6 / EDGES as f64, "µs"),
    ]);
    Ok(())
}

fn ratings(runs: u16, rows: &mut Vec<Row>) -> Result<()> {
    let shape = Shape {
        users: 170_000,
        ratings: RATINGS,
        ..Shape::default()
    };
    let network = RatingNetwork::generate(1, shape);
    let (file, anchors) = (network.csv(), network.anchors.iter().map(u32::to_string));
    let anchors: Vec<String> = anchors.collect();
    let anchors: Vec<&str> = anchors.iter().map(String::as_str).collect();
    let mut read = 0;
    let figures = repeated(runs, |_| {
        let (spent, judged) = seconds(|| {
            let mut parser = RatingsParser::new(RatingsLimits::default());
            for piece in file.as_bytes().chunks(PIECE) {
                parser.feed(piece)?;
            }
            let ratings = parser.finish()?;
            read = ratings.len();
            let judged = ratings.judge(&anchors, &RatingsConfig::default())?;
            Ok::<_, anyhow::Error>(black_box(judged.subjects.len()))
        });
        anyhow::ensure!(judged? > 100_000, "subjects are missing");
        Ok(spent)
    })?;
    rows.extend([
        Row::at_least("ratings read", read as f64, "rows", RATINGS as f64),
        judged("import of 1 million ratings, judged", &figures, "s", 10.0),
    ]);
    Ok(())
}
