//! The DHT, for the application: lookups, records, and what the table looks like.

use std::{collections::BTreeMap, time::Duration};

use repute_base::{BoundedBytes, codec};
use repute_dht::{Draft, Event, FoundRecord, Input, Outcome, Stats, Want};
use repute_identity::NodeId;
use repute_protocol::{AddressRecord, Contact, RecordKey, RecordKind};
use tokio::sync::mpsc;

use super::{Node, ask::Ask, error::NodeError};
use crate::Command;

/// Events of one request that may wait for whoever asked: the records of a full key, and a trace.
const ANSWER_QUEUE: usize = 2_048;

/// What the DHT is asked, and to whom its events go.
pub(crate) struct DhtAsk {
    pub(crate) input: Box<dyn FnOnce(u64) -> Input + Send>,
    pub(crate) answer: mpsc::Sender<Event>,
}

/// Who waits for events of the DHT; bounded by the requests that it takes at once.
#[derive(Default)]
pub(crate) struct DhtAnswers(BTreeMap<u64, mpsc::Sender<Event>>);

impl DhtAnswers {
    /// The command of a request, under this number.
    pub(crate) fn ask(&mut self, token: u64, ask: DhtAsk) -> Command {
        self.0.insert(token, ask.answer);
        Command::Dht((ask.input)(token))
    }

    /// Hands an event to whoever waits for it.
    pub(crate) fn tell(&mut self, event: &Event) {
        let (token, last) = match event {
            Event::Found { token, .. } | Event::Trace { token, .. } => (token, false),
            Event::Finished { token, .. }
            | Event::Published { token, .. }
            | Event::Refused { token, .. } => (token, true),
            _ => return,
        };
        let gone = self
            .0
            .get(token)
            .is_some_and(|answer| answer.try_send(event.clone()).is_err() && answer.is_closed());
        if last || gone {
            self.0.remove(token);
        }
    }
}

/// What a search in the DHT brought.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DhtFound {
    /// The records, each proven.
    pub records: Vec<FoundRecord>,
    /// How it went.
    pub outcome: Outcome,
}

/// The DHT as this node sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DhtStatus {
    /// Sizes and counters.
    pub stats: Stats,
    /// The nodes of the table, the closest first.
    pub contacts: Vec<Contact>,
}

impl Node {
    /// The DHT's sizes, counters and table; nothing if this node takes no part in it.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn dht_status(&self) -> Result<Option<DhtStatus>, NodeError> {
        self.inspect(|view| {
            view.core.dht().map(|dht| DhtStatus {
                stats: dht.stats(),
                contacts: dht.contacts(),
            })
        })
        .await
    }

    /// Looks for the nodes closest to a place.
    ///
    /// # Errors
    /// [`NodeError`] when too many lookups are under way or the node has stopped.
    pub async fn dht_lookup(&self, target: RecordKey) -> Result<Outcome, NodeError> {
        let mut events = self.dht_trace(target, false).await?;
        finish(&mut events, |_| {}).await
    }

    /// Looks for the nodes closest to a place; each step, if `trace`, and at last
    /// [`Finished`](repute_dht::Event::Finished) or [`Refused`](repute_dht::Event::Refused) come
    /// as events.
    ///
    /// # Errors
    /// [`NodeError::Stopped`], or [`NodeError::NoDht`].
    pub async fn dht_trace(
        &self,
        target: RecordKey,
        trace: bool,
    ) -> Result<mpsc::Receiver<Event>, NodeError> {
        self.ask_dht(move |token| Input::Lookup {
            token,
            target,
            trace,
        })
        .await
    }

    /// Looks for the records at a key.
    ///
    /// # Errors
    /// [`NodeError`] when too many lookups are under way or the node has stopped.
    pub async fn dht_find(&self, key: RecordKey, want: Want) -> Result<DhtFound, NodeError> {
        let mut events = self
            .ask_dht(move |token| Input::Find { token, key, want })
            .await?;
        let mut records = Vec::new();
        let outcome = finish(&mut events, |record| records.push(record)).await?;
        Ok(DhtFound { records, outcome })
    }

    /// Publishes bytes under a name of this node's own, and again after each third of the
    /// lifetime; returns the key and how many nodes keep it.
    ///
    /// # Errors
    /// [`NodeError`] when name or value are too long, or the node has stopped.
    pub async fn dht_put(
        &self,
        name: &[u8],
        value: &[u8],
        lifetime: Duration,
    ) -> Result<(RecordKey, usize), NodeError> {
        let draft = Draft {
            kind: RecordKind::Value,
            slot: 0,
            name: BoundedBytes::new(name.to_vec())?,
            value: BoundedBytes::new(value.to_vec())?,
            lifetime,
        };
        let key = RecordKey::of(RecordKind::Value, &self.id(), name);
        let mut events = self
            .ask_dht(move |token| Input::Publish { token, draft })
            .await?;
        while let Some(event) = events.recv().await {
            match event {
                Event::Published { copies, .. } => return Ok((key, copies)),
                Event::Refused { reason, .. } => return Err(NodeError::Dht(reason)),
                _ => {}
            }
        }
        Err(NodeError::Stopped)
    }

    /// Publishes a value of this node's own no longer. Copies out there live until they expire.
    ///
    /// # Errors
    /// [`NodeError`] when the name is too long, or the node has stopped.
    pub async fn dht_retract(&self, name: &[u8]) -> Result<(), NodeError> {
        let name = BoundedBytes::new(name.to_vec())?;
        let input = Input::Retract {
            kind: RecordKind::Value,
            name,
            slot: 0,
        };
        self.ask(Ask::Command(Command::Dht(input))).await
    }

    /// Looks for where a node is, by its id alone, and dials it if the DHT knows.
    ///
    /// # Errors
    /// [`NodeError`] when too many lookups are under way or the node has stopped.
    pub async fn dht_resolve(&self, peer: NodeId) -> Result<DhtFound, NodeError> {
        let found = self
            .dht_find(RecordKey::of_identity(&peer), Want::Newest)
            .await?;
        let newest = found.records.iter().max_by_key(|one| one.envelope.seq());
        let record = newest.map(|one| codec::decode::<AddressRecord>(&one.filed.record.value));
        if let Some(Ok(AddressRecord { addresses })) = record {
            let addresses = addresses.into_vec();
            let command = Command::Found { peer, addresses };
            self.ask(Ask::Command(command)).await?;
        }
        Ok(found)
    }

    async fn ask_dht(
        &self,
        input: impl FnOnce(u64) -> Input + Send + 'static,
    ) -> Result<mpsc::Receiver<Event>, NodeError> {
        if !self.inspect(|view| view.core.dht().is_some()).await? {
            return Err(NodeError::NoDht);
        }
        let (answer, events) = mpsc::channel(ANSWER_QUEUE);
        let input = Box::new(input);
        self.ask(Ask::Dht(DhtAsk { input, answer })).await?;
        Ok(events)
    }
}

/// Reads events until the last.
async fn finish(
    events: &mut mpsc::Receiver<Event>,
    mut found: impl FnMut(FoundRecord),
) -> Result<Outcome, NodeError> {
    while let Some(event) = events.recv().await {
        match event {
            Event::Found { record, .. } => found(record),
            Event::Finished { outcome, .. } => return Ok(outcome),
            Event::Refused { reason, .. } => return Err(NodeError::Dht(reason)),
            _ => {}
        }
    }
    Err(NodeError::Stopped)
}
