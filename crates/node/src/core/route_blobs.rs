//! The outputs of the engine of blobs, and what they mean to the others.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::time::Duration;

use repute_base::{Layer, Layers, Machine, Mono, Rng, Timestamp};
use repute_blobs::{Blobs, Input, Output as Transfers, Whereabouts, WhereaboutsInput};
use repute_identity::NodeId;
use repute_protocol::{Frame, FromPeer};
use repute_trust::ReceiptsInput;

use super::{Config, ConfigError, Core, Event, Output, Priority, Step, route_transfers::Tab};

/// How long a link that was made for blobs stays when they need it no longer: the next file of a
/// folder may want it, and the last receipt is on its way.
const LINGER: Duration = Duration::from_secs(10);

/// The engine of blobs, and what its wires need.
#[derive(Debug)]
pub(super) struct Files {
    engine: Blobs,
    pub(super) whereabouts: Whereabouts,
    pub(super) rng: Rng,
    /// Links that blobs need no longer, and until when they stay; bounded by the links.
    lingering: BTreeMap<NodeId, Mono>,
    /// Of those that served in the last second.
    pub(super) tabs: BTreeMap<NodeId, Tab>,
}

impl Core {
    /// The engine of blobs of a node that has one.
    pub(super) fn files_of(
        me: NodeId,
        config: &Config,
        rng: &mut Rng,
    ) -> Result<Option<Box<Files>>, ConfigError> {
        let Some(policy) = &config.blobs else {
            return Ok(None);
        };
        let limits = config.limits.blobs.clone();
        let engine = Blobs::new(policy.clone(), limits, rng.fork()).map_err(ConfigError::blobs)?;
        let (dht, limits) = (config.dht.is_some(), config.limits.whereabouts.clone());
        Ok(Some(Box::new(Files {
            engine,
            whereabouts: Whereabouts::new(me, dht, limits, rng.fork()),
            rng: rng.fork(),
            lingering: BTreeMap::new(),
            tabs: BTreeMap::new(),
        })))
    }

    /// Files shared and fetched; none if this node does neither.
    pub fn blobs(&self) -> Option<&Blobs> {
        self.files.as_ref().map(|files| &files.engine)
    }

    /// What is announced, and what was heard of others; none if this node has no files.
    pub fn whereabouts(&self) -> Option<&Whereabouts> {
        self.files.as_ref().map(|files| &files.whereabouts)
    }

    pub(super) fn tell_blobs(&mut self, input: Input) {
        if self.files.is_some() {
            self.inbox.push_back(Step::Blobs(input));
        }
    }

    pub(super) fn settle_blobs(&mut self, now: Timestamp, input: Input) {
        let Some(files) = &mut self.files else { return };
        let gone = match &input {
            Input::LinkDown { peer } => Some(*peer),
            _ => None,
        };
        files.engine.handle(now, input);
        while let Some(output) = self.files.as_mut().and_then(|one| one.engine.poll_output()) {
            self.route_blobs(now, output);
        }
        if let Some(peer) = gone {
            self.settle_tab(peer);
            self.tell_receipts(ReceiptsInput::LinkDown { peer });
        }
    }

    /// What the shell did or was asked for. All else comes from the other engines alone.
    pub(super) fn transfer(&mut self, input: Input) {
        if matches!(
            input,
            Input::Download(_)
                | Input::Pause { .. }
                | Input::Resume { .. }
                | Input::Cancel { .. }
                | Input::Answered { .. }
                | Input::Received { .. }
                | Input::Corrupt { .. }
                | Input::Ended { .. }
                | Input::Trouble { .. }
                | Input::Share { .. }
                | Input::Unshare { .. }
                | Input::Asked { .. }
                | Input::Sent { .. }
                | Input::SentAll { .. }
        ) {
            self.tell_blobs(input);
        }
    }

    pub(super) fn blobs_due(&self) -> Option<Mono> {
        let files = self.files.as_ref()?;
        let lingering = files.lingering.values().min().copied();
        let tabs = files.tabs.values().map(|tab| tab.due).min();
        let engine = files.engine.next_deadline();
        let due = engine.into_iter().chain(files.whereabouts.next_deadline());
        due.chain(lingering).chain(tabs).min()
    }

    /// Rates and stalls are told in milliseconds.
    pub(super) fn blobs_urgent(&self) -> Option<Mono> {
        self.files.as_ref()?.engine.next_deadline()
    }

    pub(super) fn blobs_tick(&mut self, now: Timestamp) {
        let Some(files) = &mut self.files else { return };
        let tabs = files.tabs.iter().filter(|(_, tab)| tab.due <= now.mono);
        let tabs: Vec<NodeId> = tabs.map(|(peer, _)| *peer).collect();
        let gone = files.lingering.iter();
        let gone = gone.filter(|(_, until)| **until <= now.mono);
        let gone: Vec<NodeId> = gone.map(|(peer, _)| *peer).collect();
        files.lingering.retain(|_, until| *until > now.mono);
        tabs.into_iter().for_each(|peer| self.settle_tab(peer));
        gone.into_iter().for_each(|peer| self.leave(peer));
        self.tell_blobs(Input::Tick);
        self.tell_whereabouts(WhereaboutsInput::Tick);
    }

    pub(super) fn blob_frame(&mut self, frame: FromPeer<Frame>) {
        let peer = frame.peer();
        if let Frame::Blob(frame) = frame.into_value() {
            self.tell_blobs(Input::Frame(FromPeer::authenticated(peer, *frame)));
        }
    }

    /// Both ends have admitted the link.
    pub(super) fn blobs_link_up(&mut self, now: Timestamp, peer: NodeId) {
        let standing = self.trust.standing(peer, now.wall);
        self.tell_blobs_standing(peer, &standing);
        self.tell_whereabouts(WhereaboutsInput::LinkUp { peer });
        self.tell_blobs(Input::LinkUp { peer });
        // Whoever asked for it may have given up meanwhile.
        if let Some(files) = &mut self.files {
            files.lingering.insert(peer, now.mono + LINGER);
        }
    }

    /// A link is gone. The receipts hear of it once they know all that came over it.
    pub(super) fn blobs_link_down(&mut self, peer: NodeId) {
        let Some(files) = &mut self.files else {
            return self.tell_receipts(ReceiptsInput::LinkDown { peer });
        };
        files.lingering.remove(&peer);
        self.tell_blobs(Input::LinkDown { peer });
    }

    /// No engine has anything more to say to a peer that was dialled for a conversation.
    pub(super) fn leave(&mut self, peer: NodeId) {
        let files = self.files.as_ref();
        let fetching = files.is_some_and(|files| {
            files.engine.needs_link(&peer) || files.lingering.contains_key(&peer)
        });
        let asking = self.dht().is_some_and(|dht| dht.needs_link(&peer));
        if !fetching && !asking {
            self.tell_peers(repute_peers::Input::Leave { peer });
        }
    }

    fn route_blobs(&mut self, now: Timestamp, output: Transfers) {
        match output {
            Transfers::Find { hash } => self.tell_whereabouts(WhereaboutsInput::Find { hash }),
            Transfers::Announce { hash, size } => {
                self.tell_whereabouts(WhereaboutsInput::Announce { hash, size });
            }
            Transfers::Withdraw { hash } => {
                self.tell_whereabouts(WhereaboutsInput::Withdraw { hash });
            }
            Transfers::Link { peer, addresses } => self.link_for_blobs(peer, addresses),
            Transfers::Unlink { peer } => {
                self.tell_whereabouts(WhereaboutsInput::Unlink { peer });
                if let Some(files) = &mut self.files {
                    files.lingering.insert(peer, now.mono + LINGER);
                }
            }
            Transfers::Send { peer, frame } => {
                let frame = Frame::Blob(Box::new(frame)).encode();
                self.output(Output::Send {
                    peer,
                    frame,
                    priority: Priority::Control,
                });
            }
            Transfers::Rank { id, peers } => self.rank_seeders(now, id, &peers),
            Transfers::Open { peer } => self.open_session(peer),
            Transfers::Close { peer, .. } => self.close_session(now, peer),
            Transfers::Misbehaviour { peer, kind } => self.transfer_broke(peer, kind),
            Transfers::Evidence { peer, evidence } => self.transferred(now, peer, &evidence),
            Transfers::Event(event) => self.event(Event::Blobs(event)),
            output @ (Transfers::Request { .. }
            | Transfers::Receive { .. }
            | Transfers::Cancel { .. }
            | Transfers::Answer { .. }
            | Transfers::Serve { .. }
            | Transfers::Transmit { .. }
            | Transfers::Stop { .. }) => self.output(Output::Transfer(output)),
            _ => {}
        }
    }

    pub(super) fn add_blobs(&self, all: &mut Layers) {
        if let Some(files) = &self.files {
            let reason = "frames about blobs beyond the budget";
            let dropped = files.engine.stats().frames_dropped;
            all.refuse_many(Layer::LinkQuota, reason, dropped);
            let reason = "blobs announced too soon";
            all.refuse_many(Layer::IdentityQuota, reason, files.whereabouts.hasty());
        }
    }
}
