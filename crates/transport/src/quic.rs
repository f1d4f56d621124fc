//! Sets QUIC up: sockets, windows, timers.

use core::net::SocketAddr;
use std::{io, net::UdpSocket, sync::Arc};

use quinn::{
    EndpointConfig, IdleTimeout, MtuDiscoveryConfig, Runtime, TokioRuntime, TransportConfig,
    VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use repute_base::codec;
use repute_identity::{Identity, PublicKey};
use repute_protocol::Disconnect;
use rustls::pki_types::CertificateDer;
use socket2::{Domain, Protocol, Type};

use crate::{BindError, Config, tls, together::Together};

/// A close that carries an encoded [`Disconnect`] as its reason.
const CODE_DISCONNECT: VarInt = VarInt::from_u32(1);
/// A close of a connection that another one to the same peer made superfluous.
pub(crate) const CODE_RETIRED: VarInt = VarInt::from_u32(2);
/// We stop reading a stream that broke the framing.
pub(crate) const CODE_FRAMING: VarInt = VarInt::from_u32(3);
/// Room in the operating system for bursts while all our threads are busy.
const SOCKET_BUFFER: usize = 2 * 1024 * 1024;
/// Nothing is gained by more under way than the other end's socket takes: there is no distance, and
/// what finds no room is lost.
const LOOPBACK_WINDOW: u32 = 1_536 * 1024;
/// Bytes of datagrams of one link that wait in QUIC, with what it adds to each; beyond, the oldest
/// is dropped.
const DATAGRAM_BUFFER: usize = 4 * 1024;
/// What TLS wants as a name; nobody reads it.
const SERVER_NAME: &str = "repute";

/// How to connect with this machine itself, whose packets may be larger.
pub(crate) struct Near {
    client: quinn::ClientConfig,
    server: Arc<quinn::ServerConfig>,
}

impl Near {
    fn is(address: SocketAddr) -> bool {
        address.ip().to_canonical().is_loopback()
    }
}

/// How wide the window of streams is on a connection.
pub(crate) fn stream_window(
    config: &Config,
    near: Option<&Near>,
    connection: &quinn::Connection,
) -> u32 {
    match near.filter(|_| Near::is(connection.remote_address())) {
        Some(_) => config.stream_window.min(LOOPBACK_WINDOW),
        None => config.stream_window,
    }
}

impl std::fmt::Debug for Near {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Near")
    }
}

pub(crate) fn open(
    config: &Config,
    identity: &Identity,
) -> Result<(quinn::Endpoint, Option<Near>), BindError> {
    let refused = |error: &dyn std::fmt::Display| BindError::Tls(error.to_string());
    let tls = tls::Tls::new(identity).map_err(|error| refused(&error))?;
    let far = Arc::new(transport(
        config,
        config.udp_payload_max,
        config.stream_window,
    ));
    let server = QuicServerConfig::try_from(tls.server).map_err(|error| refused(&error))?;
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(server));
    server.transport_config(Arc::clone(&far));
    server.max_incoming(config.half_open_max);
    // Whoever waits to be let in has sent one packet, or guesses.
    server.incoming_buffer_size(16 * 1024);
    server.incoming_buffer_size_total(1024 * 1024);
    // All servers share one name, so a token for later could not be kept apart.
    let mut tokens = quinn::ValidationTokenConfig::default();
    tokens.sent(0);
    server.validation_token_config(tokens);
    let client = QuicClientConfig::try_from(tls.client).map_err(|error| refused(&error))?;
    let mut client = quinn::ClientConfig::new(Arc::new(client));
    client.transport_config(far);
    // Only the system's own loopback is known to carry more.
    let near = config.socket.is_none().then(|| {
        let larger = Arc::new(transport(
            config,
            config.loopback_payload_max,
            config.stream_window.min(LOOPBACK_WINDOW),
        ));
        let (mut client, mut server) = (client.clone(), server.clone());
        client.transport_config(Arc::clone(&larger));
        server.transport_config(larger);
        let server = Arc::new(server);
        Near { client, server }
    });

    let mut endpoint = EndpointConfig::default();
    // Smaller values than QUIC's minimum are raised to it.
    let mut payload = config.udp_payload_max.max(1_472);
    if near.is_some() {
        payload = payload.max(config.loopback_payload_max);
    }
    if endpoint.max_udp_payload_size(payload).is_err() {
        let value = u64::from(payload);
        return Err(BindError::Config {
            name: "udp_payload_max",
            value,
            max: 65_527,
        });
    }
    endpoint.rng_seed(config.seed);
    // Where packets do not come from the system, time may not either: its timers are left alone.
    let runtime: Arc<dyn Runtime> = match &config.socket {
        Some(_) => Arc::new(TokioRuntime),
        None => Arc::new(Together),
    };
    let unusable = |source| BindError::Socket {
        address: config.listen,
        source,
    };
    let socket = match &config.socket {
        Some(socket) => Arc::clone(&socket.0),
        None => {
            let socket = bind(config.listen).map_err(unusable)?;
            runtime.wrap_udp_socket(socket).map_err(unusable)?
        }
    };
    let mut endpoint =
        quinn::Endpoint::new_with_abstract_socket(endpoint, Some(server), socket, runtime)
            .map_err(unusable)?;
    endpoint.set_default_client_config(client);
    Ok((endpoint, near))
}

fn bind(listen: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(
        Domain::for_address(listen),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if listen.is_ipv6() {
        // One socket for both families, where the system allows it.
        let _ = socket.set_only_v6(false);
    }
    // As much as the system allows; less works too.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&listen.into())?;
    Ok(socket.into())
}

fn transport(config: &Config, payload_max: u16, stream_window: u32) -> TransportConfig {
    let mut transport = TransportConfig::default();
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(payload_max.max(1_200));
    transport
        // Each end opens one stream for its frames, and others when it is known.
        .max_concurrent_uni_streams(VarInt::from_u32(1))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        // What all streams may send together is less, until one wants more.
        .stream_receive_window(VarInt::from_u32(config.receive_window.max(stream_window)))
        .receive_window(VarInt::from_u32(config.receive_window))
        .send_window(u64::from(config.send_window))
        // Heartbeats only: they are small, and the newest matter.
        .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER))
        .datagram_send_buffer_size(DATAGRAM_BUFFER)
        .mtu_discovery_config(Some(discovery))
        .max_idle_timeout(IdleTimeout::try_from(config.idle_time).ok())
        .keep_alive_interval(Some(config.keep_alive_time));
    transport
}

/// Starts to connect; the name is the same for all.
pub(crate) fn connect(
    endpoint: &quinn::Endpoint,
    near: Option<&Near>,
    address: SocketAddr,
) -> Option<quinn::Connecting> {
    match near.filter(|_| Near::is(address)) {
        Some(near) => endpoint.connect_with(near.client.clone(), address, SERVER_NAME),
        None => endpoint.connect(address, SERVER_NAME),
    }
    .ok()
}

/// Lets in who connects.
pub(crate) fn accept(
    incoming: quinn::Incoming,
    near: Option<&Near>,
) -> Result<quinn::Connecting, quinn::ConnectionError> {
    match near.filter(|_| Near::is(incoming.remote_address())) {
        Some(near) => incoming.accept_with(Arc::clone(&near.server)),
        None => incoming.accept(),
    }
}

/// The key that TLS authenticated.
pub(crate) fn peer_key(connection: &quinn::Connection) -> Option<PublicKey> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    tls::key_of(chain.first()?)
}

/// Closes a connection at once, with the reason in the last packet.
pub(crate) fn close(connection: &quinn::Connection, disconnect: &Disconnect) {
    connection.close(CODE_DISCONNECT, &codec::encode(disconnect));
}

/// What the other end said when it closed the connection.
pub(crate) fn disconnect_in(error: &quinn::ConnectionError) -> Option<Disconnect> {
    match error {
        quinn::ConnectionError::ApplicationClosed(close) if close.error_code == CODE_DISCONNECT => {
            codec::decode(&close.reason).ok()
        }
        _ => None,
    }
}

/// Why a connection was lost, in plain words: nothing that a peer wrote gets in.
pub(crate) fn describe(error: &quinn::ConnectionError) -> &'static str {
    use quinn::ConnectionError as E;
    match error {
        E::VersionMismatch => "the other end speaks another version of QUIC",
        E::TransportError(_) => "the other end broke the QUIC protocol",
        E::ConnectionClosed(_) => "the other end's QUIC closed the connection",
        E::ApplicationClosed(_) => "the other end closed the connection without a reason",
        E::Reset => "the other end no longer knows the connection",
        E::TimedOut => "nothing came for too long",
        E::LocallyClosed => "this end closed the connection",
        E::CidsExhausted => "no connection ids are left",
    }
}
