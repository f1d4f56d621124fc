//! What others recommend: from neighbours and gossip to the ledger.

use alloc::collections::BTreeMap;

use bytes::Bytes;
use repute_base::{BoundedString, Layer, Mono, RecentMap, Timestamp, TokenBucket};
use repute_identity::NodeId;
use repute_protocol::{
    Envelope, EnvelopeKind, Frame, FromPeer, Message, Payload, Recommendation, Topic,
    TrustedPeersRequest, Verified, limits::RECOMMENDATIONS_MAX,
};
use repute_trust::{Circle, Context, Footing, Input, Opinion};

use super::{Core, Output, Priority};

/// Where recommendations travel by gossip.
pub(super) const TOPIC: &str = "repute.recommendations";
/// Tokens of our own signatures and messages; those of the shell are far below.
const TOKENS: u64 = 1 << 62;
/// Authors whose budgets are remembered: as many as the ledger keeps sources.
const AUTHORS_MAX: usize = 4_096;
/// Recommendations of one author that are looked at: as many as the ledger keeps of it at once,
/// then one each ten minutes, which is more than it may give about all of them.
const AUTHOR_BURST: u64 = 64;
/// Between two answers to the same neighbour, in ms: it asks once a link.
pub(super) const ANSWER_MS: u64 = 10_000;

/// Which layer refuses, and why.
type Refused = (Layer, &'static str);

/// What is under way between this node and others.
#[derive(Debug)]
pub(super) struct Hearing {
    /// Our own, until they are signed.
    pub(super) drafts: BTreeMap<u64, Draft>,
    next_token: u64,
    /// Whom we asked on this link, and whether it has still to answer; bounded by the links.
    asked: BTreeMap<NodeId, bool>,
    /// When we last answered whom; bounded by the links.
    pub(super) answered: BTreeMap<NodeId, Mono>,
    budgets: RecentMap<NodeId, TokenBucket>,
}

impl Default for Hearing {
    fn default() -> Self {
        Self {
            drafts: BTreeMap::new(),
            next_token: TOKENS,
            asked: BTreeMap::new(),
            answered: BTreeMap::new(),
            budgets: RecentMap::new(AUTHORS_MAX),
        }
    }
}

/// A recommendation of our own that is being signed.
#[derive(Debug)]
pub(super) struct Draft {
    /// The operator's command.
    pub(super) token: u64,
    pub(super) opinion: Opinion,
    pub(super) reason: BoundedString<128>,
}

impl Hearing {
    pub(super) fn token(&mut self) -> u64 {
        self.next_token = self.next_token.saturating_add(1);
        self.next_token
    }

    pub(super) fn link_down(&mut self, peer: &NodeId) {
        self.asked.remove(peer);
        self.answered.remove(peer);
    }

    pub(super) fn is_own(&self, token: u64) -> bool {
        self.drafts.contains_key(&token)
    }
}

/// Whether a token is one of these, and no publish of the application.
pub(super) const fn is_hearsay(token: u64) -> bool {
    token >= TOKENS && token < super::route_peers::OWN_RECORD
}

impl Core {
    /// What a recommender is worth: its class, its rank, and whose addresses it shares.
    pub(super) fn footing(&self, now: Timestamp, peer: NodeId) -> Footing {
        Footing {
            class: self.class(now, &peer),
            rank: self.averages(peer),
            cluster: self.cluster(peer),
        }
    }

    fn class(&self, now: Timestamp, peer: &NodeId) -> u8 {
        match &self.receipts {
            Some(receipts) => receipts.classes().class(peer, now.wall).number(),
            None if self.config.receipts.anchors.contains(peer) => 2,
            None => 0,
        }
    }

    /// The network that a linked peer is in, as a number: all of a /24, or /48 of IPv6. Nothing
    /// can be said of loopback and private addresses, nor of those we have no link to.
    fn cluster(&self, peer: NodeId) -> u64 {
        let Some((_, remote)) = self.links.get(&peer) else {
            return 0;
        };
        match remote.ip() {
            core::net::IpAddr::V4(ip) if !(ip.is_loopback() || ip.is_private()) => {
                let [a, b, c, _] = ip.octets();
                u64::from_be_bytes([4, 0, 0, 0, 0, a, b, c])
            }
            core::net::IpAddr::V6(ip) if !ip.is_loopback() => {
                let [a, b, c, ..] = ip.segments();
                let [a, b, c] = [u64::from(a), u64::from(b), u64::from(c)];
                (6 << 56) | (a << 32) | (b << 16) | c
            }
            _ => 0,
        }
    }

    fn listens_to(&self, now: Timestamp, peer: &NodeId) -> bool {
        let listen = self.config.trust.hearsay.listen;
        listen.holds(self.class(now, peer))
    }

    pub(super) fn shares_with(&self, now: Timestamp, peer: &NodeId) -> bool {
        let share = self.config.trust.hearsay.share;
        share.holds(self.class(now, peer))
    }

    /// Whether this node itself listens to a topic, for recommendations.
    pub(super) fn is_hearing(&self, topic: &Topic) -> bool {
        topic.as_str() == TOPIC && self.config.trust.hearsay.listen != Circle::Off
    }

    pub(super) fn start_hearing(&mut self) {
        if self.config.trust.hearsay.listen != Circle::Off
            && let Ok(topic) = Topic::new(TOPIC)
        {
            self.tell_gossip(repute_gossip::Input::Subscribe {
                topic,
                causal: false,
            });
        }
    }

    /// A neighbour whose word counts is asked whom it recommends.
    pub(super) fn ask_for_recommendations(&mut self, now: Timestamp, peer: NodeId) {
        if self.listens_to(now, &peer) && !self.hearing.asked.contains_key(&peer) {
            self.hearing.asked.insert(peer, true);
            let count = u8::try_from(RECOMMENDATIONS_MAX).unwrap_or(u8::MAX);
            let context = Context::Network.code();
            let frame = Frame::TrustedPeersRequest(TrustedPeersRequest { context, count });
            self.send_control(peer, frame.encode());
        }
    }

    pub(super) fn send_control(&mut self, peer: NodeId, frame: Bytes) {
        self.output(Output::Send {
            peer,
            frame,
            priority: Priority::Control,
        });
    }

    /// A frame about recommendations.
    pub(super) fn hearsay_frame(&mut self, now: Timestamp, frame: FromPeer<Frame>) {
        let peer = frame.peer();
        match frame.into_value() {
            Frame::TrustedPeersRequest(ask) => self.answer(now, peer, ask),
            Frame::TrustedPeersResponse(answer) => {
                // Nobody else's business: what was not asked for is not looked at.
                match self.hearing.asked.get_mut(&peer) {
                    Some(waiting) if *waiting => *waiting = false,
                    _ => return,
                }
                for bytes in &answer.recommendations {
                    if let Ok(envelope) = Envelope::decode(bytes.bytes().clone()) {
                        self.check(now, peer, envelope);
                    }
                }
            }
            Frame::TrustUpdate(envelope) => self.check(now, peer, envelope),
            _ => {}
        }
    }

    /// Looks at all that costs nothing before the signature is checked.
    fn check(&mut self, now: Timestamp, peer: NodeId, envelope: Envelope) {
        if envelope.author() != peer {
            return self.layers.refuse(Layer::Identity, "passed on by another");
        }
        if let Err((layer, reason)) = self.would_hear(now, &envelope) {
            return self.layers.refuse(layer, reason);
        }
        // The author is whom the link has authenticated: what is spent is the link's.
        if !self.within_budget(now, peer) {
            let reason = "recommendations beyond the budget";
            return self.layers.refuse(Layer::LinkQuota, reason);
        }
        self.layers.pass(Layer::LinkQuota);
        self.output(Output::Verify {
            from: peer,
            envelope,
        });
    }

    fn within_budget(&mut self, now: Timestamp, author: NodeId) -> bool {
        if let Some(bucket) = self.hearing.budgets.get_mut(&author) {
            return bucket.take(now.mono, 600);
        }
        // One token a second, and ten minutes' worth of them for each.
        let mut bucket = TokenBucket::new(1, AUTHOR_BURST * 600, now.mono);
        let first = bucket.take(now.mono, 600);
        self.hearing.budgets.insert(author, bucket);
        first
    }

    /// What an envelope says, if the ledger would take it.
    fn would_hear(&self, now: Timestamp, envelope: &Envelope) -> Result<Opinion, Refused> {
        if envelope.kind() != EnvelopeKind::Recommendation
            || envelope.network() != self.config.network
        {
            return Err((Layer::Content, "no recommendation of this network"));
        }
        let payload = Payload::decode(envelope.kind(), &envelope.payload());
        let Ok(Payload::Recommendation(said)) = payload else {
            return Err((Layer::Content, "unreadable recommendation"));
        };
        let unknown = (Layer::Content, "about a context not known here");
        let opinion = opinion_of(&said, envelope).ok_or(unknown)?;
        let (author, footing) = (envelope.author(), self.footing(now, envelope.author()));
        let verdict = self
            .trust
            .would_hear(author, &opinion, Some(footing), now.wall);
        verdict.map_err(|reason| (Layer::Identity, reason.text()))?;
        // What others say of this node is theirs to know.
        if opinion.subject == self.me || author == self.me {
            return Err((Layer::Identity, "about this node, or of it"));
        }
        Ok(opinion)
    }

    /// A neighbour's recommendation whose signature holds.
    pub(super) fn recommendation_verified(
        &mut self,
        now: Timestamp,
        envelope: &Verified<Envelope>,
    ) {
        self.hear(now, envelope);
    }

    fn hear(&mut self, now: Timestamp, envelope: &Envelope) {
        let opinion = match self.would_hear(now, envelope) {
            Ok(opinion) => opinion,
            Err((layer, reason)) => return self.layers.refuse(layer, reason),
        };
        self.layers.pass(Layer::Identity);
        self.layers.pass(Layer::Application);
        let source = envelope.author();
        let footing = self.footing(now, source);
        self.tell_trust(Input::Recommended {
            source,
            opinion,
            footing,
        });
    }

    /// A message on the topic of recommendations. Its author signed it, and with it the
    /// recommendation inside, which must be its own.
    pub(super) fn recommendation_by_gossip(
        &mut self,
        now: Timestamp,
        author: NodeId,
        message: &Message,
    ) {
        let Ok(envelope) = Envelope::decode(message.data.bytes().clone()) else {
            return;
        };
        if envelope.author() != author {
            return self.layers.refuse(Layer::Identity, "passed on by another");
        }
        if !self.within_budget(now, author) {
            let reason = "recommendations beyond the budget";
            return self.layers.refuse(Layer::IdentityQuota, reason);
        }
        self.layers.pass(Layer::IdentityQuota);
        self.hear(now, &envelope);
    }
}

/// A recommendation in the words of the ledger; nothing if it is about a context that this
/// version does not know.
fn opinion_of(said: &Recommendation, envelope: &Envelope) -> Option<Opinion> {
    let issued = envelope.sent();
    Some(Opinion {
        subject: said.subject,
        context: Context::from_code(said.context).filter(|context| *context == Context::Network)?,
        value: said.value,
        receipt: said.receipt,
        issued,
        expires: repute_base::Wall::from_millis(said.expires)
            .min(issued + Recommendation::LIFETIME_MAX),
    })
}
