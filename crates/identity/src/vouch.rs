use alloc::{format, string::String, vec::Vec};
use core::{fmt, str::FromStr, time::Duration};

use bincode::{Decode, Encode};
use repute_base::{Wall, codec};

use crate::{
    Check, Identity, Inception, NodeId, PublicKey, Signature,
    text::{base32, from_base32},
    verify,
};

/// A signed word for another identity: "this one is no throw-away".
///
/// Anybody can sign one; it is worth something only from an operator's anchor or an identity of
/// class 2, and from those five in a year. The number within the year is part of what is signed,
/// so a sixth cannot be told from a broken word: two for different subjects under one number show
/// that the voucher does not keep to the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Vouch {
    version: u8,
    /// First key of the voucher's inception record, as it came.
    key: [u8; 32],
    /// Recovery hash of that record.
    recovery: [u8; 32],
    /// For whom.
    pub subject: NodeId,
    /// Which of the year's vouches this is, from 0 to 4.
    pub number: u8,
    /// When it was given, in ms since the Unix epoch.
    pub issued: u64,
    /// Until when it holds, in ms since the Unix epoch; a year after it was given at most.
    pub expires: u64,
    signature: Signature,
}

/// The part of a [`Vouch`] that is signed.
#[derive(Encode)]
struct Statement {
    version: u8,
    key: [u8; 32],
    recovery: [u8; 32],
    subject: NodeId,
    number: u8,
    issued: u64,
    expires: u64,
}

impl Vouch {
    /// Vouches that one identity can give in a year.
    pub const PER_YEAR: u8 = 5;
    /// A year, for this purpose: 365 days, counted from the Unix epoch.
    pub const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);
    /// Bytes at most.
    pub const LEN_MAX: usize = 1 + 64 + 32 + 1 + 9 + 9 + 64;
    /// What a vouch's text begins with.
    pub const PREFIX: &'static str = "vouch";
    const VERSION: u8 = 1;
    const DOMAIN: &'static [u8] = b"repute vouch 1";

    /// Gives a word for `subject`, as number `number` of the year, until `expires` or for a year.
    pub fn sign(by: &Identity, subject: NodeId, number: u8, issued: Wall, expires: Wall) -> Self {
        let inception = by.inception();
        let mut vouch = Self {
            version: Self::VERSION,
            key: *inception.key.as_bytes(),
            recovery: inception.recovery,
            subject,
            number,
            issued: issued.as_millis(),
            expires: expires.min(issued + Self::YEAR).as_millis(),
            signature: Signature::from_bytes([0; 64]),
        };
        vouch.signature = by.sign(&vouch.statement());
        vouch
    }

    /// Who vouches, if the signature holds.
    pub fn by(&self) -> NodeId {
        Inception::id_of(&self.key, &self.recovery)
    }

    /// The year it counts for, from 1970 on in years of 365 days.
    pub fn year(&self) -> u64 {
        self.issued / u64::try_from(Self::YEAR.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether it holds at `now`: given by then, give or take `future_max` between two clocks, and
    /// neither past its end nor older than a year.
    pub fn holds(&self, now: Wall, future_max: Duration) -> bool {
        let issued = Wall::from_millis(self.issued);
        let end = Wall::from_millis(self.expires).min(issued + Self::YEAR);
        issued <= now + future_max && now <= end
    }

    /// Whether the form is right and the signature is the voucher's. Anyone may ask, and gets the
    /// same answer.
    pub fn verify(&self) -> bool {
        self.version == Self::VERSION
            && self.number < Self::PER_YEAR
            && self.issued <= self.expires
            && self.subject != self.by()
            && PublicKey::from_bytes(self.key).is_ok_and(|key| {
                verify(&Check {
                    key,
                    message: &self.statement(),
                    signature: self.signature,
                })
            })
    }

    fn statement(&self) -> Vec<u8> {
        let mut bytes = Self::DOMAIN.to_vec();
        let statement = Statement {
            version: self.version,
            key: self.key,
            recovery: self.recovery,
            subject: self.subject,
            number: self.number,
            issued: self.issued,
            expires: self.expires,
        };
        codec::encode_into(&statement, &mut bytes);
        bytes
    }
}

/// Why text is not a vouch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VouchError {
    /// Not written like one.
    #[error("a vouch begins with \"vouch\" and goes on in base32 (a-z, 2-7): copy it again")]
    Text,
    /// Written like one, but not what its voucher signed.
    #[error("the signature of this vouch does not hold: copy it again, or ask for another")]
    Forged,
}

/// `vouch`, and the bytes in lower-case base32.
impl fmt::Display for Vouch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = base32(&codec::encode(self));
        f.write_str(&format!("{}{text}", Self::PREFIX))
    }
}

/// Only a vouch that its voucher signed.
impl FromStr for Vouch {
    type Err = VouchError;
    fn from_str(text: &str) -> Result<Self, VouchError> {
        let text = text.trim();
        if text.len() > Self::PREFIX.len() + Self::LEN_MAX * 2 {
            return Err(VouchError::Text);
        }
        let body = text.strip_prefix(Self::PREFIX).ok_or(VouchError::Text)?;
        let bytes = from_base32(body).ok_or(VouchError::Text)?;
        let vouch: Self = codec::decode(&bytes).map_err(|_| VouchError::Text)?;
        if vouch.verify() {
            Ok(vouch)
        } else {
            Err(VouchError::Forged)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall::from_millis(1_795_219_200_000);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn vouch() -> Vouch {
        let (by, subject) = (Identity::from_seed(1), Identity::from_seed(2).id());
        Vouch::sign(&by, subject, 4, NOW, NOW + HOUR)
    }

    #[test]
    fn a_vouch_is_the_vouchers_word_alone() {
        let good = vouch();
        assert!(good.verify());
        assert_eq!(good.by(), Identity::from_seed(1).id());
        let bytes = codec::encode(&good);
        assert!(bytes.len() <= Vouch::LEN_MAX);
        assert_eq!(codec::decode(&bytes), Ok(good));
        // Whatever bit is changed, the word is broken.
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            let read = codec::decode::<Vouch>(&bent);
            assert!(!read.is_ok_and(|vouch| vouch.verify()), "byte {at}");
        }
    }

    #[test]
    fn nobody_vouches_for_oneself_or_a_sixth_time() {
        let me = Identity::from_seed(1);
        assert!(!Vouch::sign(&me, me.id(), 0, NOW, NOW + HOUR).verify());
        let other = Identity::from_seed(2).id();
        assert!(!Vouch::sign(&me, other, 5, NOW, NOW + HOUR).verify());
        assert!(!Vouch::sign(&me, other, 0, NOW, NOW - HOUR).verify());
    }

    #[test]
    fn a_vouch_holds_from_its_day_to_its_end_and_a_year_at_most() {
        let slack = Duration::from_secs(300);
        let good = vouch();
        assert!(good.holds(NOW, slack) && good.holds(NOW + HOUR, slack));
        assert!(good.holds(NOW - slack, slack));
        assert!(!good.holds(NOW - slack * 2, slack));
        assert!(!good.holds(NOW + HOUR * 2, slack));
        let (by, subject) = (Identity::from_seed(1), Identity::from_seed(2).id());
        let long = Vouch::sign(&by, subject, 0, NOW, Wall::MAX);
        assert!(long.verify() && long.holds(NOW + Vouch::YEAR, slack));
        assert!(!long.holds(NOW + Vouch::YEAR + HOUR, slack));
    }

    #[test]
    fn a_vouch_survives_text_and_a_changed_one_is_refused() {
        let good = vouch();
        let text = format!("{good}");
        assert_eq!(format!(" {text}\n").parse(), Ok(good));
        assert_eq!("vouch".parse::<Vouch>(), Err(VouchError::Text));
        assert_eq!(
            text.replace("vouch", "ticket").parse::<Vouch>(),
            Err(VouchError::Text)
        );
        let end = text.len() - 3;
        let other = if text[end..].starts_with('a') {
            "b"
        } else {
            "a"
        };
        let bent = format!("{}{other}{}", &text[..end], &text[end + 1..]);
        assert_eq!(bent.parse::<Vouch>(), Err(VouchError::Forged));
        let long = format!("vouch{}", "a".repeat(1 << 16));
        assert_eq!(long.parse::<Vouch>(), Err(VouchError::Text));
    }
}
