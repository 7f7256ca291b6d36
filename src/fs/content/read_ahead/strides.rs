//! Finds who reads parts of a file at a constant distance, in both directions.
//!
//! A part is what is read in one piece. The kernel cuts a large read into requests, which overtake each other, and may read a little
//! further by itself: what touches belongs together, and the latest parts are remembered. Four of them at equal distances,
//! about equally long, the newest at the end, are a reader, whatever else was read between.
//!
//! Who goes downwards goes upwards in the mirrored file.

use std::ops::Range;

use super::backward::mirror;
use super::stream::Step;
use super::stride::{Stride, slack};
use crate::fs::content::MAX_FILE;

/// Parts remembered.
const PARTS: usize = 8;
/// Readers of one file that are known: two columns in turn are two.
const READERS: usize = 4;
/// What is longer is no part: reading it shows to be sequential.
const LONGEST: u64 = 4 << 20;

/// A reader and the way it goes.
#[derive(Debug)]
struct Reader {
    stride: Stride,
    down: bool,
}

/// The readers of one file.
#[derive(Debug, Default)]
pub(super) struct Strides {
    /// The latest, oldest first. No two touch.
    parts: Vec<Range<u64>>,
    readers: Vec<Reader>,
}

/// The same in the file that the reader goes upwards in.
fn seen_by(down: bool, range: &Range<u64>) -> Range<u64> {
    if down { mirror(range) } else { range.clone() }
}

impl Strides {
    /// Takes a request, if it is such a reader's: which one's, and what it means to it. `sequential`: it seems to be one of somebody
    /// who leaves nothing out, whose requests overtake each other.
    pub fn note(&mut self, read: &Range<u64>, now: u64, sequential: bool) -> Option<(usize, Step)> {
        let mut found = None;
        let mut at = 0;
        while at < self.readers.len() && found.is_none() {
            let Reader { stride, down } = &mut self.readers[at];
            match stride.note(&seen_by(*down, read), now) {
                None => drop(self.readers.remove(at)),
                Some(Step::Elsewhere) => at += 1,
                Some(step) => found = Some((at, step)),
            }
        }
        found.or_else(|| {
            let newest = self.keep(read).filter(|_| !sequential)?;
            self.find(&newest, now).map(|at| (at, Step::On))
        })
    }

    /// What to fetch ahead of a reader that went on in a file of `size` bytes, those first that come first.
    pub fn ask(&mut self, at: usize, size: u64, widest: u64) -> Vec<Range<u64>> {
        let Some(Reader { stride, down }) = self.readers.get_mut(at) else { return Vec::new() };
        match *down {
            false => stride.ask(size, widest),
            true => stride.ask(MAX_FILE, widest).iter().map(mirror).collect(),
        }
    }

    /// The data layer has no room: of what was asked for, `chunk` and what comes after it is not being fetched.
    pub fn refused(&mut self, chunk: &Range<u64>) {
        self.readers
            .iter_mut()
            .for_each(|Reader { stride, down }| stride.refused(seen_by(*down, chunk).start));
    }

    /// Which way the reader goes whose place this is.
    pub fn covers(&self, read: &Range<u64>) -> Option<bool> {
        let theirs = |reader: &&Reader| reader.stride.covers(seen_by(reader.down, read).start);
        self.readers.iter().find(theirs).map(|reader| reader.down)
    }

    /// When each reader was last seen.
    pub fn seen(&self) -> impl Iterator<Item = u64> {
        self.readers.iter().map(|reader| reader.stride.seen)
    }

    /// Looks whether the newest part makes a new reader.
    fn find(&mut self, newest: &Range<u64>, now: u64) -> Option<usize> {
        let (down, parts) = [false, true].into_iter().find_map(|down| {
            let parts: Vec<_> = self.parts.iter().map(|part| seen_by(down, part)).collect();
            Some((down, row(&parts, &seen_by(down, newest))?))
        })?;
        let stride = Stride::new(&parts, now)?;
        self.parts.retain(|part| !parts.contains(&seen_by(down, part)));
        if self.readers.len() >= READERS {
            let oldest = (0..READERS).min_by_key(|at| self.readers[*at].stride.seen)?;
            self.readers.remove(oldest);
        }
        self.readers.push(Reader { stride, down });
        Some(self.readers.len() - 1)
    }

    /// Remembers a request; returns the part it became, if it may be one.
    fn keep(&mut self, read: &Range<u64>) -> Option<Range<u64>> {
        let touches = |part: &Range<u64>| part.start <= read.end && read.start <= part.end;
        let mut whole = read.clone();
        for part in self.parts.extract_if(.., |part| touches(part)) {
            whole = whole.start.min(part.start)..whole.end.max(part.end);
        }
        if whole.end - whole.start > LONGEST {
            return None;
        }
        if self.parts.len() >= PARTS {
            self.parts.remove(0);
        }
        self.parts.push(whole.clone());
        Some(whole)
    }
}

/// Four parts at equal distances, about equally long, of which the last is `newest`, which may go on still.
fn row(parts: &[Range<u64>], newest: &Range<u64>) -> Option<Vec<Range<u64>>> {
    let before = |part: &Range<u64>, step: u64| {
        let expected = part.start.checked_sub(step)?;
        parts.iter().find(|other| other.start.abs_diff(expected) <= slack(step) / 2)
    };
    parts.iter().filter(|part| part.start < newest.start).find_map(|third| {
        let step = newest.start - third.start;
        let second = before(third, step)?;
        let first = before(second, step)?;
        let lens = [first, second, third].map(|part| part.end - part.start);
        let [shortest, longest] = [lens.iter().min()?, lens.iter().max()?];
        let alike = *longest <= 2 * shortest && newest.end - newest.start <= 2 * longest;
        alike.then(|| [first, second, third, newest].map(Clone::clone).to_vec())
    })
}
