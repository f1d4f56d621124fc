//! Probes on behalf of others: who misses a peer asks whether we reach it.

use alloc::vec::Vec;

use repute_base::Mono;
use repute_identity::NodeId;
use repute_protocol::{Frame, Heartbeat};

use crate::Peers;

/// A probe on another's behalf.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) requester: NodeId,
    nonce: u64,
    pub(crate) target: NodeId,
    pub(crate) deadline: Mono,
    /// Whether "no answer yet" has been sent; a late answer is still passed on.
    declined: bool,
}

impl Peers {
    /// The answer to a ping of ours. As a sign of life it has been counted already.
    pub(crate) fn pong(&mut self, peer: NodeId, nonce: u64) {
        if self
            .detector
            .relays
            .get(&nonce)
            .is_some_and(|relay| relay.target == peer)
            && let Some(relay) = self.detector.relays.remove(&nonce)
        {
            self.reply_to(&relay, true);
        }
    }

    fn reply_to(&mut self, relay: &Relay, alive: bool) {
        let (nonce, target) = (relay.nonce, relay.target);
        let reply = Heartbeat::ProbeReply {
            nonce,
            target,
            alive,
        };
        self.send(relay.requester, Frame::Heartbeat(reply));
    }

    /// Probes `target` for another. "No" also means "I cannot", and still shows that we live.
    pub(crate) fn relay(&mut self, requester: NodeId, nonce: u64, target: NodeId) {
        // Half the requester's wait, so that it hears from us in time either way.
        let deadline = self.now.mono + self.config.probe_period * 3 / 20;
        let relay = Relay {
            requester,
            nonce,
            target,
            deadline,
            declined: false,
        };
        let reachable = self.links.get(&target).is_some_and(|link| link.admitted);
        if !reachable || self.detector.relays.len() >= self.limits.relays_max {
            return self.reply_to(&relay, false);
        }
        let nonce = self.detector.next_nonce();
        self.detector.relays.insert(nonce, relay);
        self.send(target, Frame::Heartbeat(Heartbeat::Ping { nonce }));
    }

    pub(crate) fn expire_relays(&mut self) {
        let mono = self.now.mono;
        let late: Vec<u64> = self
            .detector
            .relays
            .iter()
            .filter(|(_, relay)| relay.deadline <= mono)
            .map(|(nonce, _)| *nonce)
            .collect();
        for nonce in late {
            let Some(mut relay) = self.detector.relays.remove(&nonce) else {
                continue;
            };
            if !relay.declined {
                self.reply_to(&relay, false);
                let target = relay.target;
                relay.declined = true;
                relay.deadline = mono + self.config.probe_period;
                self.detector.relays.insert(nonce, relay);
                // What another node missed and this one misses too, it finds out for itself: next,
                // not besides, or a node that hears nobody would suspect twice as many.
                self.alarm();
                self.detector.put_first(target);
            }
        }
    }
}
