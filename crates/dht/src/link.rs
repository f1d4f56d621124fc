use repute_base::{Address, Mono, TokenBucket};

use crate::{Limits, rtt::Rtt};

/// A link that stands.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// Where the other end is seen.
    pub(crate) remote: Address,
    pub(crate) server: bool,
    /// Whether it was asked for with `Output::Link`, and not given back.
    pub(crate) ours: bool,
    /// When it last carried something of the DHT.
    pub(crate) used: Mono,
    pub(crate) rtt: Rtt,
    /// Requests of ours under way.
    pub(crate) asked: usize,
    /// Until then the peer has no time for us.
    pub(crate) busy_until: Mono,
    /// Requests of the peer's that are served.
    pub(crate) served: TokenBucket,
    /// Requests of the peer's that are told to come later.
    pub(crate) declined: TokenBucket,
    pub(crate) blamed_until: Mono,
    /// Until then, further answers are no news to the trust engine.
    pub(crate) praised_until: Mono,
    /// Records of the peer's that wait for their signature check.
    pub(crate) verifying: usize,
}

impl Link {
    pub(crate) fn new(remote: Address, server: bool, limits: &Limits, now: Mono) -> Self {
        Self {
            remote,
            server,
            ours: false,
            used: now,
            rtt: Rtt::default(),
            asked: 0,
            busy_until: Mono::ZERO,
            served: TokenBucket::new(limits.serve_per_second, limits.serve_burst, now),
            declined: TokenBucket::new(limits.busy_per_second, limits.busy_burst, now),
            blamed_until: Mono::ZERO,
            praised_until: Mono::ZERO,
            verifying: 0,
        }
    }
}
