//! What is taken for true of all that strangers store.

use std::time::Duration;

use bytes::Bytes;
use repute_base::{Address, Wall};
use repute_identity::NodeId;
use repute_protocol::{
    Envelope, EnvelopeKind, NetworkId, Payload,
    limits::{FUTURE_MAX, RECORD_MAX},
};

/// A record says where its subject listened; the next day it says little.
const AGE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Why something that was found is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unproven {
    #[error("no address record")]
    NoRecord,
    #[error("signed by another than the peer of the ticket")]
    OtherAuthor,
    #[error("of another network")]
    OtherNetwork,
    #[error("too old, or from the future")]
    NotFresh,
    #[error("the signature does not hold")]
    Forged,
}

/// Where `peer` says that it listens. Whoever holds the discovery key can store anything, but only
/// the peer's identity can sign this: cheap checks first, the signature last.
pub(super) fn addresses(
    value: Bytes,
    peer: NodeId,
    network: NetworkId,
    now: Wall,
) -> Result<Vec<Address>, Unproven> {
    if value.len() > RECORD_MAX {
        return Err(Unproven::NoRecord);
    }
    let envelope = Envelope::decode(value).map_err(|_| Unproven::NoRecord)?;
    if envelope.kind() != EnvelopeKind::AddressRecord {
        return Err(Unproven::NoRecord);
    }
    if envelope.author() != peer {
        return Err(Unproven::OtherAuthor);
    }
    if envelope.network() != network {
        return Err(Unproven::OtherNetwork);
    }
    let sent = envelope.sent();
    if sent > now + FUTURE_MAX || now.since(sent) > AGE_MAX {
        return Err(Unproven::NotFresh);
    }
    let envelope = envelope.verify().map_err(|_| Unproven::Forged)?;
    match Payload::decode(envelope.kind(), &envelope.payload()) {
        Ok(Payload::AddressRecord(record)) => Ok(record.addresses.into_vec()),
        _ => Err(Unproven::NoRecord),
    }
}

#[cfg(test)]
mod tests {
    use repute_base::BoundedVec;
    use repute_identity::Identity;
    use repute_protocol::{AddressRecord, Seq, Unsigned};

    use super::*;

    const NOW: Wall = Wall::from_millis(1_800_000_000_000);

    fn unsigned(network: &str, sent: Wall) -> Unsigned {
        let addresses = BoundedVec::truncated(["192.0.2.1:7000".parse().unwrap()]);
        Unsigned {
            network: NetworkId::from_name(network),
            kind: EnvelopeKind::AddressRecord,
            seq: Seq {
                start: 1,
                counter: 1,
            },
            sent,
            payload: Payload::AddressRecord(AddressRecord { addresses }).encode(),
        }
    }

    fn signed(seed: u64, unsigned: &Unsigned) -> Bytes {
        unsigned.sign(&Identity::from_seed(seed)).wire().clone()
    }

    fn judged(value: Bytes) -> Result<Vec<Address>, Unproven> {
        let peer = Identity::from_seed(1).id();
        addresses(value, peer, NetworkId::from_name("here"), NOW)
    }

    #[test]
    fn only_what_the_peers_own_identity_signed_lately_for_this_network_is_believed() {
        let good = unsigned("here", NOW);
        let there: Address = "192.0.2.1:7000".parse().unwrap();
        assert_eq!(judged(signed(1, &good)), Ok(vec![there]));
        assert_eq!(judged(signed(2, &good)), Err(Unproven::OtherAuthor));
        let elsewhere = signed(1, &unsigned("there", NOW));
        assert_eq!(judged(elsewhere), Err(Unproven::OtherNetwork));
        let edge = Wall::from_millis(NOW.as_millis() - 24 * 3_600_000);
        assert!(judged(signed(1, &unsigned("here", edge))).is_ok());
        let old = Wall::from_millis(edge.as_millis() - 1);
        assert_eq!(
            judged(signed(1, &unsigned("here", old))),
            Err(Unproven::NotFresh)
        );
        assert!(judged(signed(1, &unsigned("here", NOW + FUTURE_MAX))).is_ok());
        let ahead = NOW + FUTURE_MAX + Duration::from_millis(1);
        assert_eq!(
            judged(signed(1, &unsigned("here", ahead))),
            Err(Unproven::NotFresh)
        );
    }

    #[test]
    fn every_altered_byte_and_all_else_is_refused_without_a_panic() {
        let good = signed(1, &unsigned("here", NOW));
        for at in 0..good.len() {
            let mut bytes = good.to_vec();
            bytes[at] ^= 1;
            assert!(judged(bytes.into()).is_err(), "byte {at}");
            assert!(judged(good.slice(..at)).is_err(), "cut at {at}");
        }
        let mut message = unsigned("here", NOW);
        message.kind = EnvelopeKind::Message;
        assert_eq!(judged(signed(1, &message)), Err(Unproven::NoRecord));
        let mut garbage = unsigned("here", NOW);
        garbage.payload = vec![0xff; 9];
        assert_eq!(judged(signed(1, &garbage)), Err(Unproven::NoRecord));
        assert_eq!(judged(vec![0; 1_000].into()), Err(Unproven::NoRecord));
        assert_eq!(judged(Bytes::new()), Err(Unproven::NoRecord));
    }
}
