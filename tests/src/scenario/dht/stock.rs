use repute_base::{Address, BoundedVec, Rng};
use repute_identity::NodeId;
use repute_protocol::Contact;

/// Everybody there is, in the order of their ids: what the tables of a network that has stood for
/// long are filled from.
#[derive(Clone, Debug, Default)]
pub(super) struct Stock {
    all: Vec<(NodeId, Address)>,
}

impl Stock {
    pub(super) fn new(mut all: Vec<(NodeId, Address)>) -> Self {
        all.sort_unstable();
        Self { all }
    }

    /// A full table of one node: of those that share exactly so many bits of its id, k at random,
    /// for every number of bits.
    pub(super) fn table(&self, me: &NodeId, k: usize, rng: &mut Rng) -> Vec<Contact> {
        let mut contacts = Vec::new();
        let mut range = 0..self.all.len();
        for bit in 0..256 {
            // The ids that share the first bits lie together; the next bit parts them.
            let around = self.all.get(range.clone()).unwrap_or_default();
            let ones = range.start + around.partition_point(|(id, _)| !has_bit(id, bit));
            let (mine, theirs) = if has_bit(me, bit) {
                (ones..range.end, range.start..ones)
            } else {
                (range.start..ones, ones..range.end)
            };
            let bucket = self.all.get(theirs).unwrap_or_default();
            let chosen = rng.sample(bucket, k);
            contacts.extend(chosen.into_iter().map(|(id, address)| contact(id, address)));
            range = mine;
            if range.len() <= 1 {
                break;
            }
        }
        contacts
    }
}

pub(super) fn contact(id: NodeId, address: Address) -> Contact {
    Contact {
        id,
        addresses: BoundedVec::truncated([address]),
    }
}

fn has_bit(id: &NodeId, bit: usize) -> bool {
    let byte = id.as_bytes().get(bit / 8).copied().unwrap_or(0);
    byte >> (7 - bit % 8) & 1 == 1
}

/// How far an id is from a place; less is closer.
pub(super) fn distance(id: &NodeId, place: &[u8; 32]) -> [u8; 32] {
    let mut xor = *id.as_bytes();
    xor.iter_mut().zip(place).for_each(|(a, b)| *a ^= b);
    xor
}

/// A random id that shares its first bits with a place.
pub(super) fn id_near(place: &[u8; 32], bits: usize, rng: &mut Rng) -> NodeId {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    for (nth, (byte, near)) in bytes.iter_mut().zip(place).enumerate() {
        let shared = bits.saturating_sub(nth * 8).min(8);
        let mask = u8::try_from(0xff00_u16 >> shared & 0xff).unwrap_or(0xff);
        *byte = (near & mask) | (*byte & !mask);
    }
    NodeId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_has_all_that_are_near_and_k_of_those_that_are_far() {
        let mut rng = Rng::from_u64(1);
        let all: Vec<(NodeId, Address)> = (0..1_000)
            .map(|n| {
                let port = 1_024 + n;
                let address = Address::new(([1, 2, 3, 4], port).into());
                (id_near(&[0; 32], 0, &mut rng), address)
            })
            .collect();
        let me = all[0].0;
        let mut others: Vec<NodeId> = all[1..].iter().map(|(id, _)| *id).collect();
        let table = Stock::new(all).table(&me, 20, &mut rng);
        let far = |contact: &&Contact| has_bit(&contact.id, 0) != has_bit(&me, 0);
        assert_eq!(table.iter().filter(far).count(), 20);
        others.sort_unstable_by_key(|id| distance(id, me.as_bytes()));
        for near in &others[..10] {
            assert!(table.iter().any(|contact| contact.id == *near));
        }
        assert!(table.iter().all(|contact| contact.id != me));
    }

    #[test]
    fn an_id_near_a_place_shares_as_many_bits_as_asked_for() {
        let mut rng = Rng::from_u64(2);
        for bits in [0, 1, 7, 8, 9, 31, 256] {
            let id = id_near(&[0xa5; 32], bits, &mut rng);
            let shared = (0..256).take_while(|bit| {
                has_bit(&id, *bit) == has_bit(&NodeId::from_bytes([0xa5; 32]), *bit)
            });
            assert!(shared.count() >= bits);
        }
    }
}
