//! Notices when a segment is read in order, chunk after chunk, whatever files the chunks belong to; and when many small
//! files of it are read in another order.
//!
//! Small files written together lie together. A reader that walks them misses at the end of what it
//! fetched last; each time it does, the next request takes twice as much more along. Who reads them as a directory lists
//! them, which is by a hash of their names, misses all over the segment: from the second miss on the block around it comes
//! with it, once. A first miss, and any in a segment of large chunks, takes exactly what was asked for: a large file that is
//! read here and there is not fetched whole.

use std::num::NonZeroUsize;
use std::ops::Range;

use lru::LruCache;
use parking_lot::Mutex;

use super::range_plan::{MAX_GAP, MAX_GET};
use crate::base::ObjectId;
use crate::meta::record::SegmentRecord;

/// Bytes taken along at the first miss that continues another.
const FIRST_WINDOW: u64 = 256 * 1024;

/// What a miss among small files takes along: five requests for a segment, and no long wait for the first on a slow line.
const BLOCK: u64 = 2 << 20;
/// A full segment of so many chunks holds small files: a chunk of a large one has 64 KiB, however little is left of it sealed.
const MANY: usize = 512;
/// Sealed bytes of a segment that is taken along in any case: as cheap as a request.
const LITTLE: u64 = 512 << 10;

/// Segments whose readers are remembered.
const TRAILS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

#[derive(Clone, Copy)]
struct Trail {
    /// Where the last fetch of this segment ended, in bytes of the object.
    end: u64,
    /// Bytes taken along last time.
    window: u64,
    /// The blocks that were taken along, a bit each. Whoever misses there again has too little memory for more.
    blocks: u64,
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

    /// A reader misses at `start`, not for the first time in this segment, and does not go on from where it was: the
    /// bytes around to take along, if they are small files' and were not taken before.
    pub fn block(&self, segment: ObjectId, start: u64, record: &SegmentRecord) -> Option<Range<u64>> {
        let number = start / BLOCK;
        if BLOCK > self.widest || number >= u64::from(u64::BITS) || !is_of_small_files(record) {
            return None;
        }
        let mut trails = self.trails.lock();
        let trail = trails.get_mut(&segment)?;
        let taken = trail.blocks >> number & 1 == 1;
        trail.blocks |= 1 << number;
        (!taken).then_some(number * BLOCK..(number + 1) * BLOCK)
    }

    /// What is being fetched of the segment ends at `end`.
    pub fn reached(&self, segment: ObjectId, end: u64) {
        let new = || Trail { end, window: 0, blocks: 0 };
        self.trails.lock().get_or_insert_mut(segment, new).end = end;
    }

    /// The segment is gone.
    pub fn forget(&self, segment: ObjectId) {
        self.trails.lock().pop(&segment);
    }
}

fn is_of_small_files(record: &SegmentRecord) -> bool {
    let bytes: u64 = record.frames.iter().map(|len| u64::from(*len)).sum();
    record.frames.len() >= MANY || bytes <= LITTLE
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
