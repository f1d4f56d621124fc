//! A link to a peer, as this engine sees it.

use alloc::collections::BTreeSet;

use repute_base::{Address, BoundedString, Mono, TokenBucket, Wall};
use repute_identity::NodeId;
use repute_protocol::{Disconnect, DisconnectReason, Handshake, NetworkId, limits::TEXT_MAX};

use crate::LinkId;

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) inbound: bool,
    pub(crate) remote: Address,
    pub(crate) network: NetworkId,
    pub(crate) since: Mono,
    pub(crate) since_wall: Wall,
    /// Whether the peer admitted it too; then the peer is active.
    pub(crate) admitted: bool,
    pub(crate) heard: Mono,
    /// When we asked for peers, until the answer.
    pub(crate) asked: Option<Mono>,
    /// The records that the peer was told of on this link, by number.
    pub(crate) told: BTreeSet<u64>,
    pub(crate) control: TokenBucket,
    /// When the peer was last reported for exceeding the control budget.
    pub(crate) reported: Option<Mono>,
    pub(crate) latency_ms: Option<u64>,
    pub(crate) agent: BoundedString<TEXT_MAX>,
    /// The peer's last frame, if it came before the link went down.
    pub(crate) farewell: Option<Disconnect>,
}

impl Link {
    pub(crate) fn new(
        id: LinkId,
        inbound: bool,
        remote: Address,
        handshake: &Handshake,
        control: TokenBucket,
        (since, since_wall): (Mono, Wall),
    ) -> Self {
        Self {
            id,
            inbound,
            remote,
            network: handshake.network,
            since,
            since_wall,
            admitted: false,
            heard: since,
            asked: None,
            told: BTreeSet::new(),
            control,
            reported: None,
            latency_ms: None,
            agent: handshake.agent.clone(),
            farewell: None,
        }
    }
}

/// Whether a second link replaces the first. Both ends come to the same answer.
///
/// Two links that rise together are a simultaneous dial: the one dialled by the smaller id stays.
/// Otherwise the peer dialled because it lost the first link before we noticed, so the newer stays.
pub(crate) fn newer_stays(
    (me, peer): (NodeId, NodeId),
    (first_inbound, second_inbound): (bool, bool),
    together: bool,
) -> bool {
    if first_inbound == second_inbound || !together {
        return true;
    }
    let dialler = if second_inbound { peer } else { me };
    dialler == me.min(peer)
}

/// The last frame of a link, with the pause that makes sense for the reason.
pub(crate) fn farewell(reason: DisconnectReason) -> Disconnect {
    let detail = match reason {
        DisconnectReason::Full => "no free slot",
        DisconnectReason::Evicted => "the slot went to another peer",
        DisconnectReason::Diversity => "too many links to your address prefix",
        DisconnectReason::LowTrust => "trust is below this node's minimum",
        DisconnectReason::Banned => "this node does not talk to you for now",
        DisconnectReason::Misbehaviour => "protocol violation",
        DisconnectReason::Overload => "too many attempts or requests",
        DisconnectReason::Unresponsive => "no answer to probes",
        DisconnectReason::Shutdown => "this node stops",
        DisconnectReason::Requested => "asked for by the operator",
        DisconnectReason::Idle => "the conversation is over",
        DisconnectReason::Duplicate => "another link to you is in use",
        _ => "",
    };
    Disconnect::because(reason, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_simultaneous_dial_keep_the_same_link() {
        let (a, b) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        // Link X is dialled by a, link Y by b. Each end may see either first.
        for a_sees_x_first in [true, false] {
            for b_sees_x_first in [true, false] {
                let at_a = if a_sees_x_first {
                    !newer_stays((a, b), (false, true), true)
                } else {
                    newer_stays((a, b), (true, false), true)
                };
                let at_b = if b_sees_x_first {
                    !newer_stays((b, a), (true, false), true)
                } else {
                    newer_stays((b, a), (false, true), true)
                };
                assert!(at_a && at_b, "both keep X, which the smaller id dialled");
            }
        }
        assert!(
            newer_stays((a, b), (false, true), false),
            "an old link yields"
        );
    }
}
