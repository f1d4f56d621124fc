//! A banned peer's operator may say one sentence to ours. Nothing follows by itself.
//!
//! The appellant's handshake says that it comes to appeal ([`Capability::APPEAL`]); whoever bans
//! it holds the link for a moment instead of closing it at once, and the appellant's goodbye
//! carries the text. So a ban needs no other channel to be questioned, and a banned peer gets
//! nothing else across.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use repute_base::{BoundedString, Mono};
use repute_identity::NodeId;
use repute_protocol::{
    Capability, Disconnect, DisconnectReason, Handshake, Support, limits::TEXT_MAX,
};

use crate::{Event, LinkDown, LinkId, Output, Peers, link::farewell};

/// Appeals of ours under way at once.
const APPEALS_MAX: usize = 8;
/// Banned peers heard at once; others are turned away as ever.
const HEARINGS_MAX: usize = 8;
/// How long a banned peer has to speak.
const HEARING: Duration = Duration::from_secs(5);
/// One hearing for a peer in this time.
const HEARING_PAUSE: Duration = Duration::from_secs(3_600);
/// Peers whose last hearing is remembered; the oldest goes.
const HEARD_MAX: usize = 256;

/// Appeals, ours and those made to us.
#[derive(Debug, Default)]
pub(crate) struct Appeals {
    /// What we want to say, to whom.
    ours: BTreeMap<NodeId, BoundedString<TEXT_MAX>>,
    /// Whose link is held for an appeal, since when.
    hearings: BTreeMap<NodeId, (LinkId, Mono)>,
    heard: BTreeMap<NodeId, Mono>,
}

impl Appeals {
    pub(crate) fn deadline(&self) -> Option<Mono> {
        let since = self.hearings.values().map(|(_, since)| *since).min();
        since.map(|since| since + HEARING)
    }

    /// Gives `peer` a hearing on this link, if it has not just had one and there is a place.
    fn hear(&mut self, peer: NodeId, link: LinkId, now: Mono) -> bool {
        let again = self
            .heard
            .get(&peer)
            .is_some_and(|at| now.since(*at) < HEARING_PAUSE);
        if again || self.hearings.len() >= HEARINGS_MAX {
            return false;
        }
        if self.heard.len() >= HEARD_MAX {
            let oldest = self.heard.iter().map(|(peer, at)| (*at, *peer)).min();
            if let Some((_, oldest)) = oldest {
                self.heard.remove(&oldest);
            }
        }
        self.heard.insert(peer, now);
        self.hearings.insert(peer, (link, now));
        true
    }
}

impl Peers {
    /// The operator asks a peer that turns us away to think again.
    pub(crate) fn appeal(&mut self, peer: NodeId, text: BoundedString<TEXT_MAX>) {
        let full = self.appeals.ours.len() >= APPEALS_MAX;
        let known = self.book.get(&peer).is_some();
        let busy = self.links.contains_key(&peer) || self.dialling.is_under_way(&peer);
        if full || !known || busy || !self.is_running() {
            return self.event(Event::Appeal { peer, sent: false });
        }
        self.appeals.ours.insert(peer, text);
        self.emit(Output::Appealing(true));
        self.dial(peer, false);
    }

    /// A link of ours stands: says what it was dialled for, and ends it. True if that was all.
    pub(crate) fn speak(&mut self, peer: NodeId, link: LinkId, inbound: bool) -> bool {
        if inbound {
            return false;
        }
        let Some(detail) = self.appeals.ours.remove(&peer) else {
            return false;
        };
        let disconnect = Disconnect {
            reason: DisconnectReason::Appeal,
            retry_ms: 0,
            detail,
        };
        self.emit(Output::Close {
            peer,
            link,
            disconnect,
        });
        self.spoken(peer, true);
        true
    }

    /// A dial that was to carry an appeal came to nothing.
    pub(crate) fn unspoken(&mut self, peer: NodeId) {
        if self.appeals.ours.remove(&peer).is_some() {
            self.spoken(peer, false);
        }
    }

    fn spoken(&mut self, peer: NodeId, sent: bool) {
        let more = !self.appeals.ours.is_empty();
        self.emit(Output::Appealing(more));
        self.event(Event::Appeal { peer, sent });
    }

    /// Holds the link of a banned peer that comes to appeal, for a moment.
    pub(crate) fn hears(
        &mut self,
        peer: NodeId,
        link: LinkId,
        handshake: &Handshake,
        (reason, inbound): (DisconnectReason, bool),
    ) -> bool {
        let appeals = handshake.support(Capability::APPEAL) == Support::Supported;
        let banned = reason == DisconnectReason::Banned;
        inbound && appeals && banned && self.appeals.hear(peer, link, self.now.mono)
    }

    /// The end of a link that was held for an appeal. False if it was no such link.
    pub(crate) fn hearing_over(&mut self, peer: NodeId, id: LinkId, cause: &LinkDown) -> bool {
        let held = self.appeals.hearings.get(&peer);
        if held.is_none_or(|(link, _)| *link != id) {
            return false;
        }
        self.appeals.hearings.remove(&peer);
        if let LinkDown::Closed(goodbye) = cause
            && goodbye.reason == DisconnectReason::Appeal
            && !goodbye.detail.as_str().is_empty()
        {
            let text = goodbye.detail.clone();
            self.event(Event::Appealed { peer, text });
        }
        true
    }

    /// Whoever did not speak in time is turned away.
    pub(crate) fn expire_hearings(&mut self) {
        let mono = self.now.mono;
        let over = |(_, (_, since)): &(&NodeId, &(LinkId, Mono))| mono.since(*since) >= HEARING;
        let late: Vec<(NodeId, LinkId)> = self
            .appeals
            .hearings
            .iter()
            .filter(over)
            .map(|(peer, (link, _))| (*peer, *link))
            .collect();
        for (peer, link) in late {
            self.appeals.hearings.remove(&peer);
            let reason = DisconnectReason::Banned;
            self.emit(Output::Close {
                peer,
                link,
                disconnect: farewell(reason),
            });
            self.event(Event::Refused { peer, reason });
        }
    }
}
