use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use bytes::Bytes;
use repute_protocol::{Envelope, MessageId, Verified};

/// The verdicts on signatures that one world shares.
///
/// A verdict is a pure function of the bytes, and the id with the authenticator stands for all of
/// them: what one node found, every node would find. So a thousand nodes check a message once.
#[derive(Clone, Default)]
pub(crate) struct Verdicts(Rc<RefCell<Memo>>);

type Key = (MessageId, Bytes);

#[derive(Default)]
struct Memo {
    /// The proven envelope, or nothing for a forged one.
    known: BTreeMap<Key, Option<Verified<Envelope>>>,
    order: VecDeque<Key>,
}

/// Verdicts kept; more than are in flight at once in the largest simulation.
const KEPT: usize = 8_192;

impl Verdicts {
    /// [`Envelope::verify`].
    #[allow(
        clippy::result_large_err,
        reason = "the envelope is handed back, not copied to the heap"
    )]
    pub(crate) fn verify(&self, envelope: Envelope) -> Result<Verified<Envelope>, Envelope> {
        let key = (
            envelope.id(),
            Bytes::copy_from_slice(&envelope.authenticator()),
        );
        let mut memo = self.0.borrow_mut();
        if let Some(known) = memo.known.get(&key) {
            return known.clone().ok_or(envelope);
        }
        let verdict = envelope.verify();
        memo.keep(key, verdict.as_ref().ok().map(Verified::detached));
        verdict
    }
}

impl Memo {
    fn keep(&mut self, key: Key, verdict: Option<Verified<Envelope>>) {
        if self.known.insert(key.clone(), verdict).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}
