//! read(2).

use bytes::Bytes;

use super::Content;
use super::base::Recorded;
use crate::base::Ino;
use crate::fs::error::FsError;

/// A part of one chunk: `at..at+len` within it lands at `to` in the answer.
struct Part {
    index: u64,
    at: usize,
    len: usize,
    to: usize,
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
        let mut answer = vec![0; (end - offset) as usize];
        let clean = self.copy_dirty(ino, self.parts(offset, end), &mut answer);
        if let (Some(first), Some(last)) = (clean.first(), clean.last()) {
            let recorded = self.recorded(ino, first.index, last.index + 1)?;
            self.read_ahead(ino, offset, end, size);
            self.copy_recorded(clean, &recorded, &mut answer)?;
        }
        Ok(answer)
    }

    fn parts(&self, offset: u64, end: u64) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut at = offset;
        while at < end {
            let index = at / self.chunk_size;
            let stop = end.min((index + 1) * self.chunk_size);
            parts.push(Part {
                index,
                at: (at % self.chunk_size) as usize,
                len: (stop - at) as usize,
                to: (at - offset) as usize,
            });
            at = stop;
        }
        parts
    }

    /// Copies what is dirty and returns the parts that are not.
    fn copy_dirty(&self, ino: Ino, parts: Vec<Part>, answer: &mut [u8]) -> Vec<Part> {
        let Some(file) = self.table.existing(ino) else { return parts };
        let state = file.state.lock();
        parts
            .into_iter()
            .filter(|part| match state.chunks.get(&part.index) {
                Some(chunk) => {
                    copy_part(&chunk.bytes, part, answer);
                    false
                }
                None => true,
            })
            .collect()
    }

    fn copy_recorded(
        &self,
        parts: Vec<Part>,
        recorded: &[(u64, Recorded)],
        answer: &mut [u8],
    ) -> Result<(), FsError> {
        let wanted: Vec<(&Part, Recorded)> = parts
            .iter()
            .filter_map(|part| {
                let at = recorded.binary_search_by_key(&part.index, |(index, _)| *index).ok()?;
                Some((part, recorded[at].1.clone()))
            })
            .collect();
        let chunks: Vec<Recorded> = wanted.iter().map(|(_, chunk)| chunk.clone()).collect();
        let bytes: Vec<Bytes> = self.fetch(&chunks)?;
        for ((part, _), bytes) in wanted.iter().zip(bytes) {
            copy_part(&bytes, part, answer);
        }
        Ok(())
    }
}

/// Copies what the chunk has of the part; the rest of `answer` is zeros already.
fn copy_part(chunk: &[u8], part: &Part, answer: &mut [u8]) {
    let stop = chunk.len().min(part.at + part.len);
    if part.at < stop {
        let bytes = &chunk[part.at..stop];
        answer[part.to..part.to + bytes.len()].copy_from_slice(bytes);
    }
}
