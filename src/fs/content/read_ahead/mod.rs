//! Reading ahead of sequential readers.
//!
//! A reader that goes on where it stopped gets a window that doubles up to what memory allows; a read anywhere
//! else may be the beginning of another reader. Only references are looked up here; the data layer fetches in
//! the background and bounds itself. What it does not take is asked for again later.
//!
//! Several readers of one file (processes, or threads of one that each go through a part) are kept apart by
//! where they read, not by their handles: maps have none, and the kernel's read-ahead mixes them. One of them may go
//! backwards, and some may read parts at a constant distance. Who reads whole files gets the next one at its first read; who
//! reads the beginnings or the ends of files in the order of their numbers, those of the next ones; and who goes through the files
//! of a directory in any of its orders, the next ones before it comes to them.

mod backward;
mod ends;
mod fetch;
mod folders;
mod next;
mod orders;
mod stream;
mod stride;
mod strides;
mod walk;
mod whole;

#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::ops::Range;

use lru::LruCache;
use parking_lot::Mutex;

use crate::base::Ino;
use backward::Backward;
use ends::{End, Ends};
use folders::{Files, Folders, Part, Stamp};
use orders::Orders;
use stream::{Step, Stream};
use strides::Strides;
use walk::Next;
use whole::Whole;

/// Files whose readers are remembered.
const FILES: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// Readers remembered of one file.
const STREAMS: usize = 8;
/// Readers share the memory with all who read within so many reads.
const RECENT: u64 = 256;
/// Files of so many bytes lie in the metadata.
const TINY: u64 = 4 << 10;
/// Files remembered that were read whole before that was a habit.
const ENDED: usize = 4;
/// No window is wider, in bytes: the data layer has no more under way.
const WIDEST: u64 = 32 << 20;

/// The readers of all files.
#[derive(Default)]
pub(super) struct ReadAhead {
    readers: Mutex<Readers>,
}

/// What to fetch before somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ahead {
    Here(Here),
    Others(Others),
    /// The same part of the next files, if this one is of a walk.
    Next(Part),
}

/// Bytes of the file that is read, those first that come first.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Here {
    Up(Range<u64>),
    Down(Range<u64>),
    /// From the beginning, with what is read now.
    Whole(Range<u64>),
    /// Just these.
    Parts(Vec<Range<u64>>),
}

/// The first or the last `len` bytes of the files with these numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Others {
    inodes: Range<u64>,
    end: End,
    len: u64,
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
    strides: Strides,
}

struct Readers {
    files: LruCache<Ino, File>,
    whole: Whole,
    heads: Ends,
    tails: Ends,
    folders: Folders,
    /// Read to their ends before that was a habit, oldest first.
    ended: Vec<Ino>,
    /// Counts reads.
    now: u64,
}

impl ReadAhead {
    pub fn forget(&self, ino: Ino) {
        self.readers.lock().files.pop(&ino);
    }

    /// Notes a read of a file of `size` bytes and returns the bytes to fetch ahead of it, if any. All windows together have
    /// `budget` bytes.
    fn note(&self, ino: Ino, read: &Range<u64>, size: u64, budget: u64) -> Option<Ahead> {
        let mut readers = self.readers.lock();
        readers.now += 1;
        let Readers { files, now, .. } = &mut *readers;
        let (File { streams, backward, strides }, now) = (files.get_or_insert_mut(ino, File::default), *now);
        let sequential = streams.iter().any(|stream| stream.may_have_sent(read));
        if let Some((at, step)) = strides.note(read, now, sequential) {
            readers.reads_on(ino, read.end, size);
            return if step == Step::On { readers.note_part(ino, at, size, budget) } else { None };
        }
        if read.start == 0 {
            // Somebody begins, and is not one of those who are done.
            streams.retain(|stream| !stream.is_done());
        }
        let Some((at, step)) = find(streams, read) else {
            return readers.note_new(ino, read, size, budget);
        };
        streams[at].seen = now;
        let ends = streams[at].ends(size);
        if step == Step::On {
            backward.interrupt();
        }
        let leaves = readers.reads_on(ino, read.end, size);
        if ends {
            readers.ends(ino);
        }
        if step == Step::On {
            if leaves {
                return None;
            }
            let widest = readers.share(budget);
            let stream = readers.files.get_mut(&ino)?.streams.get_mut(at)?;
            return stream.ask(size, widest).map(Here::Up).map(Ahead::Here);
        }
        readers.note_backward(ino, read, budget)
    }

    /// Whether a read was one of a sequential reader, and of which kind.
    fn left(&self, ino: Ino, read: &Range<u64>) -> Option<Direction> {
        let readers = self.readers.lock();
        let File { streams, backward, strides } = readers.files.peek(&ino)?;
        if let Some(down) = strides.covers(read) {
            return Some(if down { Direction::Down } else { Direction::Up });
        }
        match streams.iter().any(|stream| stream.has_left(read)) {
            true => Some(Direction::Up),
            false => backward.has_left(read).then_some(Direction::Down),
        }
    }

    /// The data layer has no room: of `ahead`, `chunk` and what comes after it is not being fetched.
    fn refused(&self, ino: Ino, ahead: &Here, chunk: &Range<u64>) {
        let mut readers = self.readers.lock();
        let Some(file) = readers.files.get_mut(&ino) else { return };
        match ahead {
            Here::Up(range) | Here::Whole(range) => {
                file.streams.iter_mut().for_each(|s| s.refused(range.end, chunk.start.max(range.start)));
            }
            Here::Down(range) => file.backward.refused(range.start, chunk.end.min(range.end)),
            Here::Parts(_) => file.strides.refused(chunk),
        }
    }
}

/// Who goes through directories.
impl ReadAhead {
    /// The files that were read whole before that was a habit.
    fn take_ended(&self) -> Vec<Ino> {
        std::mem::take(&mut self.readers.lock().ended)
    }

    fn come_to(&self, directory: Ino, files: &[Ino], part: Part) -> bool {
        self.readers.lock().folders.come_to(directory, files, part)
    }

    fn must_learn(&self, directory: Ino, now: Stamp) -> bool {
        self.readers.lock().folders.must_learn(directory, now)
    }

    fn learnt(&self, directory: Ino, orders: Orders) {
        self.readers.lock().folders.learnt(directory, orders);
    }

    /// The files whose part to fetch now, if any, and how many bytes may be due together. All windows together have `budget`.
    fn next(&self, directory: Ino, part: Part, budget: u64) -> Option<(Files, u64)> {
        let mut readers = self.readers.lock();
        // The file that is being read has its own window.
        let most = readers.share(budget) / 4 * 3;
        Some((readers.folders.next(directory, part, most)?, most))
    }

    fn took(&self, directory: Ino, part: Part, next: &Next, taken: impl IntoIterator<Item = (u32, u64)>) {
        self.readers.lock().folders.took(directory, part, next, taken);
    }
}

impl Default for Readers {
    fn default() -> Self {
        Self {
            files: LruCache::new(FILES),
            whole: Whole::default(),
            heads: Ends::default(),
            tails: Ends::default(),
            folders: Folders::default(),
            ended: Vec::new(),
            now: 0,
        }
    }
}

impl Readers {
    /// Somebody reads on up to `end` in a file of `size` bytes. True for who will leave it soon.
    fn reads_on(&mut self, ino: Ino, end: u64, size: u64) -> bool {
        self.heads.reads_on(ino);
        self.tails.reads_on(ino);
        self.folders.reads_on(ino, end, size)
    }

    /// Somebody has read a file from its beginning to its end.
    fn ends(&mut self, ino: Ino) {
        if !self.whole.is_habit() && self.ended.len() < ENDED {
            self.ended.push(ino);
        }
        self.whole.ends();
    }

    /// Notes a read that nobody who is known goes on with.
    fn note_new(&mut self, ino: Ino, read: &Range<u64>, size: u64, budget: u64) -> Option<Ahead> {
        let Self { files, whole, heads, tails, now, .. } = self;
        let streams = &mut files.get_mut(&ino)?.streams;
        let first = streams.is_empty();
        let at = begin(streams, read, *now);
        if read.end < size && streams[at].begins(read, first) && whole.begins() {
            let widest = self.share(budget);
            let stream = self.files.get_mut(&ino)?.streams.get_mut(at)?;
            return Some(Ahead::Here(Here::Whole(stream.ask_whole(size, widest))));
        }
        if read.start == 0 && read.end >= size && size > TINY {
            return self.note_backward(ino, read, budget).or(Some(Ahead::Next(Part::Whole)));
        }
        if let Some(end) = End::of(read, size).filter(|_| !streams.iter().any(Stream::is_sequential)) {
            let ends = if end == End::Head { heads } else { tails };
            let len = read.end - read.start;
            if let Some(inodes) = ends.looks_into(ino) {
                return Some(Ahead::Others(Others { inodes, end, len }));
            }
            if !ends.is_habit() {
                return self.note_backward(ino, read, budget).or(Some(Ahead::Next(Part::End(end, len))));
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
        self.files.get_mut(&ino)?.backward.ask(widest).map(Here::Down).map(Ahead::Here)
    }

    /// Notes that the reader of parts number `at` of the file went on.
    fn note_part(&mut self, ino: Ino, at: usize, size: u64, budget: u64) -> Option<Ahead> {
        let File { streams, strides, .. } = self.files.get_mut(&ino)?;
        // In a part that takes several requests it looked like a reader that goes on.
        streams.retain(|stream| strides.covers(&stream.here()).is_none());
        let widest = self.share(budget);
        let parts = self.files.get_mut(&ino)?.strides.ask(at, size, widest);
        (!parts.is_empty()).then_some(Ahead::Here(Here::Parts(parts)))
    }

    /// What one reader may have of `budget`.
    fn share(&self, budget: u64) -> u64 {
        let recent = |seen: u64| seen + RECENT > self.now;
        let of_file = |file: &File| {
            let up = file.streams.iter().filter(|stream| stream.is_sequential() && recent(stream.seen));
            let down = file.backward.is_sequential() && recent(file.backward.seen());
            up.count() + usize::from(down) + file.strides.seen().filter(|seen| recent(*seen)).count()
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
