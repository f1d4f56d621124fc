use core::net::IpAddr;

use repute_base::Address;

/// Addresses that are counted together: who has one of them can have them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// A /24.
    V4([u8; 3]),
    /// A /64.
    V6([u8; 8]),
    /// Not routable: an address of its own.
    Own(Address),
}

impl Group {
    pub(crate) fn of(address: &Address, strict: bool) -> Self {
        if !strict && !is_routable(address) {
            return Self::Own(*address);
        }
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// Whether anybody on the internet could reach a node there.
pub(crate) fn is_routable(address: &Address) -> bool {
    reach(address) == 2
}

/// Whether a node at `remote` may point us there: a stranger on the internet can name neither our
/// own machine nor our own network.
pub(crate) fn fits(address: &Address, remote: &Address) -> bool {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    let dialable = address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast;
    dialable && reach(address) >= reach(remote)
}

/// From where an address can be reached: 0 this machine, 1 this network, 2 everywhere.
fn reach(address: &Address) -> u8 {
    let local = match address.ip().to_canonical() {
        ip if ip.is_loopback() => return 0,
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // 100.64/10 is the carriers' private network.
            ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    if local { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn routable_addresses_count_by_prefix_and_others_alone() {
        let of = |text, strict| Group::of(&at(text), strict);
        assert_eq!(of("9.8.7.1:1", false), of("9.8.7.250:2", false));
        assert_ne!(of("9.8.7.1:1", false), of("9.8.6.1:1", false));
        assert_eq!(of("[2001:db8::1]:1", false), of("[2001:db8::2]:1", false));
        assert_ne!(of("127.0.0.1:1", false), of("127.0.0.1:2", false));
        assert_eq!(of("127.0.0.1:1", true), of("127.0.0.1:2", true));
    }

    #[test]
    fn a_stranger_cannot_point_us_at_our_own_network() {
        let (far, near, own) = (at("8.8.8.8:1"), at("192.168.0.2:1"), at("127.0.0.1:1"));
        assert!(fits(&far, &far) && !fits(&near, &far) && !fits(&own, &far));
        assert!(fits(&far, &near) && fits(&near, &near) && !fits(&own, &near));
        assert!(fits(&own, &own) && !fits(&at("8.8.8.8:0"), &own));
    }
}
