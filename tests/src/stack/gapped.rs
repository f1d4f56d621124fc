//! QUIC whose every second full packet arrives without what it carried.
//!
//! The packet is sealed and acknowledged, so that its sender thinks it delivered; only the frames
//! in it are gone. A stream sent so has a hole after every fragment and can never be read on, while
//! the receiver must keep what came behind the holes.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::BytesMut;
use quinn_proto::{
    ConnectError, ConnectionId, Side, TransportError,
    crypto::{
        ClientConfig, CryptoError, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey,
        Session, rustls::QuicClientConfig,
    },
    transport_parameters::TransportParameters,
};

/// Packets with less in them are left alone: handshakes and acknowledgements.
const FULL: usize = 1_000;
/// A frame that only wants an answer; and one that is nothing at all.
const PING: u8 = 0x01;
const PADDING: u8 = 0x00;

/// A client whose stream has holes; see the module.
pub struct Gapped(Arc<QuicClientConfig>);

impl Gapped {
    /// Connects as `honest` would.
    pub fn new(honest: QuicClientConfig) -> Self {
        Self(Arc::new(honest))
    }
}

impl ClientConfig for Gapped {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let honest = Arc::clone(&self.0).start_session(version, server_name, params)?;
        Ok(Box::new(GappedSession(honest)))
    }
}

struct GappedSession(Box<dyn Session>);

impl Session for GappedSession {
    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.0.initial_keys(dst_cid, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.0.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.0.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.0.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.0.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        self.0.read_handshake(buf)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.0.transport_parameters()
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let Keys { header, packet } = self.0.write_handshake(buf)?;
        Some(Keys {
            header,
            packet: gap(packet),
        })
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.0.next_1rtt_keys().map(gap)
    }

    fn is_valid_retry(&self, orig_dst_cid: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.0.is_valid_retry(orig_dst_cid, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.0.export_keying_material(output, label, context)
    }
}

fn gap(keys: KeyPair<Box<dyn PacketKey>>) -> KeyPair<Box<dyn PacketKey>> {
    KeyPair {
        local: Box::new(GappedKey {
            key: keys.local,
            hollow: AtomicBool::new(false),
        }),
        remote: keys.remote,
    }
}

struct GappedKey {
    key: Box<dyn PacketKey>,
    /// Whether the next full packet goes without its frames.
    hollow: AtomicBool,
}

impl PacketKey for GappedKey {
    fn encrypt(&self, packet: u64, buf: &mut [u8], header_len: usize) {
        if buf.len() >= FULL && self.hollow.fetch_xor(true, Ordering::Relaxed) {
            let end = buf.len().saturating_sub(self.key.tag_len());
            if let Some(frames) = buf.get_mut(header_len..end) {
                frames.fill(PADDING);
                if let Some(first) = frames.first_mut() {
                    *first = PING;
                }
            }
        }
        self.key.encrypt(packet, buf, header_len);
    }

    fn decrypt(
        &self,
        packet: u64,
        header: &[u8],
        payload: &mut BytesMut,
    ) -> Result<(), CryptoError> {
        self.key.decrypt(packet, header, payload)
    }

    fn tag_len(&self) -> usize {
        self.key.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.key.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.key.integrity_limit()
    }
}
