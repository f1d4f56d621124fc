//! The receipts' outputs, and what they mean to the others.

use alloc::{boxed::Box, vec};

use repute_base::{Layer, Machine, Timestamp};
use repute_identity::{Inception, NodeId};
use repute_protocol::{Frame, FromPeer, Misbehaviour, Service};
use repute_trust::{Evidence, Fault, Receipts, ReceiptsInput, ReceiptsOutput};

use super::{Config, ConfigError, Core, Event, Output, PersistId, Priority, Step, Write};

impl Core {
    /// The receipts of a node that knows its own record, restored from what the store had.
    pub(super) fn receipts_of(
        config: &Config,
        inception: Option<Inception>,
        start: u64,
        rows: &[repute_trust::ReceiptRow],
    ) -> Result<Option<Box<Receipts>>, ConfigError> {
        let Some(inception) = inception else {
            return Ok(None);
        };
        let (policy, limits) = (config.receipts.clone(), config.limits.receipts);
        let mut receipts = Receipts::new(&inception, config.network, start, policy, limits)
            .map_err(ConfigError::trust)?;
        for row in rows {
            receipts.restore(row);
        }
        Ok(Some(Box::new(receipts)))
    }

    /// Who served whom, as far as it was signed; none when this node was not told its own record.
    pub fn receipts(&self) -> Option<&Receipts> {
        self.receipts.as_deref()
    }

    pub(super) fn tell_receipts(&mut self, input: ReceiptsInput) {
        if self.receipts.is_some() {
            self.inbox.push_back(Step::Receipts(input));
        }
    }

    pub(super) fn settle_receipts(&mut self, now: Timestamp, input: ReceiptsInput) {
        let from = match &input {
            ReceiptsInput::Frame(frame) => Some(frame.peer()),
            _ => None,
        };
        if let Some(receipts) = &mut self.receipts {
            receipts.handle(now, input);
        }
        // It may have shown what it is.
        if let Some(peer) = from {
            self.ask_for_recommendations(now, peer);
        }
        while let Some(output) = self.receipts.as_mut().and_then(|one| one.poll_output()) {
            self.route_receipts(output);
        }
    }

    /// A message was new: what neighbours do for each other all the time. It has no output, so it
    /// needs no turn of its own.
    pub(super) fn message_served(&mut self, now: Timestamp, peer: NodeId) {
        if let Some(receipts) = &mut self.receipts {
            let (service, amount) = (Service::Messages, 1);
            receipts.handle(
                now,
                ReceiptsInput::Served {
                    peer,
                    service,
                    amount,
                },
            );
        }
    }

    pub(super) fn receipt_frame(&mut self, frame: FromPeer<Frame>) {
        let peer = frame.peer();
        if let Frame::Receipt(frame) = frame.into_value() {
            let frame = FromPeer::authenticated(peer, frame);
            self.tell_receipts(ReceiptsInput::Frame(frame));
        }
    }

    /// Both ends have admitted the link.
    pub(super) fn receipts_link_up(&mut self, peer: NodeId) {
        if let Some(inception) = self.records.get(&peer).copied() {
            self.tell_receipts(ReceiptsInput::LinkUp { inception });
        }
    }

    pub(super) fn receipts_persisted(&mut self, id: PersistId, durable: bool) {
        if let Some(token) = self.receipt_writes.remove(&id) {
            self.tell_receipts(if durable {
                ReceiptsInput::Persisted { token }
            } else {
                ReceiptsInput::NotPersisted { token }
            });
        }
    }

    fn route_receipts(&mut self, output: ReceiptsOutput) {
        match output {
            ReceiptsOutput::Send { peer, frame } => {
                let frame = Frame::Receipt(frame).encode();
                self.output(Output::Send {
                    peer,
                    frame,
                    priority: Priority::Control,
                });
            }
            ReceiptsOutput::Sign { token, statement } => {
                self.output(Output::Attest { token, statement });
            }
            ReceiptsOutput::Persist { token, write } => {
                let id = self.persist(vec![Write::Receipts(write)]);
                if let Some(token) = token {
                    self.receipt_writes.insert(id, token);
                }
            }
            ReceiptsOutput::Opened {
                peer,
                service,
                session,
            } => self.session_opened(peer, service, session),
            ReceiptsOutput::Misbehaviour { peer, kind } => {
                if kind == Misbehaviour::BudgetExceeded {
                    let reason = "receipts beyond the budget";
                    self.layers.refuse(Layer::LinkQuota, reason);
                }
                self.misbehaved(peer, kind);
            }
            ReceiptsOutput::Fault { subject, .. } => {
                self.event(Event::ProvenFault { peer: subject });
                let evidence = Evidence::Invalid(Misbehaviour::Equivocation);
                self.observe(subject, evidence, Fault::Theirs);
            }
            _ => {}
        }
    }
}
