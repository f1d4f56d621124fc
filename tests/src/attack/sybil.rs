use std::collections::BTreeSet;

use repute_base::{BoundedVec, Mono};
use repute_identity::NodeId;
use repute_protocol::{Announced, Frame, GossipFrame, MessageId};

use super::{Adversary, Shell};

/// Turns to act between two requests to become a neighbour on each link.
const REGRAFT_TURNS: u64 = 5;
/// Messages of the censored author that are remembered, to keep them unannounced.
const CENSORED_MAX: usize = 65_536;

/// What a [`Sybil`] does not pass on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Nothing: no message, no announcement, no answer to those who ask for one.
    Silent,
    /// This many of a thousand messages, whoever asks; the others it does.
    Lossy(u64),
    /// What one author publishes; it relays all else.
    Censor(NodeId),
}

/// One of many identities with one will: asks to be everybody's neighbour, again and again,
/// recommends its like, and then does not pass on what it should.
#[derive(Clone, Debug)]
pub struct Sybil {
    conduct: Conduct,
    begin: Mono,
    turns: u64,
    censored: BTreeSet<MessageId>,
}

impl Sybil {
    /// One that behaves until `begin` of the world's clock.
    pub const fn new(conduct: Conduct, begin: Mono) -> Self {
        Self {
            conduct,
            begin,
            turns: 0,
            censored: BTreeSet::new(),
        }
    }

    /// Whether it keeps a message to itself.
    fn withholds(&self, id: &MessageId) -> bool {
        match self.conduct {
            Conduct::Silent => true,
            Conduct::Lossy(permille) => {
                let [a, b, ..] = *id.as_bytes();
                u64::from(u16::from_le_bytes([a, b])) * 1_000 < permille << 16
            }
            Conduct::Censor(_) => self.censored.contains(id),
        }
    }

    /// Announces only what it would pass on.
    fn announces(&self, me: &mut Shell<'_>, to: NodeId, messages: &[Announced]) -> bool {
        let kept: Vec<Announced> = messages
            .iter()
            .filter(|message| !self.withholds(&message.id))
            .copied()
            .collect();
        if kept.len() == messages.len() {
            return true;
        }
        if !kept.is_empty() {
            let messages = BoundedVec::truncated(kept);
            me.send(to, &Frame::Gossip(GossipFrame::Announce { messages }));
        }
        false
    }
}

impl Adversary for Sybil {
    fn hears(&mut self, me: &mut Shell<'_>, _: NodeId, frame: &Frame) -> bool {
        match (self.conduct, frame) {
            (Conduct::Silent, _) if me.at < self.begin => true,
            (Conduct::Silent, Frame::Broadcast(_)) => {
                me.did("dropped");
                false
            }
            // Its core has nothing to give, and need not know.
            (
                Conduct::Silent,
                Frame::Gossip(
                    GossipFrame::Announce { .. }
                    | GossipFrame::Want { .. }
                    | GossipFrame::Graft { .. }
                    | GossipFrame::Reconcile { .. },
                ),
            ) => false,
            (Conduct::Censor(victim), Frame::Broadcast(broadcast)) => {
                let mine = broadcast.envelope.author() == victim;
                if mine && self.censored.len() < CENSORED_MAX {
                    self.censored.insert(broadcast.envelope.id());
                }
                true
            }
            _ => true,
        }
    }

    fn says(&mut self, me: &mut Shell<'_>, to: NodeId, frame: &Frame) -> bool {
        if me.at < self.begin {
            return me.recommends(to, frame);
        }
        match frame {
            Frame::Broadcast(broadcast) if self.withholds(&broadcast.envelope.id()) => {
                me.did("dropped");
                false
            }
            Frame::Gossip(GossipFrame::Announce { messages }) => self.announces(me, to, messages),
            // A silent one is nobody's source, so it never says that it wants no more copies.
            Frame::Gossip(GossipFrame::Leave | GossipFrame::Prune)
                if self.conduct == Conduct::Silent =>
            {
                false
            }
            _ => me.recommends(to, frame),
        }
    }

    fn acts(&mut self, me: &mut Shell<'_>) {
        self.turns += 1;
        if !self.turns.is_multiple_of(REGRAFT_TURNS) {
            return;
        }
        for peer in me.peers {
            me.did("asked to be a neighbour");
            me.send(
                *peer,
                &Frame::Gossip(GossipFrame::Neighbor { urgent: true }),
            );
        }
    }
}
