use alloc::string::String;
use core::{fmt, str::FromStr};

use repute_base::{Prefix, PrefixError};
use repute_identity::NodeId;

/// Whom an entry of the blacklist names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// An identity: the ban follows it to whatever address.
    Peer(NodeId),
    /// Whoever has one of these addresses. Only by hand.
    Addresses(Prefix),
}

impl Target {
    /// A stable name of its kind, for JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Peer(_) => "id",
            Self::Addresses(prefix) if prefix.is_host() => "address",
            Self::Addresses(_) => "prefix",
        }
    }
}

/// A text that names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Neither an id nor an address.
    #[error(
        "`{0}` is no peer's id, no IP address and no prefix such as 192.0.2.0/24 or 2001:db8::/32"
    )]
    Syntax(String),
    /// An address or a prefix that cannot be meant.
    #[error(transparent)]
    Prefix(PrefixError),
}

impl FromStr for Target {
    type Err = TargetError;
    fn from_str(text: &str) -> Result<Self, TargetError> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Peer(id));
        }
        text.parse()
            .map(Self::Addresses)
            .map_err(|error| match error {
                PrefixError::Syntax(shown) => TargetError::Syntax(shown),
                other => TargetError::Prefix(other),
            })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(id) => id.fmt(f),
            Self::Addresses(prefix) => prefix.fmt(f),
        }
    }
}
