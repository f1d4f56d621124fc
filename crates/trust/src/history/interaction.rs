use repute_base::Wall;

use crate::{
    Evidence, Fault, Record, Sample,
    record::{code_of, evidence_of},
};

/// Something that was done with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interaction {
    /// When, in ledger time.
    pub wall: Wall,
    /// Whether it went well.
    pub good: bool,
    /// Whose fault it was, if it did not.
    pub fault: Fault,
    /// What: the two bytes of an evidence, or one of a sample and the application's slot.
    code: (u8, u8),
}

/// Samples are numbered from here, in the order of [`SAMPLES`].
const SAMPLE: u8 = 0x80;
const SAMPLES: [&str; 6] = [
    "transfer",
    "circuit",
    "reservation",
    "relayed",
    "signing",
    "custom",
];

/// The stored form: time in ms, good, fault, code.
pub(crate) type Packed = (u64, bool, u8, (u8, u8));

impl Interaction {
    /// Of a record of the ledger; none of one that tells of nothing done together.
    pub(crate) fn of_record(record: &Record) -> Option<Self> {
        match record.evidence {
            Evidence::Useful | Evidence::Invalid(_) | Evidence::Timeout => Some(Self {
                wall: record.wall,
                good: record.evidence == Evidence::Useful,
                fault: record.fault,
                code: code_of(&record.evidence),
            }),
            _ => None,
        }
    }

    /// Of a sample; none of a mere measurement.
    pub(crate) fn of_sample(wall: Wall, sample: &Sample, fault: Fault) -> Option<Self> {
        let place = SAMPLES.iter().position(|name| *name == sample.name())?;
        let slot = match sample {
            Sample::Custom { slot, .. } => *slot,
            _ => 0,
        };
        Some(Self {
            wall,
            good: sample.is_good() == Some(true),
            fault,
            code: (SAMPLE.saturating_add(u8::try_from(place).ok()?), slot),
        })
    }

    /// A stable name for logs and JSON.
    pub fn name(&self) -> &'static str {
        let (kind, detail) = self.code;
        match kind.checked_sub(SAMPLE) {
            Some(place) => SAMPLES.get(usize::from(place)).copied(),
            None => evidence_of(kind, detail).map(|evidence| evidence.name()),
        }
        .unwrap_or("unknown")
    }

    pub(crate) fn packed(&self) -> Packed {
        (
            self.wall.as_millis(),
            self.good,
            self.fault.code(),
            self.code,
        )
    }

    pub(crate) fn from_packed((wall, good, fault, code): Packed) -> Option<Self> {
        Some(Self {
            wall: Wall::from_millis(wall),
            good,
            fault: Fault::from_code(fault)?,
            code,
        })
    }
}
