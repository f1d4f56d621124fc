//! Addresses that get no link, whichever end dials.

use alloc::vec::Vec;

use repute_base::{Address, Prefix};
use repute_identity::NodeId;
use repute_protocol::DisconnectReason;

use crate::{Limits, Peers, book::Entry};

impl Peers {
    /// From now on these prefixes are barred, and no others; links that stand there are closed.
    pub(crate) fn bar(&mut self, prefixes: Vec<Prefix>) {
        self.barred = prefixes;
        self.barred.truncate(Limits::BARRED_MAX);
        let there: Vec<NodeId> = self
            .links
            .iter()
            .filter(|(_, link)| self.is_barred(&link.remote))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in there {
            self.close(peer, DisconnectReason::Banned);
        }
    }

    pub(crate) fn is_barred(&self, address: &Address) -> bool {
        let ip = address.ip();
        self.barred.iter().any(|prefix| prefix.contains(ip))
    }

    /// Where a peer may be dialled.
    pub(crate) fn open_addresses(&self, entry: &Entry) -> Vec<Address> {
        let open = |address: &&Address| !self.is_barred(address);
        entry.addresses.iter().filter(open).copied().collect()
    }
}
