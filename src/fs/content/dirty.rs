//! One file's bytes that are not in the metadata yet.

use std::collections::BTreeMap;

use crate::base::Timestamp;
use crate::object::Buffer;

/// What getattr shows instead of the record while data is dirty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirtyAttr {
    pub size: u64,
    /// When it was written; None: the record's times are right.
    pub time: Option<Timestamp>,
    /// Bytes that settling will add to the record's `allocated`.
    pub extra_allocated: u64,
}

/// What dirty chunks hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Amount {
    /// Bytes in memory.
    pub bytes: u64,
    /// Bytes that settling will add to the records: promised to the quota.
    pub growth: u64,
}

/// The valid bytes of one chunk, 1..=chunk size; what follows them in the chunk is zeros.
pub(super) struct DirtyChunk {
    pub bytes: Buffer,
    /// How many bytes the record had when the chunk became dirty.
    pub recorded: u64,
}

impl DirtyChunk {
    /// Bytes that settling will add to the record.
    pub fn growth(&self) -> u64 {
        (self.bytes.len() as u64).saturating_sub(self.recorded)
    }
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
        Some(DirtyAttr { size: written.size, time: written.time, extra_allocated: self.held().growth })
    }

    /// True when nothing waits to be settled.
    pub fn is_clean(&self) -> bool {
        self.attr.is_none()
    }

    /// What the dirty chunks hold.
    pub fn held(&self) -> Amount {
        amount(self.chunks.values())
    }

    /// Forgets everything; returns what that freed.
    pub fn clear(&mut self) -> Amount {
        let freed = self.held();
        self.chunks.clear();
        self.attr = None;
        freed
    }

    /// Drops dirty bytes at and past `size`, as the records do; returns what that freed.
    pub fn cut(&mut self, size: u64, chunk_size: u64) -> Amount {
        let before = self.held();
        let keep = size.div_ceil(chunk_size);
        self.chunks.split_off(&keep);
        let tail = (size % chunk_size) as usize;
        if tail != 0
            && let Some(chunk) = self.chunks.get_mut(&(size / chunk_size))
        {
            chunk.bytes.truncate(tail);
            chunk.recorded = chunk.recorded.min(tail as u64);
        }
        let after = self.held();
        Amount { bytes: before.bytes - after.bytes, growth: before.growth - after.growth }
    }

    /// Drops the dirty chunks `from..to` whole; returns what that freed.
    pub fn drop_chunks(&mut self, from: u64, to: u64) -> Amount {
        let indexes: Vec<u64> = self.chunks.range(from..to).map(|(index, _)| *index).collect();
        let doomed: Vec<_> = indexes.iter().filter_map(|index| self.chunks.remove(index)).collect();
        amount(doomed.iter())
    }
}

fn amount<'a>(chunks: impl Iterator<Item = &'a DirtyChunk>) -> Amount {
    chunks.fold(Amount::default(), |sum, chunk| Amount {
        bytes: sum.bytes + chunk.bytes.len() as u64,
        growth: sum.growth + chunk.growth(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(chunks: &[(u64, usize)]) -> FileState {
        let mut state = FileState::default();
        for (index, len) in chunks {
            state.chunks.insert(*index, DirtyChunk { bytes: vec![1; *len].into(), recorded: 0 });
        }
        state
    }

    /// Nothing of it was recorded.
    fn both(bytes: u64) -> Amount {
        Amount { bytes, growth: bytes }
    }

    #[test]
    fn a_cut_keeps_the_bytes_before_it_and_says_what_it_freed() {
        let mut file = state(&[(0, 10), (1, 10), (2, 4)]);
        assert_eq!(file.cut(13, 10), both(11));
        assert_eq!(file.held(), both(13));
        assert_eq!(file.cut(10, 10), both(3));
        assert_eq!(file.chunks.len(), 1);
        assert_eq!(file.cut(0, 10), both(10));
        assert!(file.chunks.is_empty());
    }

    #[test]
    fn a_cut_beyond_the_data_frees_nothing() {
        let mut file = state(&[(0, 3)]);
        assert_eq!(file.cut(9, 10), both(0));
        assert_eq!(file.cut(3, 10), both(0));
    }

    #[test]
    fn only_what_the_record_lacks_is_growth() {
        let mut file = state(&[(0, 10), (1, 10)]);
        file.chunks.get_mut(&0).unwrap().recorded = 10;
        file.chunks.get_mut(&1).unwrap().recorded = 4;
        assert_eq!(file.held(), Amount { bytes: 20, growth: 6 });
        assert_eq!(file.cut(12, 10), Amount { bytes: 8, growth: 6 });
        assert_eq!(file.drop_chunks(0, 2), Amount { bytes: 12, growth: 0 });
    }
}
