//! Discovery anywhere on the internet, through the DHT of BitTorrent (BEP 5 and 44).
//!
//! A node publishes where it listens under a discovery key that is not its identity's; whoever has
//! its ticket looks there when no address of the ticket answers. What is published is public: see
//! the page of this crate.

mod client;
mod record;

use std::{collections::BTreeMap, io, path::PathBuf, time::Duration};

use repute_base::Address;
use repute_identity::{NodeId, SecretKey, keystore};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    DataDir,
    discovery::{Desk, Discovery, Known, Note, Running, Sought},
    error::NodeError,
};
use client::Network;

/// Between two publishings: the DHT forgets after two hours, and BEP 44 asks for one an hour.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1_800);
/// After a publishing that failed, doubled up to the interval.
const PUBLISH_RETRY: Duration = Duration::from_secs(10);
/// How long the addresses of a ticket have to answer before the peer is looked for.
const GRACE: Duration = Duration::from_secs(3);
/// Between two looks for a peer without a link, doubled up to [`SEEK_MAX`].
const SEEK: Duration = Duration::from_secs(10);
const SEEK_MAX: Duration = Duration::from_secs(600);
/// Between two looks at whether a linked peer is linked still.
const LINKED: Duration = Duration::from_secs(30);

/// Publishes this node in the Mainline DHT and finds peers there by the discovery keys of their
/// tickets.
#[derive(Debug)]
pub struct Mainline {
    key: Key,
    /// `host:port` each; empty for the public network.
    bootstrap: Vec<String>,
    interval: Duration,
}

#[derive(Debug)]
enum Key {
    File(PathBuf),
    Given(SecretKey),
}

impl Mainline {
    /// On the public network, under the discovery key of this data directory, which is made if
    /// there is none.
    pub fn in_dir(dir: &DataDir) -> Self {
        Self::new(Key::File(dir.discovery()))
    }

    /// On the public network, under a key that the application keeps. Never the identity's.
    pub fn with_key(secret: SecretKey) -> Self {
        Self::new(Key::Given(secret))
    }

    fn new(key: Key) -> Self {
        Self {
            key,
            bootstrap: Vec::new(),
            interval: PUBLISH_INTERVAL,
        }
    }

    /// On the network of these nodes instead, `host:port` each. Addresses that cannot be reached
    /// from everywhere are published and believed there, too.
    #[must_use]
    pub fn through(mut self, bootstrap: Vec<String>) -> Self {
        self.bootstrap = bootstrap;
        self
    }

    /// Publishes so often, and looks for a peer that has no link no more rarely.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }
}

impl Discovery for Mainline {
    fn name(&self) -> &'static str {
        "mainline"
    }

    fn open(&mut self) -> io::Result<Known> {
        if let Key::File(path) = &self.key {
            if let Some(dir) = path.parent() {
                DataDir::new(dir).create()?;
            }
            self.key = Key::Given(keystore::discovery(path).map_err(io::Error::other)?);
        }
        let key = self.secret().map(SecretKey::public);
        let tickets = Vec::new();
        Ok(Known { tickets, key })
    }

    fn run(self: Box<Self>, desk: Desk) -> Running {
        Box::pin(async move {
            // Only a node that stops ends these.
            let (_stopped, _too) =
                tokio::join!(self.publish_again(desk.clone()), self.seek_again(desk));
        })
    }
}

impl Mainline {
    fn secret(&self) -> Option<&SecretKey> {
        match &self.key {
            Key::Given(secret) => Some(secret),
            Key::File(_) => None,
        }
    }

    fn network(&self) -> Network {
        Network::of(&self.bootstrap)
    }

    /// Addresses that mean something to whoever reads them there.
    fn meaningful(&self, addresses: &[Address]) -> Vec<Address> {
        let everywhere = self.bootstrap.is_empty();
        let meant = |address: &&Address| !everywhere || repute_peers::is_routable(address);
        addresses.iter().filter(meant).copied().collect()
    }

    async fn publish_again(&self, desk: Desk) -> Result<(), NodeError> {
        let addresses = self.meaningful(desk.addresses());
        let Some(secret) = self.secret() else {
            return Ok(());
        };
        if addresses.is_empty() {
            tracing::warn!(
                "not published on mainline: no address of this node can be reached from \
                 everywhere; name one with `announce`"
            );
            return Ok(());
        }
        let mut retry = PUBLISH_RETRY.min(self.interval);
        loop {
            let record = desk.record(addresses.clone()).await?;
            match self.network().publish(secret, record, desk.wall()).await {
                Ok(()) => {
                    desk.note(Note::Published);
                    tracing::info!(key = %secret.public(), "published on mainline");
                    retry = PUBLISH_RETRY.min(self.interval);
                    sleep(self.interval).await;
                }
                Err(error) => {
                    desk.note(Note::NotPublished);
                    tracing::warn!(%error, "not published on mainline; it is tried again");
                    sleep(retry).await;
                    retry = retry.saturating_mul(2).min(self.interval);
                }
            }
        }
    }

    async fn seek_again(&self, mut desk: Desk) -> Result<(), NodeError> {
        let mut looks: BTreeMap<NodeId, Look> = BTreeMap::new();
        loop {
            let sought = desk.sought();
            let now = Instant::now();
            looks.retain(|peer, _| sought.iter().any(|one| one.peer == *peer));
            for one in &sought {
                let look = looks
                    .entry(one.peer)
                    .or_insert_with(|| self.fresh(now, one));
                if look.sought != *one {
                    *look = self.fresh(now, one);
                }
                if look.due <= now {
                    self.look(&desk, look).await?;
                }
            }
            let next = looks.values().map(|look| look.due).min();
            tokio::select! {
                biased;
                changed = desk.sought_changed() => changed?,
                () = until(next) => {}
            }
        }
    }

    fn fresh(&self, now: Instant, sought: &Sought) -> Look {
        Look {
            sought: *sought,
            due: now + GRACE,
            pause: SEEK.min(self.interval),
        }
    }

    /// Looks for one peer, if it has no link.
    async fn look(&self, desk: &Desk, look: &mut Look) -> Result<(), NodeError> {
        let peer = look.sought.peer;
        if desk.is_linked(peer).await? {
            look.pause = SEEK.min(self.interval);
            look.due = Instant::now() + LINKED;
            return Ok(());
        }
        match self.network().find(&look.sought.key).await {
            Ok(Some(value)) => {
                match record::addresses(value, peer, desk.network(), desk.wall()) {
                    Ok(addresses) => {
                        let addresses = self.meaningful(&addresses);
                        tracing::info!(peer = %peer.short(), ?addresses, "found on mainline");
                        desk.found(peer, addresses).await?;
                    }
                    // Whoever has the discovery key of a ticket may publish what it likes.
                    Err(problem) => {
                        desk.note(Note::Refused);
                        tracing::info!(peer = %peer.short(), %problem, "refused from mainline");
                    }
                }
            }
            Ok(None) => tracing::debug!(peer = %peer.short(), "not found on mainline"),
            Err(error) => tracing::warn!(%error, "mainline does not answer"),
        }
        look.due = Instant::now() + look.pause;
        look.pause = look
            .pause
            .saturating_mul(2)
            .min(SEEK_MAX)
            .min(self.interval);
        Ok(())
    }
}

/// When a peer is looked for next.
struct Look {
    sought: Sought,
    due: Instant,
    pause: Duration,
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
