//! Memory limits, the spool and back-pressure.

use std::path::PathBuf;

use tokio::sync::watch;

use super::*;
use crate::object::{Fault, Gate, RequestKind, Rule};

const CHUNK: usize = 16 * KIB;
const SEGMENT: u64 = 64 * KIB as u64;
const MEMORY: u64 = 256 * KIB as u64;

/// Sealing adds a header to a segment and 24 bytes to a chunk.
const SEALING: u64 = 1024;

fn bench(spool: Option<(PathBuf, u64)>) -> Bench {
    let mut bench = Bench::new();
    bench.config =
        DataConfig { segment_bytes: SEGMENT as usize, upload_memory: MEMORY as usize, spool, ..bench.config };
    bench
}

/// Writes `chunks` as a file would: room first. Tells how many are placed; returns the wants, the largest
/// backlog and the most memory seen.
async fn write(store: DataStore, chunks: Vec<Bytes>, placed: watch::Sender<usize>) -> (Vec<Want>, u64, u64) {
    let (mut wants, mut backlog, mut memory) = (Vec::new(), 0, 0);
    for chunk in &chunks {
        store.room().await;
        wants.push(place(&store, chunk));
        let status = store.status();
        backlog = backlog.max(store.backlog());
        memory = memory.max(status.open_bytes + status.waiting_bytes);
        placed.send_replace(wants.len());
    }
    (wants, backlog, memory)
}

/// Writes 1 MiB while no upload gets through until `enough` chunks were placed; then all must arrive.
async fn write_against_a_frozen_bucket(bench: &Bench, enough: usize) -> (u64, u64) {
    let gate = Gate::new();
    bench.faulty.add(Rule::always(Fault::Freeze(gate.clone())).on(RequestKind::Put));
    let store = bench.store();
    let chunks = chunks(64, CHUNK);
    let placed = watch::Sender::new(0);
    let mut seen = placed.subscribe();
    let writer = tokio::spawn(write(store.clone(), chunks.clone(), placed));
    seen.wait_for(|placed| *placed >= enough).await.unwrap();
    gate.reached(2).await;
    gate.release();
    let (wants, backlog, memory) = writer.await.unwrap();
    let wants = recorded(&store, wants).await;
    assert_eq!(bench.store().read(&wants).await.unwrap(), chunks);
    let status = store.status();
    assert_eq!((store.backlog(), status.spooled_bytes, status.waiting_segments), (0, 0, 0));
    (backlog, memory)
}

#[tokio::test]
async fn writers_wait_while_memory_is_full_and_go_on_when_uploads_do() {
    let bench = bench(None);
    let (backlog, memory) = write_against_a_frozen_bucket(&bench, 16).await;
    assert!(memory <= MEMORY + CHUNK as u64 + SEALING * 4, "{memory} bytes in memory");
    assert_eq!(backlog, memory);
}

/// On this thread alone: nothing is sealed until it waits.
#[tokio::test]
async fn what_is_not_sealed_yet_takes_half_of_the_memory() {
    let bench = bench(None);
    let store = bench.store();
    let mut placed = 0;
    while store.has_room() {
        place(&store, &noise(placed, CHUNK));
        placed += 1;
    }
    assert_eq!(placed * CHUNK as u64, MEMORY / 2 + CHUNK as u64);
    store.room().await;
}

#[tokio::test]
async fn the_spool_takes_what_memory_cannot_hold_and_is_empty_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench(Some((folder.path().join("spool"), 64 * MIB as u64)));
    let (backlog, memory) = write_against_a_frozen_bucket(&bench, 64).await;
    assert!(memory <= MEMORY + CHUNK as u64 + SEALING * 4, "{memory} bytes in memory");
    assert!(backlog > 3 * MEMORY, "{backlog} bytes in all");
    assert_eq!(std::fs::read_dir(folder.path().join("spool")).unwrap().count(), 0);
}

/// As many uploads as memory holds segments, none of which ends.
#[tokio::test]
async fn uploads_that_hang_do_not_stop_writers_while_the_spool_has_room() {
    for parallel_uploads in [2, 4, 8] {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = bench(Some((folder.path().join("spool"), 64 * MIB as u64)));
        bench.config.parallel_uploads = parallel_uploads;
        let (_, memory) = write_against_a_frozen_bucket(&bench, 64).await;
        assert!(memory <= MEMORY + CHUNK as u64 + SEALING * 4, "{memory} bytes in memory");
    }
}

/// Half of the memory may be what uploads have read back from the spool.
#[tokio::test]
async fn a_full_spool_makes_writers_wait_until_it_drains() {
    let folder = tempfile::tempdir().unwrap();
    let limit = MEMORY + SEALING * 4;
    let bench = bench(Some((folder.path().to_owned(), limit)));
    let (backlog, memory) = write_against_a_frozen_bucket(&bench, 22).await;
    assert!(memory <= MEMORY + CHUNK as u64 + SEALING * 4, "{memory} bytes in memory");
    assert!(backlog <= MEMORY + limit + CHUNK as u64 + SEALING * 4, "{backlog} bytes in all");
    assert!(backlog > MEMORY + SEGMENT);
}

#[tokio::test]
async fn a_broken_spool_makes_writers_wait_and_loses_nothing() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let bench = bench(Some((file.path().join("spool"), 64 * MIB as u64)));
    let (backlog, memory) = write_against_a_frozen_bucket(&bench, 16).await;
    assert!(memory <= MEMORY + CHUNK as u64 + SEALING * 4, "{memory} bytes in memory");
    assert_eq!(backlog, memory);
}

#[tokio::test]
async fn a_spooled_chunk_can_be_read_while_the_bucket_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = bench(Some((folder.path().to_owned(), 64 * MIB as u64)));
    bench.config.chunk_cache = 0;
    bench.faulty.set_unavailable(true);
    let store = bench.store();
    let chunks = chunks(64, CHUNK);
    let (wants, ..) = write(store.clone(), chunks.clone(), watch::Sender::new(0)).await;
    assert!(store.status().spooled_bytes > 0);
    assert_eq!(store.read(&wants).await.unwrap(), chunks);
    assert!(store.status().hits_disk > 0);
    assert_eq!(bench.gets(), 0);
    bench.faulty.set_unavailable(false);
    let wants = recorded(&store, wants).await;
    assert_eq!(bench.store().read(&wants).await.unwrap(), chunks);
}

#[tokio::test]
async fn a_limit_below_one_segment_still_lets_writers_on() {
    let mut bench = bench(None);
    bench.config.upload_memory = 0;
    let store = bench.store();
    let chunks = chunks(16, CHUNK);
    let (wants, ..) = write(store.clone(), chunks.clone(), watch::Sender::new(0)).await;
    let wants = recorded(&store, wants).await;
    assert_eq!(bench.store().read(&wants).await.unwrap(), chunks);
}

#[tokio::test]
async fn limits_that_nothing_can_work_within_are_refused() {
    for wrong in [
        DataConfig { segment_bytes: 0, ..Bench::new().config },
        DataConfig { parallel_uploads: 0, ..Bench::new().config },
    ] {
        let vault = Vault::from_epoch_keys(VolumeId([1; 16]), Epoch(1), &[(Epoch(1), [2; 32])]).unwrap();
        let bucket = Arc::new(MemoryBucket::new());
        let refused = DataStore::new(vault, bucket, Arc::new(OsRandom), Handle::current(), wrong);
        assert!(matches!(refused.err(), Some(crate::data::DataError::Local(_))));
    }
}

/// A writer who never stops keeps memory full, so the spool would be used for ever after one pause of the bucket.
#[tokio::test]
async fn after_a_pause_of_the_bucket_the_spool_drains_while_a_writer_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = bench(Some((folder.path().to_owned(), 64 * MIB as u64)));
    bench.config.spool_after = Duration::from_millis(200);
    let gate = Gate::new();
    bench.faulty.add(Rule::always(Fault::Freeze(gate.clone())).on(RequestKind::Put));
    let store = bench.store();
    let chunk = noise(1, CHUNK);
    while store.status().spooled_bytes < 4 * MEMORY {
        store.room().await;
        place(&store, &chunk);
    }
    gate.release();
    let writing_on = async {
        while store.status().spooled_bytes > 0 {
            store.room().await;
            place(&store, &chunk);
        }
    };
    tokio::time::timeout(Duration::from_secs(60), writing_on).await.expect("the spool stays filled");
}
