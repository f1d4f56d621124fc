//! The bytes of a keystore file (docs/crates/identity.md has them as a table).

use alloc::vec::Vec;
use std::path::Path;

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use repute_base::codec;
use zeroize::{Zeroize, Zeroizing};

use super::{KeystoreError, Passphrase, random};
use crate::Inception;

/// A keystore has at most 204 bytes; later versions may grow to this.
pub(super) const FILE_LEN_MAX: usize = 512;

const MAGIC: &[u8; 16] = b"repute keystore\n";
const VERSION: u8 = 1;
const CHECKSUM_CONTEXT: &str = "repute 2026-11 keystore checksum v1";
const SALT_LEN: usize = 16;
const NONCE_LEN: usize = 12;

/// RFC 9106 section 4, second recommended option: 64 MiB, 3 passes, 4 lanes.
const COST: Cost = Cost {
    memory_kib: 64 * 1024,
    passes: 3,
    lanes: 4,
};
/// A file that demands more than four times the memory or passes is not one of ours.
const COST_MAX: Cost = Cost {
    memory_kib: 256 * 1024,
    passes: 12,
    lanes: 16,
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Identity = 1,
    Recovery = 2,
    Discovery = 3,
}

#[derive(Clone, Copy)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    fn check(self, path: &Path) -> Result<(), KeystoreError> {
        for (what, value, max) in [
            ("KiB of memory", self.memory_kib, COST_MAX.memory_kib),
            ("passes", self.passes, COST_MAX.passes),
            ("lanes", self.lanes, COST_MAX.lanes),
        ] {
            if value > max {
                return Err(KeystoreError::CostTooHigh {
                    path: path.into(),
                    what,
                    value,
                    max,
                });
            }
        }
        Ok(())
    }

    /// The key of a passphrase; `None` where argon2 knows no such cost.
    fn derive(
        self,
        passphrase: &Passphrase,
        salt: &[u8; SALT_LEN],
    ) -> Result<Option<Zeroizing<[u8; 32]>>, KeystoreError> {
        let Ok(params) = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)) else {
            return Ok(None);
        };
        let mut blocks: Vec<Block> = Vec::new();
        if blocks.try_reserve_exact(params.block_count()).is_err() {
            return Err(KeystoreError::Memory {
                kib: self.memory_kib,
            });
        }
        blocks.resize(params.block_count(), Block::default());
        let mut key = Zeroizing::new([0; 32]);
        let derived = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                passphrase.0.as_bytes(),
                salt,
                key.as_mut(),
                &mut blocks,
            );
        blocks.iter_mut().for_each(Zeroize::zeroize);
        Ok(derived.is_ok().then_some(key))
    }
}

/// The bytes of a new file.
pub(super) fn encode(
    kind: Kind,
    record: &[u8],
    secret: &[u8; 32],
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    // Room for all, so that no copy is left behind by growth.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_LEN_MAX));
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[VERSION, kind as u8, u8::from(passphrase.is_some())]);
    bytes.extend_from_slice(record);
    match passphrase {
        None => bytes.extend_from_slice(secret),
        Some(passphrase) => {
            let (salt, nonce) = (random::<SALT_LEN>()?, random::<NONCE_LEN>()?);
            for number in [COST.memory_kib, COST.passes, COST.lanes] {
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            bytes.extend_from_slice(salt.as_ref());
            bytes.extend_from_slice(nonce.as_ref());
            // The constants above are within what argon2 accepts.
            let key = COST
                .derive(passphrase, &salt)?
                .ok_or(KeystoreError::Memory {
                    kib: COST.memory_kib,
                })?;
            let sealed = Aes256Gcm::new((&*key).into())
                .encrypt(
                    (&*nonce).into(),
                    Payload {
                        msg: secret,
                        aad: &bytes,
                    },
                )
                .map_err(|_| KeystoreError::Randomness)?;
            bytes.extend_from_slice(&sealed);
        }
    }
    let checksum = checksum(&bytes);
    bytes.extend_from_slice(&checksum);
    Ok(bytes)
}

fn checksum(bytes: &[u8]) -> [u8; 32] {
    blake3::derive_key(CHECKSUM_CONTEXT, bytes)
}

/// A file that was read, its checksum right.
pub(super) struct Contents<'a> {
    /// Everything before the protected secret: what encryption binds.
    bound: &'a [u8],
    record: &'a [u8],
    protection: Protection<'a>,
}

enum Protection<'a> {
    Mode {
        secret: &'a [u8; 32],
    },
    Passphrase {
        cost: Cost,
        salt: &'a [u8; SALT_LEN],
        nonce: &'a [u8; NONCE_LEN],
        sealed: &'a [u8; 48],
    },
}

impl<'a> Contents<'a> {
    pub(super) fn parse(path: &Path, bytes: &'a [u8], kind: Kind) -> Result<Self, KeystoreError> {
        if !bytes.starts_with(MAGIC) {
            return Err(KeystoreError::NotAKeystore { path: path.into() });
        }
        let damaged = || KeystoreError::Damaged { path: path.into() };
        let (body, sum) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
        if checksum(body) != *sum {
            return Err(damaged());
        }
        let mut rest = body.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let [version, found, protected] = *take::<3>(&mut rest).ok_or_else(damaged)?;
        if version != VERSION {
            let known = VERSION;
            return Err(KeystoreError::Version {
                path: path.into(),
                version,
                known,
            });
        }
        if found != kind as u8 {
            return Err(KeystoreError::WrongKind { path: path.into() });
        }
        let record: &[u8] = match kind {
            Kind::Identity => take::<{ Inception::LEN }>(&mut rest).ok_or_else(damaged)?,
            Kind::Recovery | Kind::Discovery => &[],
        };
        let protection = Protection::parse(protected, &mut rest).ok_or_else(damaged)?;
        if !rest.is_empty() {
            return Err(damaged());
        }
        let bound = match protection {
            Protection::Mode { .. } => body,
            Protection::Passphrase { sealed, .. } => {
                body.strip_suffix(sealed.as_slice()).ok_or_else(damaged)?
            }
        };
        Ok(Self {
            bound,
            record,
            protection,
        })
    }

    pub(super) const fn is_encrypted(&self) -> bool {
        matches!(self.protection, Protection::Passphrase { .. })
    }

    pub(super) fn inception(&self, path: &Path) -> Result<Inception, KeystoreError> {
        codec::decode::<Inception>(self.record)
            .ok()
            .filter(Inception::is_known)
            .ok_or_else(|| KeystoreError::Damaged { path: path.into() })
    }

    pub(super) fn secret(
        &self,
        path: &Path,
        passphrase: Option<&Passphrase>,
    ) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
        let (cost, salt, nonce, sealed, passphrase) = match (&self.protection, passphrase) {
            (Protection::Mode { secret }, None) => return Ok(Zeroizing::new(**secret)),
            (Protection::Mode { .. }, Some(_)) => {
                return Err(KeystoreError::NotEncrypted { path: path.into() });
            }
            (Protection::Passphrase { .. }, None) => {
                return Err(KeystoreError::PassphraseNeeded { path: path.into() });
            }
            (
                Protection::Passphrase {
                    cost,
                    salt,
                    nonce,
                    sealed,
                },
                Some(passphrase),
            ) => (cost, salt, nonce, sealed, passphrase),
        };
        cost.check(path)?;
        let damaged = || KeystoreError::Damaged { path: path.into() };
        let key = cost.derive(passphrase, salt)?.ok_or_else(damaged)?;
        let opened = Aes256Gcm::new((&*key).into())
            .decrypt(
                (*nonce).into(),
                Payload {
                    msg: sealed.as_slice(),
                    aad: self.bound,
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| KeystoreError::WrongPassphrase { path: path.into() })?;
        let secret: &[u8; 32] = opened.as_slice().try_into().map_err(|_| damaged())?;
        Ok(Zeroizing::new(*secret))
    }
}

impl<'a> Protection<'a> {
    fn parse(tag: u8, rest: &mut &'a [u8]) -> Option<Self> {
        match tag {
            0 => Some(Self::Mode {
                secret: take(rest)?,
            }),
            1 => {
                let cost = Cost {
                    memory_kib: u32::from_be_bytes(*take(rest)?),
                    passes: u32::from_be_bytes(*take(rest)?),
                    lanes: u32::from_be_bytes(*take(rest)?),
                };
                let (salt, nonce, sealed) = (take(rest)?, take(rest)?, take(rest)?);
                Some(Self::Passphrase {
                    cost,
                    salt,
                    nonce,
                    sealed,
                })
            }
            _ => None,
        }
    }
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(taken)
}
