use alloc::string::{String, ToString};
use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// The addresses that begin with the same bits: one host, or a network of them.
///
/// An IPv4-mapped IPv6 address counts as IPv4, and the bits beyond the length are zero, so that
/// one prefix has one form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    ip: IpAddr,
    len: u8,
}

/// Why a text or a pair is no prefix. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// Not an address.
    #[error("`{0}` is neither an IP address nor a prefix such as 192.0.2.0/24 or 2001:db8::/32")]
    Syntax(String),
    /// An address and a port.
    #[error("`{0}` names a port, which changes at will: give the address alone")]
    Port(String),
    /// More bits than an address has, or so few that half the internet is meant.
    #[error("a length of {len} bits: this kind of address takes {least} to {most}")]
    Length {
        /// The length.
        len: u8,
        /// The least allowed.
        least: u8,
        /// The most there are.
        most: u8,
    },
}

impl Prefix {
    /// The shortest prefix of IPv4: a longer list is better than a shorter prefix.
    pub const V4_MIN: u8 = 8;
    /// The shortest prefix of IPv6.
    pub const V6_MIN: u8 = 16;

    /// The prefix of `len` bits that `ip` lies in.
    ///
    /// # Errors
    /// [`PrefixError::Length`].
    pub fn new(ip: IpAddr, len: u8) -> Result<Self, PrefixError> {
        let canonical = ip.to_canonical();
        // The length of a mapped address counts from the front of its 128 bits.
        let len = match (ip, canonical) {
            (IpAddr::V6(_), IpAddr::V4(_)) => len.saturating_sub(96),
            _ => len,
        };
        let (least, most) = match canonical {
            IpAddr::V4(_) => (Self::V4_MIN, 32),
            IpAddr::V6(_) => (Self::V6_MIN, 128),
        };
        if !(least..=most).contains(&len) {
            return Err(PrefixError::Length { len, least, most });
        }
        let ip = cut(canonical, len);
        Ok(Self { ip, len })
    }

    /// This address alone.
    pub fn host(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        let len = if ip.is_ipv4() { 32 } else { 128 };
        Self { ip, len }
    }

    /// Whether `ip` lies in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.ip.is_ipv4() && cut(ip, self.len) == self.ip
    }

    /// Whether it is one address.
    pub const fn is_host(&self) -> bool {
        self.len == if self.ip.is_ipv4() { 32 } else { 128 }
    }
}

/// The first `len` bits of `ip`, and zeros.
fn cut(ip: IpAddr, len: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(len.min(32)));
            Ipv4Addr::from_bits(ip.to_bits() & mask.unwrap_or(0)).into()
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(len.min(128)));
            Ipv6Addr::from_bits(ip.to_bits() & mask.unwrap_or(0)).into()
        }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let shown = || {
            text.chars()
                .take(64)
                .collect::<String>()
                .escape_debug()
                .to_string()
        };
        if let Some((ip, len)) = text.split_once('/') {
            let ip: IpAddr = ip.parse().map_err(|_| PrefixError::Syntax(shown()))?;
            let plain = len.bytes().all(|byte| byte.is_ascii_digit());
            let len = len.parse().ok().filter(|_| plain);
            return Self::new(ip, len.ok_or_else(|| PrefixError::Syntax(shown()))?);
        }
        match text.parse::<IpAddr>() {
            Ok(ip) => Ok(Self::host(ip)),
            Err(_) if text.parse::<core::net::SocketAddr>().is_ok() => {
                Err(PrefixError::Port(shown()))
            }
            Err(_) => Err(PrefixError::Syntax(shown())),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() {
            self.ip.fmt(f)
        } else {
            write!(f, "{}/{}", self.ip, self.len)
        }
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_prefix_holds_what_begins_like_it() {
        assert!(prefix("192.0.2.0/24").contains(ip("192.0.2.255")));
        assert!(!prefix("192.0.2.0/24").contains(ip("192.0.3.0")));
        assert!(prefix("2001:db8::/32").contains(ip("2001:db8:ffff::1")));
        assert!(!prefix("2001:db8::/32").contains(ip("2001:db9::1")));
        assert!(!prefix("::/16").contains(ip("0.0.0.1")), "another family");
        assert!(prefix("203.0.113.7").contains(ip("::ffff:203.0.113.7")));
        assert!(prefix("203.0.113.7").is_host() && !prefix("10.0.0.0/8").is_host());
    }

    #[test]
    fn one_prefix_has_one_form() {
        assert_eq!(prefix("10.1.2.3/8").to_string(), "10.0.0.0/8");
        assert_eq!(prefix("10.1.2.3/32").to_string(), "10.1.2.3");
        assert_eq!(prefix("::ffff:10.1.2.3/104"), prefix("10.0.0.0/8"));
        assert_eq!(prefix("2001:DB8::1/32").to_string(), "2001:db8::/32");
    }

    #[test]
    fn what_is_no_prefix_is_refused_with_the_reason() {
        for bad in [
            "",
            "10.0.0",
            "10.0.0.1/",
            "10.0.0.1/+8",
            "10.0.0.1/300",
            "x/8",
            "1.2.3.4/8/8",
        ] {
            assert!(
                matches!(bad.parse::<Prefix>(), Err(PrefixError::Syntax(_))),
                "{bad}"
            );
        }
        for bad in ["0.0.0.0/0", "10.0.0.0/7", "10.0.0.0/33", "::/15", "::/129"] {
            assert!(
                matches!(bad.parse::<Prefix>(), Err(PrefixError::Length { .. })),
                "{bad}"
            );
        }
        assert!(matches!(
            "10.0.0.1:80".parse::<Prefix>(),
            Err(PrefixError::Port(_))
        ));
    }

    proptest! {
        #[test]
        fn prefixes_survive_text_and_hold_their_own(address: IpAddr, len in 0u8..=130) {
            if let Ok(prefix) = Prefix::new(address, len) {
                prop_assert!(prefix.contains(address));
                prop_assert_eq!(prefix.to_string().parse::<Prefix>(), Ok(prefix));
            }
            prop_assert!(Prefix::host(address).contains(address));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}") {
            drop(text.parse::<Prefix>());
        }
    }
}
