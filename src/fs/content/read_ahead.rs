//! Reading ahead of sequential readers.
//!
//! A reader that goes on where it stopped gets a window that doubles up to 8 MiB; any other read starts
//! over. Only references are looked up here; the data layer fetches in the background and bounds itself.

use lru::LruCache;
use parking_lot::Mutex;
use std::num::NonZeroUsize;

use super::Content;
use super::base::Recorded;
use crate::base::Ino;
use crate::data::Want;

const FIRST_WINDOW: u64 = 256 * 1024;
const LARGEST_WINDOW: u64 = 8 * 1024 * 1024;
/// Sequential readers remembered at once.
const READERS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

#[derive(Clone, Copy)]
struct Reader {
    /// Where the next read of a sequential reader begins, give or take what the kernel reorders.
    next: u64,
    window: u64,
    /// Up to where fetching was asked for already.
    asked: u64,
}

pub(super) struct ReadAhead {
    readers: Mutex<LruCache<Ino, Reader>>,
    chunk_size: u64,
}

impl ReadAhead {
    pub fn new(chunk_size: u64) -> Self {
        Self { readers: Mutex::new(LruCache::new(READERS)), chunk_size }
    }

    pub fn forget(&self, ino: Ino) {
        self.readers.lock().pop(&ino);
    }

    /// Notes a read of `offset..end` and returns the byte range to fetch ahead of it, if any.
    fn note(&self, ino: Ino, offset: u64, end: u64, size: u64) -> Option<(u64, u64)> {
        let mut readers = self.readers.lock();
        let known = readers.get(&ino).copied();
        // The kernel sends its own read-ahead in several requests that may overtake each other.
        let sequential = known.filter(|reader| {
            offset <= reader.next && offset + LARGEST_WINDOW >= reader.next && end > reader.next
        });
        let Some(reader) = sequential else {
            let repeated =
                known.is_some_and(|reader| end <= reader.next && offset + LARGEST_WINDOW >= reader.next);
            if !repeated {
                let window = if offset == 0 { FIRST_WINDOW } else { FIRST_WINDOW / 2 };
                readers.put(ino, Reader { next: end, window, asked: end });
            }
            return None;
        };
        let mut next = Reader { next: end, ..reader };
        let mut ahead = None;
        if end + reader.window / 2 >= reader.asked {
            let from = reader.asked.max(end);
            let to = (end + reader.window).min(size).max(from);
            next.window = (reader.window * 2).min(LARGEST_WINDOW);
            next.asked = to;
            ahead = (from < to).then_some((from, to));
        }
        readers.put(ino, next);
        ahead.map(|(from, to)| (from / self.chunk_size, to.div_ceil(self.chunk_size)))
    }
}

impl Content {
    /// Starts fetching what a sequential reader of `offset..end` will want next.
    pub(super) fn read_ahead(&self, ino: Ino, offset: u64, end: u64, size: u64) {
        let Some((from, to)) = self.read_ahead.note(ino, offset, end, size) else { return };
        let recorded = match self.recorded(ino, from, to) {
            Ok(recorded) => recorded,
            // Only a hint: the read itself will meet the same error and report it.
            Err(error) => return log::debug!("inode {ino}: no read-ahead: {error}"),
        };
        let data = self.volume.data();
        let wants: Vec<Want> = recorded
            .into_iter()
            .filter_map(|(_, chunk)| match chunk {
                Recorded::Frame { want, .. } => Some(want),
                Recorded::Hole | Recorded::Inline(_) => None,
            })
            .filter(|want| data.cached(want.segment, want.number).is_none())
            .collect();
        if !wants.is_empty() {
            data.prefetch(wants);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_sequential_reader_gets_a_growing_window_and_nothing_is_asked_twice() {
        let ahead = ReadAhead::new(65536);
        let mut asked_to = 0;
        let mut total = 0;
        for step in 0..256 {
            let offset = step * 131072;
            if let Some((from, to)) = ahead.note(Ino(2), offset, offset + 131072, 64 * MIB) {
                assert!(from >= asked_to, "chunk {from} asked for twice");
                asked_to = to;
                total += to - from;
            }
        }
        assert!(asked_to * 65536 >= 32 * MIB, "fell behind: {asked_to}");
        assert!(total * 65536 <= 48 * MIB);
    }

    #[test]
    fn random_reads_fetch_nothing_ahead() {
        let ahead = ReadAhead::new(65536);
        for step in [700, 3, 950, 40, 511, 77, 1000] {
            assert_eq!(ahead.note(Ino(2), step * 20 * MIB, step * 20 * MIB + 4096, 1 << 40), None);
        }
    }

    #[test]
    fn the_window_ends_with_the_file() {
        let ahead = ReadAhead::new(65536);
        assert_eq!(ahead.note(Ino(2), 0, 65536, 100_000), None);
        assert_eq!(ahead.note(Ino(2), 65536, 98_304, 100_000), Some((1, 2)));
        assert_eq!(ahead.note(Ino(2), 98_304, 100_000, 100_000), None);
    }
}
