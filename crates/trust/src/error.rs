use alloc::string::String;

use repute_base::codec::DecodeError;

/// A parameter set that cannot be meant. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}, but {limit}; {remedy}")]
pub struct ConfigError {
    /// The parameter.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What it violates.
    pub limit: String,
    /// What to do.
    pub remedy: &'static str,
}

/// Stored bytes that are no record or ban of this crate. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not an encoding.
    #[error("the stored bytes are {0}; restore the store from a backup, or remove the row")]
    Decode(#[from] DecodeError),
    /// Written by a newer version.
    #[error("stored form {version} is newer than {max}, the newest known; update the program")]
    Version {
        /// The version found.
        version: u8,
        /// The newest known.
        max: u8,
    },
    /// A value out of range.
    #[error("unknown {field}; restore the store from a backup, or remove the row")]
    Unknown {
        /// Of what.
        field: &'static str,
    },
}
