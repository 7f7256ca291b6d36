//! The habit of reading the beginnings of files, or their ends: previews, file(1), a file manager that looks of what kind
//! each file is; tags at the end of music, directories at the end of archives.
//!
//! One after the other each is a wait for the bucket. Files that were made one after the other have numbers one after the
//! other, and whoever goes through a folder by name goes mostly through them in that order. So whoever has looked into some files,
//! each a little further on, and has left them gets the same part of those that follow, side by side. Reading on in a file, and
//! going elsewhere, end the habit.

use std::ops::Range;

use crate::base::Ino;

/// How far apart the numbers of neighbours are, at most: folders and links have numbers too.
const NEAR: u64 = 8;
/// So many files in a row are a habit.
const HABIT: u32 = 3;
/// Numbers whose beginnings or ends are fetched ahead.
const AHEAD: u64 = 16;

/// Which part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Head,
    Tail,
}

impl End {
    /// Which end of a file of `size` bytes is read, if it is one, and not all of the file.
    pub fn of(read: &Range<u64>, size: u64) -> Option<Self> {
        match (read.start == 0, read.end >= size) {
            (true, false) => Some(Self::Head),
            (false, true) => Some(Self::Tail),
            _ => None,
        }
    }

    /// The `len` bytes at this end of a file of `size` bytes.
    pub fn range(self, len: u64, size: u64) -> Range<u64> {
        match self {
            Self::Head => 0..len.min(size),
            Self::Tail => size.saturating_sub(len)..size,
        }
    }
}

/// How strong the habit is for one end, over all files.
#[derive(Debug, Default)]
pub(super) struct Ends {
    last: Ino,
    steps: u32,
    /// Those up to here were asked for.
    asked: u64,
}

impl Ends {
    /// Somebody looks into a file: the numbers of those whose same part to fetch now, if any.
    pub fn looks_into(&mut self, ino: Ino) -> Option<Range<u64>> {
        let near = self.last.0 < ino.0 && ino.0 - self.last.0 <= NEAR;
        self.last = ino;
        if !near {
            (self.steps, self.asked) = (0, 0);
            return None;
        }
        self.steps = self.steps.saturating_add(1);
        let from = self.asked.max(ino.0.saturating_add(1));
        if !self.is_habit() || from > ino.0.saturating_add(AHEAD / 2) {
            return None;
        }
        self.asked = ino.0.saturating_add(AHEAD);
        Some(from..self.asked)
    }

    /// True for who looks into files in the order of their numbers.
    pub fn is_habit(&self) -> bool {
        self.steps >= HABIT
    }

    /// Somebody reads on in a file.
    pub fn reads_on(&mut self, ino: Ino) {
        if self.last == ino {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: u64 = 7 << 32;

    fn go(ends: &mut Ends, numbers: impl IntoIterator<Item = u64>) -> Vec<Range<u64>> {
        numbers
            .into_iter()
            .filter_map(|number| ends.looks_into(Ino(FIRST + number)))
            .map(|range| range.start - FIRST..range.end - FIRST)
            .collect()
    }

    #[test]
    fn who_looks_into_files_in_a_row_gets_the_next_ones_once() {
        let mut ends = Ends::default();
        assert_eq!(go(&mut ends, 0..3), []);
        assert_eq!(go(&mut ends, 3..30), [4..19, 19..27, 27..35, 35..43]);
        assert_eq!(go(&mut ends, [36, 42, 45]), [43..52, 52..61]);
    }

    #[test]
    fn an_end_is_not_all_of_a_file_nor_its_middle() {
        assert_eq!(End::of(&(0..10), 100), Some(End::Head));
        assert_eq!(End::of(&(90..100), 100), Some(End::Tail));
        assert_eq!([End::of(&(0..100), 100), End::of(&(10..90), 100)], [None, None]);
        assert_eq!([End::Head.range(10, 100), End::Head.range(10, 5)], [0..10, 0..5]);
        assert_eq!([End::Tail.range(10, 100), End::Tail.range(10, 5)], [90..100, 0..5]);
    }

    #[test]
    fn reading_on_and_going_elsewhere_end_the_habit() {
        let mut ends = Ends::default();
        go(&mut ends, 0..4);
        ends.reads_on(Ino(FIRST + 1));
        assert_eq!(go(&mut ends, [11]).len(), 1, "another file was read on");
        ends.reads_on(Ino(FIRST + 11));
        assert_eq!(go(&mut ends, 12..15), [], "counted from the start");
        assert_eq!(go(&mut ends, [15]).len(), 1);
        assert_eq!(go(&mut ends, [5, 100, 6, 101, 7, 102, 8]), []);
        assert_eq!(go(&mut ends, (0..100).rev()), []);
    }
}
