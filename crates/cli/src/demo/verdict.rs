//! Whether the network did what it promises.

use std::{collections::BTreeSet, fmt::Write, sync::PoisonError, time::Duration};

use repute_identity::NodeId;
use serde::Serialize;

use super::{
    download::DownloadVerdict,
    liar::{Kind, Liar},
    network::Network,
};
use crate::{exit::Failure, show::short};

/// What `repute demo --once --json` prints.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verdict {
    nodes: usize,
    honest: usize,
    published: usize,
    expected_deliveries: usize,
    deliveries: usize,
    duplicates_to_application: usize,
    latency_ms: Latency,
    liars: Vec<LiarFate>,
    /// The forger under its second name, once it has one.
    whitewasher: Option<LiarFate>,
    slanderer: Slander,
    honest_accused: u64,
    honest_min_trust: f64,
    /// The file that was shared, once that was begun.
    transfer: Option<DownloadVerdict>,
    pub(super) ok: bool,
    /// Whether all but the file went well.
    #[serde(skip)]
    pub(super) defended: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Clone, Debug, Serialize)]
struct LiarFate {
    id: String,
    kind: &'static str,
    attacked: Vec<String>,
    banned_by: Vec<String>,
    first_ban_ms: Option<u64>,
    links_at_end: usize,
    /// Whether it got what it deserves; not printed.
    #[serde(skip)]
    settled: bool,
}

/// What warnings of an honest node came to.
#[derive(Clone, Debug, Default, Serialize)]
struct Slander {
    id: String,
    about: String,
    attacked: usize,
    warnings: u64,
    /// By how much any honest node's prior of that node moved.
    prior_moved_max: f64,
    failed: bool,
}

impl Network {
    /// Judges what has happened so far.
    pub(super) async fn verdict(&self) -> Result<Verdict, Failure> {
        let honest = self.honest.len();
        let mut liars = Vec::new();
        for liar in &self.liars {
            liars.push(self.fate(liar).await?);
        }
        let whitewasher = match &self.whitewasher {
            Some(liar) => Some(self.fate(liar).await?),
            None => None,
        };
        let slanderer = self.slander().await?;
        let (deliveries, duplicates, latencies) = self.deliveries();
        let (honest_accused, honest_min_trust) = self.honest_standing().await?;
        let expected_deliveries = self.published.len() * (honest - 1);
        let defended = self.is_said()
            && deliveries == expected_deliveries
            && duplicates == 0
            && honest_accused == 0
            && !liars.is_empty()
            && whitewasher.is_some()
            && slanderer.failed
            && liars
                .iter()
                .chain(&whitewasher)
                .all(|liar| liar.settled && liar.links_at_end == 0);
        Ok(Verdict {
            nodes: honest + self.liars.len(),
            honest,
            published: self.published.len(),
            expected_deliveries,
            deliveries,
            duplicates_to_application: duplicates,
            latency_ms: percentiles(latencies),
            liars,
            whitewasher,
            slanderer,
            honest_accused,
            honest_min_trust,
            transfer: None,
            ok: false,
            defended,
        })
    }

    /// Judges how the file fares. What was judged before stays: those who were shut out try again
    /// meanwhile.
    pub(super) async fn judge_download(&self, verdict: &mut Verdict) -> Result<(), Failure> {
        let Some(download) = &self.download else {
            return Ok(());
        };
        let transfer = download.verdict().await?;
        (verdict.honest_accused, verdict.honest_min_trust) = self.honest_standing().await?;
        verdict.ok = verdict.defended && transfer.ok && verdict.honest_accused == 0;
        verdict.transfer = Some(transfer);
        Ok(())
    }

    /// First deliveries of published messages, further ones, and how long the first took.
    fn deliveries(&self) -> (usize, usize, Vec<Duration>) {
        let (mut first, mut further, mut latencies) = (0, 0, Vec::new());
        for honest in &self.honest {
            let log = honest.log.lock().unwrap_or_else(PoisonError::into_inner);
            for (id, times) in &log.delivered {
                // A message that nobody published would be a forgery let through.
                let Some((author, began)) = self.published.get(id) else {
                    further += times.len();
                    continue;
                };
                if *author == honest.node.id() {
                    further += times.len();
                    continue;
                }
                first += 1;
                further += times.len() - 1;
                latencies.extend(times.first().map(|time| time.duration_since(*began)));
            }
        }
        (first, further, latencies)
    }

    /// How often honest accused or banned honest, and the lowest trust of one in another.
    async fn honest_standing(&self) -> Result<(u64, f64), Failure> {
        let ids: BTreeSet<NodeId> = self.honest.iter().map(|honest| honest.node.id()).collect();
        let (mut accused, mut min) = (0, 1.0f64);
        for honest in &self.honest {
            {
                let log = honest.log.lock().unwrap_or_else(PoisonError::into_inner);
                accused += log
                    .accused
                    .iter()
                    .filter(|(id, _)| ids.contains(id))
                    .map(|(_, n)| n)
                    .sum::<u64>();
                accused += log.banned.keys().filter(|id| ids.contains(id)).count() as u64;
            }
            for peer in honest.node.peers().await? {
                if ids.contains(&peer.view.id) {
                    min = min.min(peer.standing.trust.to_f64());
                }
            }
        }
        Ok((accused, (min * 1e6).round() / 1e6))
    }

    async fn slander(&self) -> Result<Slander, Failure> {
        let (Some(liar), Some(about)) = (&self.slanderer, self.honest.first()) else {
            return Ok(Slander::default());
        };
        let about = about.node.id();
        let mut moved = 0.0_f64;
        for honest in self.honest.iter().filter(|one| one.node.id() != about) {
            let prior = honest.node.standing(about).await?.prior().to_f64();
            moved = moved.max((prior - 0.5).abs());
        }
        let attacked = liar.attacked().len();
        let warnings = liar.warnings();
        Ok(Slander {
            id: liar.id.to_string(),
            about: about.to_string(),
            attacked,
            warnings,
            prior_moved_max: (moved * 1e6).round() / 1e6,
            // One percent of a stranger's score.
            failed: attacked > 0 && warnings > 0 && moved <= 0.005,
        })
    }

    async fn fate(&self, liar: &Liar) -> Result<LiarFate, Failure> {
        let mut fate = LiarFate {
            id: String::new(),
            kind: "",
            attacked: Vec::new(),
            banned_by: Vec::new(),
            first_ban_ms: None,
            links_at_end: 0,
            settled: false,
        };
        let attacked = liar.attacked();
        let began = attacked.values().min().copied();
        fate.id = liar.id.to_string();
        fate.kind = liar.kind.name();
        fate.attacked = attacked.keys().map(ToString::to_string).collect();
        let mut settled = !attacked.is_empty();
        let mut lowered = false;
        for honest in &self.honest {
            let me = honest.node.id();
            fate.links_at_end += usize::from(honest.is_linked_to(liar.id).await?);
            let standing = honest.node.standing(liar.id).await?;
            lowered |= standing.trust < repute_base::Fixed::HALF;
            let log = honest.log.lock().unwrap_or_else(PoisonError::into_inner);
            let ban = log.banned.get(&liar.id);
            if let Some((at, _)) = ban {
                fate.banned_by.push(me.to_string());
                let after = began.map(|began| at.duration_since(began).as_millis());
                let after = after.and_then(|ms| u64::try_from(ms).ok());
                fate.first_ban_ms = match (fate.first_ban_ms, after) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            if attacked.contains_key(&me) {
                settled &= match liar.kind {
                    Kind::Forger | Kind::Whitewasher => ban.is_some(),
                    Kind::Silent | Kind::Slanderer => {
                        ban.is_none() && log.silent.contains_key(&liar.id)
                    }
                };
            }
        }
        fate.settled = settled && (liar.kind != Kind::Silent || lowered);
        Ok(fate)
    }
}

fn percentiles(mut latencies: Vec<Duration>) -> Latency {
    latencies.sort_unstable();
    let at = |percent: usize| {
        let place = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        let latency = latencies.get(place).copied().unwrap_or_default();
        (latency.as_secs_f64() * 1e6).round() / 1e3
    };
    Latency {
        p50: at(50),
        p99: at(99),
        max: at(100),
    }
}

impl Verdict {
    /// Whether the file has come, or will not.
    pub(super) fn is_over(&self) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| transfer.over)
    }

    /// For people.
    pub(super) fn in_words(&self) -> String {
        let mut out = String::from("\n");
        let mut line = |ok: bool, text: String| {
            // Writing to a string cannot fail.
            let _written = writeln!(out, "{} {text}", if ok { "ok " } else { "NO " });
        };
        line(
            self.deliveries == self.expected_deliveries && self.duplicates_to_application == 0,
            format!(
                "{} messages reached {} of {} honest readers, {} twice",
                self.published,
                self.deliveries,
                self.expected_deliveries,
                self.duplicates_to_application
            ),
        );
        line(
            true,
            format!(
                "latency {:.1} ms median, {:.1} ms for the slowest percent",
                self.latency_ms.p50, self.latency_ms.p99
            ),
        );
        for liar in self.liars.iter().chain(&self.whitewasher) {
            let text = match liar.first_ban_ms {
                Some(ms) => format!(
                    "the {} {} attacked {} and was banned by {}, first after {ms} ms",
                    liar.kind,
                    short(&liar.id),
                    liar.attacked.len(),
                    liar.banned_by.len()
                ),
                None => format!(
                    "the {} {} was closed by all {} it had linked to, not banned",
                    liar.kind,
                    short(&liar.id),
                    liar.attacked.len()
                ),
            };
            line(liar.settled && liar.links_at_end == 0, text);
        }
        line(
            self.slanderer.failed,
            format!(
                "the slanderer {} warned of {} {} times and moved its prior by {:.3}",
                short(&self.slanderer.id),
                short(&self.slanderer.about),
                self.slanderer.warnings,
                self.slanderer.prior_moved_max
            ),
        );
        line(
            self.honest_accused == 0,
            format!(
                "{} accusations among the honest; their lowest trust is {:.3}",
                self.honest_accused, self.honest_min_trust
            ),
        );
        if let Some(transfer) = &self.transfer {
            let (ok, text) = transfer.in_words();
            line(ok, text);
        }
        out
    }
}
