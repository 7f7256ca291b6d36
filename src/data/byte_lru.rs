//! A map bounded by bytes that forgets what was not used for longest.

use std::hash::Hash;

use lru::LruCache;

/// What an entry costs besides its value: links, key, hash slot. An estimate, so that many tiny values
/// cannot outgrow the limit.
const ENTRY_OVERHEAD: usize = 128;

/// Entries whose weights (plus overhead) never add up to more than the limit.
pub(super) struct ByteLru<K: Hash + Eq, V> {
    entries: LruCache<K, (V, usize)>,
    bytes: usize,
    limit: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> ByteLru<K, V> {
    /// An empty map of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { entries: LruCache::unbounded(), bytes: 0, limit }
    }

    /// The value, which counts as used now.
    pub fn get(&mut self, key: &K) -> Option<V> {
        self.entries.get(key).map(|(value, _)| value.clone())
    }

    /// The value, without counting as a use.
    pub fn peek(&self, key: &K) -> Option<V> {
        self.entries.peek(key).map(|(value, _)| value.clone())
    }

    /// The value is the next to go.
    pub fn demote(&mut self, key: &K) {
        self.entries.demote(key);
    }

    /// Keeps a value of `weight` bytes, unless it alone is too large.
    pub fn insert(&mut self, key: K, value: V, weight: usize) {
        let weight = weight + ENTRY_OVERHEAD;
        if weight > self.limit {
            return;
        }
        if let Some((_, old)) = self.entries.put(key, (value, weight)) {
            self.bytes -= old;
        }
        self.bytes += weight;
        self.shrink_to(self.limit);
    }

    /// Forgets what was not used for longest until no more than `bytes` are held.
    pub fn shrink_to(&mut self, bytes: usize) {
        while self.bytes > bytes
            && let Some((_, (_, old))) = self.entries.pop_lru()
        {
            self.bytes -= old;
        }
    }

    /// Forgets one entry; returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (value, weight) = self.entries.pop(key)?;
        self.bytes -= weight;
        Some(value)
    }

    /// Forgets every entry whose key matches. Walks the whole map.
    pub fn remove_all(&mut self, matches: impl Fn(&K) -> bool) {
        let keys: Vec<K> =
            self.entries.iter().map(|(key, _)| key).filter(|key| matches(key)).cloned().collect();
        for key in &keys {
            self.remove(key);
        }
    }

    /// Weights of all entries, with overhead.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_and_the_oldest_goes_first() {
        let mut lru = ByteLru::new(3 * (100 + ENTRY_OVERHEAD));
        for key in 0..3 {
            lru.insert(key, key, 100);
        }
        assert_eq!(lru.get(&0), Some(0));
        lru.insert(3, 3, 100);
        assert_eq!((lru.peek(&0), lru.peek(&1), lru.peek(&3)), (Some(0), None, Some(3)));
        assert_eq!(lru.bytes(), 3 * (100 + ENTRY_OVERHEAD));
        lru.insert(3, 4, 1);
        assert_eq!(lru.bytes(), 2 * (100 + ENTRY_OVERHEAD) + 1 + ENTRY_OVERHEAD);
    }

    #[test]
    fn what_is_demoted_goes_before_what_is_older() {
        let mut lru = ByteLru::new(3 * (100 + ENTRY_OVERHEAD));
        for key in 0..3 {
            lru.insert(key, key, 100);
        }
        lru.demote(&2);
        lru.demote(&7);
        lru.insert(3, 3, 100);
        assert_eq!([0, 1, 2, 3].map(|key| lru.peek(&key)), [Some(0), Some(1), None, Some(3)]);
    }

    #[test]
    fn a_value_beyond_the_limit_is_not_kept_and_displaces_nothing() {
        let mut lru = ByteLru::new(1000);
        lru.insert(0, 0, 100);
        lru.insert(1, 1, 1000);
        assert_eq!((lru.peek(&0), lru.peek(&1)), (Some(0), None));
    }

    #[test]
    fn removing_gives_the_bytes_back() {
        let mut lru = ByteLru::new(10_000);
        for key in 0..10 {
            lru.insert(key, key, 10);
        }
        lru.remove_all(|key| key % 2 == 0);
        assert_eq!(lru.bytes(), 5 * (10 + ENTRY_OVERHEAD));
        assert_eq!((lru.remove(&1), lru.remove(&2)), (Some(1), None));
        for key in 0..10 {
            lru.remove(&key);
        }
        assert_eq!(lru.bytes(), 0);
    }
}
