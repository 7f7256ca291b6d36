//! Looking up what read-ahead wants, and having it fetched.

use std::ops::Range;
use std::sync::{Arc, Weak};

use super::folders::Part;
use super::{Ahead, Direction, Here, Others};
use crate::base::Ino;
use crate::data::Want;
use crate::fs::content::Content;
use crate::fs::content::base::Recorded;
use crate::fs::error::FsError;
use crate::meta::read;
use crate::meta::record::SegmentRecord;
use crate::meta::view::View;

/// How many of what is to be fetched without the last segment, if others come before it and more of it comes after: all of
/// that is for the next time, in one request. Files do not begin with a segment, nor do segments end with their steps.
pub(super) fn whole_segments(wants: &[Want]) -> usize {
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
    pub(in crate::fs::content) fn leave_behind(
        &self,
        ino: Ino,
        read: &Range<u64>,
        size: u64,
        recorded: &[(u64, Recorded)],
    ) {
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

    /// Starts fetching what somebody who reads `offset..end` of a file of `size` bytes will want next.
    pub(in crate::fs::content) fn read_ahead(&self, ino: Ino, offset: u64, end: u64, size: u64) {
        match self.read_ahead.note(ino, &(offset..end), size, self.volume.data().read_ahead_bytes()) {
            None => {}
            Some(Ahead::Here(Here::Parts(parts))) => self.fetch_parts(ino, parts),
            Some(Ahead::Here(here @ Here::Whole(_))) => {
                self.fetch_here(ino, here, size);
                self.fetch_next(ino, Part::Whole);
            }
            Some(Ahead::Here(here)) => self.fetch_here(ino, here, size),
            Some(Ahead::Others(others)) => self.fetch_others(others),
            Some(Ahead::Next(part)) => self.fetch_next(ino, part),
        }
    }

    /// Starts fetching a stretch of a file of `size` bytes.
    fn fetch_here(&self, ino: Ino, here: Here, size: u64) {
        let (Here::Up(range) | Here::Down(range) | Here::Whole(range)) = &here else { return };
        let mut found = match self.volume.read(|view| self.wants(view, ino, range)) {
            Ok(found) => found,
            // Only a hint: the read itself will meet the same error and report it.
            Err(error) => return log::debug!("inode {ino}: no read-ahead: {error}"),
        };
        if matches!(here, Here::Down(_)) {
            found.reverse();
        }
        let (indexes, wants): (Vec<u64>, Vec<Want>) = found.into_iter().unzip();
        let data = self.volume.data();
        let taken = match here {
            Here::Whole(_) => data.prefetch_file(&wants),
            Here::Up(_) if range.end < size => data.prefetch(&wants[..whole_segments(&wants)]),
            Here::Up(_) | Here::Down(_) | Here::Parts(_) => data.prefetch(&wants),
        };
        self.note_refused(ino, &here, indexes.get(taken));
    }

    /// Starts fetching these parts of a file.
    fn fetch_parts(&self, ino: Ino, parts: Vec<Range<u64>>) {
        let here = Here::Parts(parts.clone());
        let find = move |content: &Self, view: &dyn View| {
            let found = parts.iter().map(|part| content.wants(view, ino, part));
            Ok(found.collect::<Result<Vec<_>, _>>()?.concat())
        };
        self.look_up(find, move |content, found| {
            let (indexes, wants): (Vec<u64>, Vec<Want>) = found.into_iter().unzip();
            let taken = content.volume.data().prefetch_parts(&wants);
            content.note_refused(ino, &here, indexes.get(taken));
        });
    }

    /// Starts fetching the beginnings or ends of files that somebody is likely to look into next.
    fn fetch_others(&self, Others { inodes, end, len }: Others) {
        let find = move |content: &Self, view: &dyn View| {
            let mut found = Vec::new();
            for ino in inodes.clone().map(Ino) {
                // Not every number is a file's. What is not settled yet is not missed.
                if let Some(inode) = read::inode(view, ino)? {
                    found.extend(content.wants(view, ino, &end.range(len, inode.size))?);
                }
            }
            Ok(found)
        };
        self.look_up(find, |content, found| {
            let wants: Vec<Want> = found.into_iter().map(|(_, want)| want).collect();
            content.volume.data().prefetch_parts(&wants);
        });
    }

    /// The chunks of these bytes of a file, with their indexes.
    pub(super) fn wants(
        &self,
        view: &dyn View,
        ino: Ino,
        range: &Range<u64>,
    ) -> Result<Vec<(u64, Want)>, FsError> {
        let (from, to) = (range.start / self.chunk_size, range.end.div_ceil(self.chunk_size));
        let recorded = self.recorded_in(view, ino, from, to)?;
        Ok(recorded.iter().filter_map(|(index, chunk)| Some((*index, chunk.want()?.clone()))).collect())
    }

    /// Looks up what may lie all over the tree, and has it fetched: at once if memory knows it, else while the reader goes on.
    pub(super) fn look_up<T: 'static>(
        &self,
        find: impl Fn(&Self, &dyn View) -> Result<T, FsError> + Send + 'static,
        fetch: impl FnOnce(&Self, T) + Send + 'static,
    ) {
        let finish = |content: &Self, found: Result<T, FsError>| match found {
            Ok(found) => fetch(content, found),
            // Only a hint: whoever reads will meet the same error and report it.
            Err(error) => log::debug!("no read-ahead: {error}"),
        };
        if let Some(found) = self.volume.peek(|view| find(self, view)) {
            return finish(self, found);
        }
        self.in_background(move |content| finish(content, content.volume.read(|view| find(content, view))));
    }

    /// Does `work` on another thread, unless the volume is gone by then.
    pub(super) fn in_background(&self, work: impl FnOnce(&Self) + Send + 'static) {
        let content = Weak::clone(&self.me);
        self.volume.runtime().spawn_blocking(move || {
            if let Some(content) = content.upgrade() {
                work(&content);
            }
        });
    }

    /// From this chunk on nothing is being fetched, if there is one.
    fn note_refused(&self, ino: Ino, here: &Here, first: Option<&u64>) {
        if let Some(first) = first {
            let chunk = first * self.chunk_size..(first + 1) * self.chunk_size;
            self.read_ahead.refused(ino, here, &chunk);
        }
    }
}
