use alloc::collections::{BTreeMap, btree_map};

/// A bounded map that forgets its oldest entry first, so that memory never grows with traffic.
///
/// An entry is as old as its last [`insert`](Self::insert) or [`touch`](Self::touch): with
/// `insert` alone the map is first in, first out; with `touch` on use it is least recently used.
/// Every operation is O(log n) and iteration runs from the oldest to the newest, the same on every
/// machine. Memory: at most `capacity` entries, each key held twice.
///
/// ```
/// use repute_base::RecentMap;
///
/// let mut seen = RecentMap::new(2);
/// assert_eq!(seen.insert("a", 1), None);
/// assert_eq!(seen.insert("b", 2), None);
/// // Full: the oldest leaves.
/// assert_eq!(seen.insert("c", 3), Some(("a", 1)));
/// assert!(seen.contains(&"b") && !seen.contains(&"a"));
/// ```
#[derive(Clone, Debug)]
pub struct RecentMap<K, V> {
    capacity: usize,
    /// Grows by one with every insertion; 2⁶⁴ of them do not happen.
    next: u64,
    entries: BTreeMap<K, (u64, V)>,
    order: BTreeMap<u64, K>,
}

impl<K: Ord + Clone, V> RecentMap<K, V> {
    /// An empty map for at most `capacity` entries; nothing is allocated yet.
    pub const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            next: 0,
            entries: BTreeMap::new(),
            order: BTreeMap::new(),
        }
    }

    /// How many entries fit.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the next new key pushes the oldest out.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= self.capacity
    }

    /// Whether `key` is there.
    pub fn contains(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// The value of `key`; its age does not change.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The value of `key`, to be changed; its age does not change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// Puts `key` in as the newest entry and returns what had to leave for it: the former entry of
    /// the same key, or the oldest one when the map is full. With a capacity of zero the new entry
    /// itself comes back.
    pub fn insert(&mut self, key: K, value: V) -> Option<(K, V)> {
        let leaves = match self.remove(&key) {
            Some(former) => Some((key.clone(), former)),
            None if self.capacity == 0 => return Some((key, value)),
            None if self.is_full() => self.pop_oldest(),
            None => None,
        };
        let at = self.tick();
        self.order.insert(at, key.clone());
        self.entries.insert(key, (at, value));
        leaves
    }

    /// Makes `key` the newest entry; false if it is not there.
    pub fn touch(&mut self, key: &K) -> bool {
        let at = self.tick();
        let Some((age, _)) = self.entries.get_mut(key) else {
            return false;
        };
        let former = core::mem::replace(age, at);
        if let Some(key) = self.order.remove(&former) {
            self.order.insert(at, key);
        }
        true
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (age, value) = self.entries.remove(key)?;
        self.order.remove(&age);
        Some(value)
    }

    /// The entry that leaves next.
    pub fn oldest(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// Takes out the entry that would leave next.
    pub fn pop_oldest(&mut self) -> Option<(K, V)> {
        let (_, key) = self.order.pop_first()?;
        let (_, value) = self.entries.remove(&key)?;
        Some((key, value))
    }

    /// Keeps the entries that `keep` wants, asking from the oldest to the newest.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        let entries = &mut self.entries;
        self.order.retain(|_, key| {
            let stays = entries
                .get_mut(key)
                .is_some_and(|(_, value)| keep(key, value));
            if !stays {
                entries.remove(key);
            }
            stays
        });
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
    }

    /// The entries from the oldest to the newest.
    pub fn iter(&self) -> RecentIter<'_, K, V> {
        RecentIter {
            order: self.order.iter(),
            entries: &self.entries,
        }
    }

    /// The keys from the oldest to the newest.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.order.values()
    }

    fn tick(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }
}

impl<'a, K: Ord + Clone, V> IntoIterator for &'a RecentMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = RecentIter<'a, K, V>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The entries of a [`RecentMap`], from the oldest to the newest, or backwards.
#[derive(Clone, Debug)]
pub struct RecentIter<'a, K, V> {
    order: btree_map::Iter<'a, u64, K>,
    entries: &'a BTreeMap<K, (u64, V)>,
}

impl<'a, K: Ord, V> Iterator for RecentIter<'a, K, V> {
    type Item = (&'a K, &'a V);
    fn next(&mut self) -> Option<Self::Item> {
        let (_, key) = self.order.next()?;
        self.entries.get(key).map(|(_, value)| (key, value))
    }
}

impl<K: Ord, V> DoubleEndedIterator for RecentIter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (_, key) = self.order.next_back()?;
        self.entries.get(key).map(|(_, value)| (key, value))
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    #[test]
    fn a_full_map_forgets_its_oldest_entry() {
        let mut map = RecentMap::new(3);
        for key in 0..1_000u32 {
            let leaves = map.insert(key, key * 2);
            assert_eq!(leaves, key.checked_sub(3).map(|old| (old, old * 2)));
            assert!(map.len() <= 3);
        }
        assert_eq!(map.keys().copied().collect::<Vec<_>>(), [997, 998, 999]);
    }

    #[test]
    fn insertion_of_a_known_key_replaces_and_renews_it() {
        let mut map = RecentMap::new(2);
        map.insert("a", 1);
        map.insert("b", 2);
        assert_eq!(map.insert("a", 3), Some(("a", 1)));
        assert_eq!(map.insert("c", 4), Some(("b", 2)));
        assert_eq!(map.iter().collect::<Vec<_>>(), vec![(&"a", &3), (&"c", &4)]);
    }

    #[test]
    fn a_touched_entry_outlives_an_older_one_but_reading_does_not_renew() {
        let mut map = RecentMap::new(2);
        map.insert("a", 1);
        map.insert("b", 2);
        assert!(map.touch(&"a") && !map.touch(&"z"));
        assert_eq!(map.get(&"b"), Some(&2));
        assert_eq!(map.insert("c", 3), Some(("b", 2)));
    }

    #[test]
    fn a_map_without_capacity_holds_nothing() {
        let mut map = RecentMap::new(0);
        assert_eq!(map.insert(1, 1), Some((1, 1)));
        assert!(map.is_empty() && map.is_full());
    }

    proptest::proptest! {
        #[test]
        fn it_behaves_like_a_list_of_pairs(
            capacity in 0usize..6,
            steps in proptest::collection::vec((0u8..5, 0u8..8, 0u16..100), 0..200),
        ) {
            let mut map = RecentMap::new(capacity);
            let mut list: Vec<(u8, u16)> = Vec::new();
            for (step, key, value) in steps {
                let at = list.iter().position(|(k, _)| *k == key);
                match step {
                    0..=1 => {
                        let expected = match at {
                            Some(at) => Some(list.remove(at)),
                            None if capacity == 0 => Some((key, value)),
                            None if list.len() == capacity => Some(list.remove(0)),
                            None => None,
                        };
                        if capacity > 0 {
                            list.push((key, value));
                        }
                        assert_eq!(map.insert(key, value), expected);
                    }
                    2 => assert_eq!(map.remove(&key), at.map(|at| list.remove(at).1)),
                    3 => {
                        assert_eq!(map.touch(&key), at.is_some());
                        if let Some(at) = at {
                            let entry = list.remove(at);
                            list.push(entry);
                        }
                    }
                    _ => {
                        map.retain(|_, v| *v % 7 != value % 7);
                        list.retain(|(_, v)| *v % 7 != value % 7);
                    }
                }
                assert_eq!(map.len(), list.len());
                assert_eq!(map.entries.len(), map.order.len());
                assert_eq!(map.oldest().map(|(k, v)| (*k, *v)), list.first().copied());
                assert!(map.iter().map(|(k, v)| (*k, *v)).eq(list.iter().copied()));
                assert!(map.iter().rev().map(|(k, _)| *k).eq(list.iter().rev().map(|e| e.0)));
            }
        }
    }
}
