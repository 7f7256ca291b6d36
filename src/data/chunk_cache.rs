//! Opened chunks in memory, by place, bounded by bytes (LRU).

use bytes::Bytes;
use parking_lot::Mutex;

use super::byte_lru::ByteLru;
use crate::base::ObjectId;

/// Where a chunk lives: its segment and its number there.
pub(super) type FrameKey = (ObjectId, u32);

/// Plain chunks that were read lately.
pub(super) struct ChunkCache {
    chunks: Mutex<ByteLru<FrameKey, Bytes>>,
    limit: usize,
}

impl ChunkCache {
    /// An empty cache of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { chunks: Mutex::new(ByteLru::new(limit)), limit }
    }

    /// The chunk, which counts as used now.
    pub fn get(&self, key: FrameKey) -> Option<Bytes> {
        self.chunks.lock().get(&key)
    }

    /// The chunk, without counting as a use.
    pub fn peek(&self, key: FrameKey) -> Option<Bytes> {
        self.chunks.lock().peek(&key)
    }

    /// Nobody is expected to read the chunk again soon: it goes before all others.
    pub fn demote(&self, key: FrameKey) {
        self.chunks.lock().demote(&key);
    }

    /// Keeps an opened chunk. `chunk` must own its memory (not be a slice of something larger).
    pub fn insert(&self, key: FrameKey, chunk: Bytes) {
        let weight = chunk.len();
        self.chunks.lock().insert(key, chunk, weight);
    }

    /// Forgets all chunks of a segment.
    pub fn evict(&self, segment: ObjectId) {
        self.chunks.lock().remove_all(|key| key.0 == segment);
    }

    /// Most bytes held.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.chunks.lock().bytes() as u64
    }
}
