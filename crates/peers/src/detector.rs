//! Who still answers: SWIM's probes, indirect probes and suspicion, run over active links, damped
//! by the node's doubt about itself as in Lifeguard. While everybody answers, probes are rare; one
//! that is missed makes this node, and those it asks, look closely.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use repute_base::{Mono, Rng};
use repute_identity::NodeId;
use repute_protocol::{DisconnectReason, Frame, Heartbeat};

use crate::{Event, Output, PeerEvidence, Peers, relay::Relay};

/// The most doubt about ourselves: timers are then nine times as long.
const DOUBT_MAX: u32 = 8;
/// Hearsay of life prolongs a suspicion up to this many times its length.
const VOUCH_MAX: u32 = 4;
/// Silent peers remembered when the next one is judged.
const SILENT_MAX: usize = 64;
/// Probe periods for which a node goes on to look closely after a probe was missed.
const ALARM_PERIODS: u32 = 10;
/// A timer that is served this late was delayed by this node, not by its peers.
const STALL_MIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Probe {
    nonce: u64,
    sent: Mono,
    deadline: Mono,
    /// Helpers asked; zero while only the peer itself is.
    asked: usize,
    /// Helpers that said anything.
    replied: usize,
}

#[derive(Debug)]
struct Suspicion {
    since: Mono,
    deadline: Mono,
    /// Whether somebody else reached the peer meanwhile.
    vouched: bool,
}

#[derive(Debug)]
pub(crate) struct Detector {
    rng: Rng,
    /// The rest of this round: every link is probed once before any is probed twice.
    round: Vec<NodeId>,
    probe_at: Mono,
    /// Until then probes are frequent, because one was missed.
    alarm_until: Mono,
    probes: BTreeMap<NodeId, Probe>,
    suspects: BTreeMap<NodeId, Suspicion>,
    pub(crate) relays: BTreeMap<u64, Relay>,
    /// When peers were last closed as silent.
    silent: VecDeque<Mono>,
    doubt: u32,
    nonce: u64,
}

impl Detector {
    pub(crate) fn new(mut rng: Rng) -> Self {
        let nonce = rng.next_u64();
        Self {
            rng,
            round: Vec::new(),
            probe_at: Mono::MAX,
            alarm_until: Mono::ZERO,
            probes: BTreeMap::new(),
            suspects: BTreeMap::new(),
            relays: BTreeMap::new(),
            silent: VecDeque::new(),
            doubt: 0,
            nonce,
        }
    }

    /// Nodes that start together do not probe together.
    pub(crate) fn start(&mut self, now: Mono, pause: Duration) {
        self.probe_at = now + self.within(pause);
    }

    /// A moment of a pause.
    fn within(&mut self, pause: Duration) -> Duration {
        let pause = u64::try_from(pause.as_millis()).unwrap_or(1).max(1);
        Duration::from_millis(self.rng.below(pause))
    }

    pub(crate) fn suspects(&self, peer: &NodeId) -> bool {
        self.suspects.contains_key(peer)
    }

    /// A newcomer takes a random place in the round.
    pub(crate) fn add(&mut self, peer: NodeId) {
        let place = self.rng.below(self.round.len() as u64 + 1);
        self.round.insert(
            usize::try_from(place).unwrap_or(0).min(self.round.len()),
            peer,
        );
    }

    pub(crate) fn remove(&mut self, peer: &NodeId) {
        self.round.retain(|other| other != peer);
        self.probes.remove(peer);
        self.suspects.remove(peer);
        self.relays
            .retain(|_, relay| relay.requester != *peer && relay.target != *peer);
    }

    /// The peer is the next of the round, wherever it stood in it.
    pub(crate) fn put_first(&mut self, peer: NodeId) {
        self.round.retain(|other| *other != peer);
        self.round.push(peer);
    }

    /// The peer gave a sign of life; true if it was suspected.
    pub(crate) fn heard(&mut self, peer: &NodeId) -> bool {
        if self.probes.remove(peer).is_some() {
            self.doubt = self.doubt.saturating_sub(1);
        }
        self.suspects.remove(peer).is_some()
    }

    pub(crate) fn deadline(&self) -> Mono {
        let probes = self.probes.values().map(|probe| probe.deadline);
        let suspects = self.suspects.values().map(|suspicion| suspicion.deadline);
        let relays = self.relays.values().map(|relay| relay.deadline);
        probes
            .chain(suspects)
            .chain(relays)
            .fold(self.probe_at, Mono::min)
    }

    pub(crate) fn next_nonce(&mut self) -> u64 {
        self.nonce = self.nonce.wrapping_add(1);
        self.nonce
    }

    fn doubt_more(&mut self) {
        self.doubt = (self.doubt + 1).min(DOUBT_MAX);
    }

    /// This node slept: everybody gets the time back.
    fn forgive(&mut self, late: Duration) {
        self.doubt_more();
        self.probes
            .values_mut()
            .for_each(|probe| probe.deadline = probe.deadline + late);
        self.suspects.values_mut().for_each(|suspicion| {
            suspicion.deadline = suspicion.deadline + late;
        });
        self.relays
            .values_mut()
            .for_each(|relay| relay.deadline = relay.deadline + late);
    }
}

impl Peers {
    /// The timers of failure detection.
    pub(crate) fn detect(&mut self) {
        let mono = self.now.mono;
        let late = mono.since(self.detector.deadline());
        if self.config.self_doubt && late >= STALL_MIN.max(self.config.probe_period * 2) {
            self.detector.forgive(late);
        }
        self.expire_relays();
        self.expire_probes();
        self.expire_suspicions();
        if mono >= self.detector.probe_at {
            let pause = self.probe_pause();
            let next = self.detector.probe_at + pause;
            self.detector.probe_at = if next > mono { next } else { mono + pause };
            self.probe_next(pause);
        }
    }

    /// The pause between two probes: a period while somebody is silent, longer in calm.
    pub(crate) fn probe_pause(&self) -> Duration {
        let detector = &self.detector;
        let alarmed = self.now.mono < detector.alarm_until || !detector.suspects.is_empty();
        let calm = if alarmed { 1 } else { self.config.calm_factor };
        self.stretched(self.config.probe_period.saturating_mul(calm))
            .saturating_mul(self.refusals.pace())
    }

    /// A probe was missed: from now on this node looks closely, for a while.
    pub(crate) fn alarm(&mut self) {
        let (mono, period) = (self.now.mono, self.config.probe_period);
        if mono >= self.detector.alarm_until && self.config.calm_factor > 1 {
            let soon = mono + self.detector.within(period);
            self.detector.probe_at = self.detector.probe_at.min(soon);
        }
        self.detector.alarm_until = mono + period.saturating_mul(ALARM_PERIODS);
    }

    fn stretched(&self, duration: Duration) -> Duration {
        if !self.config.self_doubt {
            return duration;
        }
        duration.saturating_mul(1 + self.detector.doubt)
    }

    /// How long an answer may take: three tenths of a period, or three of the peer's round trips,
    /// up to a period. Asked directly and then through others, a dead peer is suspected after six
    /// tenths of a period.
    fn patience(&self, peer: &NodeId) -> Duration {
        let period = self.config.probe_period;
        let latency = self
            .links
            .get(peer)
            .and_then(|link| link.latency_ms)
            .unwrap_or(0);
        let wait = (period * 3 / 10).max(Duration::from_millis(latency.saturating_mul(3)));
        self.stretched(wait.min(period))
    }

    /// Probes the next of the round. Whoever was heard within the last half of a pause is known to
    /// live; half, because the answer to the last probe is younger than a whole one.
    fn probe_next(&mut self, pause: Duration) {
        if self.detector.round.is_empty() {
            let mut round: Vec<NodeId> = self.active().collect();
            self.detector.rng.shuffle(&mut round);
            self.detector.round = round;
        }
        let mono = self.now.mono;
        while let Some(peer) = self.detector.round.pop() {
            let heard = self.links.get(&peer).map(|link| link.heard);
            if heard.is_none_or(|at| mono.since(at) >= pause / 2) {
                return self.probe(peer);
            }
        }
    }

    fn probe(&mut self, peer: NodeId) {
        if self.detector.probes.contains_key(&peer) {
            return;
        }
        let sent = self.now.mono;
        let deadline = sent + self.patience(&peer);
        let nonce = self.detector.next_nonce();
        let probe = Probe {
            nonce,
            sent,
            deadline,
            asked: 0,
            replied: 0,
        };
        self.detector.probes.insert(peer, probe);
        self.send(peer, Frame::Heartbeat(Heartbeat::Ping { nonce }));
    }

    fn expire_probes(&mut self) {
        let mono = self.now.mono;
        let late: Vec<NodeId> = self
            .detector
            .probes
            .iter()
            .filter(|(_, probe)| probe.deadline <= mono)
            .map(|(id, _)| *id)
            .collect();
        for peer in late {
            self.alarm();
            let asked = self
                .detector
                .probes
                .get(&peer)
                .map_or(0, |probe| probe.asked);
            if asked > 0 || !self.ask_helpers(peer) {
                self.missed(peer);
            }
        }
    }

    /// Asks others to probe a peer that did not answer; false if there is nobody to ask.
    fn ask_helpers(&mut self, target: NodeId) -> bool {
        let helpers: Vec<NodeId> = self
            .active()
            .filter(|id| *id != target && !self.detector.suspects.contains_key(id))
            .collect();
        let helpers = self
            .detector
            .rng
            .sample(&helpers, self.config.indirect_probes);
        let deadline = self.now.mono + self.patience(&target);
        let Some(probe) = self.detector.probes.get_mut(&target) else {
            return false;
        };
        if helpers.is_empty() {
            return false;
        }
        probe.asked = helpers.len();
        probe.deadline = deadline;
        let nonce = probe.nonce;
        for helper in helpers {
            self.send(
                helper,
                Frame::Heartbeat(Heartbeat::ProbeRequest { nonce, target }),
            );
        }
        true
    }

    /// A probe brought nothing, directly or through others.
    fn missed(&mut self, peer: NodeId) {
        let mono = self.now.mono;
        let Some(probe) = self.detector.probes.remove(&peer) else {
            return;
        };
        // Helpers that say nothing at all put the fault closer to home.
        if probe.asked > 0 && probe.replied == 0 {
            self.detector.doubt_more();
        }
        if !self.detector.suspects.contains_key(&peer) {
            self.detector.doubt_more();
            let deadline = mono + self.suspicion_timeout();
            let suspicion = Suspicion {
                since: mono,
                deadline,
                vouched: false,
            };
            self.detector.suspects.insert(peer, suspicion);
            self.event(Event::Suspected { peer });
        }
        // A suspect is probed without pause until it answers or its time is up.
        self.probe(peer);
    }

    /// As many periods as configured, times the decimal order of the number of links.
    fn suspicion_timeout(&self) -> Duration {
        let mut order = 1;
        let mut links = self.links.len();
        while links >= 10 {
            links /= 10;
            order += 1;
        }
        let periods = self.config.suspicion_periods.saturating_mul(order);
        self.stretched(self.config.probe_period)
            .saturating_mul(periods)
    }

    fn expire_suspicions(&mut self) {
        let mono = self.now.mono;
        let late: Vec<NodeId> = self
            .detector
            .suspects
            .iter()
            .filter(|(_, suspicion)| suspicion.deadline <= mono)
            .map(|(id, _)| *id)
            .collect();
        for peer in late {
            self.silent_evidence(peer);
            self.dialling.lose(peer, self.limits.lost_max);
            self.close(peer, DisconnectReason::Unresponsive);
        }
    }

    /// Decides whose fault the silence of a suspect is, and says so.
    ///
    /// The peer's, only if nobody reached it, others did answer us, and few of them fell silent
    /// with it. Otherwise it is ours or the network's, and no evidence.
    pub(crate) fn silent_evidence(&mut self, peer: NodeId) {
        let Some(suspicion) = self.detector.suspects.remove(&peer) else {
            return;
        };
        let mono = self.now.mono;
        let window = self.suspicion_timeout().saturating_mul(2);
        self.detector.silent.retain(|at| mono.since(*at) <= window);
        let bad = self.detector.suspects.len() + self.detector.silent.len();
        let others = self
            .links
            .iter()
            .filter(|(id, link)| **id != peer && link.admitted && link.heard >= suspicion.since);
        let answered = others.count();
        let likeliest = !suspicion.vouched && answered > 0 && bad * 4 <= answered;
        let blamed = likeliest || !self.config.self_doubt;
        if self.detector.silent.len() >= SILENT_MAX {
            self.detector.silent.pop_front();
        }
        self.detector.silent.push_back(mono);
        self.event(Event::Silent { peer, blamed });
        if blamed {
            self.emit(Output::Evidence {
                peer,
                evidence: PeerEvidence::Timeout,
            });
        }
    }

    /// Notes how long the answer to a ping took, before it counts as a sign of life.
    pub(crate) fn time_round_trip(&mut self, peer: NodeId, nonce: u64) {
        let probe = self
            .detector
            .probes
            .get(&peer)
            .filter(|probe| probe.nonce == nonce);
        if let (Some(probe), Some(link)) = (probe, self.links.get_mut(&peer)) {
            let taken = self.now.mono.since(probe.sent).as_millis();
            link.latency_ms = u64::try_from(taken).ok();
        }
    }

    pub(crate) fn heartbeat(&mut self, peer: NodeId, heartbeat: Heartbeat) {
        match heartbeat {
            Heartbeat::Ping { nonce } => {
                self.send(peer, Frame::Heartbeat(Heartbeat::Pong { nonce }));
            }
            Heartbeat::Pong { nonce } => self.pong(peer, nonce),
            Heartbeat::ProbeRequest { nonce, target } => self.relay(peer, nonce, target),
            Heartbeat::ProbeReply {
                nonce,
                target,
                alive,
            } => self.reply(nonce, target, alive),
        }
    }

    /// What a helper found. Its word ends a probe and prolongs a suspicion, but a bounded time.
    fn reply(&mut self, nonce: u64, target: NodeId, alive: bool) {
        let mono = self.now.mono;
        let timeout = self.suspicion_timeout();
        let Some(probe) = self.detector.probes.get_mut(&target) else {
            return;
        };
        if probe.nonce != nonce || probe.asked == 0 {
            return;
        }
        probe.replied = probe.replied.saturating_add(1);
        if !alive {
            return;
        }
        if let Some(suspicion) = self.detector.suspects.get_mut(&target) {
            suspicion.vouched = true;
            let longest = suspicion.since + timeout.saturating_mul(VOUCH_MAX);
            suspicion.deadline = suspicion.deadline.max((mono + timeout).min(longest));
        } else {
            self.detector.probes.remove(&target);
        }
    }
}
