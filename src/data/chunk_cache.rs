//! Opened chunks in memory, by place, bounded by bytes (LRU in two parts).

use bytes::Bytes;
use parking_lot::Mutex;

use super::byte_lru::ByteLru;
use crate::base::ObjectId;

/// Where a chunk lives: its segment and its number there.
pub(super) type FrameKey = (ObjectId, u32);

/// What is written for the first time may take this part of the limit.
const NEW_SHARE: usize = 4;

/// Plain chunks that were read or written lately.
///
/// Who writes large files comes back to none of their chunks, so new ones have a part of their own, a quarter at most: they
/// neither displace what is read again and again nor add to what waits for the bucket (M7). One that is asked for belongs
/// to the others from then on.
pub(super) struct ChunkCache {
    parts: Mutex<Parts>,
    limit: usize,
}

/// Together within the limit.
struct Parts {
    used: ByteLru<FrameKey, Bytes>,
    new: ByteLru<FrameKey, Bytes>,
}

impl Parts {
    fn use_again(&mut self, key: FrameKey) -> Option<Bytes> {
        if let Some(chunk) = self.used.get(&key) {
            return Some(chunk);
        }
        let chunk = self.new.remove(&key)?;
        self.used.insert(key, chunk.clone(), chunk.len());
        Some(chunk)
    }
}

impl ChunkCache {
    /// An empty cache of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let parts = Parts { used: ByteLru::new(limit), new: ByteLru::new(limit / NEW_SHARE) };
        Self { parts: Mutex::new(parts), limit }
    }

    /// The chunk, which counts as used now.
    pub fn get(&self, key: FrameKey) -> Option<Bytes> {
        self.parts.lock().use_again(key)
    }

    /// The chunk, without counting as a use.
    pub fn peek(&self, key: FrameKey) -> Option<Bytes> {
        let parts = self.parts.lock();
        parts.used.peek(&key).or_else(|| parts.new.peek(&key))
    }

    /// Nobody is expected to read the chunk again soon: it goes before all others of its part.
    pub fn demote(&self, key: FrameKey) {
        let mut parts = self.parts.lock();
        parts.used.demote(&key);
        parts.new.demote(&key);
    }

    /// Keeps a chunk that was read, or written again. `chunk` must own its memory (not be a slice of something larger).
    pub fn insert(&self, key: FrameKey, chunk: Bytes) {
        let (weight, parts) = (chunk.len(), &mut *self.parts.lock());
        parts.used.insert(key, chunk, weight);
        parts.new.shrink_to(self.limit - parts.used.bytes());
    }

    /// Keeps a chunk that was written for the first time; otherwise as [`Self::insert`].
    pub fn insert_new(&self, key: FrameKey, chunk: Bytes) {
        let (weight, parts) = (chunk.len(), &mut *self.parts.lock());
        parts.new.insert(key, chunk, weight);
        parts.used.shrink_to(self.limit - parts.new.bytes());
    }

    /// Forgets a chunk.
    pub fn forget(&self, key: FrameKey) {
        let mut parts = self.parts.lock();
        parts.used.remove(&key);
        parts.new.remove(&key);
    }

    /// Forgets all chunks of a segment.
    pub fn evict(&self, segment: ObjectId) {
        let mut parts = self.parts.lock();
        parts.used.remove_all(|key| key.0 == segment);
        parts.new.remove_all(|key| key.0 == segment);
    }

    /// Most bytes held.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        let parts = self.parts.lock();
        (parts.used.bytes() + parts.new.bytes()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: usize = 1000;
    /// Room for 16 chunks with what each costs besides.
    const LIMIT: usize = 16 * 1128;

    fn key(number: u32) -> FrameKey {
        (ObjectId([1; 16]), number)
    }

    fn chunk() -> Bytes {
        Bytes::from_static(&[7; CHUNK])
    }

    fn held(cache: &ChunkCache, numbers: std::ops::Range<u32>) -> usize {
        numbers.filter(|number| cache.peek(key(*number)).is_some()).count()
    }

    #[test]
    fn a_large_write_leaves_three_quarters_to_what_was_read() {
        let cache = ChunkCache::new(LIMIT);
        (0..16).for_each(|number| cache.insert(key(number), chunk()));
        (100..200).for_each(|number| cache.insert_new(key(number), chunk()));
        assert_eq!((held(&cache, 0..16), held(&cache, 100..200)), (12, 4));
        assert!(cache.peek(key(199)).is_some() && cache.peek(key(0)).is_none(), "the latest stay");
        assert!(cache.bytes() <= LIMIT as u64);
    }

    #[test]
    fn a_new_chunk_that_is_asked_for_outlives_others() {
        let cache = ChunkCache::new(LIMIT);
        cache.insert_new(key(0), chunk());
        assert_eq!(cache.get(key(0)), Some(chunk()));
        cache.insert_new(key(1), chunk());
        cache.forget(key(1));
        assert_eq!(cache.get(key(1)), None);
        (100..200).for_each(|number| cache.insert_new(key(number), chunk()));
        assert_eq!(held(&cache, 0..1), 1);
        assert!(cache.bytes() <= LIMIT as u64);
    }

    #[test]
    fn what_is_read_has_all_the_room_when_nobody_writes() {
        let cache = ChunkCache::new(LIMIT);
        (100..104).for_each(|number| cache.insert_new(key(number), chunk()));
        (0..16).for_each(|number| cache.insert(key(number), chunk()));
        assert_eq!((held(&cache, 0..16), held(&cache, 100..104)), (16, 0));
        cache.evict(key(0).0);
        assert_eq!(cache.bytes(), 0);
    }
}
