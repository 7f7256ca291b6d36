//! One file's bytes that are not in the metadata yet.

use std::collections::BTreeMap;

use crate::base::Timestamp;

/// What getattr shows instead of the record while data is dirty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirtyAttr {
    pub size: u64,
    /// When it was written; None: the record's times are right.
    pub time: Option<Timestamp>,
    /// Bytes that settling will add to the record's `allocated`.
    pub extra_allocated: u64,
}

/// The valid bytes of one chunk, 1..=chunk size; what follows them in the chunk is zeros.
pub(super) struct DirtyChunk {
    pub bytes: Vec<u8>,
    /// How many bytes the record had when the chunk became dirty.
    pub recorded: u64,
}

/// Everything dirty about one file. `Default` is a clean file.
#[derive(Default)]
pub(super) struct FileState {
    pub chunks: BTreeMap<u64, DirtyChunk>,
    /// Size and times since the first write that is not settled; None: clean.
    pub attr: Option<Written>,
}

/// Size and time that go into the next `Op::Write`.
#[derive(Clone, Copy)]
pub(super) struct Written {
    pub size: u64,
    /// Modification and change time; None: they stay as the record has them.
    pub time: Option<Timestamp>,
}

impl FileState {
    /// What getattr must show, if anything is dirty.
    pub fn attr(&self) -> Option<DirtyAttr> {
        let written = self.attr?;
        let extra =
            self.chunks.values().map(|chunk| (chunk.bytes.len() as u64).saturating_sub(chunk.recorded));
        Some(DirtyAttr { size: written.size, time: written.time, extra_allocated: extra.sum() })
    }

    /// True when nothing waits to be settled.
    pub fn is_clean(&self) -> bool {
        self.attr.is_none()
    }

    /// Bytes held in dirty chunks.
    pub fn bytes(&self) -> u64 {
        self.chunks.values().map(|chunk| chunk.bytes.len() as u64).sum()
    }

    /// Forgets everything; returns how many bytes that freed.
    pub fn clear(&mut self) -> u64 {
        let freed = self.bytes();
        self.chunks.clear();
        self.attr = None;
        freed
    }

    /// Drops dirty bytes at and past `size`; returns how many bytes that freed.
    pub fn cut(&mut self, size: u64, chunk_size: u64) -> u64 {
        let before = self.bytes();
        let keep = size.div_ceil(chunk_size);
        self.chunks.split_off(&keep);
        let tail = (size % chunk_size) as usize;
        if tail != 0
            && let Some(chunk) = self.chunks.get_mut(&(size / chunk_size))
        {
            chunk.bytes.truncate(tail);
        }
        before - self.bytes()
    }

    /// Drops the dirty chunks `from..to` whole; returns how many bytes that freed.
    pub fn drop_chunks(&mut self, from: u64, to: u64) -> u64 {
        let doomed: Vec<u64> = self.chunks.range(from..to).map(|(index, _)| *index).collect();
        doomed
            .into_iter()
            .filter_map(|index| self.chunks.remove(&index))
            .map(|chunk| chunk.bytes.len() as u64)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(chunks: &[(u64, usize)]) -> FileState {
        let mut state = FileState::default();
        for (index, len) in chunks {
            state.chunks.insert(*index, DirtyChunk { bytes: vec![1; *len], recorded: 0 });
        }
        state
    }

    #[test]
    fn a_cut_keeps_the_bytes_before_it_and_says_what_it_freed() {
        let mut file = state(&[(0, 10), (1, 10), (2, 4)]);
        assert_eq!(file.cut(13, 10), 11);
        assert_eq!(file.bytes(), 13);
        assert_eq!(file.cut(10, 10), 3);
        assert_eq!(file.chunks.len(), 1);
        assert_eq!(file.cut(0, 10), 10);
        assert!(file.chunks.is_empty());
    }

    #[test]
    fn a_cut_beyond_the_data_frees_nothing() {
        let mut file = state(&[(0, 3)]);
        assert_eq!(file.cut(9, 10), 0);
        assert_eq!(file.cut(3, 10), 0);
    }
}
