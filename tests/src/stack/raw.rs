//! A QUIC client below the transport: it does what no honest peer does.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use quinn::crypto::rustls::QuicClientConfig;
use repute_identity::Identity;
use repute_protocol::{Frame, Handshake, HandshakeAck, NetworkId, VERSION};
use repute_transport::Datagrams;
use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    sign::CertifiedKey,
};

use super::{Cluster, Gapped, VirtualNet, net::VirtualSocket};

/// One address from which raw connections are made.
#[derive(Debug)]
pub struct RawClient {
    identity: Identity,
    endpoint: quinn::Endpoint,
}

impl RawClient {
    /// The client of this number, at `address`. If `gapped`, every second packet of what it
    /// streams arrives without its contents.
    pub fn new(net: &VirtualNet, number: u64, address: SocketAddr, gapped: bool) -> Self {
        let identity = Identity::from_seed(u64::MAX / 2 - number);
        let mut config = quinn::EndpointConfig::default();
        let mut seed = [9; 32];
        for (place, byte) in seed.iter_mut().zip(number.to_be_bytes()) {
            *place = byte;
        }
        config.rng_seed(Some(seed));
        let socket = Arc::new(QuicSocket(net.bare_socket(address)));
        let runtime = Arc::new(quinn::TokioRuntime);
        let mut endpoint = quinn::Endpoint::new_with_abstract_socket(config, None, socket, runtime)
            .expect("a socket in memory does not fail");
        let tls = QuicClientConfig::try_from(tls(&identity)).expect("TLS 1.3 with a suite of QUIC");
        let mut client = if gapped {
            quinn::ClientConfig::new(Arc::new(Gapped::new(tls)))
        } else {
            quinn::ClientConfig::new(Arc::new(tls))
        };
        let mut transport = quinn::TransportConfig::default();
        transport.max_idle_timeout(None);
        client.transport_config(Arc::new(transport));
        endpoint.set_default_client_config(client);
        Self { identity, endpoint }
    }

    /// Begins a connection; whether it gets anywhere shows when this is awaited.
    pub fn connect(&self, to: SocketAddr) -> Option<quinn::Connecting> {
        self.endpoint.connect(to, "raw").ok()
    }

    /// What lets an honest peer in, after its handshake.
    pub fn ack(&self) -> Vec<u8> {
        let observed = SocketAddr::from(([10, 0, 0, 1], 4_000)).into();
        let ack = HandshakeAck {
            observed,
            peers: Default::default(),
        };
        Frame::HandshakeAck(ack).encode().to_vec()
    }

    /// The first frame of an honest peer.
    pub fn handshake(&self) -> Vec<u8> {
        let handshake = Handshake {
            version_min: VERSION,
            version_max: VERSION,
            network: NetworkId::from_name(Cluster::NETWORK),
            inception: *self.identity.inception(),
            capabilities: Default::default(),
            listen: Default::default(),
            wall: 0,
            agent: Default::default(),
        };
        Frame::Handshake(handshake).encode().to_vec()
    }
}

/// Makes first packets of connections that are never gone on with, one for a few microseconds.
pub struct Initials {
    endpoint: quinn_proto::Endpoint,
    client: quinn_proto::ClientConfig,
}

impl Initials {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        let config = Arc::new(quinn_proto::EndpointConfig::default());
        let mut rng_seed = [3; 32];
        for (place, byte) in rng_seed.iter_mut().zip(seed.to_be_bytes()) {
            *place = byte;
        }
        let identity = Identity::from_seed(seed);
        let tls = QuicClientConfig::try_from(tls(&identity)).expect("TLS 1.3 with a suite of QUIC");
        Self {
            endpoint: quinn_proto::Endpoint::new(config, None, false, Some(rng_seed)),
            client: quinn_proto::ClientConfig::new(Arc::new(tls)),
        }
    }

    /// The first packet of a new connection.
    pub fn packet(&mut self, to: SocketAddr) -> Vec<u8> {
        let now = tokio::time::Instant::now().into_std();
        let client = self.client.clone();
        let mut packet = Vec::with_capacity(1_500);
        if let Ok((handle, mut connection)) = self.endpoint.connect(now, client, to, "raw") {
            // One datagram; nothing is sent if there is none.
            let _ = connection.poll_transmit(now, 1, &mut packet);
            self.endpoint
                .handle_event(handle, quinn_proto::EndpointEvent::drained());
        }
        packet
    }
}

impl fmt::Debug for Initials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Initials(..)")
    }
}

fn tls(identity: &Identity) -> rustls::ClientConfig {
    /// What stands before the 32 bytes of an Ed25519 key in PKCS #8.
    const PKCS8: [u8; 16] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let pkcs8 = [&PKCS8[..], identity.secret().expose()].concat();
    let key = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8)).expect("Ed25519");
    let spki = key.public_key().expect("Ed25519 has one").to_vec();
    let certified = CertifiedKey::new(vec![CertificateDer::from(spki)], key);
    let mut config = rustls::ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider knows TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::new(
            certified,
        ))));
    config.alpn_protocols = vec![b"repute/1".to_vec()];
    config
}

/// Whoever answers will do.
#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("no TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// A socket of the virtual network as quinn wants it.
struct QuicSocket(VirtualSocket);

impl fmt::Debug for QuicSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl quinn::AsyncUdpSocket for QuicSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn quinn::UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &quinn::udp::Transmit<'_>) -> io::Result<()> {
        self.0.send(transmit.destination, transmit.contents)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [io::IoSliceMut<'_>],
        meta: &mut [quinn::udp::RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (buffers.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        let received = self.0.poll_receive(context, buffer);
        received.map_ok(|(len, addr)| {
            *meta = quinn::udp::RecvMeta {
                addr,
                len,
                stride: len,
                ecn: None,
                dst_ip: None,
            };
            1
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[derive(Debug)]
struct AlwaysWritable;

impl quinn::UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
