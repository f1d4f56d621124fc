//! Requests of ours: sent at once over a link, or as soon as there is one; answered, late, failed.

use alloc::vec::Vec;
use core::time::Duration;

use repute_base::{Address, Mono};
use repute_identity::NodeId;
use repute_protocol::{DhtAnswer, DhtAsk, DhtFrame};

use crate::{Dht, Limits, Output};

/// Answers of a peer are evidence of good service once in this time.
const PRAISE_PAUSE: Duration = Duration::from_secs(60);

/// Whom the answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Lookup(u64),
    Put(u64),
    /// Nobody waits for it.
    Handover,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is no link yet.
    Dialling,
    Sent,
}

/// A request under way.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) peer: NodeId,
    pub(crate) purpose: Purpose,
    /// What is asked, until it is sent.
    ask: Option<DhtAsk>,
    stage: Stage,
    begun: Mono,
    sent: Mono,
    /// Whether its asker was told that it is slow.
    slow: bool,
    due: Mono,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Answer {
        answer: DhtAnswer,
        took: Duration,
    },
    /// It takes longer than it should; the answer may still come.
    Slow,
    Failed,
    Busy,
}

impl Dht {
    /// Asks a peer; exactly one reply other than [`Reply::Slow`] follows. False if it cannot be
    /// asked now.
    pub(crate) fn ask(
        &mut self,
        peer: NodeId,
        addresses: &[Address],
        ask: DhtAsk,
        purpose: Purpose,
    ) -> bool {
        let now = self.now.mono;
        if self.is_closed(&peer) || self.stopping || peer == self.me {
            return false;
        }
        let number = self.next_number();
        let mut request = Request {
            peer,
            purpose,
            ask: None,
            stage: Stage::Sent,
            begun: now,
            sent: now,
            slow: false,
            due: now,
        };
        if let Some(link) = self.links.get_mut(&peer) {
            let busy = link.busy_until > now || link.asked >= self.limits.requests_per_peer_max;
            if busy || !link.server {
                return false;
            }
            link.asked += 1;
            link.used = now;
            request.due = now + link.rtt.wait(&self.limits);
            self.send(peer, DhtFrame::Request { number, ask });
            self.stats.requests_sent += 1;
        } else {
            if !self.dial(peer, addresses, number) {
                return false;
            }
            request.ask = Some(ask);
            request.stage = Stage::Dialling;
            request.due = now + self.limits.wait_first;
        }
        self.timers.insert((request.due, number));
        self.requests.insert(number, request);
        true
    }

    fn dial(&mut self, peer: NodeId, addresses: &[Address], number: u64) -> bool {
        let waiting = self.dials.get_mut(&peer);
        if let Some(numbers) = waiting {
            if numbers.len() >= self.limits.requests_per_peer_max {
                return false;
            }
            numbers.push(number);
            return true;
        }
        if self.dials.len() >= self.limits.dials_max || addresses.is_empty() {
            return false;
        }
        self.dials.insert(peer, alloc::vec![number]);
        let addresses = addresses.to_vec();
        self.emit(Output::Link { peer, addresses });
        true
    }

    /// The link that these requests waited for stands.
    pub(crate) fn send_waiting(&mut self, peer: NodeId, numbers: Vec<u64>) {
        let now = self.now.mono;
        for number in numbers {
            let wait = match self.links.get_mut(&peer) {
                Some(link) if link.server => {
                    link.asked += 1;
                    link.used = now;
                    link.rtt.wait(&self.limits)
                }
                _ => {
                    self.fail_request(number);
                    continue;
                }
            };
            let Some(request) = self.requests.get_mut(&number) else {
                continue;
            };
            let Some(ask) = request.ask.take() else {
                continue;
            };
            request.stage = Stage::Sent;
            request.sent = now;
            self.timers.remove(&(request.due, number));
            request.due = now + wait;
            self.timers.insert((request.due, number));
            self.send(peer, DhtFrame::Request { number, ask });
            self.stats.requests_sent += 1;
        }
    }

    /// Requests to a peer whose link is gone come to nothing.
    pub(crate) fn fail_requests_to(&mut self, peer: NodeId) {
        let to_peer = |(_, request): &(&u64, &Request)| request.peer == peer;
        let numbers: Vec<u64> = self
            .requests
            .iter()
            .filter(to_peer)
            .map(|(number, _)| *number)
            .collect();
        for number in numbers {
            self.fail_request(number);
        }
    }

    pub(crate) fn fail_request(&mut self, number: u64) {
        if let Some(request) = self.take_request(number) {
            self.reply(request.peer, request.purpose, Reply::Failed);
        }
    }

    fn take_request(&mut self, number: u64) -> Option<Request> {
        let request = self.requests.remove(&number)?;
        self.timers.remove(&(request.due, number));
        if request.stage == Stage::Sent
            && let Some(link) = self.links.get_mut(&request.peer)
        {
            link.asked = link.asked.saturating_sub(1);
        }
        Some(request)
    }

    pub(crate) fn on_answer(&mut self, peer: NodeId, number: u64, answer: DhtAnswer) {
        let asked = self.requests.get(&number);
        if asked.is_none_or(|request| request.peer != peer || request.stage != Stage::Sent) {
            self.stats.answers_late += 1;
            return;
        }
        let Some(request) = self.take_request(number) else {
            return;
        };
        let now = self.now.mono;
        self.stats.answers += 1;
        let mut praise = false;
        if let Some(link) = self.links.get_mut(&peer) {
            link.rtt.observe(request.sent, now);
            link.used = now;
            if answer == DhtAnswer::Busy {
                link.busy_until = now + Limits::BUSY_PAUSE;
            } else if link.praised_until <= now {
                link.praised_until = now + PRAISE_PAUSE;
                praise = true;
            }
        }
        if answer == DhtAnswer::Busy {
            return self.reply(peer, request.purpose, Reply::Busy);
        }
        if praise {
            let answered = true;
            self.emit(Output::Evidence { peer, answered });
        }
        let took = now.since(request.begun);
        self.reply(peer, request.purpose, Reply::Answer { answer, took });
    }

    /// Requests whose time has come: late once, lost the second time.
    pub(crate) fn expire_requests(&mut self) {
        let now = self.now.mono;
        while let Some((due, number)) = self.timers.first().copied() {
            if due > now {
                break;
            }
            self.timers.pop_first();
            let Some(request) = self.requests.get_mut(&number) else {
                continue;
            };
            let last = match request.stage {
                Stage::Dialling => request.begun + self.limits.dial_max,
                Stage::Sent => request.sent + self.limits.answer_max,
            };
            if now < last {
                request.due = last;
                self.timers.insert((last, number));
                if !request.slow {
                    request.slow = true;
                    let (peer, purpose) = (request.peer, request.purpose);
                    self.reply(peer, purpose, Reply::Slow);
                }
                continue;
            }
            self.lose(number);
        }
    }

    fn lose(&mut self, number: u64) {
        let Some(request) = self.take_request(number) else {
            return;
        };
        let peer = request.peer;
        self.stats.timeouts += 1;
        self.table.failed(&peer);
        if request.stage == Stage::Dialling {
            self.dials.remove(&peer);
        } else if self.links.contains_key(&peer) {
            let answered = false;
            self.emit(Output::Evidence { peer, answered });
        }
        self.reply(peer, request.purpose, Reply::Failed);
    }

    fn reply(&mut self, peer: NodeId, purpose: Purpose, reply: Reply) {
        match purpose {
            Purpose::Lookup(lookup) => self.on_lookup_reply(lookup, peer, reply),
            Purpose::Put(round) => self.on_put_reply(round, peer, reply),
            Purpose::Handover => {}
        }
    }
}
