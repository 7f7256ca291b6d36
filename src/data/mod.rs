//! Chunks on their way to and from the bucket: segments, uploads with back-pressure, caches, spool.
use std::path::PathBuf;
use std::sync::Arc;
use bytes::Bytes;
use crate::base::{ObjectId, Random};
use crate::meta::record::{ChunkRef, SegmentRecord};
use crate::object::{Bucket, BucketError};
use crate::vault::{Vault, VaultError};

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
    pub upload_memory: usize,
    /// Where sealed segments wait when the bucket is slow or away: folder and limit. None or full: writers wait.
    pub spool: Option<(PathBuf, u64)>,
}

#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("segment {segment}: {source}")] Bucket { segment: ObjectId, #[source] source: BucketError },
    #[error("segment {segment}, chunk {number}: {source}")] Tampered { segment: ObjectId, number: u32, #[source] source: VaultError },
    /// A reference to a segment that is neither in flight nor recorded, or a frame outside it.
    #[error("segment {segment}, chunk {number}: {what}")] Dangling { segment: ObjectId, number: u32, what: &'static str },
    #[error("local cache or spool: {0}")] Local(#[from] std::io::Error),
}
impl Clone for DataError { fn clone(&self) -> Self { todo!("owner: make clonable, e.g. Arc sources, since many waiters share one failure") } }

/// One chunk to read. `record` None: the segment must still be in flight here.
#[derive(Clone)]
pub struct Want { pub segment: ObjectId, pub number: u32, pub record: Option<Arc<SegmentRecord>> }

#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct DataStatus { pub open_bytes: u64, pub waiting_bytes: u64, pub spooled_bytes: u64, pub waiting_segments: u64, pub failing: Option<String>,
    pub chunk_cache_bytes: u64, pub disk_cache_bytes: u64, pub hits_memory: u64, pub hits_disk: u64, pub misses: u64 }

/// The data side of a mounted volume. Cheap to clone.
#[derive(Clone)]
pub struct DataStore { _inner: Arc<()> }
impl DataStore {
    /// `runtime` runs uploads, sealing (spawn_blocking) and fetches.
    pub fn new(_vault: Vault, _bucket: Arc<dyn Bucket>, _random: Arc<dyn Random>, _runtime: tokio::runtime::Handle, _config: DataConfig) -> Result<Self, DataError> { todo!() }
    /// Gives a chunk (1..=MAX_CHUNK plain bytes) a place in the open segment and returns its reference at once; it can be read
    /// from now on. Compression, sealing and upload follow in the background when the segment is full or closed. Never waits.
    pub fn place(&self, _plain: Bytes) -> ChunkRef { todo!() }
    /// Sends the open segment, if it has any chunk, on its way.
    pub fn close_segment(&self) { todo!() }
    /// Waits until the backlog (open + waiting + spooled) is within limits again. Called before data is accepted, without locks held.
    pub async fn room(&self) { todo!() }
    /// Waits until all of these are durable in the bucket (M1) and returns what the metadata must record. An upload that fails for now is
    /// reported, stays queued and is tried again in the background until it succeeds.
    pub async fn uploaded(&self, _segments: &[ObjectId]) -> Result<Vec<(ObjectId, SegmentRecord)>, DataError> { todo!() }
    /// The metadata has these segments' records now: their in-flight copies can go.
    pub fn committed(&self, _segments: &[ObjectId]) { todo!() }
    /// The record of a segment that is in flight (uploaded, not yet committed) or was learnt before.
    pub fn record(&self, _segment: ObjectId) -> Option<Arc<SegmentRecord>> { todo!() }
    /// Remembers a record read from the metadata (bounded LRU), so that the next reader need not decode it again.
    pub fn learn(&self, _segment: ObjectId, _record: SegmentRecord) -> Arc<SegmentRecord> { todo!() }
    /// True while the segment has not been `committed` (it can be read without a record).
    pub fn in_flight(&self, _segment: ObjectId) -> bool { todo!() }
    /// The opened chunk, if memory has it (in flight or cached). Never waits.
    pub fn cached(&self, _segment: ObjectId, _number: u32) -> Option<Bytes> { todo!() }
    /// Opened chunks in the order asked for: memory, spool, disk cache, bucket (neighbouring frames in one ranged GET, several GETs in
    /// parallel; the same frame asked for twice at once is fetched once).
    pub async fn read(&self, _wants: &[Want]) -> Result<Vec<Bytes>, DataError> { todo!() }
    /// Starts fetching in the background; errors are left to the reader. Bounded: excess is ignored.
    pub fn prefetch(&self, _wants: Vec<Want>) { todo!() }
    /// A whole sealed object (tree pack) by key through the disk cache; `id` names it there.
    pub async fn fetch_object(&self, _id: ObjectId, _key: &str) -> Result<Bytes, DataError> { todo!() }
    /// Forgets what the caches hold of an object (gc deleted it, or its bytes turned out damaged).
    pub fn evict(&self, _id: ObjectId) { todo!() }
    pub fn status(&self) -> DataStatus { todo!() }
    /// Bytes accepted and not yet in the bucket.
    pub fn backlog(&self) -> u64 { todo!() }
}
