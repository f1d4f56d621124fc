//! Mutual-TLS Ed25519 endpoint configs for quinn: self-signed X.509 (rcgen) or raw public keys (RFC 7250).
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring as prov, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::sync::Arc;

/// Admits whoever proves a key.
#[derive(Debug)]
pub struct AnyPeer {
    algs: WebPkiSupportedAlgorithms,
    raw: bool,
}
impl AnyPeer {
    fn check(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.raw {
            verify_tls13_signature_with_raw_key(
                m,
                &SubjectPublicKeyInfoDer::from(c.as_ref()),
                d,
                &self.algs,
            )
        } else {
            verify_tls13_signature(m, c, d, &self.algs)
        }
    }
}
impl ServerCertVerifier for AnyPeer {
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
        Err(Error::General("tls1.2".into()))
    }
    fn verify_tls13_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check(m, c, d)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
    fn requires_raw_public_keys(&self) -> bool {
        self.raw
    }
}
impl ClientCertVerifier for AnyPeer {
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
        Err(Error::General("tls1.2".into()))
    }
    fn verify_tls13_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check(m, c, d)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
    fn requires_raw_public_keys(&self) -> bool {
        self.raw
    }
}

/// ring, as it comes.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(prov::default_provider())
}

/// Crypto of one new identity, as a server and as a client.
pub fn configs(
    raw: bool,
    tickets: bool,
    alpn: &[u8],
) -> (
    quinn::crypto::rustls::QuicServerConfig,
    quinn::crypto::rustls::QuicClientConfig,
) {
    let kp = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let key = || PrivateKeyDer::try_from(kp.serialize_der()).unwrap();
    let p = provider();
    let v = || {
        Arc::new(AnyPeer {
            algs: p.signature_verification_algorithms,
            raw,
        })
    };
    let sb = rustls::ServerConfig::builder_with_provider(p.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(v());
    let cb = rustls::ClientConfig::builder_with_provider(p.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(v());
    let (mut s, mut c) = if raw {
        use rustls::client::AlwaysResolvesClientRawPublicKeys as C;
        use rustls::server::AlwaysResolvesServerRawPublicKeys as S;
        let sk = p.key_provider.load_private_key(key()).unwrap();
        let spki = sk.public_key().unwrap().into_owned();
        let ck = Arc::new(rustls::sign::CertifiedKey::new(
            vec![CertificateDer::from(spki.to_vec())],
            sk,
        ));
        (
            sb.with_cert_resolver(Arc::new(S::new(ck.clone()))),
            cb.with_client_cert_resolver(Arc::new(C::new(ck))),
        )
    } else {
        let cert = rcgen::CertificateParams::new(vec!["node".to_string()])
            .unwrap()
            .self_signed(&kp)
            .unwrap();
        let chain = vec![cert.der().clone()];
        (
            sb.with_single_cert(chain.clone(), key()).unwrap(),
            cb.with_client_auth_cert(chain, key()).unwrap(),
        )
    };
    if !tickets {
        s.send_tls13_tickets = 0;
        c.resumption = rustls::client::Resumption::disabled();
    }
    s.alpn_protocols = vec![alpn.to_vec()];
    c.alpn_protocols = vec![alpn.to_vec()];
    (s.try_into().unwrap(), c.try_into().unwrap())
}

/// Transport parameters: "default" = quinn's; "bigwin" = 64 MiB windows; "mtu9k"/"mtu64k" = bigwin with larger datagrams
pub fn transport(cfg: &str) -> Arc<quinn::TransportConfig> {
    let mut t = quinn::TransportConfig::default();
    if cfg != "default" {
        t.stream_receive_window((64u32 << 20).into())
            .receive_window((64u32 << 20).into())
            .send_window(64 << 20);
    }
    let up = match cfg {
        "mtu9k" => 8952,
        "mtu64k" => 65_000,
        _ => 0,
    };
    if up > 0 {
        t.initial_mtu(up).min_mtu(1200);
        let mut m = quinn::MtuDiscoveryConfig::default();
        m.upper_bound(up);
        t.mtu_discovery_config(Some(m));
    }
    Arc::new(t)
}

/// A server and a client on loopback, each with a key of its own.
pub fn endpoint_pair(raw: bool, cfg: &str) -> anyhow::Result<(quinn::Endpoint, quinn::Endpoint)> {
    endpoint_pair_for(raw, cfg, b"anchor")
}

/// As [`endpoint_pair`], for this application protocol.
pub fn endpoint_pair_for(
    raw: bool,
    cfg: &str,
    alpn: &[u8],
) -> anyhow::Result<(quinn::Endpoint, quinn::Endpoint)> {
    let (s, _) = configs(raw, false, alpn);
    let (_, c) = configs(raw, false, alpn);
    let mut sc = quinn::ServerConfig::with_crypto(Arc::new(s));
    sc.transport_config(transport(cfg));
    let mut cc = quinn::ClientConfig::new(Arc::new(c));
    cc.transport_config(transport(cfg));
    let mut ec = quinn::EndpointConfig::default();
    if cfg.starts_with("mtu") {
        ec.max_udp_payload_size(65_000)?;
    }
    let mk = |sc: Option<quinn::ServerConfig>| -> anyhow::Result<quinn::Endpoint> {
        let sock = std::net::UdpSocket::bind("127.0.0.1:0")?;
        Ok(quinn::Endpoint::new(
            ec.clone(),
            sc,
            sock,
            Arc::new(quinn::TokioRuntime),
        )?)
    };
    let server = mk(Some(sc))?;
    let mut client = mk(None)?;
    client.set_default_client_config(cc);
    Ok((server, client))
}
