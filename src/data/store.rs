//! The facade of the data side.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::chunk_cache::FrameKey;
use super::config::DataConfig;
use super::disk_cache::DiskCache;
use super::error::DataError;
use super::fetcher::{Fetcher, Purpose, Want};
use super::in_flight::InFlight;
use super::records::Records;
use super::spool::Spool;
use super::spooling::Spooler;
use super::status::DataStatus;
use super::uploader::{Backoff, Equipment, Uploader};
use crate::base::{ObjectId, Random};
use crate::meta::record::{ChunkRef, SegmentRecord};
use crate::object::Bucket;
use crate::vault::{MAX_CHUNK, Vault};

/// Delays between attempts of a failed upload or spool write, on top of the bucket's own retries.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// So many bytes may be fetched ahead on any line.
const LEAST_AHEAD: u64 = 2 << 20;

/// The data side of a mounted volume. Cheap to clone. Background work under way goes on when the last
/// clone is dropped, until the runtime stops.
#[derive(Clone)]
pub struct DataStore {
    inner: Arc<Inner>,
}

struct Inner {
    random: Arc<dyn Random>,
    in_flight: Arc<InFlight>,
    records: Arc<Records>,
    spooler: Arc<Spooler>,
    uploader: Arc<Uploader>,
    fetcher: Arc<Fetcher>,
}

impl DataStore {
    /// `bucket` retries passing trouble by itself; `runtime` runs uploads, sealing and fetches. Folders of
    /// cache and spool are made when first needed, and are never the cause of an error.
    ///
    /// # Errors
    /// `Local` when a limit is such that nothing could work.
    pub fn new(
        vault: Vault,
        bucket: Arc<dyn Bucket>,
        random: Arc<dyn Random>,
        runtime: Handle,
        config: DataConfig,
    ) -> Result<Self, DataError> {
        let backoff = Backoff::new(FIRST_DELAY, LONGEST_DELAY);
        Self::with_backoff(vault, bucket, random, runtime, config, backoff)
    }

    /// Like [`Self::new`], with other delays.
    pub(super) fn with_backoff(
        vault: Vault,
        bucket: Arc<dyn Bucket>,
        random: Arc<dyn Random>,
        runtime: Handle,
        config: DataConfig,
        backoff: Backoff,
    ) -> Result<Self, DataError> {
        config.check()?;
        let in_flight = InFlight::new(&config);
        let records = Arc::new(Records::new(vault.clone()));
        let spool = config.spool.map(|(folder, _)| Spool::new(folder));
        let disk = config.disk_cache.map(|(folder, limit)| DiskCache::open(folder, limit, runtime.clone()));
        let spooler = Spooler::new(Arc::clone(&in_flight), spool, disk.clone(), runtime.clone(), backoff);
        let uploader = Uploader::new(Equipment {
            vault,
            bucket: Arc::clone(&bucket),
            random: Arc::clone(&random),
            runtime: runtime.clone(),
            in_flight: Arc::clone(&in_flight),
            records: Arc::clone(&records),
            spooler: Arc::clone(&spooler),
            parallel_uploads: config.parallel_uploads,
            backoff,
        });
        let fetcher = Fetcher::new(
            bucket,
            runtime,
            Arc::clone(&in_flight),
            Arc::clone(&records),
            config.chunk_cache,
            disk,
        );
        let inner = Inner { random, in_flight, records, spooler, uploader, fetcher };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Gives a chunk (1..=MAX_CHUNK plain bytes) a place in the open segment and returns its reference at
    /// once; it can be read from now on. Compression, sealing and upload follow in the background when the
    /// segment is full or closed. Never waits.
    ///
    /// # Panics
    /// When the chunk is empty or too long: no segment could ever hold it.
    pub fn place(&self, plain: Bytes) -> ChunkRef {
        let after_pause = self.inner.in_flight.is_empty();
        let (key, len) = self.put_into_segment(plain.clone());
        self.inner.fetcher.chunks.insert_new(key, plain, after_pause);
        reference(key, len)
    }

    /// As [`Self::place`], for a chunk that takes the place of another one: it will be written again soon, of which the next
    /// partial overwrite has to read it, and the kernel's page cache does not help then.
    pub fn place_again(&self, plain: Bytes) -> ChunkRef {
        let (key, len) = self.put_into_segment(plain.clone());
        self.inner.fetcher.chunks.insert(key, plain);
        reference(key, len)
    }

    fn put_into_segment(&self, plain: Bytes) -> (FrameKey, u32) {
        let len = plain.len();
        assert!((1..=MAX_CHUNK).contains(&len), "a chunk has 1 to {MAX_CHUNK} bytes, this one has {len}");
        let (key, full) = self.inner.in_flight.place(plain, self.inner.random.as_ref());
        if let Some(full) = full {
            self.inner.uploader.carry(full);
        }
        (key, len as u32)
    }

    /// Sends the open segment, if it has any chunk, on its way.
    pub fn close_segment(&self) {
        if let Some(closed) = self.inner.in_flight.close() {
            self.inner.uploader.carry(closed);
        }
    }

    /// Whether [`Self::room`] would not wait.
    pub fn has_room(&self) -> bool {
        self.inner.in_flight.has_room()
    }

    /// Waits until what waits in memory (and so the whole backlog) is within limits again. Called before
    /// data is accepted, without locks held.
    pub async fn room(&self) {
        let Inner { in_flight, spooler, .. } = &*self.inner;
        let since = Instant::now();
        loop {
            // Listening before looking: nothing that is freed in between can be missed.
            let mut freed = std::pin::pin!(in_flight.freed());
            freed.as_mut().enable();
            if in_flight.has_room() {
                return;
            }
            spooler.relieve();
            match in_flight.patience(since) {
                None => freed.await,
                Some(until) => tokio::select! {
                    () = freed => {}
                    () = tokio::time::sleep_until(until) => in_flight.waited(since),
                },
            }
        }
    }

    /// Waits until all of these are durable in the bucket (M1) and returns what the metadata must record, in
    /// the order asked for. A segment among them that is still open is closed first. An upload that fails
    /// for now is reported, stays queued and is tried again in the background until it succeeds; waiting
    /// again tries again at once.
    ///
    /// # Errors
    /// `Bucket`, `Tampered` or `Local` of an attempt that failed during the call; `Dangling` for a segment
    /// that is neither in flight nor known.
    pub async fn uploaded(&self, segments: &[ObjectId]) -> Result<Vec<(ObjectId, SegmentRecord)>, DataError> {
        let mut waits = Vec::with_capacity(segments.len());
        for segment in segments {
            if let Some(closed) = self.inner.in_flight.close_if(*segment) {
                self.inner.uploader.carry(closed);
            }
            let progress = self.inner.in_flight.watch(*segment);
            let failures = progress.as_ref().map_or(0, |progress| progress.borrow().failures);
            waits.push((*segment, progress, failures));
        }
        self.inner.uploader.hurry();
        let mut records = Vec::with_capacity(segments.len());
        for (segment, progress, before) in waits {
            let mut known = self.inner.records.get(segment);
            if let Some(mut progress) = progress {
                let ended = progress.wait_for(|now| now.uploaded.is_some() || now.failures > before).await;
                let ended = ended.map_err(DataError::abandoned)?;
                match (&ended.uploaded, &ended.error) {
                    (None, Some(error)) => return Err(error.clone()),
                    (uploaded, _) => known = uploaded.clone(),
                }
            }
            let record = known.ok_or(DataError::Dangling {
                segment,
                number: 0,
                what: "the segment is neither in flight nor recorded",
            })?;
            records.push((segment, SegmentRecord::clone(&record)));
        }
        Ok(records)
    }

    /// The metadata has these segments' records now: their in-flight copies go, their records stay learnt.
    pub fn committed(&self, segments: &[ObjectId]) {
        for segment in segments {
            if let Some(record) = self.inner.in_flight.committed(*segment) {
                self.inner.records.learn(*segment, record);
            }
        }
    }

    /// Forgets a segment in flight to which nothing refers any more: its chunks were placed anew. Its record
    /// stays learnt, for readers who looked it up before; its object, if there is one, is garbage.
    pub fn abandon(&self, segment: ObjectId) {
        if let Some(record) = self.inner.in_flight.abandon(segment) {
            self.inner.records.learn(segment, record);
        }
    }

    /// The segments that are sealed and not committed, oldest first.
    pub fn uncommitted(&self) -> Vec<(ObjectId, Arc<SegmentRecord>)> {
        self.inner.in_flight.sealed_segments()
    }

    /// The record of a segment that is in flight and sealed, or was learnt before.
    pub fn record(&self, segment: ObjectId) -> Option<Arc<SegmentRecord>> {
        self.inner.in_flight.record(segment).or_else(|| self.inner.records.get(segment))
    }

    /// Remembers a record read from the metadata (bounded LRU), so that the next reader need not decode it
    /// again.
    pub fn learn(&self, segment: ObjectId, record: SegmentRecord) -> Arc<SegmentRecord> {
        let record = Arc::new(record);
        self.inner.records.learn(segment, Arc::clone(&record));
        record
    }

    /// True while the segment has not been `committed` (it can be read without a record).
    pub fn in_flight(&self, segment: ObjectId) -> bool {
        self.inner.in_flight.contains(segment)
    }

    /// The opened chunk, if memory has it (in flight or cached). Never waits.
    pub fn cached(&self, segment: ObjectId, number: u32) -> Option<Bytes> {
        self.inner.fetcher.cached(segment, number)
    }

    /// Opened chunks in the order asked for: memory, spool, disk cache, bucket (neighbouring frames in one
    /// ranged GET, several GETs in parallel; the same frame asked for twice at once is fetched once).
    /// Dropping the future does not stop what others may wait for.
    ///
    /// # Errors
    /// `Bucket`, `Tampered`, `Local` of the first chunk that could not be had; `Dangling` for a reference
    /// that leads nowhere, before anything is fetched.
    pub async fn read(&self, wants: &[Want]) -> Result<Vec<Bytes>, DataError> {
        self.inner.fetcher.read(wants).await
    }

    /// Starts fetching into memory in the background; errors are left to the reader. At most 640 chunks and
    /// 40 MiB are under way: returns how many of the wants, from the first on, are or need not be. Never waits.
    pub fn prefetch(&self, wants: &[Want]) -> usize {
        self.inner.fetcher.prefetch(wants, Purpose::Ahead)
    }

    /// As [`Self::prefetch`], for a reader that begins with a file and will read it whole: what follows in its segment is taken
    /// along if the reader has come from there file by file.
    pub fn prefetch_file(&self, wants: &[Want]) -> usize {
        self.inner.fetcher.prefetch(wants, Purpose::File)
    }

    /// As [`Self::prefetch`], of parts that have nothing to do with each other: nothing that lies between is taken along.
    pub fn prefetch_parts(&self, wants: &[Want]) -> usize {
        self.inner.fetcher.prefetch(wants, Purpose::Parts)
    }

    /// A sequential reader has left the chunk behind: its memory is for what lies ahead of readers.
    pub fn left_behind(&self, segment: ObjectId, number: u32) {
        self.inner.fetcher.chunks.demote((segment, number));
    }

    /// How many bytes may be fetched ahead of readers: such as will still be in memory when they come, seven eighths of the opened
    /// chunks (those that were [left behind](Self::left_behind) go first), and such as come within a second, or two mebibytes:
    /// whoever turns to something else has to wait for them.
    pub fn read_ahead_bytes(&self) -> u64 {
        let fetcher = &self.inner.fetcher;
        let kept = fetcher.chunks.limit() as u64 / 8 * 7;
        fetcher.line.bytes_in_a_second().map_or(kept, |second| kept.min(second.max(LEAST_AHEAD)))
    }

    /// A whole sealed object (tree pack) by key through the disk cache; `id` names it there. The bytes are
    /// not verified: when they do not open, [`Self::evict`] them and ask once more.
    ///
    /// # Errors
    /// `Bucket` when it cannot be had, `Local` when the fetch was stopped.
    pub async fn fetch_object(&self, id: ObjectId, key: &str, most: u64) -> Result<Bytes, DataError> {
        self.inner.fetcher.fetch_object(id, key, most).await
    }

    /// Somebody who has read a chunk writes another in its place: nobody is expected to read this one again.
    pub fn overwritten(&self, segment: ObjectId, number: u32) {
        self.inner.fetcher.chunks.forget((segment, number));
    }

    /// Forgets what the caches hold of an object (gc deleted it, or its bytes turned out damaged). What is
    /// in flight stays. May wait for the local disk.
    pub fn evict(&self, id: ObjectId) {
        self.inner.records.forget(id);
        self.inner.fetcher.evict(id);
    }

    /// A reading of sizes and counters.
    pub fn status(&self) -> DataStatus {
        let reading = self.inner.in_flight.reading();
        let fetcher = &self.inner.fetcher;
        let (hits_memory, hits_disk, misses) = fetcher.counters.read();
        DataStatus {
            open_bytes: reading.open,
            waiting_bytes: reading.waiting,
            spooled_bytes: reading.spooled,
            waiting_segments: reading.segments,
            failing: reading.failing.map(|error| error.to_string()),
            chunk_cache_bytes: fetcher.chunks.bytes(),
            disk_cache_bytes: fetcher.disk.as_ref().map_or(0, |disk| disk.bytes()),
            hits_memory,
            hits_disk,
            misses,
        }
    }

    /// Bytes accepted and not yet in the bucket: open, waiting in memory, spooled.
    pub fn backlog(&self) -> u64 {
        let reading = self.inner.in_flight.reading();
        reading.open + reading.waiting + reading.spooled
    }

    /// Blocks until the disk cache knows its files and has written what it was given.
    #[cfg(test)]
    pub(super) fn settle_disk(&self) {
        if let Some(disk) = &self.inner.fetcher.disk {
            disk.settle();
        }
    }
}

fn reference((segment, number): FrameKey, len: u32) -> ChunkRef {
    ChunkRef::Segment { segment, number, len }
}
