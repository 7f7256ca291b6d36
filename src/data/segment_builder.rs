//! The open segment: chunks of many files, in the order they were placed.

use bytes::Bytes;

use crate::base::ObjectId;
use crate::meta::record::MAX_FRAMES;

/// A segment that still takes chunks. A chunk's number is its position.
pub(super) struct SegmentBuilder {
    id: ObjectId,
    chunks: Vec<Bytes>,
    bytes: u64,
}

impl SegmentBuilder {
    /// An empty segment.
    pub fn new(id: ObjectId) -> Self {
        Self { id, chunks: Vec::new(), bytes: 0 }
    }

    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// Plain bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends a chunk and returns its number.
    pub fn push(&mut self, plain: Bytes) -> u32 {
        let number = self.chunks.len() as u32;
        self.bytes += plain.len() as u64;
        self.chunks.push(plain);
        number
    }

    /// True when the next chunk belongs into another segment.
    pub fn is_full(&self, segment_bytes: usize) -> bool {
        self.bytes >= segment_bytes as u64 || self.chunks.len() >= MAX_FRAMES
    }

    /// The chunk placed as `number`.
    pub fn chunk(&self, number: u32) -> Option<Bytes> {
        self.chunks.get(number as usize).cloned()
    }

    /// The finished segment's chunks.
    pub fn into_chunks(self) -> Vec<Bytes> {
        self.chunks
    }
}
