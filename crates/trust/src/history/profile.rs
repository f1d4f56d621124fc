use alloc::vec::Vec;

use repute_base::{BoundedVec, Fixed, Wall, codec};

use super::{
    CHANGES_MAX, History, INTERACTIONS_MAX, LevelChange,
    interaction::{self, Interaction},
    series::{self, Resolution, Ring},
};
use crate::{
    Level, Metrics, PAIRS_PER_DAY, Pairs, RecordError, RelayMetrics, Signing, Steadiness, Tally,
    Uptime,
    model::{DAYS, Mean},
};

/// All that is kept of one peer: its metrics and its past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) metrics: Metrics,
    pub(crate) history: History,
    /// The number of the last record of the ledger that was folded in.
    pub(crate) number: u64,
}

/// Version of the stored form.
const VERSION: u8 = 1;

/// Stored: version, number, times, counts, means, steadiness, uptime, signing, relay, history.
type Stored = (
    u8,
    u64,
    (u64, u64, u64, u64),
    StoredCounts,
    [StoredPair; 3],
    (i64, i64, i64, u64, bool),
    ([(u8, u8); DAYS], [u64; 3]),
    StoredSigning,
    StoredRelay,
    StoredHistory,
);
type StoredPair = (i64, i64);
type StoredCounts = (i64, i64, i64, StoredPair, [StoredPair; 4]);
type StoredSigning = ([i64; 5], StoredPair, i64);
type StoredRelay = (
    StoredPair,
    StoredPair,
    i64,
    (u64, BoundedVec<(u32, u32), PAIRS_PER_DAY>),
);
type StoredHistory = (
    u8,
    [BoundedVec<series::Packed, 52>; 3],
    BoundedVec<interaction::Packed, INTERACTIONS_MAX>,
    BoundedVec<(u64, u8, u8), CHANGES_MAX>,
);

impl Profile {
    /// The stored form, stable over versions of this crate.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let metrics = &self.metrics;
        let steady = &metrics.steadiness;
        let (days, times) = metrics.uptime.parts();
        let stored: Stored = (
            VERSION,
            self.number,
            (
                metrics.first_seen.as_millis(),
                metrics.last_seen.as_millis(),
                metrics.interactions,
                metrics.hour,
            ),
            (
                metrics.useful.raw(),
                metrics.invalid.raw(),
                metrics.timeouts.raw(),
                tally(&metrics.transfers),
                metrics.custom.map(|custom| tally(&custom)),
            ),
            [metrics.latency, metrics.download, metrics.upload].map(mean),
            (
                steady.mean.raw(),
                steady.variance.raw(),
                steady.trust.raw(),
                steady.hour,
                steady.started,
            ),
            (*days, times),
            signing(&metrics.signing),
            relay(&metrics.relay),
            history(&self.history),
        );
        codec::encode(&stored)
    }

    /// Reads the stored form.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        // A later form may be longer: the version is looked at first.
        let (version, _): (u8, usize) = codec::decode_prefix(bytes)?;
        if version != VERSION {
            return Err(RecordError::Version {
                version,
                max: VERSION,
            });
        }
        let stored: Stored = codec::decode(bytes)?;
        let (_, number, times, counts, means, steady, (days, hours), signing, relay, history) =
            stored;
        let (useful, invalid, timeouts, transfers, custom) = counts;
        let (first_seen, last_seen, interactions, hour) = times;
        let [latency, download, upload] = means.map(mean_of);
        let metrics = Metrics {
            useful: fixed(useful),
            invalid: fixed(invalid),
            timeouts: fixed(timeouts),
            steadiness: Steadiness {
                mean: fixed(steady.0),
                variance: fixed(steady.1),
                trust: fixed(steady.2),
                hour: steady.3,
                started: steady.4,
            },
            transfers: tally_of(transfers),
            latency,
            download,
            upload,
            uptime: Uptime::from_parts(days, hours),
            signing: signing_of(signing),
            relay: relay_of(relay),
            custom: custom.map(tally_of),
            interactions,
            first_seen: Wall::from_millis(first_seen),
            last_seen: Wall::from_millis(last_seen),
            hour,
        };
        Ok(Self {
            metrics,
            history: history_of(history)?,
            number,
        })
    }
}

/// Nothing here is ever below zero.
fn fixed(raw: i64) -> Fixed {
    Fixed::from_raw(raw).max(Fixed::ZERO)
}

fn tally(tally: &Tally) -> StoredPair {
    (tally.ok.raw(), tally.failed.raw())
}

fn tally_of((ok, failed): StoredPair) -> Tally {
    Tally {
        ok: fixed(ok),
        failed: fixed(failed),
    }
}

fn mean(mean: Mean) -> StoredPair {
    (mean.value.raw(), mean.count.raw())
}

fn mean_of((value, count): StoredPair) -> Mean {
    Mean {
        value: fixed(value),
        count: fixed(count),
    }
}

fn signing(signing: &Signing) -> StoredSigning {
    let counts = [
        signing.completed,
        signing.timeouts,
        signing.disconnects,
        signing.invalid,
        signing.aborts,
    ];
    (
        counts.map(Fixed::raw),
        mean(signing.seconds),
        signing.pool.raw(),
    )
}

fn signing_of((counts, seconds, pool): StoredSigning) -> Signing {
    let [completed, timeouts, disconnects, invalid, aborts] = counts.map(fixed);
    Signing {
        completed,
        timeouts,
        disconnects,
        invalid,
        aborts,
        seconds: mean_of(seconds),
        pool: fixed(pool),
    }
}

fn relay(relay: &RelayMetrics) -> StoredRelay {
    let pairs = BoundedVec::truncated(relay.today.kib.iter().copied());
    (
        tally(&relay.circuits),
        tally(&relay.reservations),
        relay.mib.raw(),
        (relay.today.day, pairs),
    )
}

fn relay_of((circuits, reservations, mib, (day, pairs)): StoredRelay) -> RelayMetrics {
    RelayMetrics {
        circuits: tally_of(circuits),
        reservations: tally_of(reservations),
        mib: fixed(mib),
        today: Pairs {
            day,
            kib: pairs.into_vec(),
        },
    }
}

fn history(history: &History) -> StoredHistory {
    let rings = [&history.hours, &history.days, &history.weeks];
    let change =
        |change: &LevelChange| (change.wall.as_millis(), code(change.from), code(change.to));
    (
        code(history.level),
        rings.map(|ring| BoundedVec::truncated(ring.packed())),
        BoundedVec::truncated(history.interactions.iter().map(Interaction::packed)),
        BoundedVec::truncated(history.changes.iter().map(change)),
    )
}

fn history_of(stored: StoredHistory) -> Result<History, RecordError> {
    let (level, [hours, days, weeks], interactions, changes) = stored;
    let ring = |resolution, points: BoundedVec<series::Packed, 52>| {
        Ring::from_packed(resolution, points.into_iter())
    };
    let unknown = RecordError::Unknown { field: "fault" };
    Ok(History {
        hours: ring(Resolution::Hour, hours),
        days: ring(Resolution::Day, days),
        weeks: ring(Resolution::Week, weeks),
        interactions: interactions
            .into_iter()
            .map(|packed| Interaction::from_packed(packed).ok_or(unknown))
            .collect::<Result<_, _>>()?,
        changes: changes
            .into_iter()
            .map(|(wall, from, to)| {
                Ok(LevelChange {
                    wall: Wall::from_millis(wall),
                    from: level_of(from)?,
                    to: level_of(to)?,
                })
            })
            .collect::<Result<_, RecordError>>()?,
        level: level_of(level)?,
    })
}

/// The code of a level is its place in the list of all.
fn code(level: Level) -> u8 {
    let place = Level::ALL.iter().position(|other| *other == level);
    place
        .and_then(|place| u8::try_from(place).ok())
        .unwrap_or(u8::MAX)
}

fn level_of(code: u8) -> Result<Level, RecordError> {
    let level = Level::ALL.get(usize::from(code)).copied();
    level.ok_or(RecordError::Unknown { field: "level" })
}
