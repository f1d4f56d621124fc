//! Who has a blob and where they are: from the DHT and gossip to the engine of blobs, and back.

use alloc::{boxed::Box, vec::Vec};

use repute_base::{Address, BoundedBytes, Machine, Timestamp};
use repute_blobs::{Input as Blobs, WhereaboutsInput as Input, WhereaboutsOutput as Output};
use repute_dht::{Draft, Event as DhtEvent, Input as DhtInput, Want};
use repute_identity::NodeId;
use repute_protocol::{BlobAnnouncement, BlobHash, Message, RecordKind, Topic};

use super::{Core, Step, route_dht::NOBODY};

/// Lookups of blobs: those of the application are far below, of the directory above.
const TOKENS: u64 = 1 << 59;

/// Whether a lookup is one of these.
pub(super) const fn is_ours(token: u64) -> bool {
    token >= TOKENS && token < NOBODY
}

impl Core {
    pub(super) fn tell_whereabouts(&mut self, input: Input) {
        if self.files.is_some() {
            self.inbox.push_back(Step::Whereabouts(input));
        }
    }

    pub(super) fn settle_whereabouts(&mut self, now: Timestamp, input: Input) {
        let Some(files) = &mut self.files else { return };
        files.whereabouts.handle(now, input);
        while let Some(output) = self
            .files
            .as_mut()
            .and_then(|files| files.whereabouts.poll_output())
        {
            self.route_whereabouts(now, output);
        }
    }

    pub(super) fn start_announcing(&mut self) {
        if self.files.is_some()
            && let Ok(topic) = Topic::new(BlobAnnouncement::TOPIC)
        {
            self.tell_gossip(repute_gossip::Input::Subscribe {
                topic,
                causal: false,
            });
        }
    }

    /// Whether this node itself listens to a topic, for announcements of blobs.
    pub(super) fn is_announcing(&self, topic: &Topic) -> bool {
        self.files.is_some() && topic.as_str() == BlobAnnouncement::TOPIC
    }

    pub(super) fn announced_by_gossip(&mut self, author: NodeId, message: &Message) {
        let data = message.data.bytes().clone();
        self.tell_whereabouts(Input::Heard { author, data });
    }

    /// A link is needed: where it was said to be, and where the address book says.
    pub(super) fn link_for_blobs(&mut self, peer: NodeId, mut addresses: Vec<Address>) {
        if let Some(known) = self.peers.view(peer) {
            for address in known.addresses {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        self.tell_whereabouts(Input::Link { peer, addresses });
    }

    /// What a lookup for blobs came to; anything else comes back.
    pub(super) fn blob_lookup(&mut self, event: DhtEvent) -> Option<DhtEvent> {
        match event {
            DhtEvent::Found { token, record } if is_ours(token) => {
                self.tell_whereabouts(Input::Found {
                    token: token - TOKENS,
                    author: record.filed.author,
                    value: record.filed.record.value.into_bytes(),
                });
            }
            DhtEvent::Finished { token, .. } | DhtEvent::Refused { token, .. }
                if is_ours(token) =>
            {
                let token = token - TOKENS;
                self.tell_whereabouts(Input::Finished { token });
            }
            other => return Some(other),
        }
        None
    }

    fn route_whereabouts(&mut self, now: Timestamp, output: Output) {
        match output {
            Output::Lookup { token, key, max } => {
                let want = match max {
                    1 => Want::Newest,
                    max => Want::All { max },
                };
                let token = TOKENS + token;
                self.tell_dht(DhtInput::Find { token, key, want });
            }
            Output::Publish { hash, value } => self.provide(hash, value),
            Output::Retract { hash } => {
                if let Some(name) = name_of(&hash) {
                    let kind = RecordKind::Provider;
                    let slot = 0;
                    self.tell_dht(DhtInput::Retract { kind, name, slot });
                }
            }
            Output::Gossip { data } => self.announce_by_gossip(data),
            Output::Providers { hash, contacts } => {
                self.tell_blobs(Blobs::Providers { hash, contacts });
            }
            Output::Visit { peer, addresses } => {
                self.tell_peers_of(now, peer);
                self.tell_peers(repute_peers::Input::Visit { peer, addresses });
            }
            Output::Unreachable { peer } => self.tell_blobs(Blobs::Unreachable { peer }),
            _ => {}
        }
    }

    fn provide(&mut self, hash: BlobHash, value: Vec<u8>) {
        if let (Some(name), Ok(value)) = (name_of(&hash), BoundedBytes::new(value)) {
            let draft = Draft {
                kind: RecordKind::Provider,
                slot: 0,
                name,
                value,
                lifetime: RecordKind::Provider.lifetime_max(),
            };
            let token = NOBODY;
            self.tell_dht(DhtInput::Publish { token, draft });
        }
    }

    fn announce_by_gossip(&mut self, data: Vec<u8>) {
        if let (Ok(topic), Ok(data)) =
            (Topic::new(BlobAnnouncement::TOPIC), BoundedBytes::new(data))
        {
            let token = self.hearing.token();
            self.tell_gossip(repute_gossip::Input::Publish {
                topic,
                kind: 0,
                data,
                causal: false,
                token,
            });
        }
    }
}

/// The name of a provider's record.
fn name_of<const MAX: usize>(hash: &BlobHash) -> Option<BoundedBytes<MAX>> {
    let bytes: Box<[u8]> = Box::new(*hash.as_bytes());
    BoundedBytes::new(bytes).ok()
}
