//! Files that hold secret keys.
//!
//! A file is created with mode 0600 from its first byte, appears under its name complete or not
//! at all, and is never overwritten. On reading, a file that others may read, that someone else
//! owns, or that is not a regular file is refused. With a [`Passphrase`] the secret is encrypted:
//! argon2id (64 MiB, 3 passes, 4 lanes; RFC 9106's second recommended option) makes the key,
//! AES-256-GCM seals the secret under it. What a file may demand of memory and time is bounded
//! before any of it is spent.
//!
//! ```
//! use repute_identity::keystore::{self, KeystoreError};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! let path = dir.path().join("identity.key");
//! let (identity, recovery) = keystore::generate()?;
//! keystore::create(&path, &identity, None)?;
//! keystore::save_recovery(&dir.path().join("recovery.key"), &recovery)?;
//! assert_eq!(keystore::load(&path, None)?.id(), identity.id());
//!
//! // What exists is never overwritten.
//! let again = keystore::create(&path, &identity, None);
//! assert!(matches!(again, Err(KeystoreError::Exists { .. })));
//! # Ok(())
//! # }
//! ```

mod error;
mod file;
mod format;

use alloc::string::String;
use core::fmt;
use std::path::Path;

use repute_base::codec;
use zeroize::Zeroizing;

pub use error::KeystoreError;
use format::{Contents, Kind};

use crate::{Identity, Inception, RecoverySecret, SecretKey};

/// What protects a keystore file beyond its mode; wiped from memory when dropped, never shown.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Bytes of a passphrase at most: more adds work, not strength.
    pub const LEN_MAX: usize = 1024;

    /// A passphrase of 1 to [`LEN_MAX`](Self::LEN_MAX) bytes, used exactly as given.
    ///
    /// # Errors
    /// [`KeystoreError::PassphraseLength`].
    pub fn new(text: impl Into<String>) -> Result<Self, KeystoreError> {
        let text = Zeroizing::new(text.into());
        match text.len() {
            1..=Self::LEN_MAX => Ok(Self(text)),
            len => Err(KeystoreError::PassphraseLength {
                len,
                max: Self::LEN_MAX,
            }),
        }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Makes a new identity from the operating system's randomness, in memory only.
///
/// The recovery secret is handed out this once: the caller shows it or stores it offline
/// ([`save_recovery`]).
///
/// # Errors
/// [`KeystoreError::Randomness`].
pub fn generate() -> Result<(Identity, RecoverySecret), KeystoreError> {
    let secret = SecretKey::from_entropy(*random::<32>()?);
    let recovery = RecoverySecret::from_entropy(*random::<32>()?);
    Ok((Identity::new(secret, &recovery.public()), recovery))
}

/// Stores `identity` in a new file at `path`, encrypted if a passphrase is given.
///
/// When this returns, the file and its name are on disk. After an error there is no file at
/// `path` that was not there before.
///
/// # Errors
/// [`KeystoreError::Exists`] if anything has that name; others when it cannot be written.
pub fn create(
    path: &Path,
    identity: &Identity,
    passphrase: Option<&Passphrase>,
) -> Result<(), KeystoreError> {
    let record = codec::encode(identity.inception());
    save(
        path,
        Kind::Identity,
        &record,
        identity.secret().expose(),
        passphrase,
    )
}

/// Reads the identity stored at `path`.
///
/// # Errors
/// [`KeystoreError`] if the file is missing, exposed, damaged, or protected otherwise than
/// `passphrase` says.
pub fn load(path: &Path, passphrase: Option<&Passphrase>) -> Result<Identity, KeystoreError> {
    let bytes = file::read(path)?;
    let contents = Contents::parse(path, &bytes, Kind::Identity)?;
    let inception = contents.inception(path)?;
    let secret = SecretKey::from_entropy(*contents.secret(path, passphrase)?);
    if secret.public() != inception.key {
        return Err(KeystoreError::Mismatch { path: path.into() });
    }
    Ok(Identity::from_parts(secret, inception))
}

/// Reads only the public record stored at `path`; no passphrase is needed.
///
/// # Errors
/// As [`load`], except about passphrases.
pub fn inception(path: &Path) -> Result<Inception, KeystoreError> {
    let bytes = file::read(path)?;
    Contents::parse(path, &bytes, Kind::Identity)?.inception(path)
}

/// Whether the identity stored at `path` needs a passphrase.
///
/// # Errors
/// As [`load`], except about passphrases.
pub fn is_encrypted(path: &Path) -> Result<bool, KeystoreError> {
    let bytes = file::read(path)?;
    Ok(Contents::parse(path, &bytes, Kind::Identity)?.is_encrypted())
}

/// Stores the recovery secret in a new file at `path`, which its owner then moves offline.
///
/// # Errors
/// As [`create`].
pub fn save_recovery(path: &Path, recovery: &RecoverySecret) -> Result<(), KeystoreError> {
    save(path, Kind::Recovery, &[], recovery.expose(), None)
}

/// Reads a recovery secret that was brought back.
///
/// # Errors
/// As [`load`].
pub fn load_recovery(path: &Path) -> Result<RecoverySecret, KeystoreError> {
    let bytes = file::read(path)?;
    let contents = Contents::parse(path, &bytes, Kind::Recovery)?;
    Ok(RecoverySecret::from_entropy(*contents.secret(path, None)?))
}

/// The key under which a node publishes where it listens, from the file at `path`; made there if
/// there is none. It is another than the identity's, and says nothing about it.
///
/// # Errors
/// As [`load`] and [`create`].
pub fn discovery(path: &Path) -> Result<SecretKey, KeystoreError> {
    if path.symlink_metadata().is_err() {
        let secret = SecretKey::from_entropy(*random::<32>()?);
        match save(path, Kind::Discovery, &[], secret.expose(), None) {
            // Another process was faster: its key is the one.
            Ok(()) | Err(KeystoreError::Exists { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let bytes = file::read(path)?;
    let contents = Contents::parse(path, &bytes, Kind::Discovery)?;
    Ok(SecretKey::from_entropy(*contents.secret(path, None)?))
}

/// Puts a new discovery key in the place of the one at `path`, of which nothing is left. Tickets
/// with the old one lead to addresses alone from then on.
///
/// # Errors
/// [`KeystoreError`] when what stands there is no discovery key, or the new one cannot be written.
pub fn rotate_discovery(path: &Path) -> Result<SecretKey, KeystoreError> {
    // What is no discovery key is not overwritten.
    discovery(path)?;
    let secret = SecretKey::from_entropy(*random::<32>()?);
    let bytes = format::encode(Kind::Discovery, &[], secret.expose(), None)?;
    file::replace(path, &bytes)?;
    Ok(secret)
}

fn save(
    path: &Path,
    kind: Kind,
    record: &[u8],
    secret: &[u8; 32],
    passphrase: Option<&Passphrase>,
) -> Result<(), KeystoreError> {
    // Refused before the key derivation, for speed; the link decides in the end.
    if path.symlink_metadata().is_ok() {
        return Err(KeystoreError::Exists { path: path.into() });
    }
    let bytes = format::encode(kind, record, secret, passphrase)?;
    file::create(path, &bytes)
}

fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, KeystoreError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut()).map_err(|_| KeystoreError::Randomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
