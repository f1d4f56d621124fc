//! How a link ends: lost, closed by either side, or never admitted.

use alloc::vec::Vec;
use core::time::Duration;

use repute_base::Mono;
use repute_identity::NodeId;
use repute_protocol::{Disconnect, DisconnectReason};

use crate::{
    Event, LinkDown, LinkId, Output, Peers,
    link::{Link, farewell},
};

/// A link that lasted this long was no failure.
const STABLE: Duration = Duration::from_secs(60);

impl Peers {
    pub(crate) fn link_down(&mut self, peer: NodeId, id: LinkId, cause: LinkDown) {
        if self.hearing_over(peer, id, &cause) {
            return;
        }
        if self.links.get(&peer).is_none_or(|link| link.id != id) {
            return;
        }
        let blamed = matches!(cause, LinkDown::Lost) && self.detector.suspects(&peer);
        if blamed {
            self.silent_evidence(peer);
        }
        let Some(link) = self.detach(peer) else {
            return;
        };
        if link.admitted && matches!(cause, LinkDown::Lost) && link.farewell.is_none() {
            self.dialling.lose(peer, self.limits.lost_max);
        }
        let farewell = match cause {
            LinkDown::Closed(disconnect) => Some(disconnect),
            LinkDown::Lost => link.farewell.clone(),
            LinkDown::Local => None,
        };
        if let Some(goodbye) = &farewell {
            self.refused_by(peer, goodbye);
        }
        let retry = farewell.as_ref().map_or(Duration::ZERO, Disconnect::retry);
        let idle = farewell
            .as_ref()
            .is_some_and(|one| one.reason == DisconnectReason::Idle);
        let stable = link.admitted && (idle || self.now.mono.since(link.since) >= STABLE);
        self.rest(peer, stable, retry);
        if link.admitted {
            let reason = farewell.map(|disconnect| disconnect.reason);
            self.event(Event::Disconnected { peer, reason });
            self.persist(peer);
        }
        self.dialling
            .soon(self.now.mono + Duration::from_millis(100));
    }

    /// Closes the peer's link, if there is one.
    pub(crate) fn close(&mut self, peer: NodeId, reason: DisconnectReason) {
        let Some(link) = self.detach(peer) else {
            return;
        };
        let disconnect = farewell(reason);
        let idle = reason == DisconnectReason::Idle;
        let stable = link.admitted && (idle || self.now.mono.since(link.since) >= STABLE);
        self.rest(peer, stable, disconnect.retry());
        self.emit(Output::Close {
            peer,
            link: link.id,
            disconnect,
        });
        if link.admitted {
            self.event(Event::Disconnected {
                peer,
                reason: Some(reason),
            });
            self.persist(peer);
        }
        self.dialling
            .soon(self.now.mono + Duration::from_millis(100));
    }

    /// Takes the link out of every set.
    pub(crate) fn detach(&mut self, peer: NodeId) -> Option<Link> {
        let link = self.links.remove(&peer)?;
        self.detector.remove(&peer);
        if link.admitted {
            self.look_around();
            self.emit(Output::PeerDown { peer });
        } else {
            self.half_open = self.half_open.saturating_sub(1);
        }
        self.visit_over(peer, !link.admitted);
        Some(link)
    }

    pub(crate) fn expire_half_open(&mut self) {
        if self.half_open == 0 {
            return;
        }
        let (mono, patience) = (self.now.mono, self.limits.half_open_timeout);
        let late: Vec<NodeId> = self
            .links
            .iter()
            .filter(|(_, link)| !link.admitted && mono.since(link.since) >= patience)
            .map(|(id, _)| *id)
            .collect();
        for peer in late {
            self.close(peer, DisconnectReason::Unresponsive);
        }
    }

    pub(crate) fn half_open_deadline(&self) -> Option<Mono> {
        if self.half_open == 0 {
            return None;
        }
        let oldest = self
            .links
            .values()
            .filter(|link| !link.admitted)
            .map(|link| link.since)
            .min();
        oldest.map(|since| since + self.limits.half_open_timeout)
    }
}
