//! The data side against a bucket in memory, with scripted trouble.

mod backlog;
mod concurrency;
mod disk;
mod reading;
mod uploading;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;

use super::uploader::Backoff;
use super::{DataConfig, DataStore, Want};
use crate::base::random::SeededRandom;
use crate::base::{Epoch, ObjectId, OsRandom, Random, VolumeId};
use crate::meta::record::{ChunkRef, SegmentRecord};
use crate::object::{Faulty, MemoryBucket, Meter};
use crate::vault::Vault;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A bucket that is watched and can be troubled, and the settings of the stores in front of it.
struct Bench {
    memory: MemoryBucket,
    meter: Meter,
    faulty: Faulty,
    config: DataConfig,
}

impl Bench {
    fn new() -> Self {
        let memory = MemoryBucket::new();
        let meter = Meter::new(Arc::new(memory.clone()));
        let config = DataConfig {
            segment_bytes: MIB,
            chunk_cache: 16 * MIB,
            disk_cache: None,
            parallel_uploads: 2,
            upload_memory: 4 * MIB,
            spool: None,
            spool_after: Duration::from_millis(1),
        };
        Self { faulty: Faulty::new(Arc::new(meter.clone())), memory, meter, config }
    }

    /// Segments as large as they are in use, with memory for several.
    fn of_usual_size() -> Self {
        let mut bench = Self::new();
        bench.config.segment_bytes = 8 * MIB;
        bench.config.upload_memory = 64 * MIB;
        bench.config.chunk_cache = 64 * MIB;
        bench
    }

    fn with_disk(folder: &Path, limit: u64) -> Self {
        let mut bench = Self::new();
        bench.config.disk_cache = Some((folder.to_owned(), limit));
        bench
    }

    /// A machine that knows the keys and nothing else.
    fn store(&self) -> DataStore {
        let vault = Vault::from_epoch_keys(VolumeId([1; 16]), Epoch(1), &[(Epoch(1), [2; 32])]).unwrap();
        let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(10));
        let bucket = Arc::new(self.faulty.clone());
        DataStore::with_backoff(
            vault,
            bucket,
            Arc::new(OsRandom),
            Handle::current(),
            self.config.clone(),
            backoff,
        )
        .unwrap()
    }

    fn gets(&self) -> u64 {
        self.meter.snapshot().gets
    }

    fn puts(&self) -> u64 {
        self.meter.snapshot().puts
    }

    /// Uploads chunks through a store of its own and forgets everything but the wants to read them.
    async fn stored(&self, chunks: &[Bytes]) -> Vec<Want> {
        let store = self.store();
        let wants: Vec<Want> = chunks.iter().map(|chunk| place(&store, chunk)).collect();
        recorded(&store, wants).await
    }
}

/// Bytes that do not compress, different for every seed.
fn noise(seed: u64, len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    SeededRandom::new(seed).fill(&mut bytes);
    Bytes::from(bytes)
}

fn chunks(count: u64, len: usize) -> Vec<Bytes> {
    (0..count).map(|seed| noise(seed, len)).collect()
}

/// Places a chunk; the want has no record yet.
fn place(store: &DataStore, chunk: &Bytes) -> Want {
    match store.place(chunk.clone()) {
        ChunkRef::Segment { segment, number, len } => {
            assert_eq!(len as usize, chunk.len());
            Want { segment, number, record: None }
        }
        ChunkRef::Inline(_) => panic!("only metadata inlines"),
    }
}

/// The segments of wants, each once.
fn segments(wants: &[Want]) -> Vec<ObjectId> {
    let mut segments: Vec<ObjectId> = wants.iter().map(|want| want.segment).collect();
    segments.dedup();
    segments
}

/// Uploads and commits the wants' segments; the wants carry their records then.
async fn recorded(store: &DataStore, wants: Vec<Want>) -> Vec<Want> {
    let segments = segments(&wants);
    let records = store.uploaded(&segments).await.unwrap();
    store.committed(&segments);
    wants.into_iter().map(|want| with_record(want, &records)).collect()
}

fn with_record(want: Want, records: &[(ObjectId, SegmentRecord)]) -> Want {
    let (_, record) = records.iter().find(|(id, _)| *id == want.segment).unwrap();
    Want { record: Some(Arc::new(record.clone())), ..want }
}

fn key(want: &Want) -> String {
    want.record.as_ref().unwrap().object_key(want.segment)
}
