use repute_base::Wall;

use crate::{
    Context, Evidence, Fault, Record, Sample,
    record::{code_of, evidence_of},
};

/// Something that was done with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interaction {
    /// In seconds since the epoch: a hundred of these are kept of every busy peer.
    seconds: u32,
    /// What: the two bytes of an evidence, or one of a sample and the application's slot.
    code: (u8, u8),
    good: bool,
    fault: Fault,
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

/// The stored form: time in seconds, code, good, fault.
pub(crate) type Packed = (u32, (u8, u8), bool, u8);

impl Interaction {
    /// Of a record of the ledger; none of one that tells of nothing done together.
    pub(crate) fn of_record(record: &Record) -> Option<Self> {
        match record.evidence {
            // Its sample tells of a transfer; what was broken, this record alone.
            Evidence::Useful | Evidence::Timeout if record.context == Context::Transfer => None,
            Evidence::Useful | Evidence::Invalid(_) | Evidence::Timeout => Some(Self {
                seconds: seconds(record.wall),
                code: code_of(&record.evidence),
                good: record.evidence == Evidence::Useful,
                fault: record.fault,
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
            seconds: seconds(wall),
            code: (SAMPLE.saturating_add(u8::try_from(place).ok()?), slot),
            good: sample.is_good() == Some(true),
            fault,
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

    /// When, in ledger time; to the second.
    pub fn wall(&self) -> Wall {
        Wall::from_millis(u64::from(self.seconds) * 1_000)
    }

    /// Whether it went well.
    pub const fn is_good(&self) -> bool {
        self.good
    }

    /// Whose fault it was, if it did not go well.
    pub const fn fault(&self) -> Fault {
        self.fault
    }

    pub(crate) fn packed(&self) -> Packed {
        (self.seconds, self.code, self.good, self.fault.code())
    }

    pub(crate) fn from_packed((seconds, code, good, fault): Packed) -> Option<Self> {
        Some(Self {
            seconds,
            code,
            good,
            fault: Fault::from_code(fault)?,
        })
    }
}

fn seconds(wall: Wall) -> u32 {
    u32::try_from(wall.as_millis() / 1_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interaction_takes_eight_bytes() {
        assert_eq!(size_of::<Interaction>(), 8);
    }

    #[test]
    fn every_sample_of_something_done_together_has_its_name() {
        for (place, name) in (0..).zip(SAMPLES) {
            let packed = (7, (SAMPLE + place, 0), true, 0);
            let interaction = Interaction::from_packed(packed);
            assert_eq!(interaction.map(|one| one.name()), Some(name));
        }
        let probe = Sample::Probe { answered: true };
        assert_eq!(
            Interaction::of_sample(Wall::ZERO, &probe, Fault::Ours),
            None
        );
    }
}
