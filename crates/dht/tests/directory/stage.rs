//! One directory, and authors who sign what they like.

use std::{collections::BTreeMap, time::Duration};

use repute_base::{Address, BoundedBytes, BoundedString, BoundedVec, Machine, Timestamp, Wall};
use repute_dht::{
    Directory, DirectoryConfig, DirectoryEvent, DirectoryInput as Input, DirectoryLimits,
    DirectoryOutput as Output, DirectoryWrite, Filter,
};
use repute_identity::{Identity, NodeId};
use repute_protocol::{
    Advertisement, Criterion, Envelope, EnvelopeKind, Misbehaviour, NetworkId, Record, RecordKind,
    RecordList, Seq, ServiceName, Unsigned, Verified,
};

pub(crate) const START: u64 = 1_800_000_000_000;
pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;

pub(crate) fn network() -> NetworkId {
    NetworkId::from_name("directory")
}

pub(crate) fn offer(services: &[&str]) -> Advertisement {
    let named = services.iter().map(|name| ServiceName::new(*name).unwrap());
    Advertisement {
        services: BoundedVec::truncated(named),
        key: BoundedBytes::default(),
        amount_min: 0,
        amount_max: u64::MAX,
        addresses: BoundedVec::new(),
        criteria: BoundedVec::new(),
        metadata: BoundedBytes::default(),
    }
}

pub(crate) fn at_address(mut advertisement: Advertisement, address: &str) -> Advertisement {
    advertisement.addresses = BoundedVec::truncated([address.parse::<Address>().unwrap()]);
    advertisement
}

pub(crate) fn with_key(mut advertisement: Advertisement, key: u8) -> Advertisement {
    advertisement.key = BoundedBytes::new(vec![key; 33]).unwrap();
    advertisement
}

pub(crate) fn criterion(name: &str, value: &str) -> Criterion {
    Criterion {
        name: BoundedString::new(name).unwrap(),
        value: BoundedString::new(value).unwrap(),
    }
}

/// Somebody else, whose records are what it likes them to be.
pub(crate) struct Author {
    pub(crate) identity: Identity,
    counter: u64,
}

impl Author {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            identity: Identity::from_seed(seed),
            counter: 0,
        }
    }

    pub(crate) fn id(&self) -> NodeId {
        self.identity.id()
    }

    /// A record as an honest author makes it, signed at `ms` after the start for an hour.
    pub(crate) fn says(&mut self, ms: u64, advertisement: &Advertisement) -> Verified<Envelope> {
        self.says_for(ms, advertisement, HOUR)
    }

    pub(crate) fn says_for(
        &mut self,
        ms: u64,
        advertisement: &Advertisement,
        lifetime_ms: u64,
    ) -> Verified<Envelope> {
        let record = record_of(ms, advertisement, lifetime_ms);
        self.signs(ms, &record)
    }

    pub(crate) fn signs(&mut self, ms: u64, record: &Record) -> Verified<Envelope> {
        self.signs_dated(Wall::from_millis(START + ms), record)
    }

    pub(crate) fn signs_dated(&mut self, sent: Wall, record: &Record) -> Verified<Envelope> {
        self.signs_payload(sent, network(), EnvelopeKind::Record, record.encode())
    }

    pub(crate) fn signs_payload(
        &mut self,
        sent: Wall,
        network: NetworkId,
        kind: EnvelopeKind,
        payload: Vec<u8>,
    ) -> Verified<Envelope> {
        self.counter += 1;
        let seq = Seq {
            start: START - HOUR,
            counter: self.counter,
        };
        let unsigned = Unsigned {
            network,
            kind,
            seq,
            sent,
            payload,
        };
        unsigned.sign(&self.identity)
    }
}

pub(crate) fn record_of(ms: u64, advertisement: &Advertisement, lifetime_ms: u64) -> Record {
    Record {
        kind: RecordKind::Advertisement.number(),
        slot: 0,
        expires: START + ms + lifetime_ms,
        name: BoundedBytes::new(&b"all"[..]).unwrap(),
        value: BoundedBytes::new(advertisement.encode()).unwrap(),
    }
}

pub(crate) fn list(envelopes: &[&Envelope]) -> RecordList {
    let mut records = RecordList::default();
    for envelope in envelopes {
        assert!(records.push(envelope));
    }
    records
}

/// The directory under test, its clock, and what came out of it.
pub(crate) struct Stage {
    pub(crate) directory: Directory,
    pub(crate) me: Identity,
    pub(crate) ms: u64,
    counter: u64,
    /// Whether signatures asked for are checked and made at once.
    pub(crate) prompt: bool,
    pub(crate) outputs: Vec<Output>,
    /// What the store keeps of its offers.
    pub(crate) rows: BTreeMap<u8, Vec<u8>>,
    /// When this run began.
    born: u64,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(DirectoryLimits::default())
    }

    pub(crate) fn with(limits: DirectoryLimits) -> Self {
        let me = Identity::from_seed(1_000_000);
        Self {
            directory: Directory::new(me.id(), network(), DirectoryConfig::default(), limits),
            me,
            ms: 0,
            counter: 0,
            prompt: true,
            outputs: Vec::new(),
            rows: BTreeMap::new(),
            born: 0,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.ms - self.born, START + self.ms)
    }

    pub(crate) fn handle(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let now = self.now();
            self.directory.handle(now, input);
            while let Some(output) = self.directory.poll_output() {
                if self.prompt {
                    inputs.extend(self.answer(&output));
                }
                self.keep(&output);
                self.outputs.push(output);
            }
        }
    }

    fn keep(&mut self, output: &Output) {
        match output {
            Output::Persist(DirectoryWrite::Offer { slot, bytes, .. }) => {
                self.rows.insert(*slot, bytes.clone());
            }
            Output::Persist(DirectoryWrite::Forget { slot }) => {
                self.rows.remove(slot);
            }
            _ => {}
        }
    }

    /// Stops, and comes back after `pause` as another run that listens there.
    pub(crate) fn restart(&mut self, pause: u64, listens: &str) {
        self.ms += pause;
        self.born = self.ms;
        self.outputs.clear();
        let limits = DirectoryLimits::default();
        self.directory =
            Directory::new(self.me.id(), network(), DirectoryConfig::default(), limits);
        for (slot, bytes) in &self.rows {
            self.directory.restore(*slot, bytes);
        }
        self.listens(listens);
        self.handle(Input::Start);
    }

    pub(crate) fn listens(&mut self, at: &str) {
        let addresses = vec![at.parse().unwrap()];
        self.handle(Input::Listening { addresses });
    }

    /// What was told by gossip since the last look.
    pub(crate) fn told(&mut self) -> Vec<Advertisement> {
        let told = self.take().into_iter().filter_map(|output| match output {
            Output::Gossip { data } => {
                let envelope = Envelope::decode(data).unwrap();
                let filed = Record::file(&envelope, envelope.sent()).unwrap();
                Some(Advertisement::decode(&filed.record.value).unwrap())
            }
            _ => None,
        });
        told.collect()
    }

    /// What a shell does about signatures.
    fn answer(&mut self, output: &Output) -> Option<Input> {
        match output {
            Output::Sign { token, record } => {
                self.counter += 1;
                let unsigned = Unsigned {
                    network: network(),
                    kind: EnvelopeKind::Record,
                    seq: Seq {
                        start: START,
                        counter: self.counter,
                    },
                    sent: self.now().wall,
                    payload: record.encode(),
                };
                let envelope = unsigned.sign(&self.me);
                let token = *token;
                Some(Input::Signed { token, envelope })
            }
            Output::Verify { envelope, .. } => Some(match envelope.clone().verify() {
                Ok(envelope) => Input::Verified { envelope },
                Err(_) => Input::Forged {
                    envelope: envelope.clone(),
                },
            }),
            _ => None,
        }
    }

    /// Lets time pass, ticking whenever the directory wants it.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.ms + ms;
        let born = self.born;
        let due = |directory: &Directory| {
            let due = directory.next_deadline();
            let due = due.map(|due| due.as_millis() + born);
            due.filter(|due| *due <= end)
        };
        while let Some(due) = due(&self.directory) {
            self.ms = self.ms.max(due);
            self.handle(Input::Tick);
        }
        self.ms = end;
    }

    pub(crate) fn link(&mut self, peer: NodeId, remote: &str) {
        let remote = remote.parse().unwrap();
        self.handle(Input::LinkUp { peer, remote });
    }

    pub(crate) fn gossiped(&mut self, envelope: &Envelope) {
        self.handle(Input::Gossiped {
            author: envelope.author(),
            data: envelope.wire().clone(),
        });
    }

    pub(crate) fn offered(&mut self, peer: NodeId, envelopes: &[&Envelope]) {
        let records = list(envelopes);
        self.handle(Input::Offered { peer, records });
    }

    pub(crate) fn advertise(&mut self, advertisement: Advertisement) {
        self.handle(Input::Advertise {
            token: 1,
            advertisement,
            lifetime: Duration::from_millis(HOUR),
        });
    }

    pub(crate) fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    pub(crate) fn events(&mut self) -> Vec<DirectoryEvent> {
        let events = self.take().into_iter().filter_map(|output| match output {
            Output::Event(event) => Some(event),
            _ => None,
        });
        events.collect()
    }

    /// Who was blamed for what since the last look.
    pub(crate) fn blamed(&mut self) -> Vec<(NodeId, Misbehaviour)> {
        let blamed = self.take().into_iter().filter_map(|output| match output {
            Output::Misbehaviour { peer, kind } => Some((peer, kind)),
            _ => None,
        });
        blamed.collect()
    }

    /// Whose advertisements of a kind are known here.
    pub(crate) fn known(&self, kind: &str) -> Vec<NodeId> {
        let filter = Filter {
            max: usize::MAX,
            ..Filter::of(kind).unwrap()
        };
        let trust = |_: &NodeId| Some(repute_base::Fixed::HALF);
        let found = self.directory.find(self.now().wall, &filter, trust);
        let mut known: Vec<NodeId> = found.iter().map(|entry| entry.author).collect();
        known.sort_unstable();
        known
    }
}
