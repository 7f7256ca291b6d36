//! read(2).

use std::ops::Range;

use bytes::Bytes;

use super::Content;
use super::base::Recorded;
use crate::base::Ino;
use crate::fs::error::FsError;

/// A part of one chunk: `at..at+len` within it.
struct Part {
    index: u64,
    at: usize,
    len: usize,
}

impl Content {
    /// Up to `len` bytes from `offset`; fewer only at the end of the file. Blocks for bucket I/O, with
    /// no lock and no permit held.
    ///
    /// # Errors
    /// `Stale` when the file is gone, `Volume(Data(_))` when a chunk cannot be fetched or opened.
    pub fn read(&self, ino: Ino, offset: u64, len: u32) -> Result<Vec<u8>, FsError> {
        let size = self.size(ino)?;
        let end = size.min(offset.saturating_add(u64::from(len)));
        if offset >= end {
            return Ok(Vec::new());
        }
        let parts = self.parts(offset, end);
        let mut pieces = self.dirty_pieces(ino, &parts);
        let clean = |(part, piece): (&Part, &Option<Bytes>)| piece.is_none().then_some(part.index);
        let mut indexes = parts.iter().zip(&pieces).filter_map(clean);
        if let Some(first) = indexes.next() {
            let last = indexes.next_back().unwrap_or(first);
            let recorded = self.recorded(ino, first, last + 1)?;
            self.read_ahead(ino, offset, end, size);
            self.recorded_pieces(&parts, &recorded, &mut pieces)?;
            self.leave_behind(ino, &(offset..end), size, &recorded);
        }
        let mut answer = Vec::with_capacity((end - offset) as usize);
        let mut filled = 0;
        for (part, piece) in parts.iter().zip(pieces) {
            answer.extend_from_slice(&piece.unwrap_or_default());
            filled += part.len;
            // What the chunk does not have reads as zeros.
            answer.resize(filled, 0);
        }
        Ok(answer)
    }

    fn parts(&self, offset: u64, end: u64) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut at = offset;
        while at < end {
            let index = at / self.chunk_size;
            let stop = end.min((index + 1) * self.chunk_size);
            parts.push(Part { index, at: (at % self.chunk_size) as usize, len: (stop - at) as usize });
            at = stop;
        }
        parts
    }

    /// The bytes of the parts that are dirty, each at most as long as its part.
    fn dirty_pieces(&self, ino: Ino, parts: &[Part]) -> Vec<Option<Bytes>> {
        let Some(file) = self.table.existing(ino) else { return vec![None; parts.len()] };
        let state = file.state.lock();
        let dirty = |part: &Part| {
            let chunk = state.chunks.get(&part.index)?;
            Some(Bytes::copy_from_slice(chunk.bytes.get(part.within(chunk.bytes.len())).unwrap_or_default()))
        };
        parts.iter().map(dirty).collect()
    }

    /// Fetches the parts that have no piece yet and are no holes.
    fn recorded_pieces(
        &self,
        parts: &[Part],
        recorded: &[(u64, Recorded)],
        pieces: &mut [Option<Bytes>],
    ) -> Result<(), FsError> {
        let mut wanted = Vec::with_capacity(parts.len());
        let mut chunks = Vec::with_capacity(parts.len());
        for (at, part) in parts.iter().enumerate().filter(|(at, _)| pieces[*at].is_none()) {
            if let Ok(found) = recorded.binary_search_by_key(&part.index, |(index, _)| *index) {
                wanted.push(at);
                chunks.push(recorded[found].1.clone());
            }
        }
        for (at, chunk) in wanted.into_iter().zip(self.fetch(&chunks)?) {
            pieces[at] = Some(chunk.slice(parts[at].within(chunk.len())));
        }
        Ok(())
    }
}

impl Part {
    /// Where the part lies in a chunk of `len` valid bytes.
    fn within(&self, len: usize) -> Range<usize> {
        self.at.min(len)..(self.at + self.len).min(len)
    }
}
