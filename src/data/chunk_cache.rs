//! Opened chunks in memory, by place, bounded by bytes (LRU in two parts).

use bytes::Bytes;
use parking_lot::Mutex;

use super::byte_lru::ByteLru;
use crate::base::ObjectId;

/// Where a chunk lives: its segment and its number there.
pub(super) type FrameKey = (ObjectId, u32);

/// What a long write leaves behind may take this part of the limit.
const NEW_SHARE: usize = 4;
/// What a short one left behind stays whole: all of the limit but this part of it, which is for what was read.
const READ_SHARE: usize = 8;

/// Plain chunks that were read or written lately.
///
/// Who writes large files comes back to none of their chunks: once more was written in a row than the cache could keep, new ones
/// have a quarter of it at most, beside what is read, and add little to what waits for the bucket (M7). A shorter write stays whole, since
/// it is read or changed soon as often as not; that much can wait for the bucket at most then. A new chunk that is asked
/// for belongs to the others from then on.
pub(super) struct ChunkCache {
    parts: Mutex<Parts>,
    limit: usize,
}

/// Together within the limit.
struct Parts {
    used: ByteLru<FrameKey, Bytes>,
    new: ByteLru<FrameKey, Bytes>,
    /// Bytes of new chunks since the last pause.
    in_a_row: usize,
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
        let parts = Parts { used: ByteLru::new(limit), new: ByteLru::new(limit), in_a_row: 0 };
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

    /// Keeps a chunk that was written for the first time, `after_pause` when nothing that was written before it waits for
    /// the bucket any more; otherwise as [`Self::insert`].
    pub fn insert_new(&self, key: FrameKey, chunk: Bytes, after_pause: bool) {
        let (weight, parts) = (chunk.len(), &mut *self.parts.lock());
        let before = if after_pause { 0 } else { parts.in_a_row };
        parts.in_a_row = before.saturating_add(weight);
        let whole = self.limit - self.limit / READ_SHARE;
        parts.new.insert(key, chunk, weight);
        parts.new.shrink_to(if parts.in_a_row <= whole { whole } else { self.limit / NEW_SHARE });
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

    /// Writes new chunks in a row.
    fn write(cache: &ChunkCache, numbers: std::ops::Range<u32>) {
        let first = numbers.start;
        numbers.for_each(|number| cache.insert_new(key(number), chunk(), number == first));
    }

    #[test]
    fn a_large_write_leaves_three_quarters_to_what_is_read() {
        let cache = ChunkCache::new(LIMIT);
        write(&cache, 100..200);
        (0..12).for_each(|number| cache.insert(key(number), chunk()));
        assert_eq!((held(&cache, 0..12), held(&cache, 100..200)), (12, 4));
        (200..300).for_each(|number| cache.insert_new(key(number), chunk(), false));
        assert_eq!((held(&cache, 0..12), held(&cache, 200..300)), (12, 4));
        assert!(cache.peek(key(299)).is_some(), "the latest stay");
        assert!(cache.bytes() <= LIMIT as u64);
    }

    #[test]
    fn a_short_write_stays_whole_and_leaves_some_of_what_was_read() {
        let cache = ChunkCache::new(LIMIT);
        write(&cache, 100..200);
        (0..16).for_each(|number| cache.insert(key(number), chunk()));
        write(&cache, 200..214);
        assert_eq!((held(&cache, 0..16), held(&cache, 200..214)), (2, 14));
        assert!(cache.peek(key(15)).is_some() && cache.peek(key(0)).is_none(), "what was read last stays");
        write(&cache, 300..307);
        assert_eq!(
            (held(&cache, 200..214), held(&cache, 300..307)),
            (7, 7),
            "the next write takes its place"
        );
        assert!(cache.bytes() <= LIMIT as u64);
    }

    #[test]
    fn a_new_chunk_that_is_asked_for_outlives_others() {
        let cache = ChunkCache::new(LIMIT);
        write(&cache, 0..1);
        assert_eq!(cache.get(key(0)), Some(chunk()));
        write(&cache, 1..2);
        cache.forget(key(1));
        assert_eq!(cache.get(key(1)), None);
        write(&cache, 100..200);
        assert_eq!(held(&cache, 0..1), 1);
        assert!(cache.bytes() <= LIMIT as u64);
    }

    #[test]
    fn what_is_read_has_all_the_room_when_nobody_writes() {
        let cache = ChunkCache::new(LIMIT);
        write(&cache, 100..104);
        (0..16).for_each(|number| cache.insert(key(number), chunk()));
        assert_eq!((held(&cache, 0..16), held(&cache, 100..104)), (16, 0));
        cache.evict(key(0).0);
        assert_eq!(cache.bytes(), 0);
    }
}
