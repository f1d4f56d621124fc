//! The parts of the node one by one, in processor time of one thread.

use std::{hint::black_box, time::Duration};

use anyhow::Result;
use parts::{Messages, Relay, Whole, relay};
use repute_base::{Machine, Rng, Timestamp};
use repute_identity::{NodeId, Verifier};
use repute_node::{
    Config, Core, Snapshot,
    trust::{Context, Evidence, Fault, Input, Ledger, Limits, Output, Record, Write},
};
use repute_protocol::{Envelope, ProvenBursts, verify_all_with};
use rustix::time::{ClockId, clock_gettime};

use super::Plan;
use crate::report::{Count, Report, Row, median};

/// How many times a signature checked singly costs more than one in a full batch.
const BATCH_GAIN: f64 = 1.8;
/// Envelopes of a batch.
const BATCH: usize = 64;
/// Messages of the relays.
const MESSAGES: usize = 1_000;
/// Events of the ledger that is restored.
const EVENTS: u64 = 10_000;

/// How often and how long each part is measured.
struct Effort {
    runs: u16,
    time: Duration,
}

pub(super) fn run(plan: &Plan) -> Result<Report> {
    let (runs, millis) = if plan.quick { (3, 50) } else { (7, 300) };
    let effort = Effort {
        runs: plan.rounds.unwrap_or(runs),
        time: Duration::from_millis(millis),
    };
    let mut rows = Vec::new();
    eprintln!("envelopes …");
    envelopes(&effort, &mut rows)?;
    eprintln!("signatures …");
    for (whose, authors) in [("one author", 1), ("64 authors", BATCH)] {
        signatures(&effort, whose, authors, &mut rows)?;
    }
    bursts(&effort, &mut rows)?;
    eprintln!("engines …");
    engines(&effort, &mut rows)?;
    ledger(&effort, &mut rows)?;
    Ok(Report::new("micro", Count::Runs(effort.runs.into()), rows))
}

/// Processor time of this thread.
pub(super) fn thread_time() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(used.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(used.tv_nsec).unwrap_or(0))
}

impl Effort {
    /// µs of each of `count` operations that one call of `work` does on what `prepare` made; the
    /// preparation is not counted. One figure a run.
    fn each<T>(
        &self,
        count: usize,
        mut prepare: impl FnMut() -> Result<T>,
        mut work: impl FnMut(T),
    ) -> Result<Vec<f64>> {
        let mut figures = Vec::new();
        for _ in 0..self.runs {
            let (mut spent, mut done) = (Duration::ZERO, 0_usize);
            while spent < self.time {
                let prepared = prepare()?;
                let begin = thread_time();
                work(prepared);
                spent += thread_time().saturating_sub(begin);
                done += count;
            }
            figures.push(spent.as_secs_f64() * 1e6 / done as f64);
        }
        Ok(figures)
    }
}

fn row(what: &str, figures: &[f64]) -> Row {
    Row::plain(what, median(figures).unwrap_or(f64::NAN), "µs").over(figures)
}

fn envelopes(effort: &Effort, rows: &mut Vec<Row>) -> Result<()> {
    let messages = Messages::sign(BATCH, 4)?;
    let nothing = || Ok(());
    let signing = effort.each(BATCH, nothing, |()| {
        for (author, draft) in messages.drafts() {
            black_box(draft.sign(author));
        }
    })?;
    rows.push(row("envelope sign", &signing));
    let messages_of_one = Messages::sign(BATCH, 1)?;
    let together = effort.each(BATCH, nothing, |()| {
        drop(black_box(messages_of_one.sign_together()));
    })?;
    rows.push(row("envelope sign, 64 together", &together));
    let encoding = effort.each(BATCH, nothing, |()| {
        messages
            .envelopes()
            .for_each(|one| drop(black_box(parts::frame(&one))));
    })?;
    rows.push(row("envelope encode into a frame", &encoding));
    let decoding = effort.each(BATCH, nothing, |()| {
        for wire in messages.wires() {
            drop(black_box(Envelope::decode(wire)));
        }
    })?;
    rows.push(row("envelope decode and name", &decoding));
    Ok(())
}

fn signatures(effort: &Effort, whose: &str, authors: usize, rows: &mut Vec<Row>) -> Result<()> {
    let messages = Messages::sign(BATCH, authors)?;
    let singly = effort.each(
        BATCH,
        || Ok(messages.envelopes().collect::<Vec<_>>()),
        |envelopes| {
            for envelope in envelopes {
                drop(black_box(envelope.verify()));
            }
        },
    )?;
    rows.push(row(&format!("signature check singly, {whose}"), &singly));
    let mut verifier = Verifier::new([7; 32]);
    let batched = effort.each(
        BATCH,
        || Ok(messages.envelopes().collect::<Vec<_>>()),
        |envelopes| drop(black_box(verify_all_with(&mut verifier, envelopes))),
    )?;
    rows.push(row(
        &format!("signature check in batches of 64, {whose}"),
        &batched,
    ));
    let gains: Vec<f64> = singly
        .iter()
        .zip(&batched)
        .map(|(one, all)| one / all)
        .collect();
    let gain = median(&gains).unwrap_or(f64::NAN);
    let what = format!("signature checks in batches of 64 against singly, {whose}");
    rows.push(Row::at_least(&what, gain, "x", BATCH_GAIN).over(&gains));
    Ok(())
}

/// Messages that were signed together: the first is checked, the rest recognised.
fn bursts(effort: &Effort, rows: &mut Vec<Row>) -> Result<()> {
    let messages = Messages::sign(BATCH, 1)?;
    let together = messages.sign_together();
    let mut verifier = Verifier::new([7; 32]);
    let checking = effort.each(
        BATCH,
        || {
            let envelopes = together
                .iter()
                .map(|one| Envelope::decode(one.wire().clone()));
            Ok(envelopes.collect::<Result<Vec<_>, _>>()?)
        },
        |envelopes| {
            let mut proven = ProvenBursts::new();
            for envelope in envelopes {
                if let Err(unknown) = proven.recognise(envelope) {
                    for checked in verify_all_with(&mut verifier, vec![unknown])
                        .into_iter()
                        .flatten()
                    {
                        proven.note(&checked);
                    }
                }
            }
            black_box(proven);
        },
    )?;
    rows.push(row("signature check of 64 signed together", &checking));
    Ok(())
}

fn engines(effort: &Effort, rows: &mut Vec<Row>) -> Result<()> {
    let messages = Messages::sign(MESSAGES, 4)?;
    let step = effort.each(MESSAGES, Relay::new, |mut engine| {
        black_box(relay(&mut engine, &messages));
    })?;
    rows.push(row("gossip engine, a message decoded and relayed", &step));
    let step = effort.each(MESSAGES, Whole::new, |mut core| {
        black_box(core.relay(&messages));
    })?;
    rows.push(row("core, a message decoded and relayed", &step));
    Ok(())
}

fn ledger(effort: &Effort, rows: &mut Vec<Row>) -> Result<()> {
    let append = effort.each(
        usize::try_from(EVENTS)?,
        || Ok(Ledger::new(Default::default(), Limits::default())?),
        |ledger| drop(black_box(records(ledger))),
    )?;
    rows.push(row("ledger append", &append));
    let records = records(Ledger::new(Default::default(), Limits::default())?);
    let restore = effort.each(
        1,
        || {
            Ok(Snapshot {
                start: 1,
                records: records.clone(),
                ..Snapshot::default()
            })
        },
        |snapshot| {
            let me = NodeId::from_bytes([1; 32]);
            let config = Config::on_network("bench");
            drop(black_box(Core::new(
                me,
                config,
                snapshot,
                None,
                Rng::from_u64(1),
            )));
        },
    )?;
    rows.push(row(
        "core restored from a snapshot of 10,000 events",
        &restore,
    ));
    Ok(())
}

/// Good service of a hundred peers, in turn, and what the ledger wants stored of it.
fn records(mut ledger: Ledger) -> Vec<Record> {
    let mut records = Vec::new();
    for number in 0..EVENTS {
        let mut subject = [9; 32];
        if let Some(first) = subject.first_mut() {
            *first = (number % 100) as u8;
        }
        let now = Timestamp::from_millis(number * 1_000, 1_800_000_000_000 + number * 1_000);
        let observed = Input::Observe {
            subject: NodeId::from_bytes(subject),
            context: Context::Network,
            evidence: Evidence::Useful,
            fault: Fault::Theirs,
        };
        ledger.handle(now, observed);
        while let Some(output) = ledger.poll_output() {
            if let Output::Persist(Write::Record(record)) = output {
                records.push(record);
            }
        }
    }
    records
}
