use std::{io, path::PathBuf};

/// Why a keystore file could not be made or read. No file has changed when one of these comes back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No such file.
    #[error("there is no keystore at {}: create one, or name another path", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Something has that name, and keystores are never overwritten.
    #[error("{} exists and is never overwritten: move it away or choose another path", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// A directory, link, pipe or device.
    #[error("{} is not a regular file: name the keystore itself, not a link to it", path.display())]
    NotRegular {
        /// The path.
        path: PathBuf,
    },
    /// Others than the owner may reach the secret.
    #[error("{} has mode {mode:04o} where 0600 is the loosest: run chmod 600 on it, and consider the key exposed", path.display())]
    LooseMode {
        /// The path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is someone else's.
    #[error("{} belongs to user {owner}, not to user {user} who runs this: change its owner", path.display())]
    WrongOwner {
        /// The path.
        path: PathBuf,
        /// The user id of the file.
        owner: u32,
        /// The user id of this process.
        user: u32,
    },
    /// Larger than any keystore.
    #[error("{} has {len} bytes where a keystore has at most {max}: name another file", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// Its bytes.
        len: u64,
        /// Bytes allowed.
        max: u64,
    },
    /// Does not begin like a keystore.
    #[error("{} is not a keystore: name another file", path.display())]
    NotAKeystore {
        /// The path.
        path: PathBuf,
    },
    /// A keystore of the other kind: identity for recovery, or the reverse.
    #[error("{} holds another kind of secret: identity and recovery files do not stand in for each other", path.display())]
    WrongKind {
        /// The path.
        path: PathBuf,
    },
    /// The checksum or layout does not fit.
    #[error("{} is damaged: restore it from a backup", path.display())]
    Damaged {
        /// The path.
        path: PathBuf,
    },
    /// Written by a newer build.
    #[error("{} has keystore version {version} where this build knows {known}: update", path.display())]
    Version {
        /// The path.
        path: PathBuf,
        /// Its version.
        version: u8,
        /// The newest version known here.
        known: u8,
    },
    /// The file is encrypted and no passphrase was given.
    #[error("{} is encrypted: give its passphrase", path.display())]
    PassphraseNeeded {
        /// The path.
        path: PathBuf,
    },
    /// A passphrase was given for a file that is not encrypted.
    #[error("{} is not encrypted, though a passphrase was given: load it without, or replace it", path.display())]
    NotEncrypted {
        /// The path.
        path: PathBuf,
    },
    /// The secret does not open.
    #[error("the passphrase of {} is wrong, or the file was altered", path.display())]
    WrongPassphrase {
        /// The path.
        path: PathBuf,
    },
    /// The file demands more work than this build is willing to do.
    #[error("{} demands {value} {what} where at most {max} are allowed: it was not made by this project", path.display())]
    CostTooHigh {
        /// The path.
        path: PathBuf,
        /// Of what.
        what: &'static str,
        /// How much is demanded.
        value: u32,
        /// How much is allowed.
        max: u32,
    },
    /// The key derivation could not have its memory.
    #[error("no {kib} KiB of memory for the key derivation: free some")]
    Memory {
        /// KiB needed.
        kib: u32,
    },
    /// Empty, or too long.
    #[error("a passphrase of {len} bytes where 1 to {max} are allowed")]
    PassphraseLength {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The secret key is not the one in the public record.
    #[error("the key in {} does not belong to its record: restore it from a backup", path.display())]
    Mismatch {
        /// The path.
        path: PathBuf,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness: nothing was created")]
    Randomness,
}
