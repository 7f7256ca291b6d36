//! A cache that is bounded by the bytes of what it holds.

use std::hash::Hash;

use lru::LruCache;

/// Least recently used entries go first when the bytes exceed the limit.
///
/// The `floor` most recent entries stay even if they alone exceed it: a reader needs a few entries at the
/// same time, and a limit below that would make it fetch the same ones for ever.
pub(super) struct ByteLru<K: Hash + Eq, V> {
    entries: LruCache<K, (V, usize)>,
    bytes: usize,
    limit: usize,
    floor: usize,
}

impl<K: Hash + Eq, V: Clone> ByteLru<K, V> {
    /// An empty cache for `limit` bytes that never goes below `floor` entries for the sake of the limit.
    pub fn new(limit: usize, floor: usize) -> Self {
        Self { entries: LruCache::unbounded(), bytes: 0, limit, floor }
    }

    /// The entry of `key`, which becomes the most recent one.
    pub fn get(&mut self, key: &K) -> Option<V> {
        self.entries.get(key).map(|(value, _)| value.clone())
    }

    /// Whether there is an entry of `key`; its age does not change.
    pub fn contains(&self, key: &K) -> bool {
        self.entries.contains(key)
    }

    /// Puts an entry that counts as `bytes` in as the most recent one, and drops old ones beyond the limit.
    pub fn insert(&mut self, key: K, value: V, bytes: usize) {
        if let Some((_, (_, replaced))) = self.entries.push(key, (value, bytes)) {
            self.bytes -= replaced;
        }
        self.bytes += bytes;
        while self.bytes > self.limit && self.entries.len() > self.floor {
            let Some((_, (_, dropped))) = self.entries.pop_lru() else { return };
            self.bytes -= dropped;
        }
    }

    /// Drops the entry of `key`, if there is one.
    pub fn remove(&mut self, key: &K) {
        if let Some((_, dropped)) = self.entries.pop(key) {
            self.bytes -= dropped;
        }
    }

    /// Bytes of all entries, as they were given.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_go_when_the_bytes_exceed_the_limit() {
        let mut cache = ByteLru::new(100, 1);
        cache.insert(1, 'a', 40);
        cache.insert(2, 'b', 40);
        assert_eq!(cache.get(&1), Some('a'));
        cache.insert(3, 'c', 40);
        assert_eq!((cache.get(&1), cache.get(&2), cache.get(&3)), (Some('a'), None, Some('c')));
        assert_eq!(cache.bytes(), 80);
    }

    #[test]
    fn a_replaced_entry_counts_once() {
        let mut cache = ByteLru::new(100, 1);
        cache.insert(1, 'a', 60);
        cache.insert(1, 'b', 70);
        assert_eq!((cache.get(&1), cache.bytes()), (Some('b'), 70));
    }

    #[test]
    fn a_removed_entry_counts_no_more() {
        let mut cache = ByteLru::new(100, 1);
        cache.insert(1, 'a', 60);
        cache.remove(&1);
        cache.remove(&2);
        assert_eq!((cache.get(&1), cache.bytes()), (None, 0));
    }

    #[test]
    fn the_floor_stays_whatever_the_limit() {
        let mut cache = ByteLru::new(10, 2);
        for key in 0..5 {
            cache.insert(key, key, 50);
        }
        assert_eq!((cache.contains(&3), cache.contains(&4), cache.bytes()), (true, true, 100));
    }
}
