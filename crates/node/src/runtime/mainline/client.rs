//! A client of the DHT that lives as long as one errand: a node that keeps none open is asked
//! nothing by strangers, and costs nothing while there is nothing to do.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use mainline::{Dht, MutableItem, SigningKey, async_dht::AsyncDht};
use repute_base::Wall;
use repute_identity::{PublicKey, SecretKey};
use tokio::time::timeout;

/// Keeps our items apart from others that somebody puts under the same key.
const SALT: &[u8] = b"repute";
/// What an errand may take, joining the network included.
const ERRAND: Duration = Duration::from_secs(30);

/// What went wrong on an errand; nobody's fault that we know of.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ErrandError {
    #[error("no client: {0}")]
    Client(std::io::Error),
    #[error("the network did not store it: {0}")]
    NotStored(String),
    #[error("no end within {} s", ERRAND.as_secs())]
    TooLong,
    #[error("the client broke off")]
    BrokeOff,
}

/// Which network errands go to.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    bootstrap: Vec<String>,
}

impl Network {
    /// The public one if nobody is named.
    pub(crate) fn of(bootstrap: &[String]) -> Self {
        Self {
            bootstrap: bootstrap.to_vec(),
        }
    }

    /// Stores `record` under the key, over whatever was there.
    pub(crate) async fn publish(
        self,
        secret: &SecretKey,
        record: Bytes,
        wall: Wall,
    ) -> Result<(), ErrandError> {
        let key = *secret.public().as_bytes();
        let signing = SigningKey::from_bytes(secret.expose());
        self.errand(move |client: AsyncDht| async move {
            let former = client.get_mutable_most_recent(&key, Some(SALT)).await;
            let after = former.map_or(0, |item| item.seq().saturating_add(1));
            // Also where the clock was set back, or another machine used the key.
            let seq = i64::try_from(wall.as_millis())
                .unwrap_or(i64::MAX)
                .max(after);
            let item = MutableItem::new(signing, &record, seq, Some(SALT));
            let stored = client.put_mutable(item, None).await;
            stored
                .map(|_| ())
                .map_err(|error| ErrandError::NotStored(error.to_string()))
        })
        .await?
    }

    /// The newest that is stored under the key.
    pub(crate) async fn find(self, key: &PublicKey) -> Result<Option<Bytes>, ErrandError> {
        let key = *key.as_bytes();
        self.errand(move |client: AsyncDht| async move {
            let found = client.get_mutable_most_recent(&key, Some(SALT)).await;
            found.map(|item| Bytes::copy_from_slice(item.value()))
        })
        .await
    }

    /// Runs an errand with a client of its own, in a task of its own: a client that panics costs
    /// the errand.
    async fn errand<T: Send + 'static, F: Future<Output = T> + Send>(
        self,
        errand: impl FnOnce(AsyncDht) -> F + Send + 'static,
    ) -> Result<T, ErrandError> {
        let task = tokio::spawn(async move {
            // It asks the resolver, and waits for its thread.
            let made = tokio::task::spawn_blocking(move || self.client()).await;
            let client = made.map_err(|_| ErrandError::BrokeOff)?;
            let client = client.map_err(ErrandError::Client)?;
            timeout(ERRAND, errand(client.as_async()))
                .await
                .map_err(|_| ErrandError::TooLong)
        });
        task.await.map_err(|_| ErrandError::BrokeOff)?
    }

    fn client(&self) -> std::io::Result<Dht> {
        let mut builder = Dht::builder();
        // Any port: 6881 belongs to those who serve.
        builder.port(0).bind_address(self.bind_at());
        if !self.bootstrap.is_empty() {
            builder.bootstrap(&self.bootstrap);
        }
        builder.build()
    }

    /// A network on this machine is spoken to from this machine alone.
    fn bind_at(&self) -> Ipv4Addr {
        let is_local = |node: &String| {
            let address = node.parse::<SocketAddr>();
            address.is_ok_and(|address| address.ip().is_loopback())
        };
        if !self.bootstrap.is_empty() && self.bootstrap.iter().all(is_local) {
            Ipv4Addr::LOCALHOST
        } else {
            Ipv4Addr::UNSPECIFIED
        }
    }
}
