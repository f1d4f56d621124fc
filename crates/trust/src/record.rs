use alloc::vec::Vec;

use repute_base::{Fixed, Wall, codec};
use repute_identity::NodeId;
use repute_protocol::Misbehaviour;

use crate::{Context, Evidence, Fault, Level, RecordError, Rung};

/// One line of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Place in the ledger; strictly growing.
    pub number: u64,
    /// Whom it is about.
    pub subject: NodeId,
    /// As what it is judged.
    pub context: Context,
    /// What happened.
    pub evidence: Evidence,
    /// Whose fault it was.
    pub fault: Fault,
    /// Ledger time; never decreasing.
    pub wall: Wall,
}

/// A score and a place on the ladder, as compaction carries them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    pub(crate) useful: Fixed,
    pub(crate) hard: Fixed,
    pub(crate) soft: Fixed,
    pub(crate) interval: u64,
    pub(crate) useful_count: u32,
    pub(crate) soft_count: u32,
    pub(crate) blameless_count: u32,
    pub(crate) level: Level,
    pub(crate) hard_strikes: u32,
    pub(crate) hard_last: Wall,
    pub(crate) soft_strikes: u32,
    pub(crate) soft_first: Wall,
    pub(crate) soft_last: Wall,
    pub(crate) rung: Option<Rung>,
    pub(crate) rung_end: Wall,
}

/// Version of the stored form.
const VERSION: u8 = 1;

/// The stored form: version, number, subject, context, wall, fault, kind of evidence, detail.
type Stored = (u8, u64, [u8; 32], u8, u64, u8, u8, u8);

/// What follows it when the kind is `CARRIED`: the score, then the ladder.
type StoredCarried = (
    (i64, i64, i64, u64, u32, u32, u32, u8),
    (u32, u64, u32, u64, u64, u8, u64),
);

const USEFUL: u8 = 0;
const INVALID: u8 = 1;
const TIMEOUT: u8 = 2;
const PARDON: u8 = 3;
const CARRIED: u8 = 4;

impl Record {
    /// The stored form, stable over versions of this crate.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, detail) = code_of(&self.evidence);
        let stored: Stored = (
            VERSION,
            self.number,
            *self.subject.as_bytes(),
            self.context.code(),
            self.wall.as_millis(),
            self.fault.code(),
            kind,
            detail,
        );
        let mut bytes = codec::encode(&stored);
        if let Evidence::Carried(carried) = &self.evidence {
            codec::encode_into(&carried.stored(), &mut bytes);
        }
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`RecordError`] when the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let (stored, taken): (Stored, usize) = codec::decode_prefix(bytes)?;
        let (version, number, subject, context, wall, fault, kind, detail) = stored;
        if version != VERSION {
            return Err(RecordError::Version {
                version,
                max: VERSION,
            });
        }
        let rest = bytes.get(taken..).unwrap_or_default();
        let evidence = if kind == CARRIED && detail == 0 {
            Evidence::Carried(Carried::from_stored(codec::decode(rest)?)?)
        } else if rest.is_empty() {
            evidence_of(kind, detail).ok_or(RecordError::Unknown { field: "evidence" })?
        } else {
            return Err(codec::DecodeError::Trailing.into());
        };
        Ok(Self {
            number,
            subject: NodeId::from_bytes(subject),
            context: Context::from_code(context)
                .ok_or(RecordError::Unknown { field: "context" })?,
            evidence,
            fault: Fault::from_code(fault).ok_or(RecordError::Unknown { field: "fault" })?,
            wall: Wall::from_millis(wall),
        })
    }
}

/// The two bytes of an evidence, without what is carried.
pub(crate) fn code_of(evidence: &Evidence) -> (u8, u8) {
    match evidence {
        Evidence::Useful => (USEFUL, 0),
        Evidence::Invalid(kind) => (INVALID, misbehaviour_code(*kind)),
        Evidence::Timeout => (TIMEOUT, 0),
        Evidence::Pardon => (PARDON, 0),
        Evidence::Carried(_) => (CARRIED, 0),
    }
}

/// The evidence of two bytes; none for what is carried.
pub(crate) fn evidence_of(kind: u8, detail: u8) -> Option<Evidence> {
    match (kind, detail) {
        (USEFUL, 0) => Some(Evidence::Useful),
        (INVALID, detail) => Misbehaviour::ALL
            .get(usize::from(detail))
            .copied()
            .map(Evidence::Invalid),
        (TIMEOUT, 0) => Some(Evidence::Timeout),
        (PARDON, 0) => Some(Evidence::Pardon),
        _ => None,
    }
}

/// The code of a kind is its place in the list of all, which only grows at its end.
fn misbehaviour_code(kind: Misbehaviour) -> u8 {
    let place = Misbehaviour::ALL.iter().position(|other| *other == kind);
    place
        .and_then(|place| u8::try_from(place).ok())
        .unwrap_or(u8::MAX)
}

impl Carried {
    fn stored(&self) -> StoredCarried {
        let level = Level::ALL.iter().position(|level| *level == self.level);
        (
            (
                self.useful.raw(),
                self.hard.raw(),
                self.soft.raw(),
                self.interval,
                self.useful_count,
                self.soft_count,
                self.blameless_count,
                level
                    .and_then(|level| u8::try_from(level).ok())
                    .unwrap_or(u8::MAX),
            ),
            (
                self.hard_strikes,
                self.hard_last.as_millis(),
                self.soft_strikes,
                self.soft_first.as_millis(),
                self.soft_last.as_millis(),
                self.rung.map_or(0, Rung::code),
                self.rung_end.as_millis(),
            ),
        )
    }

    fn from_stored((score, ladder): StoredCarried) -> Result<Self, RecordError> {
        let (useful, hard, soft, interval, useful_count, soft_count, blameless_count, level) =
            score;
        if useful < 0 || hard < 0 || soft < 0 {
            return Err(RecordError::Unknown {
                field: "carried evidence below zero",
            });
        }
        let (hard_strikes, hard_last, soft_strikes, soft_first, soft_last, rung, rung_end) = ladder;
        let rung = match rung {
            0 => None,
            code => Some(Rung::from_code(code).ok_or(RecordError::Unknown { field: "rung" })?),
        };
        Ok(Self {
            useful: Fixed::from_raw(useful),
            hard: Fixed::from_raw(hard),
            soft: Fixed::from_raw(soft),
            interval,
            useful_count,
            soft_count,
            blameless_count,
            level: Level::ALL
                .get(usize::from(level))
                .copied()
                .ok_or(RecordError::Unknown { field: "level" })?,
            hard_strikes,
            hard_last: Wall::from_millis(hard_last),
            soft_strikes,
            soft_first: Wall::from_millis(soft_first),
            soft_last: Wall::from_millis(soft_last),
            rung,
            rung_end: Wall::from_millis(rung_end),
        })
    }
}
