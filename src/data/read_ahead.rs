//! Notices when a segment is read in order, chunk after chunk, whatever files the chunks belong to.
//!
//! Small files written together lie together. A reader that walks them misses at the end of what it
//! fetched last; each time it does, the next request takes twice as much more along. A miss anywhere else
//! takes exactly what was asked for.

use std::num::NonZeroUsize;

use lru::LruCache;
use parking_lot::Mutex;

use super::range_plan::{MAX_GAP, MAX_GET};
use crate::base::ObjectId;

/// Bytes taken along at the first miss that continues another.
const FIRST_WINDOW: u64 = 256 * 1024;

/// Segments whose readers are remembered.
const TRAILS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

#[derive(Clone, Copy)]
struct Trail {
    /// Where the last fetch of this segment ended, in bytes of the object.
    end: u64,
    /// Bytes taken along last time.
    window: u64,
}

/// The latest fetches, by segment.
pub(super) struct ReadAhead {
    trails: Mutex<LruCache<ObjectId, Trail>>,
    widest: u64,
}

impl ReadAhead {
    /// Windows grow to 4 MiB, or to a quarter of a smaller cache: what is fetched must live until it is read.
    pub fn new(chunk_cache: usize) -> Self {
        Self { trails: Mutex::new(LruCache::new(TRAILS)), widest: MAX_GET.min(chunk_cache as u64 / 4) }
    }

    /// A reader misses at `start`: how many bytes after its own to take along.
    pub fn window(&self, segment: ObjectId, start: u64) -> u64 {
        let mut trails = self.trails.lock();
        let Some(trail) = trails.get_mut(&segment) else { return 0 };
        let continues = start >= trail.end && start - trail.end <= MAX_GAP;
        trail.window = match (continues, trail.window) {
            (false, _) => 0,
            (true, 0) => FIRST_WINDOW.min(self.widest),
            (true, window) => (window * 2).min(self.widest),
        };
        trail.window
    }

    /// What is being fetched of the segment ends at `end`.
    pub fn reached(&self, segment: ObjectId, end: u64) {
        self.trails.lock().get_or_insert_mut(segment, || Trail { end, window: 0 }).end = end;
    }

    /// The segment is gone.
    pub fn forget(&self, segment: ObjectId) {
        self.trails.lock().pop(&segment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: ObjectId = ObjectId([7; 16]);

    #[test]
    fn windows_double_while_misses_continue_and_end_with_a_jump() {
        let ahead = ReadAhead::new(usize::MAX);
        assert_eq!(ahead.window(SEGMENT, 128), 0);
        let mut end = 1000;
        for expected in [FIRST_WINDOW, 2 * FIRST_WINDOW, 4 * FIRST_WINDOW] {
            ahead.reached(SEGMENT, end);
            assert_eq!(ahead.window(SEGMENT, end), expected);
            end += expected;
        }
        ahead.reached(SEGMENT, end);
        assert_eq!(ahead.window(SEGMENT, end + MAX_GAP + 1), 0);
        assert_eq!(ahead.window(SEGMENT, end - 1), 0);
    }

    #[test]
    fn windows_stay_below_the_limit_and_below_a_small_cache() {
        for (cache, widest) in [(usize::MAX, MAX_GET), (1024 * 1024, 256 * 1024), (0, 0)] {
            let ahead = ReadAhead::new(cache);
            ahead.reached(SEGMENT, 0);
            let last = (0..10).map(|_| ahead.window(SEGMENT, 0)).last();
            assert_eq!(last, Some(widest));
        }
    }
}
