use core::hash::{BuildHasher, Hasher};

use repute_base::Rng;

/// A fast keyed hasher for keys that are hashes already. The key keeps authors from choosing ids
/// that collide; tables that use it are never iterated, so the key is not behaviour.
#[derive(Clone, Debug)]
pub(crate) struct Keyed(u64);

impl Keyed {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        // An odd factor loses no bits.
        Self(rng.next_u64() | 1)
    }
}

impl BuildHasher for Keyed {
    type Hasher = KeyedHasher;
    fn build_hasher(&self) -> KeyedHasher {
        KeyedHasher {
            key: self.0,
            state: self.0,
        }
    }
}

#[derive(Debug)]
pub(crate) struct KeyedHasher {
    key: u64,
    state: u64,
}

impl KeyedHasher {
    fn mix(&mut self, word: u64) {
        let wide = u128::from(self.state ^ word) * u128::from(self.key);
        self.state = (wide as u64) ^ ((wide >> 64) as u64);
    }
}

impl Hasher for KeyedHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0u8; 8];
            for (place, byte) in word.iter_mut().zip(rest) {
                *place = *byte;
            }
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

/// A table that is looked into, never walked through.
pub(crate) type Table<K, V> = hashbrown::HashMap<K, V, Keyed>;
