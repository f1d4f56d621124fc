//! What this node offers, as the store keeps it.

use alloc::vec::Vec;
use core::time::Duration;

use repute_base::{Wall, codec};
use repute_protocol::Advertisement;

use super::own::Live;

/// The first byte of the stored form.
const VERSION: u8 = 1;

/// An offer, and when it was signed last.
#[derive(Debug)]
pub(super) struct Kept {
    lifetime_s: u32,
    said_ms: u64,
    /// Whether its addresses are those where the node listened then.
    fills: bool,
    advertisement: Advertisement,
}

impl Kept {
    pub(super) fn of(live: &Live, said: Wall) -> Self {
        Self {
            lifetime_s: u32::try_from(live.lifetime.as_secs()).unwrap_or(u32::MAX),
            said_ms: said.as_millis(),
            fills: live.fills,
            advertisement: live.advertisement.clone(),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (lifetime, said) = (self.lifetime_s, self.said_ms);
        let mut bytes = alloc::vec![VERSION];
        bytes.extend(codec::encode(&(lifetime, said, self.fills)));
        bytes.extend(self.advertisement.encode());
        bytes
    }

    /// Nothing if this is no such form, or of a version to come.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[VERSION])?;
        let ((lifetime_s, said_ms, fills), len) =
            codec::decode_prefix::<(u32, u64, bool)>(rest).ok()?;
        let advertisement = Advertisement::decode(rest.get(len..)?).ok()?;
        Some(Self {
            lifetime_s,
            said_ms,
            fills,
            advertisement,
        })
    }

    /// The offer, not signed yet, and when it was signed last; nothing if others would refuse it.
    pub(super) fn into_live(self) -> Option<(Live, Wall)> {
        let lifetime = Duration::from_secs(self.lifetime_s.into());
        let mut live = Live::new(self.advertisement, lifetime, None).ok()?;
        live.fills = self.fills;
        Some((live, Wall::from_millis(self.said_ms)))
    }
}
