//! The outputs of the engine of blobs, and what they mean to the others.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::time::Duration;

use repute_base::{Layer, Layers, Machine, Mono, Rng, Timestamp, Wall};
use repute_blobs::{Blobs, Evidence, Input, Output as Transfers};
use repute_identity::NodeId;
use repute_protocol::{Capability, Frame, FromPeer, Misbehaviour, Support};
use repute_trust::{
    Candidate, ChronicleInput, Dossier, Fault, IdentityClass, Sample, Standing, Transfer,
};

use super::{Config, ConfigError, Core, Event, Output, Priority, Step, transfers};

/// How long a link that was made for blobs stays when they need it no longer: the next file of a
/// folder may want it, and the last receipt is on its way.
const LINGER: Duration = Duration::from_secs(10);

/// The engine of blobs, and what its wires need.
#[derive(Debug)]
pub(super) struct Files {
    engine: Blobs,
    rng: Rng,
    /// Links that blobs need no longer, and until when they stay; bounded by the links.
    lingering: BTreeMap<NodeId, Mono>,
}

impl Core {
    /// The engine of blobs of a node that has one.
    pub(super) fn files_of(
        config: &Config,
        rng: &mut Rng,
    ) -> Result<Option<Box<Files>>, ConfigError> {
        let Some(policy) = &config.blobs else {
            return Ok(None);
        };
        let limits = config.limits.blobs.clone();
        let engine = Blobs::new(policy.clone(), limits, rng.fork()).map_err(ConfigError::blobs)?;
        Ok(Some(Box::new(Files {
            engine,
            rng: rng.fork(),
            lingering: BTreeMap::new(),
        })))
    }

    /// Files shared and fetched; none if this node does neither.
    pub fn blobs(&self) -> Option<&Blobs> {
        self.files.as_ref().map(|files| &files.engine)
    }

    pub(super) fn tell_blobs(&mut self, input: Input) {
        if self.files.is_some() {
            self.inbox.push_back(Step::Blobs(input));
        }
    }

    pub(super) fn settle_blobs(&mut self, now: Timestamp, input: Input) {
        let Some(files) = &mut self.files else { return };
        files.engine.handle(now, input);
        while let Some(output) = self.files.as_mut().and_then(|one| one.engine.poll_output()) {
            self.route_blobs(now, output);
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
        files
            .engine
            .next_deadline()
            .into_iter()
            .chain(lingering)
            .min()
    }

    /// Rates and stalls are told in milliseconds.
    pub(super) fn blobs_urgent(&self) -> Option<Mono> {
        self.files.as_ref()?.engine.next_deadline()
    }

    pub(super) fn blobs_tick(&mut self, now: Timestamp) {
        let Some(files) = &mut self.files else { return };
        let due = files
            .lingering
            .iter()
            .filter(|(_, until)| **until <= now.mono);
        let due: Vec<NodeId> = due.map(|(peer, _)| *peer).collect();
        files.lingering.retain(|_, until| *until > now.mono);
        due.into_iter().for_each(|peer| self.leave(peer));
        self.tell_blobs(Input::Tick);
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
        self.tell_blobs(Input::LinkUp { peer });
    }

    pub(super) fn blobs_link_down(&mut self, peer: NodeId) {
        if let Some(files) = &mut self.files {
            files.lingering.remove(&peer);
        }
        self.tell_blobs(Input::LinkDown { peer });
    }

    pub(super) fn blobs_unreachable(&mut self, peer: NodeId) {
        if self.blobs().is_some_and(|blobs| blobs.needs_link(&peer)) {
            self.tell_blobs(Input::Unreachable { peer });
        }
    }

    pub(super) fn tell_blobs_standing(&mut self, peer: NodeId, standing: &Standing) {
        self.tell_blobs(Input::Standing {
            peer,
            tier: transfers::tier(standing.level),
            closed: standing.gate.is_closed(),
        });
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

    /// All that the selection looks at.
    pub(crate) fn candidate(&self, id: NodeId, wall: Wall) -> Candidate {
        let known = self.receipts.as_ref();
        let support = self.peers.view(id);
        let support = support.map(|peer| peer.support(Capability::ENCRYPTED_TRANSFER));
        Candidate {
            id,
            class: known.map_or(IdentityClass::Free, |receipts| {
                receipts.classes().class(&id, wall)
            }),
            rank: self.averages(id),
            encrypted: match support {
                Some(Support::Supported) => Some(true),
                Some(Support::NotSupported) => Some(false),
                Some(Support::Unknown) | None => None,
            },
            dossier: Dossier {
                metrics: self.chronicle.metrics(id, self.trust.time(wall)),
                standing: self.trust.standing(id, wall),
                crowding: self.peers.crowding(id),
            },
        }
    }

    fn rank_seeders(&mut self, now: Timestamp, id: repute_blobs::DownloadId, peers: &[NodeId]) {
        let candidates: Vec<Candidate> = peers
            .iter()
            .map(|peer| self.candidate(*peer, now.wall))
            .collect();
        if let Some(files) = &mut self.files {
            let ranked = transfers::rank_seeders(&candidates, &mut files.rng);
            self.tell_blobs(Input::Ranked { id, ranked });
        }
    }

    fn route_blobs(&mut self, now: Timestamp, output: Transfers) {
        match output {
            Transfers::Link { peer, addresses } => {
                if let Some(files) = &mut self.files {
                    files.lingering.remove(&peer);
                }
                self.tell_peers_of(now, peer);
                self.tell_peers(repute_peers::Input::Visit { peer, addresses });
            }
            Transfers::Unlink { peer } => {
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
            Transfers::Misbehaviour { peer, kind } => self.transfer_broke(peer, kind),
            Transfers::Evidence { peer, evidence } => self.transferred(peer, &evidence),
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

    fn transferred(&mut self, peer: NodeId, measured: &Evidence) {
        let Some(judged) = transfers::judged(measured) else {
            return;
        };
        if let Some(evidence) = judged.evidence {
            self.observe(peer, evidence, Fault::Theirs);
        }
        self.sample_transfer(peer, judged.sample);
    }

    fn transfer_broke(&mut self, peer: NodeId, kind: Misbehaviour) {
        self.misbehaved(peer, kind);
        self.sample_transfer(peer, transfers::convicted(kind).sample);
    }

    fn sample_transfer(&mut self, subject: NodeId, transfer: Transfer) {
        self.tell_history(ChronicleInput::Sample {
            subject,
            sample: Sample::Transfer(transfer),
            fault: Fault::Theirs,
        });
    }

    pub(super) fn add_blobs(&self, all: &mut Layers) {
        if let Some(blobs) = self.blobs() {
            let reason = "frames about blobs beyond the budget";
            all.refuse_many(Layer::LinkQuota, reason, blobs.stats().frames_dropped);
        }
    }
}
