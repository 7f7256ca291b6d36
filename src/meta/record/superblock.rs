//! The superblock: counters and settings of the whole volume.
use super::{MAX_INLINE, Record, put_time, time};
use crate::base::{DecodeError, Reader, Seq, Timestamp, Writer};
use crate::vault::MAX_CHUNK;

/// Smallest chunk size, in bytes; every inline chunk fits.
pub const MIN_CHUNK: u32 = MAX_INLINE as u32;

/// Counters and settings of the whole volume.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Superblock {
    /// Inodes that exist, orphans included.
    pub inodes: u64,
    /// Bytes of all chunks that are not holes; a chunk that two files share counts twice.
    pub allocated: u64,
    /// 0 = no limit.
    pub quota_bytes: u64,
    /// 0 = no limit.
    pub quota_inodes: u64,
    /// Log entries up to here may be deleted by gc; published before it deletes (M3), with the time of publishing.
    pub gc_boundary: Seq,
    pub gc_published: Timestamp,
    /// Bytes of a chunk: a power of two, [`MIN_CHUNK`]..=MAX_CHUNK, fixed at init.
    pub chunk_size: u32,
}

impl Superblock {
    /// Whether files can be cut into chunks of `size` bytes.
    pub fn is_chunk_size(size: u32) -> bool {
        size.is_power_of_two() && (MIN_CHUNK..=MAX_CHUNK as u32).contains(&size)
    }
}

impl Record for Superblock {
    fn write(&self, w: &mut Writer) {
        w.u64(self.inodes).u64(self.allocated).u64(self.quota_bytes).u64(self.quota_inodes);
        w.u64(self.gc_boundary.0);
        put_time(w, self.gc_published);
        w.u32(self.chunk_size);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let superblock = Self {
            inodes: r.u64("inode count")?,
            allocated: r.u64("allocated bytes")?,
            quota_bytes: r.u64("quota of bytes")?,
            quota_inodes: r.u64("quota of inodes")?,
            gc_boundary: Seq(r.u64("gc boundary")?),
            gc_published: time(r, "time of the gc boundary")?,
            chunk_size: r.u32("chunk size")?,
        };
        if !Self::is_chunk_size(superblock.chunk_size) {
            return Err(DecodeError::Invalid("chunk size"));
        }
        Ok(superblock)
    }
}
