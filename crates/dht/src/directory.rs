//! The directory: services that nodes offer, told three ways and found by what they say.
//!
//! An [`Advertisement`](repute_protocol::Advertisement) is published in the DHT to last, told by
//! gossip to be known at once, and offered to linked peers. Each is a record that its author
//! signed; there is no index that two authors share. [`Directory`] keeps what it heard of others,
//! the newest of each author and key, and looks there first. It does not know the DHT, gossip or
//! trust: whoever composes them carries its outputs over.
//!
//! ```
//! use core::time::Duration;
//! use repute_base::{BoundedBytes, BoundedVec, Machine, Timestamp};
//! use repute_dht::{Directory, DirectoryConfig, DirectoryInput, DirectoryLimits, DirectoryOutput};
//! use repute_identity::Identity;
//! use repute_protocol::{Advertisement, NetworkId, ServiceName};
//!
//! let network = NetworkId::from_name("example");
//! let me = Identity::from_seed(1).id();
//! let mut directory =
//!     Directory::new(me, network, DirectoryConfig::default(), DirectoryLimits::default());
//! let advertisement = Advertisement {
//!     services: BoundedVec::truncated([ServiceName::new("signer:spend")?]),
//!     key: BoundedBytes::default(),
//!     amount_min: 0,
//!     amount_max: u64::MAX,
//!     addresses: BoundedVec::new(),
//!     criteria: BoundedVec::new(),
//!     metadata: BoundedBytes::default(),
//! };
//! let now = Timestamp::from_millis(0, 1_800_000_000_000);
//! let lifetime = Duration::from_secs(3_600);
//! directory.handle(now, DirectoryInput::Advertise { token: 1, advertisement, lifetime });
//!
//! // For the DHT under `all`, `signer` and `signer:spend`; then to be kept, and to be signed for
//! // gossip and offers.
//! let outputs: Vec<_> = core::iter::from_fn(|| directory.poll_output()).collect();
//! assert!(matches!(outputs[..3], [DirectoryOutput::Publish(_), ..]));
//! assert!(matches!(outputs[3], DirectoryOutput::Persist(_)));
//! assert!(matches!(outputs[4], DirectoryOutput::Sign { .. }));
//! # Ok::<(), repute_base::TooLong>(())
//! ```

mod author;
mod cache;
mod config;
mod counters;
mod entry;
mod error;
mod filter;
mod input;
mod kept;
mod locality;
mod output;
mod own;
mod publish;
mod receive;
mod search;

use alloc::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    vec::Vec,
};

use repute_base::{Address, BoundedVec, Fixed, Machine, Mono, RecentMap, Timestamp, Wall};
use repute_identity::NodeId;
use repute_protocol::{MessageId, NetworkId, limits::ADDRESSES_MAX};

use author::Author;
use cache::Cache;
use own::Own;
use receive::Check;
use search::Search;

pub use config::{DirectoryConfig, DirectoryLimits};
pub use counters::{DirectoryCounters, DirectoryRefusal};
pub use entry::{Entry, HeardBy, OwnAdvertisement};
pub use error::DirectoryError;
pub use filter::Filter;
pub use input::DirectoryInput;
pub use output::{DirectoryEvent, DirectoryOutput, DirectoryWrite};

/// What others offer, as far as this node heard, and what it offers itself.
#[derive(Debug)]
pub struct Directory {
    me: NodeId,
    network: NetworkId,
    config: DirectoryConfig,
    limits: DirectoryLimits,
    own: Own,
    cache: Cache,
    authors: RecentMap<NodeId, Author>,
    standings: RecentMap<NodeId, Worth>,
    /// Where this node listens, best first.
    listening: BoundedVec<Address, ADDRESSES_MAX>,
    /// Where linked peers are.
    links: BTreeMap<NodeId, Address>,
    /// Records at the signature check.
    checks: BTreeMap<MessageId, Check>,
    searches: BTreeMap<u64, Search>,
    watches: BTreeMap<u64, Filter>,
    counters: DirectoryCounters,
    /// When the next entry expires.
    expiry: Option<Mono>,
    outputs: VecDeque<DirectoryOutput>,
}

/// What the trust engine said of an author.
#[derive(Clone, Copy, Debug)]
struct Worth {
    trust: Fixed,
    closed: bool,
}

impl Directory {
    /// The topic by which advertisements travel.
    pub const TOPIC: &'static str = "repute.advertisements";

    /// A directory for `me` that knows of nobody.
    pub fn new(
        me: NodeId,
        network: NetworkId,
        config: DirectoryConfig,
        limits: DirectoryLimits,
    ) -> Self {
        Self {
            me,
            network,
            own: Own::default(),
            cache: Cache::new(&limits),
            authors: RecentMap::new(limits.authors_max),
            standings: RecentMap::new(limits.standings_max),
            listening: BoundedVec::new(),
            links: BTreeMap::new(),
            checks: BTreeMap::new(),
            searches: BTreeMap::new(),
            watches: BTreeMap::new(),
            counters: DirectoryCounters::default(),
            expiry: None,
            outputs: VecDeque::new(),
            config,
            limits,
        }
    }

    /// What is known here and fits: the most trusted first, then the newest. At most as many as the
    /// filter wants. `trust` says how far the caller trusts an author, or nothing for one that it
    /// leaves out.
    pub fn find(
        &self,
        now: Wall,
        filter: &Filter,
        trust: impl Fn(&NodeId) -> Option<Fixed>,
    ) -> Vec<Arc<Entry>> {
        let live = self.cache.iter().filter(|entry| entry.expires > now);
        let fitting = live.filter(|entry| filter.matches(entry));
        let judged = fitting.filter_map(|entry| Some((trust(&entry.author)?, entry)));
        let mut found: Vec<_> = judged
            .filter(|(trust, _)| filter.trust_min.is_none_or(|least| *trust >= least))
            .collect();
        let newest = |entry: &Entry| (entry.sent, entry.author, entry.slot);
        found.sort_by(|(a_trust, a), (b_trust, b)| (b_trust, newest(b)).cmp(&(a_trust, newest(a))));
        let max = filter.max.min(self.limits.found_max);
        let entries = found.into_iter().take(max);
        entries.map(|(_, entry)| Arc::clone(entry)).collect()
    }

    /// Takes back what an earlier run offered and persisted; what cannot be read is counted, and
    /// forgotten at the start. Call before the first input.
    pub fn restore(&mut self, slot: u8, bytes: &[u8]) {
        let restored = self.own.restore(slot, bytes);
        self.counters.unreadable += u64::from(!restored);
    }

    /// What this node offers, in the order of its keys.
    pub fn own(&self) -> impl Iterator<Item = OwnAdvertisement<'_>> {
        self.own.iter()
    }

    /// Whether this engine asked for the check of this envelope and still waits for the verdict.
    pub fn awaits(&self, id: &MessageId) -> bool {
        self.checks.contains_key(id)
    }

    /// What happened so far, and how much is kept.
    pub fn counters(&self) -> DirectoryCounters {
        DirectoryCounters {
            entries: self.cache.len(),
            entry_bytes: self.cache.bytes(),
            own: self.own.iter().count(),
            ..self.counters
        }
    }

    fn tick(&mut self, now: Timestamp) {
        self.counters.expired += self.cache.expire(now.wall);
        self.renew(now);
        self.give_up(now.mono);
    }

    fn standing(&mut self, peer: NodeId, worth: Worth) {
        self.standings.insert(peer, worth);
        if worth.closed {
            self.cache.forget(&peer);
        } else {
            self.cache.rank(&peer, worth.trust);
        }
    }

    fn worth(&self, peer: &NodeId) -> Worth {
        let stranger = Worth {
            trust: Fixed::HALF,
            closed: false,
        };
        self.standings.get(peer).copied().unwrap_or(stranger)
    }

    fn output(&mut self, output: DirectoryOutput) {
        self.outputs.push_back(output);
    }

    fn event(&mut self, event: DirectoryEvent) {
        self.output(DirectoryOutput::Event(event));
    }
}

impl Machine for Directory {
    type Input = DirectoryInput;
    type Output = DirectoryOutput;

    fn handle(&mut self, now: Timestamp, input: DirectoryInput) {
        debug_assert!(
            self.outputs.is_empty(),
            "drain the outputs before the next input"
        );
        match input {
            DirectoryInput::Start => self.start(now),
            DirectoryInput::Listening { addresses } => self.listening(now, addresses),
            DirectoryInput::Advertise {
                token,
                advertisement,
                lifetime,
            } => self.advertise(now, token, advertisement, lifetime),
            DirectoryInput::Retract { token, key } => self.retract(now, token, key),
            DirectoryInput::Signed { token, envelope } => self.signed(token, envelope),
            DirectoryInput::LinkUp { peer, remote } => self.link_up(peer, remote),
            DirectoryInput::LinkDown { peer } => {
                self.links.remove(&peer);
            }
            DirectoryInput::Standing {
                peer,
                trust,
                closed,
            } => self.standing(peer, Worth { trust, closed }),
            DirectoryInput::Offered { peer, records } => self.offered(now, peer, &records),
            DirectoryInput::Gossiped { author, data } => self.gossiped(now, author, data),
            DirectoryInput::Verified { envelope } => self.verified(now, &envelope),
            DirectoryInput::Forged { envelope } => self.forged(&envelope),
            DirectoryInput::Unchecked { envelope } => {
                self.checks.remove(&envelope.id());
            }
            DirectoryInput::Find {
                token,
                filter,
                local,
            } => self.seek(now, token, filter, local),
            DirectoryInput::LookedUp { token, envelope } => self.looked_up(now, token, &envelope),
            DirectoryInput::LookupEnded { token } => self.ended(token, true),
            DirectoryInput::Watch { token, filter } => self.watch(token, filter),
            DirectoryInput::Unwatch { token } => {
                self.watches.remove(&token);
            }
            DirectoryInput::Tick => self.tick(now),
        }
        let first = self.cache.next_expiry();
        self.expiry = first.map(|expires| now.mono + expires.since(now.wall));
    }

    fn poll_output(&mut self) -> Option<DirectoryOutput> {
        self.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Mono> {
        let searches = self.searches.values().map(|search| search.until).min();
        let dates = [self.expiry, self.own.next_renewal(), searches];
        dates.into_iter().flatten().min()
    }
}
