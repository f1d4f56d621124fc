use alloc::vec::Vec;
use core::time::Duration;

use repute_base::{Fixed, Wall};
use repute_identity::NodeId;

use super::{
    estimate::{COUNT_MAX, Fading},
    sample::{Direction, Sample, SigningOutcome, Transfer},
    steadiness::Steadiness,
    tally::{Mean, Tally},
    uptime::Uptime,
};
use crate::{Context, Evidence, Fault, Record};

const HOUR_MS: u64 = 3_600_000;
/// Half-lives, in hours: of service, of signing faults and relayed bytes, of the penalty pool.
const SERVICE: f64 = 720.0;
const LONG: f64 = 2_160.0;
const POOL: f64 = 24.0;

/// The most that the penalty pool holds, in points.
pub(crate) const POOL_MAX: Fixed = Fixed::from_int(40);
/// Pairs of ends that count for a relay in a day.
pub const PAIRS_PER_DAY: usize = 16;
/// What one pair counts for in a day: one GiB, in KiB.
const PAIR_KIB_MAX: u32 = 1 << 20;
/// Fewer bytes than this are over before they tell anything about bandwidth.
const BANDWIDTH_BYTES_MIN: u64 = 16 * 1_024;
const LATENCY_MAX: Duration = Duration::from_secs(60);
const TIME_MAX: Duration = Duration::from_secs(86_400);
/// Tallies of the application's own.
pub const CUSTOM: usize = 4;

/// What was observed of one peer: bounded statistics, from which every model makes its score.
///
/// A fold of recorded events and samples. Counts fade by whole hours: service with a half-life of
/// 30 days, signing faults and relayed bytes 90 days, penalties 24 hours; uptime is a window of 30
/// days. All fields are open, so that a score can be computed from metrics that were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Useful events.
    pub useful: Fixed,
    /// Broken rules.
    pub invalid: Fixed,
    /// Answers that did not come.
    pub timeouts: Fixed,
    /// How much trust swings.
    pub steadiness: Steadiness,
    /// Transfers in both directions.
    pub transfers: Tally,
    /// Latency, in ms.
    pub latency: Mean,
    /// Bandwidth from the peer, in KiB/s.
    pub download: Mean,
    /// Bandwidth to the peer, in KiB/s.
    pub upload: Mean,
    /// Probes of the last 30 days.
    pub uptime: Uptime,
    /// Signing sessions.
    pub signing: Signing,
    /// Relaying.
    pub relay: Relay,
    /// Events of the application's own.
    pub custom: [Tally; CUSTOM],
    /// Things done together, ever.
    pub interactions: u64,
    /// When it was first and last seen, in ledger time.
    pub first_seen: Wall,
    /// See [`first_seen`](Self::first_seen).
    pub last_seen: Wall,
    /// The hour, since the epoch, up to which the counts have faded.
    pub hour: u64,
}

/// Signing sessions with a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signing {
    /// Sessions completed; these do not fade.
    pub completed: Fixed,
    /// Sessions it did not answer in.
    pub timeouts: Fixed,
    /// Sessions it left.
    pub disconnects: Fixed,
    /// Sessions in which its part was wrong.
    pub invalid: Fixed,
    /// Sessions it called off.
    pub aborts: Fixed,
    /// How long it takes, in seconds.
    pub seconds: Mean,
    /// Fresh penalties, in points.
    pub pool: Fixed,
}

/// What a peer relayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relay {
    /// Circuits.
    pub circuits: Tally,
    /// Reservations.
    pub reservations: Tally,
    /// MiB relayed, by receipts of both ends, each pair's share capped.
    pub mib: Fixed,
    /// Which pairs of ends have counted today.
    pub today: Pairs,
}

/// The pairs of ends that counted for a relay on one day, and for how much.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    pub(crate) day: u64,
    /// By name, and their KiB.
    pub(crate) kib: Vec<(u32, u32)>,
}

impl Metrics {
    /// Everything as it has faded by `at`.
    pub fn at(&self, at: Wall) -> Self {
        let hour = at.as_millis() / HOUR_MS;
        let mut later = self.clone();
        later.uptime = later.uptime.at(at);
        let Some(hours) = hour.checked_sub(self.hour).filter(|hours| *hours > 0) else {
            return later;
        };
        later.hour = hour;
        let (service, long) = (Fading::over(hours, SERVICE), Fading::over(hours, LONG));
        for count in [&mut later.useful, &mut later.invalid, &mut later.timeouts] {
            *count = service.of(*count);
        }
        for tally in later.custom.iter_mut().chain([&mut later.transfers]) {
            *tally = tally.faded(service);
        }
        for mean in [&mut later.latency, &mut later.download, &mut later.upload] {
            *mean = mean.faded(service);
        }
        later.steadiness = later.steadiness.at(hour);
        later.signing.fade(long, Fading::over(hours, POOL));
        later.relay.fade(service, long);
        later
    }

    /// Folds in one record of the ledger. Only what was the peer's own fault counts.
    pub(crate) fn record(&mut self, record: &Record) {
        self.advance(record.wall);
        // A transfer is counted by its sample.
        if record.fault != Fault::Theirs || record.context == Context::Transfer {
            return;
        }
        let count = match record.evidence {
            Evidence::Useful => &mut self.useful,
            Evidence::Invalid(_) => &mut self.invalid,
            Evidence::Timeout => &mut self.timeouts,
            _ => return,
        };
        *count = (*count + Fixed::ONE).min(COUNT_MAX);
        self.met(record.wall, record.evidence == Evidence::Useful);
    }

    /// Folds in one sample. A failure that was not the peer's own is none.
    pub(crate) fn sample(&mut self, at: Wall, sample: &Sample, fault: Fault) {
        self.advance(at);
        if sample.is_good() == Some(false) && fault != Fault::Theirs {
            return;
        }
        match sample {
            Sample::Probe { answered } => {
                self.uptime.probe(at, *answered);
                if *answered {
                    self.seen(at);
                }
            }
            Sample::Latency(latency) => {
                self.latency.add(millis(*latency));
                self.seen(at);
            }
            Sample::Transfer(transfer) => self.transfer(transfer),
            Sample::Circuit { ok } => self.relay.circuits.count(*ok),
            Sample::Reservation { ok } => self.relay.reservations.count(*ok),
            Sample::Relayed { ends, bytes } => {
                self.relay
                    .relayed(at.as_millis() / (24 * HOUR_MS), *ends, *bytes);
            }
            Sample::Signing { outcome, took } => self.signing.ended(*outcome, *took),
            Sample::Custom { slot, ok } => {
                let Some(tally) = self.custom.get_mut(usize::from(*slot)) else {
                    return;
                };
                tally.count(*ok);
            }
        }
        if sample.is_interaction() {
            self.met(at, sample.is_good() == Some(true));
        }
    }

    /// Trust is this from now on.
    pub(crate) fn standing(&mut self, at: Wall, trust: Fixed) {
        self.advance(at);
        self.steadiness.observe(at.as_millis() / HOUR_MS, trust);
    }

    fn advance(&mut self, at: Wall) {
        if at.as_millis() / HOUR_MS > self.hour {
            *self = self.at(at);
        }
        if self.first_seen == Wall::ZERO {
            self.first_seen = at;
        }
    }

    fn met(&mut self, at: Wall, there: bool) {
        self.interactions = self.interactions.saturating_add(1);
        if there {
            self.seen(at);
        }
    }

    fn seen(&mut self, at: Wall) {
        self.last_seen = self.last_seen.max(at);
    }

    fn transfer(&mut self, transfer: &Transfer) {
        self.transfers.count(transfer.ok);
        if let Some(latency) = transfer.latency {
            self.latency.add(millis(latency));
        }
        let took = transfer.took.min(TIME_MAX).as_millis().max(1);
        if transfer.ok && transfer.bytes >= BANDWIDTH_BYTES_MIN {
            // In KiB/s; more than a TiB at once is cut.
            let bytes = i64::try_from(transfer.bytes.min(1 << 40)).unwrap_or(i64::MAX);
            let took = i64::try_from(took).unwrap_or(i64::MAX);
            let rate = Fixed::ratio(bytes.saturating_mul(1_000), took.saturating_mul(1_024));
            match transfer.direction {
                Direction::Down => self.download.add(rate),
                Direction::Up => self.upload.add(rate),
            }
        }
    }

    /// Bandwidth over both directions, in KiB/s.
    pub fn bandwidth(&self) -> Mean {
        let count = self.download.count + self.upload.count;
        let (down, up) = (self.download.count.div(count), self.upload.count.div(count));
        Mean {
            value: self.download.value.mul(down) + self.upload.value.mul(up),
            count,
        }
    }

    /// Everything that went well or not, of whatever kind but the application's own.
    pub fn outcomes(&self) -> Tally {
        let signing = Tally {
            ok: self.signing.completed,
            failed: self.signing.failures(),
        };
        self.messages()
            .plus(&self.transfers)
            .plus(&self.relay.circuits)
            .plus(&signing)
    }

    /// Messages and answers: useful, against broken rules and timeouts.
    pub fn messages(&self) -> Tally {
        Tally {
            ok: self.useful,
            failed: self.invalid + self.timeouts,
        }
    }
}

impl Signing {
    /// Failures by weight: timeouts 1, disconnects 2, wrong parts 4, aborts 0.6.
    pub fn failures(&self) -> Fixed {
        self.timeouts
            + self.disconnects.mul(Fixed::from_int(2))
            + self.invalid.mul(Fixed::from_int(4))
            + self.aborts.mul(Fixed::ratio(6, 10))
    }

    /// Sessions in all.
    pub fn sessions(&self) -> Fixed {
        self.completed + self.timeouts + self.disconnects + self.invalid + self.aborts
    }

    fn ended(&mut self, outcome: SigningOutcome, took: Duration) {
        let (count, penalty) = match outcome {
            SigningOutcome::Completed => (&mut self.completed, 0),
            SigningOutcome::TimedOut => (&mut self.timeouts, 5),
            SigningOutcome::Disconnected => (&mut self.disconnects, 10),
            SigningOutcome::Invalid => (&mut self.invalid, 20),
            SigningOutcome::Aborted => (&mut self.aborts, 3),
        };
        *count = (*count + Fixed::ONE).min(COUNT_MAX);
        self.pool = (self.pool + Fixed::from_int(penalty)).min(POOL_MAX);
        if outcome == SigningOutcome::Completed {
            let ms = took.min(TIME_MAX).as_millis();
            self.seconds
                .add(Fixed::ratio(i64::try_from(ms).unwrap_or(i64::MAX), 1_000));
        }
    }

    fn fade(&mut self, long: Fading, pool: Fading) {
        for count in [
            &mut self.timeouts,
            &mut self.disconnects,
            &mut self.invalid,
            &mut self.aborts,
        ] {
            *count = long.of(*count);
        }
        self.pool = pool.of(self.pool);
    }
}

impl Relay {
    fn relayed(&mut self, day: u64, ends: [NodeId; 2], bytes: u64) {
        let kib = u32::try_from(bytes >> 10).unwrap_or(u32::MAX);
        let counted = Fixed::ratio(self.today.counted(day, ends, kib).into(), 1_024);
        self.mib = (self.mib + counted).min(COUNT_MAX);
    }

    fn fade(&mut self, service: Fading, long: Fading) {
        self.circuits = self.circuits.faded(service);
        self.reservations = self.reservations.faded(service);
        self.mib = long.of(self.mib);
    }
}

impl Pairs {
    /// How much of `kib` still counts for this pair on this day.
    fn counted(&mut self, day: u64, [one, other]: [NodeId; 2], kib: u32) -> u32 {
        if one == other {
            return 0;
        }
        if day != self.day {
            self.day = day;
            self.kib.clear();
        }
        let name = name_of(one) ^ name_of(other);
        if !self.kib.iter().any(|(known, _)| *known == name) {
            if self.kib.len() >= PAIRS_PER_DAY {
                return 0;
            }
            self.kib.push((name, 0));
        }
        let Some((_, sum)) = self.kib.iter_mut().find(|(known, _)| *known == name) else {
            return 0;
        };
        let counted = kib.min(PAIR_KIB_MAX.saturating_sub(*sum));
        *sum += counted;
        counted
    }
}

/// Four bytes of an id. Two pairs of one name would share a cap, to no one's gain.
fn name_of(id: NodeId) -> u32 {
    let [a, b, c, d, ..] = *id.as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn millis(duration: Duration) -> Fixed {
    let ms = duration.min(LATENCY_MAX).as_millis();
    Fixed::from_int(i64::try_from(ms).unwrap_or(i64::MAX))
}
