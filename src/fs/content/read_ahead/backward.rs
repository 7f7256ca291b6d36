//! A reader that goes from the end of a file to its beginning: tac(1), a database that scans downwards.
//!
//! Its requests come one by one, for the kernel reads nothing ahead of it; so each ends where the one before began, and
//! some that do so are a reader. Requests of a forward reader that overtook each other look the same, but not for
//! long: when a forward reader goes on, the count begins anew.
//!
//! All values are bytes of the file.

use std::ops::Range;

use super::stream::{FIRST_WINDOW, STEP};

/// So many requests in a row are a reader.
const STEPS: u32 = 3;

/// The one reader of a file that goes backwards.
#[derive(Debug, Default)]
pub(super) struct Backward {
    /// Where the last request began.
    front: u64,
    steps: u32,
    window: u64,
    /// Down to where fetching was asked for.
    asked: u64,
    /// When it was last seen, in reads.
    pub seen: u64,
}

impl Backward {
    /// True for a reader that has gone on.
    pub fn is_sequential(&self) -> bool {
        self.steps >= STEPS
    }

    /// Takes a request, whosever it is; true when the reader went on.
    pub fn note(&mut self, read: &Range<u64>, now: u64) -> bool {
        let goes_on = read.start < self.front && (read.start..=read.end).contains(&self.front);
        if goes_on {
            self.steps = self.steps.saturating_add(1);
        } else {
            *self = Self { window: FIRST_WINDOW, asked: read.start, ..Self::default() };
        }
        (self.front, self.seen) = (read.start, now);
        goes_on && self.is_sequential()
    }

    /// Somebody reads forwards: what was counted may have been requests of that reader.
    pub fn interrupt(&mut self) {
        *self = Self::default();
    }

    /// The reader went on: what to fetch below it now, if anything. `widest` bounds the window.
    pub fn ask(&mut self, widest: u64) -> Option<Range<u64>> {
        let window = self.window.min(widest);
        if self.asked + window / 2 < self.front {
            return None;
        }
        let to = self.asked.min(self.front);
        let mut from = self.front.saturating_sub(window).min(to);
        let aligned = from.div_ceil(STEP) * STEP;
        if from > 0 && aligned < to {
            from = aligned;
        }
        self.window = (self.window * 2).min(widest).max(window);
        self.asked = from;
        (from < to).then_some(from..to)
    }

    /// If what was asked for last began at `asked`: nothing below `to` is being fetched.
    pub fn refused(&mut self, asked: u64, to: u64) {
        if self.asked == asked {
            self.asked = to;
        }
    }
}
