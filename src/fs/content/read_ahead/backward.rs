//! A reader that goes from the end of a file to its beginning: tac(1), a database that scans downwards.
//!
//! Its requests come one by one, for the kernel reads nothing ahead of it; so each ends where the one before began, and
//! some that do so are a reader. Requests of a forward reader that overtook each other look the same, but not for
//! long: when a forward reader goes on, the count begins anew.
//!
//! It is a forward reader of the mirrored file: what lies at the largest offset comes first there. 16 TiB are whole
//! segments, so that the steps of its windows are those of the file.
//!
//! All values are bytes of the file.

use std::ops::Range;

use super::stream::{Step, Stream};
use crate::fs::content::MAX_FILE;

/// So many requests in a row are a reader.
const STEPS: u32 = 3;

/// The one reader of a file that goes backwards.
#[derive(Debug)]
pub(super) struct Backward {
    /// Mirrored.
    reader: Stream,
    steps: u32,
}

impl Default for Backward {
    fn default() -> Self {
        Self::begin(&mirror(&(0..0)), 0)
    }
}

impl Backward {
    fn begin(mirrored: &Range<u64>, now: u64) -> Self {
        Self { reader: Stream::new(mirrored, now), steps: 0 }
    }

    /// True for a reader that has gone on.
    pub fn is_sequential(&self) -> bool {
        self.steps >= STEPS
    }

    /// True for a request of this reader, who goes on and will not come back to it.
    pub fn has_left(&self, read: &Range<u64>) -> bool {
        self.is_sequential() && self.reader.has_left(&mirror(read))
    }

    /// When it was last seen, in reads.
    pub fn seen(&self) -> u64 {
        self.reader.seen
    }

    /// Takes a request, whosever it is; true when the reader went on.
    pub fn note(&mut self, read: &Range<u64>, now: u64) -> bool {
        let read = mirror(read);
        if !self.reader.continues(&read) {
            *self = Self::begin(&read, now);
            return false;
        }
        self.steps = self.steps.saturating_add(1);
        self.reader.seen = now;
        self.reader.note(&read) == Step::On && self.is_sequential()
    }

    /// Somebody reads forwards: what was counted may have been requests of that reader.
    pub fn interrupt(&mut self) {
        *self = Self::default();
    }

    /// The reader went on: what to fetch below it now, if anything. `widest` bounds the window.
    pub fn ask(&mut self, widest: u64) -> Option<Range<u64>> {
        self.reader.ask(MAX_FILE, widest).map(|ahead| mirror(&ahead))
    }

    /// If what was asked for last began at `asked`: nothing below `to` is being fetched.
    pub fn refused(&mut self, asked: u64, to: u64) {
        let mirrored = mirror(&(asked..to));
        self.reader.refused(mirrored.end, mirrored.start);
    }
}

/// The same bytes counted from the other end of the largest file.
pub(super) fn mirror(range: &Range<u64>) -> Range<u64> {
    MAX_FILE.saturating_sub(range.end)..MAX_FILE.saturating_sub(range.start)
}
