use core::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::Deref,
    str::FromStr,
};

use bincode::{
    Encode,
    de::{BorrowDecode, BorrowDecoder, Decode, Decoder},
    enc::Encoder,
    error::{DecodeError, EncodeError},
};

/// An IP address and UDP port. On the wire: `4` or `6`, the address bytes, the port big-endian.
///
/// An IPv4-mapped IPv6 address is refused when decoded, so that one place has one form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(SocketAddr);

impl Address {
    /// The address, IPv4-mapped IPv6 turned into IPv4.
    pub fn new(address: SocketAddr) -> Self {
        Self(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }

    /// As the standard library has it.
    pub const fn socket_addr(&self) -> SocketAddr {
        self.0
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::new(address)
    }
}

impl Deref for Address {
    type Target = SocketAddr;
    fn deref(&self) -> &SocketAddr {
        &self.0
    }
}

impl FromStr for Address {
    type Err = core::net::AddrParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::new)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Encode for Address {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        match self.0 {
            SocketAddr::V4(v4) => {
                4u8.encode(encoder)?;
                v4.ip().octets().encode(encoder)?;
            }
            SocketAddr::V6(v6) => {
                6u8.encode(encoder)?;
                v6.ip().octets().encode(encoder)?;
            }
        }
        self.0.port().to_be_bytes().encode(encoder)
    }
}

impl<C> Decode<C> for Address {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let ip = match u8::decode(decoder)? {
            4 => Ipv4Addr::from(<[u8; 4]>::decode(decoder)?).into(),
            6 => Ipv6Addr::from(<[u8; 16]>::decode(decoder)?).into(),
            _ => return Err(DecodeError::Other("unknown address family")),
        };
        let port = u16::from_be_bytes(<[u8; 2]>::decode(decoder)?);
        let address = SocketAddr::new(ip, port);
        if ip.to_canonical() != ip {
            return Err(DecodeError::Other("IPv4-mapped IPv6 address"));
        }
        Ok(Self(address))
    }
}

impl<'de, C> BorrowDecode<'de, C> for Address {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(d: &mut D) -> Result<Self, DecodeError> {
        Self::decode(d)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;
    use crate::codec;

    #[test]
    fn one_place_has_one_form() {
        let mapped: Address = "[::ffff:192.0.2.1]:80".parse().unwrap();
        assert_eq!(mapped, "192.0.2.1:80".parse().unwrap());
        let mut wire = alloc::vec![6u8];
        wire.extend_from_slice(&Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().octets());
        wire.extend_from_slice(&80u16.to_be_bytes());
        let refused = codec::decode::<Address>(&wire);
        assert_eq!(
            refused,
            Err(codec::DecodeError::Invalid("IPv4-mapped IPv6 address"))
        );
    }

    #[test]
    fn the_wire_form_is_family_octets_and_port() {
        let address: Address = "192.0.2.1:4660".parse().unwrap();
        assert_eq!(codec::encode(&address), [4, 192, 0, 2, 1, 0x12, 0x34]);
        assert!(codec::decode::<Address>(&[5, 0, 0, 0, 0, 0, 0]).is_err());
        assert!(codec::decode::<Address>(&[4, 0, 0, 0, 0, 0]).is_err());
    }

    proptest! {
        #[test]
        fn addresses_survive_wire_and_text(ip: std::net::IpAddr, port: u16) {
            let address = Address::new(SocketAddr::new(ip, port));
            prop_assert_eq!(codec::decode(&codec::encode(&address)), Ok(address));
            prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
        }
    }
}
