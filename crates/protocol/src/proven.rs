use alloc::collections::{BTreeMap, VecDeque};

use crate::{Envelope, Verified, burst::Statement};

/// Signatures that are remembered: each is good for at most 64 messages, so more than wait anywhere
/// at once. A third of a mebibyte. The oldest goes first; its messages are checked again.
const PROVEN_MAX: usize = 1_024;

/// The signatures of bursts that were proven lately: the rest of a burst costs some hashes.
///
/// An envelope is recognised only if key, root, place and signature are the very ones that were
/// proven, so that it is believed exactly when [`Envelope::verify`] would believe it.
#[derive(Debug, Default)]
pub struct ProvenBursts {
    claims: BTreeMap<[u8; 64], ([u8; 32], Statement)>,
    order: VecDeque<[u8; 64]>,
}

impl ProvenBursts {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers the signature of a proven envelope, if others share it.
    pub fn note(&mut self, envelope: &Verified<Envelope>) {
        if envelope.signed_together() < 2 {
            return;
        }
        let signature = *envelope.signature().as_bytes();
        let claim = (*envelope.claimed_key(), envelope.statement());
        if self.claims.insert(signature, claim).is_some() {
            return;
        }
        self.order.push_back(signature);
        if self.order.len() > PROVEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.claims.remove(&oldest);
        }
    }

    /// The proof of an envelope whose burst is proven; otherwise the envelope, about which nothing
    /// is said.
    ///
    /// # Errors
    /// The envelope itself, to be checked.
    pub fn recognise(&self, envelope: Envelope) -> Result<Verified<Envelope>, Envelope> {
        let known = self.claims.get(envelope.signature().as_bytes());
        let proven = envelope.signed_together() > 1
            && known.is_some_and(|(key, statement)| {
                key == envelope.claimed_key() && *statement == envelope.statement()
            });
        if proven {
            Ok(Verified::proven(envelope))
        } else {
            Err(envelope)
        }
    }

    /// How many signatures are remembered.
    pub fn len(&self) -> usize {
        self.claims.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }
}
