//! This node's own recommendations: given by its operator, told to those it shares with.

use alloc::vec::Vec;

use repute_base::{BoundedBytes, BoundedString, BoundedVec, Timestamp};
use repute_identity::NodeId;
use repute_protocol::{
    Envelope, EnvelopeKind, Frame, Payload, Recommendation, Topic, TrustedPeersRequest,
    TrustedPeersResponse, Verified,
};
use repute_trust::{Circle, Context, Input, NotHeard, Opinion};

use super::{
    Core, Event,
    route_hearsay::{ANSWER_MS, Draft, TOPIC},
};

impl Core {
    /// Says whom this node recommends: what its operator said, never a score.
    pub(super) fn answer(&mut self, now: Timestamp, peer: NodeId, ask: TrustedPeersRequest) {
        let last = self.hearing.answered.insert(peer, now.mono);
        let soon = last.is_some_and(|last| {
            now.mono.since(last) < core::time::Duration::from_millis(ANSWER_MS)
        });
        let mut recommendations = BoundedVec::new();
        if !soon && self.shares_with(now, &peer) {
            let own = self.trust.own_recommendations(now.wall).into_iter();
            let fitting = own.filter(|(opinion, _)| opinion.context.code() == ask.context);
            let signed = fitting.map(|(_, signed)| signed);
            recommendations = BoundedVec::truncated(signed.take(usize::from(ask.count)));
        }
        let answer = Frame::TrustedPeersResponse(TrustedPeersResponse { recommendations });
        self.send_control(peer, answer.encode());
    }

    /// The operator recommends, or warns.
    pub(super) fn recommend(
        &mut self,
        now: Timestamp,
        token: u64,
        (subject, value): (NodeId, i8),
        reason: BoundedString<128>,
    ) {
        let opinion = Opinion {
            subject,
            context: Context::Network,
            value,
            receipt: None,
            issued: now.wall,
            expires: now.wall + Recommendation::LIFETIME_MAX,
        };
        if let Err(reason) = self.trust.would_hear(self.me, &opinion, None, now.wall) {
            self.event(Event::NotRecommended { token, reason });
            return;
        }
        let payload = Payload::Recommendation(Recommendation {
            subject,
            context: opinion.context.code(),
            value,
            expires: opinion.expires.as_millis(),
            receipt: None,
        });
        let draft = Draft {
            token,
            opinion,
            reason,
        };
        let name = self.hearing.token();
        self.hearing.drafts.insert(name, draft);
        self.sign(now, EnvelopeKind::Recommendation, name, &payload);
    }

    /// Our own recommendation came back signed: it counts here, and is told to those with whom
    /// this node shares.
    pub(super) fn recommendation_signed(
        &mut self,
        now: Timestamp,
        name: u64,
        envelope: &Verified<Envelope>,
    ) {
        let Some(draft) = self.hearing.drafts.remove(&name) else {
            return;
        };
        let Ok(signed) = BoundedBytes::new(envelope.wire().clone()) else {
            let (token, reason) = (draft.token, NotHeard::Full);
            return self.event(Event::NotRecommended { token, reason });
        };
        let me = self.me;
        self.awaiting = Some(draft.token);
        self.tell_trust(Input::Recommend {
            me,
            opinion: draft.opinion,
            reason: draft.reason,
            signed,
        });
        self.settle(now);
        self.finish_without_write();
        self.publish_recommendation(now, envelope);
    }

    fn publish_recommendation(&mut self, now: Timestamp, envelope: &Envelope) {
        let frame = Frame::TrustUpdate(envelope.clone()).encode();
        let links: Vec<NodeId> = self.peers.active().collect();
        for peer in links {
            if self.shares_with(now, &peer) {
                self.send_control(peer, frame.clone());
            }
        }
        if self.config.trust.hearsay.share != Circle::All {
            return;
        }
        if let (Ok(topic), Ok(data)) = (
            Topic::new(TOPIC),
            BoundedBytes::new(envelope.wire().clone()),
        ) {
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

    /// The operator takes a source of recommendations out, or lets it back in.
    pub(super) fn withdraw(&mut self, now: Timestamp, token: u64, source: NodeId, readmit: bool) {
        self.awaiting = Some(token);
        self.tell_trust(match readmit {
            true => Input::Readmit { source },
            false => Input::Withdraw { source },
        });
        self.settle(now);
        self.finish_without_write();
    }
}
