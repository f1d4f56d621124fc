//! Goodbye, and why.

use core::{fmt, time::Duration};

use bincode::{
    Decode, Encode,
    de::{BorrowDecode, BorrowDecoder, Decoder},
    enc::Encoder,
    error::{DecodeError, EncodeError},
};
use repute_base::BoundedString;

use crate::limits::{RETRY_MAX, TEXT_MAX};

/// Why a link ends, for machines. On the wire one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The sender shuts down.
    Shutdown,
    /// No slot is free.
    Full,
    /// Another network.
    WrongNetwork,
    /// No common protocol version.
    WrongVersion,
    /// The identity is not the one that was dialled, or not the link's.
    WrongIdentity,
    /// A newer link to the same peer replaced this one, or the peer dialled itself.
    Duplicate,
    /// Trust fell below the sender's minimum.
    LowTrust,
    /// The receiver is banned.
    Banned,
    /// The receiver broke the protocol.
    Misbehaviour,
    /// The receiver stopped answering.
    Unresponsive,
    /// A rate or size limit was exceeded.
    Overload,
    /// Too many peers from the same part of the internet.
    Diversity,
    /// Evicted in favour of another peer.
    Evicted,
    /// The operator asked for it.
    Requested,
    /// The sender dialled only to ask the receiver, which bans it, to think again; the detail is
    /// what its operator says.
    Appeal,
    /// The sender dialled for one conversation, which is over.
    Idle,
    /// A reason that this build does not know, by its number: the link ends all the same.
    Unknown(u8),
}

impl DisconnectReason {
    /// Every reason that this build knows, in the order of their numbers.
    pub const ALL: [Self; 16] = [
        Self::Shutdown,
        Self::Full,
        Self::WrongNetwork,
        Self::WrongVersion,
        Self::WrongIdentity,
        Self::Duplicate,
        Self::LowTrust,
        Self::Banned,
        Self::Misbehaviour,
        Self::Unresponsive,
        Self::Overload,
        Self::Diversity,
        Self::Evicted,
        Self::Requested,
        Self::Appeal,
        Self::Idle,
    ];

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Shutdown => 0,
            Self::Full => 1,
            Self::WrongNetwork => 2,
            Self::WrongVersion => 3,
            Self::WrongIdentity => 4,
            Self::Duplicate => 5,
            Self::LowTrust => 6,
            Self::Banned => 7,
            Self::Misbehaviour => 8,
            Self::Unresponsive => 9,
            Self::Overload => 10,
            Self::Diversity => 11,
            Self::Evicted => 12,
            Self::Requested => 13,
            Self::Appeal => 14,
            Self::Idle => 15,
            Self::Unknown(number) => number,
        }
    }

    /// The reason of this number.
    pub fn from_number(number: u8) -> Self {
        let known = Self::ALL
            .into_iter()
            .find(|reason| reason.number() == number);
        known.unwrap_or(Self::Unknown(number))
    }

    /// The pause that makes sense before the next attempt when nothing better is known, as the end
    /// of a ban would be.
    pub const fn pause(self) -> Duration {
        Duration::from_secs(match self {
            Self::Duplicate | Self::Appeal | Self::Idle => 0,
            Self::Shutdown => 1,
            Self::Unresponsive => 5,
            Self::Overload => 10,
            Self::Evicted => 120,
            Self::Diversity | Self::Requested => 600,
            Self::LowTrust | Self::Banned | Self::Misbehaviour => 3_600,
            Self::Full
            | Self::WrongNetwork
            | Self::WrongVersion
            | Self::WrongIdentity
            | Self::Unknown(_) => 60,
        })
    }

    /// A stable name for logs, storage and JSON; `unknown` for any that this build does not know.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Full => "full",
            Self::WrongNetwork => "wrong-network",
            Self::WrongVersion => "wrong-version",
            Self::WrongIdentity => "wrong-identity",
            Self::Duplicate => "duplicate",
            Self::LowTrust => "low-trust",
            Self::Banned => "banned",
            Self::Misbehaviour => "misbehaviour",
            Self::Unresponsive => "unresponsive",
            Self::Overload => "overload",
            Self::Diversity => "diversity",
            Self::Evicted => "evicted",
            Self::Requested => "requested",
            Self::Appeal => "appeal",
            Self::Idle => "idle",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Encode for DisconnectReason {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.number().encode(encoder)
    }
}

impl<C> Decode<C> for DisconnectReason {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        u8::decode(decoder).map(Self::from_number)
    }
}

impl<'de, C> BorrowDecode<'de, C> for DisconnectReason {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(d: &mut D) -> Result<Self, DecodeError> {
        Self::decode(d)
    }
}

/// The last frame on a link.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Disconnect {
    /// Why.
    pub reason: DisconnectReason,
    /// When trying again makes sense, in ms from now; zero means at once.
    pub retry_ms: u64,
    /// More, for people.
    pub detail: BoundedString<TEXT_MAX>,
}

impl Disconnect {
    /// A goodbye with the pause that makes sense for its reason; a detail that is too long is cut.
    pub fn because(reason: DisconnectReason, detail: &str) -> Self {
        Self {
            reason,
            retry_ms: reason.pause().as_secs().saturating_mul(1_000),
            detail: BoundedString::truncated(detail),
        }
    }

    /// When trying again makes sense; a peer cannot ask for more than [`RETRY_MAX`].
    pub fn retry(&self) -> Duration {
        Duration::from_millis(self.retry_ms).min(RETRY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_stands_for_one_reason() {
        for number in 0..=u8::MAX {
            assert_eq!(DisconnectReason::from_number(number).number(), number);
        }
        assert_eq!(DisconnectReason::ALL.len(), 16);
        assert_eq!(
            DisconnectReason::from_number(16),
            DisconnectReason::Unknown(16)
        );
    }

    #[test]
    fn a_remote_retry_time_is_cut() {
        let goodbye = Disconnect {
            reason: DisconnectReason::Full,
            retry_ms: u64::MAX,
            detail: BoundedString::default(),
        };
        assert_eq!(goodbye.retry(), RETRY_MAX);
    }
}
