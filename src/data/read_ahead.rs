//! Notices when a segment is read in order, chunk after chunk, whatever files the chunks belong to; and when many small
//! files of it are read in another order.
//!
//! Small files written together lie together. A reader that walks them misses at the end of what it
//! fetched last; each time it does, the next request takes twice as much more along. What one segment has led to holds for the
//! next one: files of some megabytes, of which a segment has few, are read as one large file. Who reads small ones as a directory lists
//! them, which is by a hash of their names, misses all over the segment: from the second miss on the block around it comes
//! with it, once. A block is as large as is cheap on this line, and up to eight times as large while what blocks bring is read. A first
//! miss, and any in a segment of large chunks, takes exactly what was asked for: a large file that is read here and there is not
//! fetched whole.

use std::num::NonZeroUsize;
use std::ops::Range;

use lru::LruCache;
use parking_lot::Mutex;

use super::range_plan::MAX_GAP;
use crate::base::ObjectId;
use crate::meta::record::SegmentRecord;
use crate::vault::HEADER_LEN;

/// Bytes taken along at the first miss that continues another.
const FIRST_WINDOW: u64 = 256 * 1024;
/// No window is wider: the rest of a segment.
const WIDEST: u64 = 8 << 20;

/// So far behind, a miss is of the same reader, whose requests overtook each other.
const LATE: u64 = 1 << 20;

/// What a miss among small files takes along at most: five requests for a segment.
const BLOCK: u64 = 2 << 20;
/// Nothing less is worth it.
const LEAST_BLOCK: u64 = 128 << 10;
/// How many times what is cheap is taken along, at first and at most.
const FIRST_TRUST: u64 = 2;
const MOST_TRUST: u64 = 8;
/// So many chunks found in memory since the last block are what blocks are for, and so few show that nobody wanted it.
const WANTED: u64 = 8;
const UNWANTED: u64 = 2;
/// A full segment of so many chunks holds small files: a chunk of a large one has 64 KiB, however little is left of it sealed.
const MANY: usize = 512;
/// More chunks than this are not all of a large file; one that is not full and has so many holds small ones for the most part.
const FULL_OF_LARGE: usize = 128;
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
    /// What was taken along in blocks, a bit for each `LEAST_BLOCK`. Whoever misses there again has too little memory for more.
    blocks: u128,
}

impl Trail {
    fn at(end: u64) -> Self {
        Self { end, window: 0, blocks: 0 }
    }

    fn is_late(&self, place: u64) -> bool {
        place < self.end && self.end - place <= LATE
    }
}

/// The latest fetches.
struct Trails {
    by_segment: LruCache<ObjectId, Trail>,
    /// The window of whoever came to the end of a segment, for where it goes on.
    carried: u64,
    /// How many times what is cheap a block has.
    trust: u64,
    /// Hits when the last block was taken.
    hits: u64,
}

/// What is known when a block may be taken along.
#[derive(Clone, Copy)]
pub(super) struct Evidence {
    /// Bytes that come in the time of a request.
    pub cheap: u64,
    /// Chunks that readers have found in memory so far.
    pub hits: u64,
}

impl Trails {
    /// How large the next block is to be.
    fn block(&mut self, evidence: Evidence) -> u64 {
        match evidence.hits.saturating_sub(std::mem::replace(&mut self.hits, evidence.hits)) {
            WANTED.. => self.trust = (self.trust * 2).min(MOST_TRUST),
            ..UNWANTED => self.trust = (self.trust / 2).max(1),
            _ => {}
        }
        // A power of two that is a third too large, at most.
        let most = (evidence.cheap / 3).saturating_mul(4 * self.trust).min(BLOCK);
        most.checked_ilog2().map_or(0, |log| 1 << log)
    }

    /// Where a segment begins for a reader that came to the end of another, it has what that one led to.
    fn carry_on(&mut self, segment: ObjectId, start: u64, widest: u64) -> Option<u64> {
        if start != HEADER_LEN as u64 || self.carried == 0 || self.by_segment.contains(&segment) {
            return None;
        }
        let window = (std::mem::take(&mut self.carried) * 2).min(widest);
        self.by_segment.put(segment, Trail { window, ..Trail::at(start) });
        Some(window)
    }
}

/// Notices who reads on.
pub(super) struct ReadAhead {
    trails: Mutex<Trails>,
    widest: u64,
}

impl ReadAhead {
    /// Windows grow to 8 MiB, or to a quarter of a smaller cache: what is fetched must live until it is read.
    pub fn new(chunk_cache: usize) -> Self {
        let trails = Trails { by_segment: LruCache::new(TRAILS), carried: 0, trust: FIRST_TRUST, hits: 0 };
        Self { trails: Mutex::new(trails), widest: WIDEST.min(chunk_cache as u64 / 4) }
    }

    /// A reader misses at `start`: how many bytes after its own to take along.
    pub fn window(&self, segment: ObjectId, start: u64) -> u64 {
        let mut trails = self.trails.lock();
        if let Some(window) = trails.carry_on(segment, start, self.widest) {
            return window;
        }
        let Trails { by_segment, carried, .. } = &mut *trails;
        let Some(trail) = by_segment.get_mut(&segment) else { return 0 };
        if trail.is_late(start) {
            return 0;
        }
        let continues = start >= trail.end && start - trail.end <= MAX_GAP;
        trail.window = match (continues, trail.window) {
            (false, _) => 0,
            (true, 0) => (std::mem::take(carried) * 2).max(FIRST_WINDOW).min(self.widest),
            (true, window) => (window * 2).min(self.widest),
        };
        trail.window
    }

    /// Frames from `start` on are fetched ahead of the reader of a file: how many bytes after them to take along.
    pub fn window_ahead(&self, segment: ObjectId, start: u64) -> u64 {
        self.trails.lock().carry_on(segment, start, self.widest).unwrap_or(0)
    }

    /// A reader misses at `start`, not for the first time in this segment, and does not go on from where it was: the
    /// bytes around to take along, if they are small files', worth it, and were not taken before.
    pub fn block(
        &self,
        segment: ObjectId,
        start: u64,
        record: &SegmentRecord,
        evidence: Evidence,
    ) -> Option<Range<u64>> {
        let place = start / LEAST_BLOCK;
        if BLOCK > self.widest || place >= u64::from(u128::BITS) || !is_of_small_files(record) {
            return None;
        }
        let mut trails = self.trails.lock();
        if trails.by_segment.get(&segment)?.blocks >> place & 1 == 1 {
            return None;
        }
        let len = trails.block(evidence);
        if len < LEAST_BLOCK {
            return None;
        }
        let block = start / len * len..(start / len + 1) * len;
        let taken = (block.start / LEAST_BLOCK..block.end / LEAST_BLOCK).map(|place| 1 << place);
        trails.by_segment.get_mut(&segment)?.blocks |= taken.sum::<u128>();
        Some(block)
    }

    /// What is being fetched of the segment, which ends at `whole`, ends at `end`.
    pub fn reached(&self, segment: ObjectId, end: u64, whole: u64) {
        let Trails { by_segment, carried, .. } = &mut *self.trails.lock();
        let trail = by_segment.get_or_insert_mut(segment, || Trail::at(end));
        if !trail.is_late(end) {
            trail.end = end;
        }
        if end >= whole && trail.window > 0 {
            *carried = trail.window;
        }
    }

    /// The segment is gone.
    pub fn forget(&self, segment: ObjectId) {
        self.trails.lock().by_segment.pop(&segment);
    }
}

fn is_of_small_files(record: &SegmentRecord) -> bool {
    let bytes = record.object_len() - HEADER_LEN as u64;
    let number = record.frames.len();
    number >= MANY || bytes <= LITTLE || (number > FULL_OF_LARGE && bytes <= BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Epoch;

    const SEGMENT: ObjectId = ObjectId([7; 16]);

    #[test]
    fn windows_double_while_misses_continue_and_end_with_a_jump() {
        let ahead = ReadAhead::new(usize::MAX);
        assert_eq!(ahead.window(SEGMENT, 128), 0);
        let mut end = 1000;
        for expected in [FIRST_WINDOW, 2 * FIRST_WINDOW, 4 * FIRST_WINDOW] {
            ahead.reached(SEGMENT, end, u64::MAX);
            assert_eq!(ahead.window(SEGMENT, end), expected);
            end += expected;
        }
        ahead.reached(SEGMENT, end, u64::MAX);
        assert_eq!(ahead.window(SEGMENT, end + MAX_GAP + 1), 0);
        assert_eq!(ahead.window(SEGMENT, end), FIRST_WINDOW);
        assert_eq!(ahead.window(SEGMENT, end - LATE - 1), 0);
        assert_eq!(ahead.window(SEGMENT, end), FIRST_WINDOW);
    }

    #[test]
    fn requests_that_overtake_each_other_keep_the_window() {
        let ahead = ReadAhead::new(usize::MAX);
        ahead.reached(SEGMENT, 4 * LATE, u64::MAX);
        assert_eq!(ahead.window(SEGMENT, 4 * LATE), FIRST_WINDOW);
        ahead.reached(SEGMENT, 6 * LATE, u64::MAX);
        assert_eq!(ahead.window(SEGMENT, 5 * LATE), 0);
        ahead.reached(SEGMENT, 5 * LATE + 1, u64::MAX);
        assert_eq!(ahead.window(SEGMENT, 6 * LATE), 2 * FIRST_WINDOW);
    }

    #[test]
    fn a_window_goes_on_in_the_next_segment_wherever_the_reader_goes_on_there() {
        let (ahead, whole) = (ReadAhead::new(usize::MAX), 1000);
        let [first, second, third, other] = [1, 2, 3, 4].map(|number| ObjectId([number; 16]));
        ahead.reached(first, 500, whole);
        assert_eq!(ahead.window(first, 500), FIRST_WINDOW);
        ahead.reached(first, whole, whole);
        assert_eq!(ahead.window(other, 500), 0);
        // A file began in the first segment and was read ahead of in the second.
        ahead.reached(second, 300, whole);
        assert_eq!(ahead.window(second, 300), 2 * FIRST_WINDOW);
        ahead.reached(second, whole, whole);
        assert_eq!(ahead.window(third, HEADER_LEN as u64), 4 * FIRST_WINDOW);
        assert_eq!(ahead.window(other, HEADER_LEN as u64), 0);
    }

    fn small_files() -> SegmentRecord {
        SegmentRecord { epoch: Epoch(1), header: [0; HEADER_LEN], frames: vec![8000; 1024] }
    }

    /// What is taken along at misses that far apart, in MiB/8, with so many hits before each.
    fn blocks(cheap: u64, apart: u64, hits: u64) -> Vec<Option<Range<u64>>> {
        let ahead = ReadAhead::new(usize::MAX);
        ahead.reached(SEGMENT, 0, u64::MAX);
        let at = |step: u64| {
            let evidence = Evidence { cheap, hits: step * hits };
            let block = ahead.block(SEGMENT, step * apart * LEAST_BLOCK + 5, &small_files(), evidence)?;
            Some(block.start / LEAST_BLOCK..block.end / LEAST_BLOCK)
        };
        (0..4).map(at).collect()
    }

    #[test]
    fn a_block_is_what_is_cheap_and_grows_while_it_is_wanted() {
        assert_eq!(blocks(u64::MAX, 16, 0), [Some(0..16), Some(16..32), Some(32..48), Some(48..64)]);
        assert_eq!(blocks(256 << 10, 16, 0), [Some(0..2), Some(16..18), Some(32..34), Some(48..50)]);
        assert_eq!(blocks(256 << 10, 16, WANTED), [Some(0..2), Some(16..20), Some(32..40), Some(48..64)]);
        assert_eq!(blocks(256 << 10, 1, WANTED), [Some(0..2), None, Some(0..4), None], "once each");
        assert_eq!(blocks(64 << 10, 16, 0), [None, None, None, None]);
        assert_eq!(blocks(64 << 10, 16, WANTED), [None, Some(16..17), Some(32..34), Some(48..52)]);
        assert_eq!(blocks(0, 16, WANTED), [None, None, None, None]);
    }

    #[test]
    fn more_chunks_than_a_large_file_has_are_small_files() {
        let of = |number: usize, len: u32| {
            is_of_small_files(&SegmentRecord {
                epoch: Epoch(1),
                header: [0; HEADER_LEN],
                frames: vec![len; number],
            })
        };
        assert!(of(190, 6_000) && of(1400, 6_000) && of(5, 64_000));
        assert!(!of(20, 64_000) && !of(128, 64_000) && !of(128, 8_000));
    }

    #[test]
    fn windows_stay_below_the_limit_and_below_a_small_cache() {
        for (cache, widest) in [(usize::MAX, WIDEST), (1024 * 1024, 256 * 1024), (0, 0)] {
            let ahead = ReadAhead::new(cache);
            ahead.reached(SEGMENT, 0, u64::MAX);
            let last = (0..10).map(|_| ahead.window(SEGMENT, 0)).last();
            assert_eq!(last, Some(widest));
        }
    }
}
