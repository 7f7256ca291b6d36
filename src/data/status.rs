//! What `hushfs status` shows of the data side.

use serde::Serialize;

/// A reading of the data side; bytes unless said otherwise.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DataStatus {
    /// Plain bytes in the open segment.
    pub open_bytes: u64,
    /// Bytes of closed segments that wait in memory, plain or sealed.
    pub waiting_bytes: u64,
    /// Sealed bytes that wait in the spool.
    pub spooled_bytes: u64,
    /// Closed segments that are not in the bucket yet.
    pub waiting_segments: u64,
    /// Why uploads fail at the moment; None: they do not.
    pub failing: Option<String>,
    pub chunk_cache_bytes: u64,
    pub disk_cache_bytes: u64,
    /// Chunks found in memory since the mount.
    pub hits_memory: u64,
    /// Chunks found in the disk cache or the spool since the mount.
    pub hits_disk: u64,
    /// Chunks asked of the bucket since the mount.
    pub misses: u64,
}
