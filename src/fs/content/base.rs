//! What the records say of a file's content, and fetching the chunks they name.

use std::sync::Arc;

use bytes::Bytes;

use super::Content;
use crate::base::Ino;
use crate::base::ObjectId;
use crate::data::Want;
use crate::fs::error::FsError;
use crate::meta::read;
use crate::meta::record::{ChunkRef, Inode, SegmentRecord};
use crate::meta::view::View;

/// One chunk as the records have it.
#[derive(Clone)]
pub(super) enum Recorded {
    Hole,
    Inline(Bytes),
    /// A frame, how many of its plain bytes count, and what is needed to read it (None: still in flight).
    Frame {
        want: Want,
        len: u32,
    },
}

impl Recorded {
    /// How many bytes count; what follows is zeros.
    pub fn len(&self) -> u64 {
        match self {
            Recorded::Hole => 0,
            Recorded::Inline(bytes) => bytes.len() as u64,
            Recorded::Frame { len, .. } => u64::from(*len),
        }
    }

    /// What must be read for it, if anything.
    pub fn want(&self) -> Option<&Want> {
        match self {
            Recorded::Frame { want, .. } => Some(want),
            Recorded::Hole | Recorded::Inline(_) => None,
        }
    }
}

impl Content {
    /// The file's inode record.
    ///
    /// # Errors
    /// `Stale` when there is none (any more), and what reading metadata can raise.
    pub(super) fn record(&self, ino: Ino) -> Result<Inode, FsError> {
        self.volume.read(|view| inode_of(view, ino))
    }

    /// The size users see: the dirty one, else the record's.
    pub(super) fn size(&self, ino: Ino) -> Result<u64, FsError> {
        match self.dirty_attr(ino) {
            Some(attr) => Ok(attr.size),
            None => Ok(self.record(ino)?.size),
        }
    }

    /// The chunks `from..to` as recorded, holes left out, ascending.
    pub(super) fn recorded(&self, ino: Ino, from: u64, to: u64) -> Result<Vec<(u64, Recorded)>, FsError> {
        self.volume.read(|view| self.recorded_in(view, ino, from, to))
    }

    /// As [`Self::recorded`], in a view.
    pub(super) fn recorded_in(
        &self,
        view: &dyn View,
        ino: Ino,
        from: u64,
        to: u64,
    ) -> Result<Vec<(u64, Recorded)>, FsError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let chunks = read::chunks(view, ino, from..to)?;
        chunks.into_iter().map(|(index, chunk)| Ok((index, self.resolve(view, chunk)?))).collect()
    }

    /// One chunk as recorded.
    pub(super) fn recorded_one(&self, ino: Ino, index: u64) -> Result<Recorded, FsError> {
        let found = self.recorded(ino, index, index + 1)?.pop();
        Ok(found.map_or(Recorded::Hole, |(_, recorded)| recorded))
    }

    /// Adds to a reference what reading it takes.
    fn resolve(&self, view: &dyn View, chunk: ChunkRef) -> Result<Recorded, FsError> {
        match chunk {
            ChunkRef::Inline(bytes) => Ok(Recorded::Inline(bytes)),
            ChunkRef::Segment { segment, number, len } => {
                let record = self.segment_record(view, segment)?;
                Ok(Recorded::Frame { want: Want { segment, number, record }, len })
            }
        }
    }

    fn segment_record(
        &self,
        view: &dyn View,
        segment: ObjectId,
    ) -> Result<Option<Arc<SegmentRecord>>, FsError> {
        let data = self.volume.data();
        if let Some(record) = data.record(segment) {
            return Ok(Some(record));
        }
        if data.in_flight(segment) {
            return Ok(None);
        }
        let record = read::segment(view, segment)?;
        Ok(record.map(|record| data.learn(segment, record)))
    }

    /// The valid bytes of each chunk, from memory or, blocking this thread, from wherever they are.
    ///
    /// # Errors
    /// `Volume(Data(_))` when a chunk cannot be fetched or does not open.
    pub(super) fn fetch(&self, chunks: &[Recorded]) -> Result<Vec<Bytes>, FsError> {
        let mut found: Vec<Option<Bytes>> = chunks.iter().map(|chunk| self.in_memory(chunk)).collect();
        let missing: Vec<usize> = (0..chunks.len()).filter(|at| found[*at].is_none()).collect();
        let wants: Vec<Want> = missing.iter().filter_map(|at| chunks[*at].want().cloned()).collect();
        if !wants.is_empty() {
            let data = self.volume.data();
            let opened = self.volume.runtime().block_on(data.read(&wants)).map_err(FsError::from)?;
            for (at, bytes) in missing.into_iter().zip(opened) {
                found[at] = Some(valid_part(bytes, chunks[at].len()));
            }
        }
        Ok(found.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// The chunk's valid bytes if no waiting is needed.
    pub(super) fn in_memory(&self, chunk: &Recorded) -> Option<Bytes> {
        match chunk {
            Recorded::Hole => Some(Bytes::new()),
            Recorded::Inline(bytes) => Some(bytes.clone()),
            Recorded::Frame { want, len } => {
                let bytes = self.volume.data().cached(want.segment, want.number)?;
                Some(valid_part(bytes, u64::from(*len)))
            }
        }
    }
}

/// The inode, or `Stale`.
pub(super) fn inode_of(view: &dyn View, ino: Ino) -> Result<Inode, FsError> {
    read::inode(view, ino)?.ok_or(FsError::Stale(ino))
}

/// A reference may count fewer bytes than its frame holds (the file was cut).
fn valid_part(bytes: Bytes, len: u64) -> Bytes {
    let len = (len as usize).min(bytes.len());
    bytes.slice(..len)
}
