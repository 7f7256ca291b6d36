//! Reading ahead of sequential readers.
//!
//! A reader that goes on where it stopped gets a window that doubles up to what memory allows; a read anywhere
//! else may be the beginning of another reader. Only references are looked up here; the data layer fetches in
//! the background and bounds itself. What it does not take is asked for again later.
//!
//! Several readers of one file (processes, or threads of one that each go through a part) are kept apart by
//! where they read, not by their handles: maps have none, and the kernel's read-ahead mixes them. One of them may go
//! backwards. Who reads whole files gets the next one at its first read; who reads the beginnings or the ends of files, those of the next ones.

mod backward;
mod ends;
mod stream;
mod whole;

#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

use super::Content;
use super::base::Recorded;
use crate::base::Ino;
use crate::data::Want;
use crate::meta::record::SegmentRecord;
use backward::Backward;
use ends::{End, Ends};
use stream::{Step, Stream};
use whole::Whole;

/// Files whose readers are remembered.
const FILES: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// Readers remembered of one file.
const STREAMS: usize = 8;
/// Readers share the memory with all who read within so many reads.
const RECENT: u64 = 256;
/// No window is wider, in bytes: the data layer has no more under way.
const WIDEST: u64 = 32 << 20;

/// The readers of all files.
pub(super) struct ReadAhead {
    readers: Mutex<Readers>,
    /// Bytes of all windows together.
    budget: u64,
}

/// What to fetch before somebody asks for it: bytes of the file, those first that come first.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ahead {
    Up(Range<u64>),
    Down(Range<u64>),
    /// From the beginning of a file, with what is read now.
    Whole(Range<u64>),
    /// The first or the last `len` bytes of the files with these numbers.
    Ends {
        inodes: Range<u64>,
        end: End,
        len: u64,
    },
}

/// Where a sequential reader goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

#[derive(Default)]
struct File {
    streams: Vec<Stream>,
    backward: Backward,
}

struct Readers {
    files: LruCache<Ino, File>,
    whole: Whole,
    heads: Ends,
    tails: Ends,
    /// Counts reads.
    now: u64,
}

impl ReadAhead {
    /// `budget`: bytes that may be fetched ahead of all readers together and will live until they are read.
    pub fn new(budget: u64) -> Self {
        let readers = Readers {
            files: LruCache::new(FILES),
            whole: Whole::default(),
            heads: Ends::default(),
            tails: Ends::default(),
            now: 0,
        };
        Self { readers: Mutex::new(readers), budget }
    }

    pub fn forget(&self, ino: Ino) {
        self.readers.lock().files.pop(&ino);
    }

    /// Notes a read of a file of `size` bytes and returns the bytes to fetch ahead of it, if any.
    fn note(&self, ino: Ino, read: &Range<u64>, size: u64) -> Option<Ahead> {
        let mut readers = self.readers.lock();
        readers.now += 1;
        let Readers { files, whole, heads, tails, now } = &mut *readers;
        let (File { streams, backward }, now) = (files.get_or_insert_mut(ino, File::default), *now);
        if read.start == 0 {
            // Somebody begins, and is not one of those who are done.
            streams.retain(|stream| !stream.is_done());
        }
        let Some((at, step)) = find(streams, read) else {
            return readers.note_new(ino, read, size, self.budget);
        };
        heads.reads_on(ino);
        tails.reads_on(ino);
        streams[at].seen = now;
        if streams[at].ends(size) {
            whole.ends();
        }
        if step == Step::On {
            backward.interrupt();
            let widest = readers.share(self.budget);
            return readers.files.get_mut(&ino)?.streams.get_mut(at)?.ask(size, widest).map(Ahead::Up);
        }
        readers.note_backward(ino, read, self.budget)
    }

    /// Whether a read was one of a sequential reader, and of which kind.
    fn left(&self, ino: Ino, read: &Range<u64>) -> Option<Direction> {
        let readers = self.readers.lock();
        let File { streams, backward } = readers.files.peek(&ino)?;
        match streams.iter().any(|stream| stream.has_left(read)) {
            true => Some(Direction::Up),
            false => backward.has_left(read).then_some(Direction::Down),
        }
    }

    /// The data layer has no room: of `ahead`, `chunk` and what comes after it is not being fetched.
    fn refused(&self, ino: Ino, ahead: &Ahead, chunk: &Range<u64>) {
        let mut readers = self.readers.lock();
        let Some(file) = readers.files.get_mut(&ino) else { return };
        match ahead {
            Ahead::Up(range) | Ahead::Whole(range) => {
                file.streams.iter_mut().for_each(|s| s.refused(range.end, chunk.start.max(range.start)));
            }
            Ahead::Down(range) => file.backward.refused(range.start, chunk.end.min(range.end)),
            Ahead::Ends { .. } => {}
        }
    }
}

impl Readers {
    /// Notes a read that nobody who is known goes on with.
    fn note_new(&mut self, ino: Ino, read: &Range<u64>, size: u64, budget: u64) -> Option<Ahead> {
        let Self { files, whole, heads, tails, now } = self;
        let streams = &mut files.get_mut(&ino)?.streams;
        let first = streams.is_empty();
        let at = begin(streams, read, *now);
        if read.end < size && streams[at].begins(read, first) && whole.begins() {
            let widest = self.share(budget);
            let stream = self.files.get_mut(&ino)?.streams.get_mut(at)?;
            return Some(Ahead::Whole(stream.ask_whole(size, widest)));
        }
        if let Some(end) = End::of(read, size).filter(|_| !streams.iter().any(Stream::is_sequential)) {
            let ends = if end == End::Head { heads } else { tails };
            if let Some(inodes) = ends.looks_into(ino) {
                return Some(Ahead::Ends { inodes, end, len: read.end - read.start });
            }
        }
        self.note_backward(ino, read, budget)
    }

    /// Notes a read that is not of a forward reader who goes on.
    fn note_backward(&mut self, ino: Ino, read: &Range<u64>, budget: u64) -> Option<Ahead> {
        let now = self.now;
        if !self.files.get_mut(&ino)?.backward.note(read, now) {
            return None;
        }
        let widest = self.share(budget);
        self.files.get_mut(&ino)?.backward.ask(widest).map(Ahead::Down)
    }

    /// What one reader may have of `budget`.
    fn share(&self, budget: u64) -> u64 {
        let recent = |seen: u64| seen + RECENT > self.now;
        let of_file = |file: &File| {
            let up = file.streams.iter().filter(|stream| stream.is_sequential() && recent(stream.seen));
            up.count() + usize::from(file.backward.is_sequential() && recent(file.backward.seen()))
        };
        let readers: usize = self.files.iter().map(|(_, file)| of_file(file)).sum();
        (budget / readers.max(1) as u64).min(WIDEST)
    }
}

/// The reader whose read this is: rather one that is just there than one that might have been overtaken.
fn find(streams: &mut [Stream], read: &Range<u64>) -> Option<(usize, Step)> {
    let there = streams.iter().position(|stream| stream.continues(read)).unwrap_or(0);
    let order = (there..streams.len()).chain(0..there);
    order.map(|at| (at, streams[at].note(read))).find(|(_, step)| *step != Step::Elsewhere)
}

/// Remembers a new reader, in place of one that did not turn out to be one, or of the one not seen for longest.
fn begin(streams: &mut Vec<Stream>, read: &Range<u64>, now: u64) -> usize {
    let stream = Stream::new(read, now);
    if streams.len() < STREAMS {
        streams.push(stream);
        return streams.len() - 1;
    }
    let oldest = (0..streams.len()).min_by_key(|at| (streams[*at].is_sequential(), streams[*at].seen));
    let at = oldest.unwrap_or(0);
    streams[at] = stream;
    at
}

/// How many of what is to be fetched without the last segment, if others come before it and more of it comes after: all of
/// that is for the next time, in one request. Files do not begin with a segment, nor do segments end with their steps.
fn whole_segments(wants: &[Want]) -> usize {
    let Some(last) = wants.last() else { return 0 };
    let goes_on = |record: &Arc<SegmentRecord>| (last.number as usize) + 1 < record.frames.len();
    let before = wants.iter().rposition(|want| want.segment != last.segment);
    match before {
        Some(before) if last.record.as_ref().is_some_and(goes_on) => before + 1,
        _ => wants.len(),
    }
}

impl Content {
    /// Lets the chunks go first that a sequential reader of a file of `size` bytes has left behind with this read: their
    /// memory is for what lies ahead. The kernel has their pages.
    pub(super) fn leave_behind(&self, ino: Ino, read: &Range<u64>, size: u64, recorded: &[(u64, Recorded)]) {
        let Some(direction) = self.read_ahead.left(ino, read) else { return };
        for (index, chunk) in recorded {
            let Some(want) = chunk.want() else { continue };
            let start = index * self.chunk_size;
            let left = match direction {
                Direction::Up => size.min(start + self.chunk_size) <= read.end,
                Direction::Down => start >= read.start,
            };
            if left {
                self.volume.data().left_behind(want.segment, want.number);
            }
        }
    }

    /// Starts fetching what a sequential reader of `offset..end` will want next.
    pub(super) fn read_ahead(&self, ino: Ino, offset: u64, end: u64, size: u64) {
        let Some(ahead) = self.read_ahead.note(ino, &(offset..end), size) else { return };
        let range = match &ahead {
            Ahead::Up(range) | Ahead::Down(range) | Ahead::Whole(range) => range,
            Ahead::Ends { inodes, end, len } => return self.fetch_ends(inodes.clone(), *end, *len),
        };
        let (from, to) = (range.start / self.chunk_size, range.end.div_ceil(self.chunk_size));
        let mut recorded = match self.recorded(ino, from, to) {
            Ok(recorded) => recorded,
            // Only a hint: the read itself will meet the same error and report it.
            Err(error) => return log::debug!("inode {ino}: no read-ahead: {error}"),
        };
        if matches!(ahead, Ahead::Down(_)) {
            recorded.reverse();
        }
        let frames = recorded.iter().filter_map(|(index, chunk)| Some((*index, chunk.want()?.clone())));
        let (indexes, wants): (Vec<u64>, Vec<Want>) = frames.unzip();
        let data = self.volume.data();
        let taken = match ahead {
            Ahead::Whole(_) => data.prefetch_file(&wants),
            Ahead::Up(_) if range.end < size => data.prefetch(&wants[..whole_segments(&wants)]),
            Ahead::Up(_) | Ahead::Down(_) | Ahead::Ends { .. } => data.prefetch(&wants),
        };
        if let Some(first) = indexes.get(taken) {
            let chunk = first * self.chunk_size..(first + 1) * self.chunk_size;
            self.read_ahead.refused(ino, &ahead, &chunk);
        }
    }

    /// Starts fetching the first or last `len` bytes of files that somebody is likely to look into next.
    fn fetch_ends(&self, inodes: Range<u64>, end: End, len: u64) {
        let chunks_of = |ino| {
            let range = end.range(len, self.size(ino)?);
            self.recorded(ino, range.start / self.chunk_size, range.end.div_ceil(self.chunk_size))
        };
        // Only a hint, and not every number is a file's: a reader will meet an error and report it.
        let known = |ino| match chunks_of(Ino(ino)) {
            Ok(chunks) => chunks,
            Err(error) => {
                log::debug!("inode {ino}: no read-ahead: {error}");
                Vec::new()
            }
        };
        let wants: Vec<Want> =
            inodes.flat_map(known).filter_map(|(_, chunk)| chunk.want().cloned()).collect();
        self.volume.data().prefetch_parts(&wants);
    }
}
