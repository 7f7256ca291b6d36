//! The limits of the data side (M7).

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::error::DataError;

/// Limits, all in bytes unless said otherwise.
#[derive(Debug, Clone)]
pub struct DataConfig {
    /// Plain bytes after which a segment is full (8 MiB); also full at 4096 frames.
    pub segment_bytes: usize,
    /// Opened chunks kept in memory (LRU).
    pub chunk_cache: usize,
    /// Sealed cache on disk: folder and limit. None: no disk cache.
    pub disk_cache: Option<(PathBuf, u64)>,
    /// Segments uploaded at the same time.
    pub parallel_uploads: usize,
    /// Bytes of segments waiting in memory (plain or sealed); beyond it sealed segments wait in the spool.
    /// Uploads under way from the spool count, for half of it at most: more of them add a segment each.
    pub upload_memory: usize,
    /// Where sealed segments wait when the bucket is slow or away: folder and limit. None or full: writers
    /// wait.
    pub spool: Option<(PathBuf, u64)>,
    /// How long a writer waits for the bucket to take something before segments begin to move to the spool: a bucket
    /// that is merely busy is faster than writing everything to a disk and reading it back. The bucket is waited for again
    /// once it takes segments without such pauses.
    pub spool_after: Duration,
}

impl DataConfig {
    /// Refuses limits that nothing could work within.
    ///
    /// # Errors
    /// `Local` with `InvalidInput` naming the limit.
    pub(super) fn check(&self) -> Result<(), DataError> {
        let wrong = |what: &str| Err(DataError::from(io::Error::new(io::ErrorKind::InvalidInput, what)));
        if self.segment_bytes == 0 {
            return wrong("segment_bytes is zero");
        }
        if self.parallel_uploads == 0 {
            return wrong("parallel_uploads is zero");
        }
        Ok(())
    }

    /// Bytes in memory down to which sealed segments move to the spool once they do: early enough that writers
    /// seldom have to wait for the disk.
    pub(super) fn spool_above(&self) -> u64 {
        self.upload_memory as u64 / 4 * 3
    }

    /// Limit of the spool; 0 when there is none.
    pub(super) fn spool_limit(&self) -> u64 {
        self.spool.as_ref().map_or(0, |(_, limit)| *limit)
    }
}
