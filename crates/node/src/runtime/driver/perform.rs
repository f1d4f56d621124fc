//! What the driver does with each input and output.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use repute_base::Mono;
use repute_protocol::{Disconnect, DisconnectReason, EnvelopeKind, Misbehaviour, Unsigned};
use repute_storage::{Prune, StoreError, Write as Row};
use repute_transport::{
    DialFailure as TransportDialFailure, Event as LinkEvent, LinkDown as TransportLinkDown,
    Priority as TransportPriority,
};
use tokio::sync::oneshot;

use super::{CHECKS_INLINE_REST, Driver, Fate, Verdicts};
use crate::{
    Command, Event, Input, Output, Priority,
    peers::{DialFailure, LinkDown},
    runtime::{
        ask::{Ask, DurableCommand, Inspection, Publish, View},
        error::NodeError,
        files::Word,
        rows,
        subscription::Delivered,
    },
};

/// Who wants to know when the node has stopped, if anybody.
type Stop = Option<oneshot::Sender<()>>;

/// Between two clean-ups of the store.
const PRUNE_INTERVAL: Duration = Duration::from_secs(300);

impl Driver {
    /// When the core wants attention next, and when to wake up for it or for a rate-limited check.
    pub(super) fn deadline(&mut self) -> (Option<Mono>, tokio::time::Instant) {
        let now = self.clock.now();
        let checks = (!self.checking && !self.checks.is_empty())
            .then(|| self.checks.ready_in(now.mono))
            .flatten()
            .map(|wait| now.mono + wait);
        let urgent = self.core.next_urgent().into_iter().chain(checks).min();
        let due = self.core.next_deadline();
        let lax = due.unwrap_or(now.mono + Duration::from_secs(60));
        let lax = self.clock.lax_instant(lax);
        let wake = urgent.map_or(lax, |urgent| lax.min(self.clock.instant(urgent)));
        (due, wake)
    }

    /// Hands one input to the core and does all that it asks for.
    pub(super) fn feed(&mut self, input: Input) {
        let now = self.clock.now();
        self.core.handle(now, input);
        // Signing answers at once, and the answer is an input again.
        loop {
            while let Some(output) = self.core.poll_output() {
                if let Some(answer) = self.perform(output) {
                    self.answers.push(answer);
                }
            }
            let Some(answer) = self.answers.pop() else {
                break;
            };
            self.core.handle(now, answer);
        }
    }

    fn perform(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Dial { peer, addresses } => self.endpoint.dial(peer, addresses),
            Output::Send {
                peer,
                frame,
                priority,
            } => {
                let priority = match priority {
                    Priority::Control => TransportPriority::Control,
                    Priority::Bulk => TransportPriority::Broadcast,
                };
                let bytes = frame.len();
                if self.endpoint.send(peer, frame, priority).is_err() {
                    self.counters.unsent += 1;
                    // The credit comes back although nothing left.
                    return Some(Input::Drained { peer, bytes });
                }
            }
            Output::Appealing(appealing) => self.endpoint.set_appealing(appealing),
            Output::Serving(serving) => self.endpoint.set_serving(serving),
            Output::Hold { peers } => self.endpoint.hold(&peers),
            Output::ShutOut { peer, shut_out } => self.endpoint.shut_out(peer, shut_out),
            Output::Bar { prefixes } => self.endpoint.bar(prefixes),
            Output::Close { peer, disconnect } => self.endpoint.close(peer, disconnect),
            Output::Verify { from, envelope } => {
                let envelope = match self.proven.recognise(envelope) {
                    Ok(envelope) => return Some(Input::Verified { from, envelope }),
                    Err(envelope) => envelope,
                };
                if self.checks.push(from, envelope.clone()).is_err() {
                    self.counters.unchecked += 1;
                    return Some(Input::Unchecked { from, envelope });
                }
            }
            Output::Sign { token, unsigned } if unsigned.kind == EnvelopeKind::Message => {
                self.unsigned.push((token, unsigned));
            }
            Output::Sign { token, unsigned } => {
                return Some(Input::Signed {
                    token,
                    envelope: unsigned.sign(&self.identity),
                });
            }
            Output::Attest { token, statement } => {
                return Some(Input::Attested {
                    token,
                    signature: self.identity.sign(&statement),
                });
            }
            Output::Persist { id, writes } => {
                let fates = self.fates.clone();
                let rows = writes.iter().map(rows::to_row).collect();
                self.store
                    .write(rows, Box::new(move |result| drop(fates.send((id, result)))));
            }
            Output::Transfer(output) => {
                let answer = self.carrier.as_mut()?.perform(output);
                return answer.map(Input::Transfer);
            }
            Output::Event(event) => return self.event(event),
        }
        None
    }

    fn event(&mut self, event: Event) -> Option<Input> {
        let event = match event {
            Event::Message { envelope, message } => {
                let delivered = Delivered { envelope, message };
                return self.handlers.deliver(&delivered).then(|| {
                    let topic = delivered.message.topic;
                    Input::Command(Command::Unsubscribe { topic })
                });
            }
            other => other,
        };
        match &event {
            Event::Custom(data) => self.handlers.custom(data),
            Event::Published { token, id } => {
                if let Some(answer) = self.publishes.remove(token) {
                    drop(answer.send(Ok(*id)));
                }
                return None;
            }
            Event::PublishRefused { token, reason } => {
                if let Some(answer) = self.publishes.remove(token) {
                    drop(answer.send(Err(NodeError::Refused(reason))));
                }
                return None;
            }
            Event::RecordSigned { token, envelope } => {
                if let Some(answer) = self.records.remove(token) {
                    drop(answer.send(envelope.wire().clone()));
                }
                return None;
            }
            Event::Dht(event) => {
                self.dht.tell(event);
                return None;
            }
            Event::Blobs(event) => {
                if let Some(carrier) = &self.carrier {
                    carrier.library().hear(event.clone());
                }
                return None;
            }
            Event::Directory(event) => {
                return self.directory.tell(event).map(Input::Command);
            }
            Event::Done { token } => {
                if let Some(answer) = self.durables.remove(token) {
                    drop(answer.send(Ok(())));
                }
                return None;
            }
            Event::NotDurable { token } => {
                if let Some(answer) = self.durables.remove(token) {
                    drop(answer.send(Err(NodeError::NotDurable)));
                }
                return None;
            }
            Event::NotRecommended { token, reason } => {
                if let Some(answer) = self.durables.remove(token) {
                    drop(answer.send(Err(NodeError::Refused(reason.text()))));
                }
                return None;
            }
            Event::Banned(ban) => tracing::info!(peer = %ban.subject, "banned"),
            Event::Misbehaved { peer, kind } => tracing::debug!(%peer, %kind, "misbehaviour"),
            _ => {}
        }
        if self.events.receiver_count() > 0 {
            drop(self.events.send(Arc::new(event)));
        }
        None
    }

    pub(super) fn link_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::LinkUp {
                peer,
                handshake,
                remote,
                inbound,
            } => {
                self.feed(Input::LinkUp {
                    peer,
                    handshake,
                    remote,
                    inbound,
                });
            }
            LinkEvent::LinkDown { peer, cause } => {
                let cause = match cause {
                    TransportLinkDown::Closed(disconnect) => LinkDown::Closed(disconnect),
                    TransportLinkDown::Local => LinkDown::Local,
                    _ => LinkDown::Lost,
                };
                self.feed(Input::LinkDown { peer, cause });
            }
            LinkEvent::DialFailed { peer, cause } => {
                let cause = match cause {
                    TransportDialFailure::WrongIdentity => DialFailure::WrongIdentity,
                    TransportDialFailure::Refused(disconnect) => DialFailure::Refused(disconnect),
                    _ => DialFailure::Unreachable,
                };
                self.feed(Input::DialFailed { peer, cause });
            }
            LinkEvent::Frames { frames, .. } => {
                for frame in frames {
                    self.feed(Input::Frame(frame));
                }
            }
            LinkEvent::Violation { peer, kind } => self.feed(Input::Violation { peer, kind }),
            LinkEvent::Drained { peer, bytes } => self.feed(Input::Drained { peer, bytes }),
            LinkEvent::TaskPanicked { peer } => {
                self.counters.panics += 1;
                tracing::error!(%peer, "a task of this link panicked; the link was closed");
            }
            _ => {}
        }
    }

    /// Signs our messages that wait, together.
    pub(super) fn sign(&mut self) {
        if self.unsigned.is_empty() {
            return;
        }
        let waiting = core::mem::take(&mut self.unsigned);
        let (tokens, unsigned): (Vec<u64>, Vec<Unsigned>) = waiting.into_iter().unzip();
        let signed = Unsigned::sign_all(&unsigned, &self.identity);
        for (token, envelope) in tokens.into_iter().zip(signed) {
            self.feed(Input::Signed { token, envelope });
        }
    }

    pub(super) fn verdicts(&mut self, verdicts: Verdicts) {
        let now = self.clock.now().mono;
        for (from, verdict) in verdicts {
            self.checks.report(now, from, verdict.is_ok());
            if let Ok(envelope) = &verdict {
                self.proven.note(envelope);
            }
            self.feed(match verdict {
                Ok(envelope) => Input::Verified { from, envelope },
                // Its sender is out already: more evidence would only fill the ledger.
                Err(envelope) if self.is_shut_out(from) => Input::Unchecked { from, envelope },
                Err(envelope) => Input::Forged { from, envelope },
            });
        }
    }

    fn is_shut_out(&self, peer: repute_identity::NodeId) -> bool {
        let standing = self.core.trust().standing(peer, self.clock.now().wall);
        standing.gate.is_closed()
    }

    /// Checks what waits, if no batch is away: a few signatures here, more beside the driver.
    pub(super) fn check_more(&mut self) {
        while !self.checking && !self.checks.is_empty() {
            let now = self.clock.now().mono;
            let batch = self.checks.take_batch(now);
            if batch.is_empty() {
                return;
            }
            let rested = now.since(self.checked) >= CHECKS_INLINE_REST;
            self.checked = now;
            if rested && batch.signatures() <= self.checks_inline {
                let verdicts = batch.check_with(&mut self.verifier);
                self.verdicts(verdicts);
            } else {
                self.checking = self.checker.try_send(batch).is_ok();
            }
        }
    }

    pub(super) fn fate(&mut self, (id, result): Fate) {
        match result {
            Ok(()) => self.feed(Input::Persisted(id)),
            Err(error) => {
                self.counters.failed_writes += 1;
                if self.counters.failed_writes.is_power_of_two() {
                    tracing::warn!(%error, failed = self.counters.failed_writes, "write refused");
                }
                self.feed(Input::NotPersisted(id));
            }
        }
    }

    /// Goes on with what was shared and unfinished, and takes streams of peers.
    pub(super) fn start_files(&self) {
        if let Some(carrier) = &self.carrier {
            carrier.library().start(self.endpoint.streams());
        }
    }

    /// What streams and transfers have to say.
    pub(super) fn word(&mut self, word: Word) {
        let Some(carrier) = &mut self.carrier else {
            return;
        };
        match word {
            Word::Input(input) => {
                carrier.note(&input);
                self.feed(Input::Transfer(input));
            }
            Word::Asked {
                peer,
                writer,
                request,
            } => {
                let stream = carrier.admit(writer);
                let request = *request;
                self.feed(Input::Transfer(repute_blobs::Input::Asked {
                    peer,
                    stream,
                    request,
                }));
                if let Some(carrier) = &mut self.carrier {
                    carrier.settle(stream);
                }
            }
            Word::Malformed { peer } => {
                let kind = Misbehaviour::MalformedFrame;
                self.feed(Input::Violation { peer, kind });
            }
        }
    }

    /// Does what the handle asks; breaks when the node is to stop, with who wants to know when it
    /// has.
    pub(super) fn ask(&mut self, ask: Option<Ask>) -> ControlFlow<Stop> {
        match ask {
            Some(Ask::Command(command)) => self.feed(Input::Command(command)),
            Some(Ask::Durable { command, answer }) => {
                let token = self.token();
                self.durables.insert(token, answer);
                self.feed(Input::Command(match command {
                    DurableCommand::Ban {
                        subject,
                        duration,
                        reason,
                    } => Command::Ban {
                        token,
                        subject,
                        duration,
                        reason,
                    },
                    DurableCommand::Recommend {
                        subject,
                        value,
                        reason,
                    } => Command::Recommend {
                        token,
                        subject,
                        value,
                        reason,
                    },
                    DurableCommand::Withdraw { source, readmit } => Command::Withdraw {
                        token,
                        source,
                        readmit,
                    },
                    DurableCommand::Unban(subject) => Command::Unban { token, subject },
                    DurableCommand::Blacklist(changes) => Command::Blacklist { token, changes },
                    DurableCommand::Dismiss(peer) => Command::Dismiss { token, peer },
                }));
            }
            Some(Ask::Subscribe {
                topic,
                causal,
                queue,
                answer,
            }) => {
                self.handlers.subscribe(topic.clone(), queue);
                self.feed(Input::Command(Command::Subscribe { topic, causal }));
                let _gone = answer.send(());
            }
            Some(Ask::OnKind(kind, handler)) => self.handlers.on_kind(kind, handler),
            Some(Ask::OnCustom(kind, handler)) => self.handlers.on_custom(kind, handler),
            Some(Ask::Inspect(look)) => self.inspect(look),
            Some(Ask::SignRecord { addresses, answer }) => {
                let token = self.token();
                self.records.insert(token, answer);
                self.feed(Input::Command(Command::SignRecord { token, addresses }));
            }
            Some(Ask::Dht(ask)) => {
                let token = self.token();
                let command = self.dht.ask(token, ask);
                self.feed(Input::Command(command));
            }
            Some(Ask::Directory(mut ask)) => {
                let token = self.token();
                if let Some(answer) = ask.durable.take() {
                    self.durables.insert(token, answer);
                }
                let command = self.directory.ask(token, ask);
                self.feed(Input::Command(command));
            }
            Some(Ask::Shutdown(answer)) => return ControlFlow::Break(Some(answer)),
            // The last handle is gone.
            None => return ControlFlow::Break(None),
        }
        ControlFlow::Continue(())
    }

    fn inspect(&self, look: Inspection) {
        let mut counters = self.counters;
        counters.lost_deliveries = self.handlers.lost();
        look(&View {
            core: &self.core,
            endpoint: &self.endpoint,
            store: &self.store,
            now: self.clock.now(),
            counters,
        });
    }

    pub(super) fn publish(&mut self, publish: Publish) {
        let token = self.token();
        let Publish {
            topic,
            kind,
            causal,
            data,
            answer,
        } = publish;
        self.publishes.insert(token, answer);
        self.feed(Input::Command(Command::Publish {
            token,
            topic,
            kind,
            causal,
            data,
        }));
    }

    /// Hands the timer input over if the time has come that was the next when this turn began.
    pub(super) fn tick_if_due(&mut self, due: Option<Mono>) {
        if due.is_some_and(|due| due <= self.clock.now().mono) {
            self.feed(Input::Tick);
        }
    }

    fn token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }

    /// Removes what is too old from the store, from time to time.
    pub(super) fn prune(&mut self, retention: Duration) {
        let now = self.clock.now();
        if now.mono.since(self.pruned) < PRUNE_INTERVAL {
            return;
        }
        self.pruned = now.mono;
        let row = Row::Prune(Prune::seen(now.wall, retention));
        self.store.write(
            vec![row],
            Box::new(|result| {
                if let Err(error) = result {
                    tracing::debug!(%error, "clean-up put off");
                }
            }),
        );
    }

    /// Stops, unless the sockets are gone already.
    pub(super) async fn stop(&mut self, stop: Option<Stop>) {
        match stop {
            Some(answer) => {
                self.shutdown().await;
                let _gone = answer.map(|answer| answer.send(()));
            }
            None => self.close_files().await,
        }
    }

    async fn close_files(&mut self) {
        if let Some(carrier) = &self.carrier {
            carrier.library().close().await;
        }
    }

    /// Says goodbye, writes what is left, closes the stores.
    async fn shutdown(&mut self) {
        self.feed(Input::Shutdown);
        self.close_files().await;
        let goodbye = Disconnect {
            reason: DisconnectReason::Shutdown,
            retry_ms: 0,
            detail: repute_base::BoundedString::default(),
        };
        self.endpoint.shutdown(goodbye).await;
        let closed = self.store.flush().and_then(|()| self.store.close());
        match closed {
            Ok(()) | Err(StoreError::Closed) => {}
            Err(error) => tracing::warn!(%error, "the store did not close cleanly"),
        }
    }
}
