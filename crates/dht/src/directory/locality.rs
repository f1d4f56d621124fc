//! Which advertisements are limited together: those of one address prefix.

use core::net::IpAddr;

use repute_base::{Address, Prefix};

/// What is limited together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    /// It names no place that says anything.
    Nowhere,
    /// A /24, or a /48 of IPv6.
    Network(Prefix),
    /// A place on this machine or in this private network.
    Place(Address),
}

impl Group {
    /// Where `address` is. Loopback and private addresses tell places apart only among nodes that
    /// are linked over them (`local`).
    pub(super) fn of(address: Option<&Address>, local: bool, strict: bool) -> Self {
        let Some(address) = address else {
            return Self::Nowhere;
        };
        match (is_local(address), local, strict) {
            (true, true, false) => return Self::Place(*address),
            (true, false, false) => return Self::Nowhere,
            _ => {}
        }
        let len = if address.ip().is_ipv4() { 24 } else { 48 };
        Prefix::new(address.ip(), len).map_or(Self::Nowhere, Self::Network)
    }
}

/// Whether an address means something only on this machine or in this private network.
pub(super) fn is_local(address: &Address) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_one_place_and_loopback_ports_are_many_only_where_links_are_local() {
        let at = |text: &str| text.parse::<Address>().expect("an address");
        let group = |text: &str, local, strict| Group::of(Some(&at(text)), local, strict);
        let (a, b) = ("203.0.113.1:1", "203.0.113.200:2");
        assert_eq!(group(a, true, false), group(b, true, false));
        assert_ne!(group(a, true, false), group("203.0.114.1:1", true, false));
        assert_eq!(
            group("[2001:db8:1::1]:1", true, false),
            group("[2001:db8:1:ffff::2]:2", true, false)
        );
        let (c, d) = ("127.0.0.1:1", "127.0.0.1:2");
        assert_ne!(group(c, true, false), group(d, true, false));
        assert_eq!(group(c, true, true), group(d, true, true));
        assert_eq!(group(c, false, false), Group::Nowhere);
        assert_eq!(Group::of(None, true, false), Group::Nowhere);
    }
}
