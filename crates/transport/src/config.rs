use core::{fmt, net::SocketAddr, time::Duration};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use repute_base::{Address, BoundedString, BoundedVec, Wall};
use repute_identity::{Inception, NodeId};
use repute_protocol::{
    Capability, Handshake, NetworkId, VERSION,
    limits::{CAPABILITIES_MAX, TEXT_MAX},
};

use crate::{BindError, Socket};

/// How an endpoint behaves. The defaults suit a node on the internet; bounds are in the crate's
/// page of the documentation with their reasons.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// A socket to use instead of opening one at `listen`.
    pub socket: Option<Socket>,
    /// Links at once, in both directions. Connections beyond are refused before their handshake.
    pub links_max: usize,
    /// Inbound connections that have not proved themselves yet, in all. When so many stand at the
    /// door, the oldest makes room for whoever comes next and has proved its address.
    pub half_open_max: usize,
    /// The same, from one address.
    pub half_open_per_address_max: usize,
    /// Past so many of them, whoever connects must first prove that it receives at its address.
    pub validate_above: usize,
    /// Inbound connections a second from one address, in the long run.
    pub accept_rate: u64,
    /// Inbound connections from one address at once, after a pause.
    pub accept_burst: u64,
    /// Whether all ports of the loopback address count as one address. Off, so that many nodes can
    /// run on one machine.
    pub loopback_strict: bool,
    /// Dials under way at once.
    pub dials_max: usize,
    /// How long one address of a dial may take to answer.
    pub dial_address_time: Duration,
    /// How long a dial may take over all addresses.
    pub dial_time: Duration,
    /// How long an inbound connection may take from its first packet to a checked handshake.
    pub handshake_time: Duration,
    /// How long the first frame may take on a connection that TLS has authenticated.
    pub first_frame_time: Duration,
    /// How long a goodbye may take to reach the other end.
    pub flush_time: Duration,
    /// A link is lost when nothing comes for so long after something was sent.
    pub idle_time: Duration,
    /// A quiet link says so this often.
    pub keep_alive_time: Duration,
    /// Bytes that wait in the queue of one link, for each priority.
    pub queue_bytes_max: usize,
    /// Bytes that one link may have in flight, unacknowledged.
    pub send_window: u32,
    /// Bytes that one link may send us before we read them.
    pub receive_window: u32,
    /// Streams that each peer may have opened to us at once, taken by
    /// [`Endpoint::streams`](crate::Endpoint::streams). 0 takes none.
    pub streams_max: u32,
    /// How long opening a stream may wait for one of ours to end.
    pub stream_open_time: Duration,
    /// Bytes that a connection may have in flight, beyond the windows above, while a stream is
    /// open: for whoever opened it to receive, for the other end to send.
    pub stream_window: u32,
    /// What the wider windows of all connections on which peers have streams open come to, unless
    /// there are more than fit with 256 KiB each.
    pub stream_send_max: u32,
    /// Bytes of frames from one link that wait to be taken by [`Events`](crate::Events).
    pub inbox_link_bytes_max: u32,
    /// The same over all links.
    pub inbox_bytes_max: u32,
    /// Malformed frames after which a link is closed.
    pub malformed_max: u32,
    /// The largest UDP payload that path MTU discovery may try.
    pub udp_payload_max: u16,
    /// The same on loopback, where larger packets pass. QUIC sends ten at a time, which together
    /// must fit what UDP takes: 6,550 at most.
    pub loopback_payload_max: u16,
    /// Seeds QUIC's own choices, so that a simulation can be replayed. Never set it on a real
    /// network.
    pub seed: Option<[u8; 32]>,
    /// Called by each task of a link on every turn; a test makes it panic.
    #[doc(hidden)]
    pub probe: Option<Probe>,
}

impl Config {
    /// The defaults, listening here.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            socket: None,
            links_max: 512,
            half_open_max: 1_024,
            half_open_per_address_max: 16,
            validate_above: 128,
            accept_rate: 4,
            accept_burst: 32,
            loopback_strict: false,
            dials_max: 128,
            dial_address_time: Duration::from_secs(5),
            dial_time: Duration::from_secs(20),
            handshake_time: Duration::from_secs(10),
            first_frame_time: Duration::from_secs(5),
            flush_time: Duration::from_secs(1),
            idle_time: Duration::from_secs(30),
            keep_alive_time: Duration::from_secs(25),
            queue_bytes_max: 256 * 1024,
            send_window: 256 * 1024,
            receive_window: 512 * 1024,
            streams_max: 8,
            stream_open_time: Duration::from_secs(5),
            stream_window: 8 * 1024 * 1024,
            stream_send_max: 64 * 1024 * 1024,
            inbox_link_bytes_max: 256 * 1024,
            inbox_bytes_max: 16 * 1024 * 1024,
            malformed_max: 10,
            udp_payload_max: 1_452,
            loopback_payload_max: 6_500,
            seed: None,
            probe: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), BindError> {
        let idle = u64::try_from(self.idle_time.as_millis()).unwrap_or(u64::MAX);
        let rows = [
            ("idle_time in ms", idle, 3_600_000),
            ("links_max", self.links_max as u64, 65_536),
            ("udp_payload_max", u64::from(self.udp_payload_max), 65_527),
            (
                "loopback_payload_max",
                u64::from(self.loopback_payload_max),
                6_550,
            ),
            ("streams_max", u64::from(self.streams_max), 1_024),
            // With a window of frames it must fit what QUIC counts windows in.
            ("stream_window", u64::from(self.stream_window), 1 << 30),
            ("stream_send_max", u64::from(self.stream_send_max), 1 << 30),
            ("receive_window", u64::from(self.receive_window), 1 << 30),
            ("send_window", u64::from(self.send_window), 1 << 30),
            // A frame of the largest kind must fit, and a semaphore counts no further.
            (
                "inbox_bytes_max",
                u64::from(self.inbox_bytes_max),
                u64::from(u32::MAX >> 3),
            ),
        ];
        for (name, value, max) in rows {
            if value > max {
                return Err(BindError::Config { name, value, max });
            }
        }
        Ok(())
    }
}

/// See [`Config::probe`].
#[doc(hidden)]
#[derive(Clone)]
pub struct Probe(pub Arc<dyn Fn(&'static str, NodeId) + Send + Sync>);

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe(..)")
    }
}

/// What our own [`Handshake`] says, apart from the identity and the addresses.
#[derive(Clone)]
#[non_exhaustive]
pub struct HandshakeTemplate {
    /// The network; a peer of another one is refused.
    pub network: NetworkId,
    /// What this node can do.
    pub capabilities: BoundedVec<Capability, CAPABILITIES_MAX>,
    /// The software, for people.
    pub agent: BoundedString<TEXT_MAX>,
    /// The wall clock that goes into the handshake, for diagnosis; the system's unless replaced.
    pub wall: Arc<dyn Fn() -> Wall + Send + Sync>,
}

impl HandshakeTemplate {
    /// No capabilities, an empty agent, the system's clock.
    pub fn new(network: NetworkId) -> Self {
        Self {
            network,
            capabilities: BoundedVec::default(),
            agent: BoundedString::default(),
            wall: Arc::new(system_wall),
        }
    }

    pub(crate) fn fill(
        &self,
        inception: Inception,
        listen: &[Address],
        now: impl IntoIterator<Item = Capability>,
    ) -> Handshake {
        let capabilities = now.into_iter().chain(self.capabilities.iter().copied());
        Handshake {
            version_min: VERSION,
            version_max: VERSION,
            network: self.network,
            inception,
            capabilities: BoundedVec::truncated(capabilities),
            listen: BoundedVec::truncated(listen.iter().copied()),
            wall: (self.wall)().as_millis(),
            agent: self.agent.clone(),
        }
    }
}

impl fmt::Debug for HandshakeTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeTemplate")
            .field("network", &self.network)
            .field("capabilities", &self.capabilities)
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

fn system_wall() -> Wall {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Wall::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
