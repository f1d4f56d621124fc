//! The operator's blacklist, what a peer is told of it, and what it has to say.

use alloc::vec;

use repute_base::Timestamp;
use repute_identity::NodeId;
use repute_peers::Event as PeersEvent;
use repute_protocol::{Disconnect, DisconnectReason, limits::RETRY_MAX};
use repute_trust::{AddressInput, AddressOutput, Appeal, Target};

use super::{Change, Command, Core, Event, Output, Write};

impl Core {
    /// What the operator decides about who is kept out.
    pub(super) fn policy_command(&mut self, now: Timestamp, command: Command) {
        match command {
            Command::Ban {
                token,
                subject,
                duration,
                reason,
            } => {
                let target = Target::Peer(subject);
                let put = Change::Put {
                    target,
                    duration,
                    reason,
                };
                self.changes(now, token, [put]);
            }
            Command::Unban { token, subject } => {
                self.changes(now, token, [Change::Remove(Target::Peer(subject))]);
            }
            Command::Blacklist { token, changes } => self.changes(now, token, changes),
            Command::Appeal { peer, text } => {
                self.tell_peers_of(now, peer);
                self.tell_peers(repute_peers::Input::Appeal { peer, text });
            }
            Command::Dismiss { token, peer } => {
                self.awaiting = Some(token);
                self.dismiss(peer);
                self.finish_without_write();
            }
            _ => {}
        }
    }

    /// Applies changes of the blacklist, and answers once all are durable.
    fn changes(&mut self, now: Timestamp, token: u64, changes: impl IntoIterator<Item = Change>) {
        self.awaiting = Some(token);
        for change in changes {
            self.change(change);
        }
        self.settle(now);
        self.finish_without_write();
    }

    /// Applies one change to the ledger's bans, or to the list of addresses.
    fn change(&mut self, change: Change) {
        use repute_trust::Input;
        match change {
            Change::Put {
                target: Target::Peer(subject),
                duration,
                reason,
            } => self.tell_trust(Input::Ban {
                subject,
                duration,
                reason,
            }),
            Change::Edit {
                target: Target::Peer(subject),
                reason,
                duration,
            } => self.tell_trust(Input::EditBan {
                subject,
                reason,
                duration,
            }),
            Change::Remove(Target::Peer(subject)) => self.tell_trust(Input::Unban { subject }),
            Change::Put {
                target: Target::Addresses(prefix),
                duration,
                reason,
            } => self.tell_addresses(AddressInput::Put {
                prefix,
                duration,
                reason,
            }),
            Change::Edit {
                target: Target::Addresses(prefix),
                reason,
                duration,
            } => self.tell_addresses(AddressInput::Edit {
                prefix,
                reason,
                duration,
            }),
            Change::Remove(Target::Addresses(prefix)) => {
                self.tell_addresses(AddressInput::Remove(prefix));
            }
        }
    }

    pub(super) fn route_addresses(&mut self, output: AddressOutput) {
        match output {
            AddressOutput::Persist(list) => {
                let id = self.persist(vec![Write::AddressBans(list)]);
                self.acknowledge_with(id);
            }
            AddressOutput::Barred(prefixes) => {
                self.output(Output::Bar {
                    prefixes: prefixes.clone(),
                });
                self.tell_peers(repute_peers::Input::Barred { prefixes });
            }
            // The handle has looked before: this is one change in many.
            AddressOutput::Full(_) => {}
        }
    }

    /// What peers say about standing outside, on either end.
    pub(super) fn policy_event(&mut self, now: Timestamp, event: PeersEvent) {
        match event {
            PeersEvent::RefusedBy(refusal) => self.event(Event::Refused(refusal)),
            PeersEvent::Appeal { peer, sent } => self.event(Event::Appeal { peer, sent }),
            PeersEvent::Appealed { peer, text } => {
                self.appeals.put(Appeal {
                    peer,
                    at: now.wall,
                    text: text.clone(),
                });
                self.persist_appeals();
                self.event(Event::Appealed { peer, text });
            }
            _ => {}
        }
    }

    /// Forgets what a peer had to say: it was read, or the peer is back in.
    pub(super) fn dismiss(&mut self, peer: NodeId) {
        if self.appeals.remove(&peer) {
            self.persist_appeals();
        }
    }

    fn persist_appeals(&mut self) {
        let bytes = self.appeals.to_bytes();
        let id = self.persist(vec![Write::Appeals(bytes)]);
        self.acknowledge_with(id);
    }

    /// A goodbye to a banned peer says which rule it was and how long it still lasts.
    pub(super) fn reasoned(
        &self,
        now: Timestamp,
        peer: NodeId,
        disconnect: Disconnect,
    ) -> Disconnect {
        if disconnect.reason != DisconnectReason::Banned {
            return disconnect;
        }
        let (code, until, time) = match self.trust.ban(peer, now.wall) {
            Some(ban) => (ban.reason.code(), ban.until, self.trust.time(now.wall)),
            None => {
                let remote = self.links.get(&peer).map(|(_, remote)| remote.ip());
                let covering = remote.and_then(|ip| self.addresses.covering(ip, now.wall));
                let Some(ban) = covering else {
                    return disconnect;
                };
                ("address", ban.until, self.addresses.time(now.wall))
            }
        };
        let left = until
            .map_or(RETRY_MAX, |until| until.since(time))
            .min(RETRY_MAX);
        let mut detail = alloc::format!("banned: {code}");
        if until.is_none() {
            detail.push_str(", until this node's operator says otherwise");
        }
        Disconnect {
            retry_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            ..Disconnect::because(disconnect.reason, &detail)
        }
    }
}
