//! Telling others what this node offers: in the DHT, by gossip, and to its neighbours.

use alloc::{collections::BTreeSet, string::String, vec::Vec};
use core::time::Duration;

use repute_base::{Address, BoundedBytes, BoundedVec, Timestamp, Wall};
use repute_identity::NodeId;
use repute_protocol::{
    Advertisement, Envelope, Record, RecordKind, RecordList, Verified,
    limits::{RECORD_NAME_MAX, RECORD_VALUE_MAX, SERVICE_KEY_MAX},
};

use super::{
    Directory, DirectoryError, DirectoryEvent, DirectoryLimits, DirectoryOutput, DirectoryWrite,
    own::{Begun, Due, Live, Signing},
};
use crate::Draft;

impl Directory {
    pub(super) fn advertise(
        &mut self,
        now: Timestamp,
        token: u64,
        advertisement: Advertisement,
        lifetime: Duration,
    ) {
        let live = Live::new(advertisement, lifetime, Some(&self.listening));
        if let Ok(live) = &live
            && let Some((slot, expires, said, bytes)) = self.own.said_already(now, live)
        {
            // The store may have refused it the first time.
            let kept = DirectoryWrite::Offer { slot, said, bytes };
            self.output(DirectoryOutput::Persist(kept));
            return self.event(DirectoryEvent::Advertised {
                token,
                slot,
                expires,
            });
        }
        let placed = live.and_then(|live| {
            let place = self.own.place(now, &live.advertisement.key)?;
            Ok((place, live))
        });
        match placed {
            Ok((place, live)) => self.publish(now, token, place, live),
            Err(reason) => self.event(DirectoryEvent::Refused { token, reason }),
        }
    }

    fn publish(&mut self, now: Timestamp, token: u64, slot: u8, live: Live) {
        let names = names_of(&live.advertisement);
        if let Some(former) = self.own.put(now, slot, live) {
            for name in names_of(&former.advertisement).difference(&names) {
                self.leave(now, slot, name, &former.value);
            }
        }
        self.publish_names(slot);
        self.sign_offer(now, slot, Some(token));
    }

    /// Gives the DHT an offer, under each of its names.
    fn publish_names(&mut self, slot: u8) {
        let Some(live) = self.own.offer(slot) else {
            return;
        };
        let (value, lifetime) = (live.value.clone(), live.lifetime);
        for name in names_of(&live.advertisement) {
            if let Some(name) = bounded(&name) {
                self.output(DirectoryOutput::Publish(Draft {
                    kind: RecordKind::Advertisement,
                    slot,
                    name,
                    value: value.clone(),
                    lifetime,
                }));
            }
        }
    }

    /// Begins to offer what an earlier run offered, and was not taken back.
    pub(super) fn start(&mut self, now: Timestamp) {
        for slot in self.own.start(now.mono) {
            self.output(DirectoryOutput::Persist(DirectoryWrite::Forget { slot }));
        }
        self.renew(now);
    }

    /// This node listens there now.
    pub(super) fn listening(&mut self, now: Timestamp, addresses: Vec<Address>) {
        self.listening = BoundedVec::truncated(addresses);
        self.own.listening(now, &self.listening);
    }

    pub(super) fn retract(
        &mut self,
        now: Timestamp,
        token: u64,
        key: Option<BoundedBytes<SERVICE_KEY_MAX>>,
    ) {
        let taken = self.own.take_back(key.as_ref());
        if taken.is_empty() {
            let reason = DirectoryError::NotAdvertised;
            return self.event(DirectoryEvent::Refused { token, reason });
        }
        let count = taken.len();
        for (slot, live) in taken {
            self.output(DirectoryOutput::Persist(DirectoryWrite::Forget { slot }));
            for name in names_of(&live.advertisement) {
                self.leave(now, slot, &name, &live.value);
            }
        }
        self.event(DirectoryEvent::Retracted { token, count });
    }

    /// Says goodbye under one name: a record that replaces the one out there, and soon expires.
    fn leave(
        &mut self,
        now: Timestamp,
        slot: u8,
        name: &str,
        value: &BoundedBytes<RECORD_VALUE_MAX>,
    ) {
        let Some(bounded) = bounded(name) else {
            return;
        };
        self.output(DirectoryOutput::Retract {
            slot,
            name: bounded,
        });
        let told = name == Advertisement::ALL;
        let token = self.own.sign(Signing::Farewell { told });
        let expires = now.wall + DirectoryLimits::FAREWELL;
        self.sign_record((token, slot), name, value.clone(), expires);
    }

    /// Signs what gossip and neighbours are told. What is kept says when, so that another run
    /// waits as this one would.
    fn sign_offer(&mut self, now: Timestamp, slot: u8, token: Option<u64>) {
        let Some(begun) = self.own.begin(now, slot, token) else {
            return;
        };
        let Begun {
            token,
            value,
            expires,
            kept,
        } = begun;
        self.output(DirectoryOutput::Persist(DirectoryWrite::Offer {
            slot,
            said: now.wall,
            bytes: kept,
        }));
        self.sign_record((token, slot), Advertisement::ALL, value, expires);
    }

    fn sign_record(
        &mut self,
        (token, slot): (u64, u8),
        name: &str,
        value: BoundedBytes<RECORD_VALUE_MAX>,
        expires: Wall,
    ) {
        if let Some(name) = bounded(name) {
            let record = Record {
                kind: RecordKind::Advertisement.number(),
                slot,
                expires: expires.as_millis(),
                name,
                value,
            };
            self.output(DirectoryOutput::Sign { token, record });
        }
    }

    /// Signs again what a third of its life has passed of.
    pub(super) fn renew(&mut self, now: Timestamp) {
        for slot in self.own.due(now.mono) {
            let Some(due) = self.own.refresh(now, slot, &self.listening) else {
                continue;
            };
            if due == Due::Publish {
                self.publish_names(slot);
            }
            self.sign_offer(now, slot, None);
        }
    }

    pub(super) fn signed(&mut self, token: u64, envelope: Verified<Envelope>) {
        match self.own.signed(token) {
            Some(Signing::Offer {
                slot,
                edition,
                expires,
                token,
            }) => {
                // It was changed or taken back while it was signed.
                let Some(live) = self.own.live(slot, edition) else {
                    return;
                };
                live.signed = Some((envelope.clone(), expires));
                self.tell(&envelope);
                if let Some(token) = token {
                    self.event(DirectoryEvent::Advertised {
                        token,
                        slot,
                        expires,
                    });
                }
            }
            Some(Signing::Farewell { told }) => {
                if told {
                    self.tell(&envelope);
                }
                self.output(DirectoryOutput::Put(envelope));
            }
            None => {}
        }
    }

    /// Gossip and neighbours are told of a record.
    fn tell(&mut self, envelope: &Verified<Envelope>) {
        let data = envelope.wire().clone();
        self.output(DirectoryOutput::Gossip { data });
        let mut records = RecordList::default();
        if records.push(envelope) {
            let peers: Vec<NodeId> = self.links.keys().copied().collect();
            for peer in peers {
                let records = records.clone();
                self.output(DirectoryOutput::Offer { peer, records });
            }
        }
    }

    /// A new neighbour is told what there is.
    pub(super) fn link_up(&mut self, peer: NodeId, remote: Address) {
        let room = self.links.len() < self.limits.links_max;
        if peer == self.me || !(room || self.links.contains_key(&peer)) {
            return;
        }
        self.links.insert(peer, remote);
        let mut offers = Vec::new();
        let mut records = RecordList::default();
        for envelope in self.own.records() {
            if !records.push(envelope) {
                offers.push(core::mem::take(&mut records));
                records.push(envelope);
            }
        }
        offers.push(records);
        for records in offers.into_iter().filter(|records| !records.is_empty()) {
            self.output(DirectoryOutput::Offer { peer, records });
        }
    }
}

fn names_of(advertisement: &Advertisement) -> BTreeSet<String> {
    advertisement
        .names()
        .into_iter()
        .map(String::from)
        .collect()
}

/// A name as a record has it. Every name of a sound advertisement fits.
fn bounded(name: &str) -> Option<BoundedBytes<RECORD_NAME_MAX>> {
    BoundedBytes::new(name.as_bytes().to_vec()).ok()
}
