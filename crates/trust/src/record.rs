use alloc::vec::Vec;

use repute_base::{Fixed, Wall, codec};
use repute_identity::NodeId;
use repute_protocol::Misbehaviour;

use crate::{Context, Evidence, Fault, Level, RecordError, Rung, ladder::Ladder, score::Score};

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

/// A score and a place on the ladder: what a fold of records comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    pub(crate) score: Score,
    pub(crate) ladder: Ladder,
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
        let Self { score, ladder } = self;
        let level = Level::ALL.iter().position(|level| *level == score.level);
        (
            (
                score.useful.raw(),
                score.hard.raw(),
                score.soft.raw(),
                score.interval,
                score.useful_count,
                score.soft_count,
                score.blameless_count,
                level
                    .and_then(|level| u8::try_from(level).ok())
                    .unwrap_or(u8::MAX),
            ),
            (
                ladder.hard_strikes,
                ladder.hard_last.as_millis(),
                ladder.soft_strikes,
                ladder.soft_first.as_millis(),
                ladder.soft_last.as_millis(),
                ladder.rung.map_or(0, Rung::code),
                ladder.rung_end.as_millis(),
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
        let level = Level::ALL.get(usize::from(level)).copied();
        let score = Score {
            useful: Fixed::from_raw(useful),
            hard: Fixed::from_raw(hard),
            soft: Fixed::from_raw(soft),
            interval,
            useful_count,
            soft_count,
            blameless_count,
            level: level.ok_or(RecordError::Unknown { field: "level" })?,
        };
        let (hard_strikes, hard_last, soft_strikes, soft_first, soft_last, rung, rung_end) = ladder;
        let rung = match rung {
            0 => None,
            code => Some(Rung::from_code(code).ok_or(RecordError::Unknown { field: "rung" })?),
        };
        let ladder = Ladder {
            hard_strikes,
            hard_last: Wall::from_millis(hard_last),
            soft_strikes,
            soft_first: Wall::from_millis(soft_first),
            soft_last: Wall::from_millis(soft_last),
            rung,
            rung_end: Wall::from_millis(rung_end),
        };
        Ok(Self { score, ladder })
    }
}
