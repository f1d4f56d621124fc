//! Types that carry proof.
#![allow(
    clippy::result_large_err,
    reason = "the statement is handed back, not copied to the heap"
)]

use alloc::vec::Vec;
use core::ops::Deref;

use repute_identity::{Check, NodeId, PublicKey, Verifier};

use crate::{Claim, Envelope, Equivocation, NetworkId, Receipt, SessionOpen};

/// A value whose signature has been checked.
#[derive(Clone, Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) const fn proven(value: T) -> Self {
        Self(value)
    }

    /// The value, without its proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl Verified<Envelope> {
    /// See [`Envelope::detached`]; the proof holds for equal bytes.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(self.0.detached())
    }
}

impl Envelope {
    /// Checks the signature; gives the envelope back if it is forged.
    ///
    /// # Errors
    /// The envelope itself, unproven.
    pub fn verify(self) -> Result<Verified<Self>, Self> {
        let statement = self.statement();
        let proven = PublicKey::from_bytes(*self.claimed_key()).is_ok_and(|key| {
            repute_identity::verify(&Check {
                key,
                message: &statement,
                signature: *self.signature(),
            })
        });
        if proven {
            Ok(Verified(self))
        } else {
            Err(self)
        }
    }
}

/// Gives a signed statement its proof, or back as it came.
macro_rules! provable {
    ($($(#[$doc:meta])* $statement:ty;)*) => {
        $(
            impl $statement {
                $(#[$doc])*
                ///
                /// A pure function of the bytes: whoever asks gets the same answer.
                ///
                /// # Errors
                /// The value itself, unproven.
                pub fn verify(self, network: NetworkId) -> Result<Verified<Self>, Self> {
                    if self.is_proven(network) {
                        Ok(Verified(self))
                    } else {
                        Err(self)
                    }
                }
            }
        )*
    };
}

provable! {
    /// Checks both signatures.
    SessionOpen;
    /// Checks the form and both signatures.
    Receipt;
    /// Checks that both had agreed to the session, and that the claimant says what it is said to.
    Claim;
    /// Checks that one identity signed both, under one number, and that they differ.
    Equivocation;
}

/// The verdict of [`Envelope::verify`] on each, in order, cheaper together than one by one.
///
/// `entropy` must be unpredictable to the authors. Who checks often keeps a [`Verifier`] and calls
/// [`verify_all_with`].
pub fn verify_all(
    envelopes: Vec<Envelope>,
    entropy: [u8; 32],
) -> Vec<Result<Verified<Envelope>, Envelope>> {
    verify_all_with(&mut Verifier::new(entropy), envelopes)
}

/// As [`verify_all`], with a verifier that remembers the authors' keys.
pub fn verify_all_with(
    verifier: &mut Verifier,
    envelopes: Vec<Envelope>,
) -> Vec<Result<Verified<Envelope>, Envelope>> {
    let claims: Vec<_> = envelopes
        .iter()
        .map(|envelope| {
            let key = verifier.admit(*envelope.claimed_key())?;
            Some((key, envelope.statement()))
        })
        .collect();
    let checks: Vec<Check<'_>> = envelopes
        .iter()
        .zip(&claims)
        .filter_map(|(envelope, claim)| {
            let (key, message) = claim.as_ref()?;
            Some(Check {
                key: *key,
                message,
                signature: *envelope.signature(),
            })
        })
        .collect();
    let mut verdicts = verifier.verify(&checks).into_iter();
    let admissible: Vec<bool> = claims.iter().map(Option::is_some).collect();
    envelopes
        .into_iter()
        .zip(admissible)
        .map(|(envelope, admissible)| {
            // Every admissible key had a place in the batch, in order.
            if admissible && verdicts.next() == Some(true) {
                Ok(Verified(envelope))
            } else {
                Err(envelope)
            }
        })
        .collect()
}

/// A value that came over a link whose other end proved to be `peer`.
#[derive(Clone, Debug)]
pub struct FromPeer<T> {
    peer: NodeId,
    value: T,
}

impl<T> FromPeer<T> {
    /// For the shells only: the transport and the simulator, which know who is at the other end.
    pub const fn authenticated(peer: NodeId, value: T) -> Self {
        Self { peer, value }
    }

    /// Who is at the other end.
    pub const fn peer(&self) -> NodeId {
        self.peer
    }

    /// The value.
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// The value alone.
    pub fn into_value(self) -> T {
        self.value
    }

    /// The same proof for a part of the value.
    pub fn map<U>(self, part: impl FnOnce(T) -> U) -> FromPeer<U> {
        FromPeer {
            peer: self.peer,
            value: part(self.value),
        }
    }
}
