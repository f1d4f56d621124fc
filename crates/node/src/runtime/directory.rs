//! The directory, for the application: services offered and found.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use repute_base::{BoundedBytes, Fixed, Wall};
use repute_dht::{DirectoryCounters, DirectoryEvent, DirectoryInput, Entry, Filter};
use repute_identity::NodeId;
use repute_protocol::{Advertisement, limits::SERVICE_KEY_MAX};
use repute_trust::{IdentityClass, Level};
use tokio::sync::{mpsc, oneshot};

use super::{
    Node,
    ask::{Ask, DurableAnswer},
    demands::{Demands, Worth},
    error::NodeError,
};
use crate::Command;

/// Events that may wait for whoever asked or watches.
const ANSWER_QUEUE: usize = 256;

/// What the directory is asked, and to whom its events go.
pub(crate) struct DirectoryAsk {
    pub(crate) input: Box<dyn FnOnce(u64) -> DirectoryInput + Send>,
    pub(crate) answer: mpsc::Sender<DirectoryEvent>,
    /// Who waits until what is asked for is durable, if anything is to be kept.
    pub(crate) durable: Option<DurableAnswer>,
}

/// Who waits for events of the directory.
#[derive(Default)]
pub(crate) struct DirectoryAnswers(BTreeMap<u64, mpsc::Sender<DirectoryEvent>>);

impl DirectoryAnswers {
    /// The command of a request, under this number.
    pub(crate) fn ask(&mut self, token: u64, ask: DirectoryAsk) -> Command {
        self.0.insert(token, ask.answer);
        Command::Directory((ask.input)(token))
    }

    /// Hands an event to whoever waits for it; the watch that nobody waits for any longer.
    pub(crate) fn tell(&mut self, event: &DirectoryEvent) -> Option<Command> {
        match event {
            DirectoryEvent::Advertised { token, .. }
            | DirectoryEvent::Retracted { token, .. }
            | DirectoryEvent::Refused { token, .. }
            | DirectoryEvent::Found { token, .. } => {
                let answer = self.0.remove(token)?;
                drop(answer.try_send(event.clone()));
                None
            }
            DirectoryEvent::Discovered { watches, .. } => {
                let mut over = None;
                for token in watches {
                    let Some(answer) = self.0.get(token) else {
                        continue;
                    };
                    // A slow reader misses news; one that is gone ends its watch.
                    if answer.try_send(event.clone()).is_err() && answer.is_closed() {
                        self.0.remove(token);
                        let token = *token;
                        over = Some(Command::Directory(DirectoryInput::Unwatch { token }));
                    }
                }
                over
            }
            _ => None,
        }
    }
}

/// A service that somebody offers, and what this node thinks of who does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Offer {
    /// What is offered, by whom.
    pub entry: Arc<Entry>,
    /// Trust in the author, 0 to 1.
    pub trust: Fixed,
    /// The level of that trust.
    pub level: Level,
    /// What its identity cost, as far as it was shown to this node.
    pub class: IdentityClass,
    /// Its scores by the models that were asked for.
    pub scores: Vec<(&'static str, Fixed)>,
}

impl Offer {
    fn new(entry: Arc<Entry>, worth: Worth) -> Self {
        Self {
            entry,
            trust: worth.standing.trust,
            level: worth.standing.level,
            class: worth.class,
            scores: worth.scores,
        }
    }
}

/// What a search in the directory brought.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Offers {
    /// The most trusted first.
    pub offers: Vec<Offer>,
    /// Whether the DHT was asked and had time to answer, or was not needed.
    pub complete: bool,
}

/// What this node offers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OwnOffer {
    /// For which of its keys.
    pub slot: u8,
    /// What.
    pub advertisement: Advertisement,
    /// How long each signature holds.
    pub lifetime: Duration,
    /// Until when the newest holds.
    pub expires: Option<Wall>,
}

impl Node {
    /// Offers a service until it is retracted, over restarts too: done once durable. Returns for
    /// which of its keys, and until when the first signature holds. Without addresses in it, those
    /// where this node listens at the time are put there.
    ///
    /// # Errors
    /// [`NodeError`] when the advertisement is unsound, too soon after the last, or one too many,
    /// or the store refuses.
    pub async fn advertise(
        &self,
        advertisement: Advertisement,
        lifetime: Duration,
    ) -> Result<(u8, Wall), NodeError> {
        let event = self
            .change_directory(move |token| DirectoryInput::Advertise {
                token,
                advertisement,
                lifetime,
            })
            .await?;
        match event {
            DirectoryEvent::Advertised { slot, expires, .. } => Ok((slot, expires)),
            other => Err(refused(other)),
        }
    }

    /// Offers a service no longer: that of this key, or all; returns how many were. Done once
    /// durable.
    ///
    /// # Errors
    /// [`NodeError`] when nothing is offered for the key, the store refuses, or the node has
    /// stopped.
    pub async fn retract(
        &self,
        key: Option<BoundedBytes<SERVICE_KEY_MAX>>,
    ) -> Result<usize, NodeError> {
        let event = self
            .change_directory(move |token| DirectoryInput::Retract { token, key })
            .await?;
        match event {
            DirectoryEvent::Retracted { count, .. } => Ok(count),
            other => Err(refused(other)),
        }
    }

    /// What this node offers.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn offers(&self) -> Result<Vec<OwnOffer>, NodeError> {
        self.inspect(|view| {
            let own = view.core.directory().into_iter().flat_map(|one| one.own());
            own.map(|one| OwnOffer {
                slot: one.slot,
                advertisement: one.advertisement.clone(),
                lifetime: one.lifetime,
                expires: one.expires,
            })
            .collect()
        })
        .await
    }

    /// Looks for services: here, and in the DHT unless `local` or there are enough.
    ///
    /// # Errors
    /// [`NodeError`] when too many searches are under way or the node has stopped.
    pub async fn find_services(&self, filter: Filter, local: bool) -> Result<Offers, NodeError> {
        self.find_services_by(filter, Demands::default(), local)
            .await
    }

    /// Looks for services of those who are worth so much. All that are known are judged before
    /// there are as many as wanted.
    ///
    /// # Errors
    /// [`NodeError`] when there is no such model, too many searches are under way or the node has
    /// stopped.
    pub async fn find_services_by(
        &self,
        mut filter: Filter,
        demands: Demands,
        local: bool,
    ) -> Result<Offers, NodeError> {
        for model in demands.scores.keys() {
            self.model(model)?;
        }
        filter.picky |= !demands.is_empty();
        let asked = filter.clone();
        let event = self
            .ask_directory(move |token| DirectoryInput::Find {
                token,
                filter: asked,
                local,
            })
            .await?;
        let complete = match event {
            DirectoryEvent::Found { complete, .. } => complete,
            other => return Err(refused(other)),
        };
        let models = Arc::clone(&self.shared.models);
        let offers = self
            .inspect(move |view| {
                let (core, wall) = (view.core, view.now.wall);
                let worth = |author: &NodeId| {
                    let author = (*author, filter.trust_min);
                    demands.judge(core, &models, author, wall)
                };
                let trust = |author: &NodeId| worth(author).map(|worth| worth.standing.trust);
                let found = core
                    .directory()
                    .map(|directory| directory.find(wall, &filter, trust));
                let entries = found.unwrap_or_default().into_iter();
                let offer =
                    |entry: Arc<Entry>| Some(Offer::new(Arc::clone(&entry), worth(&entry.author)?));
                entries.filter_map(offer).collect()
            })
            .await?;
        Ok(Offers { offers, complete })
    }

    /// An entry with what this node thinks of its author now; nothing if that is not enough.
    ///
    /// # Errors
    /// [`NodeError::NoModel`], or [`NodeError::Stopped`].
    pub async fn judge_service(
        &self,
        entry: Arc<Entry>,
        trust_min: Option<Fixed>,
        demands: Demands,
    ) -> Result<Option<Offer>, NodeError> {
        for model in demands.scores.keys() {
            self.model(model)?;
        }
        let models = Arc::clone(&self.shared.models);
        self.inspect(move |view| {
            let author = (entry.author, trust_min);
            let worth = demands.judge(view.core, &models, author, view.now.wall)?;
            Some(Offer::new(entry, worth))
        })
        .await
    }

    /// Tells of each new advertisement that fits, from now on, until the receiver is dropped.
    ///
    /// # Errors
    /// [`NodeError::NoDht`], or [`NodeError::Stopped`].
    pub async fn watch_services(
        &self,
        filter: Filter,
    ) -> Result<mpsc::Receiver<DirectoryEvent>, NodeError> {
        self.send_directory(move |token| DirectoryInput::Watch { token, filter }, None)
            .await
    }

    /// What the directory counted.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn directory_counters(&self) -> Result<Option<DirectoryCounters>, NodeError> {
        self.inspect(|view| view.core.directory().map(|one| one.counters()))
            .await
    }

    async fn ask_directory(
        &self,
        input: impl FnOnce(u64) -> DirectoryInput + Send + 'static,
    ) -> Result<DirectoryEvent, NodeError> {
        let mut events = self.send_directory(input, None).await?;
        events.recv().await.ok_or(NodeError::Stopped)
    }

    /// What changes offers is told once it is durable.
    async fn change_directory(
        &self,
        input: impl FnOnce(u64) -> DirectoryInput + Send + 'static,
    ) -> Result<DirectoryEvent, NodeError> {
        let (durable, done) = oneshot::channel();
        let mut events = self.send_directory(input, Some(durable)).await?;
        let event = events.recv().await.ok_or(NodeError::Stopped)?;
        done.await.map_err(|_| NodeError::Stopped)??;
        Ok(event)
    }

    async fn send_directory(
        &self,
        input: impl FnOnce(u64) -> DirectoryInput + Send + 'static,
        durable: Option<DurableAnswer>,
    ) -> Result<mpsc::Receiver<DirectoryEvent>, NodeError> {
        if !self.inspect(|view| view.core.directory().is_some()).await? {
            return Err(NodeError::NoDht);
        }
        let (answer, events) = mpsc::channel(ANSWER_QUEUE);
        let input = Box::new(input);
        self.ask(Ask::Directory(DirectoryAsk {
            input,
            answer,
            durable,
        }))
        .await?;
        Ok(events)
    }
}

fn refused(event: DirectoryEvent) -> NodeError {
    match event {
        DirectoryEvent::Refused { reason, .. } => NodeError::Directory(reason),
        _ => NodeError::Stopped,
    }
}
