//! Where chunks that were asked for were found.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the mount. A reading may be torn between counters, never within one.
#[derive(Default)]
pub(super) struct Counters {
    memory: AtomicU64,
    disk: AtomicU64,
    misses: AtomicU64,
}

impl Counters {
    /// A chunk came from memory: in flight or cached.
    pub fn memory(&self) {
        self.memory.fetch_add(1, Ordering::Relaxed);
    }

    /// Chunks came from the local disk: cache or spool.
    pub fn disk(&self, chunks: u64) {
        self.disk.fetch_add(chunks, Ordering::Relaxed);
    }

    /// Chunks had to be asked of the bucket.
    pub fn misses(&self, chunks: u64) {
        self.misses.fetch_add(chunks, Ordering::Relaxed);
    }

    /// Memory, disk, misses.
    pub fn read(&self) -> (u64, u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.memory), read(&self.disk), read(&self.misses))
    }
}
