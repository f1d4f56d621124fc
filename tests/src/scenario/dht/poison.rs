use std::time::Duration;

use bytes::Bytes;
use repute_base::{BoundedBytes, Rng, Wall};
use repute_identity::Identity;
use repute_protocol::{
    Envelope, EnvelopeKind, NetworkId, Record, RecordKey, RecordKind, Seq, Unsigned,
};

use super::kad::Kad;

/// One way in which a record is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Flaw {
    /// It bears no signature.
    Unsigned,
    /// Its signature is another's.
    Forged,
    /// Its time is over.
    Expired,
    /// Its time begins tomorrow.
    FarFuture,
    /// Its number is ahead of its time: it would be the newest for ever.
    NumberedAhead,
    /// Its value is longer than its kind allows.
    Oversized,
    /// It belongs to another key than the one asked for.
    WrongKey,
    /// Its kind does not exist.
    WrongKind,
    /// It lives for longer than its kind may.
    Immortal,
    /// Its end lies before its beginning.
    SelfContradicting,
    /// Its slot is beyond those of its kind.
    WrongSlot,
    /// Its value is not what its kind says.
    WrongValue,
    /// It belongs to another network.
    Foreign,
    /// It is no record at all.
    Message,
    /// Its author has replaced it since.
    Stale,
}

impl Flaw {
    pub(super) const ALL: [Self; 15] = [
        Self::Unsigned,
        Self::Forged,
        Self::Expired,
        Self::FarFuture,
        Self::NumberedAhead,
        Self::Oversized,
        Self::WrongKey,
        Self::WrongKind,
        Self::Immortal,
        Self::SelfContradicting,
        Self::WrongSlot,
        Self::WrongValue,
        Self::Foreign,
        Self::Message,
        Self::Stale,
    ];

    /// Whether whoever is asked to keep it can see that it is bad: what belongs elsewhere is kept
    /// elsewhere, and what was replaced is refused by those who have the newer one.
    pub(super) const fn is_bad_to_keep(self) -> bool {
        !matches!(self, Self::WrongKey | Self::Stale)
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

/// A bad record, signed by `author` where it is signed; `nth` makes each another one.
pub(super) fn bad(flaw: Flaw, author: &Identity, nth: u64, now: Wall) -> Option<Envelope> {
    let day = 24 * HOUR;
    let sound = |sent: Wall, lifetime: Duration| (sent, sent + lifetime);
    let (sent, expires) = match flaw {
        Flaw::Expired => sound(now - 3 * HOUR, 2 * HOUR),
        Flaw::FarFuture => sound(now + day, HOUR),
        Flaw::Immortal => sound(now, day + HOUR),
        Flaw::SelfContradicting => (now, now - HOUR),
        _ => sound(now, HOUR),
    };
    let ahead = match flaw {
        Flaw::FarFuture | Flaw::NumberedAhead => day,
        _ => Duration::ZERO,
    };
    let kind = match flaw {
        Flaw::WrongKind => 99,
        Flaw::WrongValue => RecordKind::Provider.number(),
        _ => RecordKind::Value.number(),
    };
    let value_len = if flaw == Flaw::Oversized { 1_025 } else { 256 };
    let record = Record {
        kind,
        slot: u8::from(flaw == Flaw::WrongSlot),
        expires: expires.as_millis(),
        name: BoundedBytes::new(nth.to_le_bytes().to_vec()).ok()?,
        value: BoundedBytes::new(vec![0xbd; value_len]).ok()?,
    };
    let unsigned = Unsigned {
        network: match flaw {
            Flaw::Foreign => NetworkId::from_name("elsewhere"),
            _ => Kad::network(),
        },
        kind: match flaw {
            Flaw::Message => EnvelopeKind::Message,
            _ => EnvelopeKind::Record,
        },
        seq: Seq {
            start: (sent + ahead).as_millis(),
            counter: nth,
        },
        sent,
        payload: record.encode(),
    };
    let signed = unsigned.sign(author);
    match flaw {
        Flaw::Unsigned => with_signature(&signed, |byte, _| *byte = 0),
        // In the half that answers, low enough that it stays well-formed.
        Flaw::Forged => with_signature(&signed, |byte, place| *byte ^= u8::from(place == 44)),
        _ => Some(signed.into_inner()),
    }
}

/// Bytes of a signature, at the end of an envelope.
const SIGNATURE: usize = 64;

fn with_signature(envelope: &Envelope, change: impl Fn(&mut u8, usize)) -> Option<Envelope> {
    let mut wire = envelope.wire().to_vec();
    let begin = wire.len().checked_sub(SIGNATURE)?;
    let signature = wire.get_mut(begin..)?.iter_mut().enumerate();
    signature.for_each(|(place, byte)| change(byte, place));
    Envelope::decode(Bytes::from(wire)).ok()
}

/// A name of somebody's own for its nth record, and where that is.
pub(super) fn place(author: &Identity, name: &[u8]) -> RecordKey {
    RecordKey::of(RecordKind::Value, &author.id(), name)
}

/// One of the flaws that can be told by whoever is asked to keep a record.
pub(super) fn any_to_keep(rng: &mut Rng) -> Flaw {
    let bad: Vec<Flaw> = Flaw::ALL
        .into_iter()
        .filter(|one| one.is_bad_to_keep())
        .collect();
    rng.choose(&bad).copied().unwrap_or(Flaw::Forged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flaw_is_one_and_nothing_else_is_wrong() {
        let author = Identity::from_seed(7);
        let now = Wall::from_millis(1_800_000_000_000);
        for flaw in Flaw::ALL {
            let envelope = bad(flaw, &author, 3, now).expect("it is well-formed");
            let filed = Record::file(&envelope, now);
            let (whole, ours) = (filed.is_ok(), envelope.network() == Kad::network());
            let proven = envelope.verify().is_ok();
            let good_but_for = match flaw {
                Flaw::Unsigned | Flaw::Forged => whole && ours && !proven,
                Flaw::Foreign => whole && proven && !ours,
                Flaw::WrongKey | Flaw::Stale => whole && ours && proven,
                _ => !whole && ours && proven,
            };
            assert!(good_but_for, "{flaw:?}: {filed:?}");
        }
    }
}
