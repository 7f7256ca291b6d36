//! One sequential reader, as its requests arrive: in several at once, and not in order.
//!
//! The kernel sends its read-ahead and what it splits off a large read side by side, and the threads that take
//! them overtake each other. So a request beyond the place that was read up to does not end the sequence: it is
//! remembered until the requests between have come. A part that the kernel had cached never comes; once
//! enough was read beyond such a gap, the reader is taken to be there.
//!
//! All values are bytes of the file.

use std::ops::Range;

/// How far requests may be ahead of others that were sent before them.
const REORDER: u64 = 4 << 20;
/// Read beyond a gap in one piece, this says that the gap will not be read.
const SKIP: u64 = 512 << 10;
/// Pieces remembered beyond a gap. More of them are no sequence.
const PIECES: usize = 16;
/// How far behind a reader a request is still its own, only late.
const LATE: u64 = 16 << 20;
/// The window of a reader that just turned out to be one.
const FIRST_WINDOW: u64 = 256 << 10;
/// The window of a reader that leaves nothing out for sure: parts of half a megabyte do not lead to it.
const PROVEN: u64 = 2 << 20;
/// A first request of a file that begins no later is one of the beginning, which another overtook.
const OVERTAKEN: u64 = 512 << 10;
/// What a file that will be read whole begins with: as much is fetched at its first read, or before it.
pub(super) const OF_WHOLE: u64 = 4 << 20;
/// Large windows are asked for in such steps, at multiples of it: the size of a segment, so that a
/// file which was written in order is fetched by whole segments.
const STEP: u64 = 8 << 20;

/// What a request means for a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is somebody else's.
    Elsewhere,
    /// It is this reader's, late or early.
    Known,
    /// The reader went on.
    On,
}

/// A reader of one file.
#[derive(Debug)]
pub(super) struct Stream {
    /// Where everything before was read, as far as this reader is concerned.
    front: u64,
    /// What was read beyond, ascending; pieces do not touch.
    early: Vec<Range<u64>>,
    window: u64,
    /// Up to where fetching was asked for.
    asked: u64,
    /// It began at the beginning of the file and has not come to the end.
    under_way: bool,
    /// It has come to the end.
    done: bool,
    /// When it was last seen, in reads.
    pub seen: u64,
}

impl Stream {
    /// A reader that begins with `read`.
    pub fn new(read: &Range<u64>, seen: u64) -> Self {
        let (front, asked) = (read.end, read.end);
        Self { front, early: Vec::new(), window: FIRST_WINDOW, asked, under_way: false, done: false, seen }
    }

    /// Where it goes on.
    pub fn here(&self) -> Range<u64> {
        self.front..self.front
    }

    /// Whether this new reader begins with the file; `first`: nobody else reads it.
    pub fn begins(&mut self, read: &Range<u64>, first: bool) -> bool {
        self.under_way = read.start == 0 || (first && read.start <= OVERTAKEN);
        self.under_way
    }

    /// True for a reader that has come to the end of the file.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// To be called when the reader was seen in a file of `size` bytes. True once: a reader from the beginning of the file
    /// has come to its end.
    pub fn ends(&mut self, size: u64) -> bool {
        self.done = self.front >= size;
        let ends = self.under_way && self.done;
        self.under_way &= !ends;
        ends
    }

    /// What to fetch for a new reader that will read the whole file, its first read included.
    pub fn ask_whole(&mut self, size: u64, widest: u64) -> Range<u64> {
        let window = OF_WHOLE.min(widest);
        self.asked = (self.front + window).min(size);
        self.window = (window * 2).min(widest).max(window);
        0..self.asked
    }

    /// True for a reader that went on at least once, and will go on.
    pub fn is_sequential(&self) -> bool {
        self.window > FIRST_WINDOW && !self.done
    }

    /// True for a request that may be this reader's, who has gone on for long, and was overtaken or has overtaken others.
    pub fn may_have_sent(&self, read: &Range<u64>) -> bool {
        self.window >= PROVEN && read.start < self.front + REORDER && read.end + REORDER >= self.front
    }

    /// True for a request of this reader, who goes on and will not come back to it.
    pub fn has_left(&self, read: &Range<u64>) -> bool {
        self.window > FIRST_WINDOW && read.start < self.front + REORDER && read.end + LATE >= self.front
    }

    /// True when the request begins just where this reader is, or a little before, and goes on from there.
    pub fn continues(&self, read: &Range<u64>) -> bool {
        (read.start..read.end).contains(&self.front) && read.start + LATE >= self.front
    }

    /// Takes a request, if it can be this reader's.
    pub fn note(&mut self, read: &Range<u64>) -> Step {
        if self.continues(read) {
            self.advance(read.end);
            return Step::On;
        }
        if read.start <= self.front {
            return if read.start + LATE < self.front { Step::Elsewhere } else { Step::Known };
        }
        if read.start - self.front > REORDER {
            return Step::Elsewhere;
        }
        let piece = self.keep(read);
        if piece.end - piece.start >= SKIP {
            self.advance(piece.end);
            return Step::On;
        }
        if self.early.len() > PIECES {
            *self = Self::new(read, self.seen);
        }
        Step::Known
    }

    /// Moves the front to `end`, and on over what was read beyond.
    fn advance(&mut self, end: u64) {
        self.front = self.front.max(end);
        while let Some(piece) = self.early.first()
            && piece.start <= self.front
        {
            self.front = self.front.max(piece.end);
            self.early.remove(0);
        }
    }

    /// Remembers what was read beyond the front; returns the piece it became part of.
    fn keep(&mut self, read: &Range<u64>) -> Range<u64> {
        let from = self.early.partition_point(|piece| piece.end < read.start);
        let to = self.early.partition_point(|piece| piece.start <= read.end);
        let touched = &self.early[from..to];
        let start = touched.first().map_or(read.start, |piece| piece.start.min(read.start));
        let end = touched.last().map_or(read.end, |piece| piece.end.max(read.end));
        let piece = start..end;
        self.early.splice(from..to, std::iter::once(piece.clone()));
        piece
    }

    /// The reader went on: what to fetch ahead of it now, if anything. `widest` bounds the window.
    pub fn ask(&mut self, size: u64, widest: u64) -> Option<Range<u64>> {
        let window = self.window.min(widest);
        // As soon as there is room for a step: as much as may be is under way while the reader takes what has come.
        if self.front + window - (window / 2).min(STEP) < self.asked {
            return None;
        }
        let from = self.asked.max(self.front);
        let mut to = (self.front + window).min(size).max(from);
        let aligned = to / STEP * STEP;
        // Who has come off the steps was led by segments that do not begin with them.
        if to < size && aligned > from && (from.is_multiple_of(STEP) || window < 2 * STEP) {
            to = aligned;
        }
        self.window = (self.window * 2).min(widest).max(window);
        self.asked = to;
        (from < to).then_some(from..to)
    }

    /// If what was asked for last ended at `asked`: nothing from `at` on is being fetched.
    pub fn refused(&mut self, asked: u64, at: u64) {
        if self.asked == asked {
            self.asked = at;
        }
    }
}
