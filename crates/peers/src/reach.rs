//! Which addresses to believe, to pass on, and to count together.

use core::net::IpAddr;

use repute_base::Address;

/// From where an address can be reached, nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// From this machine.
    Loopback,
    /// From the same private or link-local network.
    Local,
    /// From everywhere.
    Routable,
}

pub(crate) fn reach(address: &Address) -> Reach {
    let local = match address.ip() {
        ip if ip.is_loopback() => return Reach::Loopback,
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // 100.64/10 is the carriers' private network.
            ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    if local { Reach::Local } else { Reach::Routable }
}

/// Whether anybody could listen there at all.
pub(crate) fn dialable(address: &Address) -> bool {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// Whether `address` makes sense between us and a peer at `remote`: a stranger on the internet
/// can neither point us at our own machine or network, nor use such an address of ours.
pub(crate) fn fits(address: &Address, remote: &Address) -> bool {
    dialable(address) && reach(address) >= reach(remote)
}

/// Whether anybody on the internet could reach a node there.
pub fn is_routable(address: &Address) -> bool {
    dialable(address) && reach(address) == Reach::Routable
}

/// What is limited together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    V4([u8; 2]),
    V6([u8; 4]),
    /// Not routable: an address of its own.
    Own(Address),
}

impl Group {
    pub(crate) fn of(address: &Address, strict: bool) -> Self {
        if !strict && reach(address) != Reach::Routable {
            return Self::Own(*address);
        }
        match address.ip() {
            IpAddr::V4(ip) => {
                let [a, b, ..] = ip.octets();
                Self::V4([a, b])
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.octets();
                Self::V6([a, b, c, d])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Address {
        text.parse().expect("address")
    }

    #[test]
    fn a_stranger_cannot_point_us_at_our_own_machine_or_network() {
        let (far, near, own) = (at("8.8.8.8:1"), at("192.168.0.2:1"), at("127.0.0.1:1"));
        assert!(fits(&far, &far) && !fits(&near, &far) && !fits(&own, &far));
        assert!(fits(&far, &near) && fits(&near, &near) && !fits(&own, &near));
        assert!(fits(&own, &own));
        assert!(!fits(&at("0.0.0.0:1"), &own) && !fits(&at("8.8.8.8:0"), &own));
    }

    #[test]
    fn loopback_ports_are_groups_of_their_own_unless_strict() {
        let (a, b) = (at("127.0.0.1:1"), at("127.0.0.1:2"));
        assert_ne!(Group::of(&a, false), Group::of(&b, false));
        assert_eq!(Group::of(&a, true), Group::of(&b, true));
        assert_eq!(
            Group::of(&at("9.8.1.1:1"), false),
            Group::of(&at("9.8.2.2:2"), false)
        );
        assert_ne!(
            Group::of(&at("9.8.1.1:1"), false),
            Group::of(&at("9.9.1.1:1"), false)
        );
        let (c, d) = (at("[2001:db8:1::1]:1"), at("[2001:db8:2::1]:1"));
        assert_eq!(Group::of(&c, false), Group::of(&d, false));
    }
}
