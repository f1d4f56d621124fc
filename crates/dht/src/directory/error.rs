use core::time::Duration;

use repute_protocol::limits::{RECORD_VALUE_MAX, SLOTS_MAX, WORD_MAX};

use super::DirectoryLimits;

/// Why something that this node's operator asked for was not done. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// One a minute for each key.
    #[error(
        "this key was signed for less than a minute ago: try again in {} s",
        .wait.as_millis().div_ceil(1_000)
    )]
    TooSoon {
        /// How long until it may be again.
        wait: Duration,
    },
    /// All places are taken.
    #[error("{SLOTS_MAX} keys are advertised already, which is the most: retract one of them")]
    KeysFull,
    /// Nothing is offered.
    #[error("an advertisement needs a service: name at least one, such as `seeder`")]
    NoService,
    /// A name that others would refuse.
    #[error(
        "a service is named by lower-case letters, digits and hyphens, with at most one colon, in \
         at most {WORD_MAX} bytes, and not `all`: `relay`, `signer:spend`"
    )]
    ServiceName,
    /// The least amount is more than the greatest.
    #[error("the least amount is more than the greatest: swap them")]
    Amounts,
    /// Longer than others take.
    #[error(
        "the advertisement takes {len} bytes, at most {RECORD_VALUE_MAX} fit: shorten its metadata"
    )]
    TooLong {
        /// How long it is.
        len: usize,
    },
    /// Signed for too short or too long.
    #[error(
        "an advertisement is signed for {} to {} minutes and renewed until it is retracted: choose \
         a lifetime between these",
        DirectoryLimits::LIFETIME_MIN.as_secs() / 60,
        DirectoryLimits::LIFETIME_MAX.as_secs() / 60
    )]
    Lifetime,
    /// There is nothing to take back.
    #[error("nothing is advertised under this key: list what is")]
    NotAdvertised,
    /// As many searches or watches as fit.
    #[error("as many are under way as fit: try again when one of them has ended")]
    TooMany,
}
