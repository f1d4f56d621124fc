//! Who has what, and where they are: between the engine and what finds peers, the DHT and gossip.

mod face;
mod notices;
mod reach;
mod rumours;

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec,
    vec::Vec,
};
use core::time::Duration;

use repute_base::{Address, BoundedVec, Machine, Mono, Rng, Timestamp, codec};
use repute_identity::NodeId;
use repute_protocol::{AddressRecord, BlobHash, Contact, Provider, RecordKey};

pub use face::{WhereaboutsInput, WhereaboutsLimits, WhereaboutsOutput};

use notices::Notices;
use reach::Reach;
use rumours::Rumours;

/// Turns [`Find`](crate::Output::Find), [`Announce`](crate::Output::Announce) and
/// [`Link`](crate::Output::Link) into lookups and records of the DHT and messages of gossip, at a
/// pace that both bear, and what these find into providers and addresses.
///
/// Without a DHT, what was announced by gossip is all that is found, so this node's own blobs are
/// announced again and again.
#[derive(Clone, Debug)]
pub struct Whereabouts {
    me: NodeId,
    limits: WhereaboutsLimits,
    /// Whether there is a DHT.
    dht: bool,
    rng: Rng,
    listening: Vec<Address>,
    notices: Notices,
    rumours: Rumours,
    reach: Reach,
    /// What each lookup is for.
    lookups: BTreeMap<u64, Sought>,
    next_token: u64,
    outputs: VecDeque<WhereaboutsOutput>,
}

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sought {
    /// Who has a blob.
    Providers(BlobHash),
    /// Where a peer is.
    Addresses(NodeId),
}

impl Whereabouts {
    /// Nothing announced, nothing heard. `dht`: whether lookups and records lead anywhere.
    pub fn new(me: NodeId, dht: bool, limits: WhereaboutsLimits, rng: Rng) -> Self {
        Self {
            me,
            rumours: Rumours::new(&limits),
            reach: Reach::new(&limits),
            limits,
            dht,
            rng,
            listening: Vec::new(),
            notices: Notices::default(),
            lookups: BTreeMap::new(),
            next_token: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Blobs that are announced.
    pub fn announced(&self) -> usize {
        self.notices.len()
    }

    /// Blobs of which an announcement was heard.
    pub fn rumoured(&self) -> usize {
        self.rumours.len()
    }

    /// Announcements that came faster than their author may announce, dropped.
    pub fn hasty(&self) -> u64 {
        self.rumours.hasty()
    }

    fn emit(&mut self, output: WhereaboutsOutput) {
        self.outputs.push_back(output);
    }

    /// Begins a lookup; false if there is no DHT, or as many are under way as fit.
    fn look_up(&mut self, sought: Sought) -> bool {
        if !self.dht || self.lookups.len() >= self.limits.lookups_max {
            return false;
        }
        if !self.lookups.values().any(|other| *other == sought) {
            self.next_token += 1;
            let token = self.next_token;
            self.lookups.insert(token, sought);
            let (key, max) = match sought {
                Sought::Providers(hash) => {
                    let key = RecordKey::of_providers(hash.as_bytes());
                    (key, self.limits.providers_max)
                }
                Sought::Addresses(peer) => (RecordKey::of_identity(&peer), 1),
            };
            self.emit(WhereaboutsOutput::Lookup { token, key, max });
        }
        true
    }

    /// Who has a blob: what was heard at once, and what the DHT knows.
    fn find(&mut self, hash: BlobHash) {
        let heard = self.rumours.of(&hash);
        self.tell(hash, heard);
        self.look_up(Sought::Providers(hash));
    }

    fn tell(&mut self, hash: BlobHash, mut contacts: Vec<Contact>) {
        contacts.retain(|contact| contact.id != self.me);
        if !contacts.is_empty() {
            self.emit(WhereaboutsOutput::Providers { hash, contacts });
        }
    }

    /// A lookup found a record, whose signature and form hold.
    fn found(&mut self, token: u64, author: NodeId, value: &[u8]) {
        match self.lookups.get(&token).copied() {
            Some(Sought::Providers(hash)) => {
                if let Ok(provider) = codec::decode::<Provider>(value) {
                    let addresses = provider.addresses.into_vec();
                    let contact = Contact {
                        id: author,
                        addresses: BoundedVec::truncated(addresses),
                    };
                    self.tell(hash, vec![contact]);
                }
            }
            Some(Sought::Addresses(peer)) if peer == author => {
                if let Ok(record) = codec::decode::<AddressRecord>(value) {
                    self.reach.learned(&peer, record.addresses.into_vec());
                }
            }
            _ => {}
        }
    }

    fn finished(&mut self, token: u64) {
        if let Some(Sought::Addresses(peer)) = self.lookups.remove(&token) {
            let output = self.reach.looked_up(peer);
            self.outputs.extend(output);
        }
    }

    /// A peer is to be linked: where it is said to be first, then where the DHT says.
    fn link(&mut self, now: Mono, peer: NodeId, addresses: Vec<Address>) {
        let nowhere = addresses.is_empty();
        self.reach.begin(peer, &addresses);
        match nowhere {
            true => self.locate(now, peer),
            false => self.emit(WhereaboutsOutput::Visit { peer, addresses }),
        }
    }

    /// It is not where it was said to be.
    fn locate(&mut self, now: Mono, peer: NodeId) {
        if !self.reach.is_wanted(&peer) {
            return;
        }
        let allowed = self.reach.may_look_up(&peer, now, self.limits.locate_pause);
        if !(allowed && self.look_up(Sought::Addresses(peer))) {
            self.reach.end(&peer);
            self.emit(WhereaboutsOutput::Unreachable { peer });
        }
    }

    fn heard(&mut self, now: Mono, author: NodeId, data: &[u8]) {
        if author == self.me {
            return;
        }
        if let Some((hash, contact)) = self.rumours.heard(now, author, data) {
            self.tell(hash, vec![contact]);
        }
    }

    /// Publishes and says what it is time for.
    fn work(&mut self, now: Mono) {
        if self.listening.is_empty() {
            return;
        }
        if self.dht {
            while let Some((hash, size, gone)) = self.notices.next_record(now, &self.limits) {
                if let Some(hash) = gone {
                    self.emit(WhereaboutsOutput::Retract { hash });
                }
                self.publish(hash, size);
            }
        }
        while let Some((hash, size)) = self.notices.next_word(now, self.dht, &self.limits) {
            let data = notices::announcement(hash, size, &self.listening);
            self.emit(WhereaboutsOutput::Gossip { data });
        }
    }

    fn publish(&mut self, hash: BlobHash, size: u64) {
        let addresses = self.listening.iter().copied();
        let provider = Provider {
            size,
            addresses: BoundedVec::truncated(addresses),
        };
        let value = codec::encode(&provider);
        self.emit(WhereaboutsOutput::Publish { hash, value });
    }

    /// What was published says where this node was.
    fn listening(&mut self, addresses: Vec<Address>) {
        if self.listening == addresses {
            return;
        }
        self.listening = addresses;
        if self.dht && !self.listening.is_empty() {
            let published: Vec<_> = self.notices.published().collect();
            for (hash, size) in published {
                self.publish(hash, size);
            }
        }
    }
}

impl Machine for Whereabouts {
    type Input = WhereaboutsInput;
    type Output = WhereaboutsOutput;

    fn handle(&mut self, now: Timestamp, input: WhereaboutsInput) {
        let now = now.mono;
        match input {
            WhereaboutsInput::Tick => {}
            WhereaboutsInput::Listening { addresses } => self.listening(addresses),
            WhereaboutsInput::Find { hash } => self.find(hash),
            WhereaboutsInput::Announce { hash, size } => {
                // So that a thousand nodes that start do not speak at once.
                let delay = self.rng.below(self.limits.spread_ms);
                let at = now + Duration::from_millis(delay);
                self.notices.add(at, (hash, size), &self.limits);
            }
            WhereaboutsInput::Withdraw { hash } => {
                if self.notices.remove(&hash) && self.dht {
                    self.emit(WhereaboutsOutput::Retract { hash });
                }
            }
            WhereaboutsInput::Link { peer, addresses } => self.link(now, peer, addresses),
            WhereaboutsInput::Unlink { peer } | WhereaboutsInput::LinkUp { peer } => {
                self.reach.end(&peer);
            }
            WhereaboutsInput::VisitFailed { peer } => self.locate(now, peer),
            WhereaboutsInput::Heard { author, data } => self.heard(now, author, &data),
            WhereaboutsInput::Found {
                token,
                author,
                value,
            } => self.found(token, author, &value),
            WhereaboutsInput::Finished { token } => self.finished(token),
        }
        self.work(now);
    }

    fn poll_output(&mut self) -> Option<WhereaboutsOutput> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Mono> {
        if self.listening.is_empty() {
            return None;
        }
        self.notices.deadline(self.dht, &self.limits)
    }
}

#[cfg(test)]
mod tests;
