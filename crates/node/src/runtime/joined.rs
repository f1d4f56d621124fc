//! Whom the operator joined by a ticket that says under which key to look: sought again after a
//! restart, when the peer may have moved.

use std::sync::{Arc, Mutex, PoisonError};

use repute_identity::{NodeId, PublicKey};
use repute_storage::{Store, Write as Row};
use tokio::sync::oneshot;

use super::{
    Node,
    discovery::{self, Sought},
    error::NodeError,
};

/// The name under which they are kept.
const JOINED: &str = "joined";

/// The latest of them, as many as are sought at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Joined(Arc<Mutex<Vec<Sought>>>);

impl Joined {
    /// What the store remembers. What cannot be read is said so, and stops nothing.
    pub(super) fn load(store: &dyn Store) -> Self {
        let joined = Self::default();
        match store.state(JOINED) {
            Ok(bytes) => {
                let (all, rest) = bytes.as_deref().unwrap_or_default().as_chunks::<64>();
                let read: Vec<Sought> = all.iter().filter_map(from_bytes).collect();
                if read.len() < all.len() || !rest.is_empty() {
                    tracing::warn!("some of those joined by ticket were passed over");
                }
                read.into_iter().for_each(|one| joined.note(one));
            }
            Err(error) => tracing::warn!(%error, "those joined by ticket were passed over"),
        }
        joined
    }

    pub(super) fn all(&self) -> Vec<Sought> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, one: Sought) {
        discovery::note(
            &mut self.0.lock().unwrap_or_else(PoisonError::into_inner),
            one,
        );
    }

    fn row(&self) -> Row {
        let bytes = |one: &Sought| [*one.peer.as_bytes(), *one.key.as_bytes()].concat();
        Row::State {
            key: JOINED.into(),
            value: self.all().iter().flat_map(bytes).collect(),
        }
    }
}

fn from_bytes(bytes: &[u8; 64]) -> Option<Sought> {
    let (peer, key) = bytes.split_first_chunk()?;
    Some(Sought {
        peer: NodeId::from_bytes(*peer),
        key: PublicKey::from_bytes(key.try_into().ok()?).ok()?,
    })
}

impl Node {
    /// Seeks this peer after a restart too: done once durable.
    pub(super) async fn remember(&self, one: Sought) -> Result<(), NodeError> {
        let joined = self.shared.joined.clone();
        let (answer, kept) = oneshot::channel();
        self.inspect(move |view| {
            joined.note(one);
            let done = Box::new(move |result| drop(answer.send(result)));
            view.store.write(vec![joined.row()], done);
        })
        .await?;
        match kept.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(NodeError::NotDurable),
            Err(_) => Err(NodeError::Stopped),
        }
    }
}
