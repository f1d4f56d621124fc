use alloc::vec::Vec;

use repute_base::{BoundedVec, Fixed, Wall, codec};

use super::{
    CHANGES_MAX, History, INTERACTIONS_MAX, LevelChange,
    interaction::{self, Interaction},
    series::{self, Resolution, Ring},
};
use crate::{
    CUSTOM, Level, Metrics, PAIRS_PER_DAY, Pairs, RecordError, RelayMetrics, Signing, Steadiness,
    Tally, Uptime,
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

/// What stands at the front: version, number of the last record, interactions, last seen.
type Front = (u8, u64, u64, u64);

/// Stored: the front; first seen and hour; counts; and, each if there is any: means, steadiness,
/// uptime, signing, relay, the application's tallies; history.
type Stored = (
    Front,
    (u64, u64),
    StoredCounts,
    Option<[StoredPair; 3]>,
    Option<(i64, i64, i64, u64)>,
    Option<([(u8, u8); DAYS], [u64; 3])>,
    Option<StoredSigning>,
    Option<StoredRelay>,
    Option<[StoredPair; 4]>,
    StoredHistory,
);
type StoredPair = (i64, i64);
type StoredCounts = (i64, i64, i64, StoredPair);
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
        let means = [metrics.latency, metrics.download, metrics.upload];
        let stored: Stored = (
            (
                VERSION,
                self.number,
                metrics.interactions,
                metrics.last_seen.as_millis(),
            ),
            (metrics.first_seen.as_millis(), metrics.hour),
            (
                metrics.useful.raw(),
                metrics.invalid.raw(),
                metrics.timeouts.raw(),
                tally(&metrics.transfers),
            ),
            (means != [Mean::default(); 3]).then(|| means.map(mean)),
            steady.started.then(|| {
                (
                    steady.mean.raw(),
                    steady.variance.raw(),
                    steady.trust.raw(),
                    steady.hour,
                )
            }),
            (metrics.uptime != Uptime::default()).then_some((*days, times)),
            (metrics.signing != Signing::default()).then(|| signing(&metrics.signing)),
            (metrics.relay != RelayMetrics::default()).then(|| relay(&metrics.relay)),
            (metrics.custom != [Tally::default(); CUSTOM])
                .then(|| metrics.custom.map(|one| tally(&one))),
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
        let (front, times, counts, means, steady, uptime, signing, relay, custom, history) = stored;
        let (_, number, interactions, last_seen) = front;
        let (first_seen, hour) = times;
        let (useful, invalid, timeouts, transfers) = counts;
        let [latency, download, upload] = means.unwrap_or_default().map(mean_of);
        let metrics = Metrics {
            useful: fixed(useful),
            invalid: fixed(invalid),
            timeouts: fixed(timeouts),
            steadiness: steady.map_or_else(Steadiness::default, |steady| Steadiness {
                mean: fixed(steady.0),
                variance: fixed(steady.1),
                trust: fixed(steady.2),
                hour: steady.3,
                started: true,
            }),
            transfers: tally_of(transfers),
            latency,
            download,
            upload,
            uptime: uptime.map_or_else(Uptime::default, |(days, times)| {
                Uptime::from_parts(days, times)
            }),
            signing: signing.map_or_else(Signing::default, signing_of),
            relay: relay.map_or_else(RelayMetrics::default, relay_of),
            custom: custom.unwrap_or_default().map(tally_of),
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

    /// How little would be lost with it: interactions, then when it was last seen.
    pub(crate) fn worth(&self) -> (u64, u64) {
        let metrics = &self.metrics;
        (metrics.interactions, metrics.last_seen.as_millis())
    }

    /// The same of a stored form, without reading the rest of it.
    pub(crate) fn worth_of(bytes: &[u8]) -> (u64, u64) {
        let (_, _, interactions, last_seen) = front(bytes);
        (interactions, last_seen)
    }

    /// The number of the last record that a stored form knows.
    pub(crate) fn number_of(bytes: &[u8]) -> u64 {
        let (_, number, ..) = front(bytes);
        number
    }
}

fn front(bytes: &[u8]) -> Front {
    let front: Result<(Front, usize), _> = codec::decode_prefix(bytes);
    front.map(|(front, _)| front).unwrap_or_default()
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
