//! A QUIC client below the transport: it does what no honest node does.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use repute_identity::{Identity, SecretKey};
use repute_protocol::{Frame, Handshake, VERSION};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};

use super::{Node, template};

/// How a client differs from an honest one.
pub struct Client {
    pub secret: SecretKey,
    pub alpn: &'static [u8],
    /// Presents a certificate instead of a raw key.
    pub x509: bool,
    /// Takes datagrams.
    pub datagrams: bool,
    /// Presents this key, whatever it signs with.
    pub spki: Option<Vec<u8>>,
}

impl Client {
    pub fn of(identity: &Identity) -> Self {
        let secret = identity.secret().clone();
        Self {
            secret,
            alpn: b"repute/1",
            x509: false,
            datagrams: true,
            spki: None,
        }
    }

    pub async fn connect(&self, to: &Node) -> Result<quinn::Connection, quinn::ConnectionError> {
        let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let tls = QuicClientConfig::try_from(self.tls()).unwrap();
        let mut config = quinn::ClientConfig::new(Arc::new(tls));
        if !self.datagrams {
            let mut transport = quinn::TransportConfig::default();
            transport.datagram_receive_buffer_size(None);
            config.transport_config(Arc::new(transport));
        }
        endpoint.set_default_client_config(config);
        endpoint
            .connect(to.endpoint.local_addr(), "raw")
            .unwrap()
            .await
    }

    fn tls(&self) -> rustls::ClientConfig {
        let certified = certified(&self.secret, self.spki.clone());
        let builder = rustls::ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer));
        let mut config = if self.x509 {
            builder.with_client_cert_resolver(Arc::new(Certificate(certified)))
        } else {
            builder.with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                certified,
            )))
        };
        config.alpn_protocols = vec![self.alpn.to_vec()];
        config
    }
}

fn certified(secret: &SecretKey, spki: Option<Vec<u8>>) -> Arc<CertifiedKey> {
    let mut pkcs8 = vec![
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    pkcs8.extend_from_slice(secret.expose());
    let key = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8)).unwrap();
    let spki = spki.unwrap_or_else(|| key.public_key().unwrap().to_vec());
    Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], key))
}

/// The other end of a dial: it takes whoever comes, and says what the test has it say.
pub fn server(identity: &Identity) -> quinn::Endpoint {
    let certified = certified(identity.secret(), None);
    let mut tls = rustls::ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(AnyClient))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified)));
    tls.alpn_protocols = vec![b"repute/1".to_vec()];
    let tls = QuicServerConfig::try_from(tls).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    quinn::Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap()
}

/// A connection with its stream open, before any handshake.
pub async fn open(identity: &Identity, to: &Node) -> (quinn::Connection, quinn::SendStream) {
    let connection = Client::of(identity).connect(to).await.unwrap();
    let send = connection.open_uni().await.unwrap();
    (connection, send)
}

/// The same, admitted.
pub async fn admitted(
    identity: &Identity,
    to: &mut Node,
) -> (quinn::Connection, quinn::SendStream) {
    let (connection, mut send) = open(identity, to).await;
    send.write_all(&Frame::Handshake(handshake(identity)).encode())
        .await
        .unwrap();
    assert_eq!(to.up().await, identity.id());
    (connection, send)
}

pub fn handshake(identity: &Identity) -> Handshake {
    Handshake {
        version_min: VERSION,
        version_max: VERSION,
        network: template("test").network,
        inception: *identity.inception(),
        capabilities: Default::default(),
        listen: Default::default(),
        wall: 0,
        agent: Default::default(),
    }
}

/// Offers its key as if it were a certificate.
#[derive(Debug)]
struct Certificate(Arc<CertifiedKey>);

impl rustls::client::ResolvesClientCert for Certificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct AnyClient;

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
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
